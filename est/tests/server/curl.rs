//! curl and openssl against `est serve`.

use std::path::Path;
use std::process::{Command, Output};

use crate::process::{PASSWORD, Serving, USER};
use crate::support::peers::find_or_skip;

pub(crate) fn installed() -> bool {
    find_or_skip("curl").is_some() && find_or_skip("openssl").is_some()
}

pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_remove("CURL_CA_BUNDLE")
        .env_remove("SSL_CERT_FILE")
        .output()
        .unwrap()
}

pub(crate) fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, "openssl", arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &errors
}

/// A key and a request for this subject: `NAME.key` and `NAME.csr`.
pub(crate) fn csr(folder: &Path, name: &str, subject: &str) {
    let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let files = ["-keyout", &key, "-subj", subject, "-out", &csr];
    openssl(folder, &[&["req", "-new"], &curve[..], &files].concat());
}

/// Status, headers and body, in this order; 0 when there was no answer, and then what curl says.
pub(crate) fn curl(folder: &Path, arguments: &[&str]) -> (u16, String, String) {
    let always = ["-sS", "-i", "--max-time", "60", "--cacert", "ca/ca.pem"];
    let output = run(folder, "curl", &[&always, arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let Some((headers, body)) = text.split_once("\r\n\r\n") else {
        return (
            0,
            String::new(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
    };
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    (status, headers.to_ascii_lowercase(), body.to_owned())
}

/// Enrols `NAME.csr` with this user or certificate; `path` is like `simpleenroll` or `label/simpleenroll`.
pub(crate) fn enroll_as(
    folder: &Path,
    server: &Serving,
    path: &str,
    name: &str,
    credentials: &[&str],
) -> (u16, String, String) {
    let url = format!("{}/.well-known/est/{path}", server.url);
    let body = format!("@{name}.csr");
    let request = [
        "-H",
        "Content-Type: application/pkcs10",
        "--data-binary",
        &body,
        &url,
    ];
    curl(folder, &[credentials, &request].concat())
}

pub(crate) fn enroll(folder: &Path, server: &Serving, path: &str, name: &str) -> (u16, String, String) {
    enroll_as(folder, server, path, name, &["-u", &format!("{USER}:{PASSWORD}")])
}

/// Writes the certificate of an answer as `NAME.pem` and returns its subject.
pub(crate) fn certificate(folder: &Path, name: &str, body: &str) -> String {
    let message = format!("-----BEGIN PKCS7-----\n{}\n-----END PKCS7-----\n", wrapped(body));
    let (p7, pem) = (format!("{name}.p7"), format!("{name}.pem"));
    std::fs::write(folder.join(&p7), message).unwrap();
    openssl(folder, &["pkcs7", "-in", &p7, "-print_certs", "-out", &pem]);
    openssl(
        folder,
        &["x509", "-in", &pem, "-noout", "-subject", "-nameopt", "RFC2253"],
    )
}

fn wrapped(body: &str) -> String {
    let characters: Vec<char> = body.chars().filter(|c| !c.is_whitespace()).collect();
    let lines: Vec<String> = characters.chunks(64).map(|line| line.iter().collect()).collect();
    lines.join("\n")
}

/// Adds lines to the configuration.
pub(crate) fn configure(folder: &Path, more: &str) {
    let path = folder.join("est.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, before + more).unwrap();
}

/// Asks the server to read its configuration again.
pub(crate) fn hang_up(server: &Serving) {
    let id = server.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-HUP", &id])
            .status()
            .unwrap()
            .success()
    );
}

/// Tries again until it is so, or half a minute is over.
pub(crate) fn eventually<T: core::fmt::Debug>(mut attempt: impl FnMut() -> T, so: impl Fn(&T) -> bool) -> T {
    let mut last = attempt();
    for _ in 0..300 {
        if so(&last) {
            return last;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        last = attempt();
    }
    panic!("still {last:?}");
}
