//! Fields and their types, as compiled: what a member may hold.
//!
//! Every type is bounded. Checking values against them lives in `check`; reading declarations in
//! `read`.

use claw_common::money::Currency;
use serde_json::Value;

use super::pattern::Pattern;
use super::suggest::closest;

/// So many fields are looked through one after the other.
const FEW_FIELDS: usize = 12;

/// A declared member.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The member's name.
    pub name: String,
    /// What it may hold.
    pub kind: Kind,
    /// Whether it must be there.
    pub presence: Presence,
    /// Holds data about a person.
    pub personal: bool,
}

impl Field {
    /// Whether it, or anything declared inside it, holds data about a person.
    pub fn holds_personal(&self) -> bool {
        self.personal || self.kind.holds_personal()
    }
}

/// Whether a member must be there.
#[derive(Clone, Debug, PartialEq)]
pub enum Presence {
    /// Absence means this value, which is written into the event.
    Default(Value),
    /// May be absent.
    Optional,
    /// Must be there.
    Required,
}

/// What a member may hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// An object with declared members.
    Group(Fields),
    /// A whole number.
    Integer {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// Any JSON within limits of size and depth.
    Json {
        /// Most bytes of its canonical form.
        size_bytes_max: usize,
    },
    /// An array.
    List {
        /// What each entry holds.
        of: Box<Self>,
        /// Fewest entries.
        count_min: usize,
        /// Most entries.
        count_max: usize,
    },
    /// An object whose member names are data.
    Map {
        /// What each member holds.
        of: Box<Self>,
        /// Most members.
        count_max: usize,
        /// Longest name, bytes.
        key_length_max: usize,
    },
    /// An amount in minor units with its currency.
    Money {
        /// Least amount.
        min: i64,
        /// Most.
        max: i64,
        /// Currencies allowed, sorted; any when empty.
        currencies: Vec<Currency>,
    },
    /// A SKU or coupon code.
    Sku,
    /// Text.
    Text {
        /// Fewest bytes of UTF-8.
        length_min: usize,
        /// Most bytes of UTF-8.
        length_max: usize,
        /// Which texts.
        allowed: Allowed,
    },
    /// RFC 3339 in UTC, milliseconds at most.
    Time,
    /// A UUID.
    Uuid,
}

/// Which texts a text member may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All within the length.
    Any,
    /// One of these, sorted.
    OneOf(Vec<String>),
    /// Those that match.
    Matching(Pattern),
}

impl Kind {
    /// Names of the types as they are written in a schema.
    pub(super) const NAMES: [&'static str; 11] = [
        "boolean", "group", "integer", "json", "list", "map", "money", "sku", "text", "time",
        "uuid",
    ];

    /// Whether anything declared inside it holds data about a person.
    fn holds_personal(&self) -> bool {
        match self {
            Self::Group(fields) => fields.hold_personal(),
            Self::List { of, .. } | Self::Map { of, .. } => of.holds_personal(),
            _ => false,
        }
    }

    /// Whether names inside it are the client's data and no declaration's.
    pub(super) fn names_are_data(&self) -> bool {
        match self {
            Self::Map { .. } => true,
            Self::Group(fields) => {
                fields.any_other.is_some() || fields.iter().any(|field| field.kind.names_are_data())
            }
            Self::List { of, .. } => of.names_are_data(),
            _ => false,
        }
    }

    /// The type's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Group(_) => "group",
            Self::Integer { .. } => "integer",
            Self::Json { .. } => "json",
            Self::List { .. } => "list",
            Self::Map { .. } => "map",
            Self::Money { .. } => "money",
            Self::Sku => "sku",
            Self::Text { .. } => "text",
            Self::Time => "time",
            Self::Uuid => "uuid",
        }
    }
}

/// Declared members, sorted by name; perhaps a rule for all other names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    sorted: Vec<Field>,
    any_other: Option<Box<Field>>,
}

impl Fields {
    /// Sorts `fields`; the one named [`Fields::ANY_OTHER`] becomes the rule for other names.
    pub(super) fn new(fields: Vec<Field>) -> Self {
        let (other, mut sorted): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|field| field.name == Self::ANY_OTHER);
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(sorted.is_sorted_by(|a, b| a.name < b.name), "names are unique");
        assert!(other.len() <= 1);
        Self { sorted, any_other: other.into_iter().next().map(Box::new) }
    }

    /// The name under which the rule for all other names is declared.
    pub const ANY_OTHER: &'static str = "*";

    /// The declared member `name`, or the rule for other names.
    pub fn find(&self, name: &str) -> Option<&Field> {
        self.declared(name).or(self.any_other.as_deref())
    }

    /// The member declared as `name` itself.
    pub fn declared(&self, name: &str) -> Option<&Field> {
        // Names mostly differ in length, which is compared first: of few, equality finds sooner
        // than order does.
        if self.sorted.len() <= FEW_FIELDS {
            return self.sorted.iter().find(|field| field.name == name);
        }
        let found = self.sorted.binary_search_by(|field| field.name.as_str().cmp(name));
        found.ok().map(|index| &self.sorted[index])
    }

    /// Replaces the member of the same name.
    pub(super) fn replace(&mut self, field: Field) {
        let found = self.sorted.binary_search_by(|held| held.name.cmp(&field.name));
        let index = found.expect("only declared members are replaced");
        self.sorted[index] = field;
    }

    /// Whether any of them, at any depth, holds data about a person.
    pub fn hold_personal(&self) -> bool {
        self.iter().chain(self.any_other()).any(Field::holds_personal)
    }

    /// The rule for names not declared.
    pub fn any_other(&self) -> Option<&Field> {
        self.any_other.as_deref()
    }

    /// The declared members in the order of their names.
    pub fn iter(&self) -> core::slice::Iter<'_, Field> {
        self.sorted.iter()
    }

    /// True when nothing is declared.
    pub const fn is_empty(&self) -> bool {
        self.sorted.is_empty() && self.any_other.is_none()
    }

    /// The declared name nearest to `name`.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        closest(name, self.sorted.iter().map(|field| field.name.as_str()))
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = core::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
