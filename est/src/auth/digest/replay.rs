//! Which counts of which nonces were used, so that a header that somebody has overheard cannot be sent again.

use core::fmt;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use super::nonce::KnownNonce;

/// Independent locks, so that connections on different cores rarely meet.
const SHARDS: usize = 16;

/// How far a count may lag behind the highest seen: requests of one client overtake each other on several connections.
const WINDOW: u32 = 64;

/// A bounded memory of used counts. What does not fit fails closed: a nonce older than any that was forgotten counts as
/// stale, and its client gets a new one.
pub(super) struct UsedCounts {
    per_shard: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    windows: HashMap<[u8; 16], Window>,
    order: VecDeque<([u8; 16], u64)>,
    /// Nonces issued up to then may have been forgotten.
    forgotten: Option<u64>,
}

struct Window {
    highest: u32,
    /// Bit n: the count `highest - n` was used.
    used: u64,
}

impl Window {
    fn take(&mut self, count: u32) -> bool {
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.used = self.used.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        if behind >= WINDOW || self.used & bit != 0 {
            return false;
        }
        self.used |= bit;
        true
    }
}

impl UsedCounts {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            per_shard: capacity.div_ceil(SHARDS).max(1),
            shards: Default::default(),
        }
    }

    /// Marks the count as used; `false` when it was before, or may have been.
    pub(super) fn take(&self, nonce: &KnownNonce, count: u32) -> bool {
        let [first, ..] = nonce.tag;
        let Some(shard) = self.shards.get(usize::from(first) % SHARDS) else {
            return false;
        };
        // Nothing in here can panic between two steps that belong together.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = shard.windows.get_mut(&nonce.tag) {
            return window.take(count);
        }
        if shard.forgotten.is_some_and(|forgotten| nonce.issued <= forgotten) {
            return false;
        }
        let window = Window {
            highest: count,
            used: 1,
        };
        shard.windows.insert(nonce.tag, window);
        shard.order.push_back((nonce.tag, nonce.issued));
        if shard.order.len() > self.per_shard
            && let Some((oldest, issued)) = shard.order.pop_front()
        {
            shard.windows.remove(&oldest);
            shard.forgotten = shard.forgotten.max(Some(issued));
        }
        true
    }
}

impl fmt::Debug for UsedCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsedCounts")
            .field("per_shard", &self.per_shard)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(issued: u64) -> KnownNonce {
        let mut tag = [0; 16];
        tag[8..].copy_from_slice(&issued.to_be_bytes());
        KnownNonce {
            issued,
            tag,
            fresh: true,
        }
    }

    #[test]
    fn each_count_is_good_once_in_any_order_within_the_window() {
        let used = UsedCounts::new(16);
        for (count, expected) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (66, true),
            (3, false),
            (2, false),
            (4, true),
            (u32::MAX, true),
            (u32::MAX, false),
            (67, false),
        ] {
            assert_eq!(used.take(&nonce(1), count), expected, "{count}");
        }
    }

    #[test]
    fn what_was_forgotten_is_refused() {
        // All of these fall into the first of the sixteen shards, which holds two.
        let used = UsedCounts::new(32);
        for issued in 1..=3 {
            assert!(used.take(&nonce(issued), 1));
        }
        assert!(!used.take(&nonce(1), 2), "forgotten, and so perhaps used");
        assert!(used.take(&nonce(4), 1), "newer than anything forgotten");
    }
}
