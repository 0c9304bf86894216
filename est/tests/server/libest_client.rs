//! libest's own client, when it is installed, against our server. It speaks TLS up to 1.2, HTTP/1.0, and ends with
//! status 0 whatever happens: what it wrote into its folder is what counts.

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use est::auth::digest::{DigestAlgorithm, DigestSecrets, DigestSettings, DigestVerifier, NonceKey};
use est::auth::{Accounts, AuthenticationRequirement, Authenticator, Users};
use est::ca::policy::IssuancePolicy;
use est::ca::{CaFuture, CertificateAuthority, EnrollOutcome, EnrollRequest};
use est::operation::{
    DirectKeyGenerator, KeyPackageSigner, LabelSettings, Operation, ProofOfPossession,
    ServerKeyGenerationSettings,
};
use est::server::own_identity;
use pki_common::identity::NewKey;
use pki_common::tls::TlsVersions;
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use crate::support::peers::find_or_skip;
use crate::support::{PASSWORD, Setup, TestServer, USER, embedded_authority};

struct Lab {
    server: TestServer,
    folder: TempDir,
    client: PathBuf,
}

impl Lab {
    /// `None` when libest or openssl is not installed.
    async fn open(settings: LabelSettings) -> Option<Self> {
        Self::open_with(settings, None, |authority| authority).await
    }

    async fn open_with(
        settings: LabelSettings,
        authenticator: Option<Arc<dyn Authenticator>>,
        wrap: impl FnOnce(Arc<dyn CertificateAuthority>) -> Arc<dyn CertificateAuthority>,
    ) -> Option<Self> {
        let client = find_or_skip("estclient")?;
        find_or_skip("openssl")?;
        let setup = Setup {
            settings,
            authenticator,
            versions: TlsVersions::Tls12And13,
            ..Setup::default()
        };
        let server = TestServer::start_with(setup, wrap).await;
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
            server,
            client,
        };
        std::fs::write(lab.path("anchor.pem"), lab.server.anchor_pem()).unwrap();
        lab.openssl(&["genrsa", "-out", "key.pem", "2048"]).await;
        Some(lab)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn openssl(&self, arguments: &[&str]) -> String {
        let output = tokio::process::Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the client; its files go to the folder.
    async fn run(&self, arguments: &[&str]) -> Output {
        tokio::process::Command::new(&self.client)
            .args(arguments)
            .args([
                "-s",
                "127.0.0.1",
                "-p",
                &self.server.address.port().to_string(),
                "-o",
                ".",
            ])
            .env("EST_OPENSSL_CACERT", "anchor.pem")
            .current_dir(self.folder.path())
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .unwrap()
    }

    /// Runs the client with our user, and this password.
    async fn run_as_user(&self, password: &str, arguments: &[&str]) -> Output {
        let user = ["-u", USER, "-h", password];
        self.run(&[&user, arguments].concat()).await
    }

    /// The certificate that the client was given, in PEM and as openssl shows it, after openssl has verified it.
    async fn issued(&self, output: &Output) -> (String, String) {
        assert!(self.path("cert-0-0.pkcs7").exists(), "{output:?}");
        self.openssl(&["base64", "-d", "-in", "cert-0-0.pkcs7", "-out", "cert.p7"])
            .await;
        let arguments = [
            "pkcs7",
            "-inform",
            "DER",
            "-in",
            "cert.p7",
            "-print_certs",
            "-out",
            "issued.pem",
        ];
        self.openssl(&arguments).await;
        let verified = self
            .openssl(&["verify", "-CAfile", "anchor.pem", "issued.pem"])
            .await;
        assert!(verified.contains("OK"), "{verified}");
        let text = self
            .openssl(&["x509", "-in", "issued.pem", "-noout", "-subject", "-serial"])
            .await;
        (std::fs::read_to_string(self.path("issued.pem")).unwrap(), text)
    }

    fn answers(&self, operation: Operation, status: u16) -> u64 {
        self.server.handle.statistics().answers(Some(operation), status)
    }
}

/// Everything that the client printed.
fn said(output: &Output) -> String {
    let parts = [&output.stderr[..], &output.stdout];
    String::from_utf8_lossy(&parts.concat()).into_owned()
}

fn requiring(methods: &[&str]) -> LabelSettings {
    LabelSettings {
        authentication: AuthenticationRequirement::parse(methods).unwrap(),
        ..LabelSettings::default()
    }
}

/// The user by password, and by Digest.
fn accounts(dangerous_md5: bool) -> Arc<dyn Authenticator> {
    let mut users = Users::new();
    users.set_password(USER, PASSWORD).unwrap();
    let mut secrets = DigestSecrets::new();
    for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Md5] {
        secrets.set_password(USER, "EST", PASSWORD, algorithm).unwrap();
    }
    let settings = DigestSettings {
        dangerous_md5,
        ..DigestSettings::default()
    };
    let verifier = DigestVerifier::new(settings, NonceKey::from_bytes([7; 32]));
    Arc::new(Accounts::new(users).with_digest(Arc::new(verifier), secrets))
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_the_ca_certificates() {
    let Some(lab) = Lab::open(LabelSettings::default()).await else {
        return;
    };
    let output = lab.run(&["-g"]).await;
    assert!(lab.path("cacert-0-0.pkcs7").exists(), "{output:?}");
    lab.openssl(&["base64", "-d", "-in", "cacert-0-0.pkcs7", "-out", "cacerts.p7"])
        .await;
    let shown = lab
        .openssl(&["pkcs7", "-inform", "DER", "-in", "cacerts.p7", "-print_certs"])
        .await;
    assert!(shown.contains("CN = Test Root"), "{shown}");
    lab.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_the_csr_attributes() {
    let settings = LabelSettings {
        proof_of_possession: ProofOfPossession::Required,
        ..LabelSettings::default()
    };
    let Some(lab) = Lab::open(settings).await else {
        return;
    };
    let output = lab.run(&["-a"]).await;
    let text = std::fs::read_to_string(lab.path("csr-0-0.base64")).unwrap_or_else(|_| panic!("{output:?}"));
    // SEQUENCE { OBJECT IDENTIFIER challengePassword }
    assert_eq!(text.trim(), "MAsGCSqGSIb3DQEJBw==");
    lab.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enrols_by_password() {
    let Some(lab) = Lab::open(requiring(&["basic"])).await else {
        return;
    };
    let output = lab
        .run_as_user(PASSWORD, &["-e", "--common-name", "ap7", "-x", "key.pem"])
        .await;
    let (_, text) = lab.issued(&output).await;
    assert!(text.contains("CN = ap7"), "{text}");
    lab.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enrols_by_digest_with_md5_where_it_is_on() {
    for methods in [&["digest"][..], &["digest", "basic"]] {
        let opened = Lab::open_with(requiring(methods), Some(accounts(true)), |authority| authority);
        let Some(lab) = opened.await else { return };
        let output = lab.run_as_user(PASSWORD, &["-e", "-x", "key.pem"]).await;
        lab.issued(&output).await;
        lab.server.stop().await;
    }
}

/// It knows no algorithm of Digest but MD5. Where the label offers Basic too, it must not stumble over the challenge
/// that it cannot answer.
#[tokio::test(flavor = "multi_thread")]
async fn falls_back_to_basic_where_digest_is_of_sha_256_only() {
    let settings = requiring(&["digest", "basic"]);
    let opened = Lab::open_with(settings, Some(accounts(false)), |authority| authority);
    let Some(lab) = opened.await else { return };
    let output = lab.run_as_user(PASSWORD, &["-e", "-x", "key.pem"]).await;
    lab.issued(&output).await;
    lab.server.stop().await;
}

/// What it cannot do: Digest without MD5, which is off by default. It says so itself.
#[tokio::test(flavor = "multi_thread")]
async fn does_not_know_digest_with_sha_256() {
    let settings = requiring(&["digest"]);
    let opened = Lab::open_with(settings, Some(accounts(false)), |authority| authority);
    let Some(lab) = opened.await else { return };
    let output = lab.run_as_user(PASSWORD, &["-e", "-x", "key.pem"]).await;
    let said = said(&output);
    assert!(said.contains("Unsupported digest algorithm: SHA-256"), "{said}");
    assert!(!lab.path("cert-0-0.pkcs7").exists());
    lab.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enrols_by_certificate_and_renews_it() {
    let Some(lab) = Lab::open(LabelSettings::default()).await else {
        return;
    };
    let output = lab
        .run_as_user(PASSWORD, &["-e", "--common-name", "ap7", "-x", "key.pem"])
        .await;
    let (certificate, first) = lab.issued(&output).await;
    std::fs::write(lab.path("own.pem"), certificate).unwrap();
    let identity = ["-c", "own.pem", "-k", "key.pem"];
    for (operation, arguments) in [
        (
            Operation::SimpleEnroll,
            &["-e", "--common-name", "ap8", "-x", "key.pem"][..],
        ),
        (Operation::SimpleReenroll, &["-r"]),
    ] {
        std::fs::remove_file(lab.path("cert-0-0.pkcs7")).unwrap();
        let before = lab.answers(operation, 200);
        let output = lab.run(&[arguments, &identity].concat()).await;
        let (_, text) = lab.issued(&output).await;
        let name = if operation == Operation::SimpleReenroll {
            "CN = ap7"
        } else {
            "CN = ap8"
        };
        assert!(text.contains(name), "{text}");
        assert_ne!(text, first, "another certificate");
        assert_eq!(lab.answers(operation, 200), before + 1);
    }
    lab.server.stop().await;
}

/// Only with `-z`, or when the attributes ask for it, does it tie its request to the connection.
#[tokio::test(flavor = "multi_thread")]
async fn ties_its_request_to_the_connection_where_that_is_required() {
    let settings = LabelSettings {
        proof_of_possession: ProofOfPossession::Required,
        ..LabelSettings::default()
    };
    let Some(lab) = Lab::open(settings).await else {
        return;
    };
    let output = lab.run_as_user(PASSWORD, &["-e", "-x", "key.pem"]).await;
    let said = said(&output);
    assert!(said.contains("rule proof-of-possession"), "{said}");
    assert!(!lab.path("cert-0-0.pkcs7").exists());
    let output = lab.run_as_user(PASSWORD, &["-e", "-z", "-x", "key.pem"]).await;
    lab.issued(&output).await;
    lab.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_a_key_of_the_server() {
    let authority = embedded_authority(IssuancePolicy::default());
    let subject = "CN=key package signer".parse().unwrap();
    let signer = own_identity(&*authority, subject, Vec::new(), NewKey::EcP256)
        .await
        .unwrap();
    let keys = ServerKeyGenerationSettings::new(
        Arc::new(DirectKeyGenerator),
        KeyPackageSigner::with_identity(&signer),
    );
    let settings = LabelSettings {
        server_key_generation: Some(keys),
        ..LabelSettings::default()
    };
    let Some(lab) = Lab::open(settings).await else {
        return;
    };
    let output = lab
        .run_as_user(PASSWORD, &["-q", "--common-name", "made", "-x", "key.pem"])
        .await;
    let (_, text) = lab.issued(&output).await;
    assert!(text.contains("CN = made"), "{text}");
    // The key it wrote is that of the certificate, and not the one that signed the request.
    lab.openssl(&["base64", "-d", "-in", "key-0-0.key", "-out", "key.p8"])
        .await;
    let made = lab
        .openssl(&["pkey", "-inform", "DER", "-in", "key.p8", "-pubout"])
        .await;
    let certified = lab
        .openssl(&["x509", "-in", "issued.pem", "-noout", "-pubkey"])
        .await;
    assert_eq!(made, certified);
    let own = lab.openssl(&["pkey", "-in", "key.pem", "-pubout"]).await;
    assert_ne!(made, own);
    lab.server.stop().await;
}

/// An authority that has the first request wait.
#[derive(Debug)]
struct Waiting {
    inner: Arc<dyn CertificateAuthority>,
    asked: AtomicBool,
}

impl CertificateAuthority for Waiting {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        self.inner.ca_certificates()
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        if self.asked.swap(true, Ordering::Relaxed) {
            return self.inner.enroll(request);
        }
        let retry_after = Duration::from_secs(1);
        Box::pin(async move { Ok(EnrollOutcome::Pending { retry_after }) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_back_when_its_request_waits() {
    let opened = Lab::open_with(LabelSettings::default(), None, |inner| {
        let asked = AtomicBool::new(false);
        Arc::new(Waiting { inner, asked })
    });
    let Some(lab) = opened.await else { return };
    let output = lab.run_as_user(PASSWORD, &["-e", "-x", "key.pem"]).await;
    lab.issued(&output).await;
    assert_eq!(lab.answers(Operation::SimpleEnroll, 202), 1);
    lab.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn is_told_that_its_password_is_wrong() {
    let Some(lab) = Lab::open(LabelSettings::default()).await else {
        return;
    };
    let output = lab.run_as_user("wrong", &["-e", "-x", "key.pem"]).await;
    let said = said(&output);
    assert!(said.contains("EST_ERR_AUTH_FAIL"), "{said}");
    assert!(!lab.path("cert-0-0.pkcs7").exists());
    lab.server.stop().await;
}

/// Lines for libest, by its User-Agent, also when there is more than it can read on one.
#[tokio::test(flavor = "multi_thread")]
async fn reads_more_certificates_than_fit_on_a_line_that_it_can_read() {
    let opened = Lab::open_with(LabelSettings::default(), None, |authority| {
        Arc::new(Several(authority))
    });
    let Some(lab) = opened.await else { return };
    let output = lab.run(&["-g"]).await;
    assert!(lab.path("cacert-0-0.pkcs7").exists(), "{output:?}");
    lab.openssl(&["base64", "-d", "-in", "cacert-0-0.pkcs7", "-out", "cacerts.p7"])
        .await;
    let shown = lab
        .openssl(&["pkcs7", "-inform", "DER", "-in", "cacerts.p7", "-print_certs"])
        .await;
    assert_eq!(shown.matches("BEGIN CERTIFICATE").count(), 4);
    lab.server.stop().await;
}

/// An authority that hands out three other roots with its own.
#[derive(Debug)]
struct Several(Arc<dyn CertificateAuthority>);

impl CertificateAuthority for Several {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        Box::pin(async {
            let mut all = self.0.ca_certificates().await?.to_vec();
            // With names of their own: it takes no two roots of the same name, whatever their keys are.
            for name in ["One Root", "Another Root", "A Third Root"] {
                let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
                parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
                parameters
                    .distinguished_name
                    .push(rcgen::DnType::CommonName, name);
                let root = parameters
                    .self_signed(&rcgen::KeyPair::generate().unwrap())
                    .unwrap();
                all.push(root.der().clone());
            }
            Ok(all.into())
        })
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        self.0.enroll(request)
    }
}
