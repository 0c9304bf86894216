//! A watched folder, scripted servers, and a daemon that runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use est::renewal::RenewalSettings;
use est::renewal::daemon::{
    CONFIGURATION, Configurer, Daemon, DaemonSettings, Enroller, EnrollerFuture, Event, EventKind, Exchanged,
    HeldFiles, ManagedIdentity, PreparationFuture, RuntimeClock,
};
use est::renewal::folder::{IdentityFolder, PendingRequest};
use est::request::KeyAndRequest;
use pki_common::identity::{Identity, NewKey};
use pki_common::{Failure, Rung};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::clock::RuntimeWall;
pub(super) use crate::simulation::{DAY, HOUR, START};
use crate::support::PATIENCE;

/// One exchange, by the clock of the server.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) at: u64,
    pub(super) csr: Vec<u8>,
    pub(super) renews: bool,
}

/// What a scripted server does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reply {
    Issue { days: u64 },
    Pending { retry_after: u64 },
    Fail { discard: bool },
    Hang,
    Panic,
}

type Script = Box<dyn FnMut(&Ask) -> Reply + Send>;

/// A server that does what a test says.
pub(super) struct Scripted {
    clock: Arc<dyn TimeProvider>,
    script: Mutex<Script>,
    asks: Mutex<Vec<Ask>>,
    /// How long it takes to answer.
    takes: Duration,
    load: Arc<Load>,
}

/// How many exchanges there are at a time.
#[derive(Debug, Default)]
pub(super) struct Load {
    now: AtomicUsize,
    pub(super) most: AtomicUsize,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub(super) fn new(
        clock: &Arc<impl TimeProvider + 'static>,
        script: impl FnMut(&Ask) -> Reply + Send + 'static,
    ) -> Arc<Self> {
        Self::slow(clock, Duration::ZERO, &Arc::default(), script)
    }

    pub(super) fn slow(
        clock: &Arc<impl TimeProvider + 'static>,
        takes: Duration,
        load: &Arc<Load>,
        script: impl FnMut(&Ask) -> Reply + Send + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            script: Mutex::new(Box::new(script)),
            asks: Mutex::default(),
            takes,
            load: Arc::clone(load),
        })
    }

    pub(super) fn asks(&self) -> Vec<Ask> {
        self.asks.lock().unwrap().clone()
    }

    fn reply(&self, request: &PendingRequest, held: &HeldFiles) -> (Reply, u64) {
        let ask = Ask {
            at: self.clock.current_time().unwrap().as_secs(),
            csr: request.csr_der.clone(),
            renews: held.current.is_some(),
        };
        let reply = (self.script.lock().unwrap())(&ask);
        let at = ask.at;
        self.asks.lock().unwrap().push(ask);
        (reply, at)
    }
}

impl Enroller for Scripted {
    fn prepare(&self, _held: HeldFiles) -> PreparationFuture<'_> {
        Box::pin(async { Ok(request()) })
    }

    fn exchange(&self, request: PendingRequest, held: HeldFiles) -> EnrollerFuture<'_> {
        Box::pin(async move {
            let now = self.load.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.load.most.fetch_max(now, Ordering::SeqCst);
            let (reply, at) = self.reply(&request, &held);
            if !self.takes.is_zero() {
                tokio::time::sleep(self.takes).await;
            }
            self.load.now.fetch_sub(1, Ordering::SeqCst);
            match reply {
                Reply::Issue { days } => Exchanged::Issued {
                    identity: Box::new(certified(request.key, at, days * DAY)),
                    new_anchors: Vec::new(),
                },
                Reply::Pending { retry_after } => Exchanged::Pending {
                    retry_after: Duration::from_secs(retry_after),
                },
                Reply::Fail { discard } => Exchanged::Failed {
                    failure: Box::new(Failure::new(Rung::Tcp, "nobody answers", "Start it.")),
                    retry_after: None,
                    discard_request: discard,
                },
                Reply::Hang => std::future::pending().await,
                Reply::Panic => panic!("an enroller with a defect"),
            }
        })
    }
}

pub(super) fn request() -> PendingRequest {
    let made = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    PendingRequest {
        key: made.private_key().clone_key(),
        csr_der: made.csr_der().to_vec(),
    }
}

/// A certificate for this key that starts at this time.
pub(super) fn certified(key: PrivatePkcs8KeyDer<'static>, start: u64, lifetime: u64) -> Identity {
    let time =
        |seconds: u64| time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    (parameters.not_before, parameters.not_after) = (time(start), time(start + lifetime));
    let pair = rcgen::KeyPair::try_from(key.secret_pkcs8_der()).unwrap();
    let certificate = parameters.self_signed(&pair).unwrap();
    Identity::from_parts(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key)).unwrap()
}

/// Looks once an hour, so that months pass in no time; nothing else depends on that.
pub(super) fn settings() -> RenewalSettings {
    RenewalSettings {
        look_again: Duration::from_secs(HOUR),
        ..RenewalSettings::default()
    }
}

pub(super) fn hourly() -> DaemonSettings {
    DaemonSettings {
        scan: Duration::from_secs(HOUR),
        ..DaemonSettings::default()
    }
}

/// What each identity is managed by; one without is misconfigured.
#[derive(Debug, Default)]
pub(super) struct ByName(pub(super) BTreeMap<String, ManagedIdentity>);

impl Configurer for ByName {
    fn configure(&self, folder: &Path) -> Result<ManagedIdentity, Failure> {
        let name = folder.file_name().unwrap().to_str().unwrap();
        self.0
            .get(name)
            .cloned()
            .ok_or_else(|| Failure::new(Rung::Local, "colour is no key", "Remove it."))
    }
}

pub(super) struct Lab {
    directory: TempDir,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            events: Arc::default(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn add(&self, name: &str) {
        std::fs::create_dir_all(self.path(name)).unwrap();
        std::fs::write(self.path(name).join(CONFIGURATION), "").unwrap();
    }

    /// A daemon over these identities, with the clock of the system.
    pub(super) fn daemon_of(&self, settings: DaemonSettings, identities: ByName) -> Daemon {
        for name in identities.0.keys() {
            self.add(name);
        }
        let events = Arc::clone(&self.events);
        let directory = self.directory.path().to_path_buf();
        Daemon::new(directory, settings, Arc::new(identities), move |event| {
            events.lock().unwrap().push(event);
        })
    }

    /// A daemon over identities with the usual settings, under the paused clock.
    pub(super) fn daemon(&self, wall: &Arc<RuntimeWall>, servers: &[(&str, &Arc<Scripted>)]) -> Daemon {
        let (usual, mut identities) = (settings(), ByName::default());
        for (name, server) in servers {
            let enroller: Arc<dyn Enroller> = Arc::<Scripted>::clone(server);
            let managed = ManagedIdentity::new(usual.clone(), enroller);
            identities.0.insert((*name).to_owned(), managed);
        }
        let clock = RuntimeClock::new(Arc::<RuntimeWall>::clone(wall));
        self.daemon_of(hourly(), identities).with_clock(Arc::new(clock))
    }

    pub(super) fn current(&self, name: &str) -> Option<Identity> {
        IdentityFolder::new(self.path(name)).current().unwrap()
    }

    /// The end of validity of what is in use.
    pub(super) fn end(&self, name: &str) -> u64 {
        self.current(name).unwrap().certificate().not_after().as_secs()
    }

    pub(super) fn events(&self, name: &str) -> Vec<EventKind> {
        let events = self.events.lock().unwrap();
        let of_one = events.iter().filter(|event| event.identity == name);
        of_one.map(|event| event.kind.clone()).collect()
    }

    pub(super) fn count(&self, name: &str, what: fn(&EventKind) -> bool) -> usize {
        self.events(name).iter().filter(|kind| what(kind)).count()
    }

    /// Waits, in real time, for so many events of a kind.
    pub(super) async fn until(&self, name: &str, number: usize, what: fn(&EventKind) -> bool) {
        let reached = async {
            while self.count(name, what) < number {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, reached).await;
        assert!(waited.is_ok(), "{:?}", self.events(name));
    }
}

pub(super) fn renewed(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Renewed { .. })
}

pub(super) fn failed(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Failed(_) | EventKind::FailedUntil(..))
}

#[cfg(feature = "cli")]
pub(super) fn pending(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Pending { .. })
}

/// A daemon under way.
pub(super) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
    metrics: Arc<ArcSwap<String>>,
}

impl Running {
    pub(super) fn start(mut daemon: Daemon) -> Self {
        let stop = CancellationToken::new();
        let (metrics, token) = (daemon.metrics(), stop.clone());
        let task = tokio::spawn(async move { daemon.run(token).await.unwrap() });
        Self { stop, task, metrics }
    }

    pub(super) fn cancel(&self) {
        self.stop.cancel();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    pub(super) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("the daemon ends")
            .unwrap();
    }

    /// A metric of one identity, by the end of its name.
    pub(super) fn metric(&self, name: &str, identity: &str) -> Option<u64> {
        let text = self.metrics.load();
        let start = format!("est_renewal_{name}{{identity=\"{identity}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.map(|value| value.parse().unwrap())
    }

    pub(super) fn phase(&self, identity: &str) -> Option<String> {
        let text = self.metrics.load();
        let start = format!("est_renewal_phase{{identity=\"{identity}\",phase=\"");
        let mut phases = text.lines().filter_map(|line| line.strip_prefix(&start));
        phases.find_map(|rest| rest.strip_suffix("\"} 1").map(ToOwned::to_owned))
    }

    pub(super) fn metrics(&self) -> String {
        self.metrics.load().to_string()
    }
}

pub(super) async fn days(number: u64) {
    tokio::time::sleep(Duration::from_secs(number * DAY)).await;
}
