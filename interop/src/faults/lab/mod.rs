//! Both servers in a folder of their own, and honest clients for them.
//!
//! - `process`: a server as a process.
//! - `est_server`, `controller`: how each is prepared and started.
//! - `doors`: every port of theirs, to be dialled from any loopback address.
//! - `http`: one request and its whole answer.
//! - `enrolment`, `tunnel`: what one honest client does.
//! - `load`: many of them, and `tally`: what they have seen.

mod controller;
mod doors;
mod enrolment;
mod est_server;
mod http;
mod load;
mod process;
mod tally;
mod tunnel;

use core::time::Duration;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use est::ca::database::{CertificateLog as _, SqliteLog};
use pki_common::Failure;
use pki_common::tls::crypto_provider;
use rustix::process::Signal;
use tempfile::TempDir;

pub(super) use controller::Controller;
pub(super) use doors::{Door, Doors, HONEST, Stream, attacker, connect};
pub(super) use enrolment::Enrolment;
pub(super) use est_server::{EstServer, USER_AND_PASSWORD};
pub(super) use http::{Reply, get};
pub(super) use load::{Load, Manners, Size};
pub use process::Binaries;
pub(super) use process::{Process, Usage};
pub(super) use tally::Tally;
pub(super) use tunnel::LocationServer;

use super::{Options, Outcome, count, trouble};

/// Longer than anything takes that works, on a machine that does other things too.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How a lab differs from the ordinary one.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Lines of the table `[limits]` of `est serve`.
    pub(super) est_limits: String,
    /// Lines of the table `[limits]` of `nmsp serve`.
    pub(super) nmsp_limits: String,
    /// Where the authority is, instead of in the folder of the lab.
    pub(super) authority: Option<PathBuf>,
    /// Starts the EST server so that a write beyond the bound of file sizes is an error to it and not its end, as a full disk
    /// is.
    pub(super) file_size_is_an_error: bool,
}

/// What a server uses at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) usage: Usage,
    /// Alive in its runtime, by its own account.
    pub(super) tasks: u64,
}

/// What a server says at `/metrics` of the gauge with this name.
async fn tasks(address: SocketAddr, gauge: &str) -> Result<u64, Failure> {
    let reply = get(HONEST, address, "/metrics").await;
    let Reply::Whole(body) = &reply else {
        return Err(trouble(format_args!("no metrics: {reply:?}")));
    };
    let text = String::from_utf8_lossy(body);
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(gauge)?.strip_prefix(' '));
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| trouble(format_args!("no {gauge} in the metrics: {text}")))
}

/// The lines of a table of limits, and those of the others that it does not set itself.
fn with_defaults(given: &str, others: &[&str]) -> String {
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let set: Vec<String> = given.lines().map(key).collect();
    let missing = others.iter().copied().filter(|line| !set.contains(&key(line)));
    given.lines().chain(missing).collect::<Vec<_>>().join("\n")
}

/// Both servers.
#[derive(Debug)]
pub(super) struct Lab {
    folder: TempDir,
    settings: Settings,
    binaries: Binaries,
    pub(super) est: EstServer,
    pub(super) controller: Controller,
}

impl Lab {
    pub(super) fn start(options: &Options, settings: Settings) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(|error| trouble(format_args!("no folder: {error}")))?;
        let binaries = options.binaries.clone();
        EstServer::prepare(&binaries, folder.path(), &settings)?;
        Controller::prepare(folder.path(), &settings)?;
        Ok(Self {
            est: EstServer::start(&binaries, folder.path(), &settings)?,
            controller: Controller::start(&binaries, folder.path())?,
            folder,
            settings,
            binaries,
        })
    }

    /// The servers as they are now; another address after each restart.
    pub(super) fn doors(&self) -> Result<Doors, Failure> {
        Doors::new(self)
    }

    /// Resident memory of `est` and of `nmsp`, in KiB.
    pub(super) fn memory(&self) -> [u64; 2] {
        let processes = [self.est.process(), self.controller.process()];
        processes.map(|process| process.usage().memory)
    }

    /// Tells when one of them needs more than so many KiB more than before.
    pub(super) fn compare_memory(&self, before: [u64; 2], growth: u64, load: &Load) {
        let change = before.into_iter().zip(self.memory());
        for (name, (before, after)) in ["est", "nmsp"].into_iter().zip(change) {
            if after > before + growth {
                load.tally()
                    .wrong(format!("{name} has grown from {before} KiB to {after} KiB"));
            }
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `est` in the folder of the lab.
    pub(super) fn run_est(&self, arguments: &[&str]) -> Result<(), Failure> {
        est_server::run(&self.binaries, self.folder.path(), arguments, "")
    }

    /// Another certificate for the EST server, in `NAME.pem` and `NAME.key.pem`.
    pub(super) fn new_server_certificate(&self, name: &str) -> Result<(), Failure> {
        let authority = self.authority().display().to_string();
        est_server::new_server_certificate(&self.binaries, self.folder.path(), &authority, name)
    }

    /// Starts the servers again, after they have ended.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        self.est = EstServer::start(&self.binaries, self.folder.path(), &self.settings)?;
        self.controller = Controller::start(&self.binaries, self.folder.path())?;
        Ok(())
    }

    /// Where the authority keeps its files.
    pub(super) fn authority(&self) -> PathBuf {
        let own = || self.folder.path().join("ca");
        self.settings.authority.clone().unwrap_or_else(own)
    }

    /// Tries until an enrolment, a revocation list, a tunnel and the admin listener are served; for how long that took.
    pub(super) async fn recovery(&self, tally: &Tally) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let doors = self.doors()?;
        while begun.elapsed() < PATIENCE {
            // What fails here is the fault, not yet over; what succeeds counts like all else.
            let (enrolled, tunnel, onlooker) = tokio::join!(
                doors.est_client.enroll(&doors),
                doors.location_server.visit(),
                load::look_on(&doors)
            );
            if let (Reply::Whole(certificate), Ok(()), Ok(())) = (enrolled, tunnel, onlooker) {
                tally.certificate(certificate);
                tally.tunnel();
                return Ok(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tally.wrong(format!("not everything is served again after {PATIENCE:?}"));
        Ok(begun.elapsed())
    }

    /// What both servers use now, the EST server first.
    pub(super) async fn samples(&self) -> Result<[Sample; 2], Failure> {
        let doors = self.doors()?;
        let (est, nmsp) = tokio::join!(
            tasks(doors.metrics, "est_tasks"),
            tasks(doors.admin, "nmsp_tasks")
        );
        Ok([
            Sample {
                usage: self.est.process().usage(),
                tasks: est?,
            },
            Sample {
                usage: self.controller.process().usage(),
                tasks: nmsp?,
            },
        ])
    }

    /// Stops the load, waits for the recovery, looks up every certificate, and ends the servers.
    pub(super) async fn finish(
        mut self,
        fault: &'static str,
        injected: u64,
        load: Load,
    ) -> Result<Outcome, Failure> {
        let tally = Arc::clone(load.tally());
        let recovery = self.recovery(&tally).await?;
        load.stop().await;
        self.end(&tally).await?;
        self.outcome(fault, injected, recovery, &tally)
    }

    /// Ends both servers as an operator does. They must say goodbye in order.
    async fn end(&mut self, tally: &Tally) -> Result<(), Failure> {
        for (name, process) in [
            ("est", self.est.process_mut()),
            ("nmsp", self.controller.process_mut()),
        ] {
            if let Some(status) = process.ended() {
                tally.wrong(format!("{name} has ended by itself: {status}"));
                continue;
            }
            process.signal(Signal::TERM)?;
            let status = process.end().await?;
            if !status.success() {
                tally.wrong(format!("{name} ended with {status} after SIGTERM"));
            }
        }
        Ok(())
    }

    fn outcome(
        &self,
        fault: &'static str,
        injected: u64,
        recovery: Duration,
        tally: &Tally,
    ) -> Result<Outcome, Failure> {
        for (name, log) in [
            ("est", self.est.process().log()),
            ("nmsp", self.controller.process().log()),
        ] {
            if let Some(line) = log.lines().find(|line| line.contains("panicked")) {
                tally.wrong(format!("{name}: {line}"));
            }
        }
        let lost = self.lost(tally)?;
        let counts = tally.snapshot();
        Ok(Outcome {
            fault,
            injected,
            certificates: count(counts.certificates.len()),
            certificates_lost: lost,
            tunnels: counts.tunnels,
            wrong_answers: counts.wrong,
            recovery,
            problems: counts.problems,
            notes: Vec::new(),
            skipped: None,
        })
    }

    /// How many of the certificates that arrived are not on record.
    pub(super) fn lost(&self, tally: &Tally) -> Result<u64, Failure> {
        const PAGE: u32 = 1000;
        let provider = crypto_provider().map_err(trouble)?;
        let log = SqliteLog::open(self.authority().join("ca.sqlite"), provider).map_err(trouble)?;
        let (mut recorded, mut serials, mut skip) = (HashSet::new(), HashSet::new(), 0_u32);
        loop {
            let page = log.certificates(skip, PAGE).map_err(trouble)?;
            if page.is_empty() {
                break;
            }
            for row in page {
                if !serials.insert(row.serial) {
                    tally.wrong("a serial number is on record twice");
                }
                recorded.insert(row.certificate.to_vec());
                skip += 1;
            }
        }
        let counts = tally.snapshot();
        let lost = counts.certificates.iter().filter(|der| !recorded.contains(*der));
        Ok(count(lost.count()))
    }
}
