//! `claw log show`: records, each shard in its order.

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use claw_core::log::RecordView;
use claw_core::shard::event::{Event, EventKind};

use super::source::Source;
use super::{Filter, Form, ShowArgs, render};
use crate::cli::output::UsageError;

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    check_kind(&args.filter)?;
    let form = args.form.for_store(&args.store);
    talk_of_type(&args.filter, &form);
    let source = Source::open(&args.store)?;
    let form = form.with_keys(&source, &args.store)?;
    let mut stdout = BufWriter::new(io::stdout().lock());
    show(&source, &args.filter, &form, &mut stdout)?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses names that no event has.
pub(super) fn check_kind(filter: &Filter) -> Result<(), UsageError> {
    let Some(kind) = &filter.kind else { return Ok(()) };
    if EventKind::ALL.iter().any(|known| known.name() == kind) {
        return Ok(());
    }
    let known: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    Err(UsageError(format!("there is no kind {kind}: one of {}", known.join(", "))))
}

/// Says so when the schema does not know the type that is asked for: its events may still be there.
pub(super) fn talk_of_type(filter: &Filter, form: &Form) {
    if let Some(name) = &filter.own_type {
        form.today.talk_of_unknown(name);
    }
}

/// Writes the records that pass.
pub(super) fn show(
    source: &Source,
    filter: &Filter,
    form: &Form,
    to: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut failed = Ok(());
    let mut chains = source.chains();
    let flow = source.log.replay(&source.tails, &mut chains, &mut |block, record| {
        if !filter.passes(record) {
            return ControlFlow::Continue(());
        }
        failed = writeln!(to, "{}", render::line(form, block, record));
        if failed.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    failed?;
    let _flow: ControlFlow<()> = flow?;
    Ok(())
}

impl Filter {
    /// Whether a record is asked for.
    pub(super) fn passes(&self, record: &RecordView<'_>) -> bool {
        let kind = || render::kind_name(record.header.kind.get());
        self.shard.is_none_or(|shard| record.shard.0 == shard)
            && self.from.is_none_or(|from| record.sequence >= from)
            && self.to.is_none_or(|to| record.sequence <= to)
            && self.kind.as_ref().is_none_or(|wanted| *wanted == kind())
            && self.own_type.as_ref().is_none_or(|wanted| is_of_type(record, wanted))
    }
}

/// Whether a record is an event of the store's own of this type.
fn is_of_type(record: &RecordView<'_>, wanted: &str) -> bool {
    let header = record.header;
    if header.kind.get() != EventKind::StoreEvent as u16 {
        return false;
    }
    let event = Event::decode(header.kind.get(), header.event_version.get(), record.event);
    matches!(event, Ok(Event::StoreEvent { name, .. }) if name == wanted)
}
