//! What the client of BouncyCastle 1.72 needs of an answer. It sends no User-Agent, so clients that say no name get it.
//!
//! It closes a 202, and the 401 to a request without credentials, before it has read a body; its own check takes that
//! for a connection that broke (`Stream closed before limit fully read`). So there is none. A client that says its name
//! is told in words what is missing.
//!
//! Of several challenges it reads the first, and of the parameters only those in quotes, which those of Digest must
//! partly not be (RFC 7616, section 3.3). A challenge that it can answer comes first: Digest with MD5, where that is on,
//! without the parameters that are not quoted (MD5 is what is meant without `algorithm`), then Basic. The others follow:
//! nobody is kept from a stronger one.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::operation::OperationResponse;

/// Suits the answer to a client that says no name; others are left alone.
pub(super) fn suit(request: &HeaderMap, response: &mut OperationResponse) {
    if request.contains_key(USER_AGENT) {
        return;
    }
    let challenged = response.status == StatusCode::UNAUTHORIZED && !request.contains_key(AUTHORIZATION);
    if challenged || response.status == StatusCode::ACCEPTED {
        response.body = Bytes::new();
        response.headers.remove(CONTENT_TYPE);
    }
    order_challenges(&mut response.headers);
}

fn order_challenges(headers: &mut HeaderMap) {
    let challenges: Vec<HeaderValue> = headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
    if challenges.is_empty() {
        return;
    }
    headers.remove(WWW_AUTHENTICATE);
    let (mut readable, mut others) = (Vec::new(), Vec::new());
    for challenge in challenges {
        if let Some(quoted) = of_md5(&challenge) {
            readable.push(quoted);
        } else if challenge.as_bytes().starts_with(b"Basic ") {
            readable.push(challenge);
        } else {
            others.push(challenge);
        }
    }
    for challenge in readable.into_iter().chain(others) {
        headers.append(WWW_AUTHENTICATE, challenge);
    }
}

/// A challenge of Digest with MD5, without the parameters that have no quotes.
fn of_md5(challenge: &HeaderValue) -> Option<HeaderValue> {
    let text = challenge.to_str().ok()?;
    let (realm, nonce) = text.rsplit_once(", algorithm=MD5, nonce=")?;
    let nonce = nonce.replace(", charset=UTF-8", "");
    HeaderValue::try_from(format!("{realm}, nonce={nonce}")).ok()
}
