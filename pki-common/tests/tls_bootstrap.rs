//! The first contact with a server that no trust store vouches for.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod tls_support;

use std::sync::Arc;

use pki_common::clock::FixedClock;
use pki_common::ladder::Alert;
use pki_common::tls::{
    ClientAuthentication, ClientTls, PeerVerifier, PresentedChain, RefusalRecorder, ServerTls, TlsConfigError,
};
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, Fingerprint, HashAlgorithm};
use tls_support::{Authority, Outcome, days_from, handshake, localhost, now, openssl, self_signed};

#[test]
fn a_pinned_certificate_is_accepted_and_no_other() {
    let server = ServerTls::new(Arc::new(self_signed()));
    let config = server.rustls_config().unwrap();
    let pin = |identity: &pki_common::identity::Identity| {
        PeerVerifier::pinned(Fingerprint::of(HashAlgorithm::Sha256, identity.certificate())).unwrap()
    };
    let right = ClientTls::new(pin(&server.identity)).rustls_config().unwrap();
    assert!(handshake(&right, &config).succeeded());

    let recorder = Arc::new(RefusalRecorder::default());
    let wrong = ClientTls::new(pin(&self_signed()))
        .rustls_config_observed(Arc::<RefusalRecorder>::clone(&recorder))
        .unwrap();
    let outcome = handshake(&wrong, &config);
    assert_eq!(
        Outcome::received(outcome.server.as_ref()),
        Some(Alert::CERTIFICATE_UNKNOWN)
    );
    let told = recorder.refusal().unwrap().diagnose();
    let presented = Fingerprint::of(HashAlgorithm::Sha256, server.identity.certificate());
    assert!(told.cause.contains(&presented.to_string()), "{told}");
}

#[test]
fn a_pinned_certificate_must_still_be_valid() {
    let server = ServerTls::new(Arc::new(self_signed()));
    let pin = Fingerprint::of(HashAlgorithm::Sha256, server.identity.certificate());
    let later = FixedClock(days_from(now(), 400));
    let client = ClientTls::new(PeerVerifier::pinned(pin).unwrap().with_clock(Arc::new(later)));
    let outcome = handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
    assert_eq!(
        Outcome::received(outcome.server.as_ref()),
        Some(Alert::CERTIFICATE_EXPIRED)
    );
}

#[test]
fn nothing_is_pinned_by_sha1() {
    let weak = Fingerprint::of(HashAlgorithm::Sha1, self_signed().certificate());
    assert_eq!(
        PeerVerifier::pinned(weak).unwrap_err(),
        TlsConfigError::WeakFingerprint
    );
}

#[test]
fn any_server_is_accepted_for_bootstrap_and_its_chain_kept_for_a_person() {
    let root = Authority::root("Root");
    let intermediate = root.intermediate("Intermediate");
    let identity = intermediate.issue(
        "server",
        &[&intermediate.certificate, &root.certificate],
        localhost,
    );
    let server = ServerTls::new(Arc::new(identity)).rustls_config().unwrap();
    let presented = Arc::new(PresentedChain::default());
    let verifier = PeerVerifier::dangerous_accept_any_server_for_bootstrap(Arc::clone(&presented));
    let client = ClientTls::new(verifier).rustls_config().unwrap();
    assert!(presented.certificates().is_empty());
    assert!(handshake(&client, &server).succeeded());
    assert_eq!(presented.certificates().len(), 3);
    let root_fingerprint = Fingerprint::of(HashAlgorithm::Sha256, &root.certificate);
    assert_eq!(presented.position_of(&root_fingerprint), Some(2));
    let other = Fingerprint::of(HashAlgorithm::Sha256, self_signed().certificate());
    assert_eq!(presented.position_of(&other), None);
}

#[test]
fn a_verifier_for_bootstrap_lets_no_client_in() {
    let verifier = PeerVerifier::dangerous_accept_any_server_for_bootstrap(Arc::default());
    let mut server = ServerTls::new(Arc::new(self_signed()));
    server.client_authentication = ClientAuthentication::Required(verifier);
    let trusted = tls_support::admitting(server.identity.certificate());
    let client = ClientTls::new(PeerVerifier::authlist(trusted)).with_identity(Arc::new(self_signed()));
    assert!(!handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap()).succeeded());
}

#[test]
fn fingerprints_are_those_that_openssl_prints() {
    let folder = tempfile::tempdir().unwrap();
    let identity = self_signed();
    identity
        .save(folder.path().join("c.pem"), folder.path().join("k.pem"))
        .unwrap();
    for (option, algorithm) in [("-sha256", HashAlgorithm::Sha256), ("-sha1", HashAlgorithm::Sha1)] {
        let arguments = ["x509", "-in", "c.pem", "-noout", "-fingerprint", option];
        let Some(printed) = openssl(folder.path(), &arguments) else {
            return;
        };
        let own = Fingerprint::of(algorithm, identity.certificate());
        assert_eq!(printed.parse(), Ok(own), "{printed}");
        assert!(printed.trim().ends_with(&own.to_string()), "{printed}");
    }
}

#[test]
fn the_anchors_of_this_machine_are_read_when_it_has_any() {
    match TrustStore::system("implicit") {
        Ok(store) => {
            assert_eq!(store.role(), "implicit");
            assert!(!store.is_empty());
        }
        Err(error) => {
            let told = error.diagnose();
            assert!(told.cause.contains("SSL_CERT_FILE"), "{told}");
        }
    }
}
