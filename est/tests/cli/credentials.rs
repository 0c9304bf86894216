//! Bearer tokens, time limits, and passphrases of authorities from the environment.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::process::{Serving, est, laboratory, succeeds};
use crate::server_key::{PASSWORD, laboratory_with};

#[test]
fn a_bearer_token_comes_from_a_file_or_the_standard_input_and_never_shows() {
    let laboratory =
        laboratory_with("[accounts]\nbearer-tokens = \"tokens\"\n[authentication]\nrequire = [\"bearer\"]\n");
    let folder = laboratory.path();
    let add = ["user", "add", "--bearer", "tokens", "fleet"];
    let printed = succeeds(folder, &add, "");
    let token = printed.lines().last().unwrap();
    std::fs::write(folder.join("token"), format!("{token}\n")).unwrap();
    std::fs::write(folder.join("wrong"), "wrong-token\n").unwrap();
    std::fs::write(folder.join("malformed"), "two words\n").unwrap();
    let config = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    std::fs::write(folder.join("est.toml"), config.replace("users = \"users\"\n", "")).unwrap();
    let server = Serving::start(folder);
    let enroll = |file: &str, out: &str, input: &str| {
        let (certificate, key) = (format!("{out}.pem"), format!("{out}.key"));
        let files = ["-o", &certificate, "--out-key", &key, "--subject", "CN=x"];
        let start = ["enroll", "--url", &server.url, "--trust-anchors", "ca/ca.pem"];
        est(
            folder,
            &[&start[..], &["--bearer-file", file], &files].concat(),
            input,
        )
    };
    for (file, input, out) in [("token", "", "a"), ("-", printed.as_str(), "b")] {
        let input = if input.is_empty() {
            String::new()
        } else {
            format!("{token}\n")
        };
        let output = enroll(file, out, &input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {errors}");
    }
    let listed = succeeds(folder, &["ca", "list", "--dir", "ca"], "");
    assert_eq!(listed.matches("fleet\thttp-bearer").count(), 2, "{listed}");
    for (file, says) in [
        ("wrong", "401"),
        ("malformed", "at byte 3"),
        ("missing", "missing"),
    ] {
        let output = enroll(file, "c", "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(says), "{says}: {errors}");
        assert!(
            !errors.contains("wrong-token") && !errors.contains("two words"),
            "{errors}"
        );
        assert!(!folder.join("c.key").exists(), "a refused request leaves no key");
    }
}

#[test]
fn max_time_ends_a_command_whose_server_says_nothing() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    // The system accepts for it; nobody reads.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let start = ["cacerts", "--url", &url, "--trust-anchors", "ca/ca.pem"];
    let output = est(
        folder,
        &[&start[..], &["--timeout", "600", "-m", "1"]].concat(),
        "",
    );
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("1 s of --max-time"), "{errors}");
}

#[test]
fn max_time_ends_a_wait_for_approval_and_says_that_the_key_stays() {
    let laboratory =
        laboratory_with("[policy]\napproval = \"operator\"\n[policy.queue]\nretry-after = 600\n");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let asked = ["--subject", "CN=x", "--wait", "86400", "--max-time", "10"];
    let output = crate::enroll(folder, &server.url, &[&PASSWORD[..], &asked].concat(), "x");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("10 s of --max-time") && errors.contains("the new key stays in x.key.pem"),
        "{errors}"
    );
    assert!(folder.join("x.key.pem").exists());
    let waiting = succeeds(folder, &["ca", "pending", "--dir", "ca"], "");
    assert_eq!(waiting.lines().count(), 1, "{waiting}");
}

fn with_passphrase(folder: &Path, passphrase: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_est"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env_remove("EST_CA_PASSPHRASE")
        .stdin(Stdio::null());
    if let Some(passphrase) = passphrase {
        command.env("EST_CA_PASSPHRASE", passphrase);
    }
    command.output().unwrap()
}

#[test]
fn the_passphrase_of_the_environment_opens_the_authority_for_commands_and_for_the_server() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let right = "correct horse";
    let init = ["ca", "init", "--dir", "locked", "--subject", "CN=Locked"];
    assert!(with_passphrase(folder, Some(right), &init).status.success());
    let key = std::fs::read_to_string(folder.join("locked/ca.key.pem")).unwrap();
    assert!(key.contains("ENCRYPTED PRIVATE KEY"), "{key}");
    let config = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    let config = config.replace("ca-dir = \"ca\"", "ca-dir = \"locked\"");
    std::fs::write(folder.join("est.toml"), config).unwrap();
    let names = [
        "--name",
        "IP:127.0.0.1",
        "--out-certificate",
        "s.pem",
        "--out-key",
        "s.key",
    ];
    let commands: [&[&str]; 3] = [
        &[&["ca", "server-certificate", "--dir", "locked"][..], &names].concat(),
        &["ca", "export", "crl", "--dir", "locked"],
        &["serve", "--config", "est.toml", "--check"],
    ];
    for arguments in commands {
        for (passphrase, says) in [
            (None, "EST_CA_PASSPHRASE"),
            (Some("wrong horse"), "does not decrypt"),
            (Some(""), "the passphrase is empty"),
        ] {
            let output = with_passphrase(folder, passphrase, arguments);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
            assert!(errors.contains(says), "{says}: {errors}");
            assert!(!errors.contains("horse"), "{errors}");
            assert!(output.stdout.is_empty(), "{arguments:?} with {passphrase:?}");
        }
        let output = with_passphrase(folder, Some(right), arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
    }
    let server = Serving::start_with(folder, |command| {
        command.env("EST_CA_PASSPHRASE", right);
    });
    let fetched = ["cacerts", "--url", &server.url, "--trust-anchors", "ca/ca.pem"];
    let fetched = succeeds(folder, &fetched, "");
    assert_eq!(
        fetched,
        std::fs::read_to_string(folder.join("locked/ca.pem")).unwrap()
    );
}
