//! How the log takes part in making certificate revocation lists.

use std::fmt;

use crate::ca::revocation::RevocationReason;
use crate::ca::serial::SerialNumber;

/// Most certificates on one list: about 45 MB. A list this long takes a client longer to fetch than most wait; the
/// remedy is a shorter validity, because expired certificates leave the list.
pub const MAX_CRL_ENTRIES: usize = 1_000_000;

/// A certificate on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number.
    pub serial: SerialNumber,
    /// When it was revoked, in seconds since the Unix epoch.
    pub revoked_at: u64,
    /// Why.
    pub reason: RevocationReason,
    /// Since when the key is known or suspected to be compromised, in seconds since the Unix epoch.
    pub invalidity_date: Option<u64>,
}

/// What a new list is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlContents {
    /// Its number: one more than that of the last list by any key of the authority.
    pub number: u64,
    /// The revoked certificates, in the order they were revoked.
    pub revoked: Vec<RevokedCertificate>,
}

/// A signed list, as its maker hands it to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCrl {
    /// The list, in DER.
    pub der: Vec<u8>,
    /// When it was made, in seconds since the Unix epoch.
    pub this_update: u64,
    /// When the next one is due at the latest, in seconds since the Unix epoch.
    pub next_update: u64,
}

/// A list on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCrl {
    /// Its number.
    pub number: u64,
    /// How many revocations were on record when it was made: the sequence number of the last.
    pub last_revocation: i64,
    /// The list.
    pub crl: SignedCrl,
}

/// Signs a list; the error is for the log.
pub type CrlMaker = Box<dyn FnOnce(CrlContents) -> Result<SignedCrl, String> + Send>;

/// Asks for the current list, and says how to make one when the one on record will not do.
pub struct CrlOrder {
    /// Key identifier of the authority: a list signed by another key will not do. Each key has lists of its own.
    pub issuer_key: Vec<u8>,
    /// The time, in seconds since the Unix epoch. A list made later than this was made under a clock that was wrong
    /// and has been put back: its `thisUpdate` makes relying parties refuse it, so it will not do.
    pub now: u64,
    /// A list that is due before this time (in seconds since the Unix epoch) will not do.
    pub not_due_before: u64,
    /// A list that is due after this time (in seconds since the Unix epoch) will not do: it was made for other times.
    pub not_due_after: u64,
    /// Makes a new list in any case.
    pub always: bool,
    /// Signs a new list. Runs inside the transaction that gives it its number and puts it on record, so that
    /// several processes on one log make lists with different numbers, each later one knowing no less.
    pub make: CrlMaker,
}

impl fmt::Debug for CrlOrder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CrlOrder")
            .field("not_due_before", &self.not_due_before)
            .field("always", &self.always)
            .finish_non_exhaustive()
    }
}
