//! The daemon over real files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use est::renewal::RenewalSettings;
use est::renewal::daemon::{
    CONFIGURATION, Configurer, Daemon, DaemonSettings, Enroller, EnrollerFuture, Event, EventKind, Exchanged,
    HeldFiles, ManagedIdentity, PreparationFuture, RuntimeClock,
};
use est::renewal::folder::{IdentityFolder, PendingRequest};
use est::request::KeyAndRequest;
use pki_common::identity::{Identity, NewKey};
use pki_common::{Certificate, Failure, Rung};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Reached;
use super::stepwise::{Refusing, Stepwise};
use crate::keys;
use crate::script::Steps;

const START: u64 = 1_800_000_000;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// The lifetime of a certificate when the script says nothing else.
const LIFETIME: u64 = 30 * DAY;
const NAMES: [&str; 2] = ["a", "b"];
/// Steps of a script: more bring nothing new and take time.
const MAX_STEPS: usize = 48;
/// How long a script may take, in the daemon's time: it looks at its folders every hour.
const LONGEST: u64 = 200 * DAY;
/// A configuration with other settings.
const OTHERWISE: &str = "otherwise";

/// The wall clock goes with the runtime's, and steps.
#[derive(Debug)]
struct Wall {
    start: Instant,
    step: AtomicI64,
}

impl Wall {
    fn seconds(&self) -> u64 {
        let right = START + self.start.elapsed().as_secs();
        right.saturating_add_signed(self.step.load(Ordering::Relaxed))
    }
}

impl TimeProvider for Wall {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.seconds())))
    }
}

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
enum Reply {
    /// A certificate, and perhaps a new root beside it.
    Issue {
        lifetime: u64,
        anchor: bool,
    },
    Pending {
        retry_after: u64,
    },
    Fail {
        retry_after: Option<u64>,
        discard: bool,
    },
    Hang,
}

/// The server of one identity, which also keeps the books.
#[derive(Debug)]
struct Server {
    wall: Arc<Wall>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    replies: VecDeque<Reply>,
    /// The request whose key has neither a certificate nor a refusal yet.
    open: Option<Vec<u8>>,
    /// An exchange is under way.
    busy: bool,
    exchanges: usize,
}

impl Server {
    fn with<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        act(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Is over when it is dropped, however the exchange ends.
struct Busy<'a>(&'a Server);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.with(|books| books.busy = false);
    }
}

impl Enroller for Server {
    fn prepare(&self, _held: HeldFiles) -> PreparationFuture<'_> {
        Box::pin(async {
            let subject = "CN=x".parse().expect("a subject");
            let made = KeyAndRequest::generate(subject, vec![], NewKey::EcP256).expect("a P-256 key");
            Ok(PendingRequest {
                key: made.private_key().clone_key(),
                csr_der: made.csr_der().to_vec(),
            })
        })
    }

    fn exchange(&self, request: PendingRequest, _held: HeldFiles) -> EnrollerFuture<'_> {
        Box::pin(async move {
            let reply = self.with(|books| {
                assert!(!books.busy, "two exchanges for one identity at a time");
                books.busy = true;
                books.exchanges += 1;
                if let Some(open) = &books.open {
                    assert_eq!(
                        *open, request.csr_der,
                        "a second key while the first has no answer"
                    );
                }
                books.open = Some(request.csr_der.clone());
                books.replies.pop_front().unwrap_or(Reply::Issue {
                    lifetime: LIFETIME,
                    anchor: false,
                })
            });
            let _busy = Busy(self);
            tokio::time::sleep(Duration::from_secs(1)).await;
            match reply {
                Reply::Issue { lifetime, anchor } => {
                    self.with(|books| books.open = None);
                    let root = Certificate::from_der(keys::ROOT).expect("openssl made a certificate");
                    Exchanged::Issued {
                        identity: Box::new(certified(request.key, self.wall.seconds(), lifetime)),
                        new_anchors: anchor.then_some(root).into_iter().collect(),
                    }
                }
                Reply::Pending { retry_after } => Exchanged::Pending {
                    retry_after: Duration::from_secs(retry_after),
                },
                Reply::Fail { retry_after, discard } => {
                    if discard {
                        self.with(|books| books.open = None);
                    }
                    Exchanged::Failed {
                        failure: Box::new(Failure::new(Rung::Tcp, "nobody answers", "Start it.")),
                        retry_after: retry_after.map(Duration::from_secs),
                        discard_request: discard,
                    }
                }
                Reply::Hang => std::future::pending().await,
            }
        })
    }
}

/// A certificate for this key that starts at this time.
fn certified(key: PrivatePkcs8KeyDer<'static>, start: u64, lifetime: u64) -> Identity {
    let time = |seconds: u64| {
        let seconds = i64::try_from(seconds).expect("a time of this century");
        time::OffsetDateTime::from_unix_timestamp(seconds).expect("a time of this century")
    };
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    (parameters.not_before, parameters.not_after) = (time(start), time(start + lifetime));
    let pair = rcgen::KeyPair::try_from(key.secret_pkcs8_der()).expect("a P-256 key");
    let certificate = parameters.self_signed(&pair).expect("a certificate");
    Identity::from_parts(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key)).expect("a pair")
}

#[derive(Debug)]
struct Servers(BTreeMap<String, Arc<Server>>);

impl Configurer for Servers {
    fn configure(&self, folder: &Path) -> Result<ManagedIdentity, Failure> {
        let wrong = || Failure::new(Rung::Local, "not configured", "Write it.");
        let text = fs::read_to_string(folder.join(CONFIGURATION)).map_err(|_| wrong())?;
        let name = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let known = text.is_empty() || text == OTHERWISE;
        let server = self.0.get(name).filter(|_| known).ok_or_else(wrong)?;
        let hours = if text == OTHERWISE { 2 } else { 1 };
        let settings = RenewalSettings {
            look_again: Duration::from_secs(hours * HOUR),
            ..RenewalSettings::default()
        };
        Ok(ManagedIdentity::new(settings, Arc::<Server>::clone(server)))
    }
}

struct World {
    directory: TempDir,
    wall: Arc<Wall>,
    disk: Arc<Stepwise<Refusing>>,
    servers: Arc<Servers>,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    reached: Arc<Mutex<Reached>>,
    /// Versions that were complete at some time.
    versions: BTreeSet<PathBuf>,
    /// Identities whose certificate was in use at some time.
    in_use: BTreeSet<&'static str>,
}

/// Each byte is a step, and its lower five bits say which or how much:
///
/// | upper three bits | step |
/// |---|---|
/// | 0 | so many hours pass |
/// | 1 | so many days pass |
/// | 2 | the server will answer: the next byte says how; the lowest bit here says for which identity |
/// | 3 | the disk refuses a write: the one after so many |
/// | 4 | the daemon is stopped and started again |
/// | 5 | the wall clock steps, by two to the power of so many minutes, forward; with the next byte odd backward |
/// | 6 | the configuration of an identity is spoilt, mended, or another |
/// | 7 | the disk is sound again |
pub(super) fn script(data: &[u8]) -> Reached {
    crate::est_server::run(async {
        let mut world = World::new();
        world.start();
        let mut steps = Steps::new(data);
        for _ in 0..MAX_STEPS {
            let Some(step) = steps.next() else { break };
            if world.wall.start.elapsed().as_secs() > LONGEST {
                break;
            }
            world.step(step, &mut steps).await;
            world.look();
        }
        world.end().await
    })
}

impl World {
    fn new() -> Self {
        let wall = Arc::new(Wall {
            start: Instant::now(),
            step: AtomicI64::new(0),
        });
        let directory = tempfile::tempdir().expect("a folder for temporary files");
        let server = |name: &str| {
            let server = Server {
                wall: Arc::clone(&wall),
                books: Mutex::default(),
            };
            (name.to_owned(), Arc::new(server))
        };
        let servers = Servers(NAMES.into_iter().map(server).collect());
        for name in NAMES {
            let folder = directory.path().join(name);
            fs::create_dir(&folder).expect("a new folder");
            fs::write(folder.join(CONFIGURATION), "").expect("a new file");
        }
        Self {
            directory,
            wall,
            disk: Arc::default(),
            servers: Arc::new(servers),
            running: None,
            reached: Arc::default(),
            versions: BTreeSet::new(),
            in_use: BTreeSet::new(),
        }
    }

    fn start(&mut self) {
        let reached = Arc::clone(&self.reached);
        let report = move |event: Event| {
            let mut reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
            match event.kind {
                EventKind::Renewed { .. } => reached.renewed += 1,
                EventKind::Pending { .. } => reached.pending += 1,
                EventKind::Failed(_) | EventKind::FailedUntil(..) => reached.failed += 1,
                _ => {}
            }
        };
        let settings = DaemonSettings {
            scan: Duration::from_secs(HOUR),
            ..DaemonSettings::default()
        };
        let configurer: Arc<dyn Configurer> = Arc::<Servers>::clone(&self.servers);
        let clock = RuntimeClock::new(Arc::<Wall>::clone(&self.wall));
        let mut daemon = Daemon::new(self.directory.path().to_owned(), settings, configurer, report)
            .with_clock(Arc::new(clock))
            .with_files(Arc::<Stepwise<Refusing>>::clone(&self.disk));
        let stop = CancellationToken::new();
        let token = stop.clone();
        let task = tokio::spawn(async move {
            daemon
                .run(token)
                .await
                .expect("the folder is there, and no other daemon");
        });
        self.running = Some((stop, task));
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).starts += 1;
    }

    async fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            stop.cancel();
            task.await.expect("the daemon ends without a panic");
        }
    }

    async fn step(&mut self, step: u8, steps: &mut Steps<'_>) {
        let (kind, detail) = (step >> 5, step & 0x1f);
        match kind {
            0 => self.pass(HOUR * u64::from(detail)).await,
            1 => self.pass(DAY * u64::from(detail)).await,
            2 => {
                let reply = reply(steps.byte(), detail);
                self.server(detail).with(|books| books.replies.push_back(reply));
            }
            3 => self.disk.0.refuse_after(detail.into()),
            4 => {
                self.stop().await;
                self.start();
            }
            5 => {
                let far = 60_i64 << (detail % 20);
                let step = if steps.byte().is_multiple_of(2) { far } else { -far };
                self.wall.step.fetch_add(step, Ordering::Relaxed);
            }
            6 => {
                let name = NAMES.get(usize::from(detail & 1)).expect("two names");
                let text = match detail >> 1 & 3 {
                    0 => "",
                    1 => "spoilt",
                    _ => OTHERWISE,
                };
                let path = self.directory.path().join(name).join(CONFIGURATION);
                fs::write(path, text).expect("the folder is there");
            }
            _ => self.disk.0.mend(),
        }
    }

    fn server(&self, which: u8) -> &Server {
        let name = NAMES.get(usize::from(which & 1)).expect("two names");
        self.servers.0.get(*name).expect("each name has a server")
    }

    /// Lets time pass, and holds the daemon to its waits: the shortest is a minute.
    async fn pass(&self, seconds: u64) {
        let exchanges = || -> usize {
            self.servers
                .0
                .values()
                .map(|server| server.with(|books| books.exchanges))
                .sum()
        };
        let before = exchanges();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let made = exchanges() - before;
        let most = 2 * (usize::try_from(seconds / 60).expect("a count") + 2);
        assert!(made <= most, "{made} exchanges in {seconds} s");
    }

    /// What was complete is complete, and what was in use is in use, or something newer.
    fn look(&mut self) {
        for name in NAMES {
            let folder = IdentityFolder::new(self.directory.path().join(name));
            let versions = folder.versions().expect("the folder can be read");
            let before = self.versions.len();
            self.versions.extend(versions);
            assert!(self.versions.len() >= before);
            let current = folder.current().expect("the pair in use is a pair");
            if current.is_some() {
                self.in_use.insert(name);
            }
            assert!(
                current.is_some() || !self.in_use.contains(name),
                "the certificate in use is gone"
            );
        }
        for version in &self.versions {
            assert!(version.is_dir(), "{} is gone", version.display());
        }
    }

    /// With a server that is there, a sound disk and a right configuration there is a valid certificate before long.
    async fn end(mut self) -> Reached {
        self.disk.0.mend();
        for name in NAMES {
            fs::write(self.directory.path().join(name).join(CONFIGURATION), "").expect("the folder is there");
        }
        for server in self.servers.0.values() {
            server.with(|books| books.replies.clear());
        }
        self.stop().await;
        self.start();
        self.pass(2 * DAY).await;
        self.look();
        let now = self.wall.seconds();
        for name in NAMES {
            let folder = IdentityFolder::new(self.directory.path().join(name));
            let current = folder.current().expect("a pair").expect("a certificate");
            let end = current.certificate().not_after().as_secs();
            assert!(
                end > now,
                "{name} has no valid certificate: it ended {} s ago",
                now - end
            );
        }
        self.stop().await;
        let mut reached = *self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.disk_failures = self.disk.0.refused();
        reached
    }
}

/// The lowest two bits say what, the others how long.
fn reply(choice: u8, detail: u8) -> Reply {
    let long = u64::from(choice >> 2);
    match choice & 3 {
        0 => Reply::Issue {
            lifetime: HOUR << (long % 14),
            anchor: long >= 32,
        },
        1 => Reply::Pending {
            retry_after: 1 << (long % 20),
        },
        2 if detail & 2 != 0 => Reply::Hang,
        _ => Reply::Fail {
            retry_after: (long != 0).then(|| 1 << (long % 20)),
            discard: choice & 3 == 3,
        },
    }
}
