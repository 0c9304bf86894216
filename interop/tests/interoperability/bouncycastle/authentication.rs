//! Who asks, and on which connection.

use est::operation::{LabelSettings, Operation};

use super::program::{Answer, run};
use crate::case::Case;
use crate::matrix::Outcome;
use crate::support::est::{PASSWORD, USER};
use crate::support::lab::{Lab, Revoking, linked, requiring};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("enrols by Basic", enrols_by_basic),
        Case::new("enrols by Digest with MD5", || {
            enrols_by_digest(&["digest", "basic"], true)
        }),
        Case::new("enrols by Digest with SHA-256", || {
            enrols_by_digest(&["digest"], false)
        }),
        Case::new(
            "falls back to Basic beside Digest with SHA-256",
            falls_back_to_basic,
        ),
        Case::new("enrols by certificate over TLS 1.2", || {
            enrols_by_certificate("TLSv1.2")
        }),
        Case::new("enrols by certificate over TLS 1.3", || {
            enrols_by_certificate("TLSv1.3")
        }),
        Case::new("is refused with a wrong password", is_refused),
        Case::new(
            "is refused once its certificate is revoked",
            is_refused_when_revoked,
        ),
        Case::new(
            "links its request to the connection of TLS 1.2, where that is required",
            || links_its_request("TLSv1.2"),
        ),
        Case::new(
            "links its request to the connection of TLS 1.3, where that is required",
            || links_its_request("TLSv1.3"),
        ),
        Case::new(
            "is refused without a link, where that is required",
            is_refused_without_link,
        ),
    ]
}

async fn enrol(lab: &Lab, password: &str, more: &[&str]) -> Answer {
    let user = ["--user", USER, "--password", password, "--subject", "CN=ap7"];
    run(lab, "simpleenroll", &[&user, more].concat()).await
}

/// An outcome by whether it has a certificate.
fn outcome(answer: &Answer) -> Outcome {
    if answer.succeeded() {
        answer.has_issued("CN=ap7");
        Outcome::Passed
    } else if answer.was_refused() {
        Outcome::Refused(answer.error())
    } else {
        Outcome::Failed(answer.error())
    }
}

async fn enrols_by_basic() {
    let lab = Lab::open(requiring(&["basic"])).await;
    enrol(&lab, PASSWORD, &[]).await.has_issued("CN=ap7");
    // It asks without credentials first.
    assert_eq!(lab.answers(Operation::SimpleEnroll, 401), 1);
}

async fn enrols_by_digest(methods: &'static [&'static str], dangerous_md5: bool) -> Outcome {
    let lab = Lab::with_digest(methods, dangerous_md5).await;
    let outcome = outcome(&enrol(&lab, PASSWORD, &[]).await);
    if outcome == Outcome::Passed {
        // Not by Basic, for which a password is checked.
        assert_eq!(lab.server.handle.statistics().password_checks, 0);
    }
    outcome
}

async fn falls_back_to_basic() {
    let lab = Lab::with_digest(&["digest", "basic"], false).await;
    enrol(&lab, PASSWORD, &[]).await.has_issued("CN=ap7");
}

async fn enrols_by_certificate(tls: &'static str) {
    let lab = Lab::open(requiring(&["certificate", "basic"])).await;
    lab.enrol_own("ap6").await;
    let own = ["--cert", "own.pem", "--key", "own.key.pem", "--tls", tls];
    let arguments = [&own[..], &["--subject", "CN=ap7"]].concat();
    run(&lab, "simpleenroll", &arguments).await.has_issued("CN=ap7");
    assert_eq!(lab.answers(Operation::SimpleEnroll, 401), 0);
}

async fn is_refused() {
    let lab = Lab::open(LabelSettings::default()).await;
    let answer = enrol(&lab, "wrong", &[]).await;
    assert_eq!(answer.refusal(), "401");
}

async fn is_refused_when_revoked() {
    let mut revoking = Revoking::open().await;
    revoking.lab.enrol_own("ap7").await;
    let own = ["--cert", "own.pem", "--key", "own.key.pem", "--subject", "CN=ap7"];
    let answer = run(&revoking.lab, "simplereenroll", &own).await;
    answer.has_issued("CN=ap7");
    revoking.revoke("own.pem").await;
    let error = run(&revoking.lab, "simplereenroll", &own).await.error();
    assert!(error.contains("certificate_revoked"), "{error}");
    let counted = revoking.lab.server.handle.statistics();
    assert_eq!(counted.client_certificates_refused, 1);
}

async fn links_its_request(tls: &'static str) -> Outcome {
    let lab = Lab::open(linked()).await;
    outcome(&enrol(&lab, PASSWORD, &["--pop", "tls-unique", "--tls", tls]).await)
}

async fn is_refused_without_link() {
    let lab = Lab::open(linked()).await;
    let answer = enrol(&lab, PASSWORD, &[]).await;
    assert_eq!(answer.refusal(), "403");
}
