//! Runs the rungs one after the other.

use core::time::Duration;
use std::time::{Instant, SystemTime};

use pki_common::{Escaped, Failure};
use serde_json::{Map, Value};

use super::{Check, Report, State};

/// The longest note, in characters: a peer chooses names and reasons.
const MAX_NOTE: usize = 400;

/// What a rung finds while it works. It is kept when the rung fails.
#[derive(Debug, Default)]
pub(super) struct Findings {
    notes: Vec<String>,
    facts: Map<String, Value>,
    warnings: Vec<Failure>,
    skipped: bool,
}

impl Findings {
    /// A line for people. What a peer chose in it is made harmless.
    pub(super) fn note(&mut self, text: impl AsRef<str>) {
        let text = Escaped::new(text.as_ref()).at_most(MAX_NOTE);
        self.notes.push(text.to_string());
    }

    /// The same for programs.
    pub(super) fn fact(&mut self, key: &str, value: impl Into<Value>) {
        self.facts.insert(key.to_owned(), value.into());
    }

    /// Something that should be looked at.
    pub(super) fn warn(&mut self, warning: Failure) {
        self.warnings.push(warning);
    }

    /// The rung was not asked for; `how` says how to ask.
    pub(super) fn skip(&mut self, how: &str) {
        self.note(how);
        self.skipped = true;
    }
}

/// A rung has failed; the reason is in the report.
#[derive(Debug)]
pub(super) struct Stopped;

/// The walk so far.
#[derive(Debug)]
pub(super) struct Walk {
    report: Report,
    /// How long one step may take.
    pub(super) limit: Duration,
}

impl Walk {
    pub(super) fn new(service: &'static str, target: impl Into<String>, limit: Duration) -> Self {
        Self {
            report: Report {
                service,
                target: target.into(),
                began: SystemTime::now(),
                checks: Vec::new(),
            },
            limit,
        }
    }

    /// Does the work of a rung and enters what came of it.
    pub(super) async fn rung<T>(
        &mut self,
        name: &'static str,
        work: impl AsyncFnOnce(&mut Findings) -> Result<T, Failure>,
    ) -> Result<T, Stopped> {
        let mut findings = Findings::default();
        let began = Instant::now();
        let outcome = work(&mut findings).await;
        let took = began.elapsed();
        let (outcome, failure) = match outcome {
            Ok(value) => (Ok(value), None),
            Err(failure) => (Err(Stopped), Some(failure)),
        };
        let state = match &failure {
            Some(_) => State::Failed,
            None if findings.skipped => State::Skipped,
            None if findings.warnings.is_empty() => State::Passed,
            None => State::Warning,
        };
        self.report.checks.push(Check {
            name,
            state,
            took: (state != State::Skipped).then_some(took),
            notes: findings.notes,
            facts: findings.facts,
            warnings: findings.warnings,
            failure,
        });
        outcome
    }

    /// The report. Rungs of the plan that were not tried are entered as not reached.
    pub(super) fn end(mut self, plan: &[&'static str]) -> Report {
        for name in plan {
            if self.report.check(name).is_none() {
                self.report.checks.push(Check {
                    name,
                    state: State::NotReached,
                    took: None,
                    notes: Vec::new(),
                    facts: Map::new(),
                    warnings: Vec::new(),
                    failure: None,
                });
            }
        }
        self.report
    }
}
