//! What all bodies share: members, each once; unknown ones refused or taken as the store's own.

use claw_common::id::Session;
use claw_common::money::{Currency, Money};
use claw_core::lines::{LinesBuffer, LinesError};
use claw_core::schema::{BuiltIn, CompiledSchema, FieldValue, Violation, closest};
use serde_json::{Map, Value};

use super::json::{Fault, Scanner, trim_space};
use crate::ingest::http::Request;
use crate::ingest::problem::Problem;

/// The store's own members of a body.
#[derive(Debug)]
pub(super) struct Extras<'s> {
    schema: &'s CompiledSchema,
    event: BuiltIn,
    members: Map<String, Value>,
}

impl<'s> Extras<'s> {
    pub(super) fn new(schema: &'s CompiledSchema, event: BuiltIn) -> Self {
        Self { schema, event, members: Map::new() }
    }

    /// Takes a member that the interface does not know.
    pub(super) fn take(&mut self, scanner: &mut Scanner<'_>, name: &str) -> Result<(), Fault> {
        if self.schema.extra_field(self.event, name).is_none() {
            let suggestion = self.schema.suggest(self.event, name).map(str::to_owned);
            return Err(unknown(suggestion));
        }
        let value = parse_value(scanner.raw()?)?;
        if self.members.insert(name.to_owned(), value).is_some() {
            return Err(Fault::violation("comes twice"));
        }
        Ok(())
    }

    /// Checks a built-in member.
    pub(super) fn check(&self, member: &str, value: FieldValue<'_>) -> Result<(), Fault> {
        Ok(self.schema.validate_built_in(self.event, member, value)?)
    }

    /// Checks a member of a list's entry.
    fn check_at(&self, member: &str, index: usize, value: FieldValue<'_>) -> Result<(), Fault> {
        Ok(self.schema.validate_built_in_at(self.event, member, index, value)?)
    }

    /// Canonical JSON of the store's own members; empty for none.
    pub(super) fn finish(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.schema.extras(self.event, &self.members)?)
    }
}

/// Reads the body as one object.
pub(super) fn read_object<'a>(
    request: &Request<'a>,
    member: impl FnMut(&mut Scanner<'a>, &str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let text = std::str::from_utf8(request.body).map_err(|error| Fault::Malformed {
        at: error.valid_up_to(),
        what: "text that is not UTF-8",
    })?;
    let mut scanner = Scanner::new(text);
    match scanner.object(member) {
        Ok(()) => scanner.finish(),
        Err(fault) => {
            // A document that is no JSON further on is refused as such.
            let mut whole = Scanner::new(text);
            let read = whole.raw().map(drop).and_then(|()| whole.finish());
            Err(read
                .err()
                .filter(|other| matches!(other, Fault::Malformed { .. }))
                .unwrap_or(fault))
        }
    }
}

/// Refuses a content type that is surely not JSON; absent and curl's default are taken.
pub(super) fn check_content_type(request: &Request<'_>) -> Result<(), Problem> {
    let Some(field) = request.fields.content_type else { return Ok(()) };
    let media = field.split(';').next().unwrap_or_default().trim_ascii();
    let taken = ["application/json", "application/x-www-form-urlencoded"];
    if taken.into_iter().any(|known| media.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(Problem::malformed(format!("bodies are application/json, not {media}")))
}

/// For requests that say everything in their path.
pub(super) fn expect_none(request: &Request<'_>) -> Result<(), Problem> {
    match trim_space(request.body) {
        b"" | b"{}" => Ok(()),
        _ => Err(Problem::malformed("this request has no body")),
    }
}

/// The problem of a fault, with the place as people count it.
pub(super) fn problem_of(fault: Fault, body: &[u8]) -> Problem {
    match fault {
        Fault::Violation(violation) => {
            let detail = violation.to_string();
            let problem = Problem::schema(violation.path, detail);
            match violation.suggestion {
                Some(suggestion) => problem.text("suggestion", suggestion),
                None => problem,
            }
        }
        Fault::Malformed { at, what } => {
            let before = &body[..at.min(body.len())];
            let line = before.split(|&byte| byte == b'\n').count();
            let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
            let number = |count| u64::try_from(count).expect("within the body");
            Problem::malformed(format!("read JSON at line {line}, column {column}: {what}"))
                .number("line", number(line))
                .number("column", number(column))
        }
    }
}

/// Fills a slot once.
pub(super) fn put<T>(slot: &mut Option<T>, value: T) -> Result<(), Fault> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::violation("comes twice")),
    }
}

/// The value of a slot that the schema requires.
pub(super) fn required<T>(slot: Option<T>, member: &str) -> Result<T, Fault> {
    slot.ok_or_else(|| Fault::violation("is required").under(member))
}

/// Free JSON of a member.
pub(super) fn parse_value(raw: &str) -> Result<Value, Fault> {
    // The scanner took it, so what is left to refuse are numbers beyond every range.
    serde_json::from_str(raw).map_err(|error| Fault::violation(format!("cannot be read: {error}")))
}

pub(super) fn read_money(scanner: &mut Scanner<'_>) -> Result<Money, Fault> {
    let (mut amount, mut currency) = (None, None);
    scanner.object(|scanner, name| match name {
        "amount" => put(&mut amount, scanner.integer()?),
        "currency" => {
            let code = Currency::parse(&scanner.string()?);
            let code = code.ok_or_else(|| Fault::violation("must be an ISO 4217 code"))?;
            put(&mut currency, code)
        }
        other => Err(unknown(closest(other, ["amount", "currency"]).map(str::to_owned))),
    })?;
    let (amount, currency) = (required(amount, "amount")?, required(currency, "currency")?);
    Ok(Money { amount, currency })
}

/// Reads `items` into `lines` and returns how many entries there were.
pub(super) fn read_items(
    scanner: &mut Scanner<'_>,
    extras: &Extras<'_>,
    lines: &mut LinesBuffer,
) -> Result<usize, Fault> {
    lines.clear();
    let mut count = 0;
    scanner.array(|scanner, index| {
        count = index + 1;
        read_item(scanner, extras, (&mut *lines, index))
    })?;
    Ok(count)
}

fn read_item(
    scanner: &mut Scanner<'_>,
    extras: &Extras<'_>,
    place: (&mut LinesBuffer, usize),
) -> Result<(), Fault> {
    let (lines, index) = place;
    let (mut sku, mut quantity) = (None, None);
    scanner.object(|scanner, name| match name {
        "sku" => put(&mut sku, scanner.string()?),
        "quantity" => put(&mut quantity, scanner.integer()?),
        other => Err(unknown(closest(other, ["sku", "quantity"]).map(str::to_owned))),
    })?;
    let (sku, quantity) = (required(sku, "sku")?, required(quantity, "quantity")?);
    // These name the whole path themselves: the caller adds it only to other faults.
    extras.check_at("items.sku", index, FieldValue::Text(&sku)).map_err(strip_entry)?;
    extras.check_at("items.quantity", index, FieldValue::Integer(quantity)).map_err(strip_entry)?;
    let quantity = u32::try_from(quantity)
        .ok()
        .ok_or_else(|| Fault::violation("is out of range").under("quantity"))?;
    lines.add(&sku, quantity, 0).map_err(|error| match error {
        LinesError::CountAboveMax => Fault::violation("is one line too many"),
        LinesError::Quantity => {
            Fault::violation("is more than one order may have of it").under("quantity")
        }
        LinesError::Sku => Fault::violation("must be a SKU").under("sku"),
    })
}

/// Cuts `items[n].` off a path: it is added on the way out.
fn strip_entry(fault: Fault) -> Fault {
    match fault {
        Fault::Violation(violation) => {
            let path = violation.path.split_once("].").map_or("", |(_, rest)| rest).to_owned();
            Fault::Violation(Violation { path, ..violation })
        }
        Fault::Malformed { .. } => fault,
    }
}

/// A session's name must also be one that fits a line of text.
pub(super) fn check_session(session: &str) -> Result<Session, Fault> {
    claw_common::id::parse_session(session).ok_or_else(|| {
        Fault::violation("must be 1 to 64 printable ASCII characters without space")
            .under("session")
    })
}

pub(super) fn unknown(suggestion: Option<String>) -> Fault {
    Fault::Violation(Violation {
        path: String::new(),
        reason: "is not a member of this request".to_owned(),
        suggestion,
    })
}
