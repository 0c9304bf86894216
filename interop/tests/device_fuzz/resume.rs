//! A run that was interrupted goes on where it stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use interop::device_fuzz::case::Case;
use interop::device_fuzz::resume::{STATE_FILE, State};
use interop::device_fuzz::run::{Progress, run};
use interop::device_fuzz::verdict::Verdict;

use crate::support::{Controller, run_to_end, settings, small_budget, state};

/// Remembers the cases; stops after some.
struct Recorder<'a> {
    cases: Vec<Case>,
    stop_after: usize,
    stop: &'a AtomicBool,
}

impl Progress for Recorder<'_> {
    fn played(&mut self, _: &State, case: &Case, _: Verdict) {
        self.cases.push(case.clone());
        if self.cases.len() == self.stop_after {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_with_the_next_case() {
    let controller = Controller::start().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(30, Some(folder.path()));
    let mut examiner = controller.examiner(small_budget());
    let identity = state(4, &examiner.grammar).identity;
    let open = |resume| State::open(folder.path(), identity.clone(), vec!["nmsp".to_owned()], resume);

    let mut cases = Vec::new();
    for (stop_after, resume) in [(12, false), (usize::MAX, true)] {
        let stop = AtomicBool::new(false);
        let mut recorder = Recorder {
            cases: Vec::new(),
            stop_after,
            stop: &stop,
        };
        let first = open(resume).unwrap();
        run(&mut examiner, &settings, first, &mut recorder, &stop)
            .await
            .unwrap();
        cases.extend(recorder.cases.iter().map(|case| case.index));
    }
    controller.stop().await;

    assert_eq!(cases, (0..30).collect::<Vec<u64>>());
    let state = open(true).unwrap();
    assert_eq!(state.next, 30);
    assert_eq!(state.verdicts().values().sum::<u64>(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_mixed_with_another_one() {
    let controller = Controller::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut examiner = controller.examiner(small_budget());
    let first = state(4, &examiner.grammar);
    let identity = first.identity.clone();
    run_to_end(&mut examiner, &settings(1, Some(folder.path())), first).await;
    controller.stop().await;

    let open = |identity, resume| State::open(folder.path(), identity, Vec::new(), resume);
    let exists = open(identity.clone(), false).unwrap_err();
    assert!(exists.to_string().contains("has a run already"), "{exists}");
    let mut other = identity.clone();
    other.seed = 5;
    let another = open(other, true).unwrap_err();
    assert!(
        another.to_string().contains("another seed: 4 there, 5 here"),
        "{another}"
    );
    std::fs::write(folder.path().join(STATE_FILE), "{").unwrap();
    let malformed = open(identity, true).unwrap_err();
    assert!(
        malformed.to_string().contains("is no file of a run"),
        "{malformed}"
    );
}
