//! One line of a log: what kind it is, when it was written, and what it says.
//!
//! The kind is told from the line alone, so logs that were put together in one file can be read.
//!
//! | module | reads |
//! |---|---|
//! | `nmsp` | the NMSP trace of a controller, and that of this project |
//! | `registration_authority` | NGINX's error.log of the vendor's registration authority, and libest's lines in it |
//! | `capf` | the log of the vendor's phone certificate service (CAPF) |
//! | `iis` | IIS logs in the W3C extended format |
//! | `access` | access logs in the common format, and that of this project |

pub(super) mod access;
pub(super) mod capf;
pub(super) mod iis;
pub(super) mod nmsp;
pub(super) mod registration_authority;

use core::fmt;

use super::time::{Stamp, Zone};

/// The longest name, address or text that is kept of a line, in bytes. A time line shows one line of a terminal.
const MAX_KEPT: usize = 400;

/// Which log a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The trace of an NMSP controller.
    NmspTrace,
    /// The error.log of the registration authority's web server, with the lines of libest in it.
    RegistrationAuthority,
    /// The log of the phone certificate service (CAPF).
    Capf,
    /// A log of IIS.
    Iis,
    /// An access log.
    Access,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NmspTrace,
        Self::RegistrationAuthority,
        Self::Capf,
        Self::Iis,
        Self::Access,
    ];

    /// The name in `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NmspTrace => "nmsp-trace",
            Self::RegistrationAuthority => "registration-authority",
            Self::Capf => "capf",
            Self::Iis => "iis",
            Self::Access => "access",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NmspTrace => "NMSP trace",
            Self::RegistrationAuthority => "NGINX and libest",
            Self::Capf => "CAPF",
            Self::Iis => "IIS",
            Self::Access => "access log",
        })
    }
}

/// What a line says, when it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    Nmsp(nmsp::NmspLine),
    Authority(registration_authority::AuthorityLine),
    Capf(capf::CapfLine),
    Iis(iis::IisRow),
    Access(access::AccessRow),
    /// The shape is that of the source, the text is not known.
    Unknown,
    /// Known, and part of no session: a directive, a start-up message.
    Aside,
}

/// A line whose shape is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) source: Source,
    pub(super) stamp: Option<Stamp>,
    /// The number that the source itself gives its lines.
    pub(super) sequence: Option<u64>,
    pub(super) says: Says,
}

impl Line {
    fn new(source: Source, stamp: Option<Stamp>, says: Says) -> Self {
        Self {
            source,
            stamp,
            sequence: None,
            says,
        }
    }
}

/// Reads a line; `None` when no source has lines of this shape. `fields` remembers the columns of an IIS log.
pub(super) fn read(text: &str, fields: &mut iis::Fields) -> Option<Line> {
    match text.bytes().next()? {
        b'#' => fields
            .directive(text)
            .map(|()| Line::new(Source::Iis, None, Says::Aside)),
        b'[' => nmsp::read(text).or_else(|| registration_authority::read(text)),
        b'0'..=b'9' => nmsp::read_own(text)
            .or_else(|| access::read_own(text))
            .or_else(|| iis::read(text, fields))
            .or_else(|| registration_authority::read(text))
            .or_else(|| capf::read(text))
            .or_else(|| access::read(text)),
        _ => registration_authority::read(text)
            .or_else(|| access::read(text))
            .or_else(|| nmsp::read_bare(text)),
    }
}

/// The prefix that the log of this project puts before a line: `2026-11-22T11:42:28.123456Z  INFO target: text`.
struct OwnLine<'a> {
    stamp: Stamp,
    /// The target and the text, with the names of spans before them.
    rest: &'a str,
}

fn own_line(text: &str) -> Option<OwnLine<'_>> {
    let (date_time, rest) = text.split_once(' ')?;
    let (date, time) = date_time.strip_suffix('Z')?.split_once('T')?;
    let (level, rest) = rest.trim_start().split_once(' ')?;
    matches!(level, "ERROR" | "WARN" | "INFO" | "DEBUG" | "TRACE").then_some(())?;
    let stamp = Stamp {
        wall: Stamp::date(date, '-')? + Stamp::time(time)?,
        zone: Some(Zone::UTC),
        dated: true,
    };
    Some(OwnLine { stamp, rest })
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// The digits at the beginning, as a number.
fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    super::time::digits_of(text.get(..end)?)
}

/// A copy that is not longer than [`MAX_KEPT`].
fn kept(text: &str) -> String {
    let mut end = text.len().min(MAX_KEPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
