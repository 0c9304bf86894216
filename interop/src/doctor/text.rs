//! The report for people.

use core::fmt::Write as _;
use core::time::Duration;

use pki_common::{Escaped, Failure};

use super::{Check, Report, State};

/// How results are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// `✓`, `!`, `✗`, `·`
    Unicode,
    /// `ok`, `!`, `FAILED`, `-`: for terminals and files that have no others.
    Ascii,
}

impl Marks {
    /// What the locale in these variables can show: the first of `LC_ALL`, `LC_CTYPE` and `LANG` that says anything.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Unicode
        } else {
            Self::Ascii
        }
    }

    const fn of(self, state: State) -> &'static str {
        match (self, state) {
            (Self::Unicode, State::Passed) => "✓",
            (Self::Unicode, State::Failed) => "✗",
            (Self::Unicode, State::Skipped | State::NotReached) => "·",
            (Self::Ascii, State::Passed) => "ok",
            (Self::Ascii, State::Failed) => "FAILED",
            (Self::Ascii, State::Skipped | State::NotReached) => "-",
            (_, State::Warning) => "!",
        }
    }
}

/// A checklist, the verdict below it.
#[must_use]
pub fn to_text(report: &Report, marks: Marks) -> String {
    let mut text = format!("doctor {} {}\n\n", report.service, Escaped::new(&report.target));
    for check in &report.checks {
        line(&mut text, check, marks);
    }
    text.push('\n');
    verdict(&mut text, report);
    text
}

fn line(text: &mut String, check: &Check, marks: Marks) {
    let width = match marks {
        Marks::Unicode => 1,
        Marks::Ascii => 6,
    };
    let mark = marks.of(check.state);
    let remark = match (check.state, check.took) {
        (State::NotReached, _) => ": not reached".to_owned(),
        (State::Skipped, _) => ": not asked for".to_owned(),
        (_, Some(took)) => format!(" ({})", milliseconds(took)),
        (_, None) => String::new(),
    };
    // A String takes everything.
    let _ = writeln!(text, "{mark:width$} {}{remark}", check.name);
    let indent = " ".repeat(width + 3);
    for note in &check.notes {
        let _ = writeln!(text, "{indent}{note}");
    }
    for warning in &check.warnings {
        let _ = writeln!(
            text,
            "{indent}! {}{}",
            name(warning),
            Escaped::new(&warning.cause)
        );
        let _ = writeln!(text, "{indent}  {}", Escaped::new(&warning.remedy));
    }
}

fn verdict(text: &mut String, report: &Report) {
    let Some(failure) = report.failure() else {
        let warnings = match report.warnings().count() {
            0 => String::new(),
            1 => ", with one warning".to_owned(),
            count => format!(", with {count} warnings"),
        };
        let _ = writeln!(text, "verdict: healthy{warnings}");
        return;
    };
    let name = match failure.known_cause {
        Some(known_cause) => known_cause.name(),
        None => "a cause without a name",
    };
    let _ = writeln!(text, "verdict: {name}\n{failure}");
    let _ = writeln!(text, "exit status: {}", report.exit_number());
}

fn name(failure: &Failure) -> String {
    failure
        .known_cause
        .map_or_else(String::new, |known_cause| format!("{known_cause}: "))
}

fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use pki_common::KnownCause;

    use super::*;

    fn check(name: &'static str, state: State) -> Check {
        Check {
            name,
            state,
            took: matches!(state, State::Passed | State::Failed | State::Warning)
                .then_some(Duration::from_millis(12)),
            notes: Vec::new(),
            facts: serde_json::Map::new(),
            warnings: Vec::new(),
            failure: None,
        }
    }

    #[test]
    fn a_checklist_ends_with_rung_side_cause_and_remedy() {
        let failed = Check {
            failure: Some(KnownCause::NameNotResolved.failure("no.example has no address.")),
            ..check("name resolution", State::Failed)
        };
        let report = Report {
            service: "est",
            target: "https://no.example\u{1b}[2J".to_owned(),
            began: SystemTime::UNIX_EPOCH,
            checks: vec![failed, check("TCP", State::NotReached)],
        };
        let text = to_text(&report, Marks::Ascii);
        assert!(
            text.contains("FAILED name resolution (12 ms)\n-      TCP: not reached\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "verdict: name-not-resolved\nrung: name resolution\ncause: no.example has no address.\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("exit status: 10\n") && text.is_ascii(), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert!(to_text(&report, Marks::Unicode).contains("✗ name resolution"));
    }

    #[test]
    fn the_locale_decides_about_marks() {
        let locale = |set: &'static [(&str, &str)]| {
            Marks::of_locale(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(locale(&[("LANG", "de_DE.UTF-8")]), Marks::Unicode);
        assert_eq!(locale(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]), Marks::Ascii);
        assert_eq!(
            locale(&[("LC_ALL", ""), ("LC_CTYPE", "en_US.utf8")]),
            Marks::Unicode
        );
        assert_eq!(locale(&[]), Marks::Ascii);
    }
}
