//! Why a server does not start.

use std::net::SocketAddr;

use pki_common::tls::TlsConfigError;
use pki_common::{Diagnose, Failure, Rung};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// The address for the metrics can be reached from other machines.
    #[error(
        "the metrics are served without authentication, and {address} can be reached from other machines"
    )]
    MetricsNotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The TLS configuration cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsConfigError),
    /// The revocation list of an authority behind the server cannot be had.
    #[error("no revocation list for client certificates: {cause}")]
    RevocationList {
        /// What the authority or the list says.
        cause: String,
    },
    /// A limit that cannot be kept.
    #[error("the limit {name} is {found}, but must be at least {least}")]
    Limit {
        /// The field of [`ServerLimits`](super::ServerLimits).
        name: &'static str,
        /// The value given.
        found: usize,
        /// The smallest value possible.
        least: usize,
    },
    /// A limit beyond what can be counted or held.
    #[error("the limit {name} is {found}, but can be at most {most}")]
    LimitTooHigh {
        /// The field of [`ServerLimits`](super::ServerLimits).
        name: &'static str,
        /// The value given.
        found: usize,
        /// The largest value possible.
        most: usize,
    },
}

impl Diagnose for ServerError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Bind { .. } => {
                "Choose a free port and an address of this machine; ports under 1024 need a privilege."
            }
            Self::MetricsNotLoopback { .. } => {
                "Listen on 127.0.0.1 or ::1 and bring the port elsewhere by SSH or a proxy that authenticates, or set \
                 dangerous-metrics-any-address."
            }
            Self::Tls(error) => return error.diagnose(),
            Self::RevocationList { .. } => "Look into the log and at the disk of the certificate authority.",
            Self::LimitTooHigh { .. } => "Lower the limit in the configuration of the server.",
            Self::Limit { .. } => "Raise the limit in the configuration of the server.",
        };
        Failure {
            rung: Rung::Local,
            refused_by: None,
            alert: None,
            known_cause: None,
            cause: self.to_string(),
            remedy: remedy.to_owned(),
        }
    }
}
