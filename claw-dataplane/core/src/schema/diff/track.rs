//! Where members of an older version go: its upcasters followed from the old shape on.
//!
//! Keeps, for each path that an upcast event may have, the member of the old version it came from,
//! and what filled it when it came from none.

use std::collections::BTreeMap;

use crate::schema::event_type::EventType;
use crate::schema::field::{Fields, Kind};
use crate::schema::upcast::Step;

/// A path of an upcast event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Track {
    /// The old member it came from; `None` when a step made it.
    pub(super) origin: Option<String>,
    /// The type it has by now.
    pub(super) kind: &'static str,
    /// Whether a step gives it a value where it had none.
    pub(super) filled: bool,
    /// Whether it is a part of what it came from.
    pub(super) split: bool,
}

/// All paths of an event of the old version, as it is read today.
#[derive(Clone, Debug)]
pub(super) struct Tracks {
    paths: BTreeMap<String, Track>,
    /// Whether the type's version was raised.
    pub(super) raised: bool,
    /// The version events are read as.
    pub(super) version: u16,
}

impl Tracks {
    /// Follows the upcasters of `new` from the version of `old`.
    pub(super) fn follow(old: &EventType, new: &EventType) -> Self {
        let mut paths = BTreeMap::new();
        begin(&old.fields, "", &mut paths);
        let raised = new.version > old.version;
        let mut tracks = Self { paths, raised, version: new.version };
        let mut at = old.version;
        while at < new.version {
            let Some(upcaster) = new.upcasters.iter().find(|upcaster| upcaster.from == at) else {
                break;
            };
            for step in &upcaster.steps {
                tracks.take(step);
            }
            at = upcaster.to;
        }
        tracks
    }

    pub(super) fn find(&self, path: &str) -> Option<&Track> {
        self.paths.get(path)
    }

    /// Where the old member at `path` is now.
    pub(super) fn place_of(&self, path: &str) -> Option<&str> {
        let same = self.paths.get(path).filter(|track| track.origin.as_deref() == Some(path));
        if same.is_some() {
            return self.paths.get_key_value(path).map(|(path, _)| path.as_str());
        }
        let moved = self.paths.iter().find(|(_, track)| track.origin.as_deref() == Some(path));
        moved.map(|(path, _)| path.as_str())
    }

    /// What an old path of an object began with, whose paths now begin with `prefix`.
    pub(super) fn old_prefix(&self, prefix: &str) -> String {
        let group = prefix.strip_suffix('.').and_then(|path| self.paths.get(path));
        let origin = group.and_then(|track| track.origin.as_deref());
        origin.map_or_else(|| prefix.to_owned(), |origin| format!("{origin}."))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Add { field, default } => {
                let made =
                    Track { origin: None, kind: kind_of(default), filled: true, split: false };
                self.paths.entry(field.clone()).or_insert(made).filled = true;
            }
            Step::Drop { field } => self.remove(field),
            Step::Rename { field, to } => {
                let inner = format!("{field}.");
                let moved: Vec<_> = self
                    .paths
                    .keys()
                    .filter(|path| *path == field || path.starts_with(&inner))
                    .cloned()
                    .collect();
                for path in moved {
                    let track = self.paths.remove(&path).expect("just found");
                    self.paths.insert(format!("{to}{}", &path[field.len()..]), track);
                }
            }
            Step::Widen { field, to, .. } => {
                if let Some(track) = self.paths.get_mut(field) {
                    track.kind = to;
                }
            }
            Step::Split { field, into, .. } => {
                let origin = self.paths.get(field).and_then(|track| track.origin.clone());
                self.remove(field);
                for part in into {
                    let origin = origin.clone();
                    let track = Track { origin, kind: "text", filled: false, split: true };
                    self.paths.insert(part.clone(), track);
                }
            }
        }
    }

    fn remove(&mut self, field: &str) {
        let inner = format!("{field}.");
        self.paths.retain(|path, _| path != field && !path.starts_with(&inner));
    }
}

fn begin(fields: &Fields, prefix: &str, paths: &mut BTreeMap<String, Track>) {
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        if let Kind::Group(inner) = &field.kind {
            begin(inner, &format!("{path}."), paths);
        }
        let (origin, kind) = (Some(path.clone()), field.kind.name());
        paths.insert(path, Track { origin, kind, filled: false, split: false });
    }
}

/// What a default looks like; only compared where nothing else is known.
const fn kind_of(default: &serde_json::Value) -> &'static str {
    match default {
        serde_json::Value::Bool(_) => "boolean",
        serde_json::Value::Number(_) => "integer",
        serde_json::Value::Array(_) => "list",
        serde_json::Value::Object(_) => "group",
        serde_json::Value::String(_) | serde_json::Value::Null => "text",
    }
}
