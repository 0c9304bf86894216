//! What a fault has shown, and the table of all.

use core::fmt::Write as _;
use core::time::Duration;
use std::path::Path;

use pki_common::Failure;

use super::{ALL, Fault, trouble};

/// How many problems are kept as text; the others are only counted.
pub(super) const MAX_PROBLEMS: usize = 20;

/// What a fault has shown.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The name of the fault.
    pub fault: &'static str,
    /// How often it was done: connections, requests, signals, as its description says.
    pub injected: u64,
    /// Certificates that honest clients received meanwhile.
    pub certificates: u64,
    /// How many of them are not in the database of the authority.
    pub certificates_lost: u64,
    /// Tunnels of honest location servers that came up and brought measurements meanwhile.
    pub tunnels: u64,
    /// What honest clients must not see: a refusal where the fault allows none, an answer that is not whole or is somebody
    /// else's, a tunnel that breaks; and a server that does not do to the others what its documentation says.
    pub wrong_answers: u64,
    /// From the end of the fault until an enrolment, a revocation list, a tunnel with a measurement and the admin listener
    /// are served; the time that takes by itself is in it.
    pub recovery: Duration,
    /// The wrong answers, the first of them.
    pub problems: Vec<String>,
    /// How it was done here, where that differs from machine to machine.
    pub notes: Vec<String>,
    /// Why it was not done.
    pub skipped: Option<String>,
}

impl Outcome {
    /// Not done, because something is missing.
    pub(super) fn skipped(fault: &'static str, reason: impl Into<String>) -> Self {
        Self {
            fault,
            skipped: Some(reason.into()),
            ..Self::default()
        }
    }

    /// Whether it was done, and the servers have borne it.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.skipped.is_none() && self.injected > 0 && self.certificates_lost == 0 && self.wrong_answers == 0
    }

    fn row(&self) -> String {
        let what = Fault::named(self.fault).map_or("", |fault| fault.what);
        if let Some(reason) = &self.skipped {
            return format!("| {}: {what} | skipped: {reason} | | | | | |\n", self.fault);
        }
        format!(
            "| {}: {what} | {} | {} | {} | {} | {} | {} ms |\n",
            self.fault,
            self.injected,
            self.certificates,
            self.certificates_lost,
            self.tunnels,
            self.wrong_answers,
            self.recovery.as_millis(),
        )
    }
}

/// The table of these outcomes, as Markdown, with notes and problems below.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    render(&outcomes.iter().map(Entry::from).collect::<Vec<_>>())
}

/// What the table has about one fault.
#[derive(Debug)]
struct Entry {
    row: String,
    /// Items of the list below the table, each a line.
    said: String,
}

impl From<&Outcome> for Entry {
    fn from(outcome: &Outcome) -> Self {
        let mut said = String::new();
        for line in outcome.notes.iter().chain(&outcome.problems) {
            // Writing to a String cannot fail; what a peer said may have lines of its own.
            writeln!(said, "- {}: {}", outcome.fault, line.trim().replace('\n', " / ")).unwrap_or_default();
        }
        let row = outcome.row();
        Self { row, said }
    }
}

impl Entry {
    /// What a table that was written says of this fault.
    fn written(table: &str, fault: &str) -> Option<Self> {
        let lines = |start: String| {
            let lines = table.split_inclusive('\n');
            lines.filter(|line| line.starts_with(&start)).collect::<String>()
        };
        let row = lines(format!("| {fault}: "));
        let said = lines(format!("- {fault}: "));
        (!row.is_empty()).then_some(Self { row, said })
    }
}

fn render(entries: &[Entry]) -> String {
    let mut text = "| fault | times injected | certificates received meanwhile | certificates lost | tunnels meanwhile | \
                    wrong answers | time to recover |\n|---|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    text.extend(entries.iter().map(|entry| entry.row.as_str()));
    let said: String = entries.iter().map(|entry| entry.said.as_str()).collect();
    if !said.is_empty() {
        text.push('\n');
        text.push_str(&said);
    }
    text
}

/// Between these lines of a document stands the table.
const MARKS: (&str, &str) = (
    "<!-- written by `interop faults` -->\n",
    "<!-- end of what `interop faults` wrote -->\n",
);

/// Puts these outcomes into the table that stands between the marks of a document. What it says of other faults stays.
///
/// # Errors
/// When the document has no marks or cannot be written, or some fault is neither among the outcomes nor in the document: a
/// table that shows a part would look like the whole.
pub fn write_table(path: &Path, outcomes: &[Outcome]) -> Result<(), Failure> {
    let shown = path.display();
    let old = std::fs::read_to_string(path).map_err(|error| trouble(format_args!("{shown}: {error}")))?;
    let (begin, end) = MARKS;
    let parts = old.split_once(begin).and_then(|(before, rest)| {
        let (table, after) = rest.split_once(end)?;
        Some((before, table, after))
    });
    let Some((before, written, after)) = parts else {
        return Err(trouble(format_args!(
            "{shown} has no lines {begin:?} and {end:?}"
        )));
    };
    let (mut entries, mut absent) = (Vec::new(), Vec::new());
    for fault in ALL {
        let outcome = outcomes.iter().find(|outcome| outcome.fault == fault.name);
        let entry = outcome.map(Entry::from);
        match entry.or_else(|| Entry::written(written, fault.name)) {
            Some(entry) => entries.push(entry),
            None => absent.push(fault.name),
        }
    }
    if !absent.is_empty() {
        return Err(trouble(format_args!(
            "the table would lack {}",
            absent.join(", ")
        )));
    }
    let new = format!("{before}{begin}\n{}\n{end}{after}", render(&entries));
    std::fs::write(path, new).map_err(|error| trouble(format_args!("{shown}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(change: impl Fn(&mut Outcome)) -> Vec<Outcome> {
        let one = |fault: &Fault| {
            let mut outcome = Outcome {
                fault: fault.name,
                injected: 1,
                ..Outcome::default()
            };
            change(&mut outcome);
            outcome
        };
        ALL.iter().map(one).collect()
    }

    #[test]
    fn what_was_lost_wrong_skipped_or_never_done_does_not_hold() {
        assert!(every(|_| {}).iter().all(Outcome::holds));
        assert!(!every(|outcome| outcome.injected = 0).iter().any(Outcome::holds));
        assert!(
            !every(|outcome| outcome.certificates_lost = 1)
                .iter()
                .any(Outcome::holds)
        );
        assert!(
            !every(|outcome| outcome.wrong_answers = 1)
                .iter()
                .any(Outcome::holds)
        );
        assert!(!Outcome::skipped("killed", "no reason").holds());
    }

    #[test]
    fn the_table_takes_the_place_of_the_old_one_and_is_never_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faults.md");
        let (begin, end) = MARKS;
        std::fs::write(&path, format!("before\n{begin}old\n{end}after\n")).unwrap();
        let outcomes = every(|outcome| outcome.notes = vec!["so it was".to_owned()]);
        assert!(write_table(&path, outcomes.get(1..).unwrap()).is_err());
        write_table(&path, &outcomes).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("after\n") && !text.contains("old\n"));
        assert!(text.contains("- killed: so it was\n"), "{text}");
        std::fs::write(&path, "no marks").unwrap();
        assert!(write_table(&path, &outcomes).is_err());
    }

    #[test]
    fn one_fault_that_is_done_again_leaves_the_rows_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("faults.md");
        let (begin, end) = MARKS;
        std::fs::write(&path, format!("{begin}{end}")).unwrap();
        write_table(&path, &every(|outcome| outcome.notes = vec!["first".to_owned()])).unwrap();
        let mut again = every(|outcome| {
            outcome.injected = 77;
            outcome.problems = vec!["second\nand more\n".to_owned()];
        });
        again.retain(|outcome| outcome.fault == "killed");
        write_table(&path, &again).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches("| 77 |").count(), 1, "{text}");
        assert_eq!(text.matches("| 1 |").count(), ALL.len() - 1, "{text}");
        assert!(text.contains("- killed: second / and more\n") && !text.contains("- killed: first"));
        assert_eq!(text.matches(": first\n").count(), ALL.len() - 1, "{text}");
    }
}
