//! Requests that a person has to approve first.

use std::path::Path;

use est::ca::database::{Decision, LogError, QueueState};
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::policy::{Approval, ApprovalSettings, IssuancePolicy};
use est::ca::{
    CertificateAuthority as _, ChannelBindingState, ChannelBindingType, EnrollError, EnrollOperation,
    EnrollOutcome, EnrollRequest, PolicyRule, Requester, RevocationReason, RevokeRequest, ServerKeyDecision,
    ServerKeyRequest,
};

use est::request::{BindingAttribute, KeyAndRequest, RequestKey, RequestTemplate, Subject};
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
use pki_common::identity::NewKey;

use crate::support::{DAY, NOW, block_on};
use crate::{enroll, reopened, request_of, root};

fn policy_with(settings: ApprovalSettings) -> IssuancePolicy {
    IssuancePolicy {
        approval: Approval::Operator(settings),
        ..IssuancePolicy::default()
    }
}

fn policy() -> IssuancePolicy {
    policy_with(ApprovalSettings::default())
}

/// The decision of an operator in another process, `seconds` after the start.
fn decide(folder: &Path, id: i64, approved: bool, seconds: u64) -> Result<(), LogError> {
    let other = reopened(folder, &IssuancePolicy::default(), seconds);
    block_on(other.log().decide(Decision {
        id,
        approved,
        by: "bob".to_owned(),
        reason: (!approved).then(|| "unknown device".to_owned()),
        now: NOW + seconds,
    }))
}

fn waits(authority: &EmbeddedCertificateAuthority, requester: &str) {
    let outcome = enroll(authority, request_of("p256", requester));
    let retry_after = ApprovalSettings::default().retry_after;
    assert_eq!(outcome, Ok(EnrollOutcome::Pending { retry_after }));
}

fn refusal(authority: &EmbeddedCertificateAuthority) -> String {
    match enroll(authority, request_of("p256", "alice")) {
        Err(EnrollError::RejectedByPolicy(refusal)) => {
            assert_eq!(refusal.rule, PolicyRule::Approval);
            refusal.text
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn an_approved_request_is_issued_once_however_often_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = root(folder).with_policy(policy());
    for _ in 0..3 {
        waits(&authority, "alice");
    }
    let waiting = authority.log().queue(Some(QueueState::Waiting), 0, 10).unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(waiting[0].origin.requester, "alice");
    assert_eq!(waiting[0].origin.policy, Some(policy().version()));

    // The operator decides in another process while the server runs.
    decide(folder, waiting[0].id, true, 60).unwrap();
    let first = enroll(&authority, request_of("p256", "alice")).unwrap();
    assert!(matches!(first, EnrollOutcome::Issued(_)), "{first:?}");
    assert_eq!(enroll(&authority, request_of("p256", "alice")).unwrap(), first);
    drop(authority);
    // After a restart, and on the last day, it is still the same.
    let authority = reopened(folder, &policy(), 6 * DAY);
    assert_eq!(enroll(&authority, request_of("p256", "alice")).unwrap(), first);
    assert_eq!(authority.log().count(), Ok(1));
    let entry = authority.log().queue(Some(QueueState::Issued), 0, 10).unwrap();
    assert_eq!(entry[0].decided_by.as_deref(), Some("bob"));
    drop(authority);
    // Long after, the same bytes are a new request.
    waits(&reopened(folder, &policy(), 8 * DAY), "alice");
}

#[test]
fn the_request_of_somebody_else_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    waits(&authority, "alice");
    waits(&authority, "mallory");
    decide(folder.path(), 1, true, 0).unwrap();
    waits(&authority, "mallory");
    assert!(matches!(
        enroll(&authority, request_of("p256", "alice")),
        Ok(EnrollOutcome::Issued(_))
    ));
}

#[test]
fn a_rejected_request_is_refused_with_the_operators_reason() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    waits(&authority, "alice");
    decide(folder.path(), 1, false, 0).unwrap();
    for _ in 0..2 {
        assert!(refusal(&authority).ends_with(": unknown device"));
    }
    let error = decide(folder.path(), 1, true, 0).unwrap_err();
    assert!(error.to_string().contains("rejected already"), "{error}");
    let error = decide(folder.path(), 7, true, 0).unwrap_err();
    assert!(error.to_string().contains("no such request"), "{error}");
}

#[test]
fn a_request_that_nobody_decides_expires_and_may_begin_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    waits(&root(folder).with_policy(policy()), "alice");
    let error = decide(folder, 1, true, 7 * DAY).unwrap_err();
    assert!(error.to_string().contains("its time is over"), "{error}");
    let later = reopened(folder, &policy(), 7 * DAY + 1);
    assert!(refusal(&later).contains("in time"));
    let entry = &later.log().queue(Some(QueueState::Expired), 0, 10).unwrap()[0];
    assert_eq!(entry.reason.as_deref(), Some("nobody decided in time"));
    drop(later);
    waits(&reopened(folder, &policy(), 15 * DAY), "alice");
}

#[test]
fn the_queue_is_bounded_for_each_requester_and_in_all() {
    let folder = tempfile::tempdir().unwrap();
    let bounded = policy_with(ApprovalSettings {
        max_entries: 3,
        max_per_requester: 2,
        ..ApprovalSettings::default()
    });
    let authority = root(folder.path()).with_policy(bounded.clone());
    let full = |name: &str, requester: &str| match enroll(&authority, request_of(name, requester)) {
        Err(EnrollError::Unavailable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    for (name, requester) in [("p256", "alice"), ("p384", "alice"), ("p256", "bob")] {
        let outcome = enroll(&authority, request_of(name, requester));
        assert!(
            matches!(outcome, Ok(EnrollOutcome::Pending { .. })),
            "{outcome:?}"
        );
    }
    assert!(full("rsa2048", "alice").contains("2 requests from this requester"));
    assert!(full("rsa2048", "carol").starts_with("3 requests wait"));
    drop(authority);
    // Entries whose time is over make room.
    let later = reopened(folder.path(), &bounded, 8 * DAY);
    let outcome = enroll(&later, request_of("rsa2048", "carol"));
    assert!(
        matches!(outcome, Ok(EnrollOutcome::Pending { .. })),
        "{outcome:?}"
    );
}

#[test]
fn what_the_policy_forbids_does_not_reach_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    let outcome = enroll(&authority, request_of("ca", "alice"));
    assert!(
        matches!(&outcome, Err(EnrollError::RejectedByPolicy(refusal)) if refusal.rule == PolicyRule::BasicConstraints)
    );
    let outcome = block_on(authority.approve_server_key(form_of("ca", "alice")));
    assert!(
        matches!(&outcome, Err(EnrollError::RejectedByPolicy(refusal)) if refusal.rule == PolicyRule::BasicConstraints)
    );
    assert_eq!(authority.log().queue(None, 0, 10).unwrap(), []);
    assert_eq!(authority.log().refused(10).unwrap().len(), 2);
}

/// A form for a key that the server is to make.
fn form_of(name: &str, requester: &str) -> ServerKeyRequest {
    let request = request_of(name, requester);
    ServerKeyRequest {
        form: (*request.csr).clone(),
        requester: request.requester,
        label: None,
        channel_binding: ChannelBindingState::Absent,
    }
}

/// The request for the key that the server has made for this form: the same but for the key.
fn made_for(form: &ServerKeyRequest) -> EnrollRequest {
    let template = RequestTemplate {
        subject: Subject::from_der(form.form.subject_der()).unwrap(),
        extensions: form.form.requested_extensions().to_vec(),
        attributes: Vec::new(),
    };
    let key = RequestKey::generate(NewKey::EcP256).unwrap();
    let der = template.sign(&key, None).unwrap();
    let csr = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
    EnrollRequest {
        csr: csr.verify(&VerificationPolicy::default()).unwrap(),
        requester: form.requester.clone(),
        label: None,
        operation: EnrollOperation::ServerKeyGen,
        channel_binding: ChannelBindingState::Absent,
    }
}

fn decision(authority: &EmbeddedCertificateAuthority, form: &ServerKeyRequest) -> ServerKeyDecision {
    block_on(authority.approve_server_key(form.clone())).unwrap()
}

#[test]
fn a_key_is_made_after_the_approval_and_its_certificate_leaves_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = root(folder).with_policy(policy());
    let form = form_of("p256", "alice");
    let retry_after = ApprovalSettings::default().retry_after;
    let pending = ServerKeyDecision::Pending { retry_after };
    for _ in 0..3 {
        assert_eq!(decision(&authority, &form), pending);
    }
    let waiting = authority.log().queue(Some(QueueState::Waiting), 0, 10).unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(waiting[0].csr, form.form.der(), "the form as it was sent");
    assert_eq!(waiting[0].origin.operation, "serverkeygen");
    decide(folder, waiting[0].id, true, 60).unwrap();
    drop(authority);

    let authority = reopened(folder, &policy(), 2 * DAY);
    assert_eq!(decision(&authority, &form), ServerKeyDecision::MakeKey);
    // Two keys that were made at the same time: one gets the certificate, and the other one not a certificate for a
    // key that it does not have.
    let (first, second) = (made_for(&form), made_for(&form));
    let spki = first.csr.public_key().spki_der().to_vec();
    let Ok(EnrollOutcome::Issued(issued)) = enroll(&authority, first) else {
        panic!("not issued");
    };
    let certificate = pki_common::Certificate::from_der(&issued.certificate).unwrap();
    assert_eq!(certificate.spki_der(), spki);
    assert!(matches!(
        enroll(&authority, second),
        Ok(EnrollOutcome::Pending { .. })
    ));
    // The key is gone with the answer: asking again is for the operator.
    assert_eq!(decision(&authority, &form), pending);
    assert_eq!(
        authority
            .log()
            .queue(Some(QueueState::Waiting), 0, 10)
            .unwrap()
            .len(),
        1
    );
    assert_eq!(authority.log().count().unwrap(), 1);
}

#[test]
fn the_approval_of_a_key_is_for_who_asked_and_not_for_who_has_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    let form = form_of("p256", "alice");
    decision(&authority, &form);
    decide(folder.path(), 1, true, 60).unwrap();
    let mut by_certificate = form.clone();
    by_certificate.requester.authentication = est::ca::Authentication::CERTIFICATE;
    for other in [
        by_certificate,
        form_of("p256", "bob"),
        form_of("rsa2048", "alice"),
    ] {
        assert!(
            matches!(decision(&authority, &other), ServerKeyDecision::Pending { .. }),
            "{other:?}"
        );
    }
    assert_eq!(decision(&authority, &form), ServerKeyDecision::MakeKey);
}

#[test]
fn a_form_that_is_rejected_makes_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    let form = form_of("p256", "alice");
    decision(&authority, &form);
    decide(folder.path(), 1, false, 60).unwrap();
    for _ in 0..2 {
        let outcome = block_on(authority.approve_server_key(form.clone()));
        assert!(
            matches!(&outcome, Err(EnrollError::RejectedByPolicy(refusal)) if refusal.text.contains("unknown device")),
            "{outcome:?}"
        );
    }
}

#[test]
fn the_operator_and_if_so_configured_a_renewal_do_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy_with(ApprovalSettings {
        reenroll_at_once: true,
        ..ApprovalSettings::default()
    }));
    let mut own = request_of("p256", "alice");
    own.requester = Requester::operator();
    let mut renewal = request_of("p256", "alice");
    renewal.operation = EnrollOperation::SimpleReenroll;
    for request in [own, renewal] {
        let outcome = enroll(&authority, request);
        assert!(matches!(outcome, Ok(EnrollOutcome::Issued(_))), "{outcome:?}");
    }
    waits(&authority, "alice");
}

#[test]
fn a_certificate_that_was_revoked_meanwhile_is_not_handed_out_again() {
    use est::ca::CertificateAuthority as _;
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    waits(&authority, "alice");
    decide(folder.path(), 1, true, 0).unwrap();
    let EnrollOutcome::Issued(issued) = enroll(&authority, request_of("p256", "alice")).unwrap() else {
        panic!("not issued");
    };
    block_on(authority.revoke(RevokeRequest {
        serial: issued.serial,
        reason: RevocationReason::KEY_COMPROMISE,
        invalidity_date: None,
        requester: Requester::operator(),
        label: None,
    }))
    .unwrap();
    waits(&authority, "alice");
}

/// Of many retries at the same moment, one certificate comes.
#[test]
fn concurrent_retries_get_the_same_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    waits(&authority, "alice");
    decide(folder.path(), 1, true, 0).unwrap();
    let outcomes: Vec<EnrollOutcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| enroll(&authority, request_of("p256", "alice")).unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(
        outcomes.iter().all(|outcome| *outcome == outcomes[0]),
        "{outcomes:?}"
    );
    assert_eq!(authority.log().count(), Ok(1));
}

#[test]
fn a_request_that_is_tied_to_each_new_connection_finds_its_entry_and_another_key_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = root(folder).with_policy(policy());
    let made = || KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
    let ask = |made: &KeyAndRequest, binding: &str| {
        let der = made
            .bound_csr_der(BindingAttribute::ChallengePassword, binding)
            .unwrap();
        let csr = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
        let request = EnrollRequest {
            csr: csr.verify(&VerificationPolicy::default()).unwrap(),
            channel_binding: ChannelBindingState::Verified(ChannelBindingType::TlsExporter),
            ..request_of("p256", "alice")
        };
        enroll(&authority, request).unwrap()
    };
    let (one, other) = (made(), made());
    for binding in ["Zmlyc3Q=", "c2Vjb25k"] {
        assert!(matches!(ask(&one, binding), EnrollOutcome::Pending { .. }));
    }
    let waiting = authority.log().queue(Some(QueueState::Waiting), 0, 10).unwrap();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    decide(folder, waiting[0].id, true, 60).unwrap();
    assert!(matches!(ask(&other, "dGhpcmQ="), EnrollOutcome::Pending { .. }));
    assert!(matches!(ask(&one, "dGhpcmQ="), EnrollOutcome::Issued(_)));
}

/// A retry on a new connection has a new proof of possession, and thereby other bytes.
#[test]
fn a_retry_with_the_proof_of_another_connection_finds_its_entry() {
    use est::request::{RequestKey, RequestTemplate};

    let folder = tempfile::tempdir().unwrap();
    let authority = root(folder.path()).with_policy(policy());
    let key = RequestKey::generate(NewKey::EcP256).unwrap();
    let template = RequestTemplate::new("CN=ap7".parse().unwrap(), &[]).unwrap();
    let request = |attribute, binding| {
        let der = template.sign(&key, Some((attribute, binding))).unwrap();
        let read = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
        let mut request = request_of("p256", "alice");
        request.csr = read.verify(&VerificationPolicy::default()).unwrap();
        request
    };
    let (password, linking) = (
        BindingAttribute::ChallengePassword,
        BindingAttribute::EstIdentityLinking,
    );
    for (attribute, binding) in [(password, "b25l"), (password, "dHdv"), (linking, "dGhyZWU=")] {
        let outcome = enroll(&authority, request(attribute, binding));
        assert!(
            matches!(outcome, Ok(EnrollOutcome::Pending { .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(authority.log().queue(None, 0, 10).unwrap().len(), 1);
    decide(folder.path(), 1, true, 0).unwrap();
    let first = enroll(&authority, request(password, "Zm91cg==")).unwrap();
    assert!(matches!(first, EnrollOutcome::Issued(_)), "{first:?}");
    assert_eq!(enroll(&authority, request(linking, "Zml2ZQ==")).unwrap(), first);
    // The log has the request that the certificate was made of.
    let certificates = authority.log().certificates(0, 10).unwrap();
    assert_eq!(certificates.len(), 1);
}

#[test]
fn a_certificate_past_half_of_its_life_is_renewed_and_not_handed_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut short = policy();
    short.validity.validity = std::time::Duration::from_secs(2 * DAY);
    let authority = root(folder.path()).with_policy(short.clone());
    waits(&authority, "alice");
    decide(folder.path(), 1, true, 0).unwrap();
    let first = enroll(&authority, request_of("p256", "alice")).unwrap();
    assert!(matches!(first, EnrollOutcome::Issued(_)), "{first:?}");
    drop(authority);
    waits(&reopened(folder.path(), &short, DAY + 1), "alice");
}

#[test]
fn a_certificate_that_was_issued_by_a_clock_ahead_is_not_handed_out_again_when_the_clock_is_right() {
    let folder = tempfile::tempdir().unwrap();
    drop(root(folder.path()));
    let ahead = reopened(folder.path(), &policy(), DAY);
    waits(&ahead, "alice");
    decide(folder.path(), 1, true, 0).unwrap();
    let first = enroll(&ahead, request_of("p256", "alice")).unwrap();
    assert!(matches!(first, EnrollOutcome::Issued(_)), "{first:?}");
    drop(ahead);
    waits(&reopened(folder.path(), &policy(), 0), "alice");
}
