//! libest's own server, when it is installed: another implementation's idea of EST, its quirks included.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use est::auth::BasicCredentials;
use est::client::{
    Client, ClientConfig, ClientError, EnrollOptions, EnrollOutcome, Enrolled, Fingerprint, FirstContact,
    PasswordUse, PendingPolicy, ProofOfPossession, ReenrollOptions, ServerKeyOptions, ServerKeyOutcome,
};
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, HashAlgorithm};
use tempfile::TempDir;

use crate::authority::Authority;
use crate::support::peers::find_or_skip;
use crate::support::{PATIENCE, pem};

/// Those that `estserver` knows.
const USER: &str = "estuser";
const PASSWORD: &str = "estpwd";

/// The authority inside `estserver`: a section for `openssl ca`.
const CA_CONFIG: &str = "\
[ca]\ndefault_ca = authority\n\
[authority]\ndatabase = index.txt\nnew_certs_dir = .\ncertificate = ca.pem\nserial = serial\nprivate_key = ca.key.pem\n\
default_days = 30\ndefault_md = sha256\npreserve = no\npolicy = anything\ncopy_extensions = copy\nunique_subject = no\n\
x509_extensions = leaf\nname_opt = ca_default\ncert_opt = ca_default\nemail_in_dn = yes\n\
[anything]\ncommonName = supplied\n\
[leaf]\nbasicConstraints = CA:FALSE\n";

/// A running `estserver`; killed when dropped.
struct EstServer {
    child: Child,
    port: u16,
    root: Certificate,
    _folder: TempDir,
}

impl Drop for EstServer {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}

impl EstServer {
    fn start(arguments: &[&str]) -> Option<Self> {
        let program = find_or_skip("estserver")?;
        let folder = tempfile::tempdir().unwrap();
        let root = furnish(folder.path());
        // It cannot choose a port itself, and another process may take the one that is found: then it ends at once.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let mut child = run(&program, folder.path(), port, arguments);
            if listens(&mut child, port) {
                return Some(Self {
                    child,
                    port,
                    root,
                    _folder: folder,
                });
            }
        }
        panic!("estserver does not listen");
    }

    fn config(&self) -> ClientConfig {
        let mut anchors = TrustStore::empty("libest");
        anchors.add(&self.root).unwrap();
        let url = format!("https://127.0.0.1:{}", self.port).parse().unwrap();
        let mut config = ClientConfig::new(url, Arc::new(anchors));
        config.timeouts = est::client::ClientTimeouts::per_step(PATIENCE);
        config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
        config
    }
}

/// The files that `estserver` reads, and the certificate of its authority.
fn furnish(folder: &Path) -> Certificate {
    let root = Authority::root("libest root");
    let server = root.leaf("libest server");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("ca.pem", &pem("CERTIFICATE", root.certificate.der()));
    write("ca.key.pem", &root.issuer.key().serialize_pem());
    write("server.pem", &pem("CERTIFICATE", server.certificate.der()));
    write(
        "server.key.pem",
        &pem("PRIVATE KEY", server.key.secret_pkcs8_der()),
    );
    write("ca.cnf", CA_CONFIG);
    write("index.txt", "");
    write("serial", "01\n");
    root.certificate
}

fn run(program: &PathBuf, folder: &Path, port: u16, arguments: &[&str]) -> Child {
    Command::new(program)
        .args([
            "-c",
            "server.pem",
            "-k",
            "server.key.pem",
            "-r",
            "estrealm",
            "-p",
            &port.to_string(),
        ])
        .args(arguments)
        .env("EST_TRUSTED_CERTS", "ca.pem")
        .env("EST_CACERTS_RESP", "ca.pem")
        .env("EST_OPENSSL_CACONFIG", "ca.cnf")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn listens(child: &mut Child, port: u16) -> bool {
    let end = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < end {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn options(subject: &str) -> EnrollOptions {
    EnrollOptions::new(subject.parse().unwrap())
}

async fn enrolled(client: &Client, options: EnrollOptions) -> Enrolled {
    match client.enroll(options).await.unwrap() {
        EnrollOutcome::Enrolled(enrolled) => *enrolled,
        EnrollOutcome::Pending { .. } => panic!("pending"),
    }
}

#[tokio::test]
async fn passes_with_proof_of_possession_required() {
    let Some(server) = EstServer::start(&["-t"]) else {
        return;
    };
    // Its CSR attributes ask for challengePassword, so the default does it; and so does whoever always does.
    for proof_of_possession in [ProofOfPossession::WhenAsked, ProofOfPossession::Always] {
        let mut config = server.config();
        config.proof_of_possession = proof_of_possession;
        config.ask_csr_attributes = proof_of_possession == ProofOfPossession::WhenAsked;
        enrolled(&Client::new(config).unwrap(), options("CN=bound")).await;
    }
    let mut config = server.config();
    config.proof_of_possession = ProofOfPossession::Never;
    let error = Client::new(config)
        .unwrap()
        .enroll(options("CN=unbound"))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Status { .. }), "{error}");
}

#[tokio::test]
async fn proof_of_possession_survives_a_challenge_that_ends_the_connection() {
    for arguments in [&["-t", "-h"][..], &["-t", "-b"]] {
        let Some(server) = EstServer::start(arguments) else {
            return;
        };
        let mut config = server.config();
        config.password_use = PasswordUse::AfterChallenge;
        if arguments.contains(&"-h") {
            config.password_use = PasswordUse::DigestOnly;
        }
        enrolled(&Client::new(config).unwrap(), options("CN=challenged")).await;
    }
}

#[tokio::test]
async fn waits_for_an_approval() {
    let Some(server) = EstServer::start(&["-m", "2"]) else {
        return;
    };
    let mut config = server.config();
    let client = Client::new(config.clone()).unwrap();
    let outcome = client.enroll(options("CN=later")).await.unwrap();
    let EnrollOutcome::Pending { request, retry_after } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(retry_after >= Duration::from_secs(1));
    config.pending = PendingPolicy::up_to(PATIENCE);
    let client = Client::new(config).unwrap();
    assert!(matches!(
        client.enroll_with(*request).await.unwrap(),
        EnrollOutcome::Enrolled(_)
    ));
}

#[tokio::test]
async fn first_contact_and_renewal_by_certificate() {
    let Some(server) = EstServer::start(&["-o"]) else {
        return;
    };
    let mut config = server.config();
    config.anchors = Arc::new(TrustStore::empty("nothing yet"));
    // Its CSR attributes ask for keys on P-384, which its TLS then refuses in a client certificate (alert 47).
    config.ask_csr_attributes = false;
    let expect = FirstContact::Expect(Fingerprint::of(HashAlgorithm::Sha256, &server.root));
    let first = Client::bootstrap(config, expect).await.unwrap();
    let mut wanted = options("CN=device");
    wanted.names = vec!["DNS:device.example".parse().unwrap()];
    let device = enrolled(&first.client, wanted).await;
    let mut config = server.config();
    config.basic = None;
    config.ask_csr_attributes = false;
    config.identity = Some(Arc::new(device.identity().unwrap()));
    let client = Client::new(config).unwrap();
    let outcome = client
        .reenroll(ReenrollOptions::new(device.certificate.clone()))
        .await
        .unwrap();
    let EnrollOutcome::Enrolled(renewed) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        renewed.certificate.subject_der(),
        device.certificate.subject_der()
    );
    assert_ne!(renewed.certificate.spki_der(), device.certificate.spki_der());
}

#[tokio::test]
async fn takes_a_key_of_the_server_whose_content_length_is_too_short() {
    let Some(server) = EstServer::start(&[]) else {
        return;
    };
    let client = Client::new(server.config()).unwrap();
    let outcome = client
        .serverkeygen(ServerKeyOptions::new(options("CN=made")))
        .await
        .unwrap();
    let ServerKeyOutcome::Made(made) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(made.issued.certificate.subject(), "/CN=made");
    assert!(!made.key.was_encrypted());
    let identity = made.identity().unwrap();
    assert_eq!(identity.certificate(), &made.issued.certificate);
}

#[tokio::test]
async fn a_wrong_password_is_told() {
    let Some(server) = EstServer::start(&[]) else {
        return;
    };
    let mut config = server.config();
    config.basic = Some(BasicCredentials::new(USER, "wrong").unwrap());
    let error = Client::new(config)
        .unwrap()
        .enroll(options("CN=x"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClientError::Status { status, .. } if *status == 401),
        "{error}"
    );
}
