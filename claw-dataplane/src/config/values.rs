//! One setting's value: from file, environment or flag to a checked value of its shape.

use std::net::SocketAddr;

use claw_common::id::{Id, is_sku};
use toml::de::DeValue;

use super::settings::{CORES_COUNT_MAX, Shape};
use super::size::{format_size, parse_size};

/// Origins a store may allow.
const ORIGINS_MAX: usize = 64;
/// Mirrors of one log.
const DEVICES_MAX: usize = 4;

/// A value before it is known which shape it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Boolean(bool),
    Integer(i64),
    Text(String),
    Texts(Vec<String>),
    /// Of a type that no setting has.
    Other(&'static str),
    /// From the environment or a flag, where everything is text.
    Word(String),
}

/// A value of its setting's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Boolean(bool),
    Integer(u64),
    Text(String),
    Texts(Vec<String>),
}

impl Raw {
    pub(super) fn of_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Boolean(boolean) => Self::Boolean(*boolean),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Self::Other("a number that large"), Self::Integer),
            DeValue::String(text) => Self::Text(text.as_ref().to_owned()),
            DeValue::Array(entries) => {
                let texts = entries.iter().map(|entry| entry.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map_or(Self::Other("such an array"), Self::Texts)
            }
            DeValue::Float(_) => Self::Other("a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            Self::Word(word) => word.parse().ok(),
            _ => None,
        }
    }

    fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(integer) => u64::try_from(*integer).ok(),
            Self::Word(word) => word.replace('_', "").parse().ok(),
            _ => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            _ => None,
        }
    }

    /// Several texts; in a word they are divided by commas.
    fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Text(text) => Some(vec![text.clone()]),
            Self::Texts(texts) => Some(texts.clone()),
            Self::Word(word) if word.is_empty() => Some(Vec::new()),
            Self::Word(word) => Some(word.split(',').map(|text| text.trim().to_owned()).collect()),
            _ => None,
        }
    }
}

impl Shape {
    /// The value when it fits; else what would fit, to be read after "must be".
    pub(super) fn admit(self, raw: &Raw) -> Result<Value, String> {
        let admitted = match self {
            Self::Boolean => raw.boolean().map(Value::Boolean),
            Self::Choice(words) => raw.text().filter(|text| words.contains(text)).map(text_value),
            Self::Cores => admit_cores(raw),
            Self::Devices => {
                let urls = raw.texts().filter(|urls| (1..=DEVICES_MAX).contains(&urls.len()));
                urls.filter(|urls| urls.iter().all(|url| device_known(url))).map(Value::Texts)
            }
            Self::Integer { min, max } => {
                raw.integer().filter(|value| (min..=max).contains(value)).map(Value::Integer)
            }
            Self::Name => raw.text().filter(|text| is_sku(text)).map(text_value),
            Self::Origins => {
                let origins = raw.texts().filter(|origins| origins.len() <= ORIGINS_MAX);
                origins
                    .filter(|all| all.iter().all(|one| origin_well_formed(one)))
                    .map(Value::Texts)
            }
            Self::OptionalPath => raw.text().map(text_value),
            Self::Path => raw.text().filter(|text| !text.is_empty()).map(text_value),
            Self::Size { min, max, step } => {
                let bytes = raw.integer().or_else(|| raw.text().and_then(parse_size));
                let fits = |bytes: &u64| (min..=max).contains(bytes) && bytes.is_multiple_of(step);
                bytes.filter(fits).map(Value::Integer)
            }
            Self::SocketAddress => {
                let text = raw.text().filter(|text| text.parse::<SocketAddr>().is_ok());
                text.map(text_value)
            }
            Self::Uuid => raw.text().filter(|text| Id::parse(text).is_some()).map(text_value),
        };
        admitted.ok_or_else(|| self.wanted())
    }

    /// What would fit.
    pub(super) fn wanted(self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(words) => {
                words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
            }
            Self::Cores => format!("\"auto\" or a number from 1 to {CORES_COUNT_MAX}"),
            Self::Devices => format!(
                "1 to {DEVICES_MAX} of file:DIR, block:/dev/NAME, ng:/dev/NAME, nvme-tcp://HOST"
            ),
            Self::Integer { min, max } => format!("from {min} to {max}"),
            Self::Name => "1 to 64 of A-Z a-z 0-9 . _ -".to_owned(),
            Self::Origins => "an array of origins such as \"https://shop.example\"".to_owned(),
            Self::OptionalPath => "a path, or \"\" for none".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Size { min, max, step: 1 } => {
                format!("from \"{}\" to \"{}\"", format_size(min), format_size(max))
            }
            Self::Size { min, max, step } => format!(
                "from \"{}\" to \"{}\", a multiple of \"{}\"",
                format_size(min),
                format_size(max),
                format_size(step)
            ),
            Self::SocketAddress => "ADDRESS:PORT, such as \"127.0.0.1:7070\"".to_owned(),
            Self::Uuid => "a UUID".to_owned(),
        }
    }
}

fn text_value(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// `auto` is kept as 0.
fn admit_cores(raw: &Raw) -> Option<Value> {
    if raw.text() == Some("auto") {
        return Some(Value::Integer(0));
    }
    raw.integer().filter(|count| (1..=CORES_COUNT_MAX).contains(count)).map(Value::Integer)
}

fn device_known(url: &str) -> bool {
    // A fault plan stands in front of another device: for tests.
    if let Some(rest) = url.strip_prefix("fault:") {
        return rest.split_once(':').is_some_and(|(_plan, inner)| device_known(inner));
    }
    ["file:", "block:/", "ng:/", "nvme-tcp://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

/// Scheme and authority as a browser sends them: no path, no trailing slash, no `*`.
fn origin_well_formed(origin: &str) -> bool {
    let authority = ["https://", "http://"].iter().find_map(|s| origin.strip_prefix(s));
    authority.is_some_and(|authority| {
        let plain =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        !authority.is_empty() && authority.bytes().all(plain)
    })
}
