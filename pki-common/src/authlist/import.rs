//! Reading an authlist from text: all of it, or none with every bad line named.
//!
//! Each format turns lines into [`Record`]s and [`BadLine`]s; what they have in common (limits, terminal
//! artefacts, key hashes, contradictions, near misses) is here.

use std::borrow::Cow;
use std::fmt;

use crate::Escaped;
use crate::authlist::{AuthList, AuthListConflict, AuthListEntry, AuthListFormat, AuthListType};
use crate::key_hash::{HashAlgorithm, KeyHash, KeyHashParseError};
use crate::ladder::{Diagnose, Failure, Rung};
use crate::mac::{MacAddr, MacParseError};

/// Limits of an import, and what is known from elsewhere.
///
/// # Defaults
/// 32 MiB and 500 000 lines: a list of 100 000 entries, far more than a controller holds, has under 120 bytes and at
/// most five lines for each, so a larger text is the wrong file. Nothing known.
#[derive(Clone, Copy, Debug)]
pub struct ImportOptions<'a> {
    /// Longest text, in bytes.
    pub max_bytes: usize,
    /// Most lines. Bounds the report, which names every bad line.
    pub max_lines: usize,
    /// Another list, for instance the one in use. A damaged key hash is compared with its hashes for the same
    /// MAC address; its entries do not enter the new list.
    pub known: Option<&'a AuthList>,
    /// Further hashes a damaged key hash is compared with, whatever the MAC address. Comparing costs one pass
    /// over them for each damaged hash: give few.
    pub known_hashes: &'a [KeyHash],
}

impl ImportOptions<'_> {
    /// The default of `max_bytes`.
    pub const MAX_BYTES: usize = 32 * 1024 * 1024;
    /// The default of `max_lines`.
    pub const MAX_LINES: usize = 500_000;
}

impl Default for ImportOptions<'_> {
    fn default() -> Self {
        Self {
            max_bytes: Self::MAX_BYTES,
            max_lines: Self::MAX_LINES,
            known: None,
            known_hashes: &[],
        }
    }
}

impl AuthList {
    /// Reads a list from text.
    ///
    /// Carriage returns, a byte order mark, and what a terminal's pager leaves behind (`--More--`, backspaces)
    /// are skipped. Every other line must be understood: a line of another format or of an unrelated command is
    /// a bad line, because a file that was not understood must not quietly become a shorter list.
    ///
    /// # Errors
    /// [`ImportError`] names every bad line; then nothing is taken.
    pub fn import(format: AuthListFormat, text: &str) -> Result<Self, ImportError> {
        Self::import_with(format, text, &ImportOptions::default())
    }

    /// As [`AuthList::import`]; a damaged key hash is also compared with the hashes that `known` has for the
    /// same MAC address.
    ///
    /// # Errors
    /// As [`AuthList::import`].
    pub fn import_with_known(format: AuthListFormat, text: &str, known: &Self) -> Result<Self, ImportError> {
        Self::import_with(
            format,
            text,
            &ImportOptions {
                known: Some(known),
                ..ImportOptions::default()
            },
        )
    }

    /// As [`AuthList::import`], with limits and known hashes of the caller's choice.
    ///
    /// # Errors
    /// As [`AuthList::import`].
    pub fn import_with(
        format: AuthListFormat,
        text: &str,
        options: &ImportOptions<'_>,
    ) -> Result<Self, ImportError> {
        if text.len() > options.max_bytes {
            return Err(ImportError::TooLarge {
                bytes: text.len(),
                max: options.max_bytes,
            });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().count();
        if lines > options.max_lines {
            return Err(ImportError::TooManyLines {
                lines,
                max: options.max_lines,
            });
        }
        let parsed = match format {
            AuthListFormat::AireOs => super::aireos::parse(text),
            AuthListFormat::IosXe => super::ios_xe::parse(text),
            AuthListFormat::ServerAuthInfo => super::server_auth_info::parse(text),
            AuthListFormat::Csv => super::csv_table::parse(text),
            AuthListFormat::Toml => super::toml_table::parse(text),
        };
        parsed.into_list(format, options)
    }
}

/// Why an import took nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// The text is too long.
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The text has too many lines.
    TooManyLines {
        /// Its lines.
        lines: usize,
        /// The limit.
        max: usize,
    },
    /// Lines are bad.
    BadLines {
        /// The format the text was read as.
        format: AuthListFormat,
        /// Every bad line, in order. Never empty.
        lines: Vec<BadLine>,
    },
}

impl ImportError {
    /// The bad lines; none for the other errors.
    pub fn bad_lines(&self) -> &[BadLine] {
        match self {
            Self::BadLines { lines, .. } => lines,
            Self::TooLarge { .. } | Self::TooManyLines { .. } => &[],
        }
    }
}

impl fmt::Display for ImportError {
    /// One line, and for bad lines one more for each of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes, max } => {
                write!(f, "the authlist text has {bytes} bytes, at most {max} are read")
            }
            Self::TooManyLines { lines, max } => {
                write!(f, "the authlist text has {lines} lines, at most {max} are read")
            }
            Self::BadLines { format, lines } => {
                let plural = if lines.len() == 1 { "" } else { "s" };
                write!(
                    f,
                    "{} bad line{plural} in the {format} authlist, nothing was taken:",
                    lines.len()
                )?;
                lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
        }
    }
}

impl std::error::Error for ImportError {}

impl Diagnose for ImportError {
    fn diagnose(&self) -> Failure {
        let (cause, remedy) = match self {
            Self::TooLarge { .. } | Self::TooManyLines { .. } => (
                format!("{self}."),
                "Check that this is the authlist's file, or raise the limit.",
            ),
            Self::BadLines { format, lines } => {
                let first = lines.first().map(ToString::to_string).unwrap_or_default();
                let cause = match lines.len() {
                    1 => format!("The {format} authlist has a bad {first}."),
                    count => format!("The {format} authlist has {count} bad lines, the first is {first}."),
                };
                (
                    cause,
                    "Correct every bad line and import again; the list in use has not changed.",
                )
            }
        };
        Failure::new(Rung::Local, cause, remedy)
    }
}

/// A line that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// Its beginning, control characters escaped. Of a line that was not recognised, what follows a word like
    /// `password` is left out.
    pub excerpt: String,
    /// What is wrong with it.
    pub problem: LineProblem,
}

impl BadLine {
    pub(super) fn new(line: Line<'_>, problem: LineProblem) -> Self {
        let shown = match problem {
            LineProblem::Unrecognized { .. } => before_secret(line.raw),
            _ => line.raw,
        };
        Self {
            line: line.number,
            excerpt: excerpt(shown),
            problem,
        }
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: \"{}\"", self.line, self.problem, self.excerpt)
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// It is no line of this format.
    #[error("not understood, expected {expected}")]
    Unrecognized {
        /// What lines of this format look like.
        expected: &'static str,
    },
    /// Its MAC address is bad.
    #[error(transparent)]
    Mac(#[from] MacParseError),
    /// Its key hash is bad.
    #[error(transparent)]
    KeyHash(#[from] KeyHashParseError),
    /// Its type is not known.
    #[error("unknown type \"{word}\", expected {expected}")]
    Type {
        /// The word, control characters escaped.
        word: String,
        /// The words there are.
        expected: &'static str,
    },
    /// Its entry cannot be, or contradicts another one.
    #[error(transparent)]
    Conflict(#[from] AuthListConflict),
    /// It breaks another rule of the format.
    #[error("{what}")]
    Malformed {
        /// Which, in one clause.
        what: String,
    },
}

impl LineProblem {
    pub(super) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed { what: what.into() }
    }

    pub(super) fn unknown_type(word: &str, expected: &'static str) -> Self {
        Self::Type {
            word: excerpt(word),
            expected,
        }
    }
}

/// The words of every [`AuthListType`], for messages.
pub(super) const TYPE_WORDS: &str = "mic, ssc, lsc, lbs-ssc or sha256-lbs-ssc";

/// A line of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'t> {
    /// From 1.
    pub(super) number: usize,
    /// As it is in the text, without the line break.
    pub(super) raw: &'t str,
    /// Without terminal artefacts and surrounding blanks.
    pub(super) clean: &'t str,
}

/// The lines of `text`, numbered.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().enumerate().map(|(index, raw)| Line {
        number: index + 1,
        raw,
        clean: without_pager(raw),
    })
}

/// An entry that a format has read, its key hash not parsed yet.
#[derive(Debug)]
pub(super) struct Record<'t> {
    /// The line that gives the entry.
    pub(super) line: Line<'t>,
    pub(super) mac: MacAddr,
    pub(super) list_type: RecordType,
    pub(super) key_hash: Option<KeyHashText<'t>>,
}

/// The type of a [`Record`].
#[derive(Clone, Copy, Debug)]
pub(super) enum RecordType {
    Listed(AuthListType),
    /// A location server's self-signed certificate; the hash's length says by which algorithm.
    LocationServer,
}

/// A key hash as written.
#[derive(Debug)]
pub(super) struct KeyHashText<'t> {
    pub(super) line: Line<'t>,
    pub(super) text: Cow<'t, str>,
    /// The algorithm the format says it has.
    pub(super) expected: Option<HashAlgorithm>,
}

impl Record<'_> {
    fn entry(&self) -> Result<AuthListEntry, LineProblem> {
        let key_hash = self.key_hash.as_ref().map(KeyHashText::parse).transpose()?;
        let list_type = match (self.list_type, key_hash) {
            (RecordType::Listed(list_type), _) => list_type,
            (RecordType::LocationServer, Some(hash)) => AuthListType::location_server(hash.algorithm()),
            (RecordType::LocationServer, None) => {
                return Err(LineProblem::malformed("the entry has no key hash"));
            }
        };
        Ok(AuthListEntry {
            mac: self.mac,
            list_type,
            key_hash,
        })
    }

    /// The line to blame for a problem: that of the key hash when there is one.
    fn blamed_line(&self) -> Line<'_> {
        self.key_hash.as_ref().map_or(self.line, |text| text.line)
    }
}

impl KeyHashText<'_> {
    fn parse(&self) -> Result<KeyHash, LineProblem> {
        let hash: KeyHash = self.text.parse()?;
        match self.expected {
            Some(expected) if hash.algorithm() != expected => Err(LineProblem::malformed(format!(
                "the {expected} key hash must have {} hexadecimal digits, found {}",
                expected.digits(),
                hash.algorithm().digits()
            ))),
            _ => Ok(hash),
        }
    }
}

/// What a format has made of a text.
#[derive(Debug, Default)]
pub(super) struct Parsed<'t> {
    pub(super) records: Vec<Record<'t>>,
    pub(super) bad: Vec<BadLine>,
}

impl Parsed<'_> {
    fn into_list(self, format: AuthListFormat, options: &ImportOptions<'_>) -> Result<AuthList, ImportError> {
        let Self { records, mut bad } = self;
        let mut list = AuthList::new();
        let mut damaged = Vec::new();
        for record in &records {
            match record.entry() {
                Ok(entry) => {
                    if let Err(conflict) = list.insert(entry) {
                        bad.push(BadLine::new(record.blamed_line(), conflict.into()));
                    }
                }
                Err(LineProblem::KeyHash(error)) => damaged.push((record, error)),
                Err(problem) => bad.push(BadLine::new(record.blamed_line(), problem)),
            }
        }
        // After all good entries are in: the sound copy of a damaged hash may stand further down.
        for (record, error) in damaged {
            let text = record.key_hash.as_ref().map_or("", |hash| &hash.text);
            let known = list
                .known_hashes(record.mac)
                .chain(
                    options
                        .known
                        .into_iter()
                        .flat_map(|known| known.known_hashes(record.mac)),
                )
                .chain(options.known_hashes.iter().copied());
            bad.push(BadLine::new(
                record.blamed_line(),
                error.compared_with(text, known).into(),
            ));
        }
        if bad.is_empty() {
            return Ok(list);
        }
        bad.sort_by_key(|line| line.line);
        // Several user names may share one damaged key hash.
        bad.dedup();
        Err(ImportError::BadLines { format, lines: bad })
    }
}

/// The line without what a terminal's pager leaves in a copied screen, and without surrounding blanks.
///
/// A pager prints `--More--`, then overwrites it with backspaces and blanks; some programs save the backspaces
/// as question marks (F001-11).
pub(super) fn without_pager(line: &str) -> &str {
    let noise = |c: char| c.is_whitespace() || c == '\u{8}';
    let mut rest = line.trim_matches(noise);
    while let Some(after) = rest.strip_prefix("--More--") {
        let after = after.trim_start();
        let after = after.strip_prefix("or (q)uit").unwrap_or(after);
        rest = after.trim_start_matches(|c| noise(c) || c == '?');
    }
    rest
}

/// The line without the prompt of a device: `(Cisco Controller) >`, `Switch(config)#`, `cmd>`, `[root@mse ~]#`.
pub(super) fn without_prompt(line: &str) -> &str {
    let after = |end: &str| line.find(end).and_then(|at| line.get(at + end.len()..));
    let rest = match line.chars().next() {
        Some('(') => after(") >").or_else(|| after(")>")),
        Some('[') if !line.starts_with("[[") => after("]#").or_else(|| after("]$")),
        _ => line
            .split_once(['#', '>'])
            .and_then(|(prompt, rest)| is_prompt(prompt).then_some(rest)),
    };
    rest.unwrap_or(line).trim_start()
}

fn is_prompt(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.:@/()".contains(c))
}

/// What follows `keywords` on the line, or `None` when it does not begin with them. Case does not matter.
pub(super) fn strip_keywords<'t>(line: &'t str, keywords: &[&str]) -> Option<&'t str> {
    keywords.iter().try_fold(line, |rest, keyword| {
        let (word, rest) = next_word(rest);
        word.eq_ignore_ascii_case(keyword).then_some(rest)
    })
}

/// The first word and the rest, both without the blanks around them.
pub(super) fn next_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// Longest excerpt of a line in a report, in characters: enough for a MAC address and a SHA-256 hash.
const EXCERPT_CHARACTERS: usize = 120;

/// The beginning of a text, control characters escaped.
pub(super) fn excerpt(text: &str) -> String {
    Escaped::new(text).at_most(EXCERPT_CHARACTERS).to_string()
}

/// Words of a configuration that a secret follows.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "secret",
    "key",
    "community",
    "passphrase",
    "psk",
    "ascii",
    "hex",
    "token",
];

/// The line up to a word that a secret follows. An unrelated configuration line may hold one; a report must not.
fn before_secret(line: &str) -> &str {
    let mut end = 0;
    for word in line.split_inclusive(char::is_whitespace) {
        end += word.len();
        let word = word.trim().to_ascii_lowercase();
        if SECRET_WORDS.iter().any(|secret| word.contains(secret)) {
            return line.get(..end).unwrap_or("").trim_end();
        }
    }
    line
}
