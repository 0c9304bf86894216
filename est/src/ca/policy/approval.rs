//! Whether a person has to approve a request first.

use std::time::Duration;

use crate::ca::database::QueueRules;

/// How long a client is asked to wait before it asks again: an operator who is at work sees a request within
/// minutes, and a queue of thousands asking every five minutes is ten requests a second.
pub const DEFAULT_APPROVAL_RETRY: Duration = Duration::from_secs(5 * 60);

/// How long a request waits for a decision: over a weekend and a holiday.
pub const DEFAULT_APPROVAL_WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long after the decision the requester can learn of it.
pub const DEFAULT_PICK_UP: Duration = Duration::from_secs(7 * 24 * 3600);

/// Most requests in the queue. With the largest requests that are accepted they take 128 MiB of disk.
pub const DEFAULT_MAX_PENDING: u32 = 4096;

/// Most requests of one requester in the queue: a registrar that enrols a batch of devices fits, and sixteen of them
/// together do not fill the queue for the others.
pub const DEFAULT_MAX_PENDING_OF_ONE: u32 = 256;

/// Whether a person has to approve a request first. What the operator asks for is never held up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Approval {
    /// What the other rules accept is issued at once.
    #[default]
    Automatic,
    /// What they accept waits in a queue (HTTP status 202) until the operator approves or rejects it.
    ///
    /// A client that asks again for the same with the same key finds its own entry, also when its proof of possession
    /// is for another connection, and once it is approved, always the same certificate. When the server is to make
    /// the key, it is made after the approval, and such a certificate leaves once.
    Operator(ApprovalSettings),
}

/// Bounds of the queue.
///
/// # Defaults
/// [`DEFAULT_APPROVAL_RETRY`], [`DEFAULT_APPROVAL_WAIT`], [`DEFAULT_PICK_UP`], [`DEFAULT_MAX_PENDING`],
/// [`DEFAULT_MAX_PENDING_OF_ONE`]; re-enrolments wait, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalSettings {
    /// How long a client is asked to wait before it asks again.
    pub retry_after: Duration,
    /// How long a request waits for a decision.
    pub waits: Duration,
    /// How long after the decision the requester can learn of it, and fetch the certificate.
    pub pick_up: Duration,
    /// Most requests in the queue.
    pub max_entries: u32,
    /// Most requests of one requester in the queue.
    pub max_per_requester: u32,
    /// Whether a re-enrolment is issued at once: the device was approved when it enrolled.
    pub reenroll_at_once: bool,
}

impl Default for ApprovalSettings {
    fn default() -> Self {
        Self {
            retry_after: DEFAULT_APPROVAL_RETRY,
            waits: DEFAULT_APPROVAL_WAIT,
            pick_up: DEFAULT_PICK_UP,
            max_entries: DEFAULT_MAX_PENDING,
            max_per_requester: DEFAULT_MAX_PENDING_OF_ONE,
            reenroll_at_once: false,
        }
    }
}

impl ApprovalSettings {
    pub(crate) fn rules(&self) -> QueueRules {
        QueueRules {
            waits: self.waits,
            pick_up: self.pick_up,
            max_entries: self.max_entries,
            max_per_requester: self.max_per_requester,
        }
    }
}
