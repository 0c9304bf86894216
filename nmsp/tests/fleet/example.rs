//! The examples of the crate, as somebody would start them.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nmsp::wire::StationClass;
use pki_common::identity::{Identity, SelfSigned};

use super::support::{Lab, measurement, until};

/// Cargo builds the examples beside the tests: `deps/fleet-...` and `../examples/location_server`.
fn built(name: &str) -> Option<PathBuf> {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.parent().and_then(Path::parent).unwrap();
    let example = folder
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if example.exists() {
        return Some(example);
    }
    // Only `cargo test --test fleet` leaves them out.
    eprintln!("skipped: not built: the example {name}");
    None
}

/// Ends with the test, however the test ends.
struct Running(Child);

impl Running {
    fn start(program: &Path, arguments: &[&OsStr]) -> Self {
        let mut command = Command::new(program);
        Self(command.args(arguments).stdout(Stdio::piped()).spawn().unwrap())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_location_server_of_the_examples_prints_what_the_controller_of_the_examples_reports() {
    let (Some(controller), Some(location_server)) = (built("controller"), built("location_server")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).into_os_string();
    for (name, other, mac) in [
        ("controller", "controllers", "003a.7d00.0001"),
        ("location-server", "location-servers", "0050.569c.3489"),
    ] {
        let identity = Identity::self_signed(SelfSigned::new(mac.parse().unwrap())).unwrap();
        identity.save(file(name), file(&format!("{name}.key"))).unwrap();
        std::fs::write(file(other), identity.server_auth_info()).unwrap();
    }
    let mut serving = Running::start(
        &controller,
        &[
            &file("controller"),
            &file("controller.key"),
            &file("location-servers"),
            OsStr::new("127.0.0.1:0"),
        ],
    );
    let announced = serving.line();
    let address = announced.trim().strip_prefix("listening on ").unwrap();
    let mut connected = Running::start(
        &location_server,
        &[
            &file("location-server"),
            &file("location-server.key"),
            &file("controllers"),
            OsStr::new(address),
        ],
    );
    let line = connected.line();
    assert!(line.contains("(00:3a:7d:00:00:01)"), "{line}");
    assert!(line.contains("02:00:00:00:00:01"), "{line}");
}

#[tokio::test]
async fn the_location_server_of_the_examples_prints_what_is_measured() {
    let Some(example) = built("location_server") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let lab = Lab::start(|_| {}).await;
    lab.location_server.save(file("ls.pem"), file("ls.key")).unwrap();
    std::fs::write(file("controllers"), lab.controller.server_auth_info()).unwrap();
    let mut running = Running::start(
        &example,
        &[
            file("ls.pem").as_os_str(),
            file("ls.key").as_os_str(),
            file("controllers").as_os_str(),
            OsStr::new(&lab.address.to_string()),
        ],
    );
    until("it has subscribed", || {
        let status = lab.handle.status();
        status
            .iter()
            .any(|connection| !connection.subscriptions.is_empty())
    })
    .await;
    lab.handle.publish(&measurement(7, StationClass::CLIENT)).unwrap();
    let line = tokio::task::spawn_blocking(move || running.line()).await.unwrap();
    assert!(line.contains("(00:3a:7d:00:00:01)"), "{line}");
    assert!(line.contains("02:00:00:00:00:07"), "{line}");
}
