//! From an old root to a new one, against `openssl`.

use std::path::Path;

use est::ca::CertificateAuthority as _;
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, KeyChange, Renewed};
use est::ca::policy::IssuancePolicy;
use pki_common::Certificate;
use pki_common::identity::NewKey;

use crate::support::{DAY, block_on};
use crate::{at, issue, openssl_verifies, reopened, root, write_pem};

fn renew(folder: &Path, change: KeyChange) -> Renewed {
    let validity = std::time::Duration::from_secs(7300 * DAY);
    let files = AuthorityFiles::in_folder(folder);
    EmbeddedCertificateAuthority::renew(&files, None, change, validity, at(0).as_ref()).unwrap()
}

#[test]
fn both_generations_verify_against_either_root() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = root(folder);
    let old_leaf = issue(&authority, "p256");
    let old_root = authority.ca_certificate().clone();
    drop(authority);
    let renewed = renew(folder, KeyChange::New(NewKey::EcP384));
    assert!(
        matches!(&renewed, Renewed::Root { kept_as } if kept_as.ends_with("ca.old-1")),
        "{renewed:?}"
    );
    let authority = reopened(folder, &IssuancePolicy::default(), 0);
    let new_leaf = issue(&authority, "p256");
    let new_root = authority.ca_certificate().clone();
    assert_ne!(new_root, old_root);

    let all = block_on(authority.ca_certificates()).unwrap();
    assert_eq!(all.len(), 4, "NewWithNew, OldWithOld, OldWithNew, NewWithOld");
    assert_eq!((&all[0], &all[1]), (&new_root, &old_root));
    // The certificates of cacerts that did not sign themselves are what leads from one to the other.
    let links: Vec<&[u8]> = all
        .iter()
        .filter(|der| !Certificate::from_der(der).unwrap().is_self_signed())
        .map(AsRef::as_ref)
        .collect();
    assert_eq!(links.len(), 2);
    let links = write_pem(&folder.join("links.pem"), "CERTIFICATE", &links);
    for (trusted, leaf) in [
        (&old_root, &new_leaf),
        (&new_root, &old_leaf),
        (&old_root, &old_leaf),
        (&new_root, &new_leaf),
    ] {
        let trusted = write_pem(&folder.join("trusted.pem"), "CERTIFICATE", &[trusted]);
        let leaf = write_pem(&folder.join("leaf.pem"), "CERTIFICATE", &[&leaf.certificate]);
        let Some((good, text)) = openssl_verifies(&["-CAfile", &trusted, "-untrusted", &links, &leaf]) else {
            return;
        };
        assert!(good, "{text}");
    }
}

#[test]
fn a_root_with_the_same_key_is_valid_for_longer_and_both_are_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let old = root(folder);
    let old_root = Certificate::from_der(old.ca_certificate()).unwrap();
    drop(old);
    renew(folder, KeyChange::Keep);
    let authority = reopened(folder, &IssuancePolicy::default(), 0);
    let new_root = Certificate::from_der(authority.ca_certificate()).unwrap();
    assert_eq!(new_root.spki_der(), old_root.spki_der());
    assert!(new_root.not_after() > old_root.not_after());
    let all = block_on(authority.ca_certificates()).unwrap();
    assert_eq!(*all, [new_root.der().clone(), old_root.der().clone()]);
    issue(&authority, "p256");
}

#[test]
fn a_second_rollover_keeps_the_certificates_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    drop(root(folder));
    for generation in 1..=2 {
        renew(folder, KeyChange::New(NewKey::EcP256));
        let old = folder.join(format!("ca.old-{generation}.key.pem"));
        assert!(old.is_file(), "{}", old.display());
    }
    let authority = reopened(folder, &IssuancePolicy::default(), 0);
    assert_eq!(block_on(authority.ca_certificates()).unwrap().len(), 7);
}
