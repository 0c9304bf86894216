//! Basic, Digest and Bearer, and which of them are offered.

use std::process::Command;

use super::support::peers::find_or_skip;
use super::support::raw::{ask, base64, csr, post};
use super::support::{PASSWORD, TestServer, USER};
use super::{digest_answer, enroll, server, status, values};

const KEY: [u8; 32] = [9; 32];

/// The HTTP status that curl ends with, and all headers it saw.
async fn curl(server: &TestServer, arguments: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), server.anchor_pem()).unwrap();
    std::fs::write(folder.path().join("body"), base64(&csr())).unwrap();
    let url = format!("https://{}/.well-known/est/simpleenroll", server.address);
    let mut command = Command::new("curl");
    command
        .current_dir(folder.path())
        .args(["-s", "-S", "--cacert", "ca.pem", "-D", "headers", "-o", "answer"])
        .args(["-w", "%{http_code}", "-H", "Content-Type: application/pkcs10"])
        .args(["--data-binary", "@body"])
        .args(arguments)
        .arg(url);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let headers = std::fs::read_to_string(folder.path().join("headers")).unwrap_or_default();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (String::from_utf8(output.stdout).unwrap(), headers)
}

#[tokio::test]
async fn curl_enrols_by_each_scheme() {
    if find_or_skip("curl").is_none() {
        return;
    }
    let user = format!("{USER}:{PASSWORD}");
    let (server, token) = server(&["digest", "basic", "bearer"], false, KEY).await;
    for arguments in [
        &["--digest", "-u", &user][..],
        &["--basic", "-u", &user],
        &["--oauth2-bearer", token.as_str()],
        &["--anyauth", "-u", &user],
    ] {
        let (found, headers) = curl(&server, arguments).await;
        assert_eq!(found, "200", "{arguments:?}: {headers}");
    }
    let wrong = format!("{USER}:wrong");
    for arguments in [
        &["--digest", "-u", &wrong][..],
        &["--basic", "-u", &wrong],
        &["--oauth2-bearer", "mF_9.B5f-4.1JqM"],
    ] {
        let (found, headers) = curl(&server, arguments).await;
        assert_eq!(found, "401", "{arguments:?}: {headers}");
    }
    server.stop().await;
}

#[tokio::test]
async fn offers_each_scheme_in_a_header_of_its_own_and_the_strongest_first() {
    for (require, md5, expected) in [
        (
            &["basic", "bearer", "digest"][..],
            true,
            &["Digest", "Digest", "Basic", "Bearer"][..],
        ),
        (&["digest"], false, &["Digest"]),
        (&["certificate+digest", "basic"], true, &["Basic"]),
        (&["certificate"], false, &[]),
        (&["certificate+basic"], false, &[]),
        (&[], false, &[]),
    ] {
        let (server, _) = server(require, md5, KEY).await;
        let answer = enroll_with(&server, NAMED).await;
        let schemes: Vec<_> = values(&answer, "www-authenticate")
            .iter()
            .map(|value| value.split(' ').next().unwrap())
            .collect();
        assert_eq!(schemes, expected, "{require:?}");
        let expected = if expected.is_empty() { "403" } else { "401" };
        assert_eq!(status(&answer), expected, "{require:?}");
        server.stop().await;
    }
}

/// The header of a client that says its name.
const NAMED: &str = "User-Agent: curl/7.88.1\r\n";

/// The answer to an enrolment with these headers.
async fn enroll_with(server: &TestServer, headers: &str) -> String {
    let headers = format!("Content-Type: application/pkcs10\r\n{headers}");
    ask(server, &post(&headers, &base64(&csr()))).await
}

/// BouncyCastle's client says no name, and takes a 401 with a body that it has not read for a broken connection.
#[tokio::test]
async fn challenges_a_client_that_says_no_name_without_a_text_and_others_with_one() {
    let (server, _) = server(&["basic"], false, KEY).await;
    let wrong = "Authorization: Basic cGhvbmU6d3Jvbmc=\r\n";
    for (headers, expected) in [
        ("", ""),
        (
            NAMED,
            "simpleenroll needs authentication: user name and password by HTTP Basic.\n",
        ),
        (wrong, "user name or password is wrong.\n"),
    ] {
        let answer = enroll_with(&server, headers).await;
        assert_eq!(status(&answer), "401", "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, expected);
        let length = values(&answer, "content-length");
        assert_eq!(length, [expected.len().to_string()]);
        let types = values(&answer, "content-type");
        assert_eq!(types.is_empty(), expected.is_empty(), "{answer}");
    }
    server.stop().await;
}

/// It reads the first challenge alone, and in it only what has quotes.
#[tokio::test]
async fn begins_with_a_challenge_that_a_client_without_a_name_can_read() {
    for (require, md5, unnamed, named) in [
        (
            &["digest", "basic", "bearer"][..],
            true,
            &["Digest", "Basic", "Digest", "Bearer"][..],
            &["Digest", "Digest", "Basic", "Bearer"][..],
        ),
        (
            &["digest", "basic"],
            false,
            &["Basic", "Digest"],
            &["Digest", "Basic"],
        ),
        (&["digest"], false, &["Digest"], &["Digest"]),
    ] {
        let (server, _) = server(require, md5, KEY).await;
        for (headers, expected) in [("", unnamed), (NAMED, named)] {
            let answer = enroll_with(&server, headers).await;
            let challenges = values(&answer, "www-authenticate");
            let schemes: Vec<_> = challenges
                .iter()
                .map(|value| value.split(' ').next().unwrap())
                .collect();
            assert_eq!(schemes, expected, "{headers:?}");
            let is_bare = |parameter: &str| !parameter.ends_with('"');
            let bare = challenges[0].split(", ").any(is_bare);
            let readable = headers.is_empty() && (md5 || require.contains(&"basic"));
            assert_eq!(bare, !readable, "{}", challenges[0]);
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_digest_header_is_good_once() {
    let (server, _) = server(&["digest"], false, KEY).await;
    let challenged = enroll(&server, None).await;
    let answer = digest_answer(&challenged, USER, PASSWORD, 1);
    assert_eq!(status(&enroll(&server, Some(&answer)).await), "200");
    let replayed = enroll(&server, Some(&answer)).await;
    assert_eq!(status(&replayed), "401");
    assert!(
        values(&replayed, "www-authenticate")[0].contains("stale=true"),
        "{replayed}"
    );
    let next = digest_answer(&challenged, USER, PASSWORD, 2);
    assert_eq!(status(&enroll(&server, Some(&next)).await), "200");
    let moved = answer.replace("simpleenroll", "simplereenroll");
    assert_eq!(status(&enroll(&server, Some(&moved)).await), "401");
    server.stop().await;
}

#[tokio::test]
async fn servers_that_share_a_nonce_key_answer_for_each_other() {
    let (first, _) = server(&["digest"], false, KEY).await;
    let (second, _) = server(&["digest"], false, KEY).await;
    let (stranger, _) = server(&["digest"], false, [8; 32]).await;
    let answer = digest_answer(&enroll(&first, None).await, USER, PASSWORD, 1);
    assert_eq!(status(&enroll(&second, Some(&answer)).await), "200");
    let stale = enroll(&stranger, Some(&answer)).await;
    assert_eq!(status(&stale), "401");
    assert!(
        values(&stale, "www-authenticate")[0].contains("stale=true"),
        "{stale}"
    );
    let again = digest_answer(&stale, USER, PASSWORD, 1);
    assert_eq!(status(&enroll(&stranger, Some(&again)).await), "200");
    for server in [first, second, stranger] {
        server.stop().await;
    }
}

#[tokio::test]
async fn md5_is_refused_unless_it_is_turned_on() {
    for (dangerous_md5, expected) in [(false, "401"), (true, "200")] {
        let (server, _) = server(&["digest"], dangerous_md5, KEY).await;
        let challenged = enroll_with(&server, NAMED).await;
        // A client that knows MD5 only sees nothing else.
        let md5_only = challenged.replace("algorithm=SHA-256", "algorithm=MD5");
        let answer = digest_answer(&md5_only, USER, PASSWORD, 1);
        assert!(answer.contains("algorithm=MD5"), "{answer}");
        assert_eq!(status(&enroll(&server, Some(&answer)).await), expected);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_read_is_a_400_that_says_why() {
    let (server, _) = server(&["digest", "bearer"], false, KEY).await;
    for (header, says) in [
        ("Digest username=\"a\", username=\"b\"", "repeats a name"),
        ("Digest username=\"a\"", "no qop"),
        ("Bearer a b", "a character at byte 1 that RFC 6750"),
    ] {
        let answer = enroll(&server, Some(header)).await;
        assert_eq!(status(&answer), "400", "{answer}");
        assert!(answer.contains(says), "{answer}");
    }
    server.stop().await;
}
