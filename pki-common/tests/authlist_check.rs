//! Who is admitted, and with which words everyone else is refused.

use std::path::Path;
use std::thread;

use pki_common::authlist::{
    AuthList, AuthListConflict, AuthListEntry, AuthListRefusal, AuthListType, SharedAuthList,
};
use pki_common::certificate::{Certificate, CertificateType};
use pki_common::{Alert, Diagnose as _, HashAlgorithm, KeyHash, MacAddr, Rung, Side, TlsFault};

use AuthListType::{LbsSsc, Lsc, Mic, Sha256LbsSsc, Ssc};
use HashAlgorithm::{Sha1, Sha256};

fn certificate(name: &str) -> Certificate {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/certificates");
    Certificate::from_pem(&std::fs::read(folder.join(name).with_extension("pem")).expect("test data"))
        .expect("test data")
}

fn list(entries: &[(AuthListType, MacAddr, Option<KeyHash>)]) -> AuthList {
    let mut list = AuthList::new();
    for (list_type, mac, key_hash) in entries {
        let entry = AuthListEntry {
            mac: *mac,
            list_type: *list_type,
            key_hash: *key_hash,
        };
        assert_eq!(list.insert(entry), Ok(true));
    }
    list
}

/// The location server with a self-signed certificate.
fn server() -> (Certificate, MacAddr) {
    let certificate = certificate("rsa2048-sha256");
    let mac = certificate.subject_mac().expect("test data");
    (certificate, mac)
}

#[test]
fn admits_by_sha256_by_sha1_and_by_mac_alone() {
    let (server, mac) = server();
    let lsc = certificate("lsc");
    let lsc_mac = lsc.subject_mac().unwrap();
    let mic = certificate("mic-by-name");
    let mic_mac = mic.subject_mac().unwrap();
    for (certificate, validated_as, mac, list_type, key_hash) in [
        (
            &server,
            CertificateType::Ssc,
            mac,
            LbsSsc,
            Some(server.key_hash(Sha1)),
        ),
        (
            &server,
            CertificateType::Ssc,
            mac,
            Sha256LbsSsc,
            Some(server.key_hash(Sha256)),
        ),
        (
            &server,
            CertificateType::Ssc,
            mac,
            Ssc,
            Some(server.key_hash(Sha1)),
        ),
        (&lsc, CertificateType::Lsc, lsc_mac, Lsc, None),
        (
            &lsc,
            CertificateType::Lsc,
            lsc_mac,
            Lsc,
            Some(lsc.key_hash(Sha256)),
        ),
        (&mic, CertificateType::Mic, mic_mac, Mic, None),
        (&mic, CertificateType::Mic, mic_mac, Mic, Some(mic.key_hash(Sha1))),
    ] {
        let list = list(&[(list_type, mac, key_hash)]);
        let admitted = list.check(certificate, validated_as).unwrap();
        assert_eq!(
            *admitted,
            AuthListEntry {
                mac,
                list_type,
                key_hash
            }
        );
    }
}

#[test]
fn the_strongest_digest_decides_alone() {
    let (server, mac) = server();
    let wrong = KeyHash::Sha256([7; 32]);
    let with_wrong_sha256 = list(&[
        (LbsSsc, mac, Some(server.key_hash(Sha1))),
        (Sha256LbsSsc, mac, Some(wrong)),
    ]);
    assert_eq!(
        with_wrong_sha256.check(&server, CertificateType::Ssc),
        Err(AuthListRefusal::KeyHashMismatch {
            mac,
            presented: CertificateType::Ssc,
            key_hash: server.key_hash(Sha256),
            expected: wrong
        })
    );
    let with_wrong_sha1 = list(&[
        (LbsSsc, mac, Some(KeyHash::Sha1([7; 20]))),
        (Sha256LbsSsc, mac, Some(server.key_hash(Sha256))),
    ]);
    assert!(with_wrong_sha1.check(&server, CertificateType::Ssc).is_ok());
    // An entry with a hash decides over one without.
    let lsc = certificate("lsc");
    let lsc_mac = lsc.subject_mac().unwrap();
    let pinned = list(&[(Lsc, lsc_mac, None), (Lsc, lsc_mac, Some(KeyHash::Sha1([7; 20])))]);
    assert!(matches!(
        pinned.check(&lsc, CertificateType::Lsc),
        Err(AuthListRefusal::KeyHashMismatch { .. })
    ));
}

#[test]
fn an_entry_of_another_type_does_not_decide() {
    let (server, mac) = server();
    let list = list(&[
        (Lsc, mac, Some(KeyHash::Sha256([7; 32]))),
        (LbsSsc, mac, Some(server.key_hash(Sha1))),
    ]);
    assert!(list.check(&server, CertificateType::Ssc).is_ok());
}

#[test]
fn keeps_the_classes_of_refusal_apart() {
    let (server, mac) = server();
    let forged = certificate("forged-self-issued");
    assert_eq!(forged.subject_mac(), Some(mac));
    let sha256 = Some(server.key_hash(Sha256));
    let wrong = Some(KeyHash::Sha1([0xab; 20]));
    for (list, certificate, expected) in [
        (
            AuthList::new(),
            &server,
            format!(
                "the authlist has no entry for {mac}, which presented a valid SSC with key hash {}",
                server.key_hash(Sha256)
            ),
        ),
        (
            list(&[(LbsSsc, mac, wrong)]),
            &server,
            format!(
                "the authlist entry for {mac} pins another key: the presented SSC has the SHA-1 key hash {}, the \
                 entry expects abababababababababababababababababababab",
                server.key_hash(Sha1)
            ),
        ),
        (
            list(&[(Sha256LbsSsc, mac, sha256)]),
            &forged,
            format!(
                "the authlist admits a self-signed certificate for {mac}, but the presented SSC with key hash {} is \
                 not verifiable: its own key did not sign it",
                forged.key_hash(Sha256)
            ),
        ),
        (
            list(&[(Mic, mac, None), (Lsc, mac, sha256)]),
            &server,
            format!(
                "the authlist admits {mac} as mic, lsc, but the presented certificate is a SSC with key hash {}",
                server.key_hash(Sha256)
            ),
        ),
        (
            list(&[(Mic, mac, None)]),
            &certificate("utf8"),
            r#"the authlist cannot be asked: the subject "/O=Ex\\xC3\\xA4mple/CN=Z\\xC3\\xBCrich" has no MAC address at the end of its common name"#
                .to_owned(),
        ),
    ] {
        let refusal = list.check(certificate, CertificateType::Ssc).unwrap_err();
        assert_eq!(refusal.to_string(), expected);
        let failure = refusal.diagnose();
        assert_eq!(failure.rung, Rung::Tls(TlsFault::AuthList));
        assert_eq!((failure.refused_by, failure.alert), (Some(Side::Local), Some(Alert::CERTIFICATE_UNKNOWN)));
        let text = failure.to_string();
        assert!(text.contains("authlist"), "{text}");
        assert!(!text.contains("no certificate"), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}

#[test]
fn refuses_entries_that_contradict_each_other_or_lack_their_hash() {
    let (server, mac) = server();
    let entry = |list_type, key_hash| AuthListEntry {
        mac,
        list_type,
        key_hash,
    };
    let sha1 = Some(server.key_hash(Sha1));
    let mut list = AuthList::new();
    assert_eq!(list.insert(entry(LbsSsc, sha1)), Ok(true));
    assert_eq!(list.insert(entry(LbsSsc, sha1)), Ok(false));
    // The same key under another word of the same certificate type is no contradiction.
    assert_eq!(list.insert(entry(Ssc, sha1)), Ok(true));
    let other = entry(Ssc, Some(KeyHash::Sha1([1; 20])));
    assert!(matches!(
        list.insert(other),
        Err(AuthListConflict::Contradiction { refused, .. }) if refused == other
    ));
    for list_type in [Ssc, LbsSsc, Sha256LbsSsc] {
        assert_eq!(
            list.insert(entry(list_type, None)),
            Err(AuthListConflict::KeyHashMissing { mac, list_type })
        );
    }
    assert_eq!(
        list.insert(entry(Sha256LbsSsc, sha1)),
        Err(AuthListConflict::WrongAlgorithm {
            mac,
            list_type: Sha256LbsSsc,
            found: Sha1,
            expected: Sha256
        })
    );
    assert_eq!(list.len(), 2);
    assert_eq!(list.iter().count(), 2);
    assert_eq!(list.remove(mac), 2);
    assert_eq!(list.remove(mac), 0);
    assert!(list.is_empty());
}

#[test]
fn the_order_of_entries_does_not_matter() {
    let (server, mac) = server();
    let mut entries = vec![
        (Mic, mac, None),
        (Lsc, mac, Some(server.key_hash(Sha256))),
        (Lsc, mac, Some(server.key_hash(Sha1))),
        (LbsSsc, mac, Some(server.key_hash(Sha1))),
    ];
    let forward = list(&entries);
    entries.reverse();
    assert_eq!(forward, list(&entries));
}

#[test]
fn a_shared_list_is_replaced_for_everyone_at_once() {
    let (server, mac) = server();
    let shared = SharedAuthList::new(AuthList::new());
    let seen_by_a_connection = shared.clone();
    let during_the_handshake = shared.load();
    thread::spawn(move || shared.replace(list(&[(LbsSsc, mac, Some(server.key_hash(Sha1)))])))
        .join()
        .unwrap();
    assert_eq!(seen_by_a_connection.load().len(), 1);
    assert!(during_the_handshake.is_empty());
}
