//! The failure ladder: one list of rungs on which every failure of the two protocols stands.
//!
//! A connection climbs from the name look-up through TCP, a proxy and TLS to the protocol above. An error says
//! on which rung it stopped, which side refused, the cause and the remedy in one sentence each. That replaces
//! misleading native texts: an authlist refusal must say "authlist", never "no certificate returned" as the
//! vendor's trace does (Cisco document 200206, F001-28 and F001-29).
//!
//! | module | what it holds |
//! |---|---|
//! | `alert` | [`Alert`]: the alerts of TLS by number and name |
//! | `known_cause` | [`KnownCause`]: the causes that several programs recognise, each by one stable name |

mod alert;
mod known_cause;

use std::fmt;

pub use alert::Alert;
pub use known_cause::{KnownCause, UnknownCause};

use crate::Escaped;

/// How far a connection came before it failed. Ordered: a lower rung comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// This side's own configuration, files or arguments; nothing was sent.
    Local,
    /// The host name has no address.
    NameResolution,
    /// No TCP connection, or it broke before anything was said.
    Tcp,
    /// An HTTP proxy refused the `CONNECT`.
    Proxy,
    /// The TLS handshake failed.
    Tls(TlsFault),
    /// The peer answered with a status that means failure.
    Status,
    /// The peer's message could not be understood.
    Body,
    /// The peer's own upstream (certificate authority, database) failed.
    Upstream,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::NameResolution => f.write_str("name resolution"),
            Self::Tcp => f.write_str("TCP"),
            Self::Proxy => f.write_str("proxy"),
            Self::Tls(fault) => write!(f, "TLS ({fault})"),
            Self::Status => f.write_str("status"),
            Self::Body => f.write_str("body"),
            Self::Upstream => f.write_str("upstream"),
        }
    }
}

/// What was wrong in a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsFault {
    /// The certificate chain: unknown issuer, bad signature, wrong purpose, a key or algorithm too weak.
    Chain,
    /// The certificate belongs to another name.
    Name,
    /// The certificate is not valid now, or a clock is wrong.
    Time,
    /// The certificate is valid, but the authlist does not admit it.
    AuthList,
    /// An alert that names no cause of its own.
    Alert,
    /// The bytes are not the TLS that this side speaks.
    Protocol,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "chain",
            Self::Name => "name",
            Self::Time => "time",
            Self::AuthList => "authlist",
            Self::Alert => "alert",
            Self::Protocol => "protocol",
        })
    }
}

/// Who refused. The same alert means opposite remedies depending on who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This program.
    Local,
    /// The program at the other end.
    Peer,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "this side",
            Self::Peer => "the peer",
        })
    }
}

/// A failure, placed on the ladder and explained.
///
/// Displays as exactly three lines, `rung: `, `cause: ` and `remedy: `; control characters in the texts are
/// escaped, because a peer may have chosen them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where it stopped.
    pub rung: Rung,
    /// Who refused, when somebody did: a time-out has no such side.
    pub refused_by: Option<Side>,
    /// The TLS alert that was sent or received.
    pub alert: Option<Alert>,
    /// The cause by a stable name, when it is one that several programs recognise. A log, a live diagnosis and the error
    /// of a client that speak of the same failure have the same one.
    pub known_cause: Option<KnownCause>,
    /// What happened, one sentence.
    pub cause: String,
    /// What to do about it, one sentence.
    pub remedy: String,
}

impl Failure {
    /// A failure that nobody's refusal and no alert belongs to.
    pub fn new(rung: Rung, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            rung,
            refused_by: None,
            alert: None,
            known_cause: None,
            cause: cause.into(),
            remedy: remedy.into(),
        }
    }

    /// The same failure with the side that refused.
    #[must_use]
    pub fn refused_by(mut self, side: Side) -> Self {
        self.refused_by = Some(side);
        self
    }

    /// The same failure under the name of a known cause.
    #[must_use]
    pub fn known_as(mut self, known_cause: KnownCause) -> Self {
        self.known_cause = Some(known_cause);
        self
    }

    /// The same failure with the alert that went over the wire.
    #[must_use]
    pub fn with_alert(mut self, alert: Alert) -> Self {
        self.alert = Some(alert);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rung: {}", self.rung)?;
        match (self.refused_by, self.alert) {
            (Some(side), Some(alert)) => write!(f, ", refused by {side} with {alert}")?,
            (Some(side), None) => write!(f, ", refused by {side}")?,
            (None, Some(alert)) => write!(f, ", {alert}")?,
            (None, None) => {}
        }
        write!(
            f,
            "\ncause: {}\nremedy: {}",
            Escaped::new(&self.cause),
            Escaped::new(&self.remedy)
        )
    }
}

/// An error that can say where on the ladder it stands.
pub trait Diagnose {
    /// The rung, the cause and the remedy.
    fn diagnose(&self) -> Failure;
}

impl Diagnose for Failure {
    fn diagnose(&self) -> Failure {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_ordered_as_a_connection_climbs_them() {
        let climb = [
            Rung::Local,
            Rung::NameResolution,
            Rung::Tcp,
            Rung::Proxy,
            Rung::Tls(TlsFault::Chain),
            Rung::Tls(TlsFault::Protocol),
            Rung::Status,
            Rung::Body,
            Rung::Upstream,
        ];
        assert!(climb.is_sorted_by(|lower, higher| lower < higher));
    }

    #[test]
    fn a_failure_prints_its_rung_cause_and_remedy_on_three_lines() {
        let failure = Failure::new(
            Rung::Tls(TlsFault::AuthList),
            "Key hash differs.",
            "Correct the authlist.",
        )
        .refused_by(Side::Peer)
        .with_alert(Alert::CERTIFICATE_UNKNOWN);
        assert_eq!(
            failure.to_string(),
            "rung: TLS (authlist), refused by the peer with alert 46 certificate_unknown\n\
             cause: Key hash differs.\n\
             remedy: Correct the authlist."
        );
        let hostile = Failure::new(Rung::Tcp, "a\r\nremedy: b\u{1b}[2J\u{202e}", "c");
        assert_eq!(
            hostile.to_string(),
            "rung: TCP\ncause: a\\u{d}\\u{a}remedy: b\\u{1b}[2J\\u{202e}\nremedy: c"
        );
    }
}
