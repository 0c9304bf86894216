//! A client's answer to a Digest challenge (RFC 7616; RFC 2617 and RFC 2069 for old servers).

use core::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::challenge::Challenge;
use crate::auth::BasicCredentials;

/// The request that the answer is for.
pub(super) struct DigestRequest<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) body: &'a [u8],
    /// How many requests carry this nonce, this one included.
    pub(super) count: u32,
    /// A random text of the client.
    pub(super) client_nonce: &'a str,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// Hexadecimal digits of the hash over the parts, joined by colons.
    fn of(self, parts: &[&str]) -> Zeroizing<String> {
        let text = Zeroizing::new(parts.join(":"));
        self.of_bytes(text.as_bytes())
    }

    fn of_bytes(self, bytes: &[u8]) -> Zeroizing<String> {
        match self {
            Self::Md5 => hexadecimal(&Md5::digest(bytes)),
            Self::Sha256 => hexadecimal(&Sha256::digest(bytes)),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        // Writing to a String cannot fail.
        let _written = write!(text, "{byte:02x}");
    }
    text
}

/// The value of the `Authorization` header, `None` when the challenge lacks what it must have or wants what is not
/// known.
pub(super) fn answer(
    challenge: &Challenge,
    credentials: &BasicCredentials,
    request: &DigestRequest<'_>,
) -> Option<Zeroizing<String>> {
    let name = challenge.parameter("algorithm").unwrap_or("MD5");
    let (algorithm, session) = match name.to_ascii_lowercase().as_str() {
        "md5" => (Algorithm::Md5, false),
        "md5-sess" => (Algorithm::Md5, true),
        "sha-256" => (Algorithm::Sha256, false),
        "sha-256-sess" => (Algorithm::Sha256, true),
        _ => return None,
    };
    let (realm, nonce) = (challenge.parameter("realm")?, challenge.parameter("nonce")?);
    let (user, client_nonce) = (credentials.user(), request.client_nonce);
    let quality = quality(challenge)?;
    let mut secret = algorithm.of(&[user, realm, credentials.password()]);
    if session {
        secret = algorithm.of(&[&secret, nonce, client_nonce]);
    }
    let subject = match quality {
        Some("auth-int") => {
            let body = algorithm.of_bytes(request.body);
            algorithm.of(&[request.method, request.target, &body])
        }
        _ => algorithm.of(&[request.method, request.target]),
    };
    let count = format!("{:08x}", request.count);
    let response = match quality {
        Some(quality) => algorithm.of(&[&secret, nonce, &count, client_nonce, quality, &subject]),
        None => algorithm.of(&[&secret, nonce, &subject]),
    };
    let hidden = challenge
        .parameter("userhash")
        .is_some_and(|hidden| hidden.eq_ignore_ascii_case("true"));
    let user = if hidden {
        algorithm.of(&[user, realm])
    } else {
        Zeroizing::new(user.to_owned())
    };
    let mut value = Zeroizing::new(format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"",
        quoted(&user),
        quoted(realm),
        quoted(nonce),
        quoted(request.target),
        response.as_str()
    ));
    let mut add = |text: String| value.push_str(&text);
    // Left out where the server left it out: RFC 2069 has no such parameter.
    if challenge.parameter("algorithm").is_some() {
        add(format!(", algorithm={name}"));
    }
    if let Some(opaque) = challenge.parameter("opaque") {
        add(format!(", opaque={}", quoted(opaque)));
    }
    if let Some(quality) = quality {
        add(format!(
            ", qop={quality}, nc={count}, cnonce={}",
            quoted(client_nonce)
        ));
    }
    if hidden {
        add(", userhash=true".to_owned());
    }
    Some(value)
}

/// `None` when every quality of protection offered is unknown; `Some(None)` when none is offered.
fn quality(challenge: &Challenge) -> Option<Option<&'static str>> {
    let Some(offered) = challenge.parameter("qop") else {
        return Some(None);
    };
    let offers = |wanted: &str| {
        offered
            .split(',')
            .any(|offer| offer.trim().eq_ignore_ascii_case(wanted))
    };
    // TLS protects the body already.
    if offers("auth") {
        Some(Some("auth"))
    } else {
        offers("auth-int").then_some(Some("auth-int"))
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;
    use http::{HeaderMap, HeaderValue};

    use super::super::challenge::parse;
    use super::*;

    fn challenge(text: &str) -> Challenge {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap());
        parse(&headers).remove(0)
    }

    fn response(challenge_text: &str, request: &DigestRequest<'_>, credentials: &BasicCredentials) -> String {
        let value = answer(&challenge(challenge_text), credentials, request).unwrap();
        let answered = challenge(&value);
        answered.parameter("response").unwrap().to_owned()
    }

    /// RFC 7616, section 3.9.1.
    #[test]
    fn gives_the_answers_of_rfc_7616() {
        let credentials = BasicCredentials::new("Mufasa", "Circle of Life").unwrap();
        let request = DigestRequest {
            method: "GET",
            target: "/dir/index.html",
            body: b"",
            count: 1,
            client_nonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let text = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            assert_eq!(response(&text, &request, &credentials), expected);
        }
    }

    /// The example of RFC 2617, section 3.5, and the same without `qop`, computed with `openssl md5`.
    #[test]
    fn answers_servers_older_than_rfc_7616() {
        let credentials = BasicCredentials::new("Mufasa", "Circle Of Life").unwrap();
        let request = DigestRequest {
            method: "GET",
            target: "/dir/index.html",
            body: b"",
            count: 1,
            client_nonce: "0a4f113b",
        };
        let without = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let with = format!("{without}, qop=\"auth\"");
        assert_eq!(
            response(&with, &request, &credentials),
            "6629fae49393a05397450978507c4ef1"
        );
        assert_eq!(
            response(without, &request, &credentials),
            "670fd8c2df070c60b045671b8b24ff02"
        );
    }

    #[test]
    fn does_not_answer_what_it_does_not_know() {
        let credentials = BasicCredentials::new("a", "b").unwrap();
        let request = DigestRequest {
            method: "GET",
            target: "/",
            body: b"",
            count: 1,
            client_nonce: "c",
        };
        for text in [
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"y\", qop=\"other\"",
            "Digest realm=\"x\"",
        ] {
            assert!(
                answer(&challenge(text), &credentials, &request).is_none(),
                "{text}"
            );
        }
    }
}
