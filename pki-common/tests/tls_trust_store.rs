//! Trust stores: reading anchors, and what is said of a certificate that is not trusted.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is wrong"
)]

mod tls_support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use pki_common::certificate::Certificate;
use pki_common::ladder::{Diagnose as _, Rung, TlsFault};
use pki_common::trust_store::{
    ExpectedName, MAX_ANCHOR_FILE_BYTES, TrustError, TrustStore, TrustStoreError, Usage,
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType};
use rustls_pki_types::UnixTime;
use tls_support::{
    Authority, DAY, days_from, localhost, mac, now, only_server_auth, openssl, read, self_signed,
};

fn pem(certificate: &Certificate) -> String {
    let body = pem_body(certificate.der());
    format!("-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n")
}

fn pem_body(der: &[u8]) -> String {
    let text = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("-----"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn reads_pem_and_der_files_and_folders_and_counts_duplicates() {
    let (first, second, third) = (
        Authority::root("One"),
        Authority::root("Two"),
        Authority::root("Three"),
    );
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("bundle.pem"),
        format!(
            "{}\n# text\n{}",
            pem(&first.certificate),
            pem(&second.certificate)
        ),
    )
    .unwrap();
    fs::write(at("one.der"), first.certificate.der()).unwrap();
    fs::write(at("README.txt"), "no certificate").unwrap();
    fs::write(at("ca.key"), "secret").unwrap();
    fs::write(at(".hidden"), "no certificate").unwrap();
    fs::create_dir(at("old")).unwrap();
    fs::write(at("old").join("three.pem"), pem(&third.certificate)).unwrap();

    let store = TrustStore::from_paths("test", [folder.path()]).unwrap();
    assert_eq!((store.len(), store.duplicates(), store.role()), (2, 1, "test"));
    let names: Vec<_> = store.anchors().iter().map(Certificate::subject).collect();
    assert_eq!(names, ["/CN=One", "/CN=Two"]);

    let store = TrustStore::from_paths(
        "test",
        [folder.path(), &at("old").join("three.pem"), &at("one.der")],
    )
    .unwrap();
    assert_eq!((store.len(), store.duplicates()), (3, 2));
}

fn load_error(path: &Path) -> TrustStoreError {
    let error = TrustStore::from_paths("test-role", [path]).unwrap_err();
    assert!(error.to_string().contains("test-role"), "{error}");
    assert!(
        error
            .to_string()
            .contains(path.file_name().unwrap().to_str().unwrap()),
        "{error}"
    );
    assert_eq!(error.diagnose().rung, Rung::Local);
    error
}

#[test]
fn names_the_role_and_the_file_that_cannot_be_an_anchor_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    assert!(matches!(
        load_error(&folder.path().join("missing")),
        TrustStoreError::Read { .. }
    ));
    assert!(matches!(
        load_error(&file("empty.pem", b"")),
        TrustStoreError::NoCertificate { .. }
    ));
    assert!(matches!(
        load_error(&file("text.pem", b"hello")),
        TrustStoreError::NoCertificate { .. }
    ));
    let truncated = b"-----BEGIN CERTIFICATE-----\nMIIB\n";
    assert!(matches!(
        load_error(&file("cut.pem", truncated)),
        TrustStoreError::BadCertificate { .. }
    ));
    assert!(matches!(
        load_error(&file("cut.der", &[0x30, 0x82, 1, 0])),
        TrustStoreError::BadCertificate { .. }
    ));
    let limit = usize::try_from(MAX_ANCHOR_FILE_BYTES).unwrap();
    assert!(matches!(
        load_error(&file("big.pem", &vec![b'x'; limit + 1])),
        TrustStoreError::FileTooLarge { .. }
    ));
    // One bad file in a folder is named, and none of the folder is taken.
    let good = Authority::root("Good");
    let mixed = folder.path().join("mixed");
    fs::create_dir(&mixed).unwrap();
    fs::write(mixed.join("a.pem"), pem(&good.certificate)).unwrap();
    fs::write(mixed.join("b.pem"), "damaged").unwrap();
    let error = TrustStore::from_paths("test-role", [&mixed]).unwrap_err();
    assert!(error.to_string().contains("b.pem"), "{error}");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(matches!(
        load_error(&empty),
        TrustStoreError::NoCertificate { .. }
    ));
}

#[test]
fn prints_both_times_and_the_skew_of_a_certificate_that_is_not_valid_now() {
    let time = |text: u64| UnixTime::since_unix_epoch(Duration::from_secs(text));
    let noon = 1_795_262_400; // 2026-11-21T12:00:00Z
    let root = Authority::root("Root");
    let peer = root.issue("peer", &[], |parameters| {
        parameters.not_before = time::OffsetDateTime::from_unix_timestamp(noon).unwrap();
        parameters.not_after = time::OffsetDateTime::from_unix_timestamp(noon + 86_400).unwrap();
    });
    let noon = u64::try_from(noon).unwrap();
    let store = root.store("test");
    let validate = |now| store.validate(peer.certificate(), &[], Usage::Client, now);
    let early = validate(time(noon - 2 * 3600 - 14 * 60)).unwrap_err();
    for part in [
        "2026-11-21T12:00:00Z",
        "2026-11-21T09:46:00Z",
        "becomes valid in 2 h 14 min",
        "/CN=peer",
    ] {
        assert!(early.to_string().contains(part), "{early}");
    }
    assert_eq!(early.diagnose().rung, Rung::Tls(TlsFault::Time));
    assert!(
        early
            .diagnose()
            .remedy
            .contains("Is the clock of this machine behind?")
    );
    assert_eq!(validate(time(noon)), Ok(()));
    assert_eq!(validate(time(noon + DAY)), Ok(()));
    let late = validate(time(noon + 3 * DAY)).unwrap_err();
    for part in ["2026-11-22T12:00:00Z", "2026-11-24T12:00:00Z", "expired 2 d ago"] {
        assert!(late.to_string().contains(part), "{late}");
    }
}

#[test]
fn says_which_issuer_is_missing() {
    let root = Authority::root("Root");
    let upper = root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    let peer = lower.issue("peer", &[], |_| {});
    let store = root.store("test");
    let missing = |intermediates: &[&Certificate]| {
        let chain: Vec<_> = intermediates
            .iter()
            .map(|certificate| certificate.der().clone())
            .collect();
        match store.validate(peer.certificate(), &chain, Usage::Client, now()) {
            Err(TrustError::UnknownIssuer { missing_issuer, .. }) => Some(missing_issuer),
            Ok(()) => None,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(missing(&[]).as_deref(), Some("/CN=Lower"));
    assert_eq!(missing(&[&lower.certificate]).as_deref(), Some("/CN=Upper"));
    assert_eq!(missing(&[&upper.certificate]).as_deref(), Some("/CN=Lower"));
    assert_eq!(missing(&[&upper.certificate, &lower.certificate]), None);
}

#[test]
fn tells_an_issuer_of_the_same_name_but_another_key_from_a_missing_one() {
    let peer = Authority::root("Root").issue("peer", &[], |_| {});
    let namesake = Authority::root("Root");
    let error = namesake
        .store("test")
        .validate(peer.certificate(), &[], Usage::Client, now())
        .unwrap_err();
    assert!(matches!(error, TrustError::AnchorHasAnotherKey { .. }), "{error}");
    let tried = namesake
        .certificate
        .key_hash(pki_common::HashAlgorithm::Sha256)
        .to_string();
    let text = error.to_string();
    assert!(text.contains("/CN=Root") && text.contains(&tried), "{text}");
    let remedy = pki_common::Diagnose::diagnose(&error).remedy;
    assert!(remedy.contains("add the new root"), "{remedy}");
}

#[test]
fn tells_a_self_signed_certificate_from_a_missing_issuer_and_trusts_it_when_it_is_an_anchor() {
    let peer = self_signed();
    let root = Authority::root("Root");
    let mut store = (*root.store("test")).clone();
    let error = store
        .validate(peer.certificate(), &[], Usage::Server, now())
        .unwrap_err();
    assert!(
        matches!(error, TrustError::SelfSignedNotTrusted { anchors: 1, .. }),
        "{error}"
    );
    assert!(store.add(peer.certificate()).unwrap());
    assert!(!store.add(peer.certificate()).unwrap());
    assert_eq!(
        store.validate(peer.certificate(), &[], Usage::Server, now()),
        Ok(())
    );
    let late = store
        .validate(peer.certificate(), &[], Usage::Server, days_from(now(), 4000))
        .unwrap_err();
    assert!(matches!(late, TrustError::Expired { .. }), "{late}");
    // The key of another self-signed certificate with the same name is not trusted.
    let twin = self_signed();
    let error = store
        .validate(twin.certificate(), &[], Usage::Server, now())
        .unwrap_err();
    assert!(
        matches!(error, TrustError::SelfSignedNotTrusted { .. }),
        "{error}"
    );
}

/// rustls-webpki takes whatever it is given for an authority: the owner of a pinned certificate could pose as anybody.
#[test]
fn a_pinned_certificate_that_is_no_authority_vouches_for_nobody_else() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Pinned");
    let pinned = Certificate::from_der(parameters.self_signed(&key).unwrap().der()).unwrap();
    let issuer = rcgen::Issuer::new(parameters, key);
    let mut wanted = CertificateParams::default();
    localhost(&mut wanted);
    let other_key = rcgen::KeyPair::generate().unwrap();
    let forged = wanted.signed_by(&other_key, &issuer).unwrap();
    let forged = Certificate::from_der(forged.der()).unwrap();

    let mut store = TrustStore::empty("peers");
    store.add(&pinned).unwrap();
    assert_eq!(store.validate(&pinned, &[], Usage::Server, now()), Ok(()));
    let error = store.validate(&forged, &[], Usage::Server, now()).unwrap_err();
    assert!(matches!(error, TrustError::Path { .. }), "{error}");
    assert!(
        error.to_string().contains("/CN=Pinned") && error.to_string().contains("vouches for itself only"),
        "{error}"
    );
    // Presented in the chain as well, it is still no authority.
    let error = store
        .validate(&forged, &[pinned.der().clone()], Usage::Server, now())
        .unwrap_err();
    assert!(!matches!(error, TrustError::WrongName { .. }), "{error}");
}

#[test]
fn a_critical_extension_that_is_not_known_refuses_a_pinned_certificate_too() {
    let pinned = |critical| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        let mut extension =
            rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        extension.set_criticality(critical);
        parameters.custom_extensions.push(extension);
        Certificate::from_der(parameters.self_signed(&key).unwrap().der()).unwrap()
    };
    for (critical, accepted) in [(false, true), (true, false)] {
        let certificate = pinned(critical);
        let mut store = TrustStore::empty("peers");
        store.add(&certificate).unwrap();
        let outcome = store.validate(&certificate, &[], Usage::Server, now());
        assert_eq!(outcome.is_ok(), accepted, "{outcome:?}");
    }
}

#[test]
fn a_certificate_serves_only_the_purpose_it_names() {
    let root = Authority::root("Root");
    let store = root.store("test");
    let both = |parameters: &mut CertificateParams| {
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
    };
    let any = root.issue("any", &[], |_| {});
    for identity in [&any, &root.issue("both", &[], both)] {
        for usage in [Usage::Client, Usage::Server] {
            assert_eq!(store.validate(identity.certificate(), &[], usage, now()), Ok(()));
        }
    }
    let server = root.issue("server", &[], only_server_auth);
    assert_eq!(
        store.validate(server.certificate(), &[], Usage::Server, now()),
        Ok(())
    );
    let error = store
        .validate(server.certificate(), &[], Usage::Client, now())
        .unwrap_err();
    assert!(
        matches!(&error, TrustError::WrongPurpose { presented, .. } if presented == &["serverAuth"]),
        "{error}"
    );
    // The same for a certificate that is trusted as it is.
    let mut pinned = TrustStore::empty("test");
    pinned.add(server.certificate()).unwrap();
    let error = pinned
        .validate(server.certificate(), &[], Usage::Client, now())
        .unwrap_err();
    assert!(matches!(error, TrustError::WrongPurpose { .. }), "{error}");
}

#[test]
fn names_are_matched_where_they_belong_and_listed_when_they_are_wrong() {
    let root = Authority::root("Root");
    let named = root.issue("lab-dc-0050569c3489", &[], |parameters| {
        localhost(parameters);
        parameters
            .subject_alt_names
            .push(SanType::DnsName("*.lab.example".try_into().unwrap()));
        parameters
            .subject_alt_names
            .push(SanType::IpAddress("192.0.2.7".parse().unwrap()));
    });
    let server = |name: &str| ExpectedName::server(name).unwrap();
    let common_name = |name: &str| ExpectedName::CommonName(name.to_owned());
    let store = root.store("test");
    let check = |name: &ExpectedName| store.check_name(named.certificate(), name);
    for good in [
        server("localhost"),
        server("LOCALHOST"),
        server("dc.lab.example"),
        server("192.0.2.7"),
        common_name("lab-dc-0050569c3489"),
        ExpectedName::Mac(mac()),
    ] {
        assert_eq!(check(&good), Ok(()), "{good}");
    }
    for bad in [
        server("lab-dc-0050569c3489"),
        server("a.b.lab.example"),
        server("192.0.2.8"),
        common_name("lab-dc"),
        common_name("LAB-DC-0050569c3489"),
        ExpectedName::Mac([2; 6].into()),
    ] {
        let error = check(&bad).unwrap_err();
        let text = error.to_string();
        for part in [
            "DNS:localhost",
            "DNS:*.lab.example",
            "IP:192.0.2.7",
            "CN=lab-dc-0050569c3489",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.diagnose().rung, Rung::Tls(TlsFault::Name));
    }
}

#[test]
fn refuses_what_is_too_old_to_be_safe_and_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, arguments: &[&str]| {
        let mut all = vec![
            "req",
            "-x509",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=Old-0050569c3489",
        ];
        all.extend(["-keyout", "key.pem", "-out", name]);
        all.extend(arguments);
        openssl(folder.path(), &all).map(|_| Certificate::from_pem(&read(folder.path(), name)).unwrap())
    };
    for (name, arguments, weakness) in [
        ("sha1.pem", ["-newkey", "rsa:2048", "-sha1"], "SHA-1"),
        ("short.pem", ["-newkey", "rsa:1024", "-sha256"], "1024 bits"),
    ] {
        let Some(certificate) = make(name, &arguments) else {
            return;
        };
        let mut store = TrustStore::empty("test");
        store.add(&certificate).unwrap();
        let error = store
            .validate(&certificate, &[], Usage::Client, now())
            .unwrap_err();
        assert!(matches!(&error, TrustError::Legacy { .. }), "{error}");
        assert!(error.to_string().contains(weakness), "{error}");
        assert!(
            error
                .diagnose()
                .remedy
                .contains("dangerous_accept_legacy_certificates")
        );
    }
    // An authority's certificate made by openssl is a fine anchor, and trusted as it is.
    let Some(current) = make("current.pem", &["-newkey", "rsa:2048", "-sha256"]) else {
        return;
    };
    let mut store = TrustStore::empty("test");
    store.add(&current).unwrap();
    assert_eq!(store.validate(&current, &[], Usage::Client, now()), Ok(()));
}
