//! The report for programs.

use pki_common::KnownCause;
use serde_json::{Value, json};

use super::{FileReport, Report, UnknownLine};
use crate::explain::correlate::Clock;
use crate::explain::session::{Outcome, Session, Verdict};
use crate::explain::time;

impl Report {
    /// The whole report as one value.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
            "sessions": self.sessions.iter().map(|session| self.session_json(session)).collect::<Vec<_>>(),
            "left_out": self.left_out.iter().map(|left| json!({
                "file": self.name_of(left.file),
                "kind": left.kind.name(),
                "outcome": left.outcome,
                "known_cause": left.known_cause,
                "count": left.count,
            })).collect::<Vec<_>>(),
            "clocks": self.clocks.iter().map(|clock| self.clock_json(clock)).collect::<Vec<_>>(),
            "summary": { "succeeded": self.succeeded, "failed": self.failed, "unfinished": self.unfinished },
        })
    }

    fn name_of(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.name)
    }

    fn session_json(&self, session: &Session) -> Value {
        let dated = self.is_dated(session);
        let clock = |wall: Option<i64>| wall.map(|wall| time::Clock { wall, dated }.to_string());
        let (outcome, verdict_json) = match &session.outcome {
            Outcome::Succeeded(_) => ("succeeded", Value::Null),
            Outcome::Unfinished(_) => ("unfinished", Value::Null),
            Outcome::Failed(failed) => ("failed", verdict(failed)),
        };
        json!({
            "kind": session.kind.name(),
            "name": session.name,
            "file": self.name_of(session.file),
            "source": session.source.name(),
            "began": clock(session.began),
            "ended": clock(session.ended),
            "outcome": outcome,
            "headline": session.headline(),
            "verdict": verdict_json,
            "events": session.events.iter().map(|event| json!({
                "line": event.line,
                "time": clock(event.at),
                "after_ms": event.at.zip(session.began).map(|(at, began)| at - began),
                "text": event.text,
            })).collect::<Vec<_>>(),
            "events_left_out": session.events_left_out,
            "misleading": session.corrections.iter().map(|correction| json!({
                "words": correction.words,
                "meaning": correction.meaning,
            })).collect::<Vec<_>>(),
            "notes": session.notes,
            "links": session.links.iter().map(|link| json!({
                "file": self.name_of(link.file),
                "line": link.line,
                "text": link.text,
            })).collect::<Vec<_>>(),
        })
    }

    fn clock_json(&self, clock: &Clock) -> Value {
        json!({
            "file": self.name_of(clock.file),
            "source": clock.source.name(),
            "zone": clock.zone.map(|zone| zone.to_string()),
            "zone_from": clock.zone_from.name(),
            "skew_ms": clock.skew,
            "skew_from": clock.skew_from.name(),
            "matches": clock.matches,
        })
    }
}

fn verdict(verdict: &Verdict) -> Value {
    let failure = &verdict.failure;
    json!({
        "rung": failure.rung.to_string(),
        "refused_by": verdict.refused_by,
        "alert": failure.alert.map(|alert| json!({ "number": alert.0, "name": alert.name() })),
        "known_cause": failure.known_cause.map(KnownCause::name),
        "cause": failure.cause,
        "remedy": failure.remedy,
    })
}

fn file(file: &FileReport) -> Value {
    let sources: serde_json::Map<_, _> = file
        .sources
        .iter()
        .map(|(source, counts)| {
            let counts = json!({ "understood": counts.understood, "unknown": counts.unknown });
            (source.name().to_owned(), counts)
        })
        .collect();
    json!({
        "name": file.name,
        "lines": file.lines,
        "blank": file.blank,
        "cut": file.cut,
        "sources": sources,
        "unknown": file.unknown,
        "first_unknown": file.first_unknown.as_ref().map(unknown),
        "last_unknown": file.last_unknown.as_ref().map(unknown),
        "gaps": {
            "gaps": file.gaps.gaps,
            "missing_lines": file.gaps.missing,
            "first_before_line": file.gaps.first,
            "repeated_lines": file.gaps.repeated,
        },
    })
}

fn unknown(line: &UnknownLine) -> Value {
    json!({ "line": line.line, "text": line.text })
}
