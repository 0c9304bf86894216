//! The `nmsp` command as a person uses it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nmsp::wire::message::Measurement;

fn nmsp(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nmsp"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    nmsp(arguments).output().unwrap()
}

/// Runs, expects success, and returns standard output.
fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs, expects exit status 1 and the three lines, and returns standard error.
fn fail(arguments: &[&str]) -> String {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
    for word in ["rung: ", "cause: ", "remedy: "] {
        assert!(
            stderr.lines().any(|line| line.starts_with(word)),
            "{arguments:?} has no {word:?}: {stderr}"
        );
    }
    stderr
}

/// Ends with the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

const MEASUREMENTS: &str = "\
{\"station\":\"02:00:00:00:00:01\",\"class\":\"client\",\"timestamp\":1433612873000,\"access_points\":\
[{\"access_point\":\"00:3a:7d:00:00:09\",\"rssi_dbm\":-58,\"band\":\"5 GHz\",\"channel\":36,\"snr_db\":30}]}
{\"station\":\"02:00:00:00:00:02\",\"class\":\"rfid-tag\",\"timestamp\":1433612873001,\"access_points\":[]}
";

/// Both identities and authlists, a configuration, and a controller that runs.
fn start(folder: &Path) -> (Running, String) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let controller = succeed(&[
        "identity",
        "new",
        "--mac",
        "003a.7d00.0001",
        "--out",
        &path("controller"),
    ]);
    let server = succeed(&[
        "identity",
        "new",
        "--mac",
        "00:50:56:9c:34:89",
        "--out",
        &path("server"),
    ]);
    std::fs::write(path("controllers.txt"), controller).unwrap();
    std::fs::write(path("servers.txt"), server).unwrap();
    std::fs::write(path("measurements.jsonl"), MEASUREMENTS).unwrap();
    let config = "listen = \"127.0.0.1:0\"\ncertificate = \"controller/certificate.pem\"\nkey = \"controller/key.pem\"\n\
        [authlist]\nfile = \"servers.txt\"\nformat = \"server-auth-info\"\n[limits]\nqueue-length = 64\n";
    std::fs::write(path("serve.toml"), config).unwrap();
    let measurements = path("measurements.jsonl");
    let arguments = [
        "serve",
        "--config",
        &path("serve.toml"),
        "--measurements",
        &measurements,
        "--repeat",
        "--interval",
        "5",
    ];
    let mut child = nmsp(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (Running(child), address)
}

#[test]
fn serves_and_receives_measurements() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (_running, address) = start(folder.path());
    let (certificate, key, list) = (
        path("server/certificate.pem"),
        path("server/key.pem"),
        path("controllers.txt"),
    );
    let connect = [
        "connect",
        "--controller",
        &address,
        "--certificate",
        &certificate,
        "--key",
        &key,
    ];
    let with_list = [&connect[..], &["--controller-authlist", &list]].concat();

    let json = succeed(&[&with_list[..], &["--count", "4", "--json"]].concat());
    let received: Vec<Measurement> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let sent: Vec<Measurement> = MEASUREMENTS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|measurement| sent.contains(measurement)));

    let tags = succeed(&[&with_list[..], &["--count", "1", "--service", "rssi-rfid"]].concat());
    assert!(tags.contains("02:00:00:00:00:02 rfid-tag"), "{tags}");

    // The controller is not who this side expects.
    let own = path("servers.txt");
    let refused = fail(&[&connect[..], &["--controller-authlist", &own, "--count", "1"]].concat());
    assert!(
        refused.contains("rung: TLS (authlist), refused by this side"),
        "{refused}"
    );
}

#[test]
fn a_location_server_that_is_not_in_the_authlist_is_told_alert_46() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (_running, address) = start(folder.path());
    succeed(&[
        "identity",
        "new",
        "--mac",
        "00:50:56:9c:34:89",
        "--out",
        &path("other"),
    ]);
    let (certificate, key, list) = (
        path("other/certificate.pem"),
        path("other/key.pem"),
        path("controllers.txt"),
    );
    let credentials = [
        "--certificate",
        &certificate,
        "--key",
        &key,
        "--controller-authlist",
        &list,
    ];
    let refused = fail(&[&["connect", "--controller", &address], &credentials[..]].concat());
    assert!(
        refused.contains("refused by the peer with alert 46 certificate_unknown"),
        "{refused}"
    );
}

#[cfg(unix)]
#[test]
fn a_controller_that_is_asked_to_end_prints_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let (mut running, _) = start(folder.path());
    let id = running.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(running.0.wait().unwrap().success());
    let mut rest = String::new();
    running
        .0
        .stdout
        .as_mut()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
    assert!(rest.contains("DNA Spaces/CMX IP Address"), "{rest}");
}

#[test]
fn auth_info_prints_what_identity_new_printed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let printed = succeed(&["identity", "new", "--mac", "0050569c3489", "--out", out]);
    assert!(printed.contains("MAC Address: 00:50:56:9c:34:89"), "{printed}");
    let certificate = folder.path().join("certificate.pem");
    assert_eq!(
        succeed(&["auth-info", "--certificate", certificate.to_str().unwrap()]),
        printed
    );
    assert!(fail(&["identity", "new", "--mac", "0050569c3489", "--out", out]).contains("exists"));
}

#[test]
fn converts_authlists_and_names_every_bad_line() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    let line = "config auth-list add lbs-ssc 00:50:56:9c:34:89 e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0\n";
    std::fs::write(&good, line).unwrap();
    std::fs::write(&bad, format!("{line}{line}").replacen("a0\n", "\n", 1)).unwrap();
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    assert!(succeed(&["authlist", "import", "--from", "aireos", good]).contains("[[entry]]"));
    let csv = succeed(&["authlist", "export", "--to", "csv", good]);
    assert!(
        csv.contains("00:50:56:9c:34:89,lbs-ssc,e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0"),
        "{csv}"
    );
    assert!(succeed(&["authlist", "check", good]).contains("1 entries"));
    let report = fail(&["authlist", "check", bad]);
    assert!(report.contains("line 1"), "{report}");
}

#[test]
fn prints_the_profile_and_tells_usage_from_failure() {
    assert!(
        succeed(&["profile"]).contains("| 15 | Measurement Notification | controller | decoded | recalled |")
    );
    assert_eq!(run(&["serve"]).status.code(), Some(2));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
    assert!(fail(&["serve", "--config", "/no/such/file"]).contains("/no/such/file"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("serve.toml");
    std::fs::write(&file, "listn = \"127.0.0.1:0\"\n").unwrap();
    let report = fail(&["serve", "--config", file.to_str().unwrap()]);
    assert!(report.contains("line 1") && report.contains("listn"), "{report}");
}
