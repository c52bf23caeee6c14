//! The members of two versions of one object, compared.
//!
//! Which old member a new one was is what the upcasters say; without a step it is the one of the
//! same name. Upcasters do not reach into lists and maps: what would need one in there is breaking.

use super::track::{Track, Tracks};
use super::{Change, Verdict};
use crate::schema::field::{Field, Fields, Kind, Presence};
use crate::schema::upcast::widens;

/// What those who send learn of a member that is required.
const WITHOUT_REFUSED: &str = "requests without it are refused";

/// A step that older events need.
#[derive(Clone, Copy, Debug)]
struct Need<'n> {
    /// Whether there is one.
    there: bool,
    reason: &'n str,
    step: &'n str,
    /// What those who send must do all the same.
    clients: Option<&'n str>,
}

/// Gathers the changes of one event type.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    event: &'a str,
    /// Where older events' members went; `None` where no upcaster can do anything.
    tracks: Option<&'a Tracks>,
    pub(super) changes: Vec<Change>,
}

impl<'a> Comparison<'a> {
    pub(super) const fn new(event: &'a str, tracks: Option<&'a Tracks>) -> Self {
        Self { event, tracks, changes: Vec::new() }
    }

    /// Compares the members of two objects whose paths begin with `prefix`.
    pub(super) fn fields(&mut self, old: &Fields, new: &Fields, prefix: &str) {
        for after in new {
            let path = format!("{prefix}{}", after.name);
            match self.old_member(old, &path, prefix) {
                Some(before) => self.member(before, after, &path),
                None => self.added(after, old.any_other(), &path),
            }
        }
        let old_prefix = self.tracks.map_or_else(|| prefix.to_owned(), |t| t.old_prefix(prefix));
        for before in old {
            self.left(before, new, &format!("{old_prefix}{}", before.name));
        }
        self.other_names(old, new, prefix);
    }

    /// The old member that is at `path` now, when it was in the same object.
    fn old_member<'f>(&self, old: &'f Fields, path: &str, prefix: &str) -> Option<&'f Field> {
        let Some(tracks) = self.tracks else {
            return old.declared(path.strip_prefix(prefix)?);
        };
        let origin = tracks.find(path)?.origin.as_deref()?;
        let (_, name) = origin.rsplit_once('.').unwrap_or(("", origin));
        old.declared(name)
    }

    fn added(&mut self, after: &Field, other: Option<&Field>, path: &str) {
        let filled = self.tracks.and_then(|tracks| tracks.find(path)).is_some_and(|t| t.filled);
        let needs = match &after.presence {
            Presence::Optional if other.is_none() => {
                return self.note(path, Verdict::Compatible, "added, and may be absent");
            }
            Presence::Optional => {
                let reason = "added: what was sent under this name before fits the rule for other \
                              names, which this declaration may refuse";
                return self.note(path, Verdict::Breaking, reason);
            }
            Presence::Default(_) => "older events lack it: its default is written, not read",
            Presence::Required => "older events lack it",
        };
        let clients = (after.presence == Presence::Required).then_some(WITHOUT_REFUSED);
        let reason = format!("added: {needs}");
        self.need(path, &Need { there: filled, reason: &reason, step: "add", clients });
    }

    /// An old member that is not where it was.
    fn left(&mut self, before: &Field, new: &Fields, path: &str) {
        let Some(tracks) = self.tracks else {
            if new.declared(&before.name).is_none() {
                self.note(path, Verdict::Breaking, "removed: requests that send it are refused");
            }
            return;
        };
        let stays = |now: &str| {
            let (_, name) = now.rsplit_once('.').unwrap_or(("", now));
            new.declared(name).is_some()
        };
        let clients = new.any_other().is_none().then_some("requests that send it are refused");
        match tracks.place_of(path) {
            Some(now) if stays(now) => {}
            Some(_) => {
                let reason = "removed: older events still hold it";
                self.need(path, &Need { there: false, reason, step: "drop", clients });
            }
            None if new.declared(&before.name).is_some() => {}
            None => {
                let reason = "removed";
                self.need(path, &Need { there: true, reason, step: "drop", clients });
            }
        }
    }

    fn member(&mut self, before: &Field, after: &Field, path: &str) {
        let track = self.tracks.and_then(|tracks| tracks.find(path)).cloned();
        if before.name != after.name {
            let split = track.as_ref().is_some_and(|track| track.split);
            let reason = format!("{} `{}`", if split { "split from" } else { "was" }, before.name);
            let clients = format!("send `{}`, not `{}`", after.name, before.name);
            let clients = Some(clients.as_str());
            self.need(path, &Need { there: true, reason: &reason, step: "rename", clients });
            if split {
                return;
            }
        }
        self.presence(before, after, (path, track.as_ref()));
        if before.personal != after.personal {
            let (verdict, reason) = if after.personal {
                (Verdict::Compatible, "is personal now: older events hold it as it was sent")
            } else {
                let reason = "is not personal any more: what comes is never encrypted for its \
                              subject, so it can never be forgotten";
                (Verdict::Breaking, reason)
            };
            self.note(path, verdict, reason);
        }
        self.kind((&before.kind, &after.kind), path, track.as_ref());
    }

    fn presence(&mut self, before: &Field, after: &Field, place: (&str, Option<&Track>)) {
        let (path, track) = place;
        let filled = track.is_some_and(|track| track.filled);
        match (&before.presence, &after.presence) {
            (same, other) if same == other => {}
            (Presence::Optional, Presence::Required) => {
                let clients = Some(WITHOUT_REFUSED);
                let reason = "required now: older events may lack it";
                self.need(path, &Need { there: filled, reason, step: "add", clients });
            }
            (Presence::Optional, Presence::Default(_)) => {
                let reason = "has a default now: older events may lack it";
                self.need(path, &Need { there: filled, reason, step: "add", clients: None });
            }
            (Presence::Default(_), Presence::Required) => {
                self.note(path, Verdict::Compatible, "required now: older events all have it");
                self.tell(WITHOUT_REFUSED);
            }
            (Presence::Default(_), Presence::Default(_)) => {
                let reason = "has another default: older events keep what was written";
                self.note(path, Verdict::Compatible, reason);
            }
            (Presence::Required | Presence::Default(_), _) => {
                self.note(path, Verdict::Compatible, "may be absent now");
            }
            (Presence::Optional, Presence::Optional) => {}
        }
    }

    /// Compares two types; `path` is theirs.
    pub(super) fn kind(&mut self, kinds: (&Kind, &Kind), path: &str, track: Option<&Track>) {
        let (before, after) = kinds;
        let (from, to) = (before.name(), after.name());
        if from == to {
            return self.bounds(before, after, path);
        }
        let reason = format!("was {from}, is {to}");
        let widened = track.is_some_and(|track| track.kind == to);
        if widened || widens(from, to) {
            let clients = format!("send {to}, not {from}");
            let clients = Some(clients.as_str());
            self.need(path, &Need { there: widened, reason: &reason, step: "widen", clients });
        } else {
            let reason = format!(
                "{reason}, and {from} cannot be read as {to}: declare another member beside it"
            );
            self.note(path, Verdict::Breaking, &reason);
        }
    }

    /// Compares what is inside a list's entries or a map's members.
    pub(super) fn inside(&mut self, kinds: (&Kind, &Kind), path: &str) {
        let outer = self.tracks.take();
        self.kind(kinds, path, None);
        self.tracks = outer;
    }

    fn other_names(&mut self, old: &Fields, new: &Fields, prefix: &str) {
        let path = format!("{prefix}*");
        match (old.any_other(), new.any_other()) {
            (None, None) => {}
            (Some(before), Some(after)) => self.inside((&before.kind, &after.kind), &path),
            (None, Some(_)) => self.note(&path, Verdict::Compatible, "other names are taken now"),
            (Some(_), None) => {
                let reason =
                    "names nobody declared are refused now, and older events may have them";
                self.note(&path, Verdict::Breaking, reason);
            }
        }
    }

    /// A change that older events need a step for: there is one, or there could be.
    fn need(&mut self, path: &str, need: &Need<'_>) {
        let Need { there, reason, step, clients } = *need;
        let (verdict, reason) = match self.tracks {
            None => (Verdict::Breaking, format!("{reason}, and no upcaster reaches it")),
            Some(_) if there => (Verdict::Covered, reason.to_owned()),
            Some(Tracks { raised: true, version, .. }) => {
                let advice = format!("add a `{step}` step on the way to version {version}");
                (Verdict::UpcasterMissing, format!("{reason}: {advice}"))
            }
            Some(Tracks { version, .. }) => {
                let advice = format!("raise the type's version {version}, with a `{step}` step");
                (Verdict::UpcasterMissing, format!("{reason}: {advice}"))
            }
        };
        self.note(path, verdict, &reason);
        if let Some(clients) = clients.filter(|_| verdict.holds()) {
            self.tell(clients);
        }
    }

    pub(super) fn note(&mut self, path: &str, verdict: Verdict, reason: &str) {
        self.changes.push(Change {
            event: self.event.to_owned(),
            member: path.to_owned(),
            verdict,
            reason: reason.to_owned(),
            clients: None,
        });
    }

    /// Adds to the newest change what it asks of those who send.
    fn tell(&mut self, clients: &str) {
        if let Some(change) = self.changes.last_mut() {
            change.clients = Some(clients.to_owned());
        }
    }
}
