//! The `nmsp` command as a person uses it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nmsp::wire::message::Measurement;

fn nmsp(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nmsp"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

fn run(arguments: &[impl AsRef<OsStr>]) -> Output {
    nmsp(arguments).output().unwrap()
}

/// Runs, expects success, and returns standard output.
fn succeed(arguments: &[impl AsRef<OsStr> + Debug]) -> String {
    let output = run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs, expects exit status 1 and the three lines, and returns standard error.
fn fail(arguments: &[impl AsRef<OsStr> + Debug]) -> String {
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

/// The name in the controller's certificate.
const CONTROLLER_NAME: &str = "wlc.example";

/// Both identities and authlists, measurements, and a configuration.
fn prepare(folder: &Path) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let identity = |mac: &str, out: &str, more: &[&str]| {
        let out = path(out);
        succeed(&[&["identity", "new", "--mac", mac, "--out", &out], more].concat())
    };
    let names = ["--name", CONTROLLER_NAME, "--name", "192.0.2.1"];
    let controller = identity("003a.7d00.0001", "controller", &names);
    let server = identity("00:50:56:9c:34:89", "server", &[]);
    std::fs::write(path("controllers.txt"), controller).unwrap();
    std::fs::write(path("servers.txt"), server).unwrap();
    std::fs::write(path("measurements.jsonl"), MEASUREMENTS).unwrap();
    let config = "listen = \"127.0.0.1:0\"\ncertificate = \"controller/certificate.pem\"\nkey = \"controller/key.pem\"\n\
        [authlist]\nfile = \"servers.txt\"\nformat = \"server-auth-info\"\n[limits]\nqueue-length = 64\n";
    std::fs::write(path("serve.toml"), config).unwrap();
}

/// A controller that runs and publishes measurements from there.
fn serve(folder: &Path, measurements: &[&str]) -> (Running, String) {
    let config = folder.join("serve.toml").to_str().unwrap().to_owned();
    let arguments = [
        &["serve", "--config", &config, "--interval", "5", "--measurements"],
        measurements,
    ];
    let mut child = nmsp(&arguments.concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (Running(child), address)
}

fn start(folder: &Path) -> (Running, String) {
    prepare(folder);
    let measurements = folder.join("measurements.jsonl").to_str().unwrap().to_owned();
    serve(folder, &[&measurements, "--repeat"])
}

/// The arguments of `nmsp connect` with the credentials of the location server; `more` must check the controller.
fn connect(folder: &Path, address: &str, more: &[&[&str]]) -> Vec<String> {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("server/certificate.pem"), path("server/key.pem"));
    let own = ["--certificate", &certificate, "--key", &key, "--count", "1"];
    let arguments = [&["connect", "--controller", address], &own[..], &more.concat()].concat();
    arguments.into_iter().map(str::to_owned).collect()
}

#[test]
fn measurements_come_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let (mut running, address) = serve(folder.path(), &["-"]);
    let mut input = running.0.stdin.take().unwrap();
    let list = folder.path().join("controllers.txt");
    let check = ["--json", "--controller-authlist", list.to_str().unwrap()];
    let arguments = connect(folder.path(), &address, &[&check]);
    let received = std::thread::spawn(move || succeed(&arguments));
    // Before the location server has subscribed, measurements go nowhere.
    while !received.is_finished() {
        input.write_all(MEASUREMENTS.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let line = received.join().unwrap();
    assert!(MEASUREMENTS.contains(line.trim()), "{line}");

    // A line that is no measurement ends the program and is named.
    input.write_all(b"{\"station\": 5}\n").unwrap();
    drop(input);
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    let mut report = String::new();
    running
        .0
        .stderr
        .as_mut()
        .unwrap()
        .read_to_string(&mut report)
        .unwrap();
    let parts = ["cause: - line ", "column ", "remedy: correct the line"];
    assert!(parts.iter().all(|part| report.contains(part)), "{report}");
}

#[test]
fn a_controller_behind_trust_anchors_must_carry_the_expected_name() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, address) = start(folder.path());
    let anchors = folder.path().join("controller/certificate.pem");
    let anchors = ["--trust-anchors", anchors.to_str().unwrap()];
    let list = folder.path().join("controllers.txt");
    let list = ["--controller-authlist", list.to_str().unwrap()];
    let with = |check: &[&str], expectation: &[&str]| connect(folder.path(), &address, &[check, expectation]);
    // The certificate is for other names than the 127.0.0.1 of --controller, and for this MAC address.
    for expectation in [
        &["--expect-mac", "003a.7d00.0001"][..],
        &["--expect-mac", "00-3A-7D-00-00-01"],
        &["--expect-name", CONTROLLER_NAME],
        &["--expect-name", "192.0.2.1"],
    ] {
        succeed(&with(&anchors, expectation));
        succeed(&with(&list, expectation));
    }
    succeed(&with(&list, &[]));
    for (check, expectation, named) in [
        (anchors, &[][..], "127.0.0.1"),
        (
            anchors,
            &["--expect-mac", "00:50:56:9c:34:89"],
            "00:50:56:9c:34:89",
        ),
        (anchors, &["--expect-name", "other.example"], "other.example"),
        (list, &["--expect-mac", "00:50:56:9c:34:89"], "00:50:56:9c:34:89"),
        (list, &["--expect-name", "other.example"], "other.example"),
    ] {
        let report = fail(&with(&check, expectation));
        let parts = ["rung: TLS (name), refused by this side", named];
        assert!(parts.iter().all(|part| report.contains(part)), "{report}");
    }
    // An anchor that did not issue the certificate.
    let other = folder.path().join("server/certificate.pem");
    let other = ["--trust-anchors", other.to_str().unwrap()];
    let report = fail(&with(&other, &["--expect-mac", "003a.7d00.0001"]));
    assert!(
        report.contains("rung: TLS (chain), refused by this side"),
        "{report}"
    );
}

#[test]
fn options_that_contradict_each_other_are_wrong_usage() {
    let connect = ["connect", "--controller", "c", "--certificate", "c", "--key", "k"];
    let table: [&[&str]; 5] = [
        &[
            "--trust-anchors",
            "a",
            "--expect-name",
            "n",
            "--expect-mac",
            "003a.7d00.0001",
        ],
        &["--trust-anchors", "a", "--expect-mac", "003a.7d00.00"],
        &["--expect-mac", "003a.7d00.0001"],
        &["--trust-anchors", "a", "--log", "nmsp::server=loud"],
        &["--trust-anchors", "a", "--service", "no-such-service"],
    ];
    for arguments in table {
        let output = run(&[&connect[..], arguments].concat());
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {report}");
        assert!(
            report.contains("Usage") || report.contains("--help"),
            "{arguments:?}: {report}"
        );
    }
    let from_environment = nmsp(&["profile"]).env("RUST_LOG", "nmsp=loud").output().unwrap();
    assert_eq!(from_environment.status.code(), Some(2));
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
        // The shell's own kill: a small system has no program of that name.
        Command::new("sh")
            .args(["-c", &format!("kill -TERM {id}")])
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

/// Two identities in a folder, and a list with the first of them and an entry without a hash.
fn authlist_of_two() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, mac) in [("one", "02:00:00:00:00:01"), ("two", "02:00:00:00:00:02")] {
        succeed(&["identity", "new", "--mac", mac, "--out", &path(name)]);
    }
    let (list, certificate) = (path("list.toml"), path("one/certificate.pem"));
    // The list is made, and an entry that is there is no error.
    for (words, said) in [
        (
            &["--certificate", &certificate][..],
            "1 added, 0 there already, 1 entries",
        ),
        (
            &["--certificate", &certificate],
            "0 added, 1 there already, 1 entries",
        ),
        (
            &["--mac", "0200.0000.0003", "--type", "lsc"],
            "1 added, 0 there already, 2 entries",
        ),
    ] {
        let words = [&["authlist", "add", &list], words].concat();
        assert!(succeed(&words).contains(said), "{words:?}");
    }
    (folder, list)
}

#[test]
fn adds_entries_to_an_authlist_and_removes_them() {
    let (folder, list) = authlist_of_two();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let info = succeed(&["auth-info", "--certificate", &path("two/certificate.pem")]);
    std::fs::write(path("printed"), info).unwrap();
    let said = succeed(&["authlist", "add", &list, "--list", &path("printed")]);
    assert!(!said.contains(" 0 added"), "{said}");
    let csv = succeed(&["authlist", "export", "--to", "csv", &list]);
    for part in [
        "02:00:00:00:00:01,sha256-lbs-ssc,",
        "02:00:00:00:00:02,",
        "02:00:00:00:00:03,lsc,",
    ] {
        assert!(csv.contains(part), "{part} is not in {csv}");
    }
    let said = succeed(&["authlist", "remove", &list, "02:00:00:00:00:01", "0200.0000.0003"]);
    assert!(said.contains("2 removed"), "{said}");
    let csv = succeed(&["authlist", "export", "--to", "csv", &list]);
    assert!(
        csv.contains("02:00:00:00:00:02") && !csv.contains("02:00:00:00:00:01"),
        "{csv}"
    );
}

#[test]
fn a_list_whose_last_entry_goes_is_an_empty_list_and_no_lost_file() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("authlist.txt");
    let hash = "ab".repeat(20);
    std::fs::write(
        &list,
        format!("config auth-list add lbs-ssc 02:00:00:00:00:01 {hash}\n"),
    )
    .unwrap();
    let list = list.to_str().unwrap();
    succeed(&["authlist", "remove", list, "02:00:00:00:00:01"]);
    assert!(succeed(&["authlist", "check", list]).contains(" 0 entries"));
    std::fs::write(list, "").unwrap();
    assert!(fail(&["authlist", "check", list]).contains("no line of a known authlist format"));
}

#[test]
fn what_contradicts_an_authlist_or_is_not_in_it_changes_nothing() {
    let (folder, list) = authlist_of_two();
    let before = std::fs::read_to_string(&list).unwrap();
    let hash = "ab".repeat(32);
    let certificate = folder.path().join("one/certificate.pem");
    let wrong = ["--type", "sha256-lbs-ssc", "--key-hash", &hash];
    for (words, cause) in [
        (
            [&["add", &list, "--mac", "020000000001"][..], &wrong].concat(),
            "02:00:00:00:00:01",
        ),
        (
            vec!["remove", &list, "02:00:00:00:00:01", "02:00:00:00:00:09"],
            "no entry for 02:00:00:00:00:09",
        ),
        (
            vec![
                "add",
                &list,
                "--format",
                "csv",
                "--certificate",
                certificate.to_str().unwrap(),
            ],
            "format toml, not csv",
        ),
    ] {
        let report = fail(&[&["authlist"], &words[..]].concat());
        assert!(report.contains(cause), "{report}");
        assert_eq!(std::fs::read_to_string(&list).unwrap(), before);
    }
    assert_eq!(run(&["authlist", "add", &list]).status.code(), Some(2));
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
        succeed(&["profile"])
            .contains("| 15 | Measurement Notification | controller | Measurements | recalled |")
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.toml");
    let name = file.to_str().unwrap();
    std::fs::write(&file, succeed(&["profile", "show"])).unwrap();
    assert!(succeed(&["profile", "check", name]).contains("can be used"));
    assert!(succeed(&["wireshark", "--profile", name]).contains("Proto(\"nmsp\""));
    std::fs::write(&file, "[tlv]\ntype-width = 3\n").unwrap();
    for arguments in [&["profile", "check", name][..], &["wireshark", "--profile", name]] {
        let report = fail(arguments);
        let expected = format!("{name}, line 2: tlv.type-width: TLV type is 3 bytes wide");
        assert!(report.contains(&expected), "{report}");
    }
    assert_eq!(run(&["serve"]).status.code(), Some(2));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
    assert!(fail(&["serve", "--config", "/no/such/file"]).contains("/no/such/file"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("serve.toml");
    std::fs::write(&file, "listn = \"127.0.0.1:0\"\n").unwrap();
    let report = fail(&["serve", "--config", file.to_str().unwrap()]);
    assert!(report.contains("line 1") && report.contains("listn"), "{report}");
}
