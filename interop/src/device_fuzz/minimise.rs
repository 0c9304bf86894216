//! Makes a case that hurts as small as it can: delta debugging over its steps, then over the bytes of each step.
//!
//! Nothing here knows a device; the caller tries a candidate and says whether it still hurts. The result is a case that was
//! tried, so it hurts; that it is the smallest of all is not claimed.

use core::time::Duration;
use std::time::Instant;

use super::case::{Case, Hex, Step};

/// How long a minimisation may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Trials.
    pub trials: u32,
    /// Time.
    pub time: Duration,
}

impl Default for Bounds {
    /// 200 trials or ten minutes. A trial that hurts costs the time in which the device comes back.
    fn default() -> Self {
        Self {
            trials: 200,
            time: Duration::from_secs(600),
        }
    }
}

/// What a trial has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// The device goes on.
    Harmless,
    /// It hurts, and the device is back.
    Hurts,
    /// It hurts, and there can be no further trial.
    HurtsForGood,
    /// There can be no further trial.
    Stop,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimised {
    /// The smallest case that hurt; `None` if not even the whole one did when it was tried again.
    pub case: Option<Case>,
    /// How many trials it took.
    pub trials: u32,
    /// Whether nothing more could be taken away. Else a bound was reached.
    pub finished: bool,
}

/// Minimises a case.
pub async fn minimise(case: &Case, bounds: Bounds, trial: impl AsyncFnMut(&Case) -> Trial) -> Minimised {
    let mut search = Search {
        trial,
        bounds,
        began: Instant::now(),
        trials: 0,
        stopped: false,
        best: case.clone(),
    };
    if !search.hurts(case.clone()).await {
        return Minimised {
            case: None,
            trials: search.trials,
            finished: false,
        };
    }
    loop {
        let before = search.best.clone();
        search.fewer_steps().await;
        search.smaller_steps().await;
        if search.stopped || search.best == before {
            break;
        }
    }
    Minimised {
        case: Some(search.best),
        trials: search.trials,
        finished: !search.stopped,
    }
}

struct Search<F> {
    trial: F,
    bounds: Bounds,
    began: Instant,
    trials: u32,
    stopped: bool,
    best: Case,
}

impl<F: AsyncFnMut(&Case) -> Trial> Search<F> {
    /// Tries a candidate, and remembers it if it hurts.
    async fn hurts(&mut self, candidate: Case) -> bool {
        if self.trials >= self.bounds.trials || self.began.elapsed() >= self.bounds.time {
            self.stopped = true;
        }
        if self.stopped {
            return false;
        }
        self.trials += 1;
        let outcome = (self.trial)(&candidate).await;
        self.stopped = matches!(outcome, Trial::HurtsForGood | Trial::Stop);
        let hurts = matches!(outcome, Trial::Hurts | Trial::HurtsForGood);
        if hurts {
            self.best = candidate;
        }
        hurts
    }

    async fn with_script(&mut self, script: Vec<Step>) -> bool {
        let candidate = Case {
            script,
            ..self.best.clone()
        };
        candidate != self.best && self.hurts(candidate).await
    }

    /// Takes runs of steps away, first long ones.
    async fn fewer_steps(&mut self) {
        let mut size = self.best.script.len().div_ceil(2);
        while size > 0 && !self.stopped {
            let mut start = 0;
            while start < self.best.script.len() && !self.stopped {
                let script = without(&self.best.script, start, size);
                if !self.with_script(script).await {
                    start += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    async fn smaller_steps(&mut self) {
        let mut place = 0;
        while let Some(step) = self.best.script.get(place).cloned() {
            match step {
                Step::Send {
                    records, segments, ..
                } => {
                    if !segments.is_empty() {
                        let whole = Step::Send {
                            records: records.clone(),
                            segments: Vec::new(),
                            stall_milliseconds: 0,
                        };
                        self.replace(place, whole).await;
                    }
                    if records.len() > 1 {
                        let joined: Vec<u8> = records.iter().flat_map(|record| record.0.clone()).collect();
                        self.replace(place, Step::send(joined)).await;
                    }
                    self.fewer_bytes(place).await;
                }
                Step::SendRaw { .. } => self.fewer_bytes(place).await,
                Step::SendRepeated { .. } | Step::Pause { .. } | Step::Read { .. } => self.halve(place).await,
                _ => {}
            }
            place += 1;
        }
    }

    async fn replace(&mut self, place: usize, step: Step) -> bool {
        let mut script = self.best.script.clone();
        if let Some(slot) = script.get_mut(place) {
            *slot = step;
        }
        self.with_script(script).await
    }

    /// Halves a number as long as that hurts.
    async fn halve(&mut self, place: usize) {
        while let Some(step) = self.best.script.get(place).and_then(halved) {
            if !self.replace(place, step).await {
                return;
            }
        }
    }

    /// Takes runs of bytes away, first long ones.
    async fn fewer_bytes(&mut self, place: usize) {
        let length = |search: &Self| {
            search
                .best
                .script
                .get(place)
                .and_then(only_record)
                .map_or(0, <[u8]>::len)
        };
        let mut size = length(self).div_ceil(2);
        while size > 0 && !self.stopped {
            let mut start = 0;
            while start < length(self) && !self.stopped {
                let Some(step) = self.best.script.get(place) else {
                    return;
                };
                let smaller = without_bytes(step, start, size);
                if !self.replace(place, smaller).await {
                    start += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }
}

fn only_record(step: &Step) -> Option<&[u8]> {
    match step {
        Step::SendRaw { bytes } => Some(&bytes.0),
        Step::Send { records, .. } => match records.as_slice() {
            [record] => Some(&record.0),
            _ => None,
        },
        _ => None,
    }
}

fn without_bytes(step: &Step, start: usize, size: usize) -> Step {
    let cut = |bytes: &Hex| {
        let kept = bytes.0.iter().enumerate();
        let kept = kept.filter(|(place, _)| *place < start || *place >= start + size);
        Hex(kept.map(|(_, byte)| *byte).collect())
    };
    match step {
        Step::SendRaw { bytes } => Step::SendRaw { bytes: cut(bytes) },
        Step::Send {
            records,
            segments,
            stall_milliseconds,
        } => Step::Send {
            records: records.iter().map(cut).collect(),
            segments: segments.clone(),
            stall_milliseconds: *stall_milliseconds,
        },
        other => other.clone(),
    }
}

fn halved(step: &Step) -> Option<Step> {
    match step {
        Step::SendRepeated { bytes, times } if *times > 1 => Some(Step::SendRepeated {
            bytes: bytes.clone(),
            times: times / 2,
        }),
        Step::Pause { milliseconds } if *milliseconds > 10 => Some(Step::Pause {
            milliseconds: milliseconds / 2,
        }),
        Step::Read { within_milliseconds } if *within_milliseconds > 10 => Some(Step::Read {
            within_milliseconds: within_milliseconds / 2,
        }),
        _ => None,
    }
}

/// The script without some steps. Connections are counted anew; a step that went back to one that is gone goes as well.
fn without(script: &[Step], start: usize, size: usize) -> Vec<Step> {
    let removed = |place: usize| place >= start && place < start + size;
    let mut new_numbers = Vec::new();
    let mut opened = 0;
    for (place, step) in script.iter().enumerate() {
        if matches!(step, Step::Open { .. }) {
            new_numbers.push((!removed(place)).then_some(opened));
            opened += usize::from(!removed(place));
        }
    }
    let kept = script.iter().enumerate().filter(|(place, _)| !removed(*place));
    kept.filter_map(|(_, step)| {
        step.with_numbers(&|connection| new_numbers.get(connection).copied().flatten())
    })
    .collect()
}

/// Several cases as one, in the order in which they were played; connections of the earlier ones are closed first, as the
/// run has done it.
#[must_use]
pub fn join(cases: &[Case]) -> Option<Case> {
    let last = cases.last()?;
    let mut script = Vec::new();
    let mut opened = 0;
    for case in cases {
        for step in &case.script {
            script.extend(step.with_numbers(&|connection| Some(connection + opened)));
        }
        if case.index == last.index {
            break;
        }
        for connection in opened..opened + case.connections() {
            script.extend([Step::Use { connection }, Step::Close]);
        }
        opened += case.connections();
    }
    Some(Case {
        name: format!("{}; after the {} cases before it", last.name, cases.len() - 1),
        script,
        ..last.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_fuzz::case::{Layer, Transport};

    fn case(script: Vec<Step>) -> Case {
        Case {
            index: 0,
            seed: 0,
            layer: Layer::Framing,
            name: "test".to_owned(),
            script,
        }
    }

    fn open() -> Step {
        Step::Open {
            transport: Transport::Tls,
        }
    }

    #[tokio::test]
    async fn leaves_the_byte_that_hurts_and_the_connection_it_needs() {
        let noise: Vec<u8> = (1..=200).collect();
        let mut bytes = noise.clone();
        bytes.insert(77, 0xff);
        let script = vec![
            open(),
            Step::send(noise.clone()),
            Step::Pause { milliseconds: 1000 },
            open(),
            Step::Send {
                records: vec![Hex(bytes), Hex(noise)],
                segments: vec![3, 4],
                stall_milliseconds: 9,
            },
            Step::Use { connection: 0 },
            Step::Close,
        ];
        let hurts = async |case: &Case| {
            if case.sent().iter().any(|stream| stream.contains(&0xff)) {
                Trial::Hurts
            } else {
                Trial::Harmless
            }
        };
        let minimised = minimise(&case(script), Bounds::default(), hurts).await;
        assert!(minimised.finished, "{minimised:?}");
        assert_eq!(minimised.case.unwrap().script, [open(), Step::send([0xff])]);
    }

    #[tokio::test]
    async fn halves_what_is_counted() {
        let script = vec![
            open(),
            Step::SendRepeated {
                bytes: Hex(vec![1]),
                times: 4096,
            },
        ];
        let hurts = async |case: &Case| {
            if case.bytes() >= 100 {
                Trial::Hurts
            } else {
                Trial::Harmless
            }
        };
        let minimised = minimise(&case(script), Bounds::default(), hurts).await;
        assert_eq!(minimised.case.unwrap().bytes(), 128);
    }

    #[tokio::test]
    async fn keeps_to_its_bounds_and_gives_back_only_what_was_tried() {
        let script: Vec<Step> = (0..100).map(|number| Step::send([number])).collect();
        let bounds = Bounds {
            trials: 2,
            ..Bounds::default()
        };
        let mut tried = Vec::new();
        let hurts = async |case: &Case| {
            tried.push(case.clone());
            Trial::Hurts
        };
        let minimised = minimise(&case(script), bounds, hurts).await;
        assert_eq!((minimised.trials, minimised.finished), (2, false));
        assert_eq!(tried.last(), minimised.case.as_ref());
    }

    #[tokio::test]
    async fn says_when_a_case_does_not_hurt_again() {
        let harmless = async |_: &Case| Trial::Harmless;
        let minimised = minimise(&case(vec![open()]), Bounds::default(), harmless).await;
        assert_eq!((minimised.case, minimised.trials), (None, 1));
    }

    #[test]
    fn cases_that_are_joined_keep_their_connections_apart() {
        let first = case(vec![open(), Step::Use { connection: 0 }, Step::send([1])]);
        let mut second = first.clone();
        second.index = 1;
        let joined = join(&[first, second]).unwrap();
        assert_eq!(
            joined.script,
            [
                open(),
                Step::Use { connection: 0 },
                Step::send([1]),
                Step::Use { connection: 0 },
                Step::Close,
                open(),
                Step::Use { connection: 1 },
                Step::send([1]),
            ]
        );
    }
}
