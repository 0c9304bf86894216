//! The rungs of TLS against `openssl s_server`.

use interop::doctor::est::diagnose;
use interop::doctor::{Report, State};
use pki_common::{Alert, KnownCause, Side};

use super::pki::{Leaf, Pki, text};
use super::{assert_ends, notes};

/// A look at `openssl s_server` with this certificate and these options.
async fn look(leaf: Leaf, options: &[&str]) -> Option<Report> {
    let pki = Pki::new();
    let server = pki.serve(leaf, options)?;
    Some(diagnose(&pki.look_at(server.port)).await)
}

#[tokio::test]
async fn versions_and_suites_that_the_server_chooses_are_listed() {
    let options = ["-www", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    let Some(report) = look(Leaf::Good, &options).await else {
        return;
    };
    let versions = notes(&report, "TLS versions");
    assert!(
        versions.contains("TLS 1.2 chooses TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        "{versions}"
    );
    assert!(versions.contains("TLS 1.3 not accepted"), "{versions}");
    let agreed = notes(&report, "TLS handshake");
    assert!(
        agreed.contains("TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        "{agreed}"
    );

    let options = ["-www", "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"];
    let report = look(Leaf::Good, &options).await.unwrap();
    let versions = notes(&report, "TLS versions");
    assert!(
        versions.contains("TLS 1.3 chooses TLS_CHACHA20_POLY1305_SHA256"),
        "{versions}"
    );
    assert!(
        versions.contains("TLS 1.2 not accepted: the server sends alert 70 protocol_version"),
        "{versions}"
    );
    assert_eq!(report.check("TLS handshake").unwrap().state, State::Passed);
}

#[tokio::test]
async fn a_server_with_static_rsa_only_is_recognised_by_its_choice() {
    let Some(report) = look(Leaf::Rsa, &["-tls1_2", "-cipher", "AES128-SHA"]).await else {
        return;
    };
    assert_ends(&report, "TLS versions", KnownCause::TlsNotCommon);
    assert_eq!(report.exit_number(), 40);
    let cause = &report.failure().unwrap().cause;
    assert!(
        cause.contains("static RSA only (TLS_RSA_WITH_AES_128_CBC_SHA)"),
        "{cause}"
    );
}

#[tokio::test]
async fn a_server_that_prefers_static_rsa_but_has_better_is_usable() {
    let options = [
        "-www",
        "-tls1_2",
        "-serverpref",
        "-cipher",
        "AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384",
    ];
    let Some(report) = look(Leaf::Rsa, &options).await else {
        return;
    };
    let versions = notes(&report, "TLS versions");
    assert!(
        versions.contains("TLS 1.2 chooses TLS_RSA_WITH_AES_128_CBC_SHA"),
        "{versions}"
    );
    assert!(
        versions.contains("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 when nothing else is offered"),
        "{versions}"
    );
    assert_eq!(report.check("TLS handshake").unwrap().state, State::Passed);
}

#[tokio::test]
async fn old_versions_are_a_warning_beside_new_ones_and_a_failure_alone() {
    let old = ["-www", "-cipher", "ALL:@SECLEVEL=0"];
    let Some(report) = look(Leaf::Rsa, &old).await else {
        return;
    };
    let versions = report.check("TLS versions").unwrap();
    assert_eq!(versions.state, State::Warning);
    assert!(
        versions.warnings[0].cause.contains("TLS 1.1 and TLS 1.0"),
        "{:?}",
        versions.warnings
    );

    let report = look(Leaf::Rsa, &["-tls1", "-cipher", "ALL:@SECLEVEL=0"])
        .await
        .unwrap();
    assert_ends(&report, "TLS versions", KnownCause::TlsNotCommon);
    assert!(
        report
            .failure()
            .unwrap()
            .cause
            .contains("TLS 1.0 and nothing newer")
    );
}

#[tokio::test]
async fn the_chain_is_shown_with_names_validity_key_and_both_hashes() {
    let Some(report) = look(Leaf::Good, &["-www"]).await else {
        return;
    };
    let notes = notes(&report, "certificate");
    for part in [
        "0: /CN=localhost",
        "issuer /CN=Doctor Intermediate",
        " left)",
        "names DNS:localhost",
        "key EC P-256, signed with ECDSA with SHA-256",
        "SHA-1 key hash",
        "SHA-256 key hash",
        "certificate type LSC",
        "1: /CN=Doctor Intermediate",
    ] {
        assert!(notes.contains(part), "{part:?} is not in\n{notes}");
    }
    assert!(!notes.contains("is not sent"), "{notes}");
    let chain = &report.check("certificate").unwrap().facts["chain"];
    assert_eq!(chain[0]["sha1-key-hash"].as_str().unwrap().len(), 40);
    assert_eq!(chain[0]["sha256-key-hash"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn each_fault_of_a_certificate_ends_on_its_rung_with_the_alert_of_this_side() {
    for (leaf, known_cause, exit, alert) in [
        (
            Leaf::WrongName,
            KnownCause::NameMismatch,
            42,
            Alert::BAD_CERTIFICATE,
        ),
        (Leaf::Expired, KnownCause::Expired, 43, Alert::CERTIFICATE_EXPIRED),
        (
            Leaf::NotYetValid,
            KnownCause::NotYetValid,
            43,
            Alert::CERTIFICATE_EXPIRED,
        ),
        (Leaf::SelfSigned, KnownCause::SelfSigned, 41, Alert::UNKNOWN_CA),
        (
            Leaf::WithoutIntermediate,
            KnownCause::IssuerNotTrusted,
            41,
            Alert::UNKNOWN_CA,
        ),
    ] {
        let Some(report) = look(leaf, &["-www"]).await else {
            return;
        };
        assert_ends(&report, "TLS handshake", known_cause);
        assert_eq!(report.exit_number(), exit);
        let failure = report.failure().unwrap();
        assert_eq!(
            (failure.refused_by, failure.alert),
            (Some(Side::Local), Some(alert)),
            "{failure}"
        );
        // What is wrong can be seen in the certificate, too.
        let seen = notes(&report, "certificate");
        let part = match leaf {
            Leaf::WrongName => "names DNS:other.example",
            Leaf::Expired => "expired 3 d",
            Leaf::NotYetValid => "not yet valid: it becomes valid in ",
            Leaf::SelfSigned => "self-signed",
            _ => "the certificate of /CN=Doctor Intermediate is not sent",
        };
        assert!(seen.contains(part), "{part:?} is not in\n{seen}");
    }
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_says_of_whom_and_refuses_without() {
    for version in ["-tls1_2", "-tls1_3"] {
        let pki = Pki::new();
        let root = pki.root_file();
        let options = ["-www", version, "-Verify", "2", "-CAfile", text(&root)];
        let Some(server) = pki.serve(Leaf::Good, &options) else {
            return;
        };
        let report = diagnose(&pki.look_at(server.port)).await;
        // With TLS 1.3 the refusal comes after the handshake.
        let rung = if version == "-tls1_2" {
            "TLS handshake"
        } else {
            "HTTP"
        };
        assert_ends(&report, rung, KnownCause::CertificateRequired);
        assert_eq!(report.failure().unwrap().refused_by, Some(Side::Peer));
        let asked = notes(&report, "TLS handshake");
        assert!(
            asked.contains("a client certificate is asked for, none was given"),
            "{asked}"
        );
        assert!(asked.contains("CN=Doctor Root"), "{asked}");
    }
}
