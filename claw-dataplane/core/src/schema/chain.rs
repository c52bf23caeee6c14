//! Proof that every older version of an event type can be read today.
//!
//! Three things are proved: each version below today's has exactly one upcaster (no gap, no
//! duplicate), each upcaster rises (no circle) and, walking back from today's members, each step
//! names a member that its version had. The walk keeps a *shape*: member paths and their types.
//! A dropped member's type is not declared anywhere any more, so it is `?` and matches any.

use core::ops::Range;
use std::collections::BTreeMap;

use claw_common::limits::SCHEMA_STEPS_MAX;
use toml::Spanned;
use toml::de::DeValue;

use super::field::{Fields, Kind};
use super::read::{Reader, json_of, reader_of};
use super::suggest::closest;
use super::upcast::{Step, Upcaster, widens};

type Span = Range<usize>;
type Shape = BTreeMap<String, &'static str>;

const UNKNOWN: &str = "?";
/// Most members that one text is split into.
const SPLIT_PARTS_MAX: usize = 8;

struct Link {
    upcaster: Upcaster,
    span: Span,
    step_spans: Vec<Span>,
}

/// Reads `upcasters` and proves the chain up to `version`, whose members are `fields`.
pub(super) fn read_upcasters(
    event: &Reader<'_>,
    fields: &Fields,
    version: u16,
    place: &str,
) -> Vec<Upcaster> {
    let mut links = Vec::new();
    if let Some(value) = event.entry("upcasters") {
        match value.get_ref().as_array() {
            Some(entries) => {
                links.extend(entries.iter().filter_map(|entry| read_link(event, entry, version)));
            }
            None => event.source.refuse(value.span(), "`upcasters` must be an array of tables"),
        }
    }
    links.sort_by_key(|link| link.upcaster.from);
    for (link, next) in links.iter().zip(links.iter().skip(1)) {
        if link.upcaster.from == next.upcaster.from {
            let reason = format!("[{place}] has two upcasters from {}", next.upcaster.from);
            event.source.refuse_with(next.span.clone(), reason, "keep one");
        }
    }
    links.dedup_by_key(|link| link.upcaster.from);
    let complete = refuse_gaps(event, &links, version, place);
    if complete {
        prove_steps(event, &links, fields, version);
    }
    links.into_iter().map(|link| link.upcaster).collect()
}

fn refuse_gaps(event: &Reader<'_>, links: &[Link], version: u16, place: &str) -> bool {
    let mut complete = true;
    for older in 1..version {
        if links.binary_search_by_key(&older, |link| link.upcaster.from).is_err() {
            let reason = format!("[{place}] has no upcaster from version {older}");
            let advice = format!("events written with version {older} could not be read: add one");
            event.source.refuse_with(event.span.clone(), reason, advice);
            complete = false;
            // One gap is enough to say; a version in the thousands would drown the rest.
            break;
        }
    }
    complete
}

fn read_link(event: &Reader<'_>, entry: &Spanned<DeValue<'_>>, version: u16) -> Option<Link> {
    let reader = reader_of(event.source, "upcasters", entry)?;
    let from = read_step_version(&reader, "from")?;
    let to = read_step_version(&reader, "to")?;
    let span = entry.span();
    if to <= from {
        let reason = format!("an upcaster from {from} to {to} would go in a circle");
        reader.source.refuse_with(span, reason, "upcasters lead to a later version");
        return None;
    }
    if to > version {
        let reason = format!("the upcaster leads to version {to}, but today's is {version}");
        reader.source.refuse_with(span, reason, "raise the event's `version`");
        return None;
    }
    let mut steps = Vec::new();
    let mut step_spans = Vec::new();
    if let Some(value) = reader.entry("steps") {
        let entries: Vec<_> =
            value.get_ref().as_array().map_or_else(Vec::new, |entries| entries.iter().collect());
        if entries.is_empty() || entries.len() > SCHEMA_STEPS_MAX {
            let reason = format!("`steps` must be an array of 1 to {SCHEMA_STEPS_MAX} tables");
            reader.source.refuse(value.span(), reason);
        }
        for entry in entries.into_iter().take(SCHEMA_STEPS_MAX) {
            if let Some(step) = read_step(&reader, entry) {
                steps.push(step);
                step_spans.push(entry.span());
            }
        }
    }
    reader.finish("an upcaster");
    Some(Link { upcaster: Upcaster { from, to, steps }, span, step_spans })
}

fn read_step_version(reader: &Reader<'_>, key: &'static str) -> Option<u16> {
    let Some((number, span)) = reader.integer(key) else {
        reader.source.refuse(reader.span.clone(), format!("an upcaster needs `{key}`"));
        return None;
    };
    let version = u16::try_from(number).ok().filter(|version| *version > 0);
    if version.is_none() {
        reader.source.refuse(span, format!("`{key}` must be from 1 to {}", u16::MAX));
    }
    version
}

fn read_step(reader: &Reader<'_>, entry: &Spanned<DeValue<'_>>) -> Option<Step> {
    let step = reader_of(reader.source, "steps", entry)?;
    let verbs = ["add", "drop", "rename", "split", "widen"].map(|verb| step.text(verb));
    let read = match verbs {
        [Some((field, _)), None, None, None, None] => {
            let default = step.entry("default").and_then(|value| json_of(value.get_ref()));
            default.map(|default| Step::Add { field: field.to_owned(), default })
        }
        [None, Some((field, _)), None, None, None] => Some(Step::Drop { field: field.to_owned() }),
        [None, None, Some((field, _)), None, None] => {
            let to = step.text("to");
            to.map(|(to, _)| Step::Rename { field: field.to_owned(), to: to.to_owned() })
        }
        [None, None, None, Some((field, _)), None] => read_split(&step, field),
        [None, None, None, None, Some((field, _))] => read_widen(&step, field),
        _ => None,
    };
    if read.is_none() {
        step.source.refuse_with(
            entry.span(),
            "not a step",
            "write { add = \"x\", default = 0 }, { drop = \"x\" }, { rename = \"x\", to = \"y\" }, \
             { split = \"x\", by = \" \", into = [\"y\", \"z\"] } \
             or { widen = \"x\", from = \"integer\", to = \"text\" }",
        );
    } else {
        step.finish("a step");
    }
    read
}

/// The parts stay in the order in which they are written: it is that of the text.
fn read_split(step: &Reader<'_>, field: &str) -> Option<Step> {
    let (by, _) = step.text("by")?;
    let entries = step.entry("into")?.get_ref().as_array()?;
    let names = entries.iter().map(|entry| entry.get_ref().as_str().map(str::to_owned));
    let into = names.collect::<Option<Vec<_>>>()?;
    let well = !by.is_empty() && (2..=SPLIT_PARTS_MAX).contains(&into.len());
    well.then(|| Step::Split { field: field.to_owned(), by: by.to_owned(), into })
}

fn read_widen(step: &Reader<'_>, field: &str) -> Option<Step> {
    let named = |key| {
        let (name, _) = step.text(key)?;
        Kind::NAMES.into_iter().find(|known| *known == name)
    };
    let (from, to) = (named("from")?, named("to")?);
    Some(Step::Widen { field: field.to_owned(), from, to })
}

fn prove_steps(event: &Reader<'_>, links: &[Link], fields: &Fields, version: u16) {
    let mut shapes = BTreeMap::from([(version, shape_of(fields))]);
    for link in links.iter().rev() {
        let Some(mut shape) = shapes.get(&link.upcaster.to).cloned() else { return };
        for (step, span) in link.upcaster.steps.iter().zip(&link.step_spans).rev() {
            if let Err((reason, name)) = undo(step, &mut shape) {
                let others = shape.keys().map(String::as_str).filter(|other| *other != name);
                let near = closest(&name, others);
                let advice = near.map(|near| format!("did you mean `{near}`?"));
                let advice = advice.unwrap_or_else(|| {
                    format!("compare with the members of version {}", link.upcaster.to)
                });
                event.source.refuse_with(span.clone(), reason, advice);
            }
        }
        prove_defaults(event, link, fields, version);
        shapes.insert(link.upcaster.from, shape);
    }
}

/// A default that today's declaration refuses would make every older event unreadable.
fn prove_defaults(event: &Reader<'_>, link: &Link, fields: &Fields, version: u16) {
    if link.upcaster.to != version {
        return;
    }
    for (step, span) in link.upcaster.steps.iter().zip(&link.step_spans) {
        if let Step::Add { field, default } = step
            && let Some(declared) = fields.declared(field)
            && let Err(violation) = declared.check(default)
        {
            event.source.refuse(span.clone(), format!("the default of {violation}"));
        }
    }
}

fn shape_of(fields: &Fields) -> Shape {
    let mut shape = Shape::new();
    for field in fields {
        shape.insert(field.name.clone(), field.kind.name());
        if let Kind::Group(inner) = &field.kind {
            for (path, kind) in shape_of(inner) {
                shape.insert(format!("{}.{path}", field.name), kind);
            }
        }
    }
    shape
}

/// Takes `step` back; else says why it cannot have happened, and the name it stumbled on.
fn undo(step: &Step, shape: &mut Shape) -> Result<(), (String, String)> {
    let missing = |verb: &str, name: &String| {
        (format!("the step {verb} `{name}`, which its version does not have"), name.clone())
    };
    match step {
        Step::Add { field, .. } => {
            shape.remove(field).ok_or_else(|| missing("adds", field))?;
            shape.retain(|path, _| !path.starts_with(&format!("{field}.")));
        }
        Step::Drop { field } => {
            if shape.contains_key(field) {
                let reason = format!("the step drops `{field}`, which the later version still has");
                return Err((reason, field.clone()));
            }
            shape.insert(field.clone(), UNKNOWN);
        }
        Step::Rename { field, to } => {
            if shape.contains_key(field) {
                let reason =
                    format!("the step renames `{field}`, which the later version still has");
                return Err((reason, field.clone()));
            }
            if parent(field) != parent(to) {
                let reason = format!("the step moves `{field}` to another object as `{to}`");
                return Err((reason, to.clone()));
            }
            let kind = shape.remove(to).ok_or_else(|| missing("renames to", to))?;
            shape.insert(field.clone(), kind);
        }
        Step::Split { field, into, .. } => undo_split(field, into, shape)?,
        Step::Widen { field, from, to } => {
            let held = shape.get_mut(field).ok_or_else(|| missing("widens", field))?;
            if *held != *to && *held != UNKNOWN {
                let reason = format!("the step widens `{field}` to {to}, but it is {held}");
                return Err((reason, field.clone()));
            }
            if !widens(from, to) {
                let reason = format!("{from} cannot be read as {to}");
                return Err((reason, field.clone()));
            }
            *held = from;
        }
    }
    Ok(())
}

fn undo_split(field: &str, into: &[String], shape: &mut Shape) -> Result<(), (String, String)> {
    for part in into {
        if parent(field) != parent(part) {
            let reason =
                format!("the step moves a part of `{field}` to another object as `{part}`");
            return Err((reason, part.clone()));
        }
        let kind = shape.remove(part).ok_or_else(|| {
            let reason = format!("the step splits into `{part}`, which its version does not have");
            (reason, part.clone())
        })?;
        if kind != "text" && kind != UNKNOWN {
            let reason = format!("the step splits into `{part}`, which is {kind}, not text");
            return Err((reason, part.clone()));
        }
    }
    if shape.insert(field.to_owned(), "text").is_some() {
        let reason = format!("the step splits `{field}`, which the later version still has");
        return Err((reason, field.to_owned()));
    }
    Ok(())
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}
