//! Our client against libest's own server, whose authority is `openssl ca`.

use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use est::auth::BasicCredentials;
use est::client::{
    Client, ClientConfig, ClientError, ClientTimeouts, EnrollOptions, EnrollOutcome, Enrolled, Fingerprint,
    FirstContact, PasswordUse, PendingPolicy, ProofOfPossession, ReenrollOptions, ServerKeyOptions,
    ServerKeyOutcome,
};
use pki_common::identity::NewKey;
use pki_common::tls::TlsVersions;
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, HashAlgorithm};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::process::{Child, Command};

use crate::case::Case;
use crate::matrix::Outcome;
use crate::support::est::{PATIENCE, pem};
use crate::support::folder::Folder;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("estserver gives its CA certificates", gives_ca_certificates),
        Case::new("estserver gives its CSR attributes", gives_csr_attributes),
        Case::new("estserver certifies an RSA key by Basic", || {
            certifies_by_basic(NewKey::Rsa2048)
        }),
        Case::new("estserver certifies an EC key by Basic", || {
            certifies_by_basic(NewKey::EcP256)
        }),
        Case::new("estserver certifies by Digest with MD5", certifies_by_digest),
        Case::new("estserver certifies by bearer token", certifies_by_bearer_token),
        Case::new("estserver certifies by certificate", certifies_by_certificate),
        Case::new(
            "estserver knows a certificate with the key that its CSR attributes ask for",
            knows_its_own_kind,
        ),
        Case::new("estserver renews a certificate", renews),
        Case::new(
            "estserver refuses to renew for another subject",
            refuses_another_subject,
        ),
        Case::new("estserver makes an RSA key", || makes_a_key(NewKey::Rsa2048)),
        Case::new("estserver makes an EC key", || makes_a_key(NewKey::EcP256)),
        Case::new(
            "estserver -t takes a request that is linked to the connection",
            takes_a_linked_request,
        ),
        Case::new(
            "estserver -t refuses a request without link",
            refuses_without_link,
        ),
        Case::new(
            "estserver -m has a request wait for an approval",
            has_a_request_wait,
        ),
        Case::new("estserver -l refuses a revoked client", refuses_a_revoked_client),
        Case::new("estserver refuses a wrong password", refuses_a_wrong_password),
        Case::new(
            "estserver is met for the first time by its fingerprint",
            is_met_by_fingerprint,
        ),
        Case::new("estserver certifies over TLS 1.3", certifies_over_tls_1_3),
        Case::new("estserver certifies at a path label", certifies_at_a_label),
        Case::new("estserver answers fullcmc", answers_full_cmc),
    ]
}

/// Those that `estserver` knows.
const USER: &str = "estuser";
const PASSWORD: &str = "estpwd";

/// The authority inside `estserver`: a section for `openssl ca`.
const CA_CONFIG: &str = "\
[ca]\ndefault_ca = authority\n\
[authority]\ndatabase = index.txt\nnew_certs_dir = .\ncertificate = ca.pem\nserial = serial\nprivate_key = ca.key.pem\n\
default_days = 30\ndefault_crl_days = 30\ndefault_md = sha256\npreserve = no\npolicy = anything\n\
copy_extensions = copy\nunique_subject = no\nx509_extensions = leaf\nname_opt = ca_default\ncert_opt = ca_default\n\
email_in_dn = yes\n\
[anything]\ncommonName = supplied\n\
[leaf]\nbasicConstraints = CA:FALSE\n";

/// The files of an `estserver` and of its authority.
struct Authority {
    folder: Folder,
    root: Certificate,
}

/// A running `estserver`; killed when dropped.
struct Server {
    _process: Child,
    authority: Authority,
    port: u16,
}

impl Authority {
    fn new() -> Self {
        let root_key = KeyPair::generate().unwrap();
        let mut parameters = named("libest root");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = parameters.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(parameters, root_key);
        let key = KeyPair::generate().unwrap();
        let mut parameters = named("libest server");
        let name = "127.0.0.1".parse().unwrap();
        parameters.subject_alt_names = vec![rcgen::SanType::IpAddress(name)];
        let server = parameters.signed_by(&key, &issuer).unwrap();
        let folder = Folder::new();
        folder.write("ca.pem", root.pem());
        folder.write("trusted.pem", root.pem());
        folder.write("ca.key.pem", issuer.key().serialize_pem());
        folder.write("server.pem", server.pem());
        folder.write("server.key.pem", key.serialize_pem());
        folder.write("ca.cnf", CA_CONFIG);
        folder.write("index.txt", "");
        folder.write("serial", "01\n");
        let root = Certificate::from_der(root.der()).unwrap();
        Self { folder, root }
    }

    /// `estserver` cannot choose a port itself, and another process may take the one that is found: then it ends.
    async fn serve(self, arguments: &[&str]) -> Server {
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let mut process = self.command(port, arguments).spawn().unwrap();
            if listens(&mut process, port).await {
                return Server {
                    _process: process,
                    authority: self,
                    port,
                };
            }
        }
        panic!("estserver does not listen: {}", self.folder.read("estserver.log"));
    }

    fn command(&self, port: u16, arguments: &[&str]) -> Command {
        let log = std::fs::File::create(self.folder.file("estserver.log")).unwrap();
        let mut command = self.folder.command("estserver");
        command
            .args(["-c", "server.pem", "-k", "server.key.pem", "-r", "estrealm"])
            .args(["-p", &port.to_string()])
            .args(arguments)
            .env("EST_TRUSTED_CERTS", "trusted.pem")
            .env("EST_CACERTS_RESP", "ca.pem")
            .env("EST_OPENSSL_CACONFIG", "ca.cnf")
            .stdout(Stdio::null())
            .stderr(log);
        command
    }
}

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

async fn listens(process: &mut Child, port: u16) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

impl Server {
    async fn start(arguments: &[&str]) -> Self {
        Authority::new().serve(arguments).await
    }

    /// Trusts the server's root and has its user's password. It does not ask for the CSR attributes: they want keys on
    /// P-384.
    fn config(&self) -> ClientConfig {
        let mut anchors = TrustStore::empty("libest");
        anchors.add(&self.authority.root).unwrap();
        let url = format!("https://127.0.0.1:{}", self.port).parse().unwrap();
        let mut config = ClientConfig::new(url, Arc::new(anchors));
        config.timeouts = ClientTimeouts::per_step(PATIENCE);
        config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
        config.ask_csr_attributes = false;
        config
    }

    fn client(&self) -> Client {
        Client::new(self.config()).unwrap()
    }

    /// A client that shows this certificate and has no password.
    fn client_with(&self, device: &Enrolled) -> Client {
        let mut config = self.config();
        config.basic = None;
        config.identity = Some(Arc::new(device.identity().unwrap()));
        Client::new(config).unwrap()
    }
}

fn options(key: NewKey) -> EnrollOptions {
    let mut options = EnrollOptions::new("CN=device".parse().unwrap());
    options.key = key;
    options
}

/// Asks for a certificate with an EC key.
async fn enrol(client: &Client) -> Result<Enrolled, ClientError> {
    enrol_key(client, NewKey::EcP256).await
}

async fn enrol_key(client: &Client, key: NewKey) -> Result<Enrolled, ClientError> {
    match client.enroll(options(key)).await? {
        EnrollOutcome::Enrolled(enrolled) => Ok(*enrolled),
        EnrollOutcome::Pending { .. } => panic!("pending"),
    }
}

fn outcome<T>(result: Result<T, ClientError>) -> Outcome {
    match result {
        Ok(_) => Outcome::Passed,
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

async fn gives_ca_certificates() {
    let server = Server::start(&[]).await;
    let certificates = server.client().cacerts().await.unwrap();
    assert_eq!(certificates, std::slice::from_ref(&server.authority.root));
}

async fn gives_csr_attributes() {
    let server = Server::start(&["-t"]).await;
    let attributes = server.client().csrattrs().await.unwrap().unwrap();
    assert!(
        format!("{attributes:?}").contains("1.2.840.113549.1.9.7"),
        "{attributes:?}"
    );
}

async fn certifies_by_basic(key: NewKey) {
    let server = Server::start(&["-b"]).await;
    let device = enrol_key(&server.client(), key).await.unwrap();
    assert_eq!(device.certificate.subject(), "/CN=device");
}

async fn certifies_by_digest() {
    let server = Server::start(&["-h"]).await;
    let mut config = server.config();
    config.password_use = PasswordUse::DigestOnly;
    enrol(&Client::new(config).unwrap()).await.unwrap();
}

/// It wants the token in base64.
async fn certifies_by_bearer_token() {
    let token = "WW91IHdpbGwgbmV2ZXIgZ3Vlc3M=";
    let server = Server::start(&["--token", "You will never guess"]).await;
    let mut config = server.config();
    config.basic = None;
    config.bearer = Some(token.parse().unwrap());
    enrol(&Client::new(config).unwrap()).await.unwrap();
}

async fn certifies_by_certificate() {
    let server = Server::start(&["-o"]).await;
    let device = enrol(&server.client()).await.unwrap();
    let other = enrol(&server.client_with(&device)).await.unwrap();
    assert_ne!(device.certificate, other.certificate);
}

/// Its default CSR attributes ask for a key on P-384.
async fn knows_its_own_kind() -> Outcome {
    let server = Server::start(&["-o"]).await;
    let mut config = server.config();
    config.ask_csr_attributes = true;
    let device = enrol(&Client::new(config).unwrap()).await.unwrap();
    outcome(enrol(&server.client_with(&device)).await)
}

async fn renews() {
    let server = Server::start(&["-o"]).await;
    let mut wanted = options(NewKey::EcP256);
    wanted.names = vec!["DNS:device.example".parse().unwrap()];
    let EnrollOutcome::Enrolled(device) = server.client().enroll(wanted).await.unwrap() else {
        panic!("pending");
    };
    let client = server.client_with(&device);
    let old = device.certificate.clone();
    let outcome = client.reenroll(ReenrollOptions::new(old.clone())).await.unwrap();
    let EnrollOutcome::Enrolled(renewed) = outcome else {
        panic!("{outcome:?}")
    };
    // That subject and names are those of the old one is what the client checks.
    assert_eq!(renewed.certificate.subject_der(), old.subject_der());
    assert_ne!(renewed.certificate.spki_der(), old.spki_der());
}

/// RFC 7030, section 4.2.2: subject and names must be those of the current certificate.
async fn refuses_another_subject() -> Outcome {
    let server = Server::start(&["-o"]).await;
    let device = enrol(&server.client()).await.unwrap();
    let mut other = options(NewKey::EcP256);
    other.subject = "CN=other".parse().unwrap();
    let EnrollOutcome::Enrolled(other) = server.client().enroll(other).await.unwrap() else {
        panic!("pending");
    };
    let options = ReenrollOptions::new(other.certificate.clone());
    match server.client_with(&device).reenroll(options).await {
        Err(ClientError::Status { .. }) => Outcome::Passed,
        Err(error) => panic!("{error}"),
        Ok(_) => Outcome::Failed("CN=device was given a certificate for CN=other".to_owned()),
    }
}

async fn makes_a_key(kind: NewKey) -> Outcome {
    let server = Server::start(&[]).await;
    let made = match server
        .client()
        .serverkeygen(ServerKeyOptions::new(options(kind)))
        .await
    {
        Ok(ServerKeyOutcome::Made(made)) => made,
        Ok(pending) => panic!("{pending:?}"),
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    assert_eq!(made.issued.certificate.subject(), "/CN=device");
    assert!(!made.key.was_encrypted());
    assert_eq!(made.identity().unwrap().certificate(), &made.issued.certificate);
    Outcome::Passed
}

async fn takes_a_linked_request() {
    let server = Server::start(&["-t"]).await;
    // Its CSR attributes ask for challengePassword, so the default does it; and so does whoever always does.
    for proof_of_possession in [ProofOfPossession::WhenAsked, ProofOfPossession::Always] {
        let mut config = server.config();
        config.proof_of_possession = proof_of_possession;
        config.ask_csr_attributes = proof_of_possession == ProofOfPossession::WhenAsked;
        enrol(&Client::new(config).unwrap()).await.unwrap();
    }
    // A challenge ends the connection: then the request is linked to the next one.
    for (scheme, password_use) in [
        ("-h", PasswordUse::DigestOnly),
        ("-b", PasswordUse::AfterChallenge),
    ] {
        let server = Server::start(&["-t", scheme]).await;
        let mut config = server.config();
        config.ask_csr_attributes = true;
        config.password_use = password_use;
        enrol(&Client::new(config).unwrap()).await.unwrap();
    }
}

async fn refuses_without_link() {
    let server = Server::start(&["-t"]).await;
    let mut config = server.config();
    config.proof_of_possession = ProofOfPossession::Never;
    let error = enrol(&Client::new(config).unwrap()).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("401") && said.contains("Proof of Possession Mismatch"),
        "{said}"
    );
}

async fn has_a_request_wait() {
    let server = Server::start(&["-m", "2"]).await;
    let outcome = server.client().enroll(options(NewKey::EcP256)).await.unwrap();
    let EnrollOutcome::Pending { request, retry_after } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(retry_after >= Duration::from_secs(1));
    let mut config = server.config();
    config.pending = PendingPolicy::up_to(PATIENCE);
    let client = Client::new(config).unwrap();
    let outcome = client.enroll_with(*request).await.unwrap();
    assert!(matches!(outcome, EnrollOutcome::Enrolled(_)));
}

async fn refuses_a_revoked_client() -> Outcome {
    let server = Server::start(&["-o"]).await;
    let (revoked, good) = (
        enrol(&server.client()).await.unwrap(),
        enrol(&server.client()).await.unwrap(),
    );
    let Server { authority, .. } = server;
    let folder = &authority.folder;
    folder.write("revoked.pem", pem("CERTIFICATE", revoked.certificate.der()));
    folder
        .openssl(&["ca", "-config", "ca.cnf", "-revoke", "revoked.pem"])
        .await;
    folder
        .openssl(&["ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem"])
        .await;
    // Where it reads trusted certificates it reads lists too, at its start.
    let trusted = folder.read("ca.pem") + &folder.read("crl.pem");
    folder.write("trusted.pem", trusted);
    let server = authority.serve(&["-o", "-l"]).await;
    enrol(&server.client_with(&good)).await.unwrap();
    match enrol(&server.client_with(&revoked)).await {
        Err(ClientError::Tls(failure)) => {
            assert!(failure.cause.contains("revoked"), "{}", failure.cause);
            Outcome::Passed
        }
        Err(error) => panic!("{error}"),
        Ok(_) => Outcome::Failed("the revoked client got a certificate".to_owned()),
    }
}

async fn refuses_a_wrong_password() {
    let server = Server::start(&[]).await;
    let mut config = server.config();
    config.basic = Some(BasicCredentials::new(USER, "wrong").unwrap());
    let error = enrol(&Client::new(config).unwrap()).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Status { status, .. } if *status == 401),
        "{error}"
    );
}

async fn is_met_by_fingerprint() {
    let server = Server::start(&[]).await;
    let mut config = server.config();
    config.anchors = Arc::new(TrustStore::empty("nothing yet"));
    let fingerprint = Fingerprint::of(HashAlgorithm::Sha256, &server.authority.root);
    let first = Client::bootstrap(config, FirstContact::Expect(fingerprint))
        .await
        .unwrap();
    enrol(&first.client).await.unwrap();
}

async fn certifies_over_tls_1_3() -> Outcome {
    let server = Server::start(&[]).await;
    let mut config = server.config();
    config.versions = TlsVersions::Tls13;
    outcome(enrol(&Client::new(config).unwrap()).await)
}

async fn certifies_at_a_label() -> Outcome {
    let server = Server::start(&[]).await;
    let mut config = server.config();
    config.label = Some("lab".parse().unwrap());
    outcome(enrol(&Client::new(config).unwrap()).await)
}

async fn answers_full_cmc() -> Outcome {
    let server = Server::start(&[]).await;
    let client = server.client();
    let request = client.prepare(options(NewKey::EcP256)).await.unwrap();
    outcome(client.fullcmc_simple(request.csr_der()).await)
}
