//! Keys and certificates by `openssl`, in a folder of their own.

/// The rule for peers that are not installed; one file for all crates.
#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
pub(crate) mod peers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use pki_common::Certificate;
use pki_common::identity::Identity;
use rustls::sign::SigningKey;

/// A folder with `openssl` in it, so to speak.
pub(crate) struct Lab {
    openssl: PathBuf,
    folder: tempfile::TempDir,
}

impl Lab {
    /// `None`, with a word about it, when `openssl` is not installed.
    pub(crate) fn open() -> Option<Self> {
        Some(Self {
            openssl: peers::find_or_skip("openssl")?,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `openssl` in the folder.
    pub(crate) fn run(&self, arguments: &str) -> Output {
        Command::new(&self.openssl)
            .args(arguments.split_whitespace())
            .current_dir(self.folder())
            .output()
            .expect("openssl can be started")
    }

    /// Runs `openssl` in the folder; it must succeed.
    pub(crate) fn openssl(&self, arguments: &str) -> Vec<u8> {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "openssl {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder().join(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder().join(name)).unwrap()
    }

    /// Makes `NAME.key` and the self-signed `NAME.pem`; `key` is what `openssl genpkey` wants to know.
    pub(crate) fn identity(&self, name: &str, key: &str) -> Identity {
        self.openssl(&format!("genpkey {key} -out {name}.key"));
        self.openssl(&format!(
            "req -x509 -new -key {name}.key -subj /DC=example/CN={name} -days 30 -out {name}.pem"
        ));
        let (certificate, key) = (
            self.read(&format!("{name}.pem")),
            self.read(&format!("{name}.key")),
        );
        Identity::from_bytes(&certificate, &key, name).unwrap()
    }
}

pub(crate) const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
pub(crate) const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
pub(crate) const P384: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
pub(crate) const P521: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-521";
/// Whether the crypto provider has the key: ring signs with no P-521.
pub(crate) fn has_key(kind: &str) -> bool {
    kind != P521 || cfg!(feature = "aws-lc-rs")
}

pub(crate) const ED25519: &str = "-algorithm ED25519";

pub(crate) fn signing_key(identity: &Identity) -> Arc<dyn SigningKey> {
    Arc::clone(&identity.certified_key().key)
}

pub(crate) fn certificate(identity: &Identity) -> Certificate {
    identity.certificate().clone()
}
