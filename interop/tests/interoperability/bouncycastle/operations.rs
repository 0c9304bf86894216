//! The operations, over TLS of BouncyCastle (BCJSSE) and of Java (SunJSSE).

use std::sync::Arc;

use est::operation::{CsrAttributesPolicy, LabelSettings, Operation, ResponseLayout};
use est::wire::base64::Base64Layout;
use est::wire::csr_attributes::{CsrAttributes, CsrAttributesLimits};

use super::program::run;
use crate::case::Case;
use crate::support::authority::{Several, Waiting};
use crate::support::est::{PASSWORD, Setup, TestServer, USER};
use crate::support::lab::{Lab, key_generating, requiring};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("reads the CA certificate by its own TLS 1.2", || {
            reads_ca_certificate("BCJSSE", "TLSv1.2")
        }),
        Case::new("reads the CA certificate by its own TLS 1.3", || {
            reads_ca_certificate("BCJSSE", "TLSv1.3")
        }),
        Case::new("reads the CA certificate by Java's TLS 1.2", || {
            reads_ca_certificate("SunJSSE", "TLSv1.2")
        }),
        Case::new("reads the CA certificate by Java's TLS 1.3", || {
            reads_ca_certificate("SunJSSE", "TLSv1.3")
        }),
    ];
    for (name, layout) in [
        ("reads four CA certificates in one line", Base64Layout::SingleLine),
        (
            "reads four CA certificates in lines of 64 columns",
            Base64Layout::Columns64Lf,
        ),
        (
            "reads four CA certificates in lines of 76 columns and CRLF",
            Base64Layout::Columns76CrLf,
        ),
    ] {
        cases.push(Case::new(name, move || reads_four(layout)));
    }
    cases.extend([
        Case::new("refuses the server of another authority", refuses_another),
        Case::new("reads the CSR attributes", reads_csr_attributes),
        Case::new("takes 204 for no CSR attributes", takes_204_for_no_csr_attributes),
        Case::new("enrols an EC key", || enrols("ec")),
        Case::new("enrols an RSA key", || enrols("rsa")),
        Case::new("renews its certificate", renews),
        Case::new("takes an EC key made by the server", || {
            takes_a_key_of_the_server("ec")
        }),
        Case::new("takes an RSA key made by the server", || {
            takes_a_key_of_the_server("rsa")
        }),
        Case::new("waits for an approval", waits_for_an_approval),
        Case::new("enrols at a path label", enrols_at_a_label),
    ]);
    cases
}

const BY_USER: [&str; 4] = ["--user", USER, "--password", PASSWORD];

fn enrolment<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&BY_USER[..], &["--subject", "CN=ap7"], more].concat()
}

async fn reads_ca_certificate(provider: &'static str, tls: &'static str) {
    let lab = Lab::open(LabelSettings::default()).await;
    let answer = run(&lab, "cacerts", &["--provider", provider, "--tls", tls]).await;
    assert_eq!(
        answer.one("certificate"),
        "DC=com,DC=example,CN=Test Root",
        "{answer:?}"
    );
    assert_eq!(answer.one("trusted"), "true");
}

async fn reads_four(layout: Base64Layout) {
    let settings = LabelSettings {
        layout: ResponseLayout {
            layout,
            ..ResponseLayout::default()
        },
        ..LabelSettings::default()
    };
    let setup = Setup {
        settings,
        ..Setup::default()
    };
    let lab = Lab::with(setup, |authority| Arc::new(Several(authority))).await;
    let answer = run(&lab, "cacerts", &[]).await;
    assert_eq!(answer.all("certificate").len(), 4, "{answer:?}");
}

async fn refuses_another() {
    let lab = Lab::open(LabelSettings::default()).await;
    let other = TestServer::start(Setup::default()).await;
    lab.folder.write("anchor.pem", other.anchor_pem());
    let error = run(&lab, "cacerts", &[]).await.error();
    assert!(error.contains("certificate_unknown"), "{error}");
}

async fn reads_csr_attributes() {
    // SEQUENCE { OBJECT IDENTIFIER challengePassword, OBJECT IDENTIFIER ecdsa-with-SHA384 }
    let der = hex::decode("301506092a864886f70d01090706082a8648ce3d040303").unwrap();
    let attributes = CsrAttributes::from_der(&der, &CsrAttributesLimits::default()).unwrap();
    let policy = CsrAttributesPolicy {
        attributes,
        enforce: false,
    };
    let settings = LabelSettings {
        csr_attributes: Some(policy),
        ..LabelSettings::default()
    };
    let lab = Lab::open(settings).await;
    let answer = run(&lab, "csrattrs", &[]).await;
    assert_eq!(answer.one("attributes"), "true", "{answer:?}");
    let mut wanted = answer.all("wanted");
    wanted.sort_unstable();
    assert_eq!(wanted, ["1.2.840.10045.4.3.3", "1.2.840.113549.1.9.7"]);
}

async fn takes_204_for_no_csr_attributes() {
    let lab = Lab::open(LabelSettings::default()).await;
    let answer = run(&lab, "csrattrs", &[]).await;
    assert_eq!(answer.one("attributes"), "false", "{answer:?}");
    assert_eq!(lab.answers(Operation::CsrAttrs, 204), 1);
}

async fn enrols(kind: &'static str) {
    let lab = Lab::open(LabelSettings::default()).await;
    let answer = run(&lab, "simpleenroll", &enrolment(&["--key-kind", kind])).await;
    answer.has_issued("CN=ap7");
}

async fn renews() {
    let lab = Lab::open(LabelSettings::default()).await;
    lab.enrol_own("ap7").await;
    let own = ["--cert", "own.pem", "--key", "own.key.pem", "--subject", "CN=ap7"];
    let same_key = ["--old-cert", "own.pem", "--old-key", "own.key.pem"];
    for more in [&[][..], &same_key] {
        let answer = run(&lab, "simplereenroll", &[&own[..], more].concat()).await;
        answer.has_issued("CN=ap7");
    }
    assert_eq!(lab.answers(Operation::SimpleReenroll, 200), 2);
}

async fn takes_a_key_of_the_server(kind: &'static str) {
    let lab = Lab::open(key_generating().await).await;
    let answer = run(&lab, "serverkeygen", &enrolment(&["--key-kind", kind])).await;
    answer.has_issued("CN=ap7");
    assert_eq!(answer.one("key-is-new"), "true");
}

async fn waits_for_an_approval() {
    let lab = Lab::with(Setup::default(), |authority| Arc::new(Waiting::new(authority))).await;
    let answer = run(&lab, "simpleenroll", &enrolment(&["--wait", "yes"])).await;
    answer.has_issued("CN=ap7");
    assert_eq!(answer.one("pending"), "true");
    assert_eq!(lab.answers(Operation::SimpleEnroll, 202), 1);
}

async fn enrols_at_a_label() {
    let lab = Lab::open(requiring(&["certificate"])).await;
    lab.add_label(requiring(&["basic"]));
    let answer = run(&lab, "simpleenroll", &enrolment(&["--label", "lab"])).await;
    answer.has_issued("CN=ap7");
}
