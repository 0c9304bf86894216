//! `est serve`, with an authority, a user and a configuration.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use pki_common::Failure;

use super::{Binaries, Process, Settings, with_defaults};
use crate::faults::trouble;

/// Of the one account, on loopback.
pub(in crate::faults) const USER_AND_PASSWORD: (&str, &str) = ("phone", "correct horse");

/// The time limits that a fault does not set: honest clients on a busy machine must not run into them.
const PATIENT: [&str; 4] = [
    "handshake-time = 60.0",
    "header-time = 60.0",
    "body-time = 60.0",
    "write-time = 60.0",
];

/// The server and its addresses.
#[derive(Debug)]
pub(in crate::faults) struct EstServer {
    process: Process,
    pub(super) address: SocketAddr,
    pub(super) revocation_lists: SocketAddr,
    pub(super) metrics: SocketAddr,
}

impl EstServer {
    pub(super) fn prepare(binaries: &Binaries, folder: &Path, settings: &Settings) -> Result<(), Failure> {
        let authority = settings.authority.clone().unwrap_or_else(|| folder.join("ca"));
        let authority = authority.display().to_string();
        let subject = "DC=com,DC=example,CN=Lab Root";
        run(
            binaries,
            folder,
            &["ca", "init", "--dir", &authority, "--subject", subject],
            "",
        )?;
        new_server_certificate(binaries, folder, &authority, "server")?;
        let (user, password) = USER_AND_PASSWORD;
        let add = ["user", "add", "--users", "users", "--password-stdin", user];
        run(binaries, folder, &add, &format!("{password}\n"))?;
        let config = format!(
            "listen = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server.key.pem\"\nca-dir = {authority:?}\n\
             users = \"users\"\nclient-trust-anchors = [\"{authority}/ca.pem\"]\ncrl-path = \"/crl/ca.crl\"\n\
             crl-listen = \"127.0.0.1:0\"\nmetrics-listen = \"127.0.0.1:0\"\n[limits]\n{}\n",
            with_defaults(&settings.est_limits, &PATIENT)
        );
        fs::write(folder.join("est.toml"), config).map_err(trouble)
    }

    pub(super) fn start(binaries: &Binaries, folder: &Path, settings: &Settings) -> Result<Self, Failure> {
        let mut command = if settings.file_size_is_an_error {
            let mut shell = Command::new("sh");
            // 25 is SIGXFSZ; what is ignored stays ignored in the program that takes the place of the shell.
            shell
                .args(["-c", "trap '' 25; exec \"$0\" \"$@\""])
                .arg(&binaries.est);
            shell
        } else {
            Command::new(&binaries.est)
        };
        command.args(["serve", "--config"]).arg(folder.join("est.toml"));
        let process = Process::start(&mut command, folder.join("est.log"))?;
        let address = process.says("listening on https://")?;
        let lists = process.says("revocation lists at http://")?;
        let metrics = process.says("metrics at http://")?;
        Ok(Self {
            process,
            address: address.parse().map_err(trouble)?,
            revocation_lists: lists.parse().map_err(trouble)?,
            metrics: metrics.trim_end_matches("/metrics").parse().map_err(trouble)?,
        })
    }

    pub(in crate::faults) const fn process(&self) -> &Process {
        &self.process
    }

    pub(in crate::faults) const fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// A certificate for the server in `NAME.pem`, its key in `NAME.key.pem`.
pub(super) fn new_server_certificate(
    binaries: &Binaries,
    folder: &Path,
    authority: &str,
    name: &str,
) -> Result<(), Failure> {
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key.pem"));
    let names = ["--name", "IP:127.0.0.1", "--name", "DNS:localhost"];
    let out = ["--out-certificate", &certificate, "--out-key", &key];
    let arguments = ["ca", "server-certificate", "--dir", authority].into_iter();
    let arguments: Vec<&str> = arguments.chain(names).chain(out).collect();
    run(binaries, folder, &arguments, "")
}

/// Runs `est` to its end.
pub(super) fn run(
    binaries: &Binaries,
    folder: &Path,
    arguments: &[&str],
    input: &str,
) -> Result<(), Failure> {
    let failed = |why: &str| trouble(format_args!("est {}: {why}", arguments.join(" ")));
    let mut child = Command::new(&binaries.est)
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that fails early does not read; its own words say more.
        drop(stdin.write_all(input.as_bytes()));
    }
    let output = child
        .wait_with_output()
        .map_err(|error| failed(&error.to_string()))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(&String::from_utf8_lossy(&output.stderr)))
    }
}
