//! Who is at the shop, by a cookie, and what each has ordered. In memory, and bounded.

use std::collections::{HashMap, VecDeque};

/// Visitors known at once; the first to come is forgotten first.
const VISITORS_MAX: usize = 10_000;
/// Orders shown of one visitor.
const ORDERS_MAX: usize = 20;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Visitors {
    orders: HashMap<String, VecDeque<String>>,
    arrivals: VecDeque<String>,
}

impl Visitors {
    /// Lets one in who has no cookie of ours yet.
    pub(super) fn welcome(&mut self, session: String) {
        if self.arrivals.len() >= VISITORS_MAX
            && let Some(first) = self.arrivals.pop_front()
        {
            self.orders.remove(&first);
        }
        self.arrivals.push_back(session.clone());
        self.orders.insert(session, VecDeque::new());
    }

    /// Whether a cookie is one of ours.
    pub(super) fn knows(&self, session: &str) -> bool {
        self.orders.contains_key(session)
    }

    /// Remembers an order; a repeat of one is one.
    pub(super) fn ordered(&mut self, session: &str, order: &str) {
        let Some(orders) = self.orders.get_mut(session) else { return };
        if orders.iter().any(|known| known == order) {
            return;
        }
        orders.truncate(ORDERS_MAX - 1);
        orders.push_front(order.to_owned());
    }

    /// The orders of a visitor, the latest first.
    pub(super) fn orders_of(&self, session: &str) -> Vec<String> {
        self.orders.get(session).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_visitor_and_oldest_order_are_forgotten_first() {
        let mut visitors = Visitors::default();
        for number in 0..=VISITORS_MAX {
            visitors.welcome(format!("visitor-{number}"));
        }
        assert!(!visitors.knows("visitor-0"));
        assert!(visitors.knows("visitor-1"));
        for number in 0..=ORDERS_MAX {
            visitors.ordered("visitor-1", &format!("order-{number}"));
            visitors.ordered("visitor-1", &format!("order-{number}"));
        }
        let orders = visitors.orders_of("visitor-1");
        assert_eq!((orders.len(), orders[0].as_str()), (ORDERS_MAX, "order-20"));
        assert!(!orders.contains(&"order-0".to_owned()));
        visitors.ordered("visitor-0", "order");
        assert!(visitors.orders_of("visitor-0").is_empty());
    }
}
