//! Renewal of certificates before they end: when to ask, when to ask again, and how the files are replaced.
//!
//! | module | what it does | I/O |
//! |---|---|---|
//! | `settings.rs` | the knobs, checked | none |
//! | `machine.rs` | [`Renewal`]: one identity's state machine; both clocks and the seed are passed in | none |
//! | `metrics.rs` | what monitoring reads, in the Prometheus text format | none |
//! | `folder` | one identity's files: versions, and a switch that is atomic (Unix) | files |
//! | `daemon` | a whole folder of identities (Unix, feature `tokio`) | all |
//!
//! # The two clocks
//! A certificate's end is a matter of the wall clock, and the wall clock may step. How long to wait after a failure is
//! a matter of the monotonic clock, which does not. [`Now`] has both, and the state machine looks at the wall clock at
//! least every [`look_again`](RenewalSettings::look_again), so that a step forward is noticed and a step backward
//! stops nothing.
//!
//! # What is never done
//! A key that is in use is never written to: every certificate gets a version folder of its own, and the only thing
//! that ever changes is the symbolic link `current` (see `folder`).

#[cfg(all(unix, feature = "tokio"))]
pub mod daemon;
#[cfg(unix)]
pub mod folder;
mod machine;
mod metrics;
mod settings;

pub use machine::{Action, CertificateFacts, Held, Now, Phase, Reason, Renewal, Status};
pub use metrics::{IdentityMetrics, prometheus};
pub use settings::{RenewalSettings, SettingsError};
