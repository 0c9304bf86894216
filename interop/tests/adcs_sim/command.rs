//! `interop adcs-sim` as a person uses it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::{Duration, Instant};

use interop::adcs_sim::{COMMANDS, FAULT_NAMES, Place};
use interop::peers::find_or_skip;

use crate::lab::{form, issued_id, request};

/// Far more than a start needs; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    child: Child,
    input: Option<ChildStdin>,
    url: String,
}

fn interop() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interop"));
    command.arg("adcs-sim").env_remove("RUST_LOG");
    command
}

impl Running {
    fn start(folder: &Path, options: &[&str]) -> Self {
        let mut child = interop()
            .args(["--listen", "127.0.0.1:0", "--keep"])
            .arg(folder)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("it says where it is").unwrap();
        let url = first
            .strip_prefix("AD CS simulator  ")
            .expect("the URL")
            .to_owned();
        // The rest is read so that the child never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, input, url }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn control(folder: &Path, command: &[&str]) -> Output {
    let mut interop = interop();
    interop.arg("control").arg(folder.join("control")).args(command);
    interop.output().unwrap()
}

fn told(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A file that a thread of the simulator writes, once it has so many lines.
fn read_lines(path: &Path, lines: usize) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap();
        if text.lines().count() >= lines {
            return text;
        }
        assert!(Instant::now() < end, "{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A request by curl, with the user of the file.
fn submit(curl: &Path, folder: &Path, url: &str, name: &str) -> String {
    let file = folder.join("request.pem");
    fs::write(&file, request(name)).unwrap();
    let output = Command::new(curl)
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--ntlm",
            "--user",
            "anna:se:cret",
            "--cacert",
        ])
        .arg(folder.join("ca.pem"))
        .args(form(&file, "Phone"))
        .arg(format!("{url}/certfnsh.asp"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn requests_are_approved_and_denied_from_another_terminal() {
    let Some(curl) = find_or_skip("curl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("users"), "anna:se:cret\n").unwrap();
    let (users, log) = (folder.join("users"), folder.join("iis.log"));
    let options = [
        "--users",
        users.to_str().unwrap(),
        "--log",
        log.to_str().unwrap(),
        "--template",
        "Phone=A phone",
        "--pending",
        "CN=slow*",
        "--deny",
        "0x80094800:CN=bad*",
        "--first-request",
        "7",
    ];
    let running = Running::start(folder, &options);
    assert!(submit(&curl, folder, &running.url, "slow 1").contains("Your Request Id is 7."));
    assert!(submit(&curl, folder, &running.url, "slow 2").contains("Your Request Id is 8."));
    assert!(submit(&curl, folder, &running.url, "bad").contains("0x80094800"));
    assert_eq!(issued_id(&submit(&curl, folder, &running.url, "good")), Some(10));

    let approved = told(&control(folder, &["approve", "7"]));
    assert!(
        approved.contains("request 7 of MICHAMEN\\anna: issued"),
        "{approved}"
    );
    let denied = told(&control(folder, &["deny", "8"]));
    assert!(denied.contains("0x80094014"), "{denied}");
    let list = told(&control(folder, &["requests"]));
    assert_eq!(list.lines().count(), 4, "{list}");

    let again = control(folder, &["approve", "7"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("request 7 is not pending"));
    assert!(told(&control(folder, &["faults", "expired", "hang=certsrv"])).contains("expired hang=certsrv"));
    assert_eq!(control(folder, &["faults", "nonsense"]).status.code(), Some(1));

    let written = read_lines(&log, 12);
    let (header, lines): (Vec<&str>, Vec<&str>) = written.lines().partition(|line| line.starts_with('#'));
    assert_eq!(header.len(), 4);
    assert!(
        header[3].starts_with("#Fields: date time s-ip cs-method cs-uri-stem"),
        "{header:?}"
    );
    assert_eq!(lines.len(), 8, "two for each request: {lines:?}");
    assert!(!written.contains("se:cret"));
}

#[test]
fn commands_are_taken_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path(), &["--fault", "pending"]);
    let mut errors = BufReader::new(running.child.stderr.take().unwrap());
    let mut input = running.input.take().unwrap();
    for (line, answer) in [
        ("faults\n", "pending\n"),
        ("faults none\n", "no faults\n"),
        ("requests\n", "no requests yet\n"),
        ("approve 1\n", "request 1 does not exist\n"),
        ("dance\n", "\"dance\" is no command; there are\n"),
    ] {
        input.write_all(line.as_bytes()).unwrap();
        let mut told = String::new();
        errors.read_line(&mut told).unwrap();
        assert_eq!(told, answer);
    }
    // Its end is not the end of the simulator.
    drop(input);
    assert!(told(&control(folder.path(), &["faults"])).contains("no faults"));
}

#[test]
fn a_signal_ends_it_and_the_socket_goes_with_it() {
    let Some(kill) = find_or_skip("kill") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path(), &[]);
    let sent = Command::new(kill)
        .arg(running.child.id().to_string())
        .status()
        .unwrap();
    assert!(sent.success());
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = running.child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "it runs on");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
    assert!(!folder.path().join("control").exists());
    assert!(folder.path().join("ca.pem").exists());
    let output = control(folder.path(), &["requests"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does the simulator run?"));
}

#[test]
fn what_cannot_work_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("users");
    fs::write(&users, "hunter2\n").unwrap();
    let users = users.to_str().unwrap();
    for (options, code, part) in [
        (&["--fault", "flood"][..], 2, "missing-intermediate"),
        (&["--users", users], 1, "line 1 is not USER:PASSWORD"),
        (&["--listen", "127.0.0.1:0", "--name", ""], 1, "cannot be a name"),
        (&["--listen", "192.0.2.1:1"], 1, "cannot listen on 192.0.2.1:1"),
    ] {
        let mut child = interop()
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{options:?}");
        assert!(
            errors.contains(part) && !errors.contains("hunter2"),
            "{options:?}: {errors}"
        );
    }
}

/// The guide has every fault, every place and every command.
#[test]
fn the_guide_and_the_help_leave_nothing_out() {
    let guide = include_str!("../../../docs/adcs-simulator.md");
    let output = interop().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let names = FAULT_NAMES
        .split(", ")
        .map(|fault| fault.split(['=', '[']).next().unwrap());
    let places = Place::NAMES.iter().map(|(_, name)| *name);
    let commands = COMMANDS.lines().map(|line| line.split(' ').next().unwrap());
    for name in names
        .chain(places)
        .chain(commands.filter(|command| *command != "help"))
    {
        assert!(guide.contains(name), "{name} is not in the guide");
        assert!(help.contains(name), "{name} is not in the help");
    }
}

/// The commands of the guide, with another port.
#[test]
fn the_guide_leads_from_a_request_to_its_certificate() {
    if ["curl", "openssl"]
        .into_iter()
        .any(|peer| find_or_skip(peer).is_none())
    {
        return;
    }
    let guide = include_str!("../../../docs/adcs-simulator.md");
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    let log = lab.join("iis.log");
    fs::create_dir(&lab).unwrap();
    let running = Running::start(&lab, &["--log", log.to_str().unwrap()]);
    let host = running.url.trim_end_matches("/certsrv");
    let blocks: Vec<&str> = guide
        .split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .collect();
    let run = |contains: &str| {
        let block = blocks
            .iter()
            .find(|block| block.contains(contains))
            .expect("the guide has it");
        let script = format!("set -e\n{}", block.replace("https://localhost:8443", host));
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{script}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(run("CiscoRA 1.0").contains("Object Moved"));
    assert!(run("Mode=newreq").contains("-----END CERTIFICATE-----"));
    let written = read_lines(&log, 8);
    let port = host.rsplit(':').next().unwrap();
    let shown = guide
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    for line in shown.replace(" 8443 ", &format!(" {port} ")).lines() {
        assert!(written.contains(line), "{line} is not in\n{written}");
    }
}
