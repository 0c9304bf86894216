//! A peer and its cases: what a peer's module hands to the run.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::matrix::Outcome;

/// Far longer than any case takes on a busy machine; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(180);

/// A program or library that we did not write, and what is tried with it.
pub(crate) struct Peer {
    /// As `INTEROP_REQUIRE` and `interop/expected.toml` call it.
    pub(crate) name: &'static str,
    /// What it is, in a few words, for the page.
    pub(crate) about: &'static str,
    /// Its version, or what is missing on this machine.
    pub(crate) find: fn() -> Result<String, Missing>,
    pub(crate) cases: Vec<Case>,
}

/// What of a peer is not there: a program's name, a file, a module.
#[derive(Clone, Debug)]
pub(crate) struct Missing(pub(crate) String);

impl Missing {
    /// `Ok` when every program of the peer is in `PATH`.
    pub(crate) fn programs(peer: &str) -> Result<(), Self> {
        let programs = interop::peers::programs(peer);
        let absent: Vec<_> = programs
            .into_iter()
            .filter(|program| interop::peers::find(program).is_none())
            .collect();
        if absent.is_empty() {
            Ok(())
        } else {
            Err(Self(absent.join(", ")))
        }
    }
}

/// One thing that is tried with a peer.
pub(crate) struct Case {
    /// A sentence about behaviour; the peer is its subject.
    pub(crate) name: &'static str,
    body: Box<dyn FnOnce() -> Outcome + Send>,
}

/// What a body may return: nothing, when its assertions held.
pub(crate) trait IntoOutcome {
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Passed
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl Case {
    /// A body that blocks. A panic is [`Outcome::Failed`] with its message.
    pub(crate) fn blocking<R: IntoOutcome>(
        name: &'static str,
        body: impl FnOnce() -> R + Send + 'static,
    ) -> Self {
        let body = Box::new(move || body().into_outcome());
        Self { name, body }
    }

    /// A body that runs on a tokio runtime of its own. A panic is [`Outcome::Failed`] with its message.
    pub(crate) fn new<R: IntoOutcome, F: Future<Output = R>>(
        name: &'static str,
        body: impl FnOnce() -> F + Send + 'static,
    ) -> Self {
        Self::blocking(name, || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
            let outcome = runtime.block_on(body()).into_outcome();
            // What blocks in a runtime's thread is not waited for: the case is over.
            runtime.shutdown_background();
            outcome
        })
    }

    /// Runs it on a thread of its own, so that one that hangs is told from the others.
    pub(crate) fn run(self) -> Outcome {
        self.run_within(PATIENCE)
    }

    pub(crate) fn run_within(self, patience: Duration) -> Outcome {
        let (sender, receiver) = sync_channel(1);
        let body = self.body;
        let run = move || {
            let outcome = catch_unwind(AssertUnwindSafe(body));
            let outcome = outcome.unwrap_or_else(|panic| Outcome::Failed(message(&*panic)));
            // Nobody listens any more when it took too long.
            drop(sender.send(outcome));
        };
        let name = self.name.to_owned();
        drop(thread::Builder::new().name(name).spawn(run).unwrap());
        receiver.recv_timeout(patience).unwrap_or_else(|error| {
            Outcome::Failed(match error {
                RecvTimeoutError::Timeout => format!("did not end within {} s", patience.as_secs_f32()),
                RecvTimeoutError::Disconnected => "its thread ended without an outcome".to_owned(),
            })
        })
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}
