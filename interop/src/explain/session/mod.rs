//! What belongs together: a tunnel, a login to AD CS, an EST exchange, a phone's enrolment, a client's visit to IIS. Each
//! with what happened in order, how it ended, and what its log says misleadingly.
//!
//! | module | a session is |
//! |---|---|
//! | `tunnel` | one NMSP connection, by its `ssl` pointer |
//! | `authority` | the registration authority's start-up login, or its exchange with one EST client |
//! | `phone` | one enrolment of one phone in CAPF |
//! | `visit` | a login to web enrolment and the requests after it, of one client |
//! | `request` | one line of an access log |

mod authority;
mod causes;
mod phone;
mod request;
mod tunnel;
mod visit;

use core::fmt;

use pki_common::{Escaped, Failure, Side};

use super::line::registration_authority::Page;
use super::line::{Says, Source};
use super::window::Placed;

/// The events that are kept of one session. A handshake has about 30; a tunnel that is up for a month has no end of them.
const MAX_EVENTS: usize = 100;
/// The sessions of one source that may be open at a time. The one that has been silent for the longest is closed then.
const MAX_OPEN: usize = 512;
/// The longest text of an event, in characters.
const MAX_TEXT: usize = 300;

/// What a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionKind {
    /// An NMSP connection.
    Tunnel,
    /// The registration authority logs in to AD CS and fetches the chain.
    AuthorityStart,
    /// The registration authority serves an EST client.
    EstExchange,
    /// A phone enrols.
    Phone,
    /// A client logs in to web enrolment and asks for something.
    Visit,
    /// A request in an access log.
    Request,
}

impl SessionKind {
    /// The name in `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tunnel => "tunnel",
            Self::AuthorityStart => "authority-start",
            Self::EstExchange => "est-exchange",
            Self::Phone => "phone",
            Self::Visit => "visit",
            Self::Request => "request",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The line, from 1.
    pub line: u64,
    /// Milliseconds of the clock of the log.
    pub(super) at: Option<i64>,
    /// What happened, with the numbers decoded.
    pub text: String,
}

/// Why a session failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// One sentence without a full stop.
    pub headline: String,
    /// Rung, side, alert, cause and remedy. The side is that of the program that wrote the log.
    pub failure: Failure,
    /// Who refused, by its part, such as `the controller`.
    pub refused_by: Option<&'static str>,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Succeeded(String),
    /// It failed.
    Failed(Box<Verdict>),
    /// The log does not have the end, or nothing that says how it was.
    Unfinished(String),
}

/// Words of a log that say something else than what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The words.
    pub words: String,
    /// What they stand for.
    pub meaning: String,
}

/// What another log says of the same event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The place in [`Report::files`](super::Report::files).
    pub file: usize,
    /// The line there.
    pub line: u64,
    /// What it says.
    pub text: String,
}

/// A moment that another log may have, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) moment: Moment,
    pub(super) at: i64,
    pub(super) line: u64,
    pub(super) text: String,
}

/// What happened at an [`Anchor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// AD CS has answered for this page.
    Page(Page),
    /// AD CS has answered late; the milliseconds it took.
    Slow(u32),
    /// The zone of the log at this wall clock is known from a line of it, in milliseconds.
    Zone(i64),
}

/// What belongs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What it is.
    pub kind: SessionKind,
    /// Its name in the log.
    pub name: String,
    /// The place in [`Report::files`](super::Report::files).
    pub file: usize,
    /// The log it is in.
    pub source: Source,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// How many more events there were.
    pub events_left_out: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What the log says misleadingly.
    pub corrections: Vec<Correction>,
    /// What else is worth to know.
    pub notes: Vec<String>,
    /// What other logs say of it.
    pub links: Vec<Link>,
    /// Milliseconds of the clock of the log at the first and the last event.
    pub(super) began: Option<i64>,
    pub(super) ended: Option<i64>,
    pub(super) anchors: Vec<Anchor>,
}

impl Session {
    fn new(kind: SessionKind, source: Source, name: String) -> Self {
        Self {
            kind,
            name,
            file: 0,
            source,
            events: Vec::new(),
            events_left_out: 0,
            outcome: Outcome::Unfinished(String::new()),
            corrections: Vec::new(),
            notes: Vec::new(),
            links: Vec::new(),
            began: None,
            ended: None,
            anchors: Vec::new(),
        }
    }

    /// Adds an event.
    fn event(&mut self, place: Place, text: impl fmt::Display) {
        self.touch(place);
        if self.events.len() < MAX_EVENTS {
            let text = Escaped::new(&text.to_string()).at_most(MAX_TEXT).to_string();
            self.events.push(Event {
                line: place.number,
                at: place.wall,
                text,
            });
        } else {
            self.events_left_out += 1;
        }
    }

    /// Adds an event unless the last one says the same.
    fn event_once(&mut self, place: Place, text: &str) {
        if self.events.last().is_some_and(|event| event.text == text) {
            self.touch(place);
        } else {
            self.event(place, text);
        }
    }

    /// Notes that a line belongs to this session.
    fn touch(&mut self, place: Place) {
        self.began = self.began.or(place.wall);
        self.ended = place.wall.or(self.ended);
    }

    /// Notes a moment that other logs may have, too.
    fn anchor(&mut self, moment: Moment, place: Place, text: impl Into<String>) {
        if let Some(at) = place.wall
            && self.anchors.len() < MAX_EVENTS
        {
            self.anchors.push(Anchor {
                moment,
                at,
                line: place.number,
                text: text.into(),
            });
        }
    }

    fn correct(&mut self, words: &str, meaning: impl Into<String>) {
        self.corrections.push(Correction {
            words: words.to_owned(),
            meaning: meaning.into(),
        });
    }

    fn fail(&mut self, headline: impl Into<String>, failure: Failure, refused_by: Option<&'static str>) {
        self.outcome = Outcome::Failed(Box::new(Verdict {
            headline: Escaped::new(&headline.into()).at_most(MAX_TEXT).to_string(),
            failure,
            refused_by,
        }));
    }

    /// The verdict, when it failed.
    #[must_use]
    pub const fn verdict(&self) -> Option<&Verdict> {
        match &self.outcome {
            Outcome::Failed(verdict) => Some(verdict),
            Outcome::Succeeded(_) | Outcome::Unfinished(_) => None,
        }
    }

    /// One sentence on how it ended.
    #[must_use]
    pub fn headline(&self) -> &str {
        match &self.outcome {
            Outcome::Failed(verdict) => &verdict.headline,
            Outcome::Succeeded(text) | Outcome::Unfinished(text) => text,
        }
    }
}

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    number: u64,
    wall: Option<i64>,
}

/// Puts the lines of one file together.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    tunnels: tunnel::Tunnels,
    authority: authority::Authority,
    phones: phone::Phones,
    visits: visit::Visits,
    requests: request::Requests,
}

impl Sessions {
    /// Takes the next line of its source; puts what ends by it into `ended`.
    pub(super) fn line(&mut self, line: Placed, ended: &mut Vec<Session>) {
        let place = Place {
            number: line.number,
            wall: line.wall,
        };
        match line.says {
            Says::Nmsp(says) => self.tunnels.line(place, says, ended),
            Says::Authority(says) => self.authority.line(place, says, ended),
            Says::Capf(says) => self.phones.line(place, says, ended),
            Says::Iis(row) => self.visits.row(place, &row, ended),
            Says::Access(row) => self.requests.row(place, &row, ended),
            Says::Unknown | Says::Aside => {}
        }
    }

    /// There are no more lines.
    pub(super) fn finish(self, ended: &mut Vec<Session>) {
        self.tunnels.finish(ended);
        self.authority.finish(ended);
        self.phones.finish(ended);
        self.visits.finish(ended);
        self.requests.finish(ended);
    }
}

/// A failure that the program that wrote the log has decided.
const WRITER: Side = Side::Local;
/// One that the program at the other end has decided.
const OTHER: Side = Side::Peer;
