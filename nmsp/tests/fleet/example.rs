//! The example of the crate against a controller, as somebody would start it.

use std::process::{Command, Stdio};

use nmsp::wire::StationClass;

use super::support::{Lab, measurement, until};

#[tokio::test]
async fn the_location_server_of_the_examples_prints_what_is_measured() {
    // Cargo builds the examples beside the tests: `deps/fleet-...` and `../examples/location_server`.
    let tests = std::env::current_exe().unwrap();
    let example = tests
        .parent()
        .and_then(std::path::Path::parent)
        .unwrap()
        .join("examples")
        .join(format!("location_server{}", std::env::consts::EXE_SUFFIX));
    if !example.exists() {
        // Only `cargo test --test fleet` alone leaves it out.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let lab = Lab::start(|_| {}).await;
    lab.location_server.save(file("ls.pem"), file("ls.key")).unwrap();
    std::fs::write(file("controllers"), lab.controller.server_auth_info()).unwrap();
    let mut running = Command::new(example)
        .args([file("ls.pem"), file("ls.key"), file("controllers")])
        .arg(lab.address.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until("it has subscribed", || {
        let status = lab.handle.status();
        status
            .iter()
            .any(|connection| !connection.subscriptions.is_empty())
    })
    .await;
    lab.handle.publish(&measurement(7, StationClass::CLIENT)).unwrap();
    let output = running.stdout.take().unwrap();
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
        line
    })
    .await
    .unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(line.contains("(00:3a:7d:00:00:01)"), "{line}");
    assert!(line.contains("02:00:00:00:00:07"), "{line}");
}
