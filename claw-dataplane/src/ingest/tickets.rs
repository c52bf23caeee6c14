//! Tickets: each opens one WebSocket for one session, once, within half a minute.
//!
//! A browser cannot send headers with a WebSocket's request, so it asks for a ticket with its token
//! and puts that into the URL. URLs end up in the logs of whatever lies between, so a ticket is
//! worth nothing after its use or its time. It names the core that made it, which alone knows
//! whether it was used; what it opens stands nowhere in it. Nothing of this is in the log: a node
//! that starts anew knows no tickets.
//!
//! Like every POST, asking is idempotent: the same request gets the same ticket again. A ticket is
//! therefore remembered for as long as the signature of its request may be repeated, and the core
//! of a ticket is found from the request's identity, so that a repeat on another connection finds
//! it. Bounded: a desk that has no room says 503 rather than forget.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claw_common::id::Session;
use claw_common::limits::{DEDUPLICATION_WINDOW_MS, TICKET_LIFE_MS};
use claw_common::time::UnixMs;
use claw_core::command::CommandKey;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use subtle::ConstantTimeEq as _;

use super::problem::{Problem, ProblemKind};

/// Tickets a desk remembers: with a window of six minutes, 159 a second and core for as long as
/// one likes, or all at once. Seven eighths of a power of two, which is what a table holds; 8 MiB.
const TICKETS_MAX: usize = 57_344;
/// Bytes of a ticket: core, identity, secret. A multiple of three, so that its text has one form.
const TICKET_BYTES: usize = 33;

/// A ticket as it travels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SocketTicket {
    core: u8,
    id: [u8; 16],
    secret: [u8; 16],
}

impl std::fmt::Debug for SocketTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketTicket").field("core", &self.core).finish_non_exhaustive()
    }
}

impl SocketTicket {
    /// Reads a ticket's text; `None` when it is none of a node with this many cores.
    pub fn parse(text: &str, cores_count: usize) -> Option<Self> {
        let bytes: [u8; TICKET_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let ([core], rest) = bytes.split_first_chunk()?;
        let (id, secret) = rest.split_first_chunk()?;
        let ticket = Self { core: *core, id: *id, secret: secret.try_into().ok()? };
        (usize::from(ticket.core) < cores_count).then_some(ticket)
    }

    /// The text: 44 characters that a URL takes as they are.
    pub fn to_text(self) -> String {
        let mut bytes = [0; TICKET_BYTES];
        bytes[0] = self.core;
        bytes[1..17].copy_from_slice(&self.id);
        bytes[17..].copy_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The core whose desk made it.
    pub const fn core(self) -> u8 {
        self.core
    }
}

/// The core that makes the ticket of a request: the same for a repeat, whoever accepts it.
pub fn core_of(identity: &CommandKey, cores_count: usize) -> u8 {
    let number = u16::from_le_bytes([identity.key[0], identity.key[1]]);
    u8::try_from(usize::from(number) % cores_count).expect("at most CORES_MAX")
}

/// Why a ticket opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketRefusal {
    /// Nobody made it here.
    Unknown,
    /// It has opened something.
    Used,
    /// Its time is over.
    Expired,
}

impl From<TicketRefusal> for Problem {
    fn from(refusal: TicketRefusal) -> Self {
        let detail = match refusal {
            TicketRefusal::Unknown => "this is no ticket of this node: POST /v1/tickets makes one",
            TicketRefusal::Used => "the ticket has been used: each opens one connection, once",
            TicketRefusal::Expired => "the ticket was not used within 30 s: ask for a fresh one",
        };
        Self::new(ProblemKind::BadTicket, detail)
    }
}

/// What a core asks the desk of a ticket's core.
#[derive(Clone, Copy, Debug)]
pub enum TicketQuestion {
    /// Make one.
    Issue {
        /// Of the request.
        identity: CommandKey,
        /// Whose notices it opens.
        session: Session,
    },
    /// Use one.
    Redeem(SocketTicket),
}

/// What the desk says.
#[derive(Clone, Debug)]
pub enum TicketAnswer {
    /// The ticket.
    Issued(Result<SocketTicket, Problem>),
    /// The session it opens, once.
    Redeemed(Result<Session, TicketRefusal>),
}

#[derive(Clone, Copy, Debug)]
struct Issued {
    /// Of the request's body.
    digest: [u8; 16],
    session: Session,
    at_ms: UnixMs,
    used: bool,
}

/// The tickets of one core.
pub struct TicketDesk {
    core: u8,
    /// Of this run and this core; what it makes cannot be guessed.
    key: [u8; 32],
    issued: HashMap<[u8; 16], Issued, RandomState>,
    /// In the order of their time.
    oldest: VecDeque<[u8; 16]>,
}

impl std::fmt::Debug for TicketDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketDesk")
            .field("core", &self.core)
            .field("issued_count", &self.issued.len())
            .finish_non_exhaustive()
    }
}

impl TicketDesk {
    /// The desk of a core, with 32 fresh random bytes of its own.
    pub fn new(core: u8, key: [u8; 32]) -> Self {
        let issued = HashMap::with_capacity_and_hasher(TICKETS_MAX, RandomState::default());
        Self { core, key, issued, oldest: VecDeque::with_capacity(TICKETS_MAX) }
    }

    /// Answers a question of this or another core.
    pub fn answer(&mut self, question: &TicketQuestion, now_ms: UnixMs) -> TicketAnswer {
        match question {
            TicketQuestion::Issue { identity, session } => {
                TicketAnswer::Issued(self.issue(identity, *session, now_ms))
            }
            TicketQuestion::Redeem(ticket) => TicketAnswer::Redeemed(self.redeem(*ticket, now_ms)),
        }
    }

    /// Makes the ticket of a request, or gives the one it made before.
    pub fn issue(
        &mut self,
        identity: &CommandKey,
        session: Session,
        now_ms: UnixMs,
    ) -> Result<SocketTicket, Problem> {
        self.forget_old(now_ms);
        let id = identity.key;
        if let Some(known) = self.issued.get(&id) {
            if known.digest != identity.digest {
                let detail = "send another request with another Idempotency-Key";
                return Err(Problem::new(ProblemKind::IdempotencyMismatch, detail));
            }
            return Ok(self.ticket(id, known.at_ms));
        }
        if self.issued.len() >= TICKETS_MAX {
            let detail = "too many tickets were asked for; try again in a second";
            return Err(Problem::new(ProblemKind::CapacityFull, detail).text("slab", "tickets"));
        }
        let digest = identity.digest;
        self.issued.insert(id, Issued { digest, session, at_ms: now_ms, used: false });
        self.oldest.push_back(id);
        Ok(self.ticket(id, now_ms))
    }

    /// Uses a ticket: gives the session that it opens to the first who brings it in time.
    pub fn redeem(
        &mut self,
        ticket: SocketTicket,
        now_ms: UnixMs,
    ) -> Result<Session, TicketRefusal> {
        self.forget_old(now_ms);
        let at_ms = self.issued.get(&ticket.id).ok_or(TicketRefusal::Unknown)?.at_ms;
        let right = self.ticket(ticket.id, at_ms).secret;
        if ticket.core != self.core || !bool::from(right.ct_eq(&ticket.secret)) {
            return Err(TicketRefusal::Unknown);
        }
        let known = self.issued.get_mut(&ticket.id).ok_or(TicketRefusal::Unknown)?;
        if known.used {
            return Err(TicketRefusal::Used);
        }
        if now_ms >= known.at_ms + TICKET_LIFE_MS {
            return Err(TicketRefusal::Expired);
        }
        known.used = true;
        Ok(known.session)
    }

    /// Tickets remembered.
    pub fn count(&self) -> usize {
        self.issued.len()
    }

    /// A ticket's secret follows from who asked for what, and when: a repeat gets the same.
    fn ticket(&self, id: [u8; 16], at_ms: UnixMs) -> SocketTicket {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&id).update(&at_ms.to_le_bytes());
        let mut secret = [0; 16];
        hasher.finalize_xof().fill(&mut secret);
        SocketTicket { core: self.core, id, secret }
    }

    fn forget_old(&mut self, now_ms: UnixMs) {
        while let Some(id) = self.oldest.front() {
            let known = self.issued.get(id).expect("both have the same tickets");
            if known.at_ms + DEDUPLICATION_WINDOW_MS > now_ms {
                return;
            }
            self.issued.remove(id);
            self.oldest.pop_front();
        }
    }
}

const _: () = assert!(TICKET_LIFE_MS < DEDUPLICATION_WINDOW_MS && TICKET_BYTES.is_multiple_of(3));

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_800_000_000_000;

    fn identity(number: u32) -> CommandKey {
        let mut key = [9; 16];
        key[..4].copy_from_slice(&number.to_le_bytes());
        CommandKey { key, digest: [1; 16] }
    }

    fn session(name: &str) -> Session {
        Session::copy(name).unwrap()
    }

    fn desk() -> TicketDesk {
        TicketDesk::new(0, [7; 32])
    }

    #[test]
    fn ticket_opens_its_session_once() {
        let mut desk = desk();
        let ada = desk.issue(&identity(1), session("ada"), NOW).unwrap();
        let eve = desk.issue(&identity(2), session("eve"), NOW).unwrap();
        assert_ne!(ada, eve);
        assert_eq!(desk.redeem(ada, NOW + 5), Ok(session("ada")));
        assert_eq!(desk.redeem(ada, NOW + 6), Err(TicketRefusal::Used));
        assert_eq!(desk.redeem(eve, NOW + 7), Ok(session("eve")));
        let problem = Problem::from(TicketRefusal::Used);
        assert_eq!((problem.kind.status(), problem.kind.name()), (401, "bad-ticket"));
    }

    #[test]
    fn ticket_ends_after_thirty_seconds_used_or_not() {
        let mut desk = desk();
        let late = desk.issue(&identity(1), session("ada"), NOW).unwrap();
        let last = desk.issue(&identity(2), session("ada"), NOW).unwrap();
        assert_eq!(desk.redeem(last, NOW + 29_999), Ok(session("ada")));
        assert_eq!(desk.redeem(late, NOW + 30_000), Err(TicketRefusal::Expired));
        assert_eq!(desk.redeem(last, NOW + 30_000), Err(TicketRefusal::Used));
        let forgotten = NOW + DEDUPLICATION_WINDOW_MS;
        assert_eq!(desk.redeem(late, forgotten), Err(TicketRefusal::Unknown));
        assert_eq!(desk.count(), 0);
    }

    #[test]
    fn repeat_gets_the_same_ticket_for_as_long_as_it_may_be_repeated() {
        let mut desk = desk();
        let first = desk.issue(&identity(1), session("ada"), NOW).unwrap();
        let used = desk.redeem(first, NOW + 1);
        assert_eq!(used, Ok(session("ada")));
        let later = NOW + DEDUPLICATION_WINDOW_MS - 1;
        assert_eq!(desk.issue(&identity(1), session("ada"), later), Ok(first));
        assert_eq!(desk.redeem(first, later), Err(TicketRefusal::Used), "a repeat opens nothing");
        let other = CommandKey { digest: [2; 16], ..identity(1) };
        let refused = desk.issue(&other, session("eve"), later).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::IdempotencyMismatch);
        assert_eq!(desk.count(), 1);
    }

    #[test]
    fn full_desk_refuses_until_the_oldest_may_be_forgotten() {
        let mut desk = desk();
        let count = u32::try_from(TICKETS_MAX).unwrap();
        for number in 0..count {
            let at_ms = NOW + u64::from(number > 0);
            desk.issue(&identity(number), session("ada"), at_ms).unwrap();
        }
        let full = desk.issue(&identity(count), session("ada"), NOW + 2).unwrap_err();
        assert_eq!((full.kind, full.retry_after_s), (ProblemKind::CapacityFull, Some(1)));
        assert!(
            desk.issue(&identity(5), session("ada"), NOW + 2).is_ok(),
            "a repeat needs no room"
        );
        let first_gone = NOW + DEDUPLICATION_WINDOW_MS;
        desk.issue(&identity(count), session("ada"), first_gone).unwrap();
        assert_eq!(desk.count(), TICKETS_MAX);
    }

    #[test]
    fn text_has_one_form_and_what_is_altered_opens_nothing() {
        let mut desk = desk();
        let ticket = desk.issue(&identity(1), session("ada"), NOW).unwrap();
        let text = ticket.to_text();
        assert_eq!(text.len(), 44);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(SocketTicket::parse(&text, 1), Some(ticket));
        for bad in [
            "",
            "A",
            &text[1..],
            &format!("{text}A"),
            &format!("{text}="),
            &text.replace(&text[..1], "*"),
        ] {
            assert_eq!(SocketTicket::parse(bad, 255), None, "{bad}");
        }
        for index in 0..TICKET_BYTES {
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            bytes[index] ^= 1;
            let altered = SocketTicket::parse(&URL_SAFE_NO_PAD.encode(bytes), 2).unwrap();
            assert_eq!(desk.redeem(altered, NOW), Err(TicketRefusal::Unknown), "{index}");
        }
        let mut next_run = TicketDesk::new(0, [8; 32]);
        next_run.issue(&identity(1), session("ada"), NOW).unwrap();
        assert_eq!(next_run.redeem(ticket, NOW), Err(TicketRefusal::Unknown));
        assert_eq!(desk.redeem(ticket, NOW), Ok(session("ada")));
    }

    #[test]
    fn any_core_finds_the_desk_of_a_request_and_of_its_ticket() {
        let cores_count = 3;
        let mut desks: Vec<_> = (0..3).map(|core| TicketDesk::new(core, [core; 32])).collect();
        let mut made = [0; 3];
        for number in 0..300 {
            // Whichever core accepts the request, or its repeat, asks the same desk.
            let home = core_of(&identity(number), cores_count);
            made[usize::from(home)] += 1;
            let session = session("ada");
            let question = TicketQuestion::Issue { identity: identity(number), session };
            let mut ask = |question: &TicketQuestion, core: u8| {
                desks[usize::from(core)].answer(question, NOW)
            };
            let TicketAnswer::Issued(Ok(ticket)) = ask(&question, home) else { panic!("{number}") };
            let TicketAnswer::Issued(Ok(again)) = ask(&question, home) else { panic!("{number}") };
            assert_eq!(ticket, again);
            // Whichever core is shown the ticket reads in it whom to ask; of two, one is let in.
            let shown = SocketTicket::parse(&ticket.to_text(), cores_count).unwrap();
            let question = TicketQuestion::Redeem(shown);
            let answers = [ask(&question, shown.core()), ask(&question, shown.core())];
            assert!(matches!(answers[0], TicketAnswer::Redeemed(Ok(found)) if found == session));
            let refused = TicketRefusal::Used;
            assert!(matches!(answers[1], TicketAnswer::Redeemed(Err(why)) if why == refused));
            let elsewhere = (shown.core() + 1) % 3;
            let answer = ask(&question, elsewhere);
            let refused = TicketRefusal::Unknown;
            assert!(matches!(answer, TicketAnswer::Redeemed(Err(why)) if why == refused));
        }
        assert!(made.iter().all(|&count| count > 50), "{made:?}");
    }
}
