//! Header names as old clients compare them.
//!
//! Names of headers have no case (RFC 9110, section 5.1), but the client of libest 3.2.0 looks for `Content-Type` and
//! `WWW-Authenticate` with `strcmp` and takes an answer with `content-type` for one without. hyper writes
//! `Content-Type` and `Www-Authenticate` when it is told to begin words with capitals; the second takes this module.

use core::convert::Infallible;
use std::sync::Mutex;

use http::header::WWW_AUTHENTICATE;
use http::{Extensions, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::OnceCell;

/// More challenges than a label can offer: Basic, Bearer, and Digest with each algorithm.
const CHALLENGES: usize = 8;

/// What hyper remembers of the spelling of `WWW-Authenticate`. The type is its own; it comes out of a request.
static SPELLING: OnceCell<Extensions> = OnceCell::const_new();

/// Has hyper spell `WWW-Authenticate` as RFC 9110 does, where the answer has it.
pub(super) async fn spell<B>(response: &mut Response<B>) {
    if response.headers().contains_key(WWW_AUTHENTICATE) {
        let spelling = SPELLING.get_or_init(learn).await;
        response.extensions_mut().extend(spelling.clone());
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
