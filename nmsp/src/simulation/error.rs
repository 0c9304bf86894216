//! What can be wrong with a simulated floor.

use pki_common::{Diagnose, Failure, Rung};

/// Why a floor cannot be simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The text is not TOML, or has keys or types that a plan does not have.
    #[error("the floor plan is not readable: {0}")]
    Toml(String),
    /// A value of the plan makes no sense.
    #[error("floor plan, {place}: {problem}")]
    Plan {
        /// Where in the plan.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// There are more things on the floor than the simulation takes.
    #[error("{count} stations, tags, rogues and interferers are too many: at most {most}")]
    TooMany {
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// There are more wired devices than a stack of switches has ports.
    #[error("{count} wired devices are too many: a stack of switches has {most} ports")]
    TooManyWired {
        /// How many.
        count: u32,
        /// How many there may be.
        most: u32,
    },
    /// No place on the floor is free of walls.
    #[error("the floor plan has no free place: walls are everywhere")]
    NoFreePlace,
}

impl Diagnose for SimulationError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Toml(_) => "correct the line, or compare with docs/nmsp.md, section \"A simulated floor\"",
            Self::Plan { .. } => "correct this value of the floor plan",
            Self::TooMany { .. } | Self::TooManyWired { .. } => "simulate less, or run several controllers",
            Self::NoFreePlace => "remove walls, or make the floor larger; coordinates are in metres",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}
