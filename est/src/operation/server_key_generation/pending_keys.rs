//! Keys whose certificates wait for approval.
//!
//! The queue of the authority knows a request by its bytes, and the key is in them. A client that repeats its form must
//! therefore meet the same key again, or every repetition would be a new request that nobody has approved.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fresh_request::FreshRequest;

/// How many keys wait at most. One takes up to 4 kB.
pub const DEFAULT_MAX_PENDING_KEYS: usize = 1024;

/// A bounded store of keys, in memory only: a private key that nobody has fetched is not written to a disk. When the
/// process ends they are gone; the client's next repetition makes a new key and a new request for the operator, and the
/// old request expires in the queue without ever having had a certificate.
#[derive(Debug)]
pub struct PendingKeys {
    limit: usize,
    keys: Mutex<VecDeque<([u8; 32], Arc<FreshRequest>)>>,
}

impl Default for PendingKeys {
    /// [`DEFAULT_MAX_PENDING_KEYS`].
    fn default() -> Self {
        Self::new(DEFAULT_MAX_PENDING_KEYS)
    }
}

impl PendingKeys {
    /// A store of at most so many keys; the oldest goes first.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            keys: Mutex::new(VecDeque::new()),
        }
    }

    /// How many keys wait.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys().len()
    }

    pub(super) fn find(&self, identity: &[u8; 32]) -> Option<Arc<FreshRequest>> {
        let keys = self.keys();
        let found = keys.iter().find(|(known, _)| known == identity);
        found.map(|(_, fresh)| Arc::clone(fresh))
    }

    /// Keeps a key, unless one for the same request is kept already: its request is the one in the queue.
    pub(super) fn keep(&self, identity: [u8; 32], fresh: Arc<FreshRequest>) {
        let mut keys = self.keys();
        if keys.iter().any(|(known, _)| *known == identity) {
            return;
        }
        while keys.len() >= self.limit.max(1) {
            keys.pop_front();
        }
        keys.push_back((identity, fresh));
    }

    pub(super) fn forget(&self, identity: &[u8; 32]) {
        self.keys().retain(|(known, _)| known != identity);
    }

    fn keys(&self) -> MutexGuard<'_, VecDeque<([u8; 32], Arc<FreshRequest>)>> {
        // Every change is complete before the lock is let go.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
