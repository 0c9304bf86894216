//! Requests that wait for an operator (RFC 7030, section 4.2.3), from curl to `est ca approve` in another process.

use crate::curl::{certificate, configure, csr, enroll, installed};
use crate::process::{Serving, laboratory, succeeds};

const APPROVAL: &str = "[policy]\napproval = \"operator\"\n[policy.queue]\nretry-after = 7\n";

/// In the log, for days cannot be waited for.
fn the_time_to_decide_ends(folder: &std::path::Path) {
    let log = rusqlite::Connection::open(folder.join("ca/ca.sqlite")).unwrap();
    let over = "UPDATE pending_requests SET expires_at = 1 WHERE state = 'waiting'";
    assert_eq!(log.execute(over, []).unwrap(), 1);
}

#[test]
fn approve_reject_expire_and_retry_with_restarts_in_between() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    configure(folder, APPROVAL);
    ["a", "b", "c"]
        .iter()
        .for_each(|name| csr(folder, name, &format!("/CN={name}")));
    let queue = |more: &[&str]| succeeds(folder, &[&["ca", "pending", "--dir", "ca"], more].concat(), "");
    let number = |name: &str| {
        let listed = queue(&[]);
        let line = listed.lines().find(|line| line.contains(&format!("CN={name}")));
        line.unwrap().split('\t').next().unwrap().to_owned()
    };

    let server = Serving::start(folder);
    for name in ["a", "b", "a", "b"] {
        let (status, headers, body) = enroll(folder, &server, "simpleenroll", name);
        assert_eq!(status, 202, "{body}");
        assert!(headers.contains("\r\nretry-after: 7"), "{headers}");
        assert!(body.contains("waits for approval"), "{body}");
    }
    assert_eq!(queue(&[]).lines().count(), 2, "a retry makes no second entry");
    drop(server); // killed

    let server = Serving::start(folder);
    assert_eq!(enroll(folder, &server, "simpleenroll", "a").0, 202);
    assert_eq!(queue(&[]).lines().count(), 2, "nor does a restart");
    succeeds(folder, &["ca", "approve", "--dir", "ca", &number("a")], "");
    let reason = ["--reason", "unknown device"];
    succeeds(
        folder,
        &[&["ca", "reject", "--dir", "ca", &number("b")][..], &reason].concat(),
        "",
    );
    let (status, _, first) = enroll(folder, &server, "simpleenroll", "a");
    assert_eq!(status, 200, "{first}");
    assert_eq!(certificate(folder, "a", &first).trim(), "subject=CN=a");
    let (status, _, body) = enroll(folder, &server, "simpleenroll", "b");
    assert_eq!(status, 422, "{body}");
    assert!(
        body.contains("rule approval") && body.contains("unknown device"),
        "{body}"
    );
    drop(server);

    let server = Serving::start(folder);
    assert_eq!(
        enroll(folder, &server, "simpleenroll", "a").2,
        first,
        "the same certificate"
    );
    assert_eq!(enroll(folder, &server, "simpleenroll", "b").0, 422);

    // The time to decide ends while the server is down.
    assert_eq!(enroll(folder, &server, "simpleenroll", "c").0, 202);
    drop(server);
    the_time_to_decide_ends(folder);
    let server = Serving::start(folder);
    let answer = enroll(folder, &server, "simpleenroll", "c");
    assert_eq!(answer.0, 422, "{answer:?}");
    assert!(answer.2.contains("not approved"), "{answer:?}");
    assert!(queue(&["--all"]).contains("expired"), "{}", queue(&["--all"]));
}
