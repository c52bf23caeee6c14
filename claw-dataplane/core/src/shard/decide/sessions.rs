//! What changed of a session behind a record: how a watcher goes on after a break.
//!
//! State, not history: what changed twice is told once, as it is now. So nothing is missed and
//! nothing is told twice, across restarts too, and no notice has to be kept. Looks at every order
//! and hold of the shard: a connection's opening, and no request's.

use claw_common::limits::LIST_BYTES_MAX;

use crate::codec::{Encode, Writer};
use crate::outcome::Outcome;
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;

impl Shard {
    pub(super) fn read_session(&self, call: &mut Call<'_>, session: &str, after: u64) {
        let orders = self.state.orders.iter().map(|(_, order)| order);
        let orders = orders
            .filter(|order| order.changed_at() > after && order.session.as_str() == session)
            .map(|order| (order.changed_at(), self.show_order(Show::Order(order.id))));
        let holds = self.state.holds.iter().map(|(_, hold)| hold);
        let holds = holds
            .filter(|hold| {
                hold.changed_at > after && hold.is_news() && hold.session.as_str() == session
            })
            .map(|hold| (hold.changed_at, Outcome::Hold(hold.view(false))));
        let mut changed: Vec<(u64, Outcome<'_>)> = orders.chain(holds).collect();
        changed.sort_by_key(|(sequence, _)| *sequence);
        let (mut changes, mut count) = (Vec::new(), 0);
        for (sequence, outcome) in &changed {
            let start = changes.len();
            let end = start + size_of::<u64>() + outcome.encoded_bytes_max();
            if count > 0 && end > LIST_BYTES_MAX {
                break;
            }
            changes.resize(end, 0);
            let mut writer = Writer::new(&mut changes[start..]);
            writer.u64(*sequence);
            outcome.encode(&mut writer);
            let written = writer.written();
            changes.truncate(start + written);
            count += 1;
        }
        let more = usize::from(count) < changed.len();
        Self::reply_outcome(call, &Outcome::SessionChanges { count, changes: &changes, more });
    }
}
