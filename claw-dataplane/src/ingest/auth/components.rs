//! Lists of covered components: what each name stands for, looked up once for each list.
//!
//! A client writes the same list into every request, so lists are kept with what was found out
//! about them and known again by their text. Nothing of a request but the names is kept, of callers
//! that have a key alone, and the lists are bounded: the one that was kept first goes.
//!
//! Does not know values: [`super::verify`] takes them from the request.

use std::ops::Range;

use claw_sdk::signature::base;

use super::fields::COMPONENTS_MAX;
use crate::ingest::problem::{Problem, ProblemKind};

/// Lists that are kept: a store has a handful of clients, each with a list for requests with a
/// body and one for those without.
const LISTS_MAX: usize = 16;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Component {
    Method,
    Authority,
    Path,
    Query,
    RequestTarget,
    Scheme,
    /// A field that comes at most once in a request that was read, so it needs no search.
    ContentDigest,
    /// The same.
    IdempotencyKey,
    /// Another field; where its name stands in the list's text.
    Field(Range<usize>),
}

/// A component with how its line in the signature base begins.
#[derive(Debug)]
struct Covered {
    component: Component,
    opening: Range<usize>,
}

/// One list.
#[derive(Debug)]
pub(super) struct ComponentList {
    /// As written between the parentheses.
    text: String,
    components: Vec<Covered>,
    /// All openings, one behind the other.
    openings: Vec<u8>,
    coverage: Coverage,
}

impl ComponentList {
    /// Refuses what is covered twice and derived components that are not supported.
    fn resolve(text: &str) -> Result<Self, Problem> {
        let (mut components, mut openings) = (Vec::new(), Vec::new());
        let mut coverage = Coverage(0);
        // Written down once: finding the names in the text again for each would be quadratic.
        let mut names = [""; COMPONENTS_MAX];
        let mut at = 0;
        // Odd pieces are what stands between quotes; names hold neither quotes nor escapes.
        for (piece, name) in text.split('"').enumerate() {
            let place = at..at + name.len();
            at = place.end + 1;
            if piece % 2 == 0 {
                continue;
            }
            if names[..piece / 2].contains(&name) {
                return Err(bad(format!("{name} is covered twice")));
            }
            names[piece / 2] = name;
            coverage.add(name);
            let start = openings.len();
            base::open_component(&mut openings, name);
            let opening = start..openings.len();
            components.push(Covered { component: component(name, place)?, opening });
        }
        Ok(Self { text: text.to_owned(), components, openings, coverage })
    }

    /// Each component with how its line begins.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Component, &[u8])> {
        self.components.iter().map(|covered| {
            let Covered { component, opening } = covered;
            (component, &self.openings[opening.clone()])
        })
    }

    /// The name of a field.
    pub(super) fn name(&self, place: &Range<usize>) -> &str {
        &self.text[place.clone()]
    }

    /// What of the components that the interface asks for is covered.
    pub(super) const fn coverage(&self) -> Coverage {
        self.coverage
    }
}

fn component(name: &str, place: Range<usize>) -> Result<Component, Problem> {
    Ok(match name {
        base::METHOD => Component::Method,
        base::AUTHORITY => Component::Authority,
        base::PATH => Component::Path,
        base::QUERY => Component::Query,
        "@request-target" => Component::RequestTarget,
        "@scheme" => Component::Scheme,
        base::CONTENT_DIGEST => Component::ContentDigest,
        base::IDEMPOTENCY_KEY => Component::IdempotencyKey,
        _ if name.starts_with('@') => {
            return Err(bad(format!("the derived component {name} is not supported")));
        }
        _ => Component::Field(place),
    })
}

/// Which of the components that the interface asks for are covered, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coverage(u8);

impl Coverage {
    pub(super) const NAMES: [&str; 6] = [
        base::METHOD,
        base::AUTHORITY,
        base::PATH,
        base::QUERY,
        base::CONTENT_DIGEST,
        base::IDEMPOTENCY_KEY,
    ];

    fn add(&mut self, name: &str) {
        if let Some(index) = Self::NAMES.iter().position(|known| *known == name) {
            self.0 |= 1 << index;
        }
    }

    /// Whether the component with this place in [`Self::NAMES`] is covered.
    pub(super) const fn has(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }
}

/// The lists that are kept.
#[derive(Debug, Default)]
pub(super) struct ComponentLists {
    lists: Vec<ComponentList>,
    /// Where the next one goes.
    next: usize,
    /// The one that was asked for last: most likely the next as well.
    last: usize,
    /// Asked for last, when it was none of them.
    stranger: Option<ComponentList>,
}

impl ComponentLists {
    /// Length of the kept list that `rest` begins with, up to its closing parenthesis. A list is
    /// made of whole quoted names, so a parenthesis behind it closes it.
    pub(super) fn known_bytes(&self, rest: &str) -> Option<usize> {
        let begins = |list: &ComponentList| {
            let behind = rest.strip_prefix(list.text.as_str());
            behind.is_some_and(|behind| behind.starts_with(')'))
        };
        let last = self.lists.get(self.last).filter(|list| begins(list));
        let list = last.or_else(|| self.lists.iter().find(|list| begins(list)));
        list.map(|list| list.text.len())
    }

    /// The list with this text, which must be well formed.
    pub(super) fn get(&mut self, text: &str) -> Result<&ComponentList, Problem> {
        let is_it = |list: &ComponentList| list.text == text;
        if !self.lists.get(self.last).is_some_and(is_it) {
            match self.lists.iter().position(is_it) {
                Some(place) => self.last = place,
                None => return Ok(self.stranger.insert(ComponentList::resolve(text)?)),
            }
        }
        self.stranger = None;
        Ok(&self.lists[self.last])
    }

    /// Keeps the list that was asked for last: who signed has a key. Others would push out what
    /// clients use.
    pub(super) fn keep(&mut self) {
        let Some(list) = self.stranger.take() else { return };
        self.last = self.next;
        self.next = (self.next + 1) % LISTS_MAX;
        match self.lists.get_mut(self.last) {
            Some(oldest) => *oldest = list,
            None => self.lists.push(list),
        }
    }
}

fn bad(detail: String) -> Problem {
    Problem::new(ProblemKind::BadSignature, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<'l>(lists: &'l mut ComponentLists, text: &str) -> &'l ComponentList {
        lists.get(text).unwrap();
        lists.keep();
        lists.get(text).unwrap()
    }

    #[test]
    fn lists_are_known_again_whole_and_forgotten_in_their_turn() {
        let mut lists = ComponentLists::default();
        let text = r#""@method" "x-y" "content-digest""#;
        let list = kept(&mut lists, text);
        let openings: Vec<_> = list.iter().map(|(_, opening)| opening).collect();
        let wanted: [&[u8]; 3] = [b"\"@method\": ", b"\"x-y\": ", b"\"content-digest\": "];
        assert_eq!(openings, wanted);
        assert_eq!(list.components[1].component, Component::Field(11..14));
        assert_eq!(list.name(&(11..14)), "x-y");
        let covered: Vec<_> = (0..6).filter(|&index| list.coverage().has(index)).collect();
        assert_eq!(covered, [0, 4]);
        assert_eq!(lists.known_bytes(&format!("{text});created=1")), Some(text.len()));
        assert_eq!(lists.known_bytes(text), None, "the list may go on");
        assert_eq!(lists.known_bytes(r#""@method" "x-y")"#), None, "another list");
        for number in 0..LISTS_MAX {
            kept(&mut lists, &format!("\"x-{number}\""));
        }
        assert_eq!(lists.lists.len(), LISTS_MAX);
        assert_eq!(lists.known_bytes(&format!("{text})")), None);
        assert_eq!(lists.known_bytes("\"x-0\")"), Some(5));
        assert_eq!(kept(&mut lists, text).components.len(), 3);
    }

    #[test]
    fn what_was_refused_or_is_a_strangers_is_not_kept() {
        let mut lists = ComponentLists::default();
        for text in [r#""a" "b" "a""#, "\"@status\""] {
            assert_eq!(lists.get(text).unwrap_err().kind, ProblemKind::BadSignature, "{text}");
            lists.keep();
            assert_eq!(lists.known_bytes(&format!("{text})")), None);
        }
        assert_eq!(lists.get("\"a\"").unwrap().components.len(), 1);
        assert_eq!(kept(&mut lists, "").components.len(), 0);
        assert_eq!(lists.known_bytes("\"a\")"), None);
        assert_eq!(lists.known_bytes(")"), Some(0));
    }
}
