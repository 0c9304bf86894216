//! `cacerts`, over each version of TLS and in each layout of base64.

use std::sync::Arc;

use est::operation::{LabelSettings, Operation, ResponseLayout};
use est::wire::base64::Base64Layout;

use super::{Tls, pki, told};
use crate::case::Case;
use crate::matrix::Outcome;
use crate::support::authority::Several;
use crate::support::est::{Setup, TestServer};
use crate::support::lab::Lab;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("pki --estca reads the CA certificate over TLS 1.2", || {
            reads_ca_certificate(Tls::V12)
        }),
        Case::new("pki --estca reads the CA certificate over TLS 1.3", || {
            reads_ca_certificate(Tls::V13)
        }),
        Case::new(
            "pki --estca reads the CA certificate over TLS 1.3 after a HelloRetryRequest",
            after_a_hello_retry_request,
        ),
        Case::new("pki --estca reads four CA certificates in one line", || {
            reads_four(Base64Layout::SingleLine)
        }),
        Case::new(
            "pki --estca reads four CA certificates in lines of 64 columns",
            || reads_four(Base64Layout::Columns64Lf),
        ),
        Case::new(
            "pki --estca reads four CA certificates in lines of 76 columns and CRLF",
            || reads_four(Base64Layout::Columns76CrLf),
        ),
        Case::new(
            "pki --estca refuses the server of another authority",
            refuses_another,
        ),
    ]
}

async fn reads_ca_certificate(tls: Tls) {
    let lab = Lab::open(LabelSettings::default()).await;
    let output = pki(&lab, tls, "--estca", &["--caout", "ca.pem"]).await;
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains(&format!("negotiated TLS {}", tls.version)));
    let shown = lab
        .folder
        .openssl(&["x509", "-in", "ca.pem", "-noout", "-subject"])
        .await;
    assert!(shown.contains("CN = Test Root"), "{shown}");
    assert_eq!(lab.answers(Operation::CaCerts, 200), 1);
}

/// It offers X448 at first, which we do not have.
async fn after_a_hello_retry_request() {
    let lab = Lab::open(LabelSettings::default()).await;
    let tls = Tls {
        groups: "curve448, ecp256",
        ..Tls::V13
    };
    let output = pki(&lab, tls, "--estca", &["--caout", "ca.pem", "--debug", "2"]).await;
    let told = told(&output);
    assert!(output.status.success(), "{told}");
    let hellos = told.matches("sending TLS ClientHello").count();
    assert_eq!(hellos, 2, "{told}");
    assert!(lab.folder.has("ca.pem"), "{told}");
}

async fn reads_four(layout: Base64Layout) -> Outcome {
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
    let output = pki(&lab, Tls::V12, "--estca", &["--caout", "ca.pem"]).await;
    let told = told(&output);
    if !output.status.success() {
        return Outcome::Failed(told);
    }
    for name in ["Test Root", "One Root", "Another Root", "A Third Root"] {
        assert!(told.contains(&format!("CN={name}\"")), "{name}: {told}");
    }
    Outcome::Passed
}

async fn refuses_another() {
    let lab = Lab::open(LabelSettings::default()).await;
    let other = TestServer::start(Setup::default()).await;
    lab.folder.write("anchor.pem", other.anchor_pem());
    for tls in [Tls::V12, Tls::V13] {
        let output = pki(&lab, tls, "--estca", &["--caout", "ca.pem"]).await;
        let told = told(&output);
        assert!(!output.status.success() && !lab.folder.has("ca.pem"), "{told}");
        assert!(told.contains("no issuer certificate found"), "{told}");
    }
    assert_eq!(lab.answers(Operation::CaCerts, 200), 0);
}
