//! Private keys at rest: encrypted ones that openssl reads and writes, and every kind of new key.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod tls_support;

use std::fs;
use std::path::Path;

use pki_common::Diagnose as _;
use pki_common::identity::{
    Identity, IdentityError, NewKey, SelfSigned, encrypted_private_key_der, encrypted_private_key_pem,
    generate_key, load_private_key, parse_private_key, private_key_pem,
};
use rustls_pki_types::PrivateKeyDer;
use tls_support::{mac, openssl, self_signed};

const PASSPHRASE: &str = "correct horse / größer";

fn run(folder: &Path, line: &[&str]) -> Option<String> {
    openssl(folder, line)
}

#[test]
fn an_encrypted_identity_is_loaded_again_by_its_passphrase_only() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let identity = self_signed();
    identity
        .save_encrypted(&certificate, &key, PASSPHRASE.as_bytes())
        .unwrap();
    let text = fs::read_to_string(&key).unwrap();
    assert!(
        text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
        "{text}"
    );
    let loaded = Identity::load_encrypted(&certificate, &key, PASSPHRASE.as_bytes()).unwrap();
    assert_eq!(loaded.private_key(), identity.private_key());

    assert!(matches!(
        Identity::load(&certificate, &key),
        Err(IdentityError::EncryptedPrivateKey { .. })
    ));
    for wrong in ["", "correct horse", "correct horse / größer\n"] {
        let error = load_private_key(&key, Some(wrong.as_bytes())).unwrap_err();
        assert!(matches!(error, IdentityError::WrongPassphrase { .. }), "{error}");
        assert!(!format!("{error}{}", error.diagnose()).contains("horse"));
    }
}

#[test]
fn a_passphrase_given_for_a_plain_key_is_not_needed() {
    let identity = self_signed();
    let pem = identity.private_key_pem();
    let key = parse_private_key(pem.as_bytes(), Some(b"unused"), "k.pem").unwrap();
    assert_eq!(&key, identity.private_key());
}

#[test]
fn openssl_reads_what_we_encrypt() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let identity = self_signed();
    fs::write(at.join("plain.pem"), identity.private_key_pem().as_bytes()).unwrap();
    let pem = encrypted_private_key_pem(identity.private_key(), PASSPHRASE.as_bytes()).unwrap();
    fs::write(at.join("ours.pem"), pem).unwrap();
    let der = encrypted_private_key_der(identity.private_key(), PASSPHRASE.as_bytes()).unwrap();
    fs::write(at.join("ours.der"), der).unwrap();
    let Some(expected) = run(at, &["pkey", "-in", "plain.pem"]) else {
        return;
    };
    let passphrase = format!("pass:{PASSPHRASE}");
    for arguments in [
        vec!["pkey", "-in", "ours.pem", "-passin", &*passphrase],
        vec![
            "pkey",
            "-inform",
            "DER",
            "-in",
            "ours.der",
            "-passin",
            &*passphrase,
        ],
    ] {
        assert_eq!(run(at, &arguments).as_ref(), Some(&expected), "{arguments:?}");
    }
    let parsed = run(at, &["asn1parse", "-in", "ours.pem"]).unwrap();
    for name in ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc"] {
        assert!(parsed.contains(name), "{name}: {parsed}");
    }
}

#[test]
fn we_read_what_openssl_encrypts() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let identity = self_signed();
    fs::write(at.join("plain.pem"), identity.private_key_pem().as_bytes()).unwrap();
    let passphrase = format!("pass:{PASSPHRASE}");
    for options in [
        vec![],
        vec!["-v2", "aes-128-cbc"],
        vec!["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"],
        vec!["-v2", "aes-256-cbc", "-iter", "100000"],
        vec!["-scrypt"],
    ] {
        for form in ["PEM", "DER"] {
            let mut arguments = vec![
                "pkcs8",
                "-topk8",
                "-in",
                "plain.pem",
                "-out",
                "theirs",
                "-outform",
                form,
            ];
            arguments.extend(["-passout", &*passphrase]);
            arguments.extend(&options);
            if run(at, &arguments).is_none() {
                return;
            }
            let key = load_private_key(at.join("theirs"), Some(PASSPHRASE.as_bytes()));
            assert_eq!(key.as_ref(), Ok(identity.private_key()), "{arguments:?}");
        }
    }
}

#[test]
fn an_encryption_that_is_too_weak_is_refused_with_the_command_that_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("plain.pem"), self_signed().private_key_pem().as_bytes()).unwrap();
    for arguments in [
        vec![
            "pkey",
            "-in",
            "plain.pem",
            "-traditional",
            "-aes128",
            "-out",
            "old.pem",
        ],
        vec![
            "pkcs8",
            "-topk8",
            "-v1",
            "PBE-SHA1-3DES",
            "-in",
            "plain.pem",
            "-out",
            "old.pem",
        ],
        vec![
            "pkcs8",
            "-topk8",
            "-v2",
            "des3",
            "-in",
            "plain.pem",
            "-out",
            "old.pem",
        ],
    ] {
        let arguments = [arguments, vec!["-passout", "pass:secret"]].concat();
        if run(at, &arguments).is_none() {
            return;
        }
        let error = load_private_key(at.join("old.pem"), Some(b"secret")).unwrap_err();
        assert!(
            matches!(error, IdentityError::UnsupportedEncryption { .. }),
            "{error}"
        );
        let told = error.diagnose();
        assert!(
            told.remedy.contains("openssl pkcs8 -topk8 -v2 aes-256-cbc"),
            "{told}"
        );
    }
}

#[test]
fn keys_of_openssls_older_forms_are_encrypted_as_pkcs8() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for kind in [NewKey::EcP256, NewKey::EcP384, NewKey::Rsa2048] {
        let key = PrivateKeyDer::from(generate_key(kind).unwrap());
        fs::write(at.join("plain.pem"), private_key_pem(&key).as_bytes()).unwrap();
        if run(
            at,
            &["pkey", "-in", "plain.pem", "-traditional", "-out", "old.pem"],
        )
        .is_none()
        {
            return;
        }
        let old = load_private_key(at.join("old.pem"), None).unwrap();
        assert!(!matches!(old, PrivateKeyDer::Pkcs8(_)), "{kind}");
        fs::write(
            at.join("new.pem"),
            encrypted_private_key_pem(&old, b"secret").unwrap(),
        )
        .unwrap();
        let read = run(at, &["pkey", "-in", "new.pem", "-passin", "pass:secret"]);
        assert_eq!(read, run(at, &["pkey", "-in", "plain.pem"]), "{kind}");
    }
}

#[test]
fn a_damaged_encrypted_key_is_refused_wherever_the_damage_is() {
    let identity = self_signed();
    let der = encrypted_private_key_der(identity.private_key(), b"secret").unwrap();
    // Every byte of the parameters costs a run of PBKDF2, so only some positions.
    for position in (0..der.len()).step_by(67) {
        let mut damaged = der.clone();
        *damaged.get_mut(position).unwrap() ^= 0x81;
        if let Ok(key) = parse_private_key(&damaged, Some(b"secret"), "k.der") {
            // CBC has no check of its own: damage in the middle may leave a key that parses, which its
            // certificate then refuses.
            assert!(
                Identity::from_parts(identity.chain().to_vec(), key).is_err(),
                "byte {position}"
            );
        }
    }
}

#[test]
fn every_kind_of_new_key_signs_a_certificate_and_is_read_by_openssl() {
    let folder = tempfile::tempdir().unwrap();
    for kind in NewKey::ALL {
        let made = Identity::self_signed(SelfSigned {
            key: kind,
            ..SelfSigned::new(mac())
        });
        if cfg!(not(feature = "aws-lc-rs")) && kind == NewKey::EcP521 {
            assert!(
                matches!(made, Err(IdentityError::CannotGenerate { .. })),
                "{made:?}"
            );
            continue;
        }
        let identity = made.unwrap();
        assert!(identity.certificate().is_self_signed(), "{kind}");
        assert_eq!(kind.name().parse(), Ok(kind));
        identity
            .save(folder.path().join("c.pem"), folder.path().join("k.pem"))
            .unwrap();
        let Some(text) = run(folder.path(), &["pkey", "-in", "k.pem", "-noout", "-text"]) else {
            continue;
        };
        let described = match kind {
            NewKey::EcP256 => "P-256",
            NewKey::EcP384 => "P-384",
            NewKey::EcP521 => "P-521",
            NewKey::Ed25519 => "ED25519",
            NewKey::Rsa2048 => "2048 bit",
            NewKey::Rsa3072 => "3072 bit",
            NewKey::Rsa4096 => "4096 bit",
            _ => unreachable!("all kinds are listed"),
        };
        assert!(text.contains(described), "{kind}: {text}");
    }
}

#[test]
fn a_kind_of_key_that_does_not_exist_is_refused_with_those_that_do() {
    let error = "rsa-1024".parse::<NewKey>().unwrap_err();
    assert!(
        error.to_string().contains("rsa-1024") && error.to_string().contains("ec-p256"),
        "{error}"
    );
}
