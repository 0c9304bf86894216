//! The authority behind a command.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use est::ca::command::{CommandCertificateAuthority, CommandSettings};
use est::ca::{
    CertificateAuthority as _, EnrollError, EnrollOperation, EnrollOutcome, PolicyRule, ServerKeyDecision,
    ServerKeyRequest,
};
use pki_common::Certificate;

use crate::support::{csr, issuer, peers};
use crate::{request_of, write_pem};

fn shell(script: &str) -> CommandSettings {
    let mut settings = CommandSettings::new("/bin/sh");
    settings.arguments = vec!["-c".to_owned(), script.to_owned()];
    settings
}

fn authority(settings: CommandSettings) -> CommandCertificateAuthority {
    CommandCertificateAuthority::new(settings, vec![issuer("p256").certificate().clone()]).unwrap()
}

async fn run(script: &str) -> Result<EnrollOutcome, EnrollError> {
    authority(shell(script))
        .enroll(request_of("p256", "al\nice"))
        .await
}

fn root_in(folder: &Path) -> (String, String) {
    let issuer = issuer("p256");
    let certificate = write_pem(&folder.join("root.pem"), "CERTIFICATE", &[issuer.certificate()]);
    let key = format!("{}/testdata/ca/p256.key.pem", env!("CARGO_MANIFEST_DIR"));
    (certificate, key)
}

#[tokio::test]
async fn openssl_is_an_authority() {
    if peers::find_or_skip("openssl").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, key) = root_in(folder.path());
    let script = format!(
        "cat > {0}/csr && openssl x509 -req -in {0}/csr -CA {root} -CAkey {key} -set_serial 4711 -days 30",
        folder.path().display()
    );
    let EnrollOutcome::Issued(issued) = run(&script).await.unwrap() else {
        panic!("not issued");
    };
    let certificate = Certificate::from_der(&issued.certificate).unwrap();
    assert_eq!(certificate.spki_der(), csr("p256").public_key().spki_der());
    assert_eq!(issued.serial.to_string(), "1267");
}

#[tokio::test]
async fn the_exit_status_says_what_became_of_the_request() {
    let pending = run("exit 75").await.unwrap();
    assert!(matches!(pending, EnrollOutcome::Pending { .. }), "{pending:?}");
    let Err(EnrollError::RejectedByPolicy(refusal)) = run("echo no such device >&2; exit 77").await else {
        panic!("not refused");
    };
    assert_eq!(refusal.rule, PolicyRule::ExternalAuthority);
    assert_eq!(refusal.text, "no such device");
    for script in ["echo secret >&2; exit 1", "kill -9 $$", "echo nothing", "exit 0"] {
        let outcome = run(script).await;
        assert!(
            matches!(outcome, Err(EnrollError::Internal { .. })),
            "{script}: {outcome:?}"
        );
    }
}

/// A script that is asked before a key is made, and one run of each step.
async fn asked_before(
    script: &str,
) -> (
    Result<ServerKeyDecision, EnrollError>,
    Result<EnrollOutcome, EnrollError>,
) {
    let mut settings = shell(script);
    settings.approves_server_keys = true;
    let authority = authority(settings);
    let mut request = request_of("p256", "alice");
    request.operation = EnrollOperation::ServerKeyGen;
    let form = ServerKeyRequest {
        form: (*request.csr).clone(),
        requester: request.requester.clone(),
        label: None,
        channel_binding: request.channel_binding,
    };
    (
        authority.approve_server_key(form).await,
        authority.enroll(request).await,
    )
}

#[tokio::test]
async fn the_command_decides_before_the_server_makes_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let script = format!(
        "test $EST_OPERATION = serverkeygen && echo $EST_STEP $EST_SERVER_KEY_REQUEST ${{EST_PUBLIC_KEY_SHA256:-none}} >> {} \
         && grep -q 'BEGIN CERTIFICATE REQUEST' && test $EST_STEP = issue && exit 77 || exit 75",
        seen.display()
    );
    let (decision, outcome) = asked_before(&script).await;
    assert!(
        matches!(decision, Ok(ServerKeyDecision::Pending { .. })),
        "{decision:?}"
    );
    assert!(
        matches!(outcome, Err(EnrollError::RejectedByPolicy(_))),
        "{outcome:?}"
    );
    let seen = std::fs::read_to_string(seen).unwrap();
    let lines: Vec<Vec<&str>> = seen.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!((lines[0][0], lines[1][0]), ("approve", "issue"));
    assert_eq!(lines[0][1], lines[1][1]);
    assert_eq!(
        (lines[0][1].len(), lines[0][2], lines[1][2].len()),
        (64, "none", 64)
    );

    for (script, says) in [
        ("exit 0", Ok(ServerKeyDecision::MakeKey)),
        ("echo no >&2; exit 77", Err("no")),
    ] {
        match (asked_before(script).await.0, says) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(EnrollError::RejectedByPolicy(refusal)), Err(text)) => assert_eq!(refusal.text, text),
            (found, _) => panic!("{script}: {found:?}"),
        }
    }
    // A key that is there already does not wait.
    let (_, outcome) = asked_before("exit 75").await;
    assert!(
        matches!(&outcome, Err(EnrollError::RejectedByPolicy(refusal)) if refusal.text.contains("cannot wait")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_command_learns_who_asks_and_for_what() {
    let script = r#"test "$EST_OPERATION" = simpleenroll && test "$EST_REQUESTER" = "al?ice" \
        && test "$EST_AUTHENTICATION" = http-basic && test "$EST_ADDRESS" = 192.0.2.7 \
        && test "$EST_CHANNEL_BINDING" = absent && test -z "$EST_LABEL" \
        && test ${#EST_PUBLIC_KEY_SHA256} = 64 && grep -q 'BEGIN CERTIFICATE REQUEST' && exit 75"#;
    let outcome = run(script).await;
    assert!(
        matches!(outcome, Ok(EnrollOutcome::Pending { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_key_is_not_handed_out() {
    let folder = tempfile::tempdir().unwrap();
    let (root, _) = root_in(folder.path());
    let Err(EnrollError::Internal { reason }) = run(&format!("cat {root}")).await else {
        panic!("handed out");
    };
    assert!(reason.contains("another key"), "{reason}");
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_and_one_that_floods_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let mut settings = shell(&format!("echo $$ > {}; exec sleep 600", pid.display()));
    settings.time = Duration::from_millis(500);
    let outcome = authority(settings).enroll(request_of("p256", "alice")).await;
    let Err(EnrollError::Unavailable { reason, .. }) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("took longer"), "{reason}");
    if let Ok(pid) = std::fs::read_to_string(&pid) {
        let process = Path::new("/proc").join(pid.trim()).join("status");
        let mut rounds = 0;
        while std::fs::read_to_string(&process).is_ok_and(|status| !status.contains("State:\tZ")) {
            rounds += 1;
            assert!(rounds < 3000, "the command goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let mut settings = shell("yes | head -c 10000");
    settings.output = 1000;
    let outcome = authority(settings).enroll(request_of("p256", "alice")).await;
    assert!(
        matches!(&outcome, Err(EnrollError::Internal { reason }) if reason.contains("more than 1000 bytes")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn requests_beyond_the_bound_are_asked_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let mut settings = shell(&format!(
        "until test -e {}; do sleep 0.02; done; exit 75",
        go.display()
    ));
    settings.concurrent = 1;
    settings.waiting = 1;
    let authority = Arc::new(authority(settings));
    let started: Vec<_> = (0..2)
        .map(|_| {
            let authority = Arc::clone(&authority);
            tokio::spawn(async move { authority.enroll(request_of("p256", "alice")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let third = authority.enroll(request_of("p256", "alice")).await;
    assert!(matches!(third, Err(EnrollError::Unavailable { .. })), "{third:?}");
    std::fs::write(go, "").unwrap();
    for task in started {
        assert!(matches!(task.await.unwrap(), Ok(EnrollOutcome::Pending { .. })));
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_the_operators_fault() {
    let authority = authority(CommandSettings::new("/nowhere/program"));
    let outcome = authority.enroll(request_of("p256", "alice")).await;
    assert!(matches!(&outcome, Err(EnrollError::Internal { reason }) if reason.contains("/nowhere/program")));
    assert!(CommandCertificateAuthority::new(CommandSettings::new("x"), vec![]).is_err());
}

#[tokio::test]
async fn what_the_command_started_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let mut settings = shell(&format!("sleep 600 & echo $! > {}; wait", pid.display()));
    settings.time = Duration::from_secs(2);
    let outcome = authority(settings).enroll(request_of("p256", "alice")).await;
    assert!(
        matches!(outcome, Err(EnrollError::Unavailable { .. })),
        "{outcome:?}"
    );
    let pid = std::fs::read_to_string(&pid).unwrap();
    let process = Path::new("/proc").join(pid.trim()).join("status");
    let mut rounds = 0;
    while std::fs::read_to_string(&process).is_ok_and(|status| !status.contains("State:\tZ")) {
        rounds += 1;
        assert!(rounds < 3000, "the process goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A subject is never a word of a command line, and a shell that expands it as one variable does not run it.
#[tokio::test]
async fn a_hostile_subject_stays_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let trap = folder.path().join("trap");
    let mut request = request_of("p256", "alice");
    request.requester.name = format!("$(touch {0}); `touch {0}`; '\" | touch {0}", trap.display());
    let settings = shell(r#"case "$EST_REQUESTER" in '$(touch '*) exit 75;; *) exit 1;; esac"#);
    let outcome = authority(settings).enroll(request).await;
    assert!(
        matches!(outcome, Ok(EnrollOutcome::Pending { .. })),
        "{outcome:?}"
    );
    assert!(!trap.exists());
}
