//! Python's `ssl` against our EST server, by the programs in `interop/peers/python` and that of the tests of `est`.

use std::process::Output;

use est::auth::BasicCredentials;
use est::operation::{LabelSettings, Operation};
use pki_common::tls::TlsVersions;

use crate::case::{Case, Missing, Peer};
use crate::support::est::{PASSWORD, Setup, USER};
use crate::support::folder::{finish, said};
use crate::support::lab::{Lab, linked};

const TLS_CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python/tls_client.py");
const TLS_UNIQUE_CLIENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../est/tests/server/tls_unique_client.py"
);

pub(crate) fn peer() -> Peer {
    Peer {
        name: "python",
        about: "module `ssl` of Python, on OpenSSL",
        find: version,
        cases: vec![
            Case::new("reads the CA certificates over TLS 1.2", || {
                reads_ca_certificates("2")
            }),
            Case::new("reads the CA certificates over TLS 1.3", || {
                reads_ca_certificates("3")
            }),
            Case::new(
                "links its request to the connection by tls-unique",
                links_its_request,
            ),
            Case::new(
                "is refused with a request that is linked to another connection",
                is_refused_with_another_link,
            ),
            Case::new(
                "is refused with a request that is linked to none, where that is required",
                is_refused_without_link,
            ),
            Case::new("gets a full handshake where it would resume in TLS 1.2", || {
                cannot_resume("2")
            }),
            Case::new("gets a full handshake where it would resume in TLS 1.3", || {
                cannot_resume("3")
            }),
            Case::new("agrees on http/1.1 by ALPN", agrees_on_http_1_1),
            Case::new(
                "is refused where it would speak nothing but HTTP/2",
                is_refused_with_http_2,
            ),
            Case::new(
                "is refused with TLS 1.2 where the server wants 1.3",
                is_refused_with_tls_1_2,
            ),
        ],
    }
}

/// `Python 3.11.2`
fn version() -> Result<String, Missing> {
    Missing::programs("python")?;
    Missing::programs("openssl")?;
    let output = std::process::Command::new("python3").arg("--version").output();
    let said = output.map(|output| said(&output)).unwrap_or_default();
    let version = said
        .split_once("Python ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| Missing(format!("a python3 that says its version; it says {said}")))
}

async fn python(lab: &Lab, script: &str, arguments: &[&str]) -> Output {
    let mut command = lab.folder.command("python3");
    command.args([script, "127.0.0.1", &lab.port(), "anchor.pem"]);
    command.args(arguments);
    finish(command).await
}

/// What a program that succeeds prints.
async fn prints(lab: &Lab, arguments: &[&str]) -> String {
    let output = python(lab, TLS_CLIENT, arguments).await;
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn reads_ca_certificates(version: &str) {
    let lab = Lab::open(LabelSettings::default()).await;
    assert_eq!(prints(&lab, &[version, "status"]).await, "200");
}

/// The answer to a request that is linked to the `same`, to an `other` or to no (`none`) connection.
async fn enrol(connection: &str) -> String {
    let lab = Lab::open(linked()).await;
    let credentials = BasicCredentials::new(USER, PASSWORD).unwrap();
    let header = credentials.to_header();
    let output = python(&lab, TLS_UNIQUE_CLIENT, &[connection, header.as_str()]).await;
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

async fn links_its_request() {
    let answer = enrol("same").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

async fn is_refused_with_another_link() {
    let answer = enrol("other").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("another TLS connection"), "{answer}");
}

async fn is_refused_without_link() {
    let answer = enrol("none").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("rule proof-of-possession"), "{answer}");
}

async fn cannot_resume(version: &str) {
    let lab = Lab::open(LabelSettings::default()).await;
    assert_eq!(prints(&lab, &[version, "resume"]).await, "False");
    assert_eq!(lab.server.handle.statistics().handshakes, 2);
}

async fn agrees_on_http_1_1() {
    let lab = Lab::open(LabelSettings::default()).await;
    for version in ["2", "3"] {
        let chosen = prints(&lab, &[version, "alpn", "h2,http/1.1"]).await;
        assert_eq!(chosen, "http/1.1");
    }
}

/// What went wrong.
async fn refusal(lab: &Lab, arguments: &[&str]) -> String {
    let output = python(lab, TLS_CLIENT, arguments).await;
    assert!(!output.status.success(), "{}", said(&output));
    assert_eq!(lab.answers(Operation::CaCerts, 200), 0);
    said(&output)
}

async fn is_refused_with_http_2() {
    let lab = Lab::open(LabelSettings::default()).await;
    let said = refusal(&lab, &["2", "alpn", "h2"]).await;
    assert!(said.contains("alert no application protocol"), "{said}");
}

async fn is_refused_with_tls_1_2() {
    let setup = Setup {
        versions: TlsVersions::Tls13,
        ..Setup::default()
    };
    let lab = Lab::with(setup, |authority| authority).await;
    let said = refusal(&lab, &["2", "status"]).await;
    assert!(said.contains("TLSV1_ALERT_PROTOCOL_VERSION"), "{said}");
}
