//! A broken device on the bench of the tester: the search for its defect, and a case again on a device that was just started.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use est::auth::BasicCredentials;
use est::operation::Operation;
use interop::device_fuzz::case::Case;
use interop::device_fuzz::examine::{Examiner, Look};
use interop::device_fuzz::grammar::est::{Est, Settings as EstSettings};
use interop::device_fuzz::grammar::nmsp::NmspGrammar;
use interop::device_fuzz::grammar::{CaseBudget, Grammar};
use interop::device_fuzz::liveness::Liveness;
use interop::device_fuzz::liveness::est::CaCerts;
use interop::device_fuzz::liveness::nmsp::EchoIsAnswered;
use interop::device_fuzz::liveness::nmsp_client::ComesBack;
use interop::device_fuzz::minimise::Bounds;
use interop::device_fuzz::resume::{Finding, Identity, Replay, State};
use interop::device_fuzz::run::{Budget, Settings, run};
use interop::device_fuzz::target::{Client, Server, Target};
use interop::device_fuzz::verdict::Harm;
use nmsp::wire::WireProfile;
use pki_common::tls::{ClientTls, PeerVerifier};
use rustls_pki_types::ServerName;

use crate::device::{Device, Lab, PATIENCE};

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Controller,
    LocationServer,
    EstServer,
}

/// What is expected of the tester.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// The seed, with which it does not take long.
    pub(crate) seed: u64,
    /// [`Harm::kind`](interop::device_fuzz::verdict::Harm::kind)
    pub(crate) harm: &'static str,
    /// What the harm is about, of a wrong answer.
    pub(crate) complaint: Option<&'static str>,
    /// Whether the process has ended afterwards.
    pub(crate) ends: bool,
    /// How long one look for life may take. A device that is away without having ended costs that much each time.
    pub(crate) look: Duration,
    /// Trials to make the case smaller.
    pub(crate) trials: u32,
    /// The minimal case has at most so many steps and bytes.
    pub(crate) steps: usize,
    pub(crate) bytes: u64,
}

/// What the tester has found.
pub(crate) struct Found {
    pub(crate) expected: Expected,
    pub(crate) finding: Finding,
    pub(crate) state: State,
}

/// The most cases that a search may take.
pub(crate) const CASES: u64 = 400;

/// How long one search may take; it takes seconds.
const LONGEST: Duration = Duration::from_secs(300);

/// Small enough that no case takes long.
pub(crate) const BUDGET: CaseBudget = CaseBudget {
    connections: 4,
    requests: 64,
    bytes: 256 * 1024,
    stall_milliseconds: 400,
};

/// User and password of the EST servers.
pub(crate) const USER: &str = "tester";

/// What stands in `Host`. Where the server of a test listens is left to chance, and cases are to be the same each time.
pub(crate) const EST_HOST: &str = "127.0.0.1:8085";

/// What the EST servers can do.
pub(crate) const OPERATIONS: [Operation; 4] = [
    Operation::CaCerts,
    Operation::CsrAttrs,
    Operation::SimpleEnroll,
    Operation::SimpleReenroll,
];

/// A device and the tester that looks at it.
struct Bench<G, T, L> {
    examiner: Examiner<G, T, L>,
    device: Arc<Mutex<Device>>,
    /// Must outlive the device.
    _lab: Lab,
}

impl<G: Grammar, T: Target, L: Liveness<T>> Bench<G, T, L> {
    fn new(expected: &Expected, lab: Lab, device: Device, grammar: G, target: T, liveness: L) -> Self {
        let mut examiner = Examiner::new(grammar, target, liveness);
        examiner.look = Look {
            bound: expected.look,
            tries: 1,
            recovery: Duration::from_millis(100),
            settle: Duration::from_secs(3),
            ..Look::default()
        };
        examiner.patience.answer = Duration::from_millis(200);
        // A device whose memory or descriptors are looked at goes on: the process stays the same.
        if matches!(expected.harm, "memory" | "descriptors") {
            examiner.pid = Some(device.process());
            examiner.growth.descriptors = 1;
        }
        if expected.harm == "memory" {
            // Until it has taken the memory, on a machine under load.
            examiner.patience.answer = Duration::from_millis(600);
        }
        let device = Arc::new(Mutex::new(device));
        let again = Arc::clone(&device);
        examiner.restart = Some(Box::new(move || {
            again.lock().unwrap().start_again();
            Ok(())
        }));
        Self {
            examiner,
            device,
            _lab: lab,
        }
    }

    /// Waits until the device works: ten of them start at the same time.
    async fn ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(problem) = self.examiner.works().await {
            assert!(Instant::now() < deadline, "{problem}");
        }
    }

    async fn search(mut self, expected: Expected) -> Found {
        self.ready().await;
        let settings = Settings {
            budget: Budget {
                cases: Some(CASES),
                time: Some(LONGEST),
                ..Budget::default()
            },
            pace: Duration::ZERO,
            max_findings: 1,
            minimise: Some(Bounds {
                trials: expected.trials,
                time: Duration::from_secs(120),
            }),
            folder: None,
        };
        let (grammar, target) = (&self.examiner.grammar, expected.name.to_owned());
        let identity = Identity::of(grammar, target, expected.seed, BUDGET);
        let state = State::new(identity, crate::page::arguments(&expected));
        let stop = AtomicBool::new(false);
        let state = run(&mut self.examiner, &settings, state, &mut (), &stop).await;
        let state = state.unwrap();
        let verdicts = state.verdicts();
        let [finding] = state.findings.as_slice() else {
            panic!(
                "nothing was found in {} cases: {verdicts:?}, {:?}",
                state.next, state.ended
            );
        };
        Found {
            expected,
            finding: finding.clone(),
            state,
        }
    }

    async fn repeat(mut self, expected: &Expected, case: &Case) {
        self.ready().await;
        self.examiner.restart = None;
        if expected.harm == "descriptors" {
            assert!(self.examiner.leaks(case, Duration::ZERO).await, "{case:#?}");
            return;
        }
        let examined = self.examiner.examine(case).await;
        let harm = examined.harm.as_ref();
        assert_eq!(harm.map(Harm::kind), Some(expected.harm), "{:?}", examined.seen);
        assert_eq!(harm.and_then(Harm::complaint), expected.complaint);
        assert_eq!(!self.device.lock().unwrap().lives(), expected.ends);
    }
}

impl Expected {
    /// Searches for the defect.
    pub(crate) async fn search(self) -> Found {
        match self.role {
            Role::Controller => controller(&self).search(self).await,
            Role::LocationServer => location_server(&self).search(self).await,
            Role::EstServer => est_server(&self).search(self).await,
        }
    }

    /// Plays the case of a file to a device that was just started; it does the same harm.
    pub(crate) async fn replay(&self, file: &Path) {
        let case = Replay::load(file).unwrap().case;
        match self.role {
            Role::Controller => controller(self).repeat(self, &case).await,
            Role::LocationServer => location_server(self).repeat(self, &case).await,
            Role::EstServer => est_server(self).repeat(self, &case).await,
        }
    }
}

fn controller(expected: &Expected) -> Bench<NmspGrammar, Server, EchoIsAnswered> {
    let lab = Lab::new();
    let device = Device::start(expected.name, &lab);
    let profile = Arc::clone(WireProfile::built_in());
    let target = server(&device, &lab.client_tls());
    let grammar = NmspGrammar::location_server(Arc::clone(&profile), BUDGET);
    Bench::new(
        expected,
        lab,
        device,
        grammar,
        target,
        EchoIsAnswered::new(profile),
    )
}

fn location_server(expected: &Expected) -> Bench<NmspGrammar, Client, ComesBack> {
    let lab = Lab::with_certificates();
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let device = Device::start_towards(expected.name, &lab, listener.local_addr().unwrap());
    let profile = Arc::clone(WireProfile::built_in());
    let target = Client::new(listener, lab.server_tls().rustls_config().unwrap(), false);
    let grammar = NmspGrammar::controller(Arc::clone(&profile), BUDGET);
    let liveness = ComesBack::new(profile, 0);
    Bench::new(expected, lab, device, grammar, target, liveness)
}

fn est_server(expected: &Expected) -> Bench<Est, Server, CaCerts> {
    let lab = Lab::new();
    let device = Device::start(expected.name, &lab);
    // By name and password: without a certificate.
    let tls = ClientTls::new(PeerVerifier::trust_store(lab.anchors()));
    let target = server(&device, &tls);
    let mut settings = EstSettings::new(EST_HOST);
    settings.operations = OPERATIONS.to_vec();
    settings.credentials = Some(BasicCredentials::new(USER, USER).unwrap());
    settings.demands_password = true;
    settings.budget = BUDGET;
    let liveness = CaCerts::new(&settings);
    Bench::new(expected, lab, device, Est::new(settings), target, liveness)
}

fn server(device: &Device, tls: &ClientTls) -> Server {
    Server {
        address: device.address,
        tls: tls.rustls_config().unwrap(),
        name: ServerName::from(device.address.ip()),
    }
}
