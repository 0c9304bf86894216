//! The files of an identity: a crash at any step leaves a whole pair in use and loses no key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use est::renewal::folder::{IdentityFolder, PendingRequest};
use est::request::KeyAndRequest;
use pki_common::identity::{Identity, NewKey, SelfSigned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::stepwise::{Refusing, Stepwise};

/// Files that stop working at one step: it is not done, or half done, and none after it.
fn crashing(path: &Path, steps: usize) -> IdentityFolder<Stepwise<Refusing>> {
    let files = Stepwise::<Refusing>::default();
    files.0.refuse_after(steps);
    IdentityFolder::with_files(path.to_path_buf(), files)
}

fn identity(lifetime: u64) -> Identity {
    let mut parameters = SelfSigned::new("00:50:56:9c:34:89".parse().unwrap());
    parameters.key = NewKey::EcP256;
    parameters.validity = Duration::from_secs(lifetime);
    Identity::self_signed(parameters).unwrap()
}

fn request() -> PendingRequest {
    let made = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    PendingRequest {
        key: made.private_key().clone_key(),
        csr_der: made.csr_der().to_vec(),
    }
}

/// A request whose key is that of the certificate that will come.
fn request_for(identity: &Identity) -> PendingRequest {
    let PrivateKeyDer::Pkcs8(key) = identity.private_key() else {
        panic!("a new key is in PKCS #8");
    };
    PendingRequest {
        key: PrivatePkcs8KeyDer::from(key.secret_pkcs8_der().to_vec()),
        csr_der: request().csr_der,
    }
}

fn in_use(path: &Path) -> Vec<u8> {
    let current = IdentityFolder::new(path.to_path_buf())
        .current()
        .unwrap()
        .unwrap();
    current.certificate().der().to_vec()
}

#[test]
fn never_overwrites_a_good_key_with_half_a_file() {
    let (old, new) = (identity(86_400), identity(2 * 86_400));
    let mut finished = false;
    for steps in 0..100 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_path_buf();
        let healthy = IdentityFolder::new(path.clone());
        healthy.install(&old, None).unwrap();
        healthy.hook_succeeded().unwrap();
        healthy.keep_pending(&request_for(&new)).unwrap();

        let broken = crashing(&path, steps);
        let installed = broken.install(&new, None);
        finished = installed.is_ok();
        // After the crash, and without any repair, a whole pair is in use.
        let used = in_use(&path);
        assert!(
            [old.certificate().der().as_ref(), new.certificate().der().as_ref()].contains(&used.as_slice()),
            "after {steps} steps"
        );
        let has_switched = used == new.certificate().der().as_ref();
        assert!(!finished || has_switched);

        // The next start mends it: the key is in the pending request, or the new pair is in use.
        let recovered = healthy.recover().unwrap();
        let used = in_use(&path);
        if used == old.certificate().der().as_ref() {
            let pending = healthy
                .pending()
                .unwrap()
                .expect("the key of the request is kept");
            assert_eq!(pending.key.secret_pkcs8_der(), new.private_key().secret_der());
            assert!(recovered.is_none() && !healthy.hook_is_due());
        } else {
            assert!(healthy.pending().unwrap().is_none(), "after {steps} steps");
            assert!(healthy.hook_is_due(), "after {steps} steps");
        }
        // The old pair is still there, byte for byte, and nothing unfinished is.
        let kept = healthy.versions().unwrap().iter().any(|version| {
            Identity::load(version.join("certificate.pem"), version.join("key.pem"))
                .is_ok_and(|pair| pair.certificate().der() == old.certificate().der())
        });
        assert!(kept, "after {steps} steps");
        assert_eq!(unfinished(&path), 0, "after {steps} steps");
        // And what was left undone can be done.
        healthy.install(&new, None).unwrap();
        assert_eq!(in_use(&path), new.certificate().der().as_ref());
        if finished {
            break;
        }
    }
    assert!(finished, "the loop went through all steps");
}

fn unfinished(path: &Path) -> usize {
    let count = |folder: &Path| {
        fs::read_dir(folder)
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with(".new-")
            })
            .count()
    };
    count(path) + count(&path.join("versions"))
}

#[test]
fn a_request_is_kept_whole_or_not_at_all() {
    let mut finished = false;
    for steps in 0..50 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_path_buf();
        let wanted = request();
        let broken = crashing(&path, steps);
        finished = broken.keep_pending(&wanted).is_ok();
        let healthy = IdentityFolder::new(path.clone());
        healthy.recover().unwrap();
        if let Some(pending) = healthy.pending().unwrap() {
            assert_eq!(pending.csr_der, wanted.csr_der);
            assert_eq!(pending.key.secret_pkcs8_der(), wanted.key.secret_pkcs8_der());
        } else {
            assert!(!finished, "it was said to be kept");
            healthy.keep_pending(&wanted).unwrap();
        }
        if finished {
            break;
        }
    }
    assert!(finished, "the loop went through all steps");
}

#[test]
fn a_request_that_waits_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let folder = IdentityFolder::new(directory.path().to_path_buf());
    let first = request();
    folder.keep_pending(&first).unwrap();
    folder.keep_pending(&request()).unwrap_err();
    assert_eq!(folder.pending().unwrap().unwrap().csr_der, first.csr_der);
    folder.forget_pending().unwrap();
    assert!(folder.pending().unwrap().is_none());
    folder.forget_pending().unwrap();
}

#[test]
fn keys_are_for_their_owner_only_and_certificates_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let folder = IdentityFolder::new(directory.path().to_path_buf());
    folder.keep_pending(&request()).unwrap();
    let pending_key = directory.path().join("pending/key.pem");
    assert_eq!(
        fs::metadata(pending_key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    folder.install(&identity(86_400), None).unwrap();
    for (path, mode) in [
        (folder.key_path(), 0o600),
        (folder.combined_path(), 0o600),
        (folder.certificate_path(), 0o644),
    ] {
        let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found & !0o044, mode & !0o044, "{}", path.display());
        assert!(mode & 0o044 != 0 || found & 0o077 == 0, "{}", path.display());
    }
}

#[test]
fn the_combined_file_is_an_identity_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let folder = IdentityFolder::new(directory.path().to_path_buf());
    let one = identity(86_400);
    folder.install(&one, None).unwrap();
    let combined = Identity::load(folder.combined_path(), folder.combined_path()).unwrap();
    assert_eq!(combined.certificate().der(), one.certificate().der());
}

#[test]
fn earlier_versions_stay_as_many_as_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let folder = IdentityFolder::new(directory.path().to_path_buf());
    for _ in 0..5 {
        folder.install(&identity(86_400), None).unwrap();
    }
    assert_eq!(folder.versions().unwrap().len(), 5);
    let last = identity(86_400);
    folder.install(&last, Some(2)).unwrap();
    assert_eq!(folder.versions().unwrap().len(), 3);
    assert_eq!(in_use(directory.path()), last.certificate().der().as_ref());
}

#[test]
fn files_replaced_by_hand_are_seen_and_a_folder_put_there_becomes_a_version() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let by_hand = identity(86_400);
    fs::create_dir(path.join("current")).unwrap();
    by_hand
        .save(path.join("current/certificate.pem"), path.join("current/key.pem"))
        .unwrap();
    let folder = IdentityFolder::new(path.to_path_buf());
    assert!(folder.recover().unwrap().is_none());
    assert_eq!(in_use(path), by_hand.certificate().der().as_ref());

    let new = identity(2 * 86_400);
    for steps in 0..100 {
        let broken = crashing(path, steps);
        if broken.install(&new, None).is_ok() {
            break;
        }
        folder.recover().unwrap();
        let used = in_use(path);
        assert!(
            [
                by_hand.certificate().der().as_ref(),
                new.certificate().der().as_ref()
            ]
            .contains(&used.as_slice()),
            "after {steps} steps"
        );
    }
    assert_eq!(in_use(path), new.certificate().der().as_ref());
    assert_eq!(folder.versions().unwrap().len(), 2);

    // Half of a pair, as while somebody copies files.
    fs::write(folder.key_path(), by_hand.private_key_pem().as_bytes()).unwrap();
    let error = folder.current().unwrap_err();
    assert!(error.to_string().contains("key"), "{error}");
}

#[test]
fn the_hook_is_due_until_it_has_succeeded_for_the_certificate_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let folder = IdentityFolder::new(directory.path().to_path_buf());
    assert!(!folder.hook_is_due());
    folder.install(&identity(86_400), None).unwrap();
    assert!(folder.hook_is_due());
    folder.hook_succeeded().unwrap();
    assert!(!folder.hook_is_due());
    folder.install(&identity(2 * 86_400), None).unwrap();
    assert!(folder.hook_is_due());
}
