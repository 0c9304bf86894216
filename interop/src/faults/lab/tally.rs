//! What the honest clients have seen, counted by all of them together.

use core::time::Duration;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::faults::outcome::MAX_PROBLEMS;

/// The count of all honest clients.
#[derive(Debug, Default)]
pub(in crate::faults) struct Tally(Mutex<Counts>);

#[derive(Clone, Debug, Default)]
pub(in crate::faults) struct Counts {
    /// The certificates that arrived, in DER.
    pub(in crate::faults) certificates: HashSet<Vec<u8>>,
    /// Those of them that nobody may revoke.
    kept: HashSet<Vec<u8>>,
    /// Tunnels that came up and brought a measurement.
    pub(in crate::faults) tunnels: u64,
    /// What was refused or broke off before it was answered, where the fault allows that.
    pub(in crate::faults) refused: u64,
    pub(in crate::faults) wrong: u64,
    pub(in crate::faults) problems: Vec<String>,
    /// The longest that a lasting tunnel has waited for the next measurement, since that was last asked.
    longest_wait: Duration,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::faults) fn certificate(&self, der: Vec<u8>) {
        if !self.counts().certificates.insert(der) {
            self.wrong("two requests were answered with the same certificate");
        }
    }

    /// One that is still needed.
    pub(in crate::faults) fn kept_certificate(&self, der: Vec<u8>) {
        self.counts().kept.insert(der.clone());
        self.certificate(der);
    }

    /// One that may be revoked and is like this.
    pub(in crate::faults) fn some_certificate(&self, is_good: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let counts = self.counts();
        let mut all = counts
            .certificates
            .iter()
            .filter(|der| !counts.kept.contains(*der));
        all.find(|der| is_good(der)).cloned()
    }

    pub(in crate::faults) fn tunnel(&self) {
        self.counts().tunnels += 1;
    }

    /// A lasting tunnel has waited so long for the next measurement.
    pub(super) fn waited(&self, time: Duration) {
        let mut counts = self.counts();
        counts.longest_wait = counts.longest_wait.max(time);
    }

    /// The longest that one has waited since this was last asked.
    pub(in crate::faults) fn take_longest_wait(&self) -> Duration {
        core::mem::take(&mut self.counts().longest_wait)
    }

    pub(in crate::faults) fn refused(&self) {
        self.counts().refused += 1;
    }

    pub(in crate::faults) fn wrong(&self, problem: impl Into<String>) {
        let mut counts = self.counts();
        counts.wrong += 1;
        if counts.problems.len() < MAX_PROBLEMS {
            counts.problems.push(problem.into());
        }
    }

    /// Certificates and tunnels so far.
    pub(in crate::faults) fn served(&self) -> (u64, u64) {
        let counts = self.counts();
        (crate::faults::count(counts.certificates.len()), counts.tunnels)
    }

    pub(in crate::faults) fn snapshot(&self) -> Counts {
        self.counts().clone()
    }
}
