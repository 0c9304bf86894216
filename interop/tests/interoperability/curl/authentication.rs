//! Who asks.

use est::operation::{LabelSettings, Operation};

use super::{credentials, curl, enrol, issued};
use crate::case::Case;
use crate::support::est::USER;
use crate::support::lab::{Lab, Revoking, linked, requiring};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("enrols by Basic", enrols_by_basic),
        Case::new("enrols by Digest with SHA-256", || enrols_by_digest(false)),
        Case::new("enrols by Digest, with MD5 offered too", || {
            enrols_by_digest(true)
        }),
        Case::new("enrols by certificate over TLS 1.2", || {
            enrols_by_certificate("1.2")
        }),
        Case::new("enrols by certificate over TLS 1.3", || {
            enrols_by_certificate("1.3")
        }),
        Case::new("renews its certificate", renews),
        Case::new("is told how to authenticate", is_told_how),
        Case::new("is refused with a wrong password", is_refused),
        Case::new(
            "is refused once its certificate is revoked",
            is_refused_when_revoked,
        ),
        Case::new(
            "is refused without a link to its connection, where that is required",
            is_refused_without_link,
        ),
    ]
}

async fn enrols_by_basic() {
    let lab = Lab::open(requiring(&["basic"])).await;
    let user = credentials();
    enrol(&lab, &["--basic", "--user", &user]).await.is(200);
    issued(&lab.folder).await;
}

async fn enrols_by_digest(dangerous_md5: bool) {
    let lab = Lab::with_digest(&["digest"], dangerous_md5).await;
    let user = credentials();
    let answer = enrol(&lab, &["--digest", "--user", &user]).await.is(200);
    issued(&lab.folder).await;
    let used = answer.told.to_ascii_lowercase();
    assert!(used.contains("algorithm=sha-256"), "{used}");
    assert_eq!(lab.server.handle.statistics().password_checks, 0);
}

async fn enrols_by_certificate(tls: &'static str) {
    let lab = Lab::open(requiring(&["certificate", "basic"])).await;
    lab.enrol_own("ap6").await;
    let oldest = format!("--tlsv{tls}");
    let own = ["--cert", "own.pem", "--key", "own.key.pem"];
    let arguments = [&own[..], &[&oldest, "--tls-max", tls]].concat();
    enrol(&lab, &arguments).await.is(200);
    issued(&lab.folder).await;
}

async fn renews() {
    let lab = Lab::open(LabelSettings::default()).await;
    lab.enrol_own("ap7").await;
    super::request(&lab.folder).await;
    let url = lab.url("simplereenroll");
    let own = ["--cert", "own.pem", "--key", "own.key.pem"];
    let form = [
        "--header",
        "Content-Type: application/pkcs10",
        "--data-binary",
        "@csr",
        &url,
    ];
    curl(&lab.folder, &[&own[..], &form].concat()).await.is(200);
    issued(&lab.folder).await;
    assert_eq!(lab.answers(Operation::SimpleReenroll, 200), 1);
}

async fn is_told_how() {
    let lab = Lab::with_digest(&["digest", "basic"], false).await;
    let answer = enrol(&lab, &[]).await.is(401);
    let offers: Vec<_> = answer
        .headers
        .lines()
        .filter_map(|line| line.strip_prefix("www-authenticate: "))
        .map(|offer| offer.split(' ').next().unwrap())
        .collect();
    assert_eq!(offers, ["digest", "basic"], "{}", answer.headers);
    assert!(
        answer.text().contains("simpleenroll needs authentication"),
        "{}",
        answer.text()
    );
}

async fn is_refused() {
    let lab = Lab::with_digest(&["digest", "basic"], false).await;
    let wrong = format!("{USER}:wrong");
    for scheme in ["--basic", "--digest"] {
        enrol(&lab, &[scheme, "--user", &wrong]).await.is(401);
    }
}

async fn is_refused_when_revoked() {
    let mut revoking = Revoking::open().await;
    revoking.lab.enrol_own("ap7").await;
    let own = ["--cert", "own.pem", "--key", "own.key.pem"];
    enrol(&revoking.lab, &own).await.is(200);
    revoking.revoke("own.pem").await;
    let answer = enrol(&revoking.lab, &own).await.is(0);
    assert!(answer.told.contains("certificate revoked"), "{}", answer.told);
}

async fn is_refused_without_link() {
    let lab = Lab::open(linked()).await;
    let user = credentials();
    let answer = enrol(&lab, &["--user", &user]).await.is(403);
    assert!(
        answer.text().contains("rule proof-of-possession"),
        "{}",
        answer.text()
    );
}
