//! Network Mobility Services Protocol (NMSP): what wireless controllers and location servers speak to each other.
//!
//! The controller is the server (TCP port 16113, TLS); a location server connects, both present certificates, and each
//! looks the other up in an authlist of MAC addresses and key hashes. Then the location server subscribes services and
//! the controller pushes measurements.
//!
//! The vendor has published no wire format. Layout and numbers are data here, each marked known, recalled or ours
//! ([`wire::WireProfile`], `PROTOCOL.md`); nothing in this crate claims to work with a device that nobody has tried.
//!
//! - [`wire`]: bytes to types and back. No I/O, no allocation to decode.
//! - [`proto`]: the connection as a state machine. No I/O, no clock.
//! - [`server`] and [`client`] (feature `tokio`, default): over TCP and TLS; [`credentials`]: their files.
//! - `simulation` (feature `simulation`): a floor of stations and access points for tests and demonstrations.
//! - [`show`] (feature `tokio`): the state of a controller, and the texts that `nmsp show` prints.
//! - `admin` (feature `admin`): that state over HTTP: RESTCONF, metrics, health.
//!
#![cfg_attr(feature = "tokio", doc = "A controller and a location server over loopback:")]
#![cfg_attr(feature = "tokio", doc = "")]
#![cfg_attr(feature = "tokio", doc = "```")]
#![cfg_attr(feature = "tokio", doc = include_str!("../examples/loopback.rs"))]
#![cfg_attr(feature = "tokio", doc = "```")]

pub mod error;
pub mod proto;
pub mod wire;

#[cfg(feature = "admin")]
pub mod admin;
#[cfg(feature = "capture")]
pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "tokio")]
pub mod client;
#[cfg(feature = "tokio")]
pub mod credentials;
#[cfg(feature = "tokio")]
mod driver;
#[cfg(feature = "tokio")]
pub mod server;
#[cfg(feature = "capture")]
pub mod session_file;
#[cfg(feature = "tokio")]
pub mod show;
#[cfg(feature = "simulation")]
pub mod simulation;
#[cfg(feature = "tokio")]
pub mod transport;

pub use error::Error;
