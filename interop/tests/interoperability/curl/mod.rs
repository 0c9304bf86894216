//! curl against our EST server, the simulated AD CS, and both through a proxy.

mod adcs;
mod authentication;
mod http;

use std::process::Output;

use crate::case::{Missing, Peer};
use crate::support::est::{PASSWORD, USER};
use crate::support::folder::{Folder, finish, said};
use crate::support::lab::Lab;

pub(crate) fn peer() -> Peer {
    let cases = http::cases().into_iter();
    Peer {
        name: "curl",
        about: "HTTP client on OpenSSL",
        find: version,
        cases: cases
            .chain(authentication::cases())
            .chain(adcs::cases())
            .collect(),
    }
}

/// `curl 7.88.1 (…)`
pub(crate) fn version() -> Result<String, Missing> {
    Missing::programs("curl")?;
    Missing::programs("openssl")?;
    let output = std::process::Command::new("curl").arg("--version").output();
    let said = output.map(|output| said(&output)).unwrap_or_default();
    let version = said.split_whitespace().nth(1);
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| Missing(format!("a curl that says its version; it says {said}")))
}

/// What came of a run: the last answer, and how it was asked for.
#[derive(Debug)]
pub(crate) struct Answer {
    /// 0 when there was none.
    pub(crate) status: u16,
    /// As in the status line.
    pub(crate) version: String,
    /// In lower case; those of earlier answers of the same run as well.
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// What curl said of itself, with `--verbose`.
    pub(crate) told: String,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.text(), self.told);
        self
    }
}

/// Runs curl in the folder, which has `anchor.pem`.
pub(crate) async fn curl(folder: &Folder, arguments: &[&str]) -> Answer {
    let mut command = folder.command("curl");
    // What the environment says of proxies and anchors is not for this run.
    for name in [
        "https_proxy",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(name);
    }
    for name in ["CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    for name in ["headers", "body"] {
        drop(std::fs::remove_file(folder.file(name)));
    }
    command.args([
        "--disable",
        "--silent",
        "--show-error",
        "--verbose",
        "--max-time",
        "60",
    ]);
    command.args([
        "--cacert",
        "anchor.pem",
        "--dump-header",
        "headers",
        "--output",
        "body",
    ]);
    command.args(["--write-out", "%{http_code} %{http_version}"]);
    let Output { stdout, stderr, .. } = finish({
        command.args(arguments);
        command
    })
    .await;
    let written = String::from_utf8(stdout).unwrap();
    let (status, version) = written.split_once(' ').unwrap();
    Answer {
        status: status.parse().unwrap(),
        version: version.to_owned(),
        headers: read(folder, "headers").to_ascii_lowercase(),
        body: std::fs::read(folder.file("body")).unwrap_or_default(),
        told: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.file(name)).unwrap_or_default()
}

/// A key and a request by openssl: `key.pem`, and `csr` in PEM.
pub(crate) async fn request(folder: &Folder) {
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let files = ["-keyout", "key.pem", "-subj", "/CN=ap7", "-out", "csr"];
    folder
        .openssl(&[&["req", "-new"], &curve[..], &files].concat())
        .await;
}

/// Posts the request of [`request`] with these further arguments.
pub(crate) async fn enrol(lab: &Lab, arguments: &[&str]) -> Answer {
    request(&lab.folder).await;
    let url = lab.url("simpleenroll");
    let form = [
        "--header",
        "Content-Type: application/pkcs10",
        "--data-binary",
        "@csr",
        &url,
    ];
    curl(&lab.folder, &[arguments, &form].concat()).await
}

/// The certificate in the body of an answer, after openssl has verified it and compared it with the key.
pub(crate) async fn issued(folder: &Folder) {
    for arguments in [
        &["base64", "-d", "-A", "-in", "body", "-out", "body.p7"][..],
        &[
            "pkcs7",
            "-inform",
            "DER",
            "-in",
            "body.p7",
            "-print_certs",
            "-out",
            "issued.pem",
        ],
        &["verify", "-x509_strict", "-CAfile", "anchor.pem", "issued.pem"],
    ] {
        folder.openssl(arguments).await;
    }
    let certified = folder
        .openssl(&["x509", "-in", "issued.pem", "-noout", "-pubkey"])
        .await;
    let own = folder.openssl(&["pkey", "-in", "key.pem", "-pubout"]).await;
    assert_eq!(certified, own);
}

/// `user:password` of the one user.
pub(crate) fn credentials() -> String {
    format!("{USER}:{PASSWORD}")
}
