//! The servers, each in a process of its own on the first core: this same program, started again with a role.
//!
//! A server prints its address, answers each line on its standard input with the processor time it has used and its
//! resident memory, and ends with its standard input.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use est::auth::Users;
use est::ca::database::{CertificateLog, MemoryLog, SqliteLog};
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::operation::{LabelSettings, Operations};
use est::server::{Server, ServerConfig, ServerLimits, own_identity};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pki_common::clock::system_clock;
use pki_common::identity::{Identity, NewKey};
use pki_common::tls::{ServerTls, crypto_provider};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::cryptography::Cryptography;
use super::load::{PASSWORD, USER};

const ROLE: &str = "EST_BENCH_ROLE";
const FOLDER: &str = "EST_BENCH_FOLDER";

/// What a child process is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The EST server with its log in memory.
    Memory,
    /// The EST server with its log on disk.
    Durable,
    /// hyper and rustls, which answer everything with the same bytes.
    Bare,
    /// The same, after the cryptography of an enrolment: what no server on these libraries can be faster than.
    Floor,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Durable => "durable",
            Self::Bare => "bare",
            Self::Floor => "floor",
        }
    }

    fn of_this_process() -> Option<Self> {
        let name = env::var(ROLE).ok()?;
        [Self::Memory, Self::Durable, Self::Bare, Self::Floor]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// A certificate authority and a server identity, made once for all roles.
pub(crate) async fn prepare(folder: &Path) {
    let new = NewAuthority {
        subject: "CN=Bench Root,DC=example,DC=com".to_owned(),
        key: NewKey::EcP256,
        validity: Duration::from_secs(365 * 86_400),
    };
    let files = AuthorityFiles::in_folder(folder);
    let authority =
        EmbeddedCertificateAuthority::create(&files, &new, IssuancePolicy::default(), system_clock())
            .expect("an empty folder");
    let subject = "CN=bench server".parse().expect("a valid subject");
    let names = vec!["IP:127.0.0.1".parse().expect("a valid name")];
    let identity = own_identity(&authority, subject, names, NewKey::EcP256)
        .await
        .expect("the policy allows it");
    std::fs::write(folder.join("server.pem"), identity.certificate_chain_pem()).expect("a folder of our own");
    std::fs::write(
        folder.join("server.key.pem"),
        identity.private_key_pem().as_bytes(),
    )
    .expect("a folder of our own");
}

/// Serves if this process was started to; the parent's `main` goes on otherwise.
pub(crate) fn serve_if_asked() -> bool {
    let Some(role) = Role::of_this_process() else {
        return false;
    };
    pin_to_core(0);
    let folder = PathBuf::from(env::var_os(FOLDER).expect("set by the parent"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let address = match role {
            Role::Bare => bare(&folder, || ()).await,
            Role::Floor => {
                let cryptography = Cryptography::new();
                bare(&folder, move || cryptography.enrolment()).await
            }
            Role::Memory | Role::Durable => est(role, &folder).await,
        };
        announce(address);
        tokio::task::spawn_blocking(answer_questions)
            .await
            .expect("the thread ends with the input");
    });
    // Connections that clients still hold must not keep the process.
    runtime.shutdown_background();
    true
}

async fn est(role: Role, folder: &Path) -> SocketAddr {
    let provider = crypto_provider().expect("the feature aws-lc-rs is on");
    let files = AuthorityFiles::in_folder(folder);
    let log: Arc<dyn CertificateLog> = match role {
        Role::Durable => {
            Arc::new(SqliteLog::open(&files.database, Arc::clone(&provider)).expect("made by the parent"))
        }
        _ => Arc::new(MemoryLog::new(Arc::clone(&provider))),
    };
    let certificate =
        rustls_pki_types::CertificateDer::from_pem_file(&files.certificate).expect("made by the parent");
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("made by the parent");
    let issuer = Issuer::new(certificate, key, provider).expect("they belong together");
    let authority = EmbeddedCertificateAuthority::new(issuer, IssuancePolicy::default(), log, system_clock());
    let mut users = Users::new();
    users.set_password(USER, PASSWORD).expect("a valid name");
    let config = ServerConfig {
        tls: ServerTls::new(server_identity(folder)),
        operations: Operations::new(Arc::new(authority), LabelSettings::default()),
        authenticator: Arc::new(users),
        limits: ServerLimits {
            requests_per_connection: u32::MAX,
            ..ServerLimits::default()
        },
    };
    let any = "127.0.0.1:0".parse().expect("an address");
    let server = Server::bind(any, config).await.expect("a free port");
    let address = server.local_addr();
    tokio::spawn(server.run());
    address
}

/// What a server costs that does nothing but `work` and answer: TLS by rustls, HTTP by hyper, a body that is ready.
async fn bare(folder: &Path, work: impl Fn() + Send + Sync + 'static) -> SocketAddr {
    let work = Arc::new(work);
    let body = Bytes::from(std::fs::read(folder.join("answer")).expect("written by the parent"));
    let mut tls = ServerTls::new(server_identity(folder));
    // As the EST server has it, so that both encrypt alike.
    tls.alpn = vec![b"http/1.1".to_vec()];
    tls.prefer_aes_128 = true;
    let acceptor = TlsAcceptor::from(tls.rustls_config().expect("a valid configuration"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, body, work) = (acceptor.clone(), body.clone(), Arc::clone(&work));
            tokio::spawn(async move {
                stream.set_nodelay(true).expect("a socket");
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let (body, work) = (body.clone(), Arc::clone(&work));
                    async move {
                        // Without this, hyper would close the connection after a request with a body.
                        drop(request.into_body().collect().await);
                        work();
                        hyper::Response::builder()
                            .header("content-type", "application/pkcs7-mime; smime-type=certs-only")
                            .header("content-transfer-encoding", "base64")
                            .body(Full::new(body))
                    }
                });
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                drop(served);
            });
        }
    });
    address
}

fn server_identity(folder: &Path) -> Arc<Identity> {
    let identity = Identity::load(folder.join("server.pem"), folder.join("server.key.pem"));
    Arc::new(identity.expect("made by the parent"))
}

#[expect(clippy::print_stdout, reason = "the pipe to the parent")]
fn announce(address: SocketAddr) {
    println!("{address}");
}

#[expect(clippy::print_stdout, reason = "the pipe to the parent")]
fn answer_questions() {
    for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        println!("{}.{:09} {}", used.tv_sec, used.tv_nsec, resident_kib("self"));
    }
}

/// `VmRSS` of a process, in KiB.
pub(crate) fn resident_kib(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Keeps this process on one core, so that server and clients do not share one. On a machine with one core nothing is
/// gained and nothing lost.
pub(crate) fn pin_to_core(core: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
        eprintln!("not pinned to core {core}: {error}");
    }
}

/// A server in a child process.
pub(crate) struct RunningServer {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// What a server has used.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time, in seconds.
    pub(crate) processor: f64,
    /// Resident memory, in KiB.
    pub(crate) resident: u64,
}

impl RunningServer {
    pub(crate) fn start(role: Role, folder: &Path) -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .env(ROLE, role.name())
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let questions = child.stdin.take().expect("piped");
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("the address");
        let address = line.trim().parse().expect("an address");
        Self {
            child,
            questions,
            answers,
            address,
        }
    }

    pub(crate) fn usage(&mut self) -> Usage {
        writeln!(self.questions).expect("the server reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the server answers");
        let (processor, resident) = line.trim().split_once(' ').expect("two numbers");
        Usage {
            processor: processor.parse().expect("seconds"),
            resident: resident.parse().expect("KiB"),
        }
    }

    pub(crate) fn stop(mut self) {
        drop(self.questions);
        self.child.wait().expect("the server ends with its input");
    }
}
