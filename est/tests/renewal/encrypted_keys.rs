//! Private keys that are encrypted on the disk (PKCS#8, PBES2).

use std::fs;
use std::path::Path;
use std::time::Duration;

use est::renewal::folder::{FolderError, IdentityFolder, PendingRequest};
use est::request::KeyAndRequest;
use pki_common::Diagnose as _;
use pki_common::identity::{Identity, NewKey, Passphrase, SelfSigned, load_private_key};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

fn passphrase(text: &str) -> Option<Passphrase> {
    Some(Passphrase::new(text).unwrap())
}

fn identity() -> Identity {
    let mut parameters = SelfSigned::new("00:50:56:9c:34:89".parse().unwrap());
    parameters.key = NewKey::EcP256;
    parameters.validity = Duration::from_secs(86_400);
    Identity::self_signed(parameters).unwrap()
}

fn locked(path: &Path) -> IdentityFolder {
    IdentityFolder::new(path.to_path_buf()).with_passphrase(passphrase("correct horse"))
}

/// Every file below that has a private key in the clear.
fn in_the_clear(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(in_the_clear(&path));
        } else if fs::read_to_string(&path).unwrap().contains("BEGIN PRIVATE KEY") {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn every_key_is_written_encrypted_and_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let folder = locked(directory.path());
    let made = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    let request = PendingRequest {
        key: made.private_key().clone_key(),
        csr_der: made.csr_der().to_vec(),
    };
    folder.keep_pending(&request).unwrap();
    assert_eq!(in_the_clear(directory.path()), Vec::<String>::new());
    let kept = folder.pending().unwrap().unwrap();
    assert_eq!(kept.key.secret_pkcs8_der(), request.key.secret_pkcs8_der());

    let one = identity();
    folder.install(&one, None).unwrap();
    assert_eq!(in_the_clear(directory.path()), Vec::<String>::new());
    for path in [folder.key_path(), folder.combined_path()] {
        let key = load_private_key(&path, Some(b"correct horse")).unwrap();
        assert_eq!(key.secret_der(), one.private_key().secret_der());
    }
    assert_eq!(
        folder.current().unwrap().unwrap().certificate().der(),
        one.certificate().der()
    );
    assert!(folder.recover().unwrap().is_none());
}

#[test]
fn a_key_in_the_clear_is_read_and_the_next_one_encrypted() {
    let directory = tempfile::tempdir().unwrap();
    let old = identity();
    IdentityFolder::new(directory.path().to_path_buf())
        .install(&old, None)
        .unwrap();
    let folder = locked(directory.path());
    assert_eq!(
        folder.current().unwrap().unwrap().certificate().der(),
        old.certificate().der()
    );
    folder.install(&identity(), Some(0)).unwrap();
    assert_eq!(in_the_clear(directory.path()), Vec::<String>::new());
}

#[test]
fn a_missing_or_wrong_passphrase_names_the_file_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    locked(directory.path()).install(&identity(), None).unwrap();
    let with = |passphrase| IdentityFolder::new(directory.path().to_path_buf()).with_passphrase(passphrase);
    for (given, cause) in [
        (None, "no passphrase"),
        (passphrase("battery staple"), "does not decrypt"),
    ] {
        let error = with(given.clone()).current().unwrap_err();
        assert!(matches!(error, FolderError::Locked { .. }), "{error:?}");
        let failure = error.diagnose();
        assert!(failure.cause.contains(cause), "{failure:?}");
        assert!(failure.cause.contains("key.pem"), "{failure:?}");
        assert!(failure.remedy.contains("passphrase-file"), "{failure:?}");
        assert!(
            !format!("{failure:?}{error:?}").contains("battery"),
            "{failure:?}"
        );

        // It is not taken for a version that a person has to look at: nothing is asked for anew.
        fs::remove_file(directory.path().join("current")).unwrap();
        with(given).recover().unwrap_err();
        assert!(locked(directory.path()).recover().unwrap().is_some());
    }
}

#[test]
fn a_crash_between_writing_and_switching_is_mended_with_an_encrypted_key() {
    let directory = tempfile::tempdir().unwrap();
    let folder = locked(directory.path());
    let (old, new) = (identity(), identity());
    folder.install(&new, None).unwrap();
    folder.install(&old, None).unwrap();
    let PrivateKeyDer::Pkcs8(key) = new.private_key() else {
        panic!("a new key is in PKCS #8");
    };
    let made = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    let request = PendingRequest {
        key: PrivatePkcs8KeyDer::from(key.secret_pkcs8_der().to_vec()),
        csr_der: made.csr_der().to_vec(),
    };
    folder.keep_pending(&request).unwrap();
    let mended = folder
        .recover()
        .unwrap()
        .expect("the version for the key of the request");
    assert_eq!(mended.certificate.der(), new.certificate().der());
    assert_eq!(
        folder.current().unwrap().unwrap().certificate().der(),
        new.certificate().der()
    );
}
