//! Why the simulator cannot start or change.

use std::io;
use std::net::SocketAddr;

use pki_common::{Diagnose, Failure, Rung};

/// Why the simulator cannot start or change. The caller's or the machine's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The settings cannot work.
    #[error("the settings of the simulator cannot work: {0}")]
    Settings(String),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// Keys or certificates cannot be made.
    #[error("the simulated authority cannot be made: {0}")]
    Authority(String),
    /// There is no such request, or it waits no longer.
    #[error("request {id} {problem}")]
    Request {
        /// Its number.
        id: u32,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Diagnose for SimulatorError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Settings(_) => "Correct the setting that is named.",
            Self::Listen { .. } => "Choose another address or port, or end the program that has it.",
            Self::Authority(_) => "Check the names in the settings and the crypto provider of this build.",
            Self::Request { .. } => "Look at the list of requests for one that is pending.",
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}
