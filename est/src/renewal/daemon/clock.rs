//! The clocks of a daemon, as a seam: a test lets months pass, or the wall clock step.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pki_common::clock::system_clock;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use crate::renewal::Now;

/// A wait.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What a daemon knows of time.
pub trait DaemonClock: Debug + Send + Sync {
    /// The time, by both clocks.
    fn now(&self) -> Now;

    /// Waits until the monotonic clock shows this time; it may be over already. A wait that is dropped leaves nothing
    /// behind.
    fn sleep_until(&self, monotonic: Duration) -> Sleep<'_>;
}

/// A wall clock, and the monotonic clock and the timers of the tokio runtime, which stand still and jump under
/// `tokio::time::pause`.
#[derive(Debug, Clone)]
pub struct RuntimeClock {
    wall: Arc<dyn TimeProvider>,
    start: Instant,
}

impl RuntimeClock {
    /// The monotonic clock starts now.
    #[must_use]
    pub fn new(wall: Arc<dyn TimeProvider>) -> Self {
        Self {
            wall,
            start: Instant::now(),
        }
    }
}

impl Default for RuntimeClock {
    fn default() -> Self {
        Self::new(system_clock())
    }
}

impl DaemonClock for RuntimeClock {
    fn now(&self) -> Now {
        // A wall clock that stands before 1970 has no time: every certificate is in the future then.
        let epoch = UnixTime::since_unix_epoch(Duration::ZERO);
        Now {
            wall: self.wall.current_time().unwrap_or(epoch),
            monotonic: self.start.elapsed(),
        }
    }

    fn sleep_until(&self, monotonic: Duration) -> Sleep<'_> {
        let rest = monotonic.saturating_sub(self.start.elapsed());
        Box::pin(tokio::time::sleep(rest))
    }
}
