//! Faults done to our own servers while honest clients use them: `est serve` and `nmsp serve` as processes of their own, on
//! loopback.
//!
//! Each fault has a file. It starts a lab with both servers, a load of honest clients, does its harm, and ends with an
//! [`Outcome`]: how often it was done, how many certificates that a client received are not in the authority's database,
//! how many honest clients got a wrong answer or none, and how long it took until everything was served again.
//!
//! - `lab`: folder, configuration, processes, honest clients.
//! - `siege`: connections that are slow on purpose.
//! - [`soak`]: hours of ordinary use, with memory, descriptors and threads watched.

mod connection_flood;
mod credentials_swapped;
mod descriptors_exhausted;
mod disk_full;
mod early_data;
mod garbage;
mod idle_connections;
mod killed;
mod lab;
mod openssl;
mod outcome;
mod oversized_bodies;
mod renegotiation;
mod siege;
mod silent_reader;
mod slow_http_body;
mod slow_http_header;
mod slow_nmsp_frame;
mod slow_tls_handshake;
pub mod soak;
mod terminated;

use core::future::Future;
use core::pin::Pin;

use pki_common::{Failure, Rung};

pub use lab::Binaries;
pub use outcome::{Outcome, table, write_table};

/// How much of a fault is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A few seconds for each, with short time limits in the servers: for every change.
    Short,
    /// The counts that the table of `docs/faults.md` shows, with the time limits that the servers have by default.
    Full,
}

impl Scale {
    /// One of the two.
    const fn pick<T: Copy>(self, short: T, full: T) -> T {
        match self {
            Self::Short => short,
            Self::Full => full,
        }
    }
}

/// A time limit of the servers in the short form, in seconds. Honest clients have to keep it too, on a machine that does other
/// things.
const SHORT_LIMIT: u64 = 5;

/// What every fault is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The two commands.
    pub binaries: Binaries,
    /// How much of it.
    pub scale: Scale,
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + 'a>>;

/// A fault that can be done.
#[derive(Clone, Copy)]
pub struct Fault {
    /// What the command line and the table call it.
    pub name: &'static str,
    /// What is done, for the table.
    pub what: &'static str,
    run: for<'a> fn(&'a Options) -> Running<'a>,
}

impl core::fmt::Debug for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Fault")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Fault {
    /// The fault of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|fault| fault.name == name)
    }

    /// Does it.
    ///
    /// # Errors
    /// When the lab cannot be set up. What the servers do wrong is in the [`Outcome`].
    pub async fn run(&self, options: &Options) -> Result<Outcome, Failure> {
        (self.run)(options).await
    }
}

macro_rules! faults {
    ($($module:ident $name:literal $what:literal),+ $(,)?) => {
        /// Every fault, in the order of the table.
        pub const ALL: &[Fault] = &[$(Fault { name: $name, what: $what, run: |options| Box::pin($module::run(options)) }),+];
    };
}

faults![
    slow_tls_handshake "slow-tls-handshake" "TLS handshakes that come a byte at a time, at EST and NMSP",
    slow_http_header "slow-http-header" "HTTP headers that come a byte at a time, at EST, revocation lists and admin listener",
    slow_http_body "slow-http-body" "bodies of enrolments that come a byte at a time",
    slow_nmsp_frame "slow-nmsp-frame" "NMSP frames that come a byte at a time, from an admitted location server",
    idle_connections "idle-connections" "connections that say nothing or stop in the ClientHello, at EST and then at NMSP",
    connection_flood "connection-flood" "connections over the limits, as fast as they can be opened",
    garbage "garbage" "bytes without meaning to every port, and within TLS",
    oversized_bodies "oversized-bodies" "bodies, headers and frames that are too long or never end",
    renegotiation "renegotiation" "TLS 1.2 renegotiation asked for by OpenSSL",
    early_data "early-data" "TLS 1.3 early data sent by OpenSSL",
    silent_reader "silent-reader" "clients that ask and never read",
    descriptors_exhausted "descriptors-exhausted" "no file descriptor left, and given back",
    terminated "terminated" "SIGTERM under load",
    killed "killed" "SIGKILL under load, and a restart",
    disk_full "disk-full" "no space left for the database, and given back",
    credentials_swapped "credentials-swapped" "certificates, revocation lists and authlists replaced under load",
];

/// The lab, and not a server, has failed.
fn trouble(what: impl core::fmt::Display) -> Failure {
    Failure::new(
        Rung::Local,
        format!("The lab of the faults could not go on: {what}."),
        "Look at the folder and the limits of this machine, and run it again.",
    )
}

/// Counts are shown, not computed with.
fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
