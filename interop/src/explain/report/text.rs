//! The report for people.

use core::fmt::{self, Write as _};

use pki_common::Escaped;

use super::{FileReport, Report};
use crate::explain::correlate::{Clock, Origin};
use crate::explain::session::{Outcome, Session, Verdict};
use crate::explain::time;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, file) in self.files.iter().enumerate() {
            self.file(f, index, file)?;
        }
        if self.files.len() > 1 || self.clocks.len() > 1 {
            self.print_clocks(f)?;
        }
        writeln!(
            f,
            "{} succeeded, {} failed, {} unfinished",
            self.succeeded, self.failed, self.unfinished
        )
    }
}

impl Report {
    fn file(&self, f: &mut fmt::Formatter<'_>, index: usize, file: &FileReport) -> fmt::Result {
        writeln!(f, "{}: {}", Escaped::new(&file.name), lines(file))?;
        if let Some(first) = &file.first_unknown {
            writeln!(f, "  not understood, first: line {}: {}", first.line, first.text)?;
        }
        if let Some(last) = &file.last_unknown {
            writeln!(f, "  not understood, last: line {}: {}", last.line, last.text)?;
        }
        if let Some(first) = file.gaps.first {
            writeln!(
                f,
                "  {} of the trace missing in {}, the first one before line {first}",
                plural(file.gaps.missing, "line"),
                plural(file.gaps.gaps, "gap")
            )?;
        }
        if file.gaps.repeated > 0 {
            writeln!(
                f,
                "  {} of the trace repeated",
                plural(file.gaps.repeated, "line")
            )?;
        }
        f.write_char('\n')?;
        for session in self.sessions.iter().filter(|session| session.file == index) {
            self.session(f, session)?;
        }
        for left in self.left_out.iter().filter(|left| left.file == index) {
            let cause = left
                .known_cause
                .map_or_else(String::new, |cause| format!(" ({cause})"));
            writeln!(
                f,
                "and {} more: {} {}{cause}\n",
                left.count,
                left.kind.name(),
                left.outcome
            )?;
        }
        Ok(())
    }

    fn session(&self, f: &mut fmt::Formatter<'_>, session: &Session) -> fmt::Result {
        let dated = self.is_dated(session);
        write!(f, "{}", Escaped::new(&session.name))?;
        if let Some(wall) = session.began {
            write!(f, ", {}", time::Clock { wall, dated })?;
        }
        f.write_char('\n')?;
        for event in &session.events {
            match event.at.zip(session.began) {
                Some((at, began)) => write!(f, "  {:>9}", offset(at - began))?,
                None => write!(f, "  {:>9}", "")?,
            }
            writeln!(f, "  {}", event.text)?;
        }
        if session.events_left_out > 0 {
            writeln!(f, "  {:>9}  and {} more", "", session.events_left_out)?;
        }
        match &session.outcome {
            Outcome::Succeeded(text) => writeln!(f, "  ok: {text}")?,
            Outcome::Unfinished(text) => writeln!(f, "  unfinished: {text}")?,
            Outcome::Failed(verdict) => print_verdict(f, verdict)?,
        }
        for correction in &session.corrections {
            writeln!(
                f,
                "    misleading: {:?}: {}",
                correction.words, correction.meaning
            )?;
        }
        for note in &session.notes {
            writeln!(f, "    note: {}", Escaped::new(note))?;
        }
        for link in &session.links {
            let file = self.files.get(link.file).map_or("", |file| &file.name);
            writeln!(
                f,
                "    also: {} line {}: {}",
                Escaped::new(file),
                link.line,
                link.text
            )?;
        }
        f.write_char('\n')
    }

    pub(super) fn is_dated(&self, session: &Session) -> bool {
        let file = self.files.get(session.file);
        file.and_then(|file| file.dated.get(&session.source))
            .copied()
            .unwrap_or(true)
    }

    fn print_clocks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.clocks.is_empty() {
            return Ok(());
        }
        writeln!(f, "clocks:")?;
        for clock in &self.clocks {
            let file = self.files.get(clock.file).map_or("", |file| &file.name);
            writeln!(
                f,
                "  {} ({}): {}",
                Escaped::new(file),
                clock.source,
                describe(clock, file)
            )?;
        }
        f.write_char('\n')
    }
}

fn print_verdict(f: &mut fmt::Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    let failure = &verdict.failure;
    writeln!(f, "  FAILED: {}", verdict.headline)?;
    write!(f, "    rung: {}", failure.rung)?;
    match (verdict.refused_by, failure.alert) {
        (Some(by), Some(alert)) => write!(f, ", refused by {by} with {alert}")?,
        (Some(by), None) => write!(f, ", refused by {by}")?,
        (None, Some(alert)) => write!(f, ", {alert}")?,
        (None, None) => {}
    }
    if let Some(cause) = failure.known_cause {
        write!(f, ", known as {cause}")?;
    }
    writeln!(f, "\n    cause: {}", Escaped::new(&failure.cause))?;
    writeln!(f, "    remedy: {}", Escaped::new(&failure.remedy))
}

/// `59 lines: 57 of the NMSP trace, 2 not understood`
fn lines(file: &FileReport) -> String {
    let mut text = format!("{}:", plural(file.lines, "line"));
    for (source, counts) in &file.sources {
        let _infallible = write!(text, " {} {source},", counts.understood);
    }
    if file.blank > 0 {
        let _infallible = write!(text, " {} blank,", file.blank);
    }
    let _infallible = write!(text, " {} not understood", file.not_understood());
    if file.cut > 0 {
        let _infallible = write!(text, "; {} longer than 64 KiB", file.cut);
    }
    text
}

fn plural(count: u64, word: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {word}{ending}")
}

/// `+1.332`
fn offset(millis: i64) -> String {
    let sign = if millis < 0 { '-' } else { '+' };
    format!(
        "{sign}{}.{:03}",
        millis.unsigned_abs() / 1000,
        millis.unsigned_abs() % 1000
    )
}

fn describe(clock: &Clock, file: &str) -> String {
    let mut text = match (clock.zone, clock.zone_from) {
        (Some(zone), from) => format!("zone {zone} ({from})"),
        (None, Origin::Estimated) => "zone not known, placed by matching events".to_owned(),
        (None, _) => format!(
            "zone not known, compared with no other log; `--zone {}=-0500` would say it",
            Escaped::new(file)
        ),
    };
    if clock.skew != 0 || clock.matches > 0 {
        let size = time::Seconds(clock.skew.saturating_abs());
        let direction = match clock.skew {
            0 => "in step".to_owned(),
            1.. => format!("{size} ahead"),
            _ => format!("{size} behind"),
        };
        let _infallible = write!(text, ", {direction} ({}", clock.skew_from);
        if clock.matches > 0 {
            let _infallible = write!(
                text,
                " from {}",
                plural(u64::try_from(clock.matches).unwrap_or(u64::MAX), "matching event")
            );
        }
        text.push(')');
    }
    text
}
