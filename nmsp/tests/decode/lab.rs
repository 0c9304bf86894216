//! The `nmsp` command, its controller and its credentials.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Longer than anything here takes, so that a bug shows as a failure and not as a hanging test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An echo message of the built-in profile.
pub(crate) fn echo(id: u8, transaction: u8) -> Vec<u8> {
    vec![1, 0, 0, id, 0, 0, 0, 12, 0, 0, 0, transaction]
}

/// Whether a program is installed; says so if it is not.
pub(crate) fn have(program: &str) -> bool {
    crate::peers::find_or_skip(program).is_some()
}

pub(crate) fn nmsp(arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nmsp"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

pub(crate) fn run(arguments: &[impl AsRef<OsStr>]) -> Output {
    nmsp(arguments).output().unwrap()
}

/// Runs, expects this exit status, and returns standard output and standard error.
pub(crate) fn expect(status: i32, arguments: &[&str]) -> (String, String) {
    let output = run(arguments);
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {texts:?}");
    let [out, err] = texts;
    if status == 1 {
        for word in ["rung: ", "cause: ", "remedy: "] {
            assert!(err.lines().any(|line| line.starts_with(word)), "{err}");
        }
    }
    (out, err)
}

/// Ends with the test, however the test ends.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts a command that listens, and waits for its address.
pub(crate) fn listen(arguments: &[&str]) -> (Running, String) {
    let mut child = nmsp(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (Running(child), address)
}

/// The path of a file in a folder.
pub(crate) fn at(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

const MEASUREMENTS: &str = "\
{\"station\":\"02:00:00:00:00:01\",\"class\":\"client\",\"timestamp\":1433612873000,\"access_points\":\
[{\"access_point\":\"00:3a:7d:00:00:09\",\"rssi_dbm\":-58,\"band\":\"5 GHz\",\"channel\":36,\"snr_db\":30}]}
{\"station\":\"02:00:00:00:00:02\",\"class\":\"rfid-tag\",\"timestamp\":1433612873001,\"access_points\":[]}
";

/// Both identities and authlists, measurements, and a configuration.
pub(crate) fn prepare(folder: &Path) {
    for (mac, name) in [("003a.7d00.0001", "controller"), ("00:50:56:9c:34:89", "server")] {
        let out = at(folder, name);
        let (info, _) = expect(0, &["identity", "new", "--mac", mac, "--out", &out]);
        std::fs::write(at(folder, &format!("{name}s.txt")), info).unwrap();
    }
    std::fs::write(at(folder, "measurements.jsonl"), MEASUREMENTS).unwrap();
    let config = "listen = \"127.0.0.1:0\"\ncertificate = \"controller/certificate.pem\"\nkey = \"controller/key.pem\"\n\
        [authlist]\nfile = \"servers.txt\"\nformat = \"server-auth-info\"\n";
    std::fs::write(at(folder, "serve.toml"), config).unwrap();
}

/// A controller that publishes again and again.
pub(crate) fn serve(folder: &Path, more: &[&str]) -> (Running, String) {
    let (config, measurements) = (at(folder, "serve.toml"), at(folder, "measurements.jsonl"));
    let own = [
        "serve",
        "--config",
        &config,
        "--interval",
        "5",
        "--repeat",
        "--measurements",
        &measurements,
    ];
    listen(&[&own, more].concat())
}

/// The options of a location server.
pub(crate) fn location_server(folder: &Path, controller: &str) -> Vec<String> {
    let [certificate, key, list] =
        ["server/certificate.pem", "server/key.pem", "controllers.txt"].map(|name| at(folder, name));
    let options = [
        "--controller",
        controller,
        "--certificate",
        &certificate,
        "--key",
        &key,
        "--controller-authlist",
        &list,
    ];
    options.map(str::to_owned).to_vec()
}
