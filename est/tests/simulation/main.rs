//! Server, clients and certificate authority in one process, under a virtual clock, with faults that a script puts where
//! it wants them: nothing here waits in real time, and a run can be repeated.
//!
//! What is real: the client, TLS, HTTP, the server, its operations, the authority and its SQLite file. What is not: the
//! network (in memory, `wire.rs`), the clocks (`clock.rs`), and the seams before the log and the authority through which
//! the faults come (`log.rs`, `authority.rs`).
//!
//! | variable | meaning |
//! |---|---|
//! | `EST_SIMULATION_SEED` | runs this one random sequence of faults, as a failure prints it |
//! | `EST_SIMULATION_ROUNDS` | so many random sequences instead of the fixed few |
//! | `EST_SIMULATION_THOROUGH` | each manner of losing a connection at every byte, not in turns |
//! | `EST_SIMULATION_WRITE` | writes `docs/simulated-faults.md` instead of comparing it |
#![cfg(all(feature = "sqlite", feature = "tokio"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]
#![allow(clippy::print_stdout, reason = "seeds and results are printed")]

/// An authority that takes its time.
mod authority;
/// Clocks that step.
mod clock;
/// Clocks that are wrong.
mod clock_steps;
/// Connections lost at every byte.
mod cuts;
/// No room for the database.
mod full;
/// Another process holds the database.
mod locked;
/// The log behind a script.
mod log;
/// Connections in memory.
mod network;
/// Random sequences.
mod random;
/// An authority that is slow.
mod slow;
/// The page of the documentation.
mod table;
/// Bytes in memory, and how they are lost.
mod wire;
/// All of it together.
mod world;
