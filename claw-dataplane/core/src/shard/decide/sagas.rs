//! Sagas, shown to operators, retried and parked by them.

use claw_common::id::Id;
use claw_common::limits::LIST_BYTES_MAX;

use crate::checkout::order::Order;
use crate::codec::{Encode, Writer};
use crate::command::SagaStep;
use crate::outcome::{Missing, Outcome, Refusal, SagaView};
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;

impl Shard {
    pub(super) fn read_saga(&self, call: &mut Call<'_>, order: Id) {
        match self.state.orders.get(&order.0) {
            Some(found) => Self::reply_outcome(call, &Outcome::Saga(found.saga_view())),
            None => self.reply(call, Show::Refused(Refusal::NotFound(Missing::Order))),
        }
    }

    /// Looks at every order: an operator's question, and no shopper's.
    pub(super) fn list_sagas(&self, call: &mut Call<'_>, after: Id, limit: u16, parked_only: bool) {
        let orders = self.state.orders.iter().map(|(_, order)| order);
        let open = orders.filter(|order| {
            order.id > after && !order.saga.is_over() && (order.saga.parked || !parked_only)
        });
        let mut open: Vec<&Order> = open.collect();
        open.sort_unstable_by_key(|order| order.id);
        let (mut views, mut count) = (Vec::new(), 0);
        for order in &open {
            let view = order.saga_view();
            let start = views.len();
            let end = start + view.encoded_bytes_max();
            if count == limit || (count > 0 && end > LIST_BYTES_MAX) {
                break;
            }
            views.resize(end, 0);
            let mut writer = Writer::new(&mut views[start..]);
            view.encode(&mut writer);
            let written = writer.written();
            views.truncate(start + written);
            count += 1;
        }
        let more = usize::from(count) < open.len();
        Self::reply_outcome(call, &Outcome::Sagas { count, views: &views, more });
    }

    pub(super) fn step_saga(&mut self, call: &mut Call<'_>, order: Id, step: SagaStep) {
        let Some(found) = self.state.orders.get(&order.0) else {
            return self.refuse(call, Refusal::NotFound(Missing::Order));
        };
        let allowed = match step {
            SagaStep::Retry => found.saga.parked,
            SagaStep::Park => found.saga.todo().is_some(),
        };
        if !allowed {
            return self.refuse(call, Refusal::SagaState);
        }
        match step {
            SagaStep::Retry => {
                self.commit_answered(call, &Event::SagaRetried { order }, Show::Saga(order));
                self.drive(call, order);
            }
            SagaStep::Park => {
                self.commit_answered(call, &Event::SagaParked { order }, Show::Saga(order));
                self.tell_parked(call, order);
            }
        }
    }
}

impl Order {
    /// Its saga as it is now.
    pub(crate) fn saga_view(&self) -> SagaView<'_> {
        let charge = self.charge.as_deref();
        SagaView {
            order: self.id,
            state: self.state,
            reason: self.reason,
            progress: self.saga,
            created_ms: self.created_ms,
            deadline_ms: self.deadline_ms,
            total: self.total(),
            currency: self.currency,
            pending: self.pending,
            intent: charge.map_or("", |charge| &charge.intent),
            code: charge.map_or("", |charge| &charge.code),
        }
    }
}
