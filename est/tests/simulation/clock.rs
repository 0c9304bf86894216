//! A wall clock that goes with the virtual time of the runtime, and steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z, the start of every simulation.
pub(crate) const START: u64 = 1_767_225_600;
pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;
pub(crate) const YEAR: u64 = 365 * DAY;

/// One machine's clock.
#[derive(Debug)]
pub(crate) struct Wall {
    start: Instant,
    step: AtomicI64,
}

impl Wall {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            step: AtomicI64::new(0),
        })
    }

    /// From now on the clock is this many seconds off the true time.
    pub(crate) fn set_step(&self, seconds: i64) {
        self.step.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> u64 {
        let true_time = START + self.start.elapsed().as_secs();
        true_time.saturating_add_signed(self.step.load(Ordering::SeqCst))
    }
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.now())))
    }
}
