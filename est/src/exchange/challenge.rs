//! The offers of a 401 and which of them is taken (RFC 9110, section 11.6.1). Digest itself is
//! [`DigestChallenge`]'s.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use super::{Credentials, PasswordUse};
use crate::auth::digest::DigestChallenge;
use crate::auth::parameters::challenges;

/// The most offers that are named in an error; a server has one per scheme and algorithm.
const MAX_NAMED: usize = 16;

/// What a 401 offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Offers {
    /// The schemes, and for Digest the algorithms, as the server spells them.
    names: Vec<String>,
    basic: bool,
    bearer: bool,
    /// The strongest Digest challenge that can be answered.
    digest: Option<DigestChallenge>,
}

/// How a challenge is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Bearer,
    Digest(DigestChallenge),
    Basic,
}

impl Offers {
    /// The offers of a response, whether each has a header of its own or they share one. A header that cannot be read
    /// counts by its first word: servers of old write realms without quotes.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut offers = Self {
            digest: DigestChallenge::strongest(headers).ok().flatten(),
            ..Self::default()
        };
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let text = String::from_utf8_lossy(value.as_bytes());
            match challenges(&text) {
                Ok(found) => {
                    for (scheme, parameters) in found {
                        offers.add(&scheme, parameters.value("algorithm"));
                    }
                }
                Err(_) => offers.add(text.split_ascii_whitespace().next().unwrap_or_default(), None),
            }
        }
        offers
    }

    fn add(&mut self, scheme: &str, algorithm: Option<&str>) {
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        self.basic |= is("Basic");
        self.bearer |= is("Bearer");
        let name = match algorithm {
            Some(algorithm) if is("Digest") => format!("{scheme} {algorithm}"),
            None if is("Digest") => format!("{scheme} MD5"),
            _ => scheme.to_owned(),
        };
        if self.names.len() < MAX_NAMED {
            self.names.push(name);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether only the nonce of the last Digest answer was wrong.
    pub(super) fn is_stale(&self) -> bool {
        self.digest.as_ref().is_some_and(|challenge| challenge.stale)
    }

    /// What is offered, for a person.
    pub(super) fn names(&self) -> String {
        self.names.join(", ")
    }

    /// The best answer: Bearer when there is a token, then Digest with SHA-256 before MD5, then Basic.
    pub(super) fn choose(&self, credentials: &Credentials) -> Option<Answer> {
        if credentials.bearer.is_some() && self.bearer {
            return Some(Answer::Bearer);
        }
        credentials.password.as_ref()?;
        if let Some(challenge) = &self.digest {
            return Some(Answer::Digest(challenge.clone()));
        }
        // Some servers answer 401 without a challenge and mean Basic.
        let basic = self.basic || self.is_empty();
        (basic && credentials.password_use != PasswordUse::DigestOnly).then_some(Answer::Basic)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::auth::BasicCredentials;

    fn offers(values: &[&str]) -> Offers {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        Offers::of(&headers)
    }

    #[test]
    fn tells_challenges_in_one_header_apart() {
        let one = r#"Basic realm="a, \"b\"", charset="UTF-8", Digest realm="c", nonce="n", algorithm = SHA-256 , qop="auth,auth-int", Negotiate"#;
        for values in [
            &[one][..],
            &[
                r#"Basic realm="a, \"b\"""#,
                r#"Digest realm=c,nonce=n,algorithm=SHA-256"#,
                "Negotiate",
            ],
        ] {
            let found = offers(values);
            assert_eq!(found.names(), "Basic, Digest SHA-256, Negotiate", "{values:?}");
            assert_eq!(found.digest.unwrap().realm, "c", "{values:?}");
        }
        assert!(offers(&[]).is_empty() && offers(&[", ,"]).is_empty());
        let bare = offers(&["basic realm=an unquoted realm", "DIGEST"]);
        assert_eq!((bare.basic, bare.names()), (true, "basic, DIGEST MD5".to_owned()));
        assert!(offers(&vec!["x"; 1000]).names.len() == MAX_NAMED);
    }

    #[test]
    fn takes_the_strongest_offer_it_may() {
        let mut credentials = Credentials {
            password: Some(BasicCredentials::new("a", "b").unwrap()),
            ..Credentials::default()
        };
        let basic = r#"Basic realm="x""#;
        let md5 = r#"Digest realm="x", nonce="1""#;
        let sha256 = r#"Digest realm="x", nonce="2", algorithm=SHA-256"#;
        let sha512 = r#"Digest realm="x", nonce="3", algorithm=SHA-512-256"#;
        let chosen = |values: &[&str], credentials: &Credentials| match offers(values).choose(credentials) {
            None => "none".to_owned(),
            Some(Answer::Basic) => "basic".to_owned(),
            Some(Answer::Bearer) => "bearer".to_owned(),
            Some(Answer::Digest(challenge)) => challenge.nonce,
        };
        assert_eq!(chosen(&[basic, md5, sha256, sha512], &credentials), "2");
        assert_eq!(chosen(&[basic, sha512, md5], &credentials), "1");
        assert_eq!(chosen(&[basic, "Bearer"], &credentials), "basic");
        assert_eq!(chosen(&[], &credentials), "basic");
        assert_eq!(chosen(&["Negotiate"], &credentials), "none");
        credentials.password_use = PasswordUse::DigestOnly;
        assert_eq!(chosen(&[basic], &credentials), "none");
        assert_eq!(chosen(&[], &credentials), "none");
        credentials.bearer = Some("token".parse().unwrap());
        assert_eq!(chosen(&[sha256, "Bearer"], &credentials), "bearer");
        assert_eq!(chosen(&[basic], &Credentials::default()), "none");
    }
}
