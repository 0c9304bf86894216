//! The EST server under load, one core for it and one for the clients, against what cannot be saved: the cryptography
//! of the same requests, a bare HTTPS server, the same server without a durable log, and libest where it is installed.
//!
//! ```sh
//! cargo bench -p benches --bench est_server            # ratios
//! cargo bench -p benches --bench est_server -- memory  # resident memory over 100,000 enrolments
//! ```
//!
//! Each ratio is the median of several rounds in which both sides are measured right after one another. Beside the
//! rate that the clients see stands the rate per second of processor time that the server used: it does not change
//! when something else runs on the machine.

#![allow(
    clippy::indexing_slicing,
    reason = "a mistake in a benchmark ends the benchmark"
)]
#![allow(missing_docs, reason = "a program without a documented interface of its own")]

mod cryptography;
mod libest;
mod load;
mod server_role;

use std::path::Path;
use std::time::Duration;

use benches::process::{Process, pin_to_core};
use cryptography::{Cryptography, rate};
use load::{Load, PASSWORD, Requests, Target, USER, Until};
use pki_common::tls::TlsVersions;
use server_role::Role;

/// The one of the `est` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds a comparison is repeated for.
const ROUNDS: usize = 5;
/// Clients that keep their connections: so many that the server never waits for one of them.
const KEEP_ALIVE_CLIENTS: usize = 16;
/// How long a load lasts.
const SPAN: Duration = Duration::from_secs(2);
/// Enrolments prepared for one load; more than a core can answer in [`SPAN`].
const PREPARED: usize = 20_000;
/// Enrolments over which the memory is watched.
const MEMORY_ENROLMENTS: usize = 100_000;

fn main() {
    if server_role::serve_if_asked() {
        return;
    }
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let wanted = |name: &str| {
        arguments.is_empty() || arguments.iter().any(|argument| name.contains(argument.as_str()))
    };
    pin_to_core(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bench = Bench::new(folder.path()).await;
        if wanted("cacerts") {
            bench.cacerts().await;
        }
        if wanted("enrol-keep-alive") {
            bench.enrol_keep_alive().await;
        }
        if wanted("enrol-new-connections") {
            bench.enrol_new_connections().await;
        }
        if wanted("durable-log") {
            bench.durable_log().await;
        }
        if wanted("memory") {
            bench.memory().await;
        }
        if wanted("libest") {
            libest::compare(&bench).await;
        }
    });
}

/// One measurement of a server: what its clients saw, and what a second of its processor time gave.
#[derive(Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) seen: f64,
    pub(crate) per_processor_second: f64,
}

pub(crate) struct Bench<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) cryptography: Cryptography,
}

impl<'a> Bench<'a> {
    async fn new(folder: &'a Path) -> Self {
        server_role::prepare(folder).await;
        Self {
            folder,
            cryptography: Cryptography::new(),
        }
    }

    pub(crate) fn target(&self, server: &Process) -> Target {
        Target::new(server.address(), &self.folder.join("ca.pem"), TlsVersions::Tls13)
    }

    /// One load on one server, after a short one that fills the caches.
    pub(crate) async fn measure(&self, server: &mut Process, requests: &Requests, load: Load) -> Rates {
        let target = self.target(server);
        let warm_up = Load {
            until: Until::Answers(64),
            ..load
        };
        load::run(&target, requests, warm_up).await;
        let before = server.usage().processor;
        let started = std::time::Instant::now();
        let seen = load::run(&target, requests, load).await;
        let answers = seen * started.elapsed().as_secs_f64();
        Rates {
            seen,
            per_processor_second: answers / (server.usage().processor - before),
        }
    }

    async fn cacerts(&self) {
        let mut ours = Role::Memory.start(self.folder);
        self.write_answer(&ours).await;
        let mut bare = Role::Bare.start(self.folder);
        let load = Load {
            clients: KEEP_ALIVE_CLIENTS,
            keep_alive: true,
            until: Until::Elapsed(SPAN),
        };
        let requests = load::cacerts();
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let of_ours = self.measure(&mut ours, &requests, load).await;
            let of_bare = self.measure(&mut bare, &requests, load).await;
            rounds.push((of_ours, of_bare));
        }
        report("cacerts, keep-alive, 16 clients", "bare hyper + rustls", &rounds);
        ours.stop();
        bare.stop();
    }

    /// The bytes that the bare server returns: the ones that ours returns.
    async fn write_answer(&self, ours: &Process) {
        let url = format!("https://{}", ours.address()).parse().expect("a URL");
        let anchors = pki_common::trust_store::TrustStore::from_paths("bench", [self.folder.join("ca.pem")]);
        let config = est::client::ClientConfig::new(url, anchors.expect("made before").into());
        let client = est::client::Client::new(config).expect("a valid configuration");
        let certificates = client.cacerts().await.expect("the server answers");
        let ders: Vec<_> = certificates
            .iter()
            .map(|certificate| certificate.der().clone())
            .collect();
        let message = est::wire::certs_only::encode(&ders).expect("certificates");
        let body = est::wire::base64::encode(&message, est::wire::base64::Base64Layout::default());
        std::fs::write(self.folder.join("answer"), body).expect("a folder of our own");
    }

    async fn enrol_keep_alive(&self) {
        let what = "enrol, keep-alive, 16 clients";
        let limit = "one CSR verify + one sign";
        self.enrol(true, what, limit, || self.cryptography.enrolment())
            .await;
    }

    async fn enrol_new_connections(&self) {
        let what = "enrol, new TLS 1.3 connections, 16 clients";
        let limit = "handshake operations + verify + sign";
        let operations = || {
            self.cryptography.handshake();
            self.cryptography.enrolment();
        };
        self.enrol(false, what, limit, operations).await;
    }

    /// Our server against the cryptography alone, and against hyper and rustls that do this cryptography and nothing
    /// else: the second tells how much of the distance to the first is ours.
    async fn enrol(&self, keep_alive: bool, what: &str, limit: &str, cryptography: impl Fn()) {
        let mut server = Role::Memory.start(self.folder);
        self.write_answer(&server).await;
        let mut floor = Role::Floor.start(self.folder);
        let load = Load {
            clients: KEEP_ALIVE_CLIENTS,
            keep_alive,
            until: Until::Elapsed(SPAN),
        };
        let (mut rounds, mut floors, mut ours_to_floor) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let requests = load::enrolments(PREPARED, USER, PASSWORD, round * PREPARED);
            let ours = self.measure(&mut server, &requests, load).await;
            let bare = rate(&cryptography);
            let of_floor = self.measure(&mut floor, &requests, load).await;
            rounds.push((ours, bare));
            floors.push((of_floor, bare));
            ours_to_floor.push((ours, of_floor));
        }
        report(what, limit, &rounds);
        report("  hyper + rustls with that cryptography", limit, &floors);
        report(what, "hyper + rustls with that cryptography", &ours_to_floor);
        server.stop();
        floor.stop();
    }

    async fn durable_log(&self) {
        let mut durable = Role::Durable.start(self.folder);
        let mut memory = Role::Memory.start(self.folder);
        let load = Load {
            clients: 16,
            keep_alive: true,
            until: Until::Elapsed(SPAN),
        };
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let requests = load::enrolments(PREPARED, USER, PASSWORD, (round + 100) * PREPARED);
            let ours = self.measure(&mut durable, &requests, load).await;
            let without = self.measure(&mut memory, &requests, load).await;
            rounds.push((ours, without));
        }
        report(
            "enrol with the durable log, 16 in flight",
            "the log in memory",
            &rounds,
        );
        durable.stop();
        memory.stop();
    }

    #[expect(clippy::print_stdout, reason = "the report is the product of a benchmark")]
    async fn memory(&self) {
        let mut server = Role::Durable.start(self.folder);
        let target = self.target(&server);
        let step = MEMORY_ENROLMENTS / 10;
        let mut readings = Vec::new();
        for number in 0..10 {
            let requests = load::enrolments(step, USER, PASSWORD, 10_000_000 + number * step);
            let load = Load {
                clients: 16,
                keep_alive: true,
                until: Until::Answers(step),
            };
            load::run(&target, &requests, load).await;
            readings.push(server.usage().resident);
        }
        let (first, last) = (
            readings.first().copied().unwrap_or(0),
            readings.last().copied().unwrap_or(0),
        );
        let most = readings.iter().max().copied().unwrap_or(0);
        println!(
            "memory {:<44} {:.1} MiB after {step}, {:.1} MiB after {MEMORY_ENROLMENTS}, at most {:.1} MiB, growth {:+.1} %",
            "enrolments with the durable log",
            mib(first),
            mib(last),
            mib(most),
            (mib(last) / mib(first) - 1.0) * 100.0
        );
        server.stop();
    }
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

/// Prints the medians of the ratios of both rates.
#[expect(clippy::print_stdout, reason = "the report is the product of a benchmark")]
pub(crate) fn report(what: &str, baseline: &str, rounds: &[(Rates, Rates)]) {
    let seen = median(rounds.iter().map(|(ours, bare)| ours.seen / bare.seen));
    let processor = median(
        rounds
            .iter()
            .map(|(ours, bare)| ours.per_processor_second / bare.per_processor_second),
    );
    let of = |rate: fn(&(Rates, Rates)) -> f64| median(rounds.iter().map(rate));
    println!(
        "ratio  {what:<44} {seen:.2} × the rate of {baseline} ({:.0}/s against {:.0}/s); \
         {processor:.2} × per second of processor time ({:.0} against {:.0})",
        of(|(ours, _)| ours.seen),
        of(|(_, bare)| bare.seen),
        of(|(ours, _)| ours.per_processor_second),
        of(|(_, bare)| bare.per_processor_second),
    );
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
