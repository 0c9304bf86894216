//! Two clocks for a daemon: one that goes with the paused runtime, and one that only the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use est::renewal::Now;
use est::renewal::daemon::{DaemonClock, Sleep};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use tokio::sync::watch;
use tokio::time::Instant;

fn unix(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// A wall clock that goes as fast as the runtime's, and steps.
#[derive(Debug)]
pub(super) struct RuntimeWall {
    base: u64,
    start: Instant,
    step: AtomicI64,
}

impl RuntimeWall {
    pub(super) fn new(base: u64) -> Arc<Self> {
        Arc::new(Self {
            base,
            start: Instant::now(),
            step: AtomicI64::new(0),
        })
    }

    pub(super) fn step(&self, seconds: i64) {
        self.step.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> u64 {
        let true_time = self.base + self.start.elapsed().as_secs();
        true_time
            .checked_add_signed(self.step.load(Ordering::Relaxed))
            .unwrap()
    }
}

impl TimeProvider for RuntimeWall {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.now()))
    }
}

/// Both clocks, which stand still until the test moves them; for work that takes real time.
#[derive(Debug)]
pub(super) struct HandClock {
    base: u64,
    passed: watch::Sender<Duration>,
}

impl HandClock {
    pub(super) fn new(base: UnixTime) -> Arc<Self> {
        Arc::new(Self {
            base: base.as_secs(),
            passed: watch::Sender::new(Duration::ZERO),
        })
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.passed
            .send_modify(|passed| *passed += Duration::from_secs(seconds));
    }

    fn passed(&self) -> Duration {
        *self.passed.borrow()
    }

    pub(super) fn wall(&self) -> u64 {
        self.base + self.passed().as_secs()
    }
}

impl TimeProvider for HandClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.wall()))
    }
}

impl DaemonClock for HandClock {
    fn now(&self) -> Now {
        Now {
            wall: unix(self.wall()),
            monotonic: self.passed(),
        }
    }

    fn sleep_until(&self, until: Duration) -> Sleep<'_> {
        let mut passed = self.passed.subscribe();
        Box::pin(async move {
            while passed.wait_for(|passed| *passed >= until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
