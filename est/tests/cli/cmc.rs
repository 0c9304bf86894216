//! `est cmc` against `est serve`.

use std::path::Path;
use std::process::Output;

use pki_common::Certificate;
use serde_json::Value;

use crate::enroll;
use crate::process::{Serving, est, succeeds};
use crate::server_key::{PASSWORD, laboratory_with};

const SECRET: &str = "0123456789abcdef";
const CONFIG: &str = "[full-cmc]\nsecrets = \"cmc-secrets\"\nrevocation = true\n";

fn laboratory(more: &str) -> tempfile::TempDir {
    let laboratory = laboratory_with(&format!("{CONFIG}{more}"));
    let folder = laboratory.path();
    let secrets = folder.join("cmc-secrets");
    std::fs::write(&secrets, format!("device-7:{SECRET}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    std::fs::write(folder.join("secret"), format!("{SECRET}\n")).unwrap();
    std::fs::write(folder.join("wrong"), "fedcba9876543210\n").unwrap();
    laboratory
}

fn cmc(folder: &Path, url: &str, extra: &[&str]) -> Output {
    let start = ["cmc", "--url", url, "--trust-anchors", "ca/ca.pem"];
    est(folder, &[&start[..], extra].concat(), "")
}

fn object(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn new(name: &str) -> [String; 5] {
    [
        "--json".to_owned(),
        "-o".to_owned(),
        format!("{name}.pem"),
        "--out-key".to_owned(),
        format!("{name}.key"),
    ]
}

fn ask(folder: &Path, url: &str, name: &str, extra: &[&str]) -> Output {
    let files = new(name);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    cmc(
        folder,
        url,
        &[&files[..], &["--subject", "CN=device-7"], extra].concat(),
    )
}

#[test]
fn a_shared_secret_is_as_good_as_a_certificate_for_pkcs10_and_crmf() {
    let laboratory = laboratory("");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let proof = ["--identification", "device-7", "--secret-file", "secret"];
    for (name, syntax) in [("pkcs10", &[][..]), ("crmf", &["--crmf"][..])] {
        let extra = [&PASSWORD[..], &proof, syntax].concat();
        let issued = object(&ask(folder, &server.url, name, &extra));
        assert_eq!(issued["status"], "issued", "{name}");
        assert_eq!(issued["certificate"]["subject"], "/CN=device-7", "{name}");
        assert_eq!(issued["statuses"][0]["status"], "success", "{name}");
        let pem = std::fs::read(folder.join(format!("{name}.pem"))).unwrap();
        assert_eq!(Certificate::from_pem(&pem).unwrap().subject(), "/CN=device-7");
    }
    let wrong = ["--identification", "device-7", "--secret-file", "wrong"];
    let refused = ask(folder, &server.url, "refused", &[&PASSWORD[..], &wrong].concat());
    assert_eq!(refused.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(told["status"], "refused");
    assert_eq!(told["statuses"][0]["fail_info"], "badIdentity", "{told}");
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(serde_json::from_str::<Value>(&error).is_ok(), "{error}");
    assert!(!error.contains("fedcba"), "{error}");
    // There is no certificate for it.
    assert!(!folder.join("refused.key").exists());
}

#[test]
fn a_certificate_signs_for_its_successor_and_for_its_own_end() {
    let laboratory = laboratory("");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let asked = ["--subject", "CN=device-7"];
    let output = enroll(folder, &server.url, &[&PASSWORD[..], &asked].concat(), "old");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let old = ["--cert", "old.pem", "--key", "old.key.pem"];
    let issued = object(&ask(folder, &server.url, "next", &old));
    let serial = issued["certificate"]["serial"].as_str().unwrap().to_owned();

    // Another's certificate is not revoked, one's own is.
    let output = cmc(folder, &server.url, &[&old[..], &["--revoke", &serial]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("body part") && text.contains("badIdentity"),
        "{text}"
    );
    let next = ["--json", "--cert", "next.pem", "--key", "next.key"];
    let reason = ["--revoke", &serial, "--reason", "superseded"];
    let revoked = object(&cmc(folder, &server.url, &[&next[..], &reason].concat()));
    assert_eq!(revoked["status"], "revoked");
    let listed = succeeds(
        folder,
        &["ca", "list", "--dir", "ca", "--status", "revoked", "--json"],
        "",
    );
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["revocation_reason"], "superseded");
    assert_eq!(listed["subject"], "CN=device-7");
}

#[test]
fn a_simple_request_is_answered_with_the_certificate() {
    let laboratory = laboratory("");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let issued = object(&ask(
        folder,
        &server.url,
        "simple",
        &[&PASSWORD[..], &["--simple"]].concat(),
    ));
    assert_eq!(issued["certificate"]["subject"], "/CN=device-7");
}

#[test]
fn a_request_that_waits_is_kept_and_sent_again() {
    let laboratory = laboratory("[policy]\napproval = \"operator\"\n");
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let proof = ["--identification", "device-7", "--secret-file", "secret"];
    let output = ask(folder, &server.url, "late", &[&PASSWORD[..], &proof].concat());
    assert_eq!(
        output.status.code(),
        Some(75),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let pending: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(pending["status"], "pending");
    let waiting = succeeds(folder, &["ca", "pending", "--dir", "ca", "--json"], "");
    let waiting: Value = serde_json::from_str(&waiting).unwrap();
    succeeds(
        folder,
        &["ca", "approve", "--dir", "ca", &waiting["id"].to_string()],
        "",
    );
    let again = ["--csr", "late.pem.csr", "--existing-key", "late.key"];
    let output = cmc(
        folder,
        &server.url,
        &[&["--json", "-o", "late.pem"][..], &PASSWORD, &proof, &again].concat(),
    );
    assert_eq!(object(&output)["certificate"]["subject"], "/CN=device-7");
}
