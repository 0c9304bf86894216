//! Case after case, within a budget; what hurts is made small.

use core::time::Duration;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pki_common::{Diagnose, Failure, Rung};
use tokio::time::sleep;

use super::case::Case;
use super::examine::{Examined, Examiner, LEAK_PLAYS};
use super::grammar::Grammar;
use super::liveness::Liveness;
use super::minimise::{self, Bounds, Trial};
use super::report;
use super::resources::Usage;
use super::resume::{Finding, Replay, ResumeError, State};
use super::target::Target;
use super::verdict::{Harm, Verdict};

/// How often the state is written while nothing happens.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// How many cases are remembered for a harm that needs several of them.
const REMEMBERED: usize = 64;

/// How many of them are tried for a leak.
const SUSPECTS: usize = 12;

/// What a whole run may use up; `None` is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Cases.
    pub cases: Option<u64>,
    /// Time, that of earlier parts of a resumed run included.
    pub time: Option<Duration>,
    /// Bytes sent, before encryption.
    pub bytes: Option<u64>,
    /// Connections, looks for life included.
    pub connections: Option<u64>,
}

impl Default for Budget {
    /// 10,000 cases, an hour, 1 GiB, 100,000 connections: whichever comes first.
    fn default() -> Self {
        Self {
            cases: Some(10_000),
            time: Some(Duration::from_secs(3600)),
            bytes: Some(1024 * 1024 * 1024),
            connections: Some(100_000),
        }
    }
}

/// How a run goes on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it may use up.
    pub budget: Budget,
    /// The time from the beginning of one case to that of the next, at least.
    pub pace: Duration,
    /// Ends the run; each finding costs a minimisation.
    pub max_findings: usize,
    /// How long a case is made smaller; `None` does not.
    pub minimise: Option<Bounds>,
    /// Where the state, the reports and the findings go.
    pub folder: Option<PathBuf>,
}

impl Default for Settings {
    /// Ten cases in a second, ten findings, no folder.
    fn default() -> Self {
        Self {
            budget: Budget::default(),
            pace: Duration::from_millis(100),
            max_findings: 10,
            minimise: Some(Bounds::default()),
            folder: None,
        }
    }
}

/// Is told how far a run has come.
pub trait Progress {
    /// A case was played.
    fn played(&mut self, _state: &State, _case: &Case, _verdict: Verdict) {}
    /// Something was found; it is being made smaller.
    fn found(&mut self, _case: &Case, _harm: &Harm) {}
    /// So many trials of a minimisation were made.
    fn minimising(&mut self, _trials: u32) {}
}

/// Nobody is told.
impl Progress for () {}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The device did not work before the first case.
    #[error("before the first case, the device does not work: {0}")]
    NotWorking(String),
    /// The process cannot be watched.
    #[error("process {0} cannot be watched: there is none, or it belongs to somebody else")]
    NoProcess(u32),
    /// State or reports cannot be written.
    #[error(transparent)]
    Files(#[from] ResumeError),
}

impl Diagnose for RunError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NotWorking(_) => "Make the plain client work first; `interop doctor` says what is missing.",
            Self::NoProcess(_) => "Give the number of the device's process, or leave --pid out.",
            Self::Files(error) => return error.diagnose(),
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

/// Runs until the budget is used up, `stop` becomes true, enough was found, or the device does not come back.
///
/// # Errors
/// The device does not work before the first case, or the folder cannot be written.
pub async fn run<G: Grammar, T: Target, L: Liveness<T>>(
    examiner: &mut Examiner<G, T, L>,
    settings: &Settings,
    mut state: State,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<State, RunError> {
    if let Some(folder) = &settings.folder {
        std::fs::create_dir_all(folder).map_err(|source| ResumeError::Io {
            path: folder.clone(),
            source,
        })?;
    }
    examiner.liveness.question().clone_into(&mut state.question);
    examiner.works().await.map_err(RunError::NotWorking)?;
    let baseline = examiner.usage_when_idle().await;
    if let (Some(pid), None) = (examiner.pid, baseline) {
        return Err(RunError::NoProcess(pid));
    }
    let began = Instant::now();
    let mut going = Run {
        baseline,
        examiner,
        settings,
        earlier: Duration::from_millis(state.elapsed_milliseconds),
        state: &mut state,
        progress,
        stop,
        began,
        saved: began,
        recent: VecDeque::new(),
    };
    going.state.ended = Some(going.go().await?);
    going.note_time();
    if let Some(folder) = &settings.folder {
        state.save(folder)?;
        report::write(&state, folder)?;
    }
    Ok(state)
}

struct Run<'a, G, T, L> {
    examiner: &'a mut Examiner<G, T, L>,
    settings: &'a Settings,
    state: &'a mut State,
    progress: &'a mut dyn Progress,
    stop: &'a AtomicBool,
    began: Instant,
    /// Spent in earlier parts of a resumed run.
    earlier: Duration,
    saved: Instant,
    /// What the process used before the first case, or after the last finding about that.
    baseline: Option<Usage>,
    recent: VecDeque<Case>,
}

impl<G: Grammar, T: Target, L: Liveness<T>> Run<'_, G, T, L> {
    /// Why it ended.
    async fn go(&mut self) -> Result<String, RunError> {
        let mut due = Instant::now();
        loop {
            if let Some(reason) = self.reason_to_end() {
                return Ok(reason);
            }
            sleep(due.saturating_duration_since(Instant::now())).await;
            due = Instant::now() + self.settings.pace;
            let case = self
                .examiner
                .grammar
                .case(self.state.identity.seed, self.state.next);
            let examined = self.examiner.examine(&case).await;
            self.note(&case, &examined);
            let mut works = examined.works;
            match &examined.harm {
                Some(harm) => works &= self.find(&case, harm.clone(), &examined).await?,
                None => works &= self.look_at_resources(&case, &examined).await?,
            }
            if !works {
                return Ok("the device did not come back".to_owned());
            }
            self.save_now_and_then()?;
        }
    }

    fn reason_to_end(&self) -> Option<String> {
        let (budget, state) = (self.settings.budget, &self.state);
        let used = |used: u64, bound: Option<u64>| bound.is_some_and(|bound| used >= bound);
        let reason = if self.stop.load(Ordering::Relaxed) {
            "it was interrupted"
        } else if used(state.next, budget.cases) {
            "the budget of cases is used up"
        } else if budget
            .time
            .is_some_and(|time| self.earlier + self.began.elapsed() >= time)
        {
            "the budget of time is used up"
        } else if used(state.bytes, budget.bytes) {
            "the budget of bytes is used up"
        } else if used(state.connections, budget.connections) {
            "the budget of connections is used up"
        } else if state.findings.len() >= self.settings.max_findings {
            "enough was found"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }

    fn note(&mut self, case: &Case, examined: &Examined) {
        self.state.next += 1;
        self.state.bytes = self.state.bytes.saturating_add(case.bytes());
        self.state.connections += examined.connections;
        self.state.count(case, examined.verdict);
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(case.clone());
        self.progress.played(self.state, case, examined.verdict);
    }

    fn note_time(&mut self) {
        let elapsed = self.earlier + self.began.elapsed();
        self.state.elapsed_milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    }

    fn save_now_and_then(&mut self) -> Result<(), RunError> {
        if self.saved.elapsed() >= SAVE_INTERVAL {
            self.saved = Instant::now();
            self.note_time();
            if let Some(folder) = &self.settings.folder {
                self.state.save(folder)?;
            }
        }
        Ok(())
    }

    /// Notes a finding, with the smallest case for it. `false` if the device does not work afterwards.
    async fn find(&mut self, case: &Case, harm: Harm, examined: &Examined) -> Result<bool, RunError> {
        if self.is_known(case, &harm) {
            return Ok(true);
        }
        self.progress.found(case, &harm);
        let (minimal, minimisation, works) = match self.settings.minimise {
            _ if !examined.works => (
                None,
                "Not made smaller: the device did not come back.".to_owned(),
                false,
            ),
            None => (None, "Not made smaller: that was switched off.".to_owned(), true),
            Some(bounds) => self.minimise(case, &harm, bounds).await,
        };
        self.file(case, harm, minimal, minimisation, examined.seen.clone())?;
        self.baseline = self.examiner.usage();
        Ok(works)
    }

    /// Whether the same kind of mutation did the same kind of harm before, or the same wrong answer came; it is counted then.
    fn is_known(&mut self, case: &Case, harm: &Harm) -> bool {
        let known = self.state.findings.iter_mut().find(|finding| {
            let same_mutation =
                finding.case.layer == case.layer && finding.case.mutation() == case.mutation();
            finding.harm.kind() == harm.kind()
                && match harm.complaint() {
                    Some(complaint) => finding.harm.complaint() == Some(complaint),
                    None => same_mutation,
                }
        });
        if let Some(known) = known {
            known.repeated += 1;
            return true;
        }
        false
    }

    fn file(
        &mut self,
        case: &Case,
        harm: Harm,
        minimal: Option<Case>,
        minimisation: String,
        seen: Vec<String>,
    ) -> Result<(), RunError> {
        let finding = Finding {
            number: u32::try_from(self.state.findings.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1),
            harm,
            case: case.clone(),
            minimal,
            minimisation,
            seen,
            repeated: 0,
        };
        if let Some(folder) = &self.settings.folder {
            Replay::of(&finding, self.state).save(&folder.join(finding.file_name()))?;
        }
        self.state.findings.push(finding);
        if let Some(folder) = &self.settings.folder {
            self.note_time();
            self.state.save(folder)?;
            report::write(self.state, folder)?;
        }
        Ok(())
    }

    /// The smallest case for a harm: of this case alone, or, if that does not do it, of the last cases together.
    async fn minimise(&mut self, case: &Case, harm: &Harm, bounds: Bounds) -> (Option<Case>, String, bool) {
        let mut works = true;
        let alone = self.minimise_one(case, harm, bounds, &mut works).await;
        if alone.case.is_some() || !works {
            return (alone.case.clone(), sentence(&alone, works), works);
        }
        let mut trials = alone.trials;
        for length in [2, 4, 8, 16, 32, REMEMBERED] {
            let recent: Vec<Case> = self.recent.iter().cloned().collect();
            let last = recent
                .get(recent.len().saturating_sub(length)..)
                .unwrap_or_default();
            let left = Bounds {
                trials: bounds.trials.saturating_sub(trials),
                ..bounds
            };
            let Some(joined) = minimise::join(last) else { break };
            let together = self.minimise_one(&joined, harm, left, &mut works).await;
            trials += together.trials;
            if together.case.is_some() || !works {
                let how = format!(
                    "Alone it was harmless; with earlier cases: {}",
                    sentence(&together, works)
                );
                return (together.case.clone(), how, works);
            }
            if last.len() < length || left.trials == 0 {
                break;
            }
        }
        let how = "It did not happen again, neither by this case alone nor with the cases before it.";
        (None, how.to_owned(), works)
    }

    async fn minimise_one(
        &mut self,
        case: &Case,
        harm: &Harm,
        bounds: Bounds,
        works: &mut bool,
    ) -> minimise::Minimised {
        let Self {
            examiner,
            progress,
            stop,
            state,
            settings,
            ..
        } = self;
        let mut trials = 0;
        let leak = matches!(harm, Harm::Descriptors { .. });
        let kind = HarmClass::of(harm);
        minimise::minimise(case, bounds, async |candidate| {
            trials += 1;
            progress.minimising(trials);
            if stop.load(Ordering::Relaxed) {
                return Trial::Stop;
            }
            sleep(settings.pace).await;
            if leak {
                charge_leak(state, candidate);
                return if examiner.leaks(candidate, settings.pace).await {
                    Trial::Hurts
                } else {
                    Trial::Harmless
                };
            }
            let examined = examiner.examine(candidate).await;
            state.connections += examined.connections;
            state.bytes = state.bytes.saturating_add(candidate.bytes());
            *works = examined.works;
            let same = examined
                .harm
                .as_ref()
                .is_some_and(|found| HarmClass::of(found) == kind && found.complaint() == harm.complaint());
            match (same, examined.works) {
                (true, true) => Trial::Hurts,
                (true, false) => Trial::HurtsForGood,
                (false, true) => Trial::Harmless,
                (false, false) => Trial::Stop,
            }
        })
        .await
    }

    /// Whether the process has grown over the cases so far. `false` if the device does not work afterwards.
    async fn look_at_resources(&mut self, case: &Case, examined: &Examined) -> Result<bool, RunError> {
        let (Some(baseline), Some(now)) = (self.baseline, self.examiner.usage()) else {
            return Ok(true);
        };
        let growth = self.examiner.growth;
        let wanted = baseline.descriptors.saturating_add(growth.descriptors);
        if now.descriptors > wanted
            && let Some(settled) = self.examiner.settled(wanted).await
            && settled.descriptors > wanted
        {
            let harm = Harm::Descriptors {
                before: baseline.descriptors,
                now: settled.descriptors,
            };
            return self.find_leak(case, harm, examined).await;
        }
        if now.resident_kib > baseline.resident_kib.saturating_add(growth.resident_kib) {
            self.baseline = Some(now);
            let harm = Harm::Memory {
                before_kib: baseline.resident_kib,
                now_kib: now.resident_kib,
            };
            if !self.is_known(case, &harm) {
                self.progress.found(case, &harm);
                let how = "Not made smaller: it came about over many cases, of which this is the last.";
                self.file(case, harm, None, how.to_owned(), examined.seen.clone())?;
            }
        }
        Ok(true)
    }

    /// Which of the last cases leaks.
    async fn find_leak(&mut self, case: &Case, harm: Harm, examined: &Examined) -> Result<bool, RunError> {
        let mut suspects: Vec<Case> = Vec::new();
        for recent in self.recent.iter().rev() {
            let known = suspects
                .iter()
                .any(|suspect| suspect.mutation() == recent.mutation());
            if !known && suspects.len() < SUSPECTS {
                suspects.push(recent.clone());
            }
        }
        for suspect in suspects {
            charge_leak(self.state, &suspect);
            if self.examiner.leaks(&suspect, self.settings.pace).await {
                return self.find(&suspect, harm, examined).await;
            }
        }
        self.baseline = self.examiner.usage();
        if !self.is_known(case, &harm) {
            self.progress.found(case, &harm);
            let how = "Not made smaller: no single one of the last cases leaks when it is repeated.";
            self.file(case, harm, None, how.to_owned(), examined.seen.clone())?;
        }
        Ok(true)
    }
}

/// What it costs to try whether a case leaks.
fn charge_leak(state: &mut State, case: &Case) {
    let connections = u64::try_from(case.connections()).unwrap_or(u64::MAX);
    state.connections = state
        .connections
        .saturating_add(connections.saturating_mul(LEAK_PLAYS));
    state.bytes = state
        .bytes
        .saturating_add(case.bytes().saturating_mul(LEAK_PLAYS));
}

/// What must be the same for a smaller case to do the same: a device that is away for a while today may be so for good
/// tomorrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HarmClass {
    Away,
    WrongAnswer,
    Descriptors,
    Memory,
}

impl HarmClass {
    const fn of(harm: &Harm) -> Self {
        match harm {
            Harm::Dead { .. } | Harm::Recovered { .. } => Self::Away,
            Harm::WrongAnswer { .. } => Self::WrongAnswer,
            Harm::Descriptors { .. } => Self::Descriptors,
            Harm::Memory { .. } => Self::Memory,
        }
    }
}

fn sentence(minimised: &minimise::Minimised, works: bool) -> String {
    let trials = minimised.trials;
    match (&minimised.case, minimised.finished, works) {
        (None, ..) => format!("It did not happen again in {trials} trials."),
        (Some(_), true, _) => format!("Nothing more can be taken away; {trials} trials."),
        (Some(_), false, true) => format!("The bounds were reached after {trials} trials."),
        (Some(_), false, false) => format!("The device did not come back after trial {trials}."),
    }
}
