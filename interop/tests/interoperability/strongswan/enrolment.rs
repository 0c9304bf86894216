//! `simpleenroll` and `simplereenroll`.

use std::process::Output;
use std::sync::Arc;

use est::operation::{LabelSettings, Operation, ProofOfPossession, ResponseLayout};
use est::wire::base64::Base64Layout;

use super::{Tls, pki, told};
use crate::case::Case;
use crate::matrix::Outcome;
use crate::support::authority::Waiting;
use crate::support::est::{PASSWORD, Setup, USER};
use crate::support::lab::{Lab, Revoking, linked, requiring};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("pki --est enrols an EC key by Basic over TLS 1.2", || {
            enrols_by_basic(EC, Tls::V12)
        }),
        Case::new("pki --est enrols an EC key by Basic over TLS 1.3", || {
            enrols_by_basic(EC, Tls::V13)
        }),
        Case::new("pki --est enrols an RSA key by Basic", || {
            enrols_by_basic(RSA, Tls::V12)
        }),
        Case::new(
            "pki --est reads a certificate in lines of 64 columns",
            reads_lines,
        ),
        Case::new("pki --est renews its certificate over TLS 1.2", || {
            renews(Tls::V12)
        }),
        Case::new("pki --est renews its certificate over TLS 1.3", || {
            renews(Tls::V13)
        }),
        Case::new("pki --est renews with a new key", renews_with_a_new_key),
        Case::new("pki --est enrols by Digest", enrols_by_digest),
        Case::new("pki --est waits for an approval", waits_for_an_approval),
        Case::new("pki --est is refused with a wrong password", is_refused),
        Case::new(
            "pki --est is refused where requests must be linked to their connection",
            is_refused_without_link,
        ),
        Case::new(
            "pki --est enrols over TLS 1.2 where requests may be linked to their connection",
            enrols_where_requests_may_be_linked,
        ),
        Case::new(
            "pki --est is refused once its certificate is revoked",
            is_refused_when_revoked,
        ),
    ]
}

const EC: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

/// A key and, by `pki --req`, a request for `CN=ap7`: `NAME.key.pem` and `NAME.csr.pem`.
async fn request(lab: &Lab, kind: &[&str], name: &str) {
    let key = format!("{name}.key.pem");
    lab.folder
        .openssl(&[&["genpkey", "-out", &key], kind].concat())
        .await;
    let arguments = [
        "--req",
        "--type",
        "priv",
        "--in",
        &key,
        "--dn",
        "CN=ap7",
        "--outform",
        "pem",
    ];
    let output = lab.folder.run("pki", &arguments).await;
    assert!(output.status.success(), "{}", told(&output));
    lab.folder.write(&format!("{name}.csr.pem"), output.stdout);
}

/// Enrols the request of this name with these further arguments; the certificate comes on the standard output.
async fn enrol(lab: &Lab, tls: Tls, name: &str, arguments: &[&str]) -> Output {
    let csr = format!("{name}.csr.pem");
    pki(lab, tls, "--est", &[&["--in", &csr], arguments].concat()).await
}

async fn enrol_as_user(lab: &Lab, tls: Tls, password: &str, arguments: &[&str]) -> Output {
    let user = format!("{USER}:{password}");
    enrol(lab, tls, "own", &[&["--userpass", &user], arguments].concat()).await
}

/// The certificate of this name as openssl shows it, after openssl has verified it and compared it with the key.
async fn issued(lab: &Lab, output: &Output, name: &str) -> String {
    assert!(output.status.success(), "{}", told(output));
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key.pem"));
    let folder = &lab.folder;
    folder.write(&certificate, &output.stdout);
    folder
        .openssl(&["verify", "-CAfile", "anchor.pem", &certificate])
        .await;
    let show = [
        "x509",
        "-in",
        &certificate,
        "-noout",
        "-subject",
        "-serial",
        "-pubkey",
    ];
    let shown = folder.openssl(&show).await;
    let public = folder.openssl(&["pkey", "-in", &key, "-pubout"]).await;
    assert!(shown.contains("CN = ap7") && shown.contains(&public), "{shown}");
    shown
}

async fn enrols_by_basic(kind: &'static [&'static str], tls: Tls) {
    let lab = Lab::open(requiring(&["basic"])).await;
    request(&lab, kind, "own").await;
    let output = enrol_as_user(&lab, tls, PASSWORD, &[]).await;
    issued(&lab, &output, "own").await;
    assert!(told(&output).contains(&format!("negotiated TLS {}", tls.version)));
}

async fn reads_lines() -> Outcome {
    let settings = LabelSettings {
        layout: ResponseLayout {
            layout: Base64Layout::Columns64Lf,
            ..ResponseLayout::default()
        },
        ..LabelSettings::default()
    };
    let lab = Lab::open(settings).await;
    request(&lab, EC, "own").await;
    let output = enrol_as_user(&lab, Tls::V12, PASSWORD, &[]).await;
    if !output.status.success() {
        return Outcome::Failed(told(&output));
    }
    issued(&lab, &output, "own").await;
    Outcome::Passed
}

async fn enrolled() -> (Lab, String) {
    let lab = Lab::open(LabelSettings::default()).await;
    let first = enrol_first(&lab).await;
    (lab, first)
}

async fn enrol_first(lab: &Lab) -> String {
    request(lab, EC, "own").await;
    let output = enrol_as_user(lab, Tls::V12, PASSWORD, &[]).await;
    issued(lab, &output, "own").await
}

const OWN: [&str; 4] = ["--cert", "own.pem", "--key", "own.key.pem"];

async fn renews(tls: Tls) {
    let (lab, first) = enrolled().await;
    let output = enrol(&lab, tls, "own", &OWN).await;
    let shown = issued(&lab, &output, "own").await;
    assert_ne!(shown, first, "another serial number");
    assert_eq!(lab.answers(Operation::SimpleReenroll, 200), 1);
}

async fn renews_with_a_new_key() {
    let (lab, _) = enrolled().await;
    request(&lab, EC, "new").await;
    let output = enrol(&lab, Tls::V13, "new", &OWN).await;
    issued(&lab, &output, "new").await;
    assert_eq!(lab.answers(Operation::SimpleReenroll, 200), 1);
}

async fn enrols_by_digest() -> Outcome {
    let lab = Lab::with_digest(&["digest"], true).await;
    request(&lab, EC, "own").await;
    let output = enrol_as_user(&lab, Tls::V12, PASSWORD, &[]).await;
    if !output.status.success() {
        return Outcome::Refused(told(&output));
    }
    issued(&lab, &output, "own").await;
    Outcome::Passed
}

async fn waits_for_an_approval() {
    let lab = Lab::with(Setup::default(), |authority| Arc::new(Waiting::new(authority))).await;
    request(&lab, EC, "own").await;
    let output = enrol_as_user(&lab, Tls::V12, PASSWORD, &["--interval", "1"]).await;
    issued(&lab, &output, "own").await;
    assert_eq!(lab.answers(Operation::SimpleEnroll, 202), 1);
}

/// What it said when it was refused.
fn refusal(output: &Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    told(output)
}

async fn is_refused() {
    let lab = Lab::open(LabelSettings::default()).await;
    request(&lab, EC, "own").await;
    let output = enrol_as_user(&lab, Tls::V12, "wrong", &[]).await;
    let said = refusal(&output);
    assert!(said.contains("EST request failed: HTTP 401"), "{said}");
    assert_eq!(lab.answers(Operation::SimpleEnroll, 401), 1);
}

async fn is_refused_without_link() {
    let lab = Lab::open(linked()).await;
    request(&lab, EC, "own").await;
    let output = enrol_as_user(&lab, Tls::V13, PASSWORD, &[]).await;
    let said = refusal(&output);
    assert!(said.contains("EST request failed: HTTP 403"), "{said}");
}

async fn enrols_where_requests_may_be_linked() -> Outcome {
    let settings = LabelSettings {
        proof_of_possession: ProofOfPossession::Accepted,
        ..LabelSettings::default()
    };
    let lab = Lab::open(settings).await;
    request(&lab, EC, "own").await;
    let output = enrol_as_user(&lab, Tls::V12, PASSWORD, &[]).await;
    if !output.status.success() {
        return Outcome::Refused(told(&output));
    }
    issued(&lab, &output, "own").await;
    Outcome::Passed
}

async fn is_refused_when_revoked() {
    let mut revoking = Revoking::open().await;
    enrol_first(&revoking.lab).await;
    revoking.revoke("own.pem").await;
    let output = enrol(&revoking.lab, Tls::V12, "own", &OWN).await;
    let said = refusal(&output);
    assert!(said.contains("certificate revoked"), "{said}");
}
