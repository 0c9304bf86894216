//! The live diagnosis behind `interop doctor`: climbs the failure ladder towards a service, rung by rung, and says where
//! it ends, whose fault that is and what to do.
//!
//! It looks and asks, and changes nothing on the other side unless it is told to (an enrolment, a request, a
//! subscription).
//!
//! | module | what it does |
//! |---|---|
//! | `report`, `exit_number` | what was found on each rung, the verdict, the exit status |
//! | `text`, `json` | the report for people and for programs |
//! | `walk` | runs the rungs, times and bounds them |
//! | `resolve`, `reach`, `proxy`, `road` | name resolution, TCP, the proxy, and the way to the service that came of it |
//! | `tls` | versions and suites, the certificate, the handshake |
//! | `http`, `clock` | one HTTP connection, and the server's clock by it |
//! | `ground` | the rungs that all services share, in their order |
//! | `nmsp`, `est`, `adcs` | what is asked of each service |

pub mod adcs;
mod clock;
pub mod est;
mod exit_number;
mod ground;
mod http;
mod json;
pub mod nmsp;
mod proxy;
mod reach;
mod report;
mod resolve;
mod road;
mod text;
mod tls;
mod walk;

pub use exit_number::{HEALTHY, exit_number};
pub use json::to_json;
pub use report::{Check, Report, State};
pub use text::{Marks, to_text};

use core::time::Duration;

/// How long one step of a rung may take unless told otherwise: what the clients of the field wait (F002-33, F002-42).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
