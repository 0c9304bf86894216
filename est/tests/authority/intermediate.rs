//! An authority under an outside root, and keys encrypted at rest.

use std::path::Path;
use std::sync::Arc;

use est::ca::CertificateAuthority as _;
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, KeyChange, Passphrase, Renewed};
use est::ca::policy::IssuancePolicy;
use pki_common::clock::system_clock;
use pki_common::identity::NewKey;

use crate::support::{DAY, block_on, openssl};
use crate::{issue, write_pem};

/// `CN=Lab Issuing CA` as a Name in DER.
const SUBJECT: &[u8] = b"\x30\x19\x31\x17\x30\x15\x06\x03\x55\x04\x03\x0c\x0eLab Issuing CA";

/// Has openssl be the authority above; `None` when it is not installed.
fn sign(folder: &Path) -> Option<Vec<u8>> {
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| {
        let output = openssl(arguments)?;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Some(output)
    };
    let (key, root, request, extensions) = (
        file("root.key"),
        file("root.pem"),
        file("ca.csr.pem"),
        file("extensions"),
    );
    if !folder.join("root.pem").exists() {
        let made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 3650";
        let named = ["-subj", "/CN=Outside Root", "-keyout", &key, "-out", &root];
        run(&made.split(' ').chain(named).collect::<Vec<_>>())?;
    }
    let asked = run(&["req", "-in", &request, "-noout", "-text", "-verify"])?;
    let asked = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(
        asked.contains("CA:TRUE") && asked.contains("Certificate Sign, CRL Sign"),
        "{asked}"
    );
    std::fs::write(
        &extensions,
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
    )
    .unwrap();
    let out = file("signed.pem");
    run(&[
        "x509",
        "-req",
        "-in",
        &request,
        "-CA",
        &root,
        "-CAkey",
        &key,
        "-CAcreateserial",
        "-days",
        "1000",
        "-extfile",
        &extensions,
        "-out",
        &out,
    ])?;
    Some([std::fs::read(&out).unwrap(), std::fs::read(&root).unwrap()].concat())
}

#[test]
fn an_intermediate_authority_issues_under_a_root_that_openssl_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let files = AuthorityFiles::in_folder(folder);
    let passphrase = Passphrase::new("correct horse").unwrap();
    let passphrase = Some(&passphrase);
    EmbeddedCertificateAuthority::request_intermediate(&files, SUBJECT, NewKey::EcP256, passphrase).unwrap();
    let open = || {
        EmbeddedCertificateAuthority::open_with(&files, passphrase, IssuancePolicy::default(), system_clock())
    };
    let error = open().unwrap_err().to_string();
    assert!(error.contains("have ca.csr.pem signed"), "{error}");
    let Some(chain) = sign(folder) else { return };

    // The root alone is not for this key.
    let root = std::fs::read(folder.join("root.pem")).unwrap();
    assert!(EmbeddedCertificateAuthority::import_certificate(&files, &root, passphrase).is_err());
    EmbeddedCertificateAuthority::import_certificate(&files, &chain, passphrase).unwrap();
    let authority = open().unwrap();
    assert_eq!(block_on(authority.ca_certificates()).unwrap().len(), 2);
    let leaf = issue(&authority, "p256");
    let leaf = write_pem(&folder.join("leaf.pem"), "CERTIFICATE", &[&leaf.certificate]);
    let (root, ca) = (folder.join("root.pem"), folder.join("ca.pem"));
    let (root, ca) = (root.to_str().unwrap(), ca.to_str().unwrap());
    let output = openssl(&["verify", "-CAfile", root, "-untrusted", ca, &leaf]).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // Renewal: the old certificate serves until the new one has come.
    let change = KeyChange::New(NewKey::EcP256);
    let validity = std::time::Duration::from_secs(DAY);
    let clock: Arc<dyn rustls::time_provider::TimeProvider> = system_clock();
    let renewed =
        EmbeddedCertificateAuthority::renew(&files, passphrase, change, validity, clock.as_ref()).unwrap();
    assert!(matches!(renewed, Renewed::Requested { .. }));
    let before = open().unwrap().ca_certificate().clone();
    let chain = sign(folder).unwrap();
    EmbeddedCertificateAuthority::import_certificate(&files, &chain, passphrase).unwrap();
    let after = open().unwrap();
    assert_ne!(*after.ca_certificate(), before);
    assert!(block_on(after.ca_certificates()).unwrap().contains(&before));
}

#[test]
fn the_key_at_rest_opens_with_its_passphrase_only_also_for_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let files = AuthorityFiles::in_folder(folder.path());
    let passphrase = Passphrase::new("correct horse").unwrap();
    EmbeddedCertificateAuthority::request_intermediate(&files, SUBJECT, NewKey::EcP256, Some(&passphrase))
        .unwrap();
    assert_eq!(EmbeddedCertificateAuthority::key_is_encrypted(&files), Ok(true));
    let key = files.key.to_str().unwrap();
    for (given, opens) in [("pass:correct horse", true), ("pass:wrong", false)] {
        let Some(output) = openssl(&["pkey", "-in", key, "-passin", given, "-noout"]) else {
            return;
        };
        assert_eq!(output.status.success(), opens, "{given}");
    }
}
