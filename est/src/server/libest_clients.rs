//! What the client of libest 3.2.0 needs in the headers of an answer.
//!
//! Names of headers have no case (RFC 9110, section 5.1), but it looks for `Content-Type` and `WWW-Authenticate` with
//! `strcmp` and takes an answer with `content-type` for one without. hyper writes `Content-Type` and
//! `Www-Authenticate` when it is told to begin words with capitals; the second takes this module. All clients get
//! them so.
//!
//! Of several challenges it reads one, and gives up at a Digest that is not of MD5. It gets one that it can answer,
//! when there is one. It says its name itself, so nobody else can talk it into a weaker challenge.

use core::convert::Infallible;
use std::sync::Mutex;

use http::header::WWW_AUTHENTICATE;
use http::{Extensions, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::OnceCell;

/// More challenges than a label can offer: Basic, Bearer, and Digest with each algorithm.
const CHALLENGES: usize = 8;

/// How our challenges say that they are of MD5.
const MD5: &[u8] = b"algorithm=MD5,";

/// What hyper remembers of the spelling of `WWW-Authenticate`. The type is its own; it comes out of a request.
static SPELLING: OnceCell<Extensions> = OnceCell::const_new();

/// Has hyper spell `WWW-Authenticate` as RFC 9110 does, where the answer has it.
pub(super) async fn spell<B>(response: &mut Response<B>) {
    if response.headers().contains_key(WWW_AUTHENTICATE) {
        let spelling = SPELLING.get_or_init(learn).await;
        response.extensions_mut().extend(spelling.clone());
    }
}

/// Leaves a client of libest the one challenge that it can answer: the strongest, Digest with MD5 before Basic. Other
/// clients, and answers without such a challenge, are left alone.
pub(super) fn choose_challenge<B>(user_agent: Option<&HeaderValue>, response: &mut Response<B>) {
    let starts_with = |value: &HeaderValue, start: &str| {
        let found = value.as_bytes().get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    };
    if !user_agent.is_some_and(|agent| starts_with(agent, "libest")) {
        return;
    }
    let is_readable = |value: &&HeaderValue| {
        let is_md5 = || value.as_bytes().windows(MD5.len()).any(|window| window == MD5);
        starts_with(value, "Basic ") || (starts_with(value, "Digest ") && is_md5())
    };
    let challenges = response.headers().get_all(WWW_AUTHENTICATE);
    if let Some(chosen) = challenges.iter().find(is_readable).cloned() {
        response.headers_mut().insert(WWW_AUTHENTICATE, chosen);
    }
}

/// Reads a request that spells the header so, from memory.
async fn learn() -> Extensions {
    let lines = "WWW-Authenticate: x\r\n".repeat(CHALLENGES);
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n");
    let learnt = Mutex::new(Extensions::new());
    let take = |request: Request<Incoming>| {
        if let Ok(mut learnt) = learnt.lock() {
            learnt.clone_from(request.extensions());
        }
        async { Ok::<_, Infallible>(Response::new(String::new())) }
    };
    let stream = TokioIo::new(tokio::io::join(request.as_bytes(), tokio::io::sink()));
    let served = http1::Builder::new()
        .preserve_header_case(true)
        // The request is all there is to read.
        .half_close(true)
        .serve_connection(stream, service_fn(take))
        .await;
    let learnt = learnt.into_inner().unwrap_or_default();
    if learnt.is_empty() {
        tracing::warn!(outcome = ?served, "the header WWW-Authenticate will be spelt Www-Authenticate");
    }
    learnt
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGES: [&str; 3] = [
        "Digest realm=\"EST\", algorithm=SHA-256, qop=\"auth\"",
        "Digest realm=\"EST\", algorithm=MD5, qop=\"auth\"",
        "Basic realm=\"EST\"",
    ];

    fn left_of(challenges: &[&'static str], user_agent: &'static str) -> Vec<String> {
        let mut response = Response::new(());
        for challenge in challenges {
            let value = HeaderValue::from_static(challenge);
            response.headers_mut().append(WWW_AUTHENTICATE, value);
        }
        choose_challenge(Some(&HeaderValue::from_static(user_agent)), &mut response);
        let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn libest_gets_the_strongest_challenge_that_it_can_answer() {
        let libest = "libest 3.2.0p";
        assert_eq!(left_of(&CHALLENGES, libest), [CHALLENGES[1]]);
        assert_eq!(left_of(&[CHALLENGES[0], CHALLENGES[2]], libest), [CHALLENGES[2]]);
        assert_eq!(left_of(&CHALLENGES[..1], libest), [CHALLENGES[0]]);
    }

    #[test]
    fn others_get_all() {
        assert_eq!(left_of(&CHALLENGES, "curl/7.88.1"), CHALLENGES);
    }

    #[tokio::test]
    async fn only_an_answer_with_a_challenge_carries_a_spelling() {
        let mut plain = Response::new(());
        spell(&mut plain).await;
        assert!(plain.extensions().is_empty());
        let mut challenge = Response::builder()
            .header(WWW_AUTHENTICATE, "Basic")
            .body(())
            .unwrap();
        spell(&mut challenge).await;
        assert!(!challenge.extensions().is_empty());
    }
}
