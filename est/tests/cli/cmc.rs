//! `est cmc` against `est serve`.

use std::path::Path;
use std::process::Output;

use pki_common::Certificate;
use pki_common::identity::Identity;
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

const PROOF: [&str; 4] = ["--identification", "device-7", "--secret-file", "secret"];
const OPERATOR: &str = "[policy]\napproval = \"operator\"\n";

/// The object that a command prints whose request waits.
fn waits(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(75), "{errors}");
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["status"], "pending");
    object
}

/// The numbers of the requests that wait.
fn queue(folder: &Path) -> Vec<String> {
    let listed = succeeds(folder, &["ca", "pending", "--dir", "ca", "--json"], "");
    let numbers = listed.lines().map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["id"].to_string()
    });
    numbers.collect()
}

fn approve_the_only_one(folder: &Path) {
    let waiting = queue(folder);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    succeeds(folder, &["ca", "approve", "--dir", "ca", &waiting[0]], "");
}

/// Asks for the outcome of the request whose files have this name.
fn query(folder: &Path, url: &str, name: &str, token: &str, extra: &[&str]) -> Output {
    let files = ["pem", "pem.csr", "key"].map(|ending| format!("{name}.{ending}"));
    let asked = ["--json", "-o", &files[0], "--csr", &files[1]];
    let key = ["--existing-key", &files[2], "--query", token];
    cmc(folder, url, &[&asked[..], &key, &PASSWORD, extra].concat())
}

#[test]
fn the_outcome_of_a_request_that_waits_is_asked_for_by_its_token() {
    let laboratory = laboratory(OPERATOR);
    let folder = laboratory.path();
    let server = Serving::start(folder);
    for (name, syntax) in [("pkcs10", &[][..]), ("crmf", &["--crmf"][..])] {
        let extra = [&PASSWORD[..], &PROOF, syntax].concat();
        let told = waits(&ask(folder, &server.url, name, &extra));
        let token = told["token"].as_str().unwrap();
        assert_eq!(told["statuses"][0]["status"], "pending", "{told}");
        assert_eq!(told["statuses"][0]["body_parts"][0], "1");
        assert_eq!(told["token_file"], format!("{name}.pem.token"));
        assert_eq!(told["request"], format!("{name}.pem.csr"));
        let kept = std::fs::read_to_string(folder.join(format!("{name}.pem.token"))).unwrap();
        assert_eq!(kept.trim(), token);

        let still = waits(&query(folder, &server.url, name, token, &PROOF));
        assert_eq!(still["token"], token, "{name}");
        approve_the_only_one(folder);
        let file = format!("@{name}.pem.token");
        let issued = object(&query(folder, &server.url, name, &file, &PROOF));
        assert_eq!(issued["status"], "issued", "{name}");
        // Loading checks that they belong together.
        let [certificate, key] = ["pem", "key"].map(|ending| folder.join(format!("{name}.{ending}")));
        assert_eq!(
            Identity::load(certificate, key).unwrap().certificate().subject(),
            "/CN=device-7"
        );
    }
}

#[test]
fn a_simple_request_that_waits_has_a_token_too() {
    let laboratory = laboratory(&format!("identity-proof-required = false\n{OPERATOR}"));
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let told = waits(&ask(
        folder,
        &server.url,
        "simple",
        &[&PASSWORD[..], &["--simple"]].concat(),
    ));
    assert_eq!(told["statuses"][0]["status"], "pending", "{told}");
    approve_the_only_one(folder);
    let issued = object(&query(folder, &server.url, "simple", "@simple.pem.token", &[]));
    assert_eq!(issued["certificate"]["subject"], "/CN=device-7");
}

#[test]
fn people_are_told_what_waits_and_how_to_ask_again() {
    let laboratory = laboratory(OPERATOR);
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let files = [
        "-o",
        "late.pem",
        "--out-key",
        "late.key",
        "--subject",
        "CN=device-7",
    ];
    let output = cmc(folder, &server.url, &[&files[..], &PASSWORD, &PROOF].concat());
    let [text, told] = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
    assert_eq!(output.status.code(), Some(75), "{told}");
    assert_eq!(text, "body part 1: pending: the request waits for approval\n");
    assert!(
        told.contains(
            "ask again in 300 s with --existing-key, --csr late.pem.csr and --query @late.pem.token"
        ),
        "{told}"
    );
}

#[test]
fn a_query_learns_of_a_rejection_and_an_unknown_token_is_refused() {
    let laboratory = laboratory(OPERATOR);
    let folder = laboratory.path();
    let server = Serving::start(folder);
    waits(&ask(
        folder,
        &server.url,
        "late",
        &[&PASSWORD[..], &PROOF].concat(),
    ));
    let refused = |token: &str| {
        let output = query(folder, &server.url, "late", token, &PROOF);
        assert_eq!(output.status.code(), Some(1));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["status"], "refused", "{told}");
        told["statuses"][0].clone()
    };
    for token in ["00ff", "300d06092a864886f70d01010105000304"] {
        let status = refused(token);
        assert_eq!(status["fail_info"], "badRequest");
        assert_eq!(status["text"], "the token is not one of this server");
    }
    let waiting = queue(folder);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let reject = [
        "ca",
        "reject",
        "--dir",
        "ca",
        "--reason",
        "no such device",
        &waiting[0],
    ];
    succeeds(folder, &reject, "");
    let status = refused("@late.pem.token");
    let text = status["text"].as_str().unwrap();
    assert!(
        text.contains("the operator rejected the request: no such device"),
        "{text}"
    );
    let unreadable = query(folder, &server.url, "late", "@nowhere", &PROOF);
    assert_eq!(unreadable.status.code(), Some(1));
}

#[test]
fn a_crmf_request_that_is_sent_again_finds_its_own_entry() {
    let laboratory = laboratory(OPERATOR);
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let crmf = [&PASSWORD[..], &PROOF, &["--crmf"]].concat();
    waits(&ask(folder, &server.url, "late", &crmf));
    let first = queue(folder);
    let kept = ["--json", "-o", "late.pem", "--existing-key", "late.key"];
    for asked in [["--csr", "late.pem.csr"], ["--subject", "CN=device-7"]] {
        waits(&cmc(folder, &server.url, &[&kept[..], &asked, &crmf].concat()));
        assert_eq!(queue(folder), first, "{asked:?}");
    }
    approve_the_only_one(folder);
    let asked = ["--csr", "late.pem.csr"];
    let issued = object(&cmc(folder, &server.url, &[&kept[..], &asked, &crmf].concat()));
    assert_eq!(issued["certificate"]["subject"], "/CN=device-7");
}
