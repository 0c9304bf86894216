//! A memory of credentials that were verified a short while ago.

use core::fmt;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::password_hash::rand_core::{OsRng, RngCore as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::basic::BasicCredentials;

/// How many verified credentials are remembered. 4096 take about 300 KiB and cover the users of a busy server.
pub const DEFAULT_CACHE_CAPACITY: usize = 4096;

/// How long verified credentials are remembered. Five minutes cover a burst of enrolments with one account.
pub const DEFAULT_CACHE_LIFETIME: Duration = Duration::from_secs(300);

/// Independent locks, so that connections on different cores rarely meet.
const SHARDS: usize = 16;

type Tag = [u8; 32];

/// Remembers which credentials were right, not what they were.
///
/// An entry is HMAC-SHA-256 over name, password and stored hash under a random key of this process, so that a memory
/// dump yields no password, and a changed password or a removed user is a miss at once. The number of entries is
/// bounded; the oldest makes room for the newest.
pub struct VerifiedCredentials {
    key: Zeroizing<[u8; 32]>,
    lifetime: Duration,
    per_shard: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    expiry: HashMap<Tag, Instant>,
    order: VecDeque<Tag>,
}

impl VerifiedCredentials {
    /// An empty memory for `capacity` entries (rounded up to a multiple of 16; 0 remembers nothing).
    #[must_use]
    pub fn new(capacity: usize, lifetime: Duration) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(key.as_mut_slice());
        Self {
            key,
            lifetime,
            per_shard: capacity.div_ceil(SHARDS),
            shards: Default::default(),
        }
    }

    /// Whether these credentials were verified against `stored` less than the lifetime ago.
    #[must_use]
    pub fn contains(&self, credentials: &BasicCredentials, stored: &str, now: Instant) -> bool {
        let tag = self.tag(credentials, stored);
        // The look-up is by a keyed tag that a client can neither choose nor predict, so its timing tells nothing.
        self.shard(&tag)
            .expiry
            .get(&tag)
            .is_some_and(|expiry| now < *expiry)
    }

    /// Remembers credentials that were just verified against `stored`.
    pub fn insert(&self, credentials: &BasicCredentials, stored: &str, now: Instant) {
        if self.per_shard == 0 {
            return;
        }
        let tag = self.tag(credentials, stored);
        let mut shard = self.shard(&tag);
        if shard.expiry.insert(tag, now + self.lifetime).is_some() {
            return;
        }
        shard.order.push_back(tag);
        if shard.order.len() > self.per_shard
            && let Some(oldest) = shard.order.pop_front()
        {
            shard.expiry.remove(&oldest);
        }
    }

    /// How many entries are held, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).order.len()).sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn tag(&self, credentials: &BasicCredentials, stored: &str) -> Tag {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice())
            .expect("HMAC takes a key of any length (RFC 2104)");
        // Each part is preceded by its length, so that no two triples give the same input.
        for part in [credentials.user(), credentials.password(), stored] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn shard(&self, tag: &Tag) -> MutexGuard<'_, Shard> {
        let [first, ..] = tag;
        let [shard, rest @ ..] = &self.shards;
        let index = usize::from(*first) % SHARDS;
        lock(
            index
                .checked_sub(1)
                .and_then(|index| rest.get(index))
                .unwrap_or(shard),
        )
    }
}

/// A panic while the lock was held leaves at worst one tag without its order entry, which is harmless.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for VerifiedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCredentials")
            .field("entries", &self.len())
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: &str, password: &str) -> BasicCredentials {
        BasicCredentials::new(user, password).unwrap()
    }

    #[test]
    fn remembers_exactly_what_was_verified() {
        let memory = VerifiedCredentials::new(16, Duration::from_secs(10));
        let now = Instant::now();
        memory.insert(&credentials("ab", "c"), "hash", now);
        assert!(memory.contains(&credentials("ab", "c"), "hash", now));
        assert!(
            !memory.contains(&credentials("a", "bc"), "hash", now),
            "the border of name and password counts"
        );
        assert!(
            !memory.contains(&credentials("ab", "c"), "other hash", now),
            "a new password is a miss"
        );
        assert!(!memory.contains(&credentials("ab", "d"), "hash", now));
    }

    #[test]
    fn forgets_after_the_lifetime() {
        let memory = VerifiedCredentials::new(16, Duration::from_secs(10));
        let now = Instant::now();
        memory.insert(&credentials("a", "b"), "hash", now);
        assert!(memory.contains(&credentials("a", "b"), "hash", now + Duration::from_millis(9_999)));
        assert!(!memory.contains(&credentials("a", "b"), "hash", now + Duration::from_secs(10)));
    }

    #[test]
    fn stays_within_its_capacity() {
        let memory = VerifiedCredentials::new(64, Duration::from_secs(10));
        let now = Instant::now();
        for number in 0..1000 {
            memory.insert(&credentials(&format!("user{number}"), "b"), "hash", now);
        }
        assert!(memory.len() <= 64, "{}", memory.len());
        assert!(memory.contains(&credentials("user999", "b"), "hash", now));
        assert!(!memory.contains(&credentials("user0", "b"), "hash", now));
    }

    #[test]
    fn capacity_nought_remembers_nothing() {
        let memory = VerifiedCredentials::new(0, Duration::from_secs(10));
        memory.insert(&credentials("a", "b"), "hash", Instant::now());
        assert!(memory.is_empty());
    }
}
