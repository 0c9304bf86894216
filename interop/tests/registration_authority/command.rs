//! `est serve` with `[certsrv]` and `est enroll --batch`, as commands, on the files that `quickstart --adcs --keep` leaves.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use interop::adcs_sim::{Fault, Settings as SimulatorSettings, Simulator};
use interop::peers::REQUIRE;
use interop::quickstart::{self, Options};
use interop::registration_authority::ACCOUNT;

/// `est`, which `cargo test --workspace` builds beside this crate's command, with the feature that the lab needs.
fn built_command() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_interop")).with_file_name("est");
    let knows_certsrv = path.is_file()
        && {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("est.toml"), "certificate = \"c\"\nkey = \"k\"\nlisten = \"127.0.0.1:0\"\n[certsrv]\nurl = \"https://x/certsrv\"\ntemplate = \"T\"\naccount = \"a\"\ntrust-anchors = [\"r\"]\n").unwrap();
            let output = run(
                &path,
                folder.path(),
                &["serve", "--check", "--config", "est.toml"],
            );
            let text = errors(&output);
            !text.contains("unknown field") && !text.contains("feature adcs")
        };
    if !knows_certsrv {
        assert!(
            std::env::var_os(REQUIRE).is_none(),
            "est must be built with adcs where peers are required"
        );
        let note = "skipped: not built: est with the feature adcs (cargo test --workspace builds it)";
        drop(writeln!(std::io::stderr(), "{note}"));
    }
    knows_certsrv.then_some(path)
}

fn run(est: &Path, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(est)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Of the EST server, and of what it issues.
const TRUST: [&str; 4] = [
    "--trust-anchors",
    "ca/ca.pem",
    "--trust-anchors",
    "registration-authority/ad-root.pem",
];

struct Serving {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Serving {
    fn start(est: &Path, folder: &Path) -> Self {
        let log = folder.join("serve.log");
        let mut child = Command::new(est)
            .args(["serve", "--config", "registration-authority/est.toml"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let log_text = || fs::read_to_string(&log).unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line:?}\n{}", log_text()))
            .to_owned();
        Self { child, url, log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The files of the quickstart, in front of another simulator.
async fn lab(folder: &Path) -> Simulator {
    let options = Options {
        keep: Some(folder.to_owned()),
    };
    let mut narration = Vec::new();
    quickstart::adcs::run(&options, &mut narration).await.unwrap();
    let simulator = Simulator::start(SimulatorSettings::default()).await.unwrap();
    fs::write(
        folder.join("registration-authority/ad-root.pem"),
        simulator.authority_pem(),
    )
    .unwrap();
    let path = folder.join("registration-authority/est.toml");
    let config: String = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .map(|line| match line.split(" = ").next() {
            Some("url") => format!("url = \"{}/certsrv\"\n", simulator.url()),
            Some("listen") => "listen = \"127.0.0.1:0\"\n".to_owned(),
            _ => format!("{line}\n"),
        })
        .collect();
    fs::write(path, config).unwrap();
    simulator
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_ad_cs_does_not_offer_ends_the_start_with_its_name_and_the_others() {
    let Some(est) = built_command() else { return };
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path();
    let _simulator = lab(folder).await;
    let serve = ["serve", "--config", "registration-authority/est.toml"];
    let output = run(&est, folder, &[&serve[..], &["--check"]].concat());
    assert!(output.status.success(), "{}", errors(&output));
    let path = folder.join("registration-authority/est.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("\"CiscoRA\"", "\"CiscoRa2\"")).unwrap();
    let output = run(&est, folder, &serve);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let text = errors(&output);
    for part in [
        "known cause: template-not-offered",
        "certsrv.template: ",
        "\"CiscoRa2\"",
        "CiscoRA, WebServer",
        "remedy: ",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    fs::write(&path, config.replace("certsrv-password", "no-such-file")).unwrap();
    let output = run(&est, folder, &[&serve[..], &["--check"]].concat());
    assert!(errors(&output).contains("no-such-file"), "{}", errors(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_starts_while_ad_cs_is_away_says_why_and_enrols_a_batch_when_it_is_back() {
    let Some(est) = built_command() else { return };
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path();
    let simulator = lab(folder).await;
    simulator.set_faults([Fault::NotYetValid]).unwrap();
    let server = Serving::start(&est, folder);
    let log = server.log();
    for part in ["AD CS cannot be used", "known_cause=\"not-yet-valid\"", "remedy="] {
        assert!(log.contains(part), "{part:?} is not in\n{log}");
    }
    let cacerts = [&["cacerts", "--url", &server.url][..], &TRUST[..2]].concat();
    let output = run(&est, folder, &cacerts);
    let text = errors(&output);
    for part in [
        "EST error: 26 (EST_ERR_CA_ENROLL_RETRY)",
        "known cause: not-yet-valid",
        "503",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }

    simulator.set_faults([]).unwrap();
    let log = || server.log();
    enrols_a_batch(&est, folder, &server.url, &log);
    assert_eq!(simulator.requests().len(), 4, "each is submitted once");
}

fn enrols_a_batch(est: &Path, folder: &Path, url: &str, log: &dyn Fn() -> String) {
    fs::create_dir(folder.join("cert")).unwrap();
    let batch = [
        &["enroll", "--url", url][..],
        &TRUST,
        &[
            "--user",
            ACCOUNT,
            "--password-file",
            "registration-authority/certsrv-password",
        ],
        &[
            "--batch",
            "phones",
            "--names-file",
            "phones/names",
            "--out-dir",
            "cert",
        ],
        &["--format", "der", "--step-log", "steps.log"],
    ]
    .concat();
    let output = run(est, folder, &batch);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = "4 issued, 0 skipped, 0 pending, 0 failed\n";
    assert!(
        shown.ends_with(summary),
        "{shown}\n{}\n{}",
        errors(&output),
        log()
    );
    let steps = fs::read_to_string(folder.join("steps.log")).unwrap();
    let done = steps
        .lines()
        .filter(|line| line.ends_with("Online Cert Signing successful"));
    assert_eq!(done.count(), 4, "{steps}");
    assert!(folder.join("cert/SEP74A02FC0A675.der").exists());
}
