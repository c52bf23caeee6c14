//! The judgement: the node's books against arithmetic, and against what shoppers were told.
//!
//! For every SKU: `received - removed = available + held + sold`, nothing negative, no more sold
//! and held than there was. Against the shoppers' ledger: the node sold at least every unit that it
//! acknowledged, at most those and the ones whose answer was lost (when nobody else shops), and
//! still holds what it acknowledged as held. Pure: books in, findings out.

use std::fmt;

use claw_common::id::Id;
use serde::Serialize;

use super::answer::OrderState;
use super::ledger::Ledger;
use super::scenario::Scenario;
use super::setup::{Books, CouponState, ProductState};

/// Findings that are written out; the count is always whole.
const SHOWN_MAX: usize = 20;

/// Who else may be shopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Nobody: the node is ours.
    Alone,
    /// Perhaps somebody: sales beyond ours prove nothing.
    Shared,
}

/// What was wrong with one SKU or coupon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// SKU or coupon code.
    pub code: String,
    /// In words, with the numbers.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.what)
    }
}

/// The result.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// SKUs read back.
    pub skus: usize,
    /// Sums over them, as the node reports them.
    pub received: i64,
    pub removed: i64,
    pub available: i64,
    pub held: i64,
    pub sold: i64,
    /// Units sold in this run by the node's books.
    pub sold_in_run: i64,
    /// Units that shoppers were told are sold.
    pub acknowledged: u64,
    /// Units whose answer was lost.
    pub uncertain: u64,
    /// Units promised beyond what there was; the number that must be 0.
    pub oversold: u64,
    /// Placed orders that were read back.
    pub orders_checked: usize,
    /// How many things are wrong.
    pub findings_count: usize,
    /// The first of them.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Whether nothing is wrong.
    pub const fn passed(&self) -> bool {
        self.findings_count == 0 && self.oversold == 0
    }

    fn find(&mut self, code: &str, what: String) {
        self.findings_count += 1;
        if self.findings.len() < SHOWN_MAX {
            self.findings.push(Finding { code: code.to_owned(), what });
        }
    }
}

/// What the audit looks at.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What was sold.
    pub scenario: &'a Scenario,
    /// The node's books before the run.
    pub before: &'a Books,
    /// And after it.
    pub after: &'a Books,
    /// The shoppers' book.
    pub ledger: &'a Ledger,
    /// Units that must still be held, by product.
    pub held_at_least: &'a [u64],
    /// Placed orders that were read back, and where they stand now.
    pub orders: &'a [(Id, Option<OrderState>)],
    /// Who else may have been shopping.
    pub company: Company,
}

/// Judges a run.
pub fn audit(evidence: &Evidence<'_>) -> Audit {
    let mut audit = Audit { skus: evidence.scenario.products.len(), ..Audit::default() };
    for index in 0..evidence.scenario.products.len() {
        audit_product(&mut audit, evidence, index);
    }
    for index in 0..evidence.scenario.coupons.len() {
        audit_coupon(&mut audit, evidence, index);
    }
    audit.orders_checked = evidence.orders.len();
    for (order, state) in evidence.orders {
        if *state != Some(OrderState::Placed) {
            let what = format!("acknowledged as placed, the node says {state:?}");
            audit.find(&format!("order {order}"), what);
        }
    }
    audit
}

fn audit_product(audit: &mut Audit, evidence: &Evidence<'_>, index: usize) {
    let code = &evidence.scenario.products[index].sku;
    let (before, after) = (&evidence.before.products[index], &evidence.after.products[index]);
    if after.sku != *code {
        return audit.find(code, "the node does not know it any more".to_owned());
    }
    let acknowledged = evidence.ledger.sold[index];
    let uncertain = evidence.ledger.uncertain[index];
    let sold_in_run = after.sold - before.sold;
    audit.received += after.received;
    audit.removed += after.removed;
    audit.available += after.available;
    audit.held += after.held;
    audit.sold += after.sold;
    audit.sold_in_run += sold_in_run;
    audit.acknowledged += acknowledged;
    audit.uncertain += uncertain;
    check_sums(audit, code, after);
    let told = signed(acknowledged);
    // What we were told counts even when the node's own books disagree with it.
    let promised = after.sold.max(before.sold + told) + after.held;
    audit.oversold += u64::try_from(promised - (after.received - after.removed)).unwrap_or(0);
    if sold_in_run < told {
        audit.find(
            code,
            format!("{told} units were acknowledged as sold, the node counts {sold_in_run}"),
        );
    }
    if evidence.company == Company::Alone && sold_in_run > told + signed(uncertain) {
        audit.find(
            code,
            format!(
                "the node sold {sold_in_run} units, shoppers know of {told} and may have missed \
                 {uncertain}"
            ),
        );
    }
    let held_at_least = signed(evidence.held_at_least[index]);
    if after.held < held_at_least {
        audit.find(
            code,
            format!("{held_at_least} units are in live holds, the node holds {}", after.held),
        );
    }
}

fn check_sums(audit: &mut Audit, code: &str, after: &ProductState) {
    let ProductState { received, removed, on_hand, held, sold, available, .. } = *after;
    if received - removed != available + held + sold {
        audit.find(
            code,
            format!(
                "received {received} - removed {removed} is not available {available} + held \
                 {held} + sold {sold}"
            ),
        );
    }
    if on_hand != received - removed - sold {
        audit.find(
            code,
            format!(
                "on hand {on_hand} is not {received} received - {removed} removed - {sold} sold"
            ),
        );
    }
    let parts = [received, removed, on_hand, held, sold, available];
    if parts.iter().any(|&part| part < 0) {
        audit.find(code, format!("something is negative: {parts:?}"));
    }
}

fn audit_coupon(audit: &mut Audit, evidence: &Evidence<'_>, index: usize) {
    let code = &evidence.scenario.coupons[index].code;
    let before = evidence.before.coupons[index].uses;
    let CouponState { uses, uses_max } = evidence.after.coupons[index];
    let told = evidence.ledger.coupon_uses[index];
    let uncertain = evidence.ledger.coupon_uncertain[index];
    if uses > uses_max {
        audit.find(code, format!("used {uses} times of at most {uses_max}"));
    }
    let used_in_run = uses.saturating_sub(before);
    if used_in_run < told {
        audit.find(code, format!("{told} orders used it, the node counts {used_in_run}"));
    }
    if evidence.company == Company::Alone && used_in_run > told + uncertain {
        audit.find(
            code,
            format!("the node counts {used_in_run} uses, shoppers know of {told} + {uncertain}"),
        );
    }
}

fn signed(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Line, Lines};
    use super::super::scenarios;
    use super::*;

    struct Case {
        scenario: Scenario,
        before: Books,
        after: Books,
        ledger: Ledger,
        held_at_least: Vec<u64>,
        orders: Vec<(Id, Option<OrderState>)>,
    }

    /// Three of ten sold and two held, all of it told to shoppers.
    fn clean() -> Case {
        let mut scenario = Scenario::parse("s", "s", scenarios::text("smoke").unwrap()).unwrap();
        scenario.products.truncate(1);
        let state = |held, sold, available| ProductState {
            sku: scenario.products[0].sku.clone(),
            received: 12,
            removed: 2,
            on_hand: 10 - sold,
            held,
            sold,
            available,
        };
        let coupon = |uses| vec![CouponState { uses, uses_max: 2 }];
        let mut ledger = Ledger::new(1, 1);
        let mut lines = Lines::default();
        lines.push(Line { product: 0, quantity: 3 });
        ledger.place(Id::default(), &lines, Some(0));
        Case {
            before: Books { products: vec![state(0, 0, 10)], coupons: coupon(0) },
            after: Books { products: vec![state(2, 3, 5)], coupons: coupon(1) },
            scenario,
            ledger,
            held_at_least: vec![2],
            orders: vec![(Id::default(), Some(OrderState::Placed))],
        }
    }

    fn judge(case: &Case, company: Company) -> Audit {
        audit(&Evidence {
            scenario: &case.scenario,
            before: &case.before,
            after: &case.after,
            ledger: &case.ledger,
            held_at_least: &case.held_at_least,
            orders: &case.orders,
            company,
        })
    }

    #[test]
    fn honest_books_pass() {
        let found = judge(&clean(), Company::Alone);
        assert!(found.passed(), "{found:?}");
        assert_eq!((found.sold, found.acknowledged, found.oversold), (3, 3, 0));
    }

    /// Each cheat, and what the audit says about it.
    #[test]
    fn every_cheat_is_found() {
        type Cheat = fn(&mut Case);
        let cheats: [(Cheat, &str); 11] = [
            (|case| case.after.products[0].available += 1, "is not available 6"),
            (|case| case.after.products[0].on_hand += 1, "on hand 8"),
            (|case| case.after.products[0].available = -5, "negative"),
            (|case| case.ledger.sold[0] = 4, "4 units were acknowledged"),
            (|case| case.ledger.sold[0] = 2, "the node sold 3 units"),
            (|case| case.held_at_least[0] = 3, "3 units are in live holds"),
            (|case| case.after.products[0].sku.clear(), "does not know it any more"),
            (|case| case.orders[0].1 = None, "the node says None"),
            (|case| case.orders[0].1 = Some(OrderState::Underway), "the node says Some(Underway)"),
            (|case| case.after.coupons[0].uses = 3, "used 3 times of at most 2"),
            (|case| case.ledger.coupon_uses[0] = 2, "2 orders used it"),
        ];
        for (cheat, words) in cheats {
            let mut case = clean();
            cheat(&mut case);
            let found = judge(&case, Company::Alone);
            assert!(!found.passed(), "{words}");
            let all = found.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            assert!(all.contains(words), "{all} should say {words:?}");
        }
    }

    #[test]
    fn promises_beyond_the_stock_are_oversold_even_when_the_node_forgot_them() {
        let mut case = clean();
        case.ledger.sold[0] = 11;
        let found = judge(&case, Company::Alone);
        assert_eq!(found.oversold, 3, "11 told sold and 2 held of 10");
        assert!(!found.passed());
    }

    #[test]
    fn sales_of_others_are_no_finding_when_the_node_is_shared() {
        let mut case = clean();
        case.ledger.sold[0] = 1;
        assert!(judge(&case, Company::Shared).passed());
        assert!(!judge(&case, Company::Alone).passed());
    }

    #[test]
    fn lost_answers_explain_sales_that_nobody_was_told() {
        let mut case = clean();
        case.ledger.sold[0] = 1;
        case.ledger.uncertain[0] = 2;
        assert!(judge(&case, Company::Alone).passed());
    }
}
