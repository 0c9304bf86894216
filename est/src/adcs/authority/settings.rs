//! What the authority needs to know beside its client.

use std::path::PathBuf;
use std::time::Duration;

/// How long an EST client waits for AD CS. Together with [`DEFAULT_LOGIN_TIME`](crate::adcs::login::DEFAULT_LOGIN_TIME)
/// it stays below the ten seconds after which libest gives up reading (F002-33).
pub const DEFAULT_ANSWER_TIME: Duration = Duration::from_secs(5);

/// When a client should ask again for a certificate that is on its way.
pub const DEFAULT_LATE_RETRY: Duration = Duration::from_secs(10);

/// When a client should ask again for a certificate that a person has to approve.
pub const DEFAULT_PENDING_RETRY: Duration = Duration::from_secs(300);

/// Requests whose numbers are remembered. Ten thousand take about 1 MB.
pub const DEFAULT_MAX_OPEN: usize = 10_000;

/// How long an open request is remembered: AD CS removes pending ones only by hand, a phone that has not asked for a
/// month will not.
pub const DEFAULT_KEEP_OPEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long the number of an issued certificate is remembered: a client whose answer was lost on the way gets the same
/// certificate when it asks again.
pub const DEFAULT_KEEP_ISSUED: Duration = Duration::from_secs(600);

/// How long the list of templates is believed.
pub const DEFAULT_TEMPLATE_LIFETIME: Duration = Duration::from_secs(300);

/// How long the chain is believed; then it is fetched again, while the old one is still handed out.
pub const DEFAULT_CHAIN_LIFETIME: Duration = Duration::from_secs(3600);

/// How many numbers behind the last known one are looked through for a submission whose answer was lost.
pub const DEFAULT_LOOK_UP: u32 = 16;

/// After which time a submission that was lost, and that the look-up does not find, may be made again.
pub const DEFAULT_RESUBMIT_AFTER: Duration = Duration::from_secs(60);

/// What a [`CertsrvCertificateAuthority`](super::CertsrvCertificateAuthority) needs to know beside its client.
///
/// # Defaults
/// The constants of this module; no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthoritySettings {
    /// How long an EST client waits. What takes longer goes on without it, and the client is asked to come back (202).
    pub answer_time: Duration,
    /// When a client should ask again for a certificate that is on its way.
    pub late_retry: Duration,
    /// When a client should ask again for a certificate that a person has to approve.
    pub pending_retry: Duration,
    /// The file that keeps the numbers of open requests over a restart; `None`: they are lost then, and the clients'
    /// next requests are submitted again.
    pub open_requests: Option<PathBuf>,
    /// Most requests that are remembered; the oldest make room.
    pub max_open: usize,
    /// How long an open request is remembered.
    pub keep_open: Duration,
    /// How long the number of an issued certificate is remembered.
    pub keep_issued: Duration,
    /// How long the list of templates is believed.
    pub template_lifetime: Duration,
    /// How long the chain is believed.
    pub chain_lifetime: Duration,
    /// How many numbers are looked through for a submission whose answer was lost.
    pub look_up: u32,
    /// After which time a submission that was lost and not found may be made again.
    pub resubmit_after: Duration,
}

impl Default for AuthoritySettings {
    fn default() -> Self {
        Self {
            answer_time: DEFAULT_ANSWER_TIME,
            late_retry: DEFAULT_LATE_RETRY,
            pending_retry: DEFAULT_PENDING_RETRY,
            open_requests: None,
            max_open: DEFAULT_MAX_OPEN,
            keep_open: DEFAULT_KEEP_OPEN,
            keep_issued: DEFAULT_KEEP_ISSUED,
            template_lifetime: DEFAULT_TEMPLATE_LIFETIME,
            chain_lifetime: DEFAULT_CHAIN_LIFETIME,
            look_up: DEFAULT_LOOK_UP,
            resubmit_after: DEFAULT_RESUBMIT_AFTER,
        }
    }
}
