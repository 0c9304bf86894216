//! Certificates for servers that are wrong in one way each, and `openssl s_server` with them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use interop::doctor::est::Settings;
use interop::peers::find_or_skip;
use pki_common::trust_store::TrustStore;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use super::PATIENCE;

/// A root, an intermediate, and a folder for what they issue.
pub(crate) struct Pki {
    root: CertifiedIssuer<'static, KeyPair>,
    intermediate: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// In what a server's certificate is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    Good,
    WrongName,
    Expired,
    NotYetValid,
    SelfSigned,
    WithoutIntermediate,
    /// Good, with an RSA key, for static RSA.
    Rsa,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn ec_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

impl Pki {
    pub(crate) fn new() -> Self {
        let root = CertifiedIssuer::self_signed(authority("Doctor Root"), ec_key()).unwrap();
        let intermediate =
            CertifiedIssuer::signed_by(authority("Doctor Intermediate"), ec_key(), &root).unwrap();
        Self {
            root,
            intermediate,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn anchors(&self) -> Arc<TrustStore> {
        Arc::new(TrustStore::from_pem("doctor", self.root.pem().as_bytes()).unwrap())
    }

    pub(crate) fn root_file(&self) -> PathBuf {
        let path = self.folder.path().join("root.pem");
        fs::write(&path, self.root.pem()).unwrap();
        path
    }

    /// Certificate, chain and key as files.
    fn write(&self, leaf: Leaf) -> (PathBuf, PathBuf, PathBuf) {
        let key = match leaf {
            Leaf::Rsa => KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap(),
            _ => ec_key(),
        };
        let name = match leaf {
            Leaf::WrongName => "other.example",
            _ => "localhost",
        };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let now = OffsetDateTime::now_utc();
        (params.not_before, params.not_after) = match leaf {
            Leaf::Expired => (now - Duration::days(30), now - Duration::days(3)),
            Leaf::NotYetValid => (now + Duration::hours(2), now + Duration::days(90)),
            _ => (now - Duration::days(1), now + Duration::days(90)),
        };
        let certificate = match leaf {
            Leaf::SelfSigned => params.self_signed(&key).unwrap(),
            _ => params.signed_by(&key, &self.intermediate).unwrap(),
        };
        let file = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        (
            file("leaf.pem", &certificate.pem()),
            file("chain.pem", &self.intermediate.pem()),
            file("key.pem", &key.serialize_pem()),
        )
    }

    /// `None` when `openssl` is not installed.
    pub(crate) fn serve(&self, leaf: Leaf, options: &[&str]) -> Option<OpensslServer> {
        let openssl = find_or_skip("openssl")?;
        let (certificate, chain, key) = self.write(leaf);
        let mut command = Command::new(openssl);
        command.args(["s_server", "-accept", "127.0.0.1:0"]);
        command.arg("-cert").arg(certificate).arg("-key").arg(key);
        if !matches!(leaf, Leaf::WithoutIntermediate | Leaf::SelfSigned) {
            command.arg("-cert_chain").arg(chain);
        }
        command.args(options);
        Some(OpensslServer::start(command))
    }

    /// An EST look at a port of this machine, with these anchors.
    pub(crate) fn look_at(&self, port: u16) -> Settings {
        let mut settings = Settings::new(
            format!("https://localhost:{port}").parse().unwrap(),
            self.anchors(),
        );
        settings.timeout = PATIENCE;
        settings
    }
}

/// A running `openssl s_server`; it ends when it is dropped.
pub(crate) struct OpensslServer {
    child: Child,
    pub(crate) port: u16,
    /// Kept open: a server that cannot print ends.
    _output: BufReader<ChildStdout>,
}

impl OpensslServer {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ACCEPT ") {
            line.clear();
            assert_ne!(
                output.read_line(&mut line).unwrap(),
                0,
                "openssl s_server did not start"
            );
        }
        let port = line.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        Self {
            child,
            port,
            _output: output,
        }
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// So that a file may be named in options of `openssl`.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
