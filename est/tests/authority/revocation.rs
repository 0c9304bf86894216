//! Revocation and its lists, against `openssl`.

use std::time::{Duration, Instant};

use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::issuer::CrlSettings;
use est::ca::policy::IssuancePolicy;
use est::ca::serial::SerialNumber;
use est::ca::{CertificateAuthority as _, EnrollError, Requester, RevocationReason, RevokeRequest};
use pki_common::identity::NewKey;

use crate::support::{DAY, NOW, block_on, openssl};
use crate::{issue, openssl_verifies, reopened, root_with, write_pem};

fn revocation(serial: SerialNumber, reason: RevocationReason) -> RevokeRequest {
    RevokeRequest {
        serial,
        reason,
        invalidity_date: (reason == RevocationReason::KEY_COMPROMISE).then_some(NOW - DAY),
        requester: Requester::operator(),
        label: None,
    }
}

fn publishing(authority: EmbeddedCertificateAuthority) -> EmbeddedCertificateAuthority {
    authority.with_revocation_list(CrlSettings::default()).unwrap()
}

fn list(authority: &EmbeddedCertificateAuthority) -> Vec<u8> {
    block_on(authority.revocation_list()).unwrap().unwrap().to_vec()
}

#[test]
fn openssl_agrees_about_who_is_revoked_with_every_kind_of_key() {
    for key in [NewKey::EcP256, NewKey::EcP384, NewKey::Ed25519, NewKey::Rsa2048] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let authority = publishing(root_with(folder, key));
        let (revoked, kept) = (issue(&authority, "p256"), issue(&authority, "p384"));
        // The list before anything is revoked is a list, too.
        let empty = write_pem(&folder.join("empty.pem"), "X509 CRL", &[&list(&authority)]);
        block_on(authority.revoke(revocation(revoked.serial, RevocationReason::KEY_COMPROMISE))).unwrap();
        let crl = write_pem(&folder.join("crl.pem"), "X509 CRL", &[&list(&authority)]);
        let ca = folder.join("ca.pem").to_str().unwrap().to_owned();
        for (file, says) in [(&empty, "No Revoked Certificates"), (&crl, "Key Compromise")] {
            let Some(output) = openssl(&["crl", "-in", file, "-noout", "-text", "-CAfile", &ca]) else {
                return;
            };
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert!(
                text.contains("verify OK") && text.contains(says),
                "{key:?}: {text}"
            );
            assert!(text.contains("X509v3 CRL Number"), "{text}");
            if file == &crl {
                assert!(text.contains("Invalidity Date"), "{text}");
                let serial = revoked.serial.to_string().to_uppercase();
                assert!(text.contains(&serial), "{text}");
            }
        }
        for (certificate, is_good) in [(&revoked, false), (&kept, true)] {
            let leaf = write_pem(
                &folder.join("leaf.pem"),
                "CERTIFICATE",
                &[&certificate.certificate],
            );
            let arguments = ["-crl_check", "-CAfile", &ca, "-CRLfile", &crl, &leaf];
            let Some((good, text)) = openssl_verifies(&arguments) else {
                return;
            };
            assert_eq!(good, is_good, "{key:?}: {text}");
            assert_eq!(text.contains("certificate revoked"), !is_good, "{text}");
        }
    }
}

#[test]
fn a_revocation_by_another_process_is_on_the_list_soon() {
    let folder = tempfile::tempdir().unwrap();
    let authority = publishing(root_with(folder.path(), NewKey::EcP256));
    let issued = issue(&authority, "p256");
    let before = list(&authority);
    let other = reopened(folder.path(), &IssuancePolicy::default(), 0);
    block_on(other.revoke(revocation(issued.serial, RevocationReason::SUPERSEDED))).unwrap();
    let started = Instant::now();
    loop {
        let now = list(&authority);
        let serial = issued.serial.as_bytes();
        if now != before && now.windows(serial.len()).any(|window| window == serial) {
            break;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the list stays as it was"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_new_list_comes_before_the_old_one_ends_and_expired_certificates_leave_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = publishing(root_with(folder, NewKey::EcP256));
    let issued = issue(&authority, "p256");
    block_on(authority.revoke(revocation(issued.serial, RevocationReason::SUPERSEDED))).unwrap();
    let serial = issued.serial.as_bytes();
    let has = |list: &[u8]| list.windows(serial.len()).any(|window| window == serial);
    let first = list(&authority);
    assert!(has(&first));
    drop(authority);
    let policy = IssuancePolicy::default();
    // Restarted in time, the same list goes on; a day before its end there is another one.
    let at = |seconds| list(&publishing(reopened(folder, &policy, seconds)));
    assert_eq!(at(5 * DAY), first);
    let second = at(6 * DAY + 1);
    assert_ne!(second, first);
    // RFC 5280 section 3.3: the first list after the end of the certificate still has it, the next one not.
    assert!(has(&at(91 * DAY)));
    assert!(!has(&at(99 * DAY)));
}

#[test]
fn says_why_a_certificate_cannot_be_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root_with(folder.path(), NewKey::EcP256);
    let issued = issue(&authority, "p256");
    let revoke = |serial, reason| block_on(authority.revoke(revocation(serial, reason)));
    let stranger = "01".parse().unwrap();
    assert!(matches!(
        revoke(stranger, RevocationReason::UNSPECIFIED),
        Err(EnrollError::NoSuchCertificate { serial }) if serial == "01"
    ));
    assert!(matches!(
        revoke(issued.serial, RevocationReason::REMOVE_FROM_CRL),
        Err(EnrollError::Unsupported { .. })
    ));
    revoke(issued.serial, RevocationReason::UNSPECIFIED).unwrap();
    assert!(matches!(
        revoke(issued.serial, RevocationReason::UNSPECIFIED),
        Err(EnrollError::AlreadyRevoked { .. })
    ));
    assert_eq!(authority.log().last_revocation(), Ok(1));
    // Nobody asked for a list.
    assert_eq!(block_on(authority.revocation_list()), Ok(None));
}

#[test]
fn a_list_made_under_a_clock_that_was_wrong_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = publishing(root_with(folder, NewKey::EcP256));
    let issued = issue(&authority, "p256");
    block_on(authority.revoke(revocation(issued.serial, RevocationReason::SUPERSEDED))).unwrap();
    drop(authority);
    let policy = IssuancePolicy::default();
    // For a moment the machine believes it is years later: the certificate has expired, the list begins then.
    let future = list(&publishing(reopened(folder, &policy, 1000 * DAY)));
    let now = list(&publishing(reopened(folder, &policy, 60)));
    assert_ne!(now, future);
    let serial = issued.serial.as_bytes();
    assert!(now.windows(serial.len()).any(|window| window == serial));
    let crl = write_pem(&folder.join("crl.pem"), "X509 CRL", &[&now]);
    let leaf = write_pem(&folder.join("leaf.pem"), "CERTIFICATE", &[&issued.certificate]);
    let ca = folder.join("ca.pem").to_str().unwrap().to_owned();
    let Some((good, text)) = openssl_verifies(&["-crl_check", "-CAfile", &ca, "-CRLfile", &crl, &leaf])
    else {
        return;
    };
    assert!(!good && text.contains("certificate revoked"), "{text}");
}
