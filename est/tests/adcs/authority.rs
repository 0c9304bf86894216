//! Pending and late certificates, a restart, lost answers.

use std::sync::Arc;
use std::time::Duration;

use est::adcs::CertsrvError;
use est::adcs::authority::{AuthoritySettings, CertsrvCertificateAuthority};
use est::adcs::client::CertsrvClient;
use est::ca::{CertificateAuthority, EnrollError, EnrollOperation, EnrollOutcome};
use est::wire::csr::VerifiedCsr;
use pki_common::{Certificate, Diagnose as _, KnownCause, Rung};

use crate::site::{Behaviour, Site, Verdict, csr, enroll_request, until_submitted};

fn settings() -> AuthoritySettings {
    AuthoritySettings {
        // For tests that do not wait for it to pass, longer than a busy machine takes.
        answer_time: Duration::from_secs(60),
        pending_retry: Duration::from_secs(300),
        late_retry: Duration::from_secs(7),
        ..AuthoritySettings::default()
    }
}

fn authority(site: &Site, settings: AuthoritySettings) -> CertsrvCertificateAuthority {
    CertsrvCertificateAuthority::open(site.client(), settings).unwrap()
}

async fn issued(authority: &CertsrvCertificateAuthority, csr: &VerifiedCsr) -> Certificate {
    match authority.enroll(enroll_request(csr)).await.unwrap() {
        EnrollOutcome::Issued(issued) => {
            let certificate = Certificate::from_der(&issued.certificate).unwrap();
            assert_eq!(certificate.spki_der(), csr.public_key().spki_der());
            certificate
        }
        other => panic!("{other:?}"),
    }
}

async fn pending(authority: &CertsrvCertificateAuthority, csr: &VerifiedCsr) -> Duration {
    match authority.enroll(enroll_request(csr)).await.unwrap() {
        EnrollOutcome::Pending { retry_after } => retry_after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_same_request_gets_the_same_certificate_without_a_second_submission() {
    let site = Site::start().await;
    let authority = authority(&site, settings());
    let csr = csr("phone");
    let first = issued(&authority, &csr).await;
    let second = issued(&authority, &csr).await;
    assert_eq!(first.der(), second.der());
    assert_eq!(site.submissions(), 1);
}

#[tokio::test]
async fn a_pending_request_is_picked_up_by_its_number_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = AuthoritySettings {
        open_requests: Some(folder.path().join("open-requests")),
        ..settings()
    };
    for verdict in [Verdict::Pending, Verdict::GermanPending] {
        let site = Site::start().await;
        site.script.lock().unwrap().verdict = verdict;
        let csr = csr("phone");
        let before = authority(&site, settings.clone());
        assert_eq!(pending(&before, &csr).await, Duration::from_secs(300));
        drop(before);
        let after = authority(&site, settings.clone());
        assert_eq!(pending(&after, &csr).await, Duration::from_secs(300));
        site.approve(&csr).await;
        issued(&after, &csr).await;
        assert_eq!(site.submissions(), 1, "{verdict:?}");
    }
}

#[tokio::test]
async fn a_denial_reaches_the_client_with_disposition_and_text_at_once_or_later() {
    let site = Site::start().await;
    let authority = authority(&site, settings());
    site.script.lock().unwrap().verdict = Verdict::Deny;
    let denied = |error: EnrollError, text: &str| match error {
        EnrollError::Upstream {
            failure,
            retry_after: None,
        } => {
            assert_eq!(failure.known_cause, Some(KnownCause::RequestDenied));
            assert_eq!(failure.rung, Rung::Upstream);
            for part in ["disposition 2", text] {
                assert!(failure.cause.contains(part), "{failure}");
            }
        }
        other => panic!("{other:?}"),
    };
    let csr = csr("phone");
    let error = authority.enroll(enroll_request(&csr)).await.unwrap_err();
    assert_eq!(error.diagnose().known_cause, Some(KnownCause::RequestDenied));
    denied(error, "0x80094801");
    // The client has heard it; the same request is a new one.
    site.script.lock().unwrap().verdict = Verdict::Pending;
    pending(&authority, &csr).await;
    assert_eq!(site.submissions(), 2);
    site.deny_last();
    denied(
        authority.enroll(enroll_request(&csr)).await.unwrap_err(),
        "Denied by me",
    );
}

#[tokio::test]
async fn a_hang_is_answered_in_time_and_the_late_certificate_is_picked_up() {
    let site = Site::start().await;
    site.set("certfnsh.asp", Behaviour::Hang);
    let authority = authority(
        &site,
        AuthoritySettings {
            answer_time: Duration::from_millis(500),
            ..settings()
        },
    );
    let csr = csr("phone");
    let (first, second) = tokio::join!(pending(&authority, &csr), pending(&authority, &csr));
    assert_eq!((first, second), (Duration::from_secs(7), Duration::from_secs(7)));
    until_submitted(&site, 1).await;
    // Another request is not in its way.
    assert_eq!(authority.ca_certificates().await.unwrap().len(), 1);
    assert_eq!(pending(&authority, &csr).await, Duration::from_secs(7));
    site.set("certfnsh.asp", Behaviour::Good);
    site.released.notify_one();
    for _ in 0..100 {
        match authority.enroll(enroll_request(&csr)).await.unwrap() {
            EnrollOutcome::Issued(_) => {
                assert_eq!(site.submissions(), 1, "a retry never submits a second time");
                return;
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("the late certificate never came");
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_found_among_the_numbers_that_follow() {
    let folder = tempfile::tempdir().unwrap();
    let settings = AuthoritySettings {
        open_requests: Some(folder.path().join("open-requests")),
        ..settings()
    };
    let site = Site::start().await;
    let before = authority(&site, settings.clone());
    issued(&before, &csr("first")).await;
    site.set("certfnsh.asp", Behaviour::Drop);
    let csr = csr("phone");
    let error = before.enroll(enroll_request(&csr)).await.unwrap_err();
    assert!(
        matches!(
            &error,
            EnrollError::Upstream {
                retry_after: Some(_),
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.diagnose().known_cause, Some(KnownCause::ConnectionLost));
    site.set("certfnsh.asp", Behaviour::Good);
    drop(before);
    let after = authority(&site, settings);
    issued(&after, &csr).await;
    assert_eq!(site.submissions(), 2, "none was made again");
}

#[tokio::test]
async fn a_request_that_never_arrived_is_submitted_again_only_after_its_time() {
    let site = Site::start().await;
    let lost = |resubmit_after| {
        let settings = AuthoritySettings {
            resubmit_after,
            ..settings()
        };
        let authority = authority(&site, settings);
        site.set("certfnsh.asp", Behaviour::DropUnseen);
        authority
    };
    let csr = csr("phone");
    let patient = lost(Duration::from_secs(3600));
    patient.enroll(enroll_request(&csr)).await.unwrap_err();
    site.set("certfnsh.asp", Behaviour::Good);
    assert_eq!(pending(&patient, &csr).await, Duration::from_secs(7));
    assert_eq!(site.submissions(), 0);
    let hasty = lost(Duration::ZERO);
    hasty.enroll(enroll_request(&csr)).await.unwrap_err();
    site.set("certfnsh.asp", Behaviour::Good);
    issued(&hasty, &csr).await;
    assert_eq!(site.submissions(), 1);
}

#[tokio::test]
async fn a_wrong_template_is_an_error_at_start_up_and_at_enrolment() {
    let site = Site::start().await;
    let mut wrong = site.settings();
    wrong.template = "CiscoRa2".to_owned();
    let authority =
        CertsrvCertificateAuthority::open(CertsrvClient::new(wrong).unwrap(), settings()).unwrap();
    let error = authority.check().await.unwrap_err();
    assert!(
        matches!(&error, CertsrvError::TemplateNotOffered { .. }),
        "{error}"
    );
    let error = authority.enroll(enroll_request(&csr("phone"))).await.unwrap_err();
    assert_eq!(error.diagnose().known_cause, Some(KnownCause::TemplateNotOffered));
    assert!(error.to_string().contains("CiscoRA, WebServer"), "{error}");
    assert_eq!(site.submissions(), 0, "nothing is submitted");
}

#[tokio::test]
async fn the_list_of_templates_is_read_at_start_up_and_not_for_each_enrolment() {
    let site = Site::start().await;
    let authority = authority(&site, settings());
    authority.check().await.unwrap();
    assert_eq!(
        site.log(),
        [
            "GET /certsrv 401 -",
            "GET /certsrv 301 MICHAMEN\\ciscora",
            "GET /certsrv/certcarc.asp 200 MICHAMEN\\ciscora",
            "GET /certsrv/certnew.p7b?ReqID=CACert&Renewal=0&Enc=bin 200 MICHAMEN\\ciscora",
            "GET /certsrv/certrqxt.asp 200 MICHAMEN\\ciscora",
        ]
    );
    let chain = authority.ca_certificates().await.unwrap();
    assert!(Arc::ptr_eq(&chain, &authority.ca_certificates().await.unwrap()));
    issued(&authority, &csr("phone")).await;
    assert_eq!(
        site.log(),
        [
            "POST /certsrv/certfnsh.asp 200 MICHAMEN\\ciscora referer",
            "GET /certsrv/certnew.cer?ReqID=10&ENC=b64 200 MICHAMEN\\ciscora",
        ]
    );
}

#[tokio::test]
async fn a_certificate_for_another_key_is_refused() {
    let site = Site::start().await;
    site.script.lock().unwrap().verdict = Verdict::Pending;
    let authority = authority(&site, settings());
    let csr = csr("phone");
    pending(&authority, &csr).await;
    site.approve(&crate::site::csr("another")).await;
    let error = authority.enroll(enroll_request(&csr)).await.unwrap_err();
    assert!(error.to_string().contains("another key"), "{error}");
}

#[tokio::test]
async fn a_key_made_by_the_server_cannot_wait() {
    let site = Site::start().await;
    site.script.lock().unwrap().verdict = Verdict::Pending;
    let authority = authority(&site, settings());
    let mut request = enroll_request(&csr("phone"));
    request.operation = EnrollOperation::ServerKeyGen;
    let error = authority.enroll(request).await.unwrap_err();
    assert!(matches!(error, EnrollError::RejectedByPolicy(_)), "{error}");
}

#[tokio::test]
async fn the_chain_is_there_while_a_new_one_cannot_be_fetched() {
    let site = Site::start().await;
    let authority = authority(
        &site,
        AuthoritySettings {
            chain_lifetime: Duration::ZERO,
            ..settings()
        },
    );
    let first = authority.ca_certificates().await.unwrap();
    site.set("certcarc.asp", Behaviour::Fail);
    assert!(Arc::ptr_eq(&first, &authority.ca_certificates().await.unwrap()));
}
