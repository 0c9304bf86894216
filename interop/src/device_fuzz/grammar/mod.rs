//! What makes cases.

pub mod est;
pub mod nmsp;
pub mod tls;

use fastrand::Rng;

use super::case::Case;
use super::play::Observation;
use super::verdict::{Judgement, Verdict};

/// What one case may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CaseBudget {
    /// Connections at the same time.
    pub connections: u32,
    /// Requests of one connection that wait for their answer.
    pub requests: u32,
    /// Bytes, before encryption.
    pub bytes: u32,
    /// The longest stall, in milliseconds.
    pub stall_milliseconds: u64,
}

impl Default for CaseBudget {
    /// Eight connections (the vendor's controllers take ten location servers), 256 requests, 1 MiB, stalls of 1.5 s.
    fn default() -> Self {
        Self {
            connections: 8,
            requests: 256,
            bytes: 1024 * 1024,
            stall_milliseconds: 1500,
        }
    }
}

/// Makes cases of one protocol. The same seed and index make the same case, byte for byte.
pub trait Grammar {
    /// The protocol and the role that is played, as the command line calls it.
    fn name(&self) -> &'static str;

    /// Makes a case.
    fn case(&self, seed: u64, index: u64) -> Case;

    /// Makes of what came back what only somebody who knows the protocol can.
    fn judge(&self, _case: &Case, observation: &Observation) -> Judgement {
        Judgement {
            verdict: Verdict::of(observation),
            wrong_answer: None,
        }
    }
}

/// Random numbers for one case, so that it depends on no other.
#[must_use]
pub fn random(seed: u64, index: u64) -> Rng {
    // Odd constant of SplitMix64: neighbouring cases get unrelated streams.
    let mut mixed = Rng::with_seed(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed.fork()
}
