//! What came out of reading logs.

mod json;
mod text;

use std::collections::BTreeMap;

use pki_common::Escaped;

use super::MAX_UNKNOWN;
use super::correlate::Clock;
use super::line::Source;
use super::session::{Session, SessionKind};
use super::time::Zone;

/// A line that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLine {
    /// Its number, from 1.
    pub line: u64,
    /// Its beginning, with control characters escaped.
    pub text: String,
}

/// How many lines of a source were understood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines whose meaning is known.
    pub understood: u64,
    /// Lines of the shape of this source with other words.
    pub unknown: u64,
}

/// Lines that are missing in a trace whose lines are numbered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many gaps there are.
    pub gaps: u64,
    /// How many lines are missing in them.
    pub missing: u64,
    /// The number of the line after the first gap.
    pub first: Option<u64>,
    /// Lines that have a number of an earlier one.
    pub repeated: u64,
}

impl Gaps {
    pub(super) fn step(&mut self, last: u64, sequence: u64, line: u64) {
        match sequence.checked_sub(last) {
            Some(0) => self.repeated += 1,
            Some(1) => {}
            Some(distance) => {
                self.gaps += 1;
                self.missing = self.missing.saturating_add(distance - 1);
                self.first.get_or_insert(line);
            }
            // Numbers begin anew when the device starts.
            None => {}
        }
    }
}

/// What was read of one file. `lines` is the sum of `blank`, `unknown` and the counts of all sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// Its name.
    pub name: String,
    /// All lines.
    pub lines: u64,
    /// Lines with nothing, or only a pager's prompt, in them.
    pub blank: u64,
    /// Lines longer than [`MAX_LINE`](super::MAX_LINE), of which only the beginning was read.
    pub cut: u64,
    /// Lines of each log in it.
    pub sources: BTreeMap<Source, Counts>,
    /// Lines of no known shape.
    pub unknown: u64,
    /// The first line that was not understood.
    pub first_unknown: Option<UnknownLine>,
    /// The last one, when there is another one.
    pub last_unknown: Option<UnknownLine>,
    /// What is missing in an NMSP trace.
    pub gaps: Gaps,
    /// The zones that lines say.
    pub(super) zones: BTreeMap<Source, Zone>,
    /// Whether lines have a date.
    pub(super) dated: BTreeMap<Source, bool>,
}

impl FileReport {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            lines: 0,
            blank: 0,
            cut: 0,
            sources: BTreeMap::new(),
            unknown: 0,
            first_unknown: None,
            last_unknown: None,
            gaps: Gaps::default(),
            zones: BTreeMap::new(),
            dated: BTreeMap::new(),
        }
    }

    pub(super) fn note_unknown(&mut self, line: u64, text: &str) {
        let text = Escaped::new(text).at_most(MAX_UNKNOWN).to_string();
        let unknown = UnknownLine { line, text };
        if self.first_unknown.is_none() {
            self.first_unknown = Some(unknown);
        } else {
            self.last_unknown = Some(unknown);
        }
    }

    /// All lines that were not understood.
    #[must_use]
    pub fn not_understood(&self) -> u64 {
        self.unknown + self.sources.values().map(|counts| counts.unknown).sum::<u64>()
    }
}

/// Sessions that are only counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The place in [`Report::files`].
    pub file: usize,
    /// What they are.
    pub kind: SessionKind,
    /// `succeeded`, `failed` or `unfinished`.
    pub outcome: &'static str,
    /// The stable name of the cause they failed by.
    pub known_cause: Option<&'static str>,
    /// How many.
    pub count: u64,
}

/// The result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The files, in the order in which they were read.
    pub files: Vec<FileReport>,
    /// The sessions, by file and in the order in which they ended.
    pub sessions: Vec<Session>,
    /// Sessions like those in `sessions` that are not in it.
    pub left_out: Vec<LeftOut>,
    /// The clocks of the logs.
    pub clocks: Vec<Clock>,
    /// All sessions that succeeded.
    pub succeeded: u64,
    /// All that failed.
    pub failed: u64,
    /// All of which the log has no end.
    pub unfinished: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_missing_in_a_sequence() {
        let mut gaps = Gaps::default();
        for (line, (last, next)) in [(1, 2), (2, 5), (5, 5), (5, 1), (1, 3)].into_iter().enumerate() {
            gaps.step(last, next, u64::try_from(line).unwrap());
        }
        assert_eq!(
            gaps,
            Gaps {
                gaps: 2,
                missing: 3,
                first: Some(1),
                repeated: 1
            }
        );
    }
}
