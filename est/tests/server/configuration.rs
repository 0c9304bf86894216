//! What `est serve` makes of its file.

use crate::curl::{certificate, configure, csr, curl, enroll, enroll_as, eventually, installed, openssl};
use crate::process::{Serving, est, laboratory, succeeds};

fn new_authority(folder: &std::path::Path, dir: &str, more: &[&str]) {
    let subject = format!("CN=Root of {dir}");
    let arguments = ["ca", "init", "--dir", dir, "--subject", &subject];
    succeeds(folder, &[&arguments, more].concat(), "");
}

#[test]
fn labels_of_the_file_know_nothing_of_each_other() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let mut config = String::new();
    for (label, user) in [("a", "alice"), ("b", "bob")] {
        new_authority(folder, label, &[]);
        let users = format!("{label}.users");
        let arguments = ["user", "add", "--users", &users, "--password-stdin", user];
        succeeds(folder, &arguments, "secret\n");
        config += &format!("[[label]]\nname = \"{label}\"\nca-dir = \"{label}\"\nusers = \"{users}\"\n");
    }
    config += "[label.policy]\nrequester = \"common-name\"\n";
    configure(folder, &config);
    let server = Serving::start(folder);
    csr(folder, "bob", "/CN=bob");
    csr(folder, "other", "/CN=other");
    for (label, user, request, expected) in [
        ("a", "alice", "bob", 200),
        ("a", "bob", "bob", 401),
        ("b", "alice", "bob", 401),
        ("b", "bob", "bob", 200),
        ("b", "bob", "other", 422),
        ("c", "bob", "bob", 404),
    ] {
        let credentials = ["-u", &format!("{user}:secret")];
        let path = format!("{label}/simpleenroll");
        let (status, _, body) = enroll_as(folder, &server, &path, request, &credentials);
        assert_eq!(status, expected, "{user} at {label} for {request}: {body}");
        if expected == 200 {
            certificate(folder, label, &body);
            let (root, pem) = (format!("{label}/ca.pem"), format!("{label}.pem"));
            let verified = openssl(folder, &["verify", "-CAfile", &root, &pem]);
            assert!(verified.contains("OK"), "{verified}");
        }
        if expected == 422 {
            assert!(
                body.contains("rule requester") && body.contains("other"),
                "{body}"
            );
        }
    }
}

#[test]
fn a_label_can_have_a_program_as_its_authority() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    new_authority(folder, "outside", &[]);
    let script = "cat > issued.csr; if [ \"$EST_REQUESTER\" = phone ]; then openssl x509 -req -in issued.csr \
                  -CA outside/ca.pem -CAkey outside/ca.key.pem -set_serial 4711 -days 30 2>/dev/null; \
                  else echo nobody >&2; exit 77; fi";
    let script = format!("cd {} && {script}", folder.display());
    std::fs::write(folder.join("issue.sh"), script).unwrap();
    let arguments = format!("arguments = [\"{}/issue.sh\"]", folder.display());
    configure(
        folder,
        &format!(
            "[[label]]\nname = \"outside\"\n[label.command]\nprogram = \"sh\"\n{arguments}\n\
             certificates = [\"outside/ca.pem\"]\n"
        ),
    );
    let server = Serving::start(folder);
    csr(folder, "x", "/CN=x");
    let (status, _, body) = enroll(folder, &server, "outside/simpleenroll", "x");
    assert_eq!(status, 200, "{body}");
    assert_eq!(certificate(folder, "x", &body).trim(), "subject=CN=x");
    let verified = openssl(folder, &["verify", "-CAfile", "outside/ca.pem", "x.pem"]);
    assert!(verified.contains("x.pem: OK"), "{verified}");
    assert_eq!(enroll(folder, &server, "simpleenroll", "x").0, 200);
}

#[test]
fn a_program_that_takes_too_long_is_ended_and_its_certificate_fetched_later() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    new_authority(folder, "outside", &[]);
    // As an authority with a queue of its own: what was issued for a key is kept, and the first answer takes too long.
    let script = "cat > issued.csr; f=$EST_PUBLIC_KEY_SHA256.pem; [ -s $f ] && exec cat $f; openssl x509 -req \
                  -in issued.csr -CA outside/ca.pem -CAkey outside/ca.key.pem -set_serial 7 -days 30 -out $f \
                  2>/dev/null; sleep 600";
    let script = format!("cd {}\n{script}\n", folder.display());
    std::fs::write(folder.join("issue.sh"), script).unwrap();
    let config = |time: &str| {
        format!(
            "[limits]\nanswer-time = 6.0\n[[label]]\nname = \"outside\"\n[label.command]\nprogram = \"sh\"\n\
             arguments = [\"{}/issue.sh\"]\ncertificates = [\"outside/ca.pem\"]\nretry-after = 5\n{time}",
            folder.display()
        )
    };
    let good = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    configure(folder, &config("time = 6.0\n"));
    let refused = est(folder, &["serve", "--config", "est.toml", "--check"], "");
    let errors = String::from_utf8_lossy(&refused.stderr);
    for says in [
        "est.toml:16: label \"outside\": command.time",
        "limits.answer-time, 6 s",
    ] {
        assert!(errors.contains(says), "{says}: {errors}");
    }
    std::fs::write(folder.join("est.toml"), good + &config("")).unwrap();
    let server = Serving::start(folder);
    csr(folder, "x", "/CN=x");
    let (status, headers, body) = enroll(folder, &server, "outside/simpleenroll", "x");
    assert_eq!(status, 503, "{body}");
    assert!(headers.contains("\r\nretry-after: 5"), "{headers}");
    let again = || enroll(folder, &server, "outside/simpleenroll", "x");
    let (_, _, body) = eventually(again, |(status, ..)| *status == 200);
    assert_eq!(certificate(folder, "x", &body).trim(), "subject=CN=x");
}

#[test]
fn an_encrypted_authority_opens_with_the_passphrase_of_a_file_and_not_without() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    std::fs::write(folder.join("passphrase"), "correct horse\n").unwrap();
    new_authority(folder, "locked", &["--passphrase-file", "passphrase"]);
    let label = "[[label]]\nname = \"locked\"\nca-dir = \"locked\"\n";
    configure(folder, label);
    let output = est(folder, &["serve", "--config", "est.toml"], "");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("ca-passphrase-file"),
        "{errors}"
    );
    configure(folder, "ca-passphrase-file = \"passphrase\"\n");
    let server = Serving::start(folder);
    if installed() {
        let url = format!("{}/.well-known/est/locked/cacerts", server.url);
        assert_eq!(curl(folder, &[&url]).0, 200);
    }
}

#[test]
fn says_what_is_wrong_about_where_certificates_come_from() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let good = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    let command = "[command]\nprogram = \"true\"\ncertificates = [\"ca/ca.pem\"]\n";
    let without = good.replace("ca-dir = \"ca\"\n", "");
    for (text, says) in [
        (format!("{good}{command}"), "ca-dir and command are both given"),
        (without.clone(), "neither ca-dir nor command"),
        (
            format!("{without}{command}[policy]\nvalidity-days = 7\n"),
            "the program of command decides",
        ),
        (
            format!("crl-path = \"/crl\"\n{without}{command}"),
            "no revocation list here",
        ),
        (
            format!("client-revocation-lists = [\"ca/ca.pem\"]\n{good}"),
            "no revocation list in",
        ),
        (format!("{good}[policy]\ncolour = 1\n"), "colour"),
        (
            format!("{good}[policy]\napproval = \"operator\"\n[policy.queue]\nwaits-days = 0\n"),
            "est.toml:10: policy.queue.waits-days: 0",
        ),
        (
            format!("{good}[limits]\nenroll-body = 0\n"),
            "est.toml:8: limits.enroll-body: 0",
        ),
    ] {
        std::fs::write(folder.join("est.toml"), text).unwrap();
        let output = est(folder, &["serve", "--config", "est.toml"], "");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(says),
            "{says}: {errors}"
        );
    }
}

#[test]
fn the_configuration_that_it_prints_is_complete_and_starts_a_server() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let printed = succeeds(folder, &["serve", "--print-config"], "");
    let help = succeeds(folder, &["serve", "--help"], "");
    assert!(
        help.contains("--print-config") && !help.contains("[policy.queue]"),
        "{help}"
    );
    assert!(
        printed.contains("[policy.queue]") && printed.contains("answer-time"),
        "{printed}"
    );
    // The port of the example may be taken.
    let config = printed.replace("127.0.0.1:8085", "127.0.0.1:0");
    std::fs::write(folder.join("est.toml"), config).unwrap();
    let checked = succeeds(folder, &["serve", "--config", "est.toml", "--check"], "");
    assert_eq!(checked, "est.toml: good\n");
    let server = Serving::start(folder);
    let fetch = ["cacerts", "--url", &server.url, "--trust-anchors", "ca/ca.pem"];
    succeeds(folder, &fetch, "");
}
