//! `openssl s_client` against our EST server.

use est::operation::{LabelSettings, Operation};

use super::own_clients::authority;
use super::s_client;
use crate::case::Case;
use crate::support::est::raw::{base64, csr};
use crate::support::folder::said;
use crate::support::lab::{Lab, requiring};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("s_client reads the CA certificate over TLS 1.2", || {
            reads_ca_certificate("-tls1_2")
        }),
        Case::new("s_client reads the CA certificate over TLS 1.3", || {
            reads_ca_certificate("-tls1_3")
        }),
        Case::new("s_client enrols by certificate over TLS 1.2", || {
            enrols_by_certificate("-tls1_2")
        }),
        Case::new("s_client enrols by certificate over TLS 1.3", || {
            enrols_by_certificate("-tls1_3")
        }),
        Case::new(
            "s_client is refused with the certificate of another authority over TLS 1.2",
            || is_refused("-tls1_2"),
        ),
        Case::new(
            "s_client is refused with the certificate of another authority over TLS 1.3",
            || is_refused("-tls1_3"),
        ),
        Case::new("s_client is refused with TLS 1.1", is_refused_with_tls_1_1),
        Case::new("s_client cannot renegotiate", cannot_renegotiate),
        Case::new("s_client gets no ticket for early data", gets_no_ticket),
    ]
}

fn get(path: &str) -> String {
    format!("GET /.well-known/est/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /.well-known/est/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/pkcs10\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

async fn reads_ca_certificate(version: &str) {
    let lab = Lab::open(LabelSettings::default()).await;
    let output = s_client(&lab.folder, &lab.port(), &["-quiet", version], &get("cacerts")).await;
    let answer = String::from_utf8(output.stdout).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    lab.folder.write("body", body);
    let folder = &lab.folder;
    folder
        .openssl(&["base64", "-d", "-A", "-in", "body", "-out", "body.p7"])
        .await;
    let show = ["pkcs7", "-inform", "DER", "-in", "body.p7", "-print_certs"];
    let shown = folder.openssl(&show).await;
    assert!(shown.contains("CN = Test Root"), "{shown}");
}

async fn enrols_by_certificate(version: &str) {
    let lab = Lab::open(requiring(&["certificate", "basic"])).await;
    lab.enrol_own("ap7").await;
    let own = ["-quiet", version, "-cert", "own.pem", "-key", "own.key.pem"];
    let request = post("simpleenroll", &base64(&csr()));
    let output = s_client(&lab.folder, &lab.port(), &own, &request).await;
    let said = said(&output);
    assert!(said.contains("HTTP/1.1 200 "), "{said}");
    assert_eq!(lab.answers(Operation::SimpleEnroll, 200), 2);
}

async fn is_refused(version: &str) {
    let lab = Lab::open(LabelSettings::default()).await;
    authority(&lab.folder).await;
    let own = ["-quiet", version, "-cert", "server.pem", "-key", "server.key.pem"];
    let output = s_client(&lab.folder, &lab.port(), &own, &get("cacerts")).await;
    let said = said(&output);
    assert!(said.contains("alert unknown ca"), "{said}");
    assert_eq!(lab.server.handle.statistics().client_certificates_refused, 1);
}

async fn is_refused_with_tls_1_1() {
    let lab = Lab::open(LabelSettings::default()).await;
    let old = ["-quiet", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"];
    let output = s_client(&lab.folder, &lab.port(), &old, &get("cacerts")).await;
    let said = said(&output);
    assert!(said.contains("alert handshake failure"), "{said}");
    assert_eq!(lab.answers(Operation::CaCerts, 200), 0);
}

/// `R` at the beginning of a line has it ask for a new handshake on the connection.
async fn cannot_renegotiate() {
    let lab = Lab::open(LabelSettings::default()).await;
    let output = s_client(&lab.folder, &lab.port(), &["-tls1_2"], "R\n").await;
    let said = said(&output);
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
    assert_eq!(lab.server.handle.statistics().handshakes, 1);
}

/// Early data needs a session that the server lets a client resume. None is offered, so none is saved.
async fn gets_no_ticket() {
    let lab = Lab::open(LabelSettings::default()).await;
    let arguments = ["-ign_eof", "-tls1_3", "-sess_out", "session.pem"];
    let output = s_client(&lab.folder, &lab.port(), &arguments, &get("cacerts")).await;
    let said = said(&output);
    assert!(said.contains("HTTP/1.1 200 "), "{said}");
    assert!(
        !said.contains("New Session Ticket arrived") && !lab.folder.has("session.pem"),
        "{said}"
    );
}
