//! AD CS web enrolment behind `est serve`: the table `[certsrv]` and what is made of it.
//!
//! | file | what it does |
//! |---|---|
//! | `config.rs` | the keys, and what is wrong with their values |
//! | `open.rs` | the client, the authority and the check of passwords; kept over a reload (feature `adcs`) |
//! | `start_up.rs` | the first contact, and how long it is tried again (feature `adcs`) |
//! | `absent.rs` | in their place when the feature is missing |

mod config;
#[cfg(feature = "adcs")]
mod open;
#[cfg(feature = "adcs")]
mod start_up;

#[cfg(not(feature = "adcs"))]
mod absent;

#[cfg(not(feature = "adcs"))]
pub(crate) use absent::{FirstContacts, Upstreams};
pub(crate) use config::CertsrvConfig;
#[cfg(feature = "adcs")]
pub(crate) use open::Upstreams;
#[cfg(feature = "adcs")]
pub(crate) use start_up::FirstContacts;
