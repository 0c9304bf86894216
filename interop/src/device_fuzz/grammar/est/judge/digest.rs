//! Whether a Digest header proves the password (RFC 7616 section 3.4.1).
//!
//! Lenient in how it is written, so that nothing is claimed about a server that reads it in another way: what counts is
//! that the response can be computed by nobody who does not know the password.

use md5::Md5;
use sha2::{Digest, Sha256};

/// Whether the header has a response for this account and this method.
pub(super) fn proves(value: &[u8], user: &str, password: &str, method: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value);
    let Some((scheme, parameters)) = text.split_once(' ') else {
        return false;
    };
    if !scheme.eq_ignore_ascii_case("digest") {
        return false;
    }
    let found = |name: &str| parameter(parameters, name);
    // The form for other alphabets (RFC 7616 section 3.4.4) has the character set before the name.
    let extended = || found("username*").and_then(|value| value.rsplit("''").next());
    let given = found("username").or_else(extended);
    let (Some(given), Some(response)) = (given, found("response")) else {
        return false;
    };
    let method = String::from_utf8_lossy(method);
    let part = |name: &str| found(name).unwrap_or_default();
    given.eq_ignore_ascii_case(user)
        && [hash::<Sha256>, hash::<Md5>].iter().any(|hash| {
            let secret = hash(&[given, part("realm"), password]);
            let request = hash(&[&method, part("uri")]);
            let (nonce, count, cnonce) = (part("nonce"), part("nc"), part("cnonce"));
            let right = [
                hash(&[&secret, nonce, count, cnonce, "auth", &request]),
                // RFC 2069.
                hash(&[&secret, nonce, &request]),
            ];
            right.iter().any(|right| right.eq_ignore_ascii_case(response))
        })
}

fn hash<D: Digest>(parts: &[&str]) -> String {
    hex::encode(D::digest(parts.join(":")))
}

/// The value of a parameter, with or without its quotes.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let places = text.match_indices(name);
    let mut values = places.filter_map(|(place, _)| {
        let before = text.get(..place)?;
        let begins = before.is_empty() || before.ends_with([' ', ',', '\t']);
        let value = text.get(place + name.len()..)?.strip_prefix('=')?;
        begins.then_some(value)
    });
    let value = values.next()?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([',', ' ', '"']).next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1.
    const RIGHT: &str = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
        algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
        response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";

    fn is_right(header: &str) -> bool {
        proves(header.as_bytes(), "Mufasa", "Circle of Life", b"GET")
    }

    #[test]
    fn knows_the_right_response_of_rfc_7616_however_it_is_written() {
        let md5 = RIGHT.replace(
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            "8ca523f5e9506fed4657c9700eebdbec",
        );
        for header in [
            RIGHT.to_owned(),
            md5,
            RIGHT.replace("Digest", "DIGEST"),
            RIGHT.replace("username=\"", "username*=\"UTF-8''"),
            RIGHT.replace("nonce=\"7", "nonce=7"),
            RIGHT.replace("qop=auth, ", ""),
            format!("{RIGHT}, x=\""),
        ] {
            assert!(is_right(&header), "{header}");
        }
    }

    #[test]
    fn knows_that_a_response_is_for_something_else() {
        for header in [
            RIGHT.replace("index", "other"),
            RIGHT.replace("7ypf", "7ypg"),
            RIGHT.replace("nc=00000001", "nc=00000002"),
            RIGHT.replace("response=\"7", "response=\"8"),
            RIGHT.replace("Mufasa", "Scar"),
            RIGHT.replace("Digest", "Basic"),
            "Digest".to_owned(),
        ] {
            assert!(!is_right(&header), "{header}");
        }
        assert!(!proves(RIGHT.as_bytes(), "Mufasa", "another", b"GET"));
        assert!(!proves(RIGHT.as_bytes(), "Mufasa", "Circle of Life", b"POST"));
    }
}
