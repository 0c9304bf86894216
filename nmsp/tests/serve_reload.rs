//! `nmsp serve` reads authlist and identity again: when a file changes, and on SIGHUP.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nmsp::Error;
use nmsp::client::{Client, ClientConfig};
use nmsp::proto::CloseReason;
use nmsp::wire::numbers::DisconnectReason;
use pki_common::Diagnose as _;
use pki_common::authlist::AuthListFormat;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};
use support::{CONTROLLER, LOCATION_SERVER, PATIENCE, authlist_of, identity};

/// A controller of its own process; it ends with the test.
struct Controller {
    process: Child,
    folder: tempfile::TempDir,
    address: String,
    admin: Option<String>,
    identity: Arc<Identity>,
    location_server: Arc<Identity>,
}

impl Drop for Controller {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Controller {
    fn start(more: &str) -> Self {
        Self::start_with(more, "")
    }

    /// One that publishes these measurements again and again.
    fn start_with(more: &str, measurements: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (own, location_server) = (identity(CONTROLLER), identity(LOCATION_SERVER));
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("certificate.pem", &own.certificate_chain_pem());
        write("key.pem", &own.private_key_pem());
        write("authlist.toml", &authlist(&location_server));
        let config = "listen = \"127.0.0.1:0\"\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n";
        write(
            "serve.toml",
            &format!("{config}{more}\n[authlist]\nfile = \"authlist.toml\"\n"),
        );
        write("measurements.json", measurements);
        let file = folder.path().join("measurements.json").display().to_string();
        let repeated = ["--measurements", &file, "--repeat", "--interval", "10"];
        let repeated = (!measurements.is_empty()).then_some(repeated);
        let mut process = Command::new(env!("CARGO_BIN_EXE_nmsp"))
            .args(["--log", "info", "serve", "--config"])
            .arg(folder.path().join("serve.toml"))
            .args(repeated.iter().flatten())
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.as_mut().unwrap());
        let mut line = |wanted: &str| {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line.trim().strip_prefix(wanted).unwrap().to_owned()
        };
        let address = line("listening on ");
        let admin = more.contains("[admin]").then(|| line("admin listener on "));
        Self {
            process,
            folder,
            address,
            admin,
            identity: own,
            location_server,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn connect(&self) -> Result<Client, Error> {
        let tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&self.identity)))
            .with_identity(Arc::clone(&self.location_server));
        Client::connect(&self.address, ClientConfig::new(tls)).await
    }

    async fn log_has(&self, text: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let log = std::fs::read_to_string(self.path("log")).unwrap();
            if log.contains(text) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "no {text:?} in {log}");
            tokio::time::sleep(core::time::Duration::from_millis(20)).await;
        }
    }

    fn hang_up(&self) {
        let sent = Command::new("kill")
            .args(["-HUP", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

/// What `nmsp show notification interval` prints.
fn intervals(controller: &Controller) -> String {
    let shown = Command::new(env!("CARGO_BIN_EXE_nmsp"))
        .args(["show", "notification", "interval", "--admin"])
        .arg(controller.admin.as_ref().unwrap())
        .output()
        .unwrap();
    String::from_utf8(shown.stdout).unwrap()
}

#[tokio::test]
async fn the_configuration_file_is_read_again_and_what_needs_a_restart_is_said() {
    let controller = Controller::start("[admin]\nlisten = \"127.0.0.1:0\"");
    let mut client = controller.connect().await.unwrap();
    drop(controller.connect().await.unwrap());
    let file = controller.path("serve.toml");
    let first = std::fs::read_to_string(&file).unwrap();
    let before = intervals(&controller);
    let more = "[limits]\nmax-connections = 1\nmax-stations = 10\n[notification.intervals]\nclients = 7\n";
    replace_by_rename(&file, &format!("{first}{more}"));
    controller
        .log_has("limits.max-connections: not given → 1: in force now")
        .await;
    controller
        .log_has("limits.max-stations: not given → 10: in force after a restart")
        .await;
    controller
        .log_has("notification.intervals.clients: not given → 7")
        .await;
    let after = intervals(&controller);
    assert_ne!(after, before);
    assert!(after.contains('7'), "{after}");
    // The live tunnel stays, and is the only one that may be.
    client.subscribe(nmsp::wire::Services::RSSI_MS).await.unwrap();
    assert!(controller.connect().await.is_err());

    // A broken file is named with line and key; nothing of it is taken over.
    let line = first.lines().count() + 5;
    std::fs::write(
        &file,
        format!(
            "{first}{}",
            more.replace("= 7", "= 181").replace("= 1\n", "= 9\n")
        ),
    )
    .unwrap();
    controller
        .log_has(&format!(
            "serve.toml line {line}, [notification.intervals] clients: an interval of 181 s"
        ))
        .await;
    assert_eq!(intervals(&controller), after);
    assert!(controller.connect().await.is_err());

    // The authlist does not wait for somebody to mend the file.
    std::fs::write(controller.path("authlist.toml"), authlist(&controller.identity)).unwrap();
    is_told_to_go(&mut client).await;

    // What the file does not say any more has its default again.
    std::fs::write(&file, &first).unwrap();
    controller
        .log_has("limits.max-connections: 1 → not given: in force now")
        .await;
    assert_eq!(intervals(&controller), before);
}

fn authlist(admitted: &Identity) -> String {
    authlist_of(admitted).load().export(AuthListFormat::Toml).unwrap()
}

fn replace_by_rename(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

/// The connection is closed because of the authlist.
async fn is_told_to_go(client: &mut Client) {
    let end = async {
        loop {
            match client.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no reason was given"),
                Err(error) => return error,
            }
        }
    };
    let error = tokio::time::timeout(PATIENCE, end).await.unwrap();
    let Error::Closed(CloseReason::Disconnected { reason, .. }) = &error else {
        panic!("{error}");
    };
    assert_eq!(*reason, DisconnectReason::NOT_AUTHORIZED);
}

#[tokio::test]
async fn measurements_that_cannot_be_read_again_do_not_end_the_controller() {
    let measurement = support::measurement(1, nmsp::wire::StationClass::CLIENT);
    let line = serde_json::to_string(&measurement).unwrap();
    let controller = Controller::start_with("", &line);
    let client = controller.connect().await.unwrap();
    std::fs::remove_file(controller.path("measurements.json")).unwrap();
    controller.log_has("serving goes on").await;
    client.subscribe(nmsp::wire::Services::RSSI_MS).await.unwrap();
    std::fs::write(controller.path("measurements.json"), "no measurement\n").unwrap();
    controller.log_has("line 1 column").await;
    // They are published again when the file is good again.
    let mut client = client;
    std::fs::write(controller.path("measurements.json"), line).unwrap();
    let measured =
        async { while !matches!(client.next().await, Ok(Some(nmsp::proto::Event::Notification(_)))) {} };
    tokio::time::timeout(PATIENCE, measured).await.unwrap();
}

#[tokio::test]
async fn an_authlist_that_is_renamed_into_place_or_rewritten_takes_effect() {
    let controller = Controller::start("");
    let list = controller.path("authlist.toml");
    let good = std::fs::read_to_string(&list).unwrap();
    let nobody_here = authlist(&controller.identity);

    let mut client = controller.connect().await.unwrap();
    replace_by_rename(&list, &nobody_here);
    is_told_to_go(&mut client).await;
    assert!(controller.connect().await.is_err());

    // A broken list is refused with its file and line, and the one before it stays in force.
    std::fs::write(&list, "this = is [ no list\n").unwrap();
    controller.log_has("authlist.toml").await;
    controller.log_has("what was in force stays").await;
    let error = controller.connect().await.unwrap_err();
    assert!(error.diagnose().to_string().contains("46"), "{error}");

    std::fs::write(&list, good).unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while controller.connect().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "it is not admitted again");
    }
}

#[tokio::test]
async fn a_hang_up_has_the_files_read_again_and_live_tunnels_stay() {
    let controller = Controller::start("reload-on-change = false");
    let mut client = controller.connect().await.unwrap();
    let list = controller.path("authlist.toml");
    let (good, nobody_here) = (
        std::fs::read_to_string(&list).unwrap(),
        authlist(&controller.identity),
    );
    // Nobody looks at the file before the signal.
    std::fs::write(&list, &nobody_here).unwrap();
    controller.connect().await.unwrap();
    std::fs::write(&list, &good).unwrap();
    controller.hang_up();
    controller.log_has("were read again").await;
    client.subscribe(nmsp::wire::Services::RSSI_MS).await.unwrap();
    std::fs::write(&list, nobody_here).unwrap();
    controller.hang_up();
    is_told_to_go(&mut client).await;
}
