//! Identities: made, loaded in every form openssl writes, refused when the parts do not fit.

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

use pki_common::authlist::{AuthList, AuthListFormat};
use pki_common::certificate::{CertificateType, EcCurve, KeyType};
use pki_common::identity::{Identity, IdentityError, NewKey, SelfSigned, generate_key};
use pki_common::ladder::{Diagnose as _, Rung};
use pki_common::trust_store::ExpectedName;
use rustls_pki_types::UnixTime;
use tls_support::{Authority, mac, openssl, read, self_signed, self_signed_at};

#[test]
fn makes_self_signed_certificates_with_the_mac_address_in_the_common_name() {
    let time = UnixTime::since_unix_epoch(Duration::from_secs(1_795_262_400));
    for (key, key_type) in [
        (NewKey::EcP256, KeyType::Ec { curve: EcCurve::P256 }),
        (NewKey::EcP384, KeyType::Ec { curve: EcCurve::P384 }),
        (NewKey::Rsa2048, KeyType::Rsa { bits: 2048 }),
    ] {
        let identity = Identity::self_signed(SelfSigned {
            organization: Some("Example".to_owned()),
            common_name_prefix: "LOC".to_owned(),
            subject_alternative_names: vec!["localhost".to_owned(), "192.0.2.7".to_owned()],
            key,
            now: time,
            backdate: Duration::from_secs(3600),
            validity: Duration::from_secs(7200),
            ..SelfSigned::new(mac())
        })
        .unwrap();
        let certificate = identity.certificate();
        assert_eq!(certificate.subject(), "/O=Example/CN=LOC-0050569c3489");
        assert_eq!(certificate.subject_mac(), Some(mac()));
        assert_eq!(certificate.key_type(), &key_type);
        assert!(certificate.is_self_signed());
        assert_eq!(certificate.certificate_type(), CertificateType::Ssc);
        assert_eq!(certificate.not_before().as_secs(), time.as_secs() - 3600);
        assert_eq!(certificate.not_after().as_secs(), time.as_secs() + 7200);
        for name in ["localhost", "192.0.2.7"] {
            assert_eq!(ExpectedName::server(name).unwrap().check(certificate), Ok(()));
        }
    }
}

#[test]
fn refuses_a_common_name_that_no_certificate_can_have() {
    let parameters = SelfSigned {
        common_name_prefix: "x".repeat(60),
        ..SelfSigned::new(mac())
    };
    let error = Identity::self_signed(parameters).unwrap_err();
    assert!(error.to_string().contains("73 characters"), "{error}");
}

#[test]
fn prints_itself_in_the_shape_that_an_authlist_imports() {
    let identity = self_signed();
    let text = identity.server_auth_info();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "Server Auth Info");
    assert_eq!(lines[3], "MAC Address: 00:50:56:9c:34:89");
    assert_eq!(lines[6], "Certificate Type: SSC");
    let list = AuthList::import(AuthListFormat::ServerAuthInfo, &text).unwrap();
    list.check(identity.certificate(), CertificateType::Ssc).unwrap();
    list.check(self_signed().certificate(), CertificateType::Ssc)
        .unwrap_err();
}

#[test]
fn saves_and_loads_an_identity_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    for kind in [NewKey::EcP256, NewKey::Rsa2048] {
        let identity = self_signed_at(UnixTime::now(), kind);
        identity.save(&certificate, &key).unwrap();
        let loaded = Identity::load(&certificate, &key).unwrap();
        assert_eq!(loaded.certificate(), identity.certificate());
        assert_eq!(*loaded.private_key_pem(), *identity.private_key_pem());
        let secret = fs::read_to_string(&key)
            .unwrap()
            .lines()
            .nth(1)
            .unwrap()
            .to_owned();
        assert!(!format!("{identity:?}").contains(&secret));
        if openssl(folder.path(), &["pkey", "-in", "key.pem", "-check", "-noout"]).is_some() {
            openssl(
                folder.path(),
                &["x509", "-in", "cert.pem", "-noout", "-checkend", "60"],
            );
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn loads_a_chain_and_sends_it_whole() {
    let root = Authority::root("Root");
    let sub = root.intermediate("Sub");
    let identity = sub.issue("peer", &[&sub.certificate], |_| {});
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("both.pem");
    fs::write(
        &both,
        format!(
            "{}{}",
            *identity.private_key_pem(),
            identity.certificate_chain_pem()
        ),
    )
    .unwrap();
    let loaded = Identity::load(&both, &both).unwrap();
    assert_eq!(loaded.chain(), identity.chain());
    assert_eq!(loaded.chain().len(), 2);
}

/// Every form in which openssl writes the private key `plain.pem` of `kind`.
fn key_forms(folder: &Path, rsa: bool) -> Option<Vec<&'static str>> {
    let run = |arguments: &[&str]| openssl(folder, arguments);
    run(&["pkey", "-in", "plain.pem", "-out", "pkcs8.pem"])?;
    run(&[
        "pkcs8",
        "-topk8",
        "-nocrypt",
        "-in",
        "plain.pem",
        "-outform",
        "DER",
        "-out",
        "pkcs8.der",
    ])?;
    run(&[
        "pkey",
        "-in",
        "plain.pem",
        "-traditional",
        "-out",
        "traditional.pem",
    ])?;
    run(&[
        "pkey",
        "-in",
        "plain.pem",
        "-traditional",
        "-outform",
        "DER",
        "-out",
        "traditional.der",
    ])?;
    let mut forms = vec!["pkcs8.pem", "pkcs8.der", "traditional.pem", "traditional.der"];
    if !rsa {
        // `openssl ecparam -genkey` writes the parameters of the curve before the key.
        run(&["ecparam", "-name", "prime256v1", "-out", "parameters.pem"])?;
        let parameters = read(folder, "parameters.pem");
        let key = read(folder, "traditional.pem");
        fs::write(folder.join("with-parameters.pem"), [parameters, key].concat()).unwrap();
        forms.push("with-parameters.pem");
    }
    Some(forms)
}

#[test]
fn loads_every_form_of_key_that_openssl_writes() {
    for (rsa, new_key) in [
        (true, ["-newkey", "rsa:2048"]),
        (false, ["-newkey", "ec:parameters.pem"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        if openssl(
            folder.path(),
            &["ecparam", "-name", "prime256v1", "-out", "parameters.pem"],
        )
        .is_none()
        {
            return;
        }
        let mut arguments = vec![
            "req",
            "-x509",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=x-0050569c3489",
        ];
        arguments.extend(["-keyout", "plain.pem", "-out", "cert.pem"]);
        arguments.extend(new_key);
        openssl(folder.path(), &arguments).unwrap();
        openssl(
            folder.path(),
            &["x509", "-in", "cert.pem", "-outform", "DER", "-out", "cert.der"],
        )
        .unwrap();
        for form in key_forms(folder.path(), rsa).unwrap() {
            for certificate in ["cert.pem", "cert.der"] {
                let loaded = Identity::load(folder.path().join(certificate), folder.path().join(form));
                let loaded = loaded.unwrap_or_else(|error| panic!("{certificate} with {form}: {error}"));
                assert_eq!(loaded.certificate().subject(), "/CN=x-0050569c3489");
                fs::write(
                    folder.path().join("again.pem"),
                    loaded.private_key_pem().as_bytes(),
                )
                .unwrap();
                openssl(folder.path(), &["pkey", "-in", "again.pem", "-check", "-noout"]).unwrap();
            }
        }
    }
}

#[test]
fn refuses_a_key_of_another_certificate_and_shows_both_hashes() {
    let (ours, other) = (self_signed(), self_signed());
    let error = Identity::from_parts(ours.chain().to_vec(), other.private_key().clone_key()).unwrap_err();
    let IdentityError::KeyMismatch {
        certificate_hash,
        key_hash,
        position_in_chain,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert!(certificate_hash.matches_spki(ours.certificate().spki_der()));
    assert!(key_hash.matches_spki(other.certificate().spki_der()));
    assert_eq!(*position_in_chain, None);
    for hash in [certificate_hash, key_hash] {
        assert!(error.to_string().contains(&hash.to_string()), "{error}");
    }
    assert_eq!(error.diagnose().rung, Rung::Local);

    // A chain in the wrong order is recognised.
    let root = Authority::root("Root");
    let issued = root.issue("peer", &[&root.certificate], |_| {});
    let mut reversed = issued.chain().to_vec();
    reversed.reverse();
    let error = Identity::from_parts(reversed, issued.private_key().clone_key()).unwrap_err();
    assert!(error.to_string().contains("certificate number 2"), "{error}");
}

#[test]
fn names_the_file_that_is_missing_empty_or_of_another_kind() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    self_signed().save(at("cert.pem"), at("key.pem")).unwrap();
    fs::write(at("empty.pem"), "").unwrap();
    fs::write(at("cut.der"), [0x30, 0x03, 0x02]).unwrap();
    let load = |certificate: &str, key: &str| Identity::load(at(certificate), at(key)).unwrap_err();
    assert!(matches!(
        load("missing.pem", "key.pem"),
        IdentityError::Read { .. }
    ));
    assert!(matches!(
        load("empty.pem", "key.pem"),
        IdentityError::NoCertificate { .. }
    ));
    assert!(matches!(
        load("key.pem", "key.pem"),
        IdentityError::NoCertificate { .. }
    ));
    assert!(matches!(
        load("cut.der", "key.pem"),
        IdentityError::BadCertificate { .. }
    ));
    let error = load("cert.pem", "cert.pem");
    assert!(
        matches!(&error, IdentityError::NoPrivateKey { found, .. } if found.len() == 1),
        "{error}"
    );
    assert!(matches!(
        load("cert.pem", "cut.der"),
        IdentityError::Damaged { .. }
    ));
    assert!(matches!(
        Identity::from_parts(Vec::new(), key()).unwrap_err(),
        IdentityError::EmptyChain
    ));
}

fn key() -> rustls_pki_types::PrivateKeyDer<'static> {
    generate_key(NewKey::default()).unwrap().into()
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_loading_panic(certificate: Vec<u8>, key: Vec<u8>) {
        Identity::from_bytes(&certificate, &key, "the test").unwrap_err();
        let genuine = self_signed_once();
        Identity::from_bytes(genuine.as_bytes(), &key, "the test").unwrap_err();
        Identity::from_bytes(genuine.as_bytes(), &[&[0x30], key.as_slice()].concat(), "the test").unwrap_err();
    }
}

fn self_signed_once() -> &'static str {
    static CHAIN: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| self_signed().certificate_chain_pem());
    &CHAIN
}
