//! A broken device in a process of its own, and what connects to it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;
use tempfile::TempDir;

/// Longer than anything here takes, so that a mistake shows as a failure and not as a hanging test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running device. It ends when this is dropped.
pub(crate) struct Device {
    name: &'static str,
    option: &'static str,
    folder: PathBuf,
    child: Child,
    /// Where it listens; of a location server, the controller it connects to.
    pub(crate) address: SocketAddr,
}

impl Device {
    /// Starts a device that listens on a free port.
    pub(crate) fn start(name: &'static str, lab: &Lab) -> Self {
        Self::start_at(name, lab.path(), "--listen", "127.0.0.1:0".parse().unwrap())
    }

    /// Starts a location server that connects to a controller.
    pub(crate) fn start_towards(name: &'static str, lab: &Lab, controller: SocketAddr) -> Self {
        Self::start_at(name, lab.path(), "--controller", controller)
    }

    /// Ends it if it runs, and starts it again at the same address.
    pub(crate) fn start_again(&mut self) {
        self.end();
        *self = Self::start_at(self.name, &self.folder, self.option, self.address);
    }

    fn end(&mut self) {
        // It may have ended by its defect.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn start_at(name: &'static str, folder: &Path, option: &'static str, address: SocketAddr) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_broken"))
            .args([name, option, &address.to_string(), "--folder"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // What it says when it dies would be taken for a failure of the test.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["name"], name);
        assert_eq!(ready["process"], child.id());
        Self {
            name,
            option,
            folder: folder.to_owned(),
            child,
            address: ready["address"].as_str().unwrap().parse().unwrap(),
        }
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is there.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.end();
    }
}

/// A folder with the certificates that a device has made.
pub(crate) struct Lab {
    folder: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the certificates, where a device has not begun yet.
    pub(crate) fn with_certificates() -> Self {
        let lab = Self::new();
        drop(Device::start("half-message", &lab));
        lab
    }

    /// The certificate and key of the one who connects to a device.
    pub(crate) fn tester(&self) -> Arc<Identity> {
        let place = self.path().join("tester");
        Arc::new(Identity::load(place.join("certificate.pem"), place.join("key.pem")).unwrap())
    }

    pub(crate) fn anchors(&self) -> Arc<TrustStore> {
        Arc::new(TrustStore::from_paths("lab", [self.path().join("ca.pem")]).unwrap())
    }

    /// As a client of a device.
    pub(crate) fn client_tls(&self) -> ClientTls {
        ClientTls::new(PeerVerifier::trust_store(self.anchors())).with_identity(self.tester())
    }

    /// As a controller that a location server connects to.
    pub(crate) fn server_tls(&self) -> ServerTls {
        let mut tls = ServerTls::new(self.tester());
        tls.client_authentication = ClientAuthentication::Required(PeerVerifier::trust_store(self.anchors()));
        tls
    }
}
