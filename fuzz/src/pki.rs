//! What must hold for anything that claims to be a certificate, a revocation list, a chain or a private key.

use std::sync::{Arc, OnceLock};

use pki_common::Certificate;
use pki_common::certificate::{CertificateError, MAX_CERTIFICATE_BYTES};
use pki_common::identity::{KeyDecryptionLimits, parse_private_key_within, private_key_pem};
use pki_common::revocation::{RevocationCheck, RevocationDepth, RevocationLists};
use pki_common::tls::PeerVerifier;
use pki_common::trust_store::{TrustError, TrustStore, Usage};
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::keys::{self, NOW, signed_part};

/// A certificate in DER or PEM: no bytes panic, what is read is where it was, and every refusal for what follows says
/// where that begins.
pub fn pki_certificate(data: &[u8]) {
    match Certificate::from_der(data) {
        Ok(certificate) => check_certificate(&certificate, data),
        Err(CertificateError::TrailingBytes { offset, count }) => {
            assert_eq!(offset + count, data.len());
            let before = data.get(..offset).unwrap_or_default();
            let without = Certificate::from_der(before);
            assert!(
                !matches!(without, Err(CertificateError::TrailingBytes { .. })),
                "the certificate ends earlier"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(certificates) = Certificate::all_from_pem(data) {
        for certificate in certificates {
            let again = Certificate::from_der(certificate.der()).expect("it was read before");
            assert_eq!(again, certificate);
        }
    }
}

fn check_certificate(certificate: &Certificate, data: &[u8]) {
    assert!(data.len() <= MAX_CERTIFICATE_BYTES);
    assert_eq!(certificate.der().as_ref(), data);
    assert!((1..=3).contains(&certificate.version()));
    for part in [
        certificate.subject_der(),
        certificate.issuer_der(),
        certificate.spki_der(),
    ] {
        assert!(
            data.windows(part.len()).any(|window| window == part),
            "a part is not in the certificate"
        );
    }
    for text in [certificate.subject(), certificate.issuer()] {
        assert!(
            text.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{text:?} goes to a terminal"
        );
    }
    // Must not panic, whatever it holds.
    let shown = format!("{certificate:?}");
    assert!(!shown.is_empty());
    if certificate.is_self_signed() {
        assert!(certificate.is_self_issued(), "self-signed and of another's name");
    }
}

/// A revocation list: no bytes panic, no list that the issuer did not sign says anything, and adding one twice changes
/// nothing.
pub fn pki_revocation_list(data: &[u8]) {
    let mut lists = RevocationLists::empty("fuzz").with_max_bytes(64 * 1024);
    if let Err(error) = lists.add_der(data) {
        assert!(!error.to_string().is_empty());
        assert!(lists.is_empty(), "a refused list was taken");
        return;
    }
    assert_eq!(lists.len(), 1);
    assert_eq!(lists.add_der(data), Ok(false), "the same list is not newer");
    assert_eq!(lists.len(), 1);
    let revokes = keys::LISTS
        .iter()
        .find(|(list, _)| signed_part(data) == signed_part(list))
        .map(|(_, revokes)| *revokes);
    let check = RevocationCheck::by(lists).with_depth(RevocationDepth::EndEntity);
    for (certificate, may_be_revoked) in [(keys::DIRECT, false), (keys::REVOKED, true)] {
        let expected = revokes.map(|revokes| revokes && may_be_revoked);
        let certificate = Certificate::from_der(certificate).expect("openssl made a certificate");
        let verdict = root_store().validate_unrevoked(&certificate, &[], Usage::Client, NOW, &check);
        match verdict {
            Ok(()) => assert_eq!(expected, Some(false), "a list says what its issuer did not sign"),
            Err(TrustError::Revoked { .. }) => {
                assert_eq!(expected, Some(true), "a list says what its issuer did not sign");
            }
            Err(TrustError::RevocationListExpired { .. }) => {
                assert!(expected.is_some(), "a forged list was believed");
            }
            Err(TrustError::RevocationUnknown { .. }) => {}
            Err(error) => panic!("the certificate is good: {error}"),
        }
    }
}

/// Most certificates of one chain that the oracle gives on; TLS limits them by the size of the message.
const MAX_CHAIN: usize = 16;

/// A chain as a peer sends it, one DER certificate after the other: nothing is trusted that the authority of the store
/// did not sign, with the rules of today or with those for old devices, and no chain takes long.
pub fn pki_chain(data: &[u8]) {
    let chain = elements(data);
    let Some((end_entity, others)) = chain.split_first() else {
        return;
    };
    let intermediates: Vec<CertificateDer<'_>> =
        others.iter().map(|der| CertificateDer::from(*der)).collect();
    let genuine = |genuine: &[&[u8]]| {
        genuine
            .iter()
            .any(|known| signed_part(end_entity) == signed_part(known))
    };
    let today = [
        keys::ROOT,
        keys::INTERMEDIATE,
        keys::LEAF,
        keys::DIRECT,
        keys::REVOKED,
    ];
    if let Ok(certificate) = Certificate::from_der(end_entity) {
        for usage in [Usage::Client, Usage::Server] {
            if root_store()
                .validate(&certificate, &intermediates, usage, NOW)
                .is_ok()
            {
                assert!(genuine(&today), "a forged certificate is trusted");
            }
        }
        // The sender chooses the anchor too: whatever it is, it must not panic.
        let mut store = TrustStore::empty("fuzz");
        for anchor in others.iter().filter_map(|der| Certificate::from_der(der).ok()) {
            let _is_new = store.add(&anchor);
        }
        let _verdict = store.validate(&certificate, &intermediates, Usage::Client, NOW);
    }
    let verdict = old_devices().verify_client_cert(&CertificateDer::from(*end_entity), &intermediates, NOW);
    if verdict.is_ok() {
        assert!(
            genuine(&today) || genuine(&[keys::OLD]),
            "a forged old certificate is trusted"
        );
    }
}

fn root_store() -> &'static TrustStore {
    static STORE: OnceLock<TrustStore> = OnceLock::new();
    STORE.get_or_init(|| {
        let mut store = TrustStore::empty("fuzz");
        let root = Certificate::from_der(keys::ROOT).expect("openssl made a certificate");
        store.add(&root).expect("openssl made an authority");
        store
    })
}

fn old_devices() -> &'static dyn ClientCertVerifier {
    static VERIFIER: OnceLock<Arc<dyn ClientCertVerifier>> = OnceLock::new();
    VERIFIER
        .get_or_init(|| {
            PeerVerifier::trust_store(root_store().clone())
                .dangerous_accept_legacy_certificates()
                .into_client_verifier()
                .expect("the feature aws-lc-rs is on")
        })
        .as_ref()
}

/// The elements that the data begins with, by their lengths of two octets.
fn elements(data: &[u8]) -> Vec<&[u8]> {
    let mut rest = data;
    let mut found = Vec::new();
    while let [0x30, 0x82, high, low, ..] = rest {
        let length = 4 + usize::from(*high) * 256 + usize::from(*low);
        let Some((element, behind)) = rest.split_at_checked(length) else {
            break;
        };
        if found.len() >= MAX_CHAIN {
            break;
        }
        found.push(element);
        rest = behind;
    }
    found
}

/// The passphrase of the corpus. It is long enough to be found when an error shows it.
const PASSPHRASE: &str = "the passphrase of the fuzz corpus";

/// A private key file: no bytes panic, the work of an encrypted one is bounded, no error shows the passphrase, and what
/// is read survives a second trip.
pub fn pki_private_key(data: &[u8]) {
    // A thousandth of the default: thousands of files are read in a second.
    let limits = KeyDecryptionLimits {
        iterations: 20_000,
        scrypt_memory: 4 * 1024 * 1024,
    };
    match parse_private_key_within(data, Some(PASSPHRASE.as_bytes()), &limits, "the given file") {
        Ok(key) => {
            let pem = private_key_pem(&key);
            let again = parse_private_key_within(pem.as_bytes(), None, &limits, "its PEM");
            assert_eq!(
                again.as_ref().map(PrivateKeyDer::secret_der),
                Ok(key.secret_der()),
                "a second trip changed the key"
            );
        }
        Err(error) => assert!(!error.to_string().contains(PASSPHRASE), "{error}"),
    }
    // Without a passphrase no work is done, and nothing encrypted comes out.
    let _outcome = parse_private_key_within(data, None, &limits, "the given file");
}
