//! Who may enrol: every scheme with curl, which we did not write, and what strangers can do to it.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

#[cfg(feature = "cli")]
#[path = "../support/process.rs"]
mod process;
#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "cli")]
mod account_files;
mod failed_logins;
mod schemes;

use std::sync::Arc;

use est::auth::digest::{DigestAlgorithm, DigestSecrets, DigestSettings, DigestVerifier, NonceKey};
use est::auth::{Accounts, AuthenticationRequirement, BearerToken, BearerTokens, Users};
use est::operation::LabelSettings;
use support::{PASSWORD, Setup, TestServer, USER};

/// A server whose one user can log in by every scheme that `require` names, and the user's token.
async fn server(require: &[&str], dangerous_md5: bool, nonce_key: [u8; 32]) -> (TestServer, BearerToken) {
    let mut users = Users::new();
    users.set_password(USER, PASSWORD).unwrap();
    let mut secrets = DigestSecrets::new();
    for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Md5] {
        secrets.set_password(USER, "EST", PASSWORD, algorithm).unwrap();
    }
    let settings = DigestSettings {
        dangerous_md5,
        ..DigestSettings::default()
    };
    let verifier = DigestVerifier::new(settings, NonceKey::from_bytes(nonce_key));
    let mut tokens = BearerTokens::new();
    let token = tokens.issue(USER, None).unwrap();
    let accounts = Accounts::new(users)
        .with_digest(Arc::new(verifier), secrets)
        .with_tokens(tokens);
    let setup = Setup {
        settings: LabelSettings {
            authentication: AuthenticationRequirement::parse(require).unwrap(),
            ..LabelSettings::default()
        },
        authenticator: Some(Arc::new(accounts)),
        ..Setup::default()
    };
    (TestServer::start(setup).await, token)
}

/// Status line, headers and body of an enrolment with this `Authorization`.
async fn enroll(server: &TestServer, authorization: Option<&str>) -> String {
    let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    let headers = format!("Content-Type: application/pkcs10\r\n{authorization}");
    let body = support::raw::base64(&support::raw::csr());
    support::raw::ask(server, &support::raw::post(&headers, &body)).await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("nothing")
}

/// The values of a header, in order.
fn values<'a>(answer: &'a str, name: &str) -> Vec<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap_or_default();
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

/// The answer to the first Digest challenge of a 401.
fn digest_answer(challenged: &str, user: &str, password: &str, count: u32) -> String {
    let mut headers = http::HeaderMap::new();
    for value in values(challenged, "www-authenticate") {
        headers.append("www-authenticate", value.parse().unwrap());
    }
    let given = est::auth::digest::DigestAnswer {
        method: "POST",
        uri: support::raw::ENROLL,
        user,
        password,
        cnonce: "0123456789abcdef",
        count,
    };
    let answer = est::auth::digest::answer(&headers, &given).unwrap().unwrap();
    answer.to_str().unwrap().to_owned()
}
