//! One case, played and judged: what came back, whether the device still works, and what it uses.

use core::time::Duration;
use std::time::Instant;

use tokio::time::{sleep, timeout};

use super::case::Case;
use super::grammar::Grammar;
use super::liveness::Liveness;
use super::play::{self, End, Observation, Patience, Played};
use super::resources::{self, Growth, Usage};
use super::target::Target;
use super::verdict::{Harm, Judgement, Verdict};

/// Between two looks for a device that is away.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// Between two looks at the memory of a process that is taking some.
const BETWEEN_MEMORY_LOOKS: Duration = Duration::from_millis(30);

/// How many of these looks there are at most.
const MEMORY_LOOKS: u32 = 60;

/// A process that takes less than this between two looks is at rest, in KiB.
const AT_REST_KIB: u64 = 1024;

/// Between two looks at a process that has nothing to do.
const BETWEEN_IDLE_LOOKS: Duration = Duration::from_millis(50);

/// How many of these looks there are.
const IDLE_LOOKS: u32 = 8;

/// How often a case that may leak is played before its leak is believed.
pub(super) const LEAK_PLAYS: u64 = 8;

/// How a look for life is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// How long one look may take, connection and handshake included.
    pub bound: Duration,
    /// How many looks in a row must fail before the device counts as away.
    pub tries: u32,
    /// How long a device that is away may take to come back.
    pub recovery: Duration,
    /// How long a process may take to close what a case has opened.
    pub settle: Duration,
    /// Whether the device serves one connection at a time. A look for life then waits until those of the case are closed.
    pub one_connection: bool,
}

impl Default for Look {
    /// 5 s, three times; a minute to come back; 10 s to settle.
    fn default() -> Self {
        Self {
            bound: Duration::from_secs(5),
            tries: 3,
            recovery: Duration::from_secs(60),
            settle: Duration::from_secs(10),
            one_connection: false,
        }
    }
}

/// Starts the device again; called when it did not come back by itself. Returns when the start was asked for.
pub type Restart = Box<dyn FnMut() -> Result<(), String> + Send>;

/// A device, and what is needed to look at it.
pub struct Examiner<G, T, L> {
    /// Judges answers.
    pub grammar: G,
    /// The device.
    pub target: T,
    /// Looks for life.
    pub liveness: L,
    /// For the answer to a case.
    pub patience: Patience,
    /// For a sign of life.
    pub look: Look,
    /// The process, if it is one of this machine.
    pub pid: Option<u32>,
    /// What it may grow by.
    pub growth: Growth,
    /// How to start the device again.
    pub restart: Option<Restart>,
}

impl<G, T, L> core::fmt::Debug for Examiner<G, T, L> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Examiner").finish_non_exhaustive()
    }
}

/// What a case did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is a finding, if it is one.
    pub harm: Option<Harm>,
    /// One sentence for each connection of the case.
    pub seen: Vec<String>,
    /// Connections that were opened, looks for life included.
    pub connections: u64,
    /// Whether the device works now. `false` after [`Verdict::Dead`] unless it was started again.
    pub works: bool,
}

/// How a device was after a case.
enum Life {
    Well,
    Away {
        symptom: String,
        back_after: Option<Duration>,
    },
}

impl<G: Grammar, T: Target, L: Liveness<T>> Examiner<G, T, L> {
    /// An examiner with default patience.
    #[must_use]
    pub fn new(grammar: G, target: T, liveness: L) -> Self {
        Self {
            grammar,
            target,
            liveness,
            patience: Patience {
                connect: Duration::from_secs(5),
                answer: Duration::from_millis(300),
            },
            look: Look::default(),
            pid: None,
            growth: Growth::default(),
            restart: None,
        }
    }

    /// Looks once whether the device works.
    ///
    /// # Errors
    /// What it did instead, in one sentence.
    pub async fn works(&mut self) -> Result<(), String> {
        match timeout(self.look.bound, self.liveness.check(&mut self.target)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!(
                "it gave no sign of life within {} ms",
                self.look.bound.as_millis()
            )),
        }
    }

    /// What the process uses; `None` if it is none of this machine, or has ended.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.pid.and_then(|pid| resources::of(pid).ok())
    }

    /// What the process uses once it has closed what the last look for life has opened: the fewest descriptors of several
    /// looks. From this one growth is counted.
    pub async fn usage_when_idle(&self) -> Option<Usage> {
        let mut usage = self.usage()?;
        for _ in 0..IDLE_LOOKS {
            sleep(BETWEEN_IDLE_LOOKS).await;
            let descriptors = self.usage()?.descriptors;
            usage.descriptors = usage.descriptors.min(descriptors);
        }
        Some(usage)
    }

    /// What the process uses when it does not take more memory any longer: so much that it matters takes a device a while.
    async fn usage_at_rest(&self) -> Option<Usage> {
        let mut before = self.usage()?;
        for _ in 0..MEMORY_LOOKS {
            sleep(BETWEEN_MEMORY_LOOKS).await;
            let now = self.usage()?;
            if now.resident_kib <= before.resident_kib + AT_REST_KIB {
                return Some(now);
            }
            before = now;
        }
        Some(before)
    }

    /// Plays a case, judges it, and looks whether the device still works.
    pub async fn examine(&mut self, case: &Case) -> Examined {
        let before = self.usage();
        let played = play::play(&mut self.target, case, self.patience).await;
        let during = self.usage_at_rest().await;
        let began = Instant::now();
        let mut connections = played.opened;
        let observation = played.observation();
        let Judgement {
            verdict,
            wrong_answer,
        } = self.grammar.judge(case, &observation);
        let life = self
            .life_after(played, &observation, began, &mut connections)
            .await;
        let mut examined = Examined {
            verdict,
            harm: wrong_answer.map(|complaint| Harm::WrongAnswer { complaint }),
            seen: observation.connections.iter().map(sentence).collect(),
            connections,
            works: true,
        };
        match life {
            Life::Well => {}
            Life::Away {
                symptom,
                back_after: Some(after),
            } => {
                examined.verdict = Verdict::Recovered;
                let after_milliseconds = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                examined.harm = Some(Harm::Recovered {
                    symptom,
                    after_milliseconds,
                });
            }
            Life::Away {
                symptom,
                back_after: None,
            } => {
                examined.verdict = Verdict::Dead;
                examined.harm = Some(Harm::Dead { symptom });
                examined.works = self.start_again().await;
            }
        }
        if let (None, Some(before), Some(during)) = (&examined.harm, before, during) {
            examined.harm = self.grown_within(before, during);
        }
        examined
    }

    /// Looks with the connections of the case still open, where they may matter, and after they were closed.
    async fn life_after(
        &mut self,
        played: Played,
        observation: &Observation,
        began: Instant,
        connections: &mut u64,
    ) -> Life {
        let still_open = observation.connections.iter().any(|seen| seen.end == End::Open);
        let mut symptom = None;
        // What it has answered says little: the rest of a message may be what it waits for.
        if T::BESIDE && !self.look.one_connection && still_open {
            *connections += 1;
            symptom = self
                .looks_away()
                .await
                .map(|symptom| format!("with the connections of the case still open, {symptom}"));
        }
        played.close().await;
        if symptom.is_none() {
            *connections += 1;
            symptom = self.looks_away().await;
        }
        let Some(symptom) = symptom else { return Life::Well };
        let back_after = self.comes_back().await.then(|| began.elapsed());
        Life::Away { symptom, back_after }
    }

    /// The symptom, if the device shows no life in several looks.
    async fn looks_away(&mut self) -> Option<String> {
        let mut symptom = None;
        for attempt in 0..self.look.tries.max(1) {
            if attempt > 0 {
                sleep(BETWEEN_LOOKS).await;
            }
            match self.works().await {
                Ok(()) => return None,
                Err(problem) => symptom = Some(problem),
            }
        }
        symptom
    }

    /// Whether the device comes back within its time.
    async fn comes_back(&mut self) -> bool {
        let deadline = Instant::now() + self.look.recovery;
        loop {
            if self.works().await.is_ok() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Whether the device could be started again.
    async fn start_again(&mut self) -> bool {
        let Some(restart) = &mut self.restart else {
            return false;
        };
        match restart() {
            Ok(()) => self.comes_back().await,
            Err(problem) => {
                tracing::warn!(%problem, "the device could not be started again");
                false
            }
        }
    }

    fn grown_within(&self, before: Usage, during: Usage) -> Option<Harm> {
        let resident = during.resident_kib.saturating_sub(before.resident_kib);
        let reserved = during.address_space_kib.saturating_sub(before.address_space_kib);
        if resident > self.growth.resident_kib {
            return Some(Harm::Memory {
                before_kib: before.resident_kib,
                now_kib: during.resident_kib,
            });
        }
        (reserved > self.growth.address_space_kib).then_some(Harm::Memory {
            before_kib: before.address_space_kib,
            now_kib: during.address_space_kib,
        })
    }

    /// What the process uses once it holds no more descriptors than `wanted`, or when its time to settle is over.
    pub async fn settled(&self, wanted: u64) -> Option<Usage> {
        let deadline = Instant::now() + self.look.settle;
        loop {
            let usage = self.usage()?;
            if usage.descriptors <= wanted || Instant::now() >= deadline {
                return Some(usage);
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Whether each time this case is played costs the process a descriptor. It is played several times, with this time from
    /// one to the next.
    pub async fn leaks(&mut self, case: &Case, pace: Duration) -> bool {
        let Some(before) = self.usage() else { return false };
        for _ in 0..LEAK_PLAYS {
            let played = play::play(&mut self.target, case, self.patience).await;
            played.close().await;
            sleep(pace).await;
        }
        let after = self.settled(before.descriptors + LEAK_PLAYS - 1).await;
        after.is_some_and(|after| after.descriptors >= before.descriptors + LEAK_PLAYS)
    }
}

fn sentence(seen: &play::Seen) -> String {
    format!("{} bytes came, {}", seen.received_total, seen.end)
}
