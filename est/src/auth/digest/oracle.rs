//! What must hold for any bytes that claim to be a Digest header; used by tests and fuzzing.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use super::super::parameters::quoted;
use super::{DigestChallenge, DigestCredentials};

/// Reads the bytes as both headers of Digest. What can be read is bounded, and a challenge that was read has an answer
/// that can be read and says the same.
///
/// # Panics
/// When one of that does not hold.
pub fn check(bytes: &[u8]) {
    if let Ok(Some(found)) = DigestCredentials::parse(bytes) {
        assert!(found.count > 0 && !found.user.contains(':'));
        assert_eq!(found.response.len(), found.algorithm.length());
        let again = written(&found);
        assert!(
            again.len() > super::MAX_DIGEST_HEADER
                || DigestCredentials::parse(again.as_bytes()) == Ok(Some(found)),
            "a second trip changed the credentials: {again}"
        );
    }
    let Ok(value) = HeaderValue::from_bytes(bytes) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(WWW_AUTHENTICATE, value);
    let Ok(Some(challenge)) = DigestChallenge::strongest(&headers) else {
        return;
    };
    let answer = super::DigestAnswer {
        method: "POST",
        uri: "/",
        user: "user",
        password: "password",
        cnonce: "0123456789abcdef",
        count: 1,
    };
    let Ok(answered) = challenge.answer(&answer) else {
        return;
    };
    if challenge.quality && answered.len() <= super::MAX_DIGEST_HEADER {
        let read = DigestCredentials::parse(answered.as_bytes())
            .expect("what was answered can be read")
            .expect("and is of the Digest scheme");
        assert_eq!(
            (
                read.user.as_str(),
                read.uri.as_str(),
                read.cnonce.as_str(),
                read.count
            ),
            (answer.user, answer.uri, answer.cnonce, answer.count)
        );
        assert_eq!(
            (read.realm, read.nonce, read.algorithm),
            (challenge.realm, challenge.nonce, challenge.algorithm)
        );
    }
}

/// The header that says the same as what was read.
fn written(found: &DigestCredentials) -> String {
    let response: String = found
        .response
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    format!(
        "Digest username={}, realm={}, nonce={}, uri={}, algorithm={}, qop=auth, nc={}, cnonce={}, response={response}",
        quoted(&found.user),
        quoted(&found.realm),
        quoted(&found.nonce),
        quoted(&found.uri),
        found.algorithm.as_str(),
        found.count_text,
        quoted(&found.cnonce),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_for_lists_of_parameters(text in "Digest( ?[a-z]{1,9}=(\"[ -~]{0,9}\"|[a-zA-Z0-9-]{1,9}),?){0,12}") {
            super::check(text.as_bytes());
        }
    }

    #[test]
    fn holds_for_challenges_cut_anywhere() {
        let whole =
            "Digest realm=\"a \\\"b\\\", c\", nonce=\"n\\\\m\", qop=\"auth\", algorithm=SHA-256, opaque=\"\"";
        for length in 0..=whole.len() {
            super::check(&whole.as_bytes()[..length]);
        }
    }
}
