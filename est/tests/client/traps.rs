//! The trap table: what servers in the field were seen to do, one row a test. The client lives with it, or says what
//! is wrong.

use std::time::Duration;

use est::auth::BasicCredentials;
use est::client::{
    ClientError, ClientTimeouts, DifferenceKind, EnrollOptions, EnrollOutcome, Enrolled, PasswordUse, Step,
};
use est::request::KeyAndRequest;
use est::wire::base64::{Base64Layout, encode};
use pki_common::Certificate;
use rcgen::KeyPair;
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::authority::{Authority, certs_only, certs_only_der};
use crate::scripted::{Received, Reply, Scripted, Then, reply};

const CERTS_ONLY: &str = "Content-Type: application/pkcs7-mime; smime-type=certs-only\r\n";

/// A server whose answer to `cacerts` is these bytes.
async fn cacerts_of(answer: impl Fn(&Authority) -> Reply) -> Result<Vec<Certificate>, ClientError> {
    let authority = Authority::root("Scripted Root");
    let Reply(bytes, then) = answer(&authority);
    let versions = pki_common::tls::TlsVersions::Tls12And13;
    let server = Scripted::start_for(authority, versions, move |_| Reply(bytes.clone(), then)).await;
    server.client().cacerts().await
}

async fn found(answer: impl Fn(&Authority) -> Reply) -> usize {
    cacerts_of(answer).await.unwrap().len()
}

fn labelled(headers: &str, root: &Authority) -> Reply {
    reply("200 OK", headers, &certs_only(&[&root.certificate]))
}

fn four(root: &Authority) -> Vec<u8> {
    let others = ["a", "b", "c"].map(|name| root.intermediate(name).certificate);
    certs_only_der(&[&root.certificate, &others[0], &others[1], &others[2]])
}

#[tokio::test]
async fn reads_one_line_without_a_newline() {
    let one = |root: &Authority| {
        let text = String::from_utf8(certs_only(&[&root.certificate])).unwrap();
        reply("200 OK", CERTS_ONLY, text.trim_end().as_bytes())
    };
    assert_eq!(found(one).await, 1);
}

#[tokio::test]
async fn reads_four_certificates_on_one_line() {
    let line = |root: &Authority| {
        reply(
            "200 OK",
            CERTS_ONLY,
            encode(&four(root), Base64Layout::SingleLine).as_bytes(),
        )
    };
    assert_eq!(found(line).await, 4);
}

#[tokio::test]
async fn reads_lines_of_64_columns() {
    let lines = |root: &Authority| {
        reply(
            "200 OK",
            CERTS_ONLY,
            encode(&four(root), Base64Layout::Columns64Lf).as_bytes(),
        )
    };
    assert_eq!(found(lines).await, 4);
}

#[tokio::test]
async fn reads_lines_of_76_columns_with_crlf() {
    let lines = |root: &Authority| {
        reply(
            "200 OK",
            CERTS_ONLY,
            encode(&four(root), Base64Layout::Columns76CrLf).as_bytes(),
        )
    };
    assert_eq!(found(lines).await, 4);
}

#[tokio::test]
async fn reads_der_instead_of_base64() {
    assert_eq!(found(|root| reply("200 OK", CERTS_ONLY, &four(root))).await, 4);
}

#[tokio::test]
async fn reads_certificates_in_pem() {
    let pem = |root: &Authority| {
        let text = crate::support::pem("CERTIFICATE", root.certificate.der());
        reply(
            "200 OK",
            "Content-Type: application/x-pem-file\r\n",
            format!("{text}{text}").as_bytes(),
        )
    };
    assert_eq!(found(pem).await, 1, "each once");
}

#[tokio::test]
async fn reads_a_single_certificate_that_is_no_certs_only_message() {
    let bare = |root: &Authority| {
        reply(
            "200 OK",
            "Content-Type: application/pkix-cert\r\n",
            root.certificate.der(),
        )
    };
    assert_eq!(found(bare).await, 1);
}

#[tokio::test]
async fn reads_ber_with_indefinite_lengths() {
    let ber = include_bytes!("../../testdata/certs_only/signed-indefinite-length.ber");
    let body = encode(ber, Base64Layout::SingleLine);
    assert!(found(|_| reply("200 OK", CERTS_ONLY, body.as_bytes())).await > 0);
}

#[tokio::test]
async fn takes_a_duplicate_certificate_once() {
    let twice = include_bytes!("../../testdata/certs_only/duplicate.der");
    let body = encode(twice, Base64Layout::SingleLine);
    let certificates = cacerts_of(|_| reply("200 OK", CERTS_ONLY, body.as_bytes()))
        .await
        .unwrap();
    for (index, certificate) in certificates.iter().enumerate() {
        assert!(!certificates[..index].contains(certificate));
    }
}

#[tokio::test]
async fn does_without_certs_only_in_the_content_type() {
    assert_eq!(
        found(|root| labelled("Content-Type: application/pkcs7-mime\r\n", root)).await,
        1
    );
}

#[tokio::test]
async fn does_without_a_content_type() {
    assert_eq!(found(|root| labelled("", root)).await, 1);
}

#[tokio::test]
async fn bears_an_odd_content_type() {
    for odd in [
        "application/x-pkcs7-certificates",
        "TEXT/PLAIN; charset=utf-8",
        "pkcs7",
        "a/b; c",
    ] {
        let headers = format!("Content-Type: {odd}\r\n");
        assert_eq!(found(|root| labelled(&headers, root)).await, 1, "{odd}");
    }
}

#[tokio::test]
async fn ignores_content_transfer_encoding() {
    for encoding in ["base64", "binary", "7bit", "nonsense"] {
        let headers = format!("{CERTS_ONLY}Content-Transfer-Encoding: {encoding}\r\n");
        assert_eq!(found(|root| labelled(&headers, root)).await, 1, "{encoding}");
    }
}

#[tokio::test]
async fn names_the_content_type_of_a_page_that_is_no_certificates() {
    let page = |_: &Authority| reply("200 OK", "Content-Type: text/html\r\n", b"<html>log in</html>");
    let error = cacerts_of(page).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::MediaType { found } if found == "text/html"),
        "{error}"
    );
}

#[tokio::test]
async fn lives_with_http_1_0() {
    let old = |root: &Authority| {
        let body = certs_only(&[&root.certificate]);
        let head = format!(
            "HTTP/1.0 200 OK\r\n{CERTS_ONLY}Content-Length: {}\r\n\r\n",
            body.len()
        );
        Reply([head.as_bytes(), &body].concat(), Then::Close)
    };
    assert_eq!(found(old).await, 1);
}

#[tokio::test]
async fn reads_to_the_end_of_the_connection_when_there_is_no_length() {
    for then in [Then::Close, Then::Cut] {
        for version in ["HTTP/1.0", "HTTP/1.1"] {
            let unbounded = |root: &Authority| {
                let body = certs_only(&[&root.certificate]);
                let head = format!("{version} 200 OK\r\n{CERTS_ONLY}Connection: close\r\n\r\n");
                Reply([head.as_bytes(), &body].concat(), then)
            };
            assert_eq!(found(unbounded).await, 1, "{version} {then:?}");
        }
    }
}

#[tokio::test]
async fn reads_a_chunked_answer() {
    let chunked = |root: &Authority| {
        let body = certs_only(&[&root.certificate]);
        let (first, second) = body.split_at(100);
        let mut bytes =
            format!("HTTP/1.1 200 OK\r\n{CERTS_ONLY}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for part in [first, second] {
            bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        Reply(bytes, Then::Keep)
    };
    assert_eq!(found(chunked).await, 1);
}

#[tokio::test]
async fn skips_an_interim_answer() {
    let interim = |root: &Authority| {
        let Reply(bytes, then) = labelled(CERTS_ONLY, root);
        Reply(
            [b"HTTP/1.1 100 Continue\r\n\r\n".as_slice(), &bytes].concat(),
            then,
        )
    };
    assert_eq!(found(interim).await, 1);
}

#[tokio::test]
async fn refuses_two_lengths_that_differ() {
    let two = |root: &Authority| labelled(&format!("{CERTS_ONLY}Content-Length: 7\r\n"), root);
    let error = cacerts_of(two).await.unwrap_err();
    assert!(matches!(error, ClientError::Http { .. }), "{error}");
}

#[tokio::test]
async fn refuses_an_answer_larger_than_the_limit_whatever_its_framing() {
    let large = vec![b'A'; 2000];
    for framing in ["Content-Length: 2000\r\n", "Connection: close\r\n"] {
        let body = large.clone();
        let server = Scripted::start(move |_| {
            let head = format!("HTTP/1.1 200 OK\r\n{CERTS_ONLY}{framing}\r\n");
            Reply([head.as_bytes(), &body].concat(), Then::Close)
        })
        .await;
        let mut config = server.config();
        config.max_response = 1000;
        let error = est::client::Client::new(config)
            .unwrap()
            .cacerts()
            .await
            .unwrap_err();
        assert_eq!(error, ClientError::ResponseTooLarge { limit: 1000 });
    }
}

#[tokio::test]
async fn refuses_a_head_without_end() {
    let endless = |_: &Authority| {
        let line = format!("X-Padding: {}\r\n", "a".repeat(1000)).repeat(100);
        Reply(format!("HTTP/1.1 200 OK\r\n{line}").into_bytes(), Then::Stall)
    };
    let error = cacerts_of(endless).await.unwrap_err();
    assert!(matches!(error, ClientError::Http { .. }), "{error}");
}

#[tokio::test]
async fn a_body_that_stalls_runs_into_the_time_out() {
    let server = Scripted::start(|_| {
        let head = format!("HTTP/1.1 200 OK\r\n{CERTS_ONLY}Content-Length: 1000\r\n\r\nMIIB");
        Reply(head.into_bytes(), Then::Stall)
    })
    .await;
    let mut config = server.config();
    config.timeouts = ClientTimeouts {
        response: Duration::from_millis(200),
        ..config.timeouts
    };
    let error = est::client::Client::new(config)
        .unwrap()
        .cacerts()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ClientError::Timeout {
                step: Step::Response,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    for then in [Then::Close, Then::Cut] {
        let short = |root: &Authority| {
            let Reply(mut bytes, _) = labelled(CERTS_ONLY, root);
            bytes.truncate(bytes.len() - 50);
            Reply(bytes, then)
        };
        let error = cacerts_of(short).await.unwrap_err();
        assert!(matches!(error, ClientError::Http { .. }), "{error}");
    }
}

#[tokio::test]
async fn ignores_the_nul_behind_csrattrs() {
    // The example of RFC 7030, section 4.5.2, as libest 3.2 ends it.
    let body =
        b"MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJ\nBgcrBgEBAQEWBggqhkjOPQQDAw==\n\0";
    let server = Scripted::start(|_| reply("200 OK", "Content-Type: application/csrattrs\r\n", body)).await;
    let attributes = server.client().csrattrs().await.unwrap().unwrap();
    assert_eq!(attributes.entries().len(), 4);
}

#[tokio::test]
async fn csrattrs_that_are_not_there_or_empty_are_none() {
    for status in ["204 No Content", "404 Not Found"] {
        let server = Scripted::start(move |_| reply(status, "", b"")).await;
        assert_eq!(server.client().csrattrs().await.unwrap(), None, "{status}");
    }
    let server = Scripted::start(|_| reply("200 OK", "Content-Type: application/csrattrs\r\n", b"\n")).await;
    assert_eq!(server.client().csrattrs().await.unwrap(), None);
}

/// A server that answers an enrolment for the one key that it knows the certificate of.
async fn enrolling(
    subject: &str,
    names: &[String],
    answer: impl Fn(&Authority, &Certificate, &Received) -> Reply + Send + Sync + 'static,
) -> (Scripted, PrivatePkcs8KeyDer<'static>) {
    let authority = Authority::root("Scripted Root");
    let leaf = authority.leaf_for(subject, names, &KeyPair::generate().unwrap());
    let authority = std::sync::Arc::new(authority);
    let copy = std::sync::Arc::clone(&authority);
    let certificate = leaf.certificate;
    let versions = pki_common::tls::TlsVersions::Tls12And13;
    let script = move |received: &Received| answer(&copy, &certificate, received);
    let server = Scripted::start_shared(authority, versions, script).await;
    (server, leaf.key)
}

async fn enrol(
    server: &Scripted,
    key: PrivatePkcs8KeyDer<'static>,
    options: EnrollOptions,
) -> Result<Enrolled, ClientError> {
    let client = server.client();
    let request = client.prepare_with_key(options, key).await?;
    match client.enroll_with(request).await? {
        EnrollOutcome::Enrolled(enrolled) => Ok(*enrolled),
        EnrollOutcome::Pending { .. } => panic!("pending"),
    }
}

fn asking(subject: &str) -> EnrollOptions {
    EnrollOptions::new(subject.parse().unwrap())
}

#[tokio::test]
async fn the_request_is_such_that_libest_takes_it() {
    let (server, key) = enrolling("x", &[], |_, leaf, _| {
        reply("200 OK", CERTS_ONLY, &certs_only(&[leaf]))
    })
    .await;
    enrol(&server, key, asking("CN=x")).await.unwrap();
    let received = server.received().remove(0);
    assert!(received.body.ends_with(b"\n"), "one line must end with a newline");
    assert_eq!(
        received.header("Content-Type"),
        Some("application/pkcs10"),
        "compared with case"
    );
    assert_eq!(
        received.header("Content-Length").unwrap().parse(),
        Ok(received.body.len())
    );
    assert_eq!(received.header("Transfer-Encoding"), None, "chunks are refused");
    assert_eq!(received.header("Expect"), None, "100 Continue never comes");
    assert!(received.body.len() < 8192);
}

#[tokio::test]
async fn finds_the_certificate_among_others_in_any_order() {
    for leaf_first in [true, false] {
        let (server, key) = enrolling("x", &[], move |root, leaf, _| {
            let stranger = root.leaf("x").certificate;
            let pem = |certificate: &Certificate| crate::support::pem("CERTIFICATE", certificate.der());
            let mut parts = vec![pem(leaf), pem(&root.certificate), pem(&stranger), pem(leaf)];
            if !leaf_first {
                parts[..].rotate_left(1);
                parts.pop();
                parts.push(pem(leaf));
            }
            reply("200 OK", CERTS_ONLY, parts.concat().as_bytes())
        })
        .await;
        let enrolled = enrol(&server, key.clone_key(), asking("CN=x")).await.unwrap();
        assert_eq!(enrolled.others.len(), 2);
        assert_eq!(enrolled.certificate.spki_der(), enrolled.request.spki_der());
    }
}

#[tokio::test]
async fn a_changed_subject_is_named() {
    let (server, key) = enrolling("other", &[], |_, leaf, _| {
        reply("200 OK", CERTS_ONLY, &certs_only(&[leaf]))
    })
    .await;
    let error = enrol(&server, key.clone_key(), asking("CN=x")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the certificate is not what was asked for: its subject is \"/CN=other\", but \"/CN=x\" was asked for"
    );
    let mut config = server.config();
    config.checks.accept.push(DifferenceKind::Subject);
    let client = est::client::Client::new(config).unwrap();
    let request = KeyAndRequest::for_key("CN=x".parse().unwrap(), vec![], key).unwrap();
    let EnrollOutcome::Enrolled(enrolled) = client.enroll_with(request).await.unwrap() else {
        panic!("pending")
    };
    assert_eq!(enrolled.accepted[0].kind(), DifferenceKind::Subject);
}

#[tokio::test]
async fn a_dropped_alternative_name_is_named() {
    let kept = ["kept.example".to_owned()];
    let (server, key) = enrolling("x", &kept, |_, leaf, _| {
        reply("200 OK", CERTS_ONLY, &certs_only(&[leaf]))
    })
    .await;
    let mut options = asking("CN=x");
    options.names = vec![
        "DNS:kept.example".parse().unwrap(),
        "IP:10.0.0.1".parse().unwrap(),
    ];
    let error = enrol(&server, key, options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the certificate is not what was asked for: its alternative names differ, IP:10.0.0.1 missing"
    );
}

#[tokio::test]
async fn a_dropped_extension_is_named() {
    let (server, key) = enrolling("x", &[], |_, leaf, _| {
        reply("200 OK", CERTS_ONLY, &certs_only(&[leaf]))
    })
    .await;
    let mut options = asking("CN=x");
    options.extensions = vec![est::wire::csr::RequestedExtension {
        oid: const_oid::ObjectIdentifier::new_unwrap("2.5.29.37"),
        critical: false,
        // clientAuth
        value: b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02".to_vec(),
    }];
    let error = enrol(&server, key, options).await.unwrap_err();
    assert!(error.to_string().contains("(2.5.29.37) is missing"), "{error}");
}

#[tokio::test]
async fn a_401_without_a_challenge_is_answered_by_basic() {
    let (server, key) = enrolling("x", &[], |_, leaf, received| {
        match received.header("Authorization") {
            None => reply("401 Unauthorized", "", b""),
            Some(_) => reply("200 OK", CERTS_ONLY, &certs_only(&[leaf])),
        }
    })
    .await;
    let mut config = server.config();
    config.basic = Some(BasicCredentials::new("phone", "secret").unwrap());
    config.password_use = PasswordUse::AfterChallenge;
    let client = est::client::Client::new(config).unwrap();
    let request = client.prepare_with_key(asking("CN=x"), key).await.unwrap();
    assert!(matches!(
        client.enroll_with(request).await,
        Ok(EnrollOutcome::Enrolled(_))
    ));
    let received = server.received();
    assert_eq!(received.len(), 2);
    assert_ne!(received[1].connection, received[0].connection);
}

#[tokio::test]
async fn a_202_without_a_time_is_handed_back_with_a_minute() {
    let (server, key) = enrolling("x", &[], |_, _, _| reply("202 Accepted", "", b"later")).await;
    let client = server.client();
    let request = client.prepare_with_key(asking("CN=x"), key).await.unwrap();
    let outcome = client.enroll_with(request).await.unwrap();
    assert!(matches!(outcome, EnrollOutcome::Pending { retry_after, .. } if retry_after.as_secs() == 60));
}
