//! `est inspect` over the test data, and what openssl and curl make.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{Serving, est, laboratory, succeeds};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn inspect(path: &Path) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), &["inspect", "--json", path.to_str().unwrap()], "");
    let all: Value = serde_json::from_str(&text).unwrap();
    all[0]["report"].clone()
}

fn problems(report: &Value) -> String {
    report["problems"].to_string()
}

#[test]
fn tells_what_each_file_is_in_any_encoding() {
    for (name, kind, encoding) in [
        ("csr/p256.der", "certification request", "DER"),
        ("csr/p256.pem", "certification request", "PEM"),
        ("csr/p256.base64", "certification request", "base64"),
        ("csr/with-text.pem", "certification request", "PEM"),
        ("certs_only/three-certificates.der", "certs-only message", "DER"),
        ("certs_only/signed-indefinite-length.ber", "signed message", "DER"),
        ("ca/p256.key.pem", "private key", "PEM"),
        ("ca/rsa2048.key.pem", "private key", "PEM"),
    ] {
        let report = inspect(&data(name));
        assert_eq!(
            (&report["kind"], &report["encoding"]),
            (&kind.into(), &encoding.into()),
            "{name}: {report}"
        );
    }
}

#[test]
fn names_what_is_wrong_with_a_request() {
    for (name, problem) in [
        ("csr/wrong-signature.der", "signature"),
        ("csr/rsa1024.der", "1024 bits"),
        ("csr/rsa512.der", "512 bits"),
        ("csr/ca.der", "certificate authority"),
        ("csr/trailing-byte.der", "byte"),
    ] {
        let report = inspect(&data(name));
        assert!(problems(&report).contains(problem), "{name}: {report}");
    }
    assert_eq!(inspect(&data("csr/p256.der"))["problems"], Value::Array(vec![]));
}

#[test]
fn a_password_is_told_of_and_not_shown() {
    let report = inspect(&data("csr/challenge.der"));
    let told = report["facts"]["challengePassword"].as_str().unwrap();
    assert!(told.starts_with("present, "), "{told}");
    let absent = inspect(&data("csr/p256.der"));
    assert_eq!(absent["facts"]["challengePassword"], "absent");
}

#[test]
fn a_private_key_is_named_and_its_secret_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = data("ca/p256.key.pem");
    let text = succeeds(folder.path(), &["inspect", path.to_str().unwrap()], "");
    let pem = std::fs::read_to_string(&path).unwrap();
    for line in pem.lines().filter(|line| !line.starts_with("---")) {
        assert!(!text.contains(line), "{text}");
    }
    assert!(text.contains("key hash SHA-256: "), "{text}");
}

#[test]
fn a_cut_file_is_told_with_the_place_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(data("certs_only/three-certificates.der")).unwrap();
    let path = folder.path().join("cut");
    for length in [1, 2, 5, 20, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let report = inspect(&path);
        assert!(problems(&report).contains("byte"), "{length}: {report}");
    }
}

#[test]
fn an_answer_as_curl_prints_it_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let der = std::fs::read(data("certs_only/three-certificates.der")).unwrap();
    let body = est::wire::base64::encode(&der, est::wire::base64::Base64Layout::SingleLine);
    let path = folder.path().join("answer");
    let write = |head: &str| std::fs::write(&path, format!("{head}\r\n\r\n{body}")).unwrap();

    let length = body.len();
    write(&format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/pkcs7-mime; smime-type=certs-only\r\nContent-Length: {length}"
    ));
    let report = inspect(&path);
    assert_eq!(report["kind"], "EST response");
    assert_eq!(report["problems"], Value::Array(vec![]), "{report}");
    assert_eq!(report["parts"][0]["facts"]["certificates"], "3", "{report}");

    write("HTTP/1.1 200 OK\r\nContent-Type: application/pkcs8\r\nContent-Length: 5");
    let report = inspect(&path);
    assert!(
        problems(&report).contains("labelled application/pkcs8"),
        "{report}"
    );
    assert!(problems(&report).contains("Content-Length is 5"), "{report}");

    std::fs::write(&path, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert!(problems(&inspect(&path)).contains("WWW-Authenticate"));
}

#[test]
fn a_multipart_is_taken_apart_and_a_cut_one_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let csr = std::fs::read_to_string(data("csr/p256.base64")).unwrap();
    let certificates = std::fs::read(data("certs_only/three-certificates.der")).unwrap();
    let certificates = est::wire::base64::encode(&certificates, est::wire::base64::Base64Layout::SingleLine);
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/pkcs8\r\n\r\n{csr}\r\n--b\r\nContent-Type: application/pkcs7-mime\r\n\r\n{certificates}\r\n--b--\r\n"
    );
    let path = folder.path().join("answer");
    std::fs::write(&path, &text).unwrap();
    let report = inspect(&path);
    assert_eq!(report["parts"][1]["kind"], "certs-only message", "{report}");
    assert!(
        problems(&report["parts"][0]).contains("labelled application/pkcs8"),
        "{report}"
    );
    std::fs::write(&path, text.trim_end().trim_end_matches("--")).unwrap();
    assert!(problems(&inspect(&path)).contains("missing"));
}

#[test]
fn several_certificates_are_judged_together() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let ca = std::fs::read_to_string(folder.join("ca/ca.pem")).unwrap();
    std::fs::write(folder.join("twice.pem"), format!("{ca}{ca}")).unwrap();
    assert!(problems(&inspect(&folder.join("twice.pem"))).contains("twice"));
    // The whole path of a served answer, too.
    let server = Serving::start(folder);
    let certificates = succeeds(
        folder,
        &["cacerts", "--url", &server.url, "--cacert", "ca/ca.pem"],
        "",
    );
    std::fs::write(folder.join("served.pem"), certificates).unwrap();
    let report = inspect(&folder.join("served.pem"));
    assert_eq!(report["facts"]["signature"], "made by its own key, and right");
}

#[test]
fn strict_ends_with_1_when_there_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let status = |name: &str| {
        let path = data(name);
        est(
            folder.path(),
            &["inspect", "--strict", path.to_str().unwrap()],
            "",
        )
        .status
        .code()
    };
    assert_eq!(status("csr/p256.der"), Some(0));
    assert_eq!(status("csr/rsa1024.der"), Some(1));
    // The standard input, and nothing in it.
    let output = est(folder.path(), &["inspect", "-"], "");
    assert!(String::from_utf8_lossy(&output.stdout).contains("PROBLEM"));
}
