//! The forms of HTTP.

use est::operation::{LabelSettings, Operation};

use super::{Answer, credentials, curl, enrol, issued, request};
use crate::case::Case;
use crate::support::lab::Lab;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("reads the CA certificate over TLS 1.2", || {
            reads_ca_certificate("1.2")
        }),
        Case::new("reads the CA certificate over TLS 1.3", || {
            reads_ca_certificate("1.3")
        }),
        Case::new("enrols over HTTP/1.0", || enrols_over("--http1.0", "1")),
        Case::new("enrols over HTTP/1.1", || enrols_over("--http1.1", "1.1")),
        Case::new("gets HTTP/1.1 where it would speak HTTP/2", || {
            enrols_over("--http2", "1.1")
        }),
        Case::new("enrols by a chunked body", enrols_by_chunks),
        Case::new(
            "waits for 100 Continue before it sends its request",
            waits_for_continue,
        ),
        Case::new("keeps its connection for a second request", keeps_its_connection),
        Case::new("asks for the headers of cacerts alone", asks_for_headers),
        Case::new("is told which method an operation has", is_told_the_method),
        Case::new("is told that its body is too large", is_told_the_limit),
    ]
}

async fn reads_ca_certificate(tls: &'static str) {
    let lab = Lab::open(LabelSettings::default()).await;
    let oldest = format!("--tlsv{tls}");
    let arguments = [&oldest, "--tls-max", tls, &lab.url("cacerts")];
    let answer = curl(&lab.folder, &arguments).await.is(200);
    let used = format!("SSL connection using TLSv{tls} ");
    assert!(answer.told.contains(&used), "{}", answer.told);
    assert!(
        answer.headers.contains("content-type: application/pkcs7-mime"),
        "{}",
        answer.headers
    );
    let folder = &lab.folder;
    folder
        .openssl(&["base64", "-d", "-A", "-in", "body", "-out", "body.p7"])
        .await;
    let show = ["pkcs7", "-inform", "DER", "-in", "body.p7", "-print_certs"];
    let shown = folder.openssl(&show).await;
    assert!(shown.contains("CN = Test Root"), "{shown}");
}

async fn enrol_as_user(lab: &Lab, arguments: &[&str]) -> Answer {
    let user = credentials();
    let answer = enrol(lab, &[&["--user", &user], arguments].concat())
        .await
        .is(200);
    issued(&lab.folder).await;
    answer
}

async fn enrols_over(option: &'static str, version: &'static str) {
    let lab = Lab::open(LabelSettings::default()).await;
    let answer = enrol_as_user(&lab, &[option]).await;
    assert_eq!(answer.version, version, "{}", answer.told);
}

async fn enrols_by_chunks() {
    let lab = Lab::open(LabelSettings::default()).await;
    let answer = enrol_as_user(&lab, &["--header", "Transfer-Encoding: chunked"]).await;
    let sent = answer.told.to_ascii_lowercase();
    assert!(sent.contains("> transfer-encoding: chunked"), "{sent}");
    assert!(!sent.contains("> content-length"), "{sent}");
}

async fn waits_for_continue() {
    let lab = Lab::open(LabelSettings::default()).await;
    let wait = ["--header", "Expect: 100-continue", "--expect100-timeout", "50"];
    let answer = enrol_as_user(&lab, &wait).await;
    assert!(
        answer.headers.starts_with("http/1.1 100 continue"),
        "{}",
        answer.headers
    );
}

async fn keeps_its_connection() {
    let lab = Lab::open(LabelSettings::default()).await;
    let url = lab.url("cacerts");
    let twice = [&url, "--output", "second", &url];
    let answer = curl(&lab.folder, &twice).await.is(200);
    assert!(
        answer.told.contains("Re-using existing connection"),
        "{}",
        answer.told
    );
    assert_eq!(lab.server.handle.statistics().handshakes, 1);
    assert_eq!(lab.answers(Operation::CaCerts, 200), 2);
    assert_eq!(lab.folder.read("second"), answer.text());
}

async fn asks_for_headers() {
    let lab = Lab::open(LabelSettings::default()).await;
    let url = lab.url("cacerts");
    let whole = curl(&lab.folder, &[&url]).await.is(200);
    let head = curl(&lab.folder, &["--head", &url]).await.is(200);
    let length = format!("content-length: {}\r\n", whole.body.len());
    assert!(head.headers.contains(&length), "{}", head.headers);
}

async fn is_told_the_method() {
    let lab = Lab::open(LabelSettings::default()).await;
    request(&lab.folder).await;
    let user = credentials();
    for (arguments, operation, allow) in [
        (
            &["--user", &user, "--upload-file", "csr"][..],
            "simpleenroll",
            "allow: post",
        ),
        (&["--user", &user], "simpleenroll", "allow: post"),
        (&["--data-binary", "@csr"], "cacerts", "allow: get, head"),
    ] {
        let url = lab.url(operation);
        let answer = curl(&lab.folder, &[arguments, &[&url]].concat()).await.is(405);
        assert!(
            answer.headers.contains(&format!("\r\n{allow}\r\n")),
            "{}",
            answer.headers
        );
    }
}

async fn is_told_the_limit() {
    let lab = Lab::open(LabelSettings::default()).await;
    lab.folder.write("large", vec![b'A'; 100 * 1024]);
    let user = credentials();
    let url = lab.url("simpleenroll");
    let form = ["--user", &user, "--header", "Content-Type: application/pkcs10"];
    for more in [&[][..], &["--header", "Transfer-Encoding: chunked"]] {
        let body = ["--header", "Expect:", "--data-binary", "@large", &url];
        let answer = curl(&lab.folder, &[&form, more, &body].concat()).await;
        assert_eq!(answer.status, 413, "{}", answer.told);
    }
}
