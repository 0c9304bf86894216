//! What must hold for anything that claims to be a certificate, a revocation list, a chain or a private key.

use std::sync::{Arc, OnceLock};

use pki_common::certificate::{CertificateError, MAX_CERTIFICATE_BYTES};
use pki_common::identity::{KeyDecryptionLimits, parse_private_key_within, private_key_pem};
use pki_common::revocation::{RevocationCheck, RevocationDepth, RevocationLists};
use pki_common::tls::PeerVerifier;
use pki_common::trust_store::{ExpectedName, TrustError, TrustStore, Usage};
use pki_common::{Certificate, Diagnose as _, MacAddr};
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

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
    let one = Certificate::from_pem(data);
    if let Ok(certificates) = Certificate::all_from_pem(data) {
        assert!(
            one.is_err() || one.as_ref().ok() == certificates.first(),
            "one is another than the first"
        );
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
    let shown = format!(
        "{certificate:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        certificate.serial_number(),
        certificate.common_name(),
        certificate.subject_mac(),
        certificate.subject_alternative_names(),
        certificate.signature_algorithm(),
        certificate.key_hash(pki_common::HashAlgorithm::Sha256),
    );
    assert!(!shown.is_empty());
    let _validity = (certificate.not_before(), certificate.not_after());
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
        for usage in USAGES {
            if root_store()
                .validate(&certificate, &intermediates, usage, NOW)
                .is_ok()
            {
                assert!(genuine(&today), "a forged certificate is trusted");
            }
        }
        check_anchors_of_sender(&certificate, &intermediates);
    }
    let verdict = old_devices().verify_client_cert(&CertificateDer::from(*end_entity), &intermediates, NOW);
    if verdict.is_ok() {
        assert!(
            genuine(&today) || genuine(&[keys::OLD]),
            "a forged old certificate is trusted"
        );
    }
}

/// The sender chooses the anchors too: all the others, or the last one alone, so that there is a path to it. Whatever they
/// are, it must not panic, and asking for revocation without a list revokes nothing.
fn check_anchors_of_sender(certificate: &Certificate, others: &[CertificateDer<'_>]) {
    let (last, between) = others.split_last().map_or((&[][..], others), |(last, between)| {
        (core::slice::from_ref(last), between)
    });
    for (anchors, intermediates) in [(others, others), (last, between)] {
        let mut store = TrustStore::empty("fuzz");
        for anchor in anchors.iter().filter_map(|der| Certificate::from_der(der).ok()) {
            let _is_new = store.add(&anchor);
        }
        for usage in USAGES {
            check_refusal(&store, certificate, intermediates, usage);
        }
        let names = ["est.example.com", "192.0.2.1"].map(|name| ServerName::try_from(name).expect("a name"));
        for name in names.map(ExpectedName::from).into_iter().chain([
            ExpectedName::CommonName("x".to_owned()),
            ExpectedName::Mac(MacAddr::new([2, 0, 0, 0, 0, 1])),
        ]) {
            drop(store.check_name(certificate, &name));
        }
        if !store.anchors().is_empty() {
            drop(old_devices_of(store).verify_client_cert(certificate.der(), intermediates, NOW));
        }
    }
}

fn check_refusal(
    store: &TrustStore,
    certificate: &Certificate,
    intermediates: &[CertificateDer<'_>],
    usage: Usage,
) {
    let plain = store.validate(certificate, intermediates, usage, NOW);
    if let Err(error) = &plain {
        let failure = error.diagnose();
        assert!(!failure.cause.is_empty() && !failure.remedy.is_empty());
    }
    let checked = store.validate_unrevoked(certificate, intermediates, usage, NOW, no_lists());
    assert!(
        plain.is_ok() || checked == plain,
        "another refusal because revocation is asked for too"
    );
    assert!(
        !matches!(checked, Err(TrustError::Revoked { .. })),
        "revoked by no list"
    );
}

/// What a certificate may be wanted for.
const USAGES: [Usage; 3] = [Usage::Client, Usage::Server, Usage::CmcResponder];

/// Revocation is asked for, and nobody has a list.
fn no_lists() -> &'static RevocationCheck {
    static CHECK: OnceLock<RevocationCheck> = OnceLock::new();
    CHECK.get_or_init(|| {
        RevocationCheck::by(RevocationLists::empty("fuzz")).with_depth(RevocationDepth::Chain)
    })
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
        .get_or_init(|| old_devices_of(root_store().clone()))
        .as_ref()
}

fn old_devices_of(store: TrustStore) -> Arc<dyn ClientCertVerifier> {
    PeerVerifier::trust_store(store)
        .dangerous_accept_legacy_certificates()
        .into_client_verifier()
        .expect("the feature aws-lc-rs is on")
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
