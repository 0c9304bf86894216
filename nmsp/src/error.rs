//! What can go wrong for an application, split by whose fault it is.

use core::time::Duration;
use std::io;

use pki_common::{Diagnose, Failure, KnownCause, Rung};

use crate::proto::{CloseReason, RequestError};
use crate::wire::EncodeError;

/// An error of the client or the server. [`Diagnose`] gives the rung of the ladder, the cause and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host has no address.
    #[error("{host} cannot be resolved: {source}")]
    NameResolution {
        /// The host and port as given.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No TCP connection.
    #[error("no TCP connection to {address}: {source}")]
    Connect {
        /// The address.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The server's address is not free.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The handshake failed, or one side refused the other.
    #[error("{}", .0.cause)]
    Tls(Box<Failure>),
    /// Something took longer than it may.
    #[error("{what} took longer than {after:?}")]
    TimedOut {
        /// What took too long.
        what: &'static str,
        /// Where on the ladder that is.
        rung: Rung,
        /// The limit.
        after: Duration,
    },
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Closed(#[from] CloseReason),
    /// The connection broke before the answer came.
    #[error("the connection ended before the answer: {}", .0.cause)]
    Ended(Box<Failure>),
    /// An answer is longer than it may be.
    #[error("the answer is longer than {limit} bytes")]
    ResponseTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A request was not sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The transport broke.
    #[error("the connection broke: {0}")]
    Transport(#[source] io::Error),
    /// A measurement does not fit a message.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The configuration cannot be used.
    #[error("configuration: {cause}")]
    Configuration {
        /// What is wrong.
        cause: String,
        /// What to do about it.
        remedy: String,
    },
}

impl Diagnose for Error {
    fn diagnose(&self) -> Failure {
        let failure = self.placed();
        match self.known_cause() {
            Some(known_cause) => failure.known_as(known_cause),
            // What an inner error is known as stays.
            None => failure,
        }
    }
}

impl Error {
    /// The stable name of what only this type knows; errors inside name themselves.
    fn known_cause(&self) -> Option<KnownCause> {
        match self {
            Self::NameResolution { .. } => Some(KnownCause::NameNotResolved),
            Self::Connect { source, .. } | Self::Transport(source) => KnownCause::of_io(source.kind()),
            Self::TimedOut { rung, .. } => Some(match rung {
                Rung::NameResolution => KnownCause::NameNotResolved,
                Rung::Tcp => KnownCause::ConnectionTimedOut,
                _ => KnownCause::AnswerTimedOut,
            }),
            _ => None,
        }
    }

    fn placed(&self) -> Failure {
        let failure = |rung, remedy: &str| Failure::new(rung, self.to_string(), remedy);
        match self {
            Self::NameResolution { .. } => {
                failure(Rung::NameResolution, "check the name, or give an IP address")
            }
            Self::Connect { .. } => failure(
                Rung::Tcp,
                "check address and port (16113 unless the controller says otherwise), the path between the two, and \
                 that NMSP is enabled on the controller",
            ),
            Self::Bind { .. } => failure(
                Rung::Local,
                "choose another address or end the program that listens there",
            ),
            Self::Tls(failure) | Self::Ended(failure) => (**failure).clone(),
            Self::ResponseTooLong { .. } => failure(
                Rung::Body,
                "ask for less at a time (fewer stations or groups), or allow longer answers",
            ),
            Self::TimedOut { rung, .. } => failure(
                *rung,
                "check that the peer is an NMSP peer and not overloaded, or allow more time",
            ),
            Self::Closed(reason) => reason.diagnose(),
            Self::Request(error) => error.diagnose(),
            Self::Transport(_) => failure(
                Rung::Tcp,
                "check the path between the two peers, then connect again",
            ),
            Self::Encode(error) => error.diagnose(),
            Self::Configuration { remedy, .. } => failure(Rung::Local, remedy),
        }
    }
}

#[cfg(feature = "tokio")]
impl From<pki_common::tls::TlsConfigError> for Error {
    fn from(error: pki_common::tls::TlsConfigError) -> Self {
        let failure = error.diagnose();
        Self::Configuration {
            cause: failure.cause,
            remedy: failure.remedy,
        }
    }
}
