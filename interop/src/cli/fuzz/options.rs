//! Options that every device has.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use interop::device_fuzz::examine::{Examiner, Look, Restart};
use interop::device_fuzz::grammar::CaseBudget;
use interop::device_fuzz::minimise::Bounds;
use interop::device_fuzz::play::Patience;
use interop::device_fuzz::resources::Growth;
use interop::device_fuzz::run::{Budget, Settings};
use pki_common::identity::Identity;
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, Failure};

/// What a run is, may use up, and looks at.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// The device has a public address, and you own it.
    #[arg(long)]
    pub(super) i_own_this: bool,

    /// The seed of the run; chance if not given, and printed.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Ends after so many cases.
    #[arg(long, default_value_t = 10_000, help_heading = "Budget")]
    pub(super) cases: u64,
    /// Ends after so many seconds.
    #[arg(long, default_value_t = 3600, value_name = "SECONDS", help_heading = "Budget")]
    pub(super) time: u64,
    /// Ends after so many MiB sent.
    #[arg(long, default_value_t = 1024, value_name = "MIB", help_heading = "Budget")]
    pub(super) traffic: u64,
    /// Ends after so many connections, looks for life included.
    #[arg(
        long,
        default_value_t = 100_000,
        value_name = "COUNT",
        help_heading = "Budget"
    )]
    pub(super) connections: u64,
    /// Ends after so many findings.
    #[arg(long, default_value_t = 10, value_name = "COUNT", help_heading = "Budget")]
    pub(super) findings: usize,
    /// Cases in a second, at most.
    #[arg(long, default_value_t = 10.0, value_name = "PER-SECOND", value_parser = rate, help_heading = "Budget")]
    pub(super) rate: f64,

    /// Connections at the same time. Fewer than the device serves, or what it rightly refuses looks like a finding.
    #[arg(long, default_value_t = 8, value_name = "COUNT", help_heading = "Budget of one case",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) case_connections: u32,
    /// Requests whose answers are not waited for.
    #[arg(long, default_value_t = 256, value_name = "COUNT", help_heading = "Budget of one case",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) case_requests: u32,
    /// KiB sent.
    #[arg(long, default_value_t = 1024, value_name = "KIB", help_heading = "Budget of one case",
          value_parser = clap::value_parser!(u32).range(64..=262_144))]
    pub(super) case_traffic: u32,
    /// The longest stall, in milliseconds.
    #[arg(
        long,
        default_value_t = 1500,
        value_name = "MS",
        help_heading = "Budget of one case"
    )]
    pub(super) case_stall: u64,

    /// How long an answer to a case may take, in milliseconds; later the case is silent.
    #[arg(long, default_value_t = 300, value_name = "MS", help_heading = "Sign of life")]
    pub(super) answer_within: u64,
    /// How long a sign of life may take, connection and handshake included, in seconds.
    #[arg(long, value_name = "SECONDS", help_heading = "Sign of life")]
    pub(super) alive_within: Option<u64>,
    /// How many looks in a row must fail before the device is away.
    #[arg(
        long,
        default_value_t = 3,
        value_name = "COUNT",
        help_heading = "Sign of life"
    )]
    pub(super) tries: u32,
    /// How long a device that is away may take to come back, in seconds; later it is dead.
    #[arg(
        long,
        default_value_t = 60,
        value_name = "SECONDS",
        help_heading = "Sign of life"
    )]
    pub(super) recovery: u64,
    /// The device serves one connection at a time: looks wait until those of the case are closed.
    #[arg(long, help_heading = "Sign of life")]
    pub(super) one_connection: bool,
    /// A command that starts a dead device again, for `sh -c`. It must come to an end.
    #[arg(long, value_name = "COMMAND", help_heading = "Sign of life")]
    pub(super) restart: Option<String>,
    /// The device is this process of this machine: memory and file descriptors are looked at (Linux).
    #[arg(long, help_heading = "Sign of life")]
    pub(super) pid: Option<u32>,
    /// File descriptors that the process may hold more than at the start.
    #[arg(
        long,
        default_value_t = 32,
        value_name = "COUNT",
        requires = "pid",
        help_heading = "Sign of life"
    )]
    pub(super) descriptor_growth: u64,
    /// MiB of memory that the process may hold more than at the start.
    #[arg(
        long,
        default_value_t = 64,
        value_name = "MIB",
        requires = "pid",
        help_heading = "Sign of life"
    )]
    pub(super) memory_growth: u64,

    /// Trials to make a case smaller; 0 does not.
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    pub(super) minimise: u32,
    /// The folder of the run.
    #[arg(long, default_value = "interop-fuzz", value_name = "DIR")]
    pub(super) output: PathBuf,
    /// Continues the run in that folder.
    #[arg(long)]
    pub(super) resume: bool,
    /// No progress bar.
    #[arg(long)]
    pub(super) quiet: bool,

    /// Our certificate chain, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Credentials")]
    certificate: Option<PathBuf>,
    /// Our private key, PEM or DER.
    #[arg(
        long,
        value_name = "FILE",
        requires = "certificate",
        help_heading = "Credentials"
    )]
    key: Option<PathBuf>,
    /// A folder with certificate.pem and key.pem, as `nmsp identity new` makes it.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["certificate", "key"], help_heading = "Credentials")]
    identity: Option<PathBuf>,
    /// Authorities that the device's certificate may come from, files or folders.
    #[arg(long, value_name = "PATH", help_heading = "Credentials")]
    pub(super) trust_anchors: Vec<PathBuf>,
    /// Whatever certificate the device presents is taken. Send it no secret then.
    #[arg(long, conflicts_with = "trust_anchors", help_heading = "Credentials")]
    pub(super) dangerous_accept_any_certificate: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.01..=1000.0).contains(&rate) {
        return Ok(rate);
    }
    Err("a rate of 0.01 to 1000 cases in a second is possible".to_owned())
}

impl Options {
    /// What one case may use up.
    pub(super) const fn case_budget(&self) -> CaseBudget {
        CaseBudget {
            connections: self.case_connections,
            requests: self.case_requests,
            bytes: self.case_traffic.saturating_mul(1024),
            stall_milliseconds: self.case_stall,
        }
    }

    /// How the run goes on.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            budget: Budget {
                cases: Some(self.cases),
                time: Some(Duration::from_secs(self.time)),
                bytes: Some(self.traffic.saturating_mul(1024 * 1024)),
                connections: Some(self.connections),
            },
            pace: Duration::from_secs_f64(1.0 / self.rate),
            max_findings: self.findings,
            minimise: (self.minimise > 0).then(|| Bounds {
                trials: self.minimise,
                ..Bounds::default()
            }),
            folder: Some(self.output.clone()),
        }
    }

    /// Sets patience and what is looked at. A sign of life of this protocol takes so long, unless the user says otherwise.
    pub(super) fn equip<G, T, L>(&self, examiner: &mut Examiner<G, T, L>, alive_within: u64) {
        let bound = Duration::from_secs(self.alive_within.unwrap_or(alive_within));
        examiner.patience = Patience {
            connect: bound,
            answer: Duration::from_millis(self.answer_within),
        };
        examiner.look = Look {
            bound,
            tries: self.tries,
            recovery: Duration::from_secs(self.recovery),
            one_connection: self.one_connection,
            ..Look::default()
        };
        examiner.pid = self.pid;
        examiner.growth = Growth {
            descriptors: self.descriptor_growth,
            resident_kib: self.memory_growth.saturating_mul(1024),
            ..Growth::default()
        };
        examiner.restart = self.restart.clone().map(restart);
    }

    pub(super) fn identity(&self) -> Result<Option<Arc<Identity>>, Failure> {
        crate::cli::own_identity(
            self.identity.as_deref(),
            self.certificate.as_deref(),
            self.key.as_deref(),
        )
    }

    /// The anchors that were given; `None` without any.
    pub(super) fn anchors(&self, role: &str) -> Result<Option<TrustStore>, Failure> {
        if self.trust_anchors.is_empty() {
            return Ok(None);
        }
        let anchors = TrustStore::from_paths(role, &self.trust_anchors);
        anchors.map(Some).map_err(|error| error.diagnose())
    }
}

fn restart(command: String) -> Restart {
    use std::process::{Command, Stdio};

    Box::new(move || {
        let status = Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .map_err(|error| format!("sh cannot be run: {error}"))?;
        if status.success() {
            return Ok(());
        }
        Err(format!("{command:?} ended with {status}"))
    })
}
