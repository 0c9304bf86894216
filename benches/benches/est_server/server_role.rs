//! The servers, each in a process of its own on the first core.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use benches::process::{self, Process, announce, answer_questions, pin_to_core};
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
    pub(crate) fn start(self, folder: &Path) -> Process {
        Process::start(self.name(), folder)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Durable => "durable",
            Self::Bare => "bare",
            Self::Floor => "floor",
        }
    }

    fn of_this_process() -> Option<Self> {
        let name = process::role()?;
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
    let folder = process::folder();
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
