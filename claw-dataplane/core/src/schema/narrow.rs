//! Tightening of built-in members: every bound at least as strict as the built-in one.
//!
//! A store repeats only what it changes; what it leaves out stays. `type` may be repeated and must
//! then be the same. Loosening is refused, because the core's own limits would refuse it later and
//! less clearly.

use claw_common::money::Currency;

use super::field::{Allowed, Field, Fields, Kind, Presence};
use super::pattern::Pattern;
use super::read::{Reader, reader_of};

/// Applies a store's `fields` table to the built-in members of one type.
pub(super) fn read_narrowed(reader: &Reader<'_>, members: &mut Fields, place: &str) {
    for (name, span, value) in reader.entries() {
        let Some(base) = members.declared(name).cloned() else {
            let reason = format!("[{place}] has no built-in member `{name}`");
            let advice = members.suggest(name).map_or_else(
                || format!("declare members of your own under [{place}.extra]"),
                |near| format!("did you mean `{near}`?"),
            );
            reader.source.refuse_with(span, reason, advice);
            continue;
        };
        if let Some(table) = reader_of(reader.source, name, value) {
            members.replace(read_narrowed_field(table, base, &format!("{place}.fields.{name}")));
        }
    }
}

fn read_narrowed_field(reader: Reader<'_>, base: Field, place: &str) -> Field {
    reader.text("description");
    if let Some((kind, span)) = reader.text("type")
        && kind != base.kind.name()
    {
        let reason = format!("`{}` is built in as {}", base.name, base.kind.name());
        reader.source.refuse(span, reason);
    }
    let presence = match reader.boolean("required") {
        Some((true, _)) => Presence::Required,
        Some((false, span)) if base.presence == Presence::Required => {
            reader.source.refuse(span, "a built-in member that is required stays required");
            Presence::Required
        }
        _ => base.presence,
    };
    let personal = match reader.boolean("personal") {
        Some((false, span)) if base.personal => {
            reader.source.refuse(span, "a built-in member that is personal stays personal");
            true
        }
        Some((true, span)) if !base.personal => {
            let reason = format!("the node works with `{}`: it cannot be sealed", base.name);
            let advice = "mark a member of your own under `extra`, and keep this one free of names";
            reader.source.refuse_with(span, reason, advice);
            false
        }
        Some((personal, _)) => personal,
        None => base.personal,
    };
    let kind = narrow_kind(&reader, base.kind);
    reader.finish(&format!("[{place}] ({})", kind.name()));
    Field { name: base.name, kind, presence, personal }
}

fn narrow_kind(reader: &Reader<'_>, base: Kind) -> Kind {
    match base {
        Kind::Integer { min, max } => {
            let (min, max) = narrow(reader, ("min", min), ("max", max));
            Kind::Integer { min, max }
        }
        Kind::Json { size_bytes_max } => {
            let (_, max) = narrow(reader, ("", 0), ("size_bytes_max", wide(size_bytes_max)));
            Kind::Json { size_bytes_max: size(max) }
        }
        Kind::List { of, count_min, count_max } => {
            let (min, max) =
                narrow(reader, ("count_min", wide(count_min)), ("count_max", wide(count_max)));
            Kind::List { of, count_min: size(min), count_max: size(max) }
        }
        Kind::Money { min, max, .. } => {
            let (min, max) = narrow(reader, ("min", min), ("max", max));
            Kind::Money { min, max, currencies: narrow_currencies(reader) }
        }
        Kind::Text { length_min, length_max, allowed } => {
            let (min, max) =
                narrow(reader, ("length_min", wide(length_min)), ("length_max", wide(length_max)));
            let allowed = narrow_allowed(reader, allowed);
            Kind::Text { length_min: size(min), length_max: size(max), allowed }
        }
        Kind::Boolean | Kind::Group(_) | Kind::Map { .. } | Kind::Sku | Kind::Time | Kind::Uuid => {
            base
        }
    }
}

type Bound = (&'static str, i64);

/// The bounds after a store's wishes; a key of `""` cannot be wished for.
fn narrow(reader: &Reader<'_>, least: Bound, most: Bound) -> (i64, i64) {
    let mut bounds = (least.1, most.1);
    for (key, bound) in [(least.0, &mut bounds.0), (most.0, &mut bounds.1)] {
        if key.is_empty() {
            continue;
        }
        let Some((wish, span)) = reader.integer(key) else { continue };
        if (least.1..=most.1).contains(&wish) {
            *bound = wish;
        } else {
            let reason = format!("`{key}` may only tighten {} to {}", least.1, most.1);
            reader.source.refuse(span, reason);
        }
    }
    if bounds.0 > bounds.1 {
        let reason = format!("`{}` is above `{}`: nothing would fit", least.0, most.0);
        reader.source.refuse(reader.span.clone(), reason);
    }
    bounds
}

fn narrow_currencies(reader: &Reader<'_>) -> Vec<Currency> {
    let Some((names, span)) = reader.texts("currencies") else { return Vec::new() };
    let known: Vec<_> = names.iter().filter_map(|name| Currency::parse(name)).collect();
    if known.len() < names.len() {
        reader.source.refuse(span, "`currencies` are three capital letters, as in ISO 4217");
    }
    known
}

fn narrow_allowed(reader: &Reader<'_>, base: Allowed) -> Allowed {
    match (base, reader.texts("enum"), reader.text("pattern")) {
        (base, None, None) => base,
        (Allowed::Any, Some((texts, _)), None) => Allowed::OneOf(texts),
        (Allowed::Any, None, Some((pattern, span))) => match Pattern::parse(pattern) {
            Ok(pattern) => Allowed::Matching(pattern),
            Err(error) => {
                reader.source.refuse(span, format!("`pattern`: {error}"));
                Allowed::Any
            }
        },
        (Allowed::OneOf(held), Some((texts, span)), None) => {
            if let Some(text) = texts.iter().find(|text| !held.contains(text)) {
                reader.source.refuse(span, format!("`{text}` is not one of {}", held.join(", ")));
            }
            Allowed::OneOf(texts)
        }
        (Allowed::Matching(held), Some((texts, span)), None) => {
            if let Some(text) = texts.iter().find(|text| !held.matches(text)) {
                reader.source.refuse(span, format!("`{text}` does not match {}", held.as_str()));
            }
            Allowed::OneOf(texts)
        }
        (base, _, Some((_, span))) => {
            reader.source.refuse(span, "a `pattern` cannot tighten this member: use `enum` alone");
            base
        }
    }
}

fn wide(size: usize) -> i64 {
    i64::try_from(size).expect("schema sizes are small")
}

fn size(bound: i64) -> usize {
    usize::try_from(bound).expect("bounds of sizes are not negative")
}
