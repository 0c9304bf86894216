//! Reads logs of the vendor's devices and of this project, and says what happened, why, and what to do about it.
//!
//! Lines are told apart one by one, so a file may hold several logs. They are brought into order, put together to
//! sessions, and judged; then sessions of several logs that speak of the same are linked. Memory is bounded whatever the
//! length of a log.
//!
//! ```
//! use interop::explain::{Explainer, Settings};
//!
//! let log = "2019/03/05 12:31:21 [info] 1#0: login_to_certsrv_ca: Curl call for MS CA login failed with return code 28 \
//!            (Operation timed out after 10000 milliseconds with 0 bytes received)\n";
//! let mut explainer = Explainer::new(Settings::default());
//! explainer.read("error.log", log.as_bytes())?;
//! let report = explainer.finish();
//! assert_eq!(report.sessions[0].headline(), "the login to AD CS failed: AD CS did not answer in time");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | `read` | lines of any length, without the debris of pagers and terminals |
//! | `time` | times and zones as logs print them |
//! | `line` | what one line says, for each kind of log |
//! | `window` | lines in the order in which they were written |
//! | `session` | what belongs together, and how it ended |
//! | [`number`] | the numbers of OpenSSL, libcurl, libest, Windows and AD CS |
//! | `correlate` | clocks of several logs, and what one says of the other's events |
//! | [`report`] | the result, for people and as JSON |

pub mod number;
pub mod report;

mod correlate;
mod line;
mod read;
mod session;
mod time;
mod window;

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use pki_common::KnownCause;

pub use correlate::{Clock, Origin};
pub use line::Source;
pub use read::MAX_LINE;
pub use report::{Counts, FileReport, Gaps, LeftOut, Report, UnknownLine};
pub use session::{Correction, Event, Link, Outcome, Session, SessionKind, Verdict};
pub use time::Zone;

use line::iis::Fields;
use session::Sessions;
use window::Window;

/// The sessions of one file, kind and outcome that are told whole; the others are counted. A person reads a few.
pub const MAX_ALIKE: u64 = 20;
/// Kinds of sessions with their outcomes that are counted apart; there are fewer.
const MAX_GROUPS: usize = 1024;
/// The longest part of an unknown line that is kept, in characters.
const MAX_UNKNOWN: usize = 200;

/// What the caller knows of the logs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The zone of a file, by its name, for logs that do not say it.
    pub zones: BTreeMap<String, Zone>,
    /// By how many milliseconds the clock of a file is ahead, by the file's name.
    pub skews: BTreeMap<String, i64>,
}

/// Reads logs, one after the other.
#[derive(Debug)]
pub struct Explainer {
    settings: Settings,
    report: Report,
    /// The sessions by file, kind, outcome and cause.
    groups: BTreeMap<(usize, SessionKind, &'static str, Option<&'static str>), u64>,
}

impl Explainer {
    /// With nothing read yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            report: Report::default(),
            groups: BTreeMap::new(),
        }
    }

    /// Reads a log to its end.
    ///
    /// # Errors
    ///
    /// When it cannot be read; what was read until then is part of the report.
    pub fn read(&mut self, name: &str, input: impl BufRead) -> io::Result<()> {
        self.read_showing(name, input, |_, _| {})
    }

    /// Reads a log to its end, and hands each line that is not understood to `unknown`, with its number from 1.
    ///
    /// # Errors
    ///
    /// When it cannot be read; what was read until then is part of the report.
    pub fn read_showing(
        &mut self,
        name: &str,
        mut input: impl BufRead,
        mut unknown: impl FnMut(u64, &str),
    ) -> io::Result<()> {
        let mut file = Reading::new(name);
        let mut bytes = Vec::new();
        let mut ended = Vec::new();
        let result = loop {
            match read::next_line(&mut input, &mut bytes) {
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
                Ok(Some(cut)) => {
                    file.line(&read::clean(&bytes), cut, &mut ended, &mut unknown);
                    self.take(&mut ended);
                }
            }
        };
        let report = file.finish(&mut ended);
        self.take(&mut ended);
        self.report.files.push(report);
        result
    }

    /// Takes sessions of the file that is being read.
    fn take(&mut self, ended: &mut Vec<Session>) {
        for mut session in ended.drain(..) {
            session.file = self.report.files.len();
            let (outcome, cause) = match &session.outcome {
                Outcome::Succeeded(_) => ("succeeded", None),
                Outcome::Unfinished(_) => ("unfinished", None),
                Outcome::Failed(verdict) => ("failed", verdict.failure.known_cause.map(KnownCause::name)),
            };
            match outcome {
                "succeeded" => self.report.succeeded += 1,
                "failed" => self.report.failed += 1,
                _ => self.report.unfinished += 1,
            }
            let key = (session.file, session.kind, outcome, cause);
            if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&key) {
                continue;
            }
            let alike = self.groups.entry(key).or_default();
            *alike += 1;
            if *alike <= MAX_ALIKE {
                self.report.sessions.push(session);
            }
        }
    }

    /// Links what several logs say, and gives the result.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.report.left_out = self
            .groups
            .into_iter()
            .filter(|(_, count)| *count > MAX_ALIKE)
            .map(|((file, kind, outcome, cause), count)| LeftOut {
                file,
                kind,
                outcome,
                known_cause: cause,
                count: count - MAX_ALIKE,
            })
            .collect();
        correlate::correlate(&mut self.report, &self.settings);
        self.report
    }
}

/// One file that is being read.
#[derive(Debug)]
struct Reading {
    report: FileReport,
    fields: Fields,
    windows: BTreeMap<Source, Window>,
    sessions: Sessions,
    last_sequence: Option<u64>,
}

impl Reading {
    fn new(name: &str) -> Self {
        Self {
            report: FileReport::new(name),
            fields: Fields::default(),
            windows: BTreeMap::new(),
            sessions: Sessions::default(),
            last_sequence: None,
        }
    }

    fn line(&mut self, text: &str, cut: bool, ended: &mut Vec<Session>, unknown: &mut impl FnMut(u64, &str)) {
        self.report.lines += 1;
        self.report.cut += u64::from(cut);
        let number = self.report.lines;
        if text.trim().is_empty() {
            self.report.blank += 1;
            return;
        }
        let Some(line) = line::read(text, &mut self.fields) else {
            self.report.unknown += 1;
            self.report.note_unknown(number, text);
            return unknown(number, text);
        };
        let counts = self.report.sources.entry(line.source).or_default();
        if line.says == line::Says::Unknown {
            counts.unknown += 1;
            self.report.note_unknown(number, text);
            unknown(number, text);
        } else {
            counts.understood += 1;
        }
        if let Some(zone) = line.stamp.and_then(|stamp| stamp.zone) {
            self.report.zones.insert(line.source, zone);
        }
        if let Some(stamp) = line.stamp {
            self.report.dated.insert(line.source, stamp.dated);
        }
        let window = self.windows.entry(line.source).or_default();
        if let Some(oldest) = window.push(number, line.stamp, line.sequence, line.says) {
            self.place(line.source, oldest, ended);
        }
    }

    fn place(&mut self, source: Source, line: window::Placed, ended: &mut Vec<Session>) {
        if source == Source::NmspTrace
            && let Some(sequence) = line.sequence
            && let Some(last) = self.last_sequence.replace(sequence)
        {
            self.report.gaps.step(last, sequence, line.number);
        }
        self.sessions.line(line, ended);
    }

    fn finish(mut self, ended: &mut Vec<Session>) -> FileReport {
        for (source, mut window) in std::mem::take(&mut self.windows) {
            while let Some(line) = window.pop() {
                self.place(source, line, ended);
            }
        }
        self.sessions.finish(ended);
        self.report
    }
}
