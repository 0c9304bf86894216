//! SIGHUP to `est serve`.

use est::auth::digest::{DigestAnswer, DigestChallenge};
use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use crate::curl::{configure, csr, curl, enroll, enroll_as, eventually, hang_up, installed, openssl, run};
use crate::process::{Serving, laboratory, succeeds};

/// How many certificates cacerts has, 0 when there is no good answer.
fn certificates(folder: &std::path::Path, server: &Serving) -> usize {
    let url = format!("{}/.well-known/est/cacerts", server.url);
    let (status, _, body) = curl(folder, &["--cacert", "all.pem", &url]);
    if status != 200 {
        return 0;
    }
    let der = est::wire::base64::decode(body.as_bytes(), 1 << 20).unwrap();
    let limits = est::wire::certs_only::CertsOnlyLimits::default();
    est::wire::certs_only::decode(&der, &limits).unwrap().len()
}

#[test]
fn no_request_fails_while_the_process_reloads_again_and_again() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let url = format!("{}/.well-known/est/cacerts", server.url);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let urls = vec![url.as_str(); 50];
                // -o for each, so that the bodies go nowhere; one connection for all.
                let mut arguments = vec!["-sS", "--fail", "--cacert", "ca/ca.pem", "-w", "%{http_code}\\n"];
                for url in urls {
                    arguments.extend(["-o", "/dev/null", url]);
                }
                scope.spawn(move || run(folder, "curl", &arguments))
            })
            .collect();
        while clients.iter().any(|client| !client.is_finished()) {
            hang_up(&server);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        for client in clients {
            let output = client.join().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{errors}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "200\n".repeat(50));
        }
    });
}

#[test]
fn a_renewed_authority_is_taken_over_and_a_wrong_file_is_not() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    std::fs::copy(folder.join("ca/ca.pem"), folder.join("all.pem")).unwrap();
    assert_eq!(certificates(folder, &server), 1);

    // A new key: cacerts gets NewWithNew, OldWithOld, OldWithNew, NewWithOld.
    succeeds(folder, &["ca", "renew", "--dir", "ca"], "");
    assert_eq!(
        certificates(folder, &server),
        1,
        "nothing changes before the signal"
    );
    let old = std::fs::read_to_string(folder.join("all.pem")).unwrap();
    let new = std::fs::read_to_string(folder.join("ca/ca.pem")).unwrap();
    std::fs::write(folder.join("all.pem"), old + &new).unwrap();
    hang_up(&server);
    eventually(|| certificates(folder, &server), |number| *number == 4);
    csr(folder, "x", "/CN=x");
    let user = format!("{}:{}", crate::process::USER, crate::process::PASSWORD);
    let credentials = ["-u", &user, "--cacert", "all.pem"];
    let (status, _, body) = enroll_as(folder, &server, "simpleenroll", "x", &credentials);
    assert_eq!(status, 200, "{body}");
    crate::curl::certificate(folder, "x", &body);
    let verified = openssl(folder, &["verify", "-CAfile", "ca/ca.pem", "x.pem"]);
    assert!(verified.contains("x.pem: OK"), "{verified}");

    configure(folder, "nonsense = 1\n");
    hang_up(&server);
    // The signal is handled at some time; the server answers before and after.
    for _ in 0..5 {
        assert_eq!(certificates(folder, &server), 4);
    }
    assert_eq!(
        enroll(folder, &server, "nowhere/simpleenroll", "x").0,
        0,
        "ca/ca.pem alone does not verify"
    );
}

fn log(folder: &std::path::Path) -> String {
    std::fs::read_to_string(folder.join("serve.log")).unwrap()
}

/// Has the file read again, waits until the server says that it has done so, and returns what it said meanwhile.
fn reload(folder: &std::path::Path, server: &Serving) -> String {
    let before = log(folder).len();
    let said = || log(folder).split_off(before);
    hang_up(server);
    eventually(said, |said| said.contains("works with a new configuration"));
    // What it says of a reload comes before the end of it or right after.
    std::thread::sleep(std::time::Duration::from_millis(200));
    said()
}

/// For how long the list at /new.crl is valid.
fn hours_of_the_list(folder: &std::path::Path, server: &Serving) -> u64 {
    let list = format!("{}/new.crl", server.url);
    let to_file = ["-sS", "--fail", "--cacert", "ca/ca.pem", "-o", "new.crl", &list];
    assert!(run(folder, "curl", &to_file).status.success());
    let der = std::fs::read(folder.join("new.crl")).unwrap();
    let list = <x509_cert::crl::CertificateList as der::Decode>::from_der(&der).unwrap();
    let (from, to) = (
        list.tbs_cert_list.this_update,
        list.tbs_cert_list.next_update.unwrap(),
    );
    (to.to_unix_duration() - from.to_unix_duration()).as_secs() / 3600
}

#[test]
fn what_needs_a_restart_is_said_and_all_else_is_taken() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let base = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    let write = |text: String| std::fs::write(folder.join("est.toml"), text).unwrap();
    write(format!("crl-path = \"/ca.crl\"\n{base}"));
    let server = Serving::start_logging(folder);
    let said = reload(folder, &server);
    assert!(!said.contains("needs a restart"), "{said}");

    let changed = base.replace("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:1\"");
    let top = "crl-path = \"/new.crl\"\ncrl-listen = \"127.0.0.1:0\"\ncrl-validity = 2.0\ncrl-overlap = 1.0\n\
               realm = \"New realm\"\n";
    let tables = "[limits]\nconnections = 7\nhandshakes = 6\nenroll-body = 1000\n[policy]\nvalidity-days = 3\n\
                  [csr-attributes]\nentries = [{ oid = \"challengePassword\" }]\n[server-key-generation]\n\
                  [[label]]\nname = \"more\"\n";
    write(format!("{top}{changed}{tables}"));
    let said = reload(folder, &server);
    for (key, new) in [
        ("listen", "127.0.0.1:1"),
        ("crl-listen", "127.0.0.1:0"),
        ("limits.connections", "7"),
        ("limits.handshakes", "6"),
    ] {
        let expected = [format!("key=\"{key}\""), format!("new=\"{new}\"")];
        let mut lines = said.lines().filter(|line| line.contains("needs a restart"));
        assert!(
            lines.any(|line| expected.iter().all(|word| line.contains(word))),
            "{key}: {said}"
        );
    }
    assert_eq!(said.matches("needs a restart").count(), 4, "{said}");

    csr(folder, "x", "/CN=x");
    let (_, headers, _) = enroll_as(folder, &server, "simpleenroll", "x", &[]);
    assert!(headers.contains("realm=\"new realm\""), "{headers}");
    assert_eq!(enroll(folder, &server, "more/simpleenroll", "x").0, 200);
    assert_eq!(enroll(folder, &server, "serverkeygen", "x").0, 200);
    let asked = format!("{}/.well-known/est/csrattrs", server.url);
    assert_eq!(curl(folder, &[&asked]).0, 200);
    std::fs::write(folder.join("long.csr"), "A".repeat(1001)).unwrap();
    assert_eq!(enroll(folder, &server, "simpleenroll", "long").0, 413);
    let (_, _, body) = enroll(folder, &server, "simpleenroll", "x");
    crate::curl::certificate(folder, "x", &body);
    let four_days = ["x509", "-in", "x.pem", "-noout", "-checkend", "345600"];
    assert_eq!(run(folder, "openssl", &four_days).status.code(), Some(1));
    assert_eq!(curl(folder, &[&format!("{}/ca.crl", server.url)]).0, 404);

    // The next list is made by the new times.
    let serial = openssl(folder, &["x509", "-in", "x.pem", "-noout", "-serial"]);
    let serial = serial.trim().strip_prefix("serial=").unwrap();
    succeeds(folder, &["ca", "revoke", "--dir", "ca", serial], "");
    let hours = || hours_of_the_list(folder, &server);
    assert_eq!(eventually(hours, |hours| *hours < 100), 2);
}

/// Not by the helper of curl, which gives headers in lower case.
fn digest_challenge(folder: &std::path::Path, server: &Serving) -> DigestChallenge {
    let url = format!("{}/.well-known/est/simpleenroll", server.url);
    let post = [
        "-sS",
        "-i",
        "--cacert",
        "ca/ca.pem",
        "-H",
        "Content-Type: application/pkcs10",
    ];
    let asked = run(
        folder,
        "curl",
        &[&post[..], &["--data-binary", "@x.csr", &url]].concat(),
    );
    let asked = String::from_utf8(asked.stdout).unwrap();
    let challenge = asked.lines().find_map(|line| {
        let (name, value) = line.trim().split_once(": ")?;
        name.eq_ignore_ascii_case("www-authenticate").then_some(value)
    });
    let mut headers = HeaderMap::new();
    headers.insert(WWW_AUTHENTICATE, challenge.unwrap().parse().unwrap());
    DigestChallenge::strongest(&headers).unwrap().unwrap()
}

#[test]
fn a_rotated_nonce_key_makes_the_old_nonces_stale() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let (user, password) = (crate::process::USER, crate::process::PASSWORD);
    let add = ["user", "add", "--digest", "digest", "--password-stdin", user];
    succeeds(folder, &add, &format!("{password}\n"));
    let rotate = |digits: &str| std::fs::write(folder.join("nonce.key"), digits.repeat(32)).unwrap();
    rotate("ab");
    configure(
        folder,
        "[accounts]\ndigest-secrets = \"digest\"\nnonce-key = \"nonce.key\"\n[authentication]\n\
         require = [\"digest\"]\n",
    );
    let server = Serving::start_logging(folder);
    csr(folder, "x", "/CN=x");
    let challenge = digest_challenge(folder, &server);
    let with_count = |count| {
        let answer = challenge.answer(&DigestAnswer {
            method: "POST",
            uri: "/.well-known/est/simpleenroll",
            user,
            password,
            cnonce: "0a4f113b0a4f113b",
            count,
        });
        let header = format!("Authorization: {}", answer.unwrap().to_str().unwrap());
        let (status, headers, _) = enroll_as(folder, &server, "simpleenroll", "x", &["-H", &header]);
        (status, headers.contains("stale=true"))
    };
    assert_eq!(with_count(1), (200, false));
    reload(folder, &server);
    assert_eq!(
        with_count(2),
        (200, false),
        "the same key: a reload ends no nonce"
    );
    rotate("cd");
    assert_eq!(with_count(3), (200, false), "nothing changes before the signal");
    reload(folder, &server);
    assert_eq!(with_count(4), (401, true));
    let credentials = ["--digest", "-u", &format!("{user}:{password}")];
    let (_, _, answers) = enroll_as(folder, &server, "simpleenroll", "x", &credentials);
    assert!(
        answers.contains("HTTP/1.1 200"),
        "curl goes on with the new nonce: {answers}"
    );
}
