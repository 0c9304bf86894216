//! Old certificates, made by openssl: refused by default, accepted when the caller says so by a `dangerous_` name.
//!
//! rustls itself cannot sign with such keys, so the client here signs with the `rsa` crate, and its certificate
//! goes over the wire in a real handshake.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is wrong"
)]

mod tls_support;

use std::path::Path;
use std::sync::Arc;

use pki_common::HashAlgorithm;
use pki_common::authlist::AuthListType;
use pki_common::certificate::Certificate;
use pki_common::ladder::Alert;
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls, TlsVersions, diagnose_tls};
use pki_common::trust_store::TrustStore;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{Pkcs1v15Sign, Pss, RsaPrivateKey};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use sha2::{Digest as _, Sha256};
use tls_support::{Outcome, admitting, authlist, handshake, openssl, read, self_signed};

/// A client's key that rustls would refuse.
#[derive(Debug, Clone)]
struct OldKey(Arc<RsaPrivateKey>, SignatureScheme);

impl SigningKey for OldKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let ours = [SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PSS_SHA256];
        let scheme = ours.into_iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(Self(Arc::clone(&self.0), scheme)))
    }
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for OldKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let hash = Sha256::digest(message);
        let signature = if self.1 == SignatureScheme::RSA_PSS_SHA256 {
            self.0
                .sign_with_rng(&mut rsa::rand_core::OsRng, Pss::new::<Sha256>(), &hash)
        } else {
            self.0.sign(Pkcs1v15Sign::new::<Sha256>(), &hash)
        };
        signature.map_err(|error| rustls::Error::General(error.to_string()))
    }
    fn scheme(&self) -> SignatureScheme {
        self.1
    }
}

fn old_client(folder: &Path, chain: &[&str], key: &str) -> (Certificate, Arc<CertifiedKey>) {
    let certificates: Vec<_> = chain
        .iter()
        .map(|name| Certificate::from_pem(&read(folder, name)).unwrap())
        .collect();
    let pem = String::from_utf8(read(folder, key)).unwrap();
    let der = openssl(
        folder,
        &[
            "pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", "old.der",
        ],
    );
    assert!(der.is_some() && pem.contains("PRIVATE KEY"));
    let key = RsaPrivateKey::from_pkcs8_der(&read(folder, "old.der")).unwrap();
    let signing = OldKey(Arc::new(key), SignatureScheme::RSA_PKCS1_SHA256);
    let wire = certificates
        .iter()
        .map(|certificate| certificate.der().clone())
        .collect();
    (
        certificates[0].clone(),
        Arc::new(CertifiedKey::new(wire, Arc::new(signing))),
    )
}

fn connect(verifier: PeerVerifier, versions: TlsVersions, key: &Arc<CertifiedKey>) -> Outcome {
    let mut server = ServerTls::new(Arc::new(self_signed()));
    server.client_authentication = ClientAuthentication::Required(verifier);
    server.versions = versions;
    let client = ClientTls::new(PeerVerifier::authlist(admitting(server.identity.certificate())));
    let mut config = (*client.rustls_config().unwrap()).clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(Arc::clone(key)));
    handshake(&Arc::new(config), &server.rustls_config().unwrap())
}

/// Makes `cert.pem` and `key.pem`; false when openssl is missing.
fn make_self_signed(folder: &Path, bits: &str, digest: &str, version_1: bool) -> bool {
    let key = format!("rsa:{bits}");
    let subject = ["-subj", "/O=Example/CN=C1130-0050569c3489"];
    let request = [
        "req",
        "-new",
        "-newkey",
        &key,
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "request.pem",
    ];
    if openssl(folder, &[&request[..], &subject[..]].concat()).is_none() {
        return false;
    }
    std::fs::write(folder.join("v3.cnf"), "subjectKeyIdentifier = hash\n").unwrap();
    let mut sign = vec![
        "x509",
        "-req",
        "-in",
        "request.pem",
        "-signkey",
        "key.pem",
        "-out",
        "cert.pem",
        digest,
    ];
    sign.extend(["-days", "30"]);
    if !version_1 {
        sign.extend(["-extfile", "v3.cnf"]);
    }
    openssl(folder, &sign).is_some()
}

#[test]
fn old_self_signed_certificates_need_the_dangerous_name() {
    for (bits, digest, version_1, weakness) in [
        ("2048", "-sha1", false, "SHA-1"),
        ("2048", "-sha256", true, "version 1"),
        ("1024", "-sha256", false, "1024 bits"),
        ("1024", "-sha1", true, "version 1"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        if !make_self_signed(folder.path(), bits, digest, version_1) {
            return;
        }
        let (certificate, key) = old_client(folder.path(), &["cert.pem"], "key.pem");
        assert_eq!(certificate.version(), if version_1 { 1 } else { 3 });
        for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
            let case = format!("{bits} {digest} v1 {version_1} {versions:?}");
            let verifier = || PeerVerifier::authlist(admitting(&certificate));
            let refused = connect(verifier(), versions, &key);
            assert_eq!(
                Outcome::received(refused.client.as_ref()),
                Some(Alert::CERTIFICATE_UNKNOWN),
                "{case}"
            );
            let told = diagnose_tls(&refused.server.unwrap());
            assert!(told.cause.contains(weakness), "{case}: {told}");
            assert!(
                told.remedy.contains("dangerous_accept_legacy_certificates"),
                "{case}: {told}"
            );

            let accepted = connect(verifier().dangerous_accept_legacy_certificates(), versions, &key);
            assert!(accepted.succeeded(), "{case}: {accepted:?}");

            // The authlist is still asked.
            let stranger = PeerVerifier::authlist(admitting(self_signed().certificate()));
            let refused = connect(stranger.dangerous_accept_legacy_certificates(), versions, &key);
            assert_eq!(
                Outcome::received(refused.client.as_ref()),
                Some(Alert::CERTIFICATE_UNKNOWN),
                "{case}"
            );
        }
    }
}

#[test]
fn a_key_that_can_be_broken_on_one_machine_is_refused_by_any_name() {
    let folder = tempfile::tempdir().unwrap();
    if !make_self_signed(folder.path(), "768", "-sha256", false) {
        return;
    }
    let (certificate, key) = old_client(folder.path(), &["cert.pem"], "key.pem");
    let verifier = PeerVerifier::authlist(admitting(&certificate)).dangerous_accept_legacy_certificates();
    let refused = connect(verifier, TlsVersions::Tls12, &key);
    let told = diagnose_tls(&refused.server.unwrap());
    assert!(told.cause.contains("768 bits, fewer than 1024"), "{told}");
}

#[test]
fn the_signature_of_the_handshake_is_checked_with_an_old_key_too() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for place in [&folder, &other] {
        if !make_self_signed(place.path(), "1024", "-sha1", true) {
            return;
        }
    }
    let (certificate, key) = old_client(folder.path(), &["cert.pem"], "key.pem");
    let (_, other_key) = old_client(other.path(), &["cert.pem"], "key.pem");
    let thief = Arc::new(CertifiedKey::new(key.cert.clone(), Arc::clone(&other_key.key)));
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let verifier = PeerVerifier::authlist(admitting(&certificate)).dangerous_accept_legacy_certificates();
        let outcome = connect(verifier, versions, &thief);
        assert_eq!(
            Outcome::received(outcome.client.as_ref()),
            Some(Alert::DECRYPT_ERROR),
            "{outcome:?}"
        );
    }
}

const AUTHORITY: &str = "basicConstraints = critical,CA:TRUE\n";

/// An authority, an authority below it, and a peer, all signed with SHA-1; false when openssl is missing.
fn make_old_chain(folder: &Path, middle_is_authority: bool, root_extensions: &str) -> bool {
    let run = |arguments: &[&str]| openssl(folder, arguments).is_some();
    let request = |name: &str, subject: &str, bits: &str| {
        let (key, out) = (format!("{name}.key"), format!("{name}.csr"));
        run(&[
            "req", "-new", "-newkey", bits, "-nodes", "-keyout", &key, "-out", &out, "-subj", subject,
        ])
    };
    let ca = if middle_is_authority {
        "critical,CA:TRUE"
    } else {
        "CA:FALSE"
    };
    std::fs::write(folder.join("ca.cnf"), format!("basicConstraints = {ca}\n")).unwrap();
    std::fs::write(folder.join("root.cnf"), root_extensions).unwrap();
    std::fs::write(folder.join("peer.cnf"), "extendedKeyUsage = clientAuth\n").unwrap();
    request("root", "/CN=Old Root", "rsa:2048")
        && request("middle", "/CN=Old Issuer", "rsa:1024")
        && request("peer", "/CN=C1130-0050569c3489", "rsa:1024")
        && run(&[
            "x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-sha1", "-days", "30", "-extfile",
            "root.cnf", "-out", "root.pem",
        ])
        && run(&[
            "x509",
            "-req",
            "-in",
            "middle.csr",
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-CAcreateserial",
            "-sha1",
            "-days",
            "30",
            "-extfile",
            "ca.cnf",
            "-out",
            "middle.pem",
        ])
        && run(&[
            "x509",
            "-req",
            "-in",
            "peer.csr",
            "-CA",
            "middle.pem",
            "-CAkey",
            "middle.key",
            "-CAcreateserial",
            "-sha1",
            "-days",
            "30",
            "-extfile",
            "peer.cnf",
            "-out",
            "peer.pem",
        ])
}

#[test]
fn old_chains_need_the_dangerous_name_and_real_authorities() {
    for middle_is_authority in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        if !make_old_chain(folder.path(), middle_is_authority, AUTHORITY) {
            return;
        }
        let mut store = TrustStore::empty("old-devices");
        store
            .add(&Certificate::from_pem(&read(folder.path(), "root.pem")).unwrap())
            .unwrap();
        let store = Arc::new(store);
        let (certificate, key) = old_client(folder.path(), &["peer.pem", "middle.pem"], "peer.key");
        let list = authlist(
            AuthListType::Lsc,
            Some(certificate.key_hash(HashAlgorithm::Sha256)),
        );
        let verifier = || PeerVerifier::authlist(list.clone()).with_trust_store(Arc::clone(&store));

        let refused = connect(verifier(), TlsVersions::Tls12, &key);
        let told = diagnose_tls(&refused.server.unwrap());
        assert!(told.cause.contains("SHA-1"), "{told}");

        let outcome = connect(
            verifier().dangerous_accept_legacy_certificates(),
            TlsVersions::Tls12,
            &key,
        );
        if middle_is_authority {
            assert!(outcome.succeeded(), "{outcome:?}");
        } else {
            let told = diagnose_tls(&outcome.server.unwrap());
            assert!(told.cause.contains("no authority"), "{told}");
        }
        // A chain that ends below the anchor stays refused.
        let (_, cut) = old_client(folder.path(), &["peer.pem"], "peer.key");
        let outcome = connect(
            verifier().dangerous_accept_legacy_certificates(),
            TlsVersions::Tls12,
            &cut,
        );
        assert_eq!(
            Outcome::received(outcome.client.as_ref()),
            Some(Alert::UNKNOWN_CA),
            "{outcome:?}"
        );
    }
}

/// The walk for old certificates does not evaluate name constraints, so it must not be a way around them.
#[test]
fn an_old_signature_is_no_way_around_the_name_constraints_of_an_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let constrained = format!("{AUTHORITY}nameConstraints = critical,permitted;DNS:allowed.example\n");
    if !make_old_chain(folder.path(), true, &constrained) {
        return;
    }
    let mut store = TrustStore::empty("old-devices");
    store
        .add(&Certificate::from_pem(&read(folder.path(), "root.pem")).unwrap())
        .unwrap();
    let (_, key) = old_client(folder.path(), &["peer.pem", "middle.pem"], "peer.key");
    let verifier = PeerVerifier::trust_store(Arc::new(store)).dangerous_accept_legacy_certificates();
    let outcome = connect(verifier, TlsVersions::Tls12, &key);
    let told = diagnose_tls(&outcome.server.unwrap());
    assert!(told.cause.contains("name constraints"), "{told}");
}
