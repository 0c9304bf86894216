//! What can go wrong with the listener.

use std::io;
use std::net::SocketAddr;

use pki_common::{Diagnose, Failure, Rung};

/// Why the admin listener does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The address can be reached from other machines.
    #[error("the admin listener has no authentication, and {address} can be reached from other machines")]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address is not free.
    #[error("the admin listener cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system does not tell where the listener listens.
    #[error("the admin listener has no address: {0}")]
    NoAddress(#[source] io::Error),
}

impl Diagnose for AdminError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NotLoopback { .. } => {
                "listen on 127.0.0.1 or ::1 and bring the port elsewhere by SSH or a proxy that authenticates, or set \
                 dangerous-accept-any-address"
            }
            Self::Bind { .. } => "choose another address or end the program that listens there",
            Self::NoAddress(_) => "hand over a listener that is bound",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}
