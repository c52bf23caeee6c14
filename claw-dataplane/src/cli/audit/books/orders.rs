//! What events do to orders.

use claw_common::id::Id;
use claw_core::lines::Lines;
use claw_core::shard::event::OrderCreated;

use super::{Books, HoldEnd, Move, OrderBook, OrderStage, owned};

impl Books {
    pub(super) fn create_order(&mut self, created: &OrderCreated<'_>) {
        let lines = owned(created.lines);
        if created.held {
            self.move_lines(&lines, Move::Hold);
        }
        if let Some(hold) = created.hold
            && self.holds.get(&hold).is_none_or(|book| book.end != HoldEnd::Active)
        {
            self.find(format_args!("makes an order of hold {hold}, which is not active"));
        }
        let book = OrderBook {
            home: self.place.0,
            stage: OrderStage::Reserving,
            hold: created.hold,
            held: created.held || created.hold.is_some(),
            coupon: created.coupon.map(str::to_owned),
            lines,
        };
        let order = created.order;
        if self.orders.insert(order, book).is_some() {
            self.find(format_args!("creates order {order} a second time"));
        }
    }

    pub(super) fn hold_order(&mut self, order: Id) {
        match self.orders.get_mut(&order) {
            Some(book) if book.stage == OrderStage::Reserving && !book.held => {
                book.held = true;
                let lines = book.lines.clone();
                self.move_lines(&lines, Move::Hold);
            }
            _ => self.find(format_args!("holds for order {order}, which does not allow it")),
        }
    }

    pub(super) fn authorize_order(&mut self, order: Id, lines: Lines<'_>) {
        if !self.step_order(order, &[OrderStage::Reserving], OrderStage::Authorizing) {
            return;
        }
        let Some(book) = self.orders.get_mut(&order) else { return };
        book.lines = owned(lines);
        if let Some(code) = book.coupon.clone().filter(|code| self.owns(code)) {
            self.use_coupon(&code, Move::Hold);
        }
    }

    pub(super) fn confirm_order(&mut self, order: Id, lines: Lines<'_>) {
        let paid = self.stage_of(order) == Some(OrderStage::Authorizing);
        let before = [OrderStage::Reserving, OrderStage::Authorizing];
        if !self.step_order(order, &before, OrderStage::Confirming) {
            return;
        }
        let Some(book) = self.orders.get_mut(&order) else { return };
        book.lines = owned(lines);
        let (lines, coupon, hold) = (book.lines.clone(), book.coupon.clone(), book.hold);
        self.move_lines(&lines, Move::Settle);
        if let Some(code) = coupon.filter(|code| self.owns(code)) {
            // Of what is paid for it has been held since.
            if !paid {
                self.use_coupon(&code, Move::Hold);
            }
            self.use_coupon(&code, Move::Settle);
        }
        if let Some(hold) = hold {
            self.step_hold(hold, HoldEnd::Active, HoldEnd::Sold);
        }
    }

    pub(super) fn cancel_order(&mut self, order: Id) {
        let stage = self.stage_of(order);
        let before = [
            OrderStage::Reserving,
            OrderStage::Authorizing,
            OrderStage::Capturing,
            OrderStage::Placed,
        ];
        if !self.step_order(order, &before, OrderStage::Cancelled) {
            return;
        }
        let Some(book) = self.orders.get(&order) else { return };
        let (lines, coupon) = (book.lines.clone(), book.coupon.clone());
        let (hold, held) = (book.hold, book.held);
        if matches!(stage, Some(OrderStage::Placed | OrderStage::Capturing)) {
            self.move_lines(&lines, Move::GiveBack);
            if let Some(code) = coupon.filter(|code| self.owns(code)) {
                self.use_coupon(&code, Move::GiveBack);
            }
            return;
        }
        if held {
            self.move_lines(&lines, Move::Release);
        }
        if stage == Some(OrderStage::Authorizing)
            && let Some(code) = coupon.filter(|code| self.owns(code))
        {
            self.use_coupon(&code, Move::Release);
        }
        if let Some(hold) = hold {
            self.step_hold(hold, HoldEnd::Active, HoldEnd::Released);
        }
    }

    fn stage_of(&self, order: Id) -> Option<OrderStage> {
        self.orders.get(&order).map(|book| book.stage)
    }

    pub(super) fn step_order(
        &mut self,
        order: Id,
        before: &[OrderStage],
        after: OrderStage,
    ) -> bool {
        match self.orders.get_mut(&order) {
            Some(book) if before.contains(&book.stage) => {
                book.stage = after;
                true
            }
            Some(book) => {
                let stage = book.stage;
                self.find(format_args!("makes order {order} {after:?}, which is {stage:?}"));
                false
            }
            None => {
                self.find(format_args!("makes order {order} {after:?}, which does not exist"));
                false
            }
        }
    }
}
