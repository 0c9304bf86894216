//! Requests that wait for their response.

use core::time::Duration;
use std::time::Instant;

use super::after;

/// How many requests may wait at the same time. Location servers ask rarely; the bound keeps a peer that never answers
/// from making the table grow.
pub const MAX_PENDING_REQUESTS: usize = 16;

/// The table of open requests: transaction and deadline. Deadlines are all the same time after their request, so the
/// table is in the order of deadlines.
#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    open: Vec<(u32, Instant)>,
}

impl PendingRequests {
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= MAX_PENDING_REQUESTS
    }

    pub(super) fn add(&mut self, transaction: u32, now: Instant, timeout: Duration) {
        self.open.push((transaction, after(now, timeout)));
    }

    /// Closes the request that a response belongs to; `false` if none is open.
    pub(super) fn answer(&mut self, transaction: u32) -> bool {
        let before = self.open.len();
        self.open.retain(|(open, _)| *open != transaction);
        self.open.len() < before
    }

    /// Closes and returns one request whose deadline has passed.
    pub(super) fn expire(&mut self, now: Instant) -> Option<u32> {
        let index = self.open.iter().position(|(_, deadline)| *deadline <= now)?;
        Some(self.open.remove(index).0)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().map(|(_, deadline)| *deadline).min()
    }
}
