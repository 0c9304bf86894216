//! How many wrong credentials are taken from an address and for a name.
//!
//! Three allowances are kept: for each address, for each name at each address, and for each name over all addresses.
//! The first two, used up, refuse further tries until they refill. The third does not lock a name out, because anybody
//! could do that to its owner: it only makes each address pay for every wrong try of that name with a wait. An attacker
//! with many addresses therefore gets one try per address and wait; the owner, at another address, gets in at the first
//! try with the right password. An unknown name is treated as a known one.
//!
//! Nothing here does I/O or looks at a clock. Tables are bounded; when one is full, the entry that was made first is
//! forgotten. To make a server forget a failure, an attacker must cause as many others as the table holds.

use core::hash::Hash;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Independent locks, so that connections on different cores rarely meet.
const SHARDS: usize = 16;

/// So many at once, then one every `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Failures at once; 0 is taken as 1.
    pub burst: u32,
    /// The time after which one more is allowed.
    pub interval: Duration,
}

/// How many failed logins are taken.
///
/// # Defaults
/// Those of the constants of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureLimits {
    /// For one address; IPv6 addresses of one /64 are one, because a host can take any of them.
    pub per_address: Allowance,
    /// For one name at one address.
    pub per_user_and_address: Allowance,
    /// For one name over all addresses.
    pub per_user: Allowance,
    /// Entries of each of the three tables; one takes some 60 bytes.
    pub entries: usize,
}

impl FailureLimits {
    /// 30 at once, then 20 a minute: a site behind one address may have several devices with a wrong password.
    pub const PER_ADDRESS: Allowance = Allowance {
        burst: 30,
        interval: Duration::from_secs(3),
    };
    /// 5 at once, then 2 a minute: what a person mistypes. It also keeps one misconfigured device from using up the
    /// allowance of its whole site.
    pub const PER_USER_AND_ADDRESS: Allowance = Allowance {
        burst: 5,
        interval: Duration::from_secs(30),
    };
    /// 50 at once, then 12 a minute.
    pub const PER_USER: Allowance = Allowance {
        burst: 50,
        interval: Duration::from_secs(5),
    };
    /// 16384 entries: three tables of at most 1 MiB, more than two password checks at a time can fill before the
    /// first entry has expired.
    pub const ENTRIES: usize = 16 * 1024;
}

impl Default for FailureLimits {
    fn default() -> Self {
        Self {
            per_address: Self::PER_ADDRESS,
            per_user_and_address: Self::PER_USER_AND_ADDRESS,
            per_user: Self::PER_USER,
            entries: Self::ENTRIES,
        }
    }
}

/// The addresses that are counted as one: an IPv4 address (mapped into IPv6 or not), or a /64 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressGroup(IpAddr);

impl From<IpAddr> for AddressGroup {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// Whose failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Account<'a> {
    /// The set of accounts, for instance the path label; the same name in two sets may be two persons.
    pub of: &'a str,
    /// The name.
    pub user: &'a str,
}

/// Counts failed logins.
#[derive(Debug)]
pub struct FailureCounter {
    limits: FailureLimits,
    hasher: RandomState,
    addresses: Table,
    pairs: Table,
    users: Table,
}

impl FailureCounter {
    /// No failures yet.
    #[must_use]
    pub fn new(limits: FailureLimits) -> Self {
        Self {
            limits,
            hasher: RandomState::new(),
            addresses: Table::new(limits.entries),
            pairs: Table::new(limits.entries),
            users: Table::new(limits.entries),
        }
    }

    /// Whether credentials may be looked at. A token has no user; an address may be unknown.
    ///
    /// # Errors
    /// How long the client has to wait.
    pub fn admit(
        &self,
        user: Option<Account<'_>>,
        address: Option<AddressGroup>,
        now: Instant,
    ) -> Result<(), Duration> {
        let mut wait = Duration::ZERO;
        if let Some(address) = address {
            let full = self.addresses.full_for(self.key(&address), now);
            wait = wait.max(self.limits.per_address.wait(full));
        }
        if let Some(user) = user {
            let mut allowance = self.limits.per_user_and_address;
            let over_all = self.users.full_for(self.key(&user), now);
            if self.limits.per_user.wait(over_all) > Duration::ZERO {
                allowance.burst = 1;
            }
            let full = self.pairs.full_for(self.key(&(user, address)), now);
            wait = wait.max(allowance.wait(full));
        }
        if wait > Duration::ZERO { Err(wait) } else { Ok(()) }
    }

    /// Notes wrong credentials.
    pub fn failed(&self, user: Option<Account<'_>>, address: Option<AddressGroup>, now: Instant) {
        let limits = &self.limits;
        if let Some(address) = address {
            self.addresses.add(self.key(&address), limits.per_address, now);
        }
        if let Some(user) = user {
            self.users.add(self.key(&user), limits.per_user, now);
            self.pairs
                .add(self.key(&(user, address)), limits.per_user_and_address, now);
        }
    }

    /// Forgets the failures of a name at an address after a success there. Those of the address stay: who has one
    /// account could else guess at others for ever.
    pub fn succeeded(&self, user: Account<'_>, address: Option<AddressGroup>) {
        self.pairs.remove(self.key(&(user, address)));
    }

    /// Entries are found by a keyed hash of 64 bits, so that no name is kept; two that meet share an allowance.
    fn key(&self, of: &impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }
}

impl Allowance {
    /// How long to wait when the debt of past failures lasts for `full` more.
    fn wait(self, full: Duration) -> Duration {
        let burst = self.burst.max(1) - 1;
        full.saturating_sub(self.interval.saturating_mul(burst))
    }

    fn most(self) -> Duration {
        self.interval.saturating_mul(self.burst.max(1))
    }
}

/// For each key the time at which its debt is paid.
#[derive(Debug)]
struct Table {
    per_shard: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    paid: HashMap<u64, Instant>,
    order: VecDeque<u64>,
}

impl Table {
    fn new(entries: usize) -> Self {
        Self {
            per_shard: entries.div_ceil(SHARDS).max(1),
            shards: Default::default(),
        }
    }

    fn with<T>(&self, key: u64, act: impl FnOnce(&mut Shard) -> T) -> Option<T> {
        let index = usize::try_from(key % 16).ok()?;
        let shard = self.shards.get(index)?;
        // A panic while the lock was held leaves at worst one key without its order entry, which is harmless.
        Some(act(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn full_for(&self, key: u64, now: Instant) -> Duration {
        let paid = self.with(key, |shard| shard.paid.get(&key).copied()).flatten();
        paid.map_or(Duration::ZERO, |paid| paid.saturating_duration_since(now))
    }

    fn add(&self, key: u64, allowance: Allowance, now: Instant) {
        let per_shard = self.per_shard;
        self.with(key, |shard| {
            let known = shard.paid.get(&key).copied();
            let paid = known.map_or(now, |paid| paid.max(now)) + allowance.interval;
            // Tries that were admitted at the same time cannot make the wait longer than a used-up allowance does.
            shard.paid.insert(key, paid.min(now + allowance.most()));
            if known.is_none() {
                shard.order.push_back(key);
            }
            if shard.order.len() > per_shard
                && let Some(oldest) = shard.order.pop_front()
            {
                shard.paid.remove(&oldest);
            }
        });
    }

    fn remove(&self, key: u64) {
        self.with(key, |shard| {
            if shard.paid.remove(&key).is_some() {
                shard.order.retain(|known| *known != key);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: &str) -> Account<'_> {
        Account { of: "", user }
    }

    fn group(text: &str) -> Option<AddressGroup> {
        Some(text.parse::<IpAddr>().unwrap().into())
    }

    fn counter() -> (FailureCounter, Instant) {
        (FailureCounter::new(FailureLimits::default()), Instant::now())
    }

    #[test]
    fn a_person_may_mistype_five_times_and_then_waits() {
        let (counter, now) = counter();
        let here = group("192.0.2.1");
        for _ in 0..5 {
            assert_eq!(counter.admit(Some(account("a")), here, now), Ok(()));
            counter.failed(Some(account("a")), here, now);
        }
        assert_eq!(
            counter.admit(Some(account("a")), here, now),
            Err(Duration::from_secs(30))
        );
        let later = now + Duration::from_secs(30);
        assert_eq!(counter.admit(Some(account("a")), here, later), Ok(()));
        counter.failed(Some(account("a")), here, later);
        assert_eq!(
            counter.admit(Some(account("a")), here, later),
            Err(Duration::from_secs(30))
        );
        assert_eq!(
            counter.admit(Some(account("b")), here, now),
            Ok(()),
            "another device of the site"
        );
        counter.succeeded(account("a"), here);
        assert_eq!(counter.admit(Some(account("a")), here, later), Ok(()));
    }

    #[test]
    fn an_address_that_tries_many_names_waits() {
        let (counter, now) = counter();
        for number in 0..30 {
            let user = format!("user{number}");
            assert_eq!(
                counter.admit(Some(account(&user)), group("2001:db8::1"), now),
                Ok(())
            );
            counter.failed(Some(account(&user)), group("2001:db8::1"), now);
        }
        let neighbour = group("2001:db8::ffff:1");
        assert_eq!(
            counter.admit(Some(account("z")), neighbour, now),
            Err(Duration::from_secs(3)),
            "the same /64"
        );
        assert_eq!(
            counter.admit(None, neighbour, now),
            Err(Duration::from_secs(3)),
            "tokens too"
        );
        assert_eq!(
            counter.admit(Some(account("z")), group("2001:db8:0:1::1"), now),
            Ok(())
        );
    }

    #[test]
    fn who_hammers_a_name_does_not_lock_its_owner_out() {
        let (counter, now) = counter();
        for number in 0..100_u8 {
            counter.failed(
                Some(account("phone")),
                group(&format!("198.51.100.{number}")),
                now,
            );
        }
        let attacker = group("198.51.100.7");
        assert_eq!(
            counter.admit(Some(account("phone")), attacker, now),
            Err(Duration::from_secs(30))
        );
        assert_eq!(
            counter.admit(Some(account("phone")), group("192.0.2.1"), now),
            Ok(())
        );
        counter.failed(Some(account("phone")), group("192.0.2.1"), now);
        assert_eq!(
            counter.admit(Some(account("phone")), group("192.0.2.1"), now),
            Err(Duration::from_secs(30)),
            "no burst for a name under attack"
        );
    }

    #[test]
    fn tables_stay_within_their_bound() {
        let limits = FailureLimits {
            entries: 64,
            ..FailureLimits::default()
        };
        let counter = FailureCounter::new(limits);
        let now = Instant::now();
        for number in 0..1000 {
            counter.failed(Some(account(&format!("user{number}"))), None, now);
        }
        for table in [&counter.pairs, &counter.users] {
            let held = |shard: &Mutex<Shard>| {
                let shard = shard.lock().unwrap();
                assert_eq!(shard.paid.len(), shard.order.len());
                shard.paid.len()
            };
            assert!(table.shards.iter().map(held).sum::<usize>() <= 64);
        }
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_both_spellings() {
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
    }
}
