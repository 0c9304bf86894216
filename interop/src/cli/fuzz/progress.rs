//! How far a run has come, on standard error.

use indicatif::{ProgressBar, ProgressStyle};
use interop::device_fuzz::case::Case;
use interop::device_fuzz::resume::State;
use interop::device_fuzz::run::Progress;
use interop::device_fuzz::verdict::{Harm, Verdict};

/// A bar. It draws nothing where standard error is no terminal.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Of so many cases, of which some were played before.
    pub(super) fn new(cases: u64, played: u64, quiet: bool) -> Self {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(cases)
        };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} cases, {elapsed}, {msg}");
        // The template is a constant; without it the bar has its own style.
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_position(played);
        Self(bar)
    }
}

impl Progress for Bar {
    fn played(&mut self, state: &State, case: &Case, verdict: Verdict) {
        self.0.set_position(state.next);
        self.0.set_message(format!(
            "{} findings, {}: {verdict}",
            state.findings.len(),
            case.layer
        ));
    }

    fn found(&mut self, case: &Case, harm: &Harm) {
        let line = format!("case {} ({}, {}): {harm}", case.index, case.layer, case.name);
        if self.0.is_hidden() {
            crate::cli::report(&line);
        } else {
            self.0.println(line);
        }
    }

    fn minimising(&mut self, trials: u32) {
        self.0.set_message(format!("making it smaller, trial {trials}"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
