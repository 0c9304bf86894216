//! PyPI certsrv, a client of the original, by every way to log in that it has.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use est::wire::certs_only::{self, CertsOnlyLimits};
use interop::adcs_sim::{Rule, Settings, Verdict};
use interop::peers::find_python_module_or_skip;
use pki_common::Certificate;

use crate::lab::{Lab, request};

/// `None` when certsrv or curl is not installed.
async fn start() -> Option<(Lab, PathBuf)> {
    let python = find_python_module_or_skip("certsrv")?;
    let mut settings = Settings {
        rules: vec![Rule {
            subject: "CN=slow*".to_owned(),
            verdict: Verdict::Pending,
        }],
        ..Settings::default()
    };
    settings.logins.client_certificate = true;
    Some((Lab::start(settings).await?, python))
}

/// How the client logs in: the method, and the two values that it takes for it.
type Login<'a> = (&'a str, &'a str, &'a str);

const LOGINS: [Login<'_>; 2] = [
    ("basic", "ciscora", "cisco"),
    ("ntlm", "MICHAMEN\\ciscora", "cisco"),
];

fn run(lab: &Lab, python: &PathBuf, login: Login<'_>, arguments: &[&str]) -> Vec<u8> {
    let (method, user, password) = login;
    let server = lab.simulator.url().replace("https://", "");
    let output = Command::new(python)
        .args(["-c", include_str!("peer.py"), &server])
        .arg(lab.file("ca.pem"))
        .args([method, user, password])
        .args(arguments)
        // They would count more than the file.
        .env_remove("REQUESTS_CA_BUNDLE")
        .env_remove("CURL_CA_BUNDLE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn tell(lab: &Lab, python: &PathBuf, login: Login<'_>, arguments: &[&str]) -> String {
    String::from_utf8(run(lab, python, login, arguments))
        .unwrap()
        .trim()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn obtains_a_certificate_and_is_denied_and_waits() {
    let Some((lab, python)) = start().await else {
        return;
    };
    for (first, login) in [(1, LOGINS[0]), (4, LOGINS[1])] {
        let good = lab.write("good.pem", request("phone")).display().to_string();
        let slow = lab.write("slow.pem", request("slow phone")).display().to_string();
        let certificate = tell(&lab, &python, login, &["enroll", &good, "CiscoRA"]);
        let certificate = Certificate::from_pem(certificate.as_bytes()).unwrap();
        assert_eq!(certificate.subject(), "/CN=phone");

        let denied = tell(&lab, &python, login, &["enroll", &good, "NoSuchTemplate"]);
        assert!(
            denied.starts_with("denied Denied by Policy Module  0x80094800, "),
            "{denied}"
        );

        let id = first + 2;
        assert_eq!(
            tell(&lab, &python, login, &["enroll", &slow, "CiscoRA"]),
            format!("pending {id}")
        );
        let id_text = id.to_string();
        let waits = tell(&lab, &python, login, &["fetch", &id_text]);
        assert_eq!(waits, "not there: Taken Under Submission");
        lab.simulator.approve(id).unwrap();
        let certificate = tell(&lab, &python, login, &["fetch", &id_text]);
        let certificate = Certificate::from_pem(certificate.as_bytes()).unwrap();
        assert_eq!(certificate.subject(), "/CN=slow phone");
    }
}

/// By NTLM, the library asks without credentials first, so that there is a 401.2 (F002-18); and its integrity code is
/// right, which the simulator checks.
#[tokio::test(flavor = "multi_thread")]
async fn checks_its_credentials_by_every_login() {
    let Some((lab, python)) = start().await else {
        return;
    };
    for login in LOGINS {
        assert_eq!(tell(&lab, &python, login, &["check"]), "True", "{login:?}");
    }
    let found: Vec<_> = lab
        .simulator
        .log()
        .iter()
        .map(|line| (line.status, line.substatus, line.win32))
        .collect();
    assert_eq!(
        found,
        [(200, 0, 0), (401, 2, 5), (401, 1, 2_148_074_254), (200, 0, 0)]
    );
    for (method, user, _) in LOGINS {
        assert_eq!(
            tell(&lab, &python, (method, user, "wrong"), &["check"]),
            "False",
            "{method}"
        );
    }
    let identity = lab.simulator.client_identity("ciscora").unwrap();
    let (certificate, key) = (lab.file("client.pem"), lab.file("client.key.pem"));
    identity.save(&certificate, &key).unwrap();
    let login = ("cert", certificate.to_str().unwrap(), key.to_str().unwrap());
    assert_eq!(tell(&lab, &python, login, &["check"]), "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_the_newest_authority_and_its_chain() {
    let Some((lab, python)) = start().await else {
        return;
    };
    lab.set_faults(&["renewed=2"]);
    for login in LOGINS {
        let newest = tell(&lab, &python, login, &["authority"]);
        let newest = Certificate::from_pem(newest.as_bytes()).unwrap();
        let expected = lab.simulator.issuing_authority_pem(2).unwrap();
        assert_eq!(newest, Certificate::from_pem(expected.as_bytes()).unwrap());
        let chain = run(&lab, &python, login, &["chain"]);
        let chain = certs_only::decode(&chain, &CertsOnlyLimits::default()).unwrap();
        assert_eq!(chain.len(), 2);
        assert!(chain.contains(newest.der()) && chain.contains(&lab.simulator.root_certificate()));
    }
}
