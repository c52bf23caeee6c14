//! Event types of the store's own: names, members, who may send them and where they lie.
//!
//! A `key` names a required member; events with one value of it lie in one shard, in the order in
//! which they were taken. It must not be personal: which shard an event lies in is no secret.
//!
//! A `subject` names the required member that says whom personal members are about: an uuid is a
//! cart's, hold's or order's, a text a session or whatever name the store has for a person. Without
//! one it is the member `session`, `order_id`, `hold_id` or `cart_id`, else the key.

use core::ops::Range;

use super::built_in::BuiltIn;
use super::chain::read_upcasters;
use super::compile::{checked_fields, read_event_version};
use super::event_type::EventType;
use super::field::{Fields, Kind, Presence};
use super::read::Reader;
use super::suggest::closest;

type Span = Range<usize>;

/// Longest name of an event type, bytes.
const NAME_BYTES_MAX: usize = 64;

/// Members that say whom an event is about, where its type does not name one.
const SUBJECTS_USUAL: [&str; 4] = ["session", "order_id", "hold_id", "cart_id"];

/// Reads `[events.NAME]`; `None` when what is wrong with it was noted and it cannot be used.
pub(super) fn read_own(event: Reader<'_>, name: &str, span: Span) -> Option<EventType> {
    let place = format!("events.{name}");
    refuse_name(&event, name, &span)?;
    event.text("description");
    let version = read_event_version(&event);
    let by = read_senders(&event);
    let fields = event.table("fields").map(|fields| checked_fields(&fields, &place));
    if fields.is_none() {
        let advice = format!("declare its members under [{place}.fields]");
        let reason = format!("event type `{name}` has no members");
        event.source.refuse_with(span.clone(), reason, advice);
    }
    let fields = fields.unwrap_or_default();
    let key = read_key(&event, &fields);
    let subject = read_subject(&event, (&fields, key.as_deref()), &span);
    let upcasters = read_upcasters(&event, &fields, version, &place);
    event.finish(&format!("[{place}]"));
    Some(EventType { name: name.to_owned(), version, fields, upcasters, by, key, subject })
}

fn refuse_name(event: &Reader<'_>, name: &str, span: &Span) -> Option<()> {
    let words = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let well = name.split('-').all(|word| !word.is_empty() && word.chars().all(words));
    if !well || name.len() > NAME_BYTES_MAX {
        let advice = "use lower-case words joined by `-`";
        event.source.refuse_with(
            span.clone(),
            format!("`{name}` is not a name for events"),
            advice,
        );
        return None;
    }
    let near = closest(name, BuiltIn::ALL.map(BuiltIn::name));
    if let Some(near) = near {
        let reason = format!("`{name}` is too near to the built-in `{near}`");
        event.source.refuse_with(span.clone(), reason, "choose another name, or mend this one");
    }
    near.is_none().then_some(())
}

fn read_senders(event: &Reader<'_>) -> Vec<String> {
    let Some((roles, span)) = event.texts("by") else {
        return EventType::ROLES_DEFAULT.map(str::to_owned).to_vec();
    };
    for role in roles.iter().filter(|role| !EventType::ROLES.contains(&role.as_str())) {
        let near = closest(role, EventType::ROLES);
        let advice = near.map_or_else(
            || format!("roles of keys are {}", EventType::ROLES.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        event.source.refuse_with(span.clone(), format!("there is no role `{role}`"), advice);
    }
    roles
}

/// Whom personal members are about; asked for only where there are any.
fn read_subject(
    event: &Reader<'_>,
    (fields, key): (&Fields, Option<&str>),
    span: &Span,
) -> Option<String> {
    let named = event.text("subject");
    if named.is_none() && !fields.hold_personal() {
        return None;
    }
    let usual = || SUBJECTS_USUAL.into_iter().find(|name| fields.declared(name).is_some());
    let (name, span) = match &named {
        Some((name, span)) => (Some(*name), span.clone()),
        None => (usual().or(key), span.clone()),
    };
    let field = name.and_then(|name| fields.declared(name));
    let fit = field.filter(|field| {
        let kind = matches!(field.kind, Kind::Sku | Kind::Text { .. } | Kind::Uuid);
        kind && field.presence == Presence::Required && !field.personal
    });
    if fit.is_none() {
        let reason = "nobody is named whom the personal members are about";
        let advice =
            "add `subject = \"member\"`: a required sku, text or uuid that is not personal";
        event.source.refuse_with(span, reason, advice);
    }
    fit.map(|field| field.name.clone())
}

fn read_key(event: &Reader<'_>, fields: &Fields) -> Option<String> {
    let (name, span) = event.text("key")?;
    let Some(field) = fields.declared(name) else {
        let advice = fields.suggest(name).map_or_else(
            || "`key` names one of the type's members".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        event.source.refuse_with(span, format!("the key `{name}` is not a member"), advice);
        return None;
    };
    let kind = matches!(field.kind, Kind::Sku | Kind::Text { .. } | Kind::Uuid);
    if !kind || field.presence != Presence::Required || field.personal {
        let reason = format!("`{name}` cannot be the key");
        let advice = "a key is a required sku, text or uuid that is not personal";
        event.source.refuse_with(span, reason, advice);
    }
    Some(name.to_owned())
}
