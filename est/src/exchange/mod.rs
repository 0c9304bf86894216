//! A client's side of EST as a state machine: events in, actions out, no I/O.
//!
//! [`Exchange`] carries one operation through: it answers an authentication challenge once, waits after a 202 within a
//! bound, follows redirects within the server's origin, makes the body for the very connection it goes out on (so that
//! a channel binding in it is that connection's), and replaces a kept connection that turned out to be dead, unless the
//! server may have acted on what it heard. Time is an argument; connecting, sending and sleeping are the caller's.
//!
//! | file | what it does |
//! |---|---|
//! | `machine.rs` | [`Exchange`]: which action follows which event |
//! | `settings.rs` | credentials, bounds, what may be accepted |
//! | `challenge.rs` | `WWW-Authenticate`, and which of its offers is taken |
//! | `redirect.rs`, `retry_after.rs`, `url.rs`, `host_and_port.rs` | the headers and the origin |
//! | `body.rs`, `answer.rs` | what servers put into their answers, read leniently |
//! | `difference.rs`, `issued.rs` | the issued certificate: found, verified, compared with what was asked for |
//! | `rollover.rs` | which certificates of a `cacerts` answer become trust anchors |
//! | `fingerprint.rs` | first contact without an anchor: a person compares a fingerprint |
//! | `error.rs` | every failure with rung, cause and remedy |
//! | `number.rs` | the error number that libest has for it |
//!
//! The feature `tokio` adds [`client`](crate::client), which does the I/O.

pub mod answer;
mod body;
mod challenge;
mod difference;
mod error;
mod fingerprint;
mod host_and_port;
mod issued;
mod machine;
mod number;
mod redirect;
mod retry_after;
mod rollover;
mod settings;
mod url;

pub use difference::{Difference, DifferenceKind};
pub use error::{ClientError, Step};
pub use fingerprint::{CaFingerprint, FingerprintCheck};
#[cfg(any(feature = "adcs", feature = "tokio"))]
pub(crate) use host_and_port::{HostAndPort, refuse_user};
pub use issued::{Expectation, Issued, IssuedChecks, compare, find_by_key, validate};
pub use machine::{Action, Connected, Event, Exchange, HttpRequest, Outcome, Progress, RequestBody};
pub use pki_common::Fingerprint;
pub use retry_after::{DEFAULT_RETRY_AFTER, MAX_RETRY_AFTER, retry_after};
pub use rollover::{Grounds, NewAnchor, Rollover, TrustSource};
pub use settings::{Credentials, DEFAULT_MAX_REDIRECTS, ExchangeSettings, PasswordUse, PendingPolicy};
pub use url::ServerUrl;
#[cfg(any(feature = "adcs", feature = "tokio"))]
pub(crate) use url::without_user;

#[cfg(feature = "tokio")]
pub(crate) use answer::printable;
