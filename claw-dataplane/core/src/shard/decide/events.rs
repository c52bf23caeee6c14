//! Events of types that the store declared itself.
//!
//! The members were checked and made canonical before; here an event gets its id and its place in
//! the log. It changes no state, so there is nothing to refuse, and nothing keeps its id but the
//! log: ids differ because time and randomness do.

use crate::command::Command;
use crate::shard::Shard;
use crate::shard::answer::Show;
use crate::shard::call::Call;
use crate::shard::event::Event;

impl Shard {
    pub(super) fn record_event(
        &mut self,
        call: &mut Call<'_>,
        command: &Command<'_>,
        entropy: u64,
    ) {
        let Command::RecordEvent { name, version, members } = *command else {
            unreachable!("asked by decide");
        };
        let event = self.new_id(call, entropy);
        self.commit_answered(
            call,
            &Event::StoreEvent { event, name, version, members },
            Show::EventRecorded { event, name, version },
        );
    }
}
