//! SIGHUP to `est serve`.

use crate::curl::{configure, csr, curl, enroll, eventually, hang_up, installed, openssl, run};
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
    let (status, _, body) = crate::curl::enroll_as(folder, &server, "simpleenroll", "x", &credentials);
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
