//! The offers of a 401 and which of them is taken (RFC 9110, section 11.6.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

use super::{Credentials, PasswordUse};

/// The most challenges that are looked at; a server offers one per scheme and algorithm.
const MAX_CHALLENGES: usize = 16;

/// One offer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case.
    pub(super) scheme: String,
    /// Names in lower case, values without quotes.
    pub(super) parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter, by its name in lower case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The scheme, and for Digest the algorithm: what an error names.
    pub(super) fn name(&self) -> String {
        match (self.scheme.as_str(), self.parameter("algorithm")) {
            ("digest", Some(algorithm)) => format!("Digest {algorithm}"),
            ("digest", None) => "Digest MD5".to_owned(),
            ("basic", _) => "Basic".to_owned(),
            ("bearer", _) => "Bearer".to_owned(),
            (other, _) => other.to_owned(),
        }
    }
}

/// How a challenge is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Bearer,
    Digest(Challenge),
    Basic,
}

/// The best answer to what is offered: Bearer when there is a token, then Digest with SHA-256 before MD5, then Basic.
pub(super) fn choose(offers: &[Challenge], credentials: &Credentials) -> Option<Answer> {
    let scheme = |name: &str| offers.iter().any(|offer| offer.scheme == name);
    if credentials.bearer.is_some() && scheme("bearer") {
        return Some(Answer::Bearer);
    }
    credentials.password.as_ref()?;
    let digest = offers
        .iter()
        .filter_map(|offer| Some((digest_strength(offer)?, offer)))
        .max_by_key(|(strength, _)| *strength);
    if let Some((_, offer)) = digest {
        return Some(Answer::Digest(offer.clone()));
    }
    // Some servers answer 401 without a challenge and mean Basic.
    let basic = scheme("basic") || offers.is_empty();
    (basic && credentials.password_use != PasswordUse::DigestOnly).then_some(Answer::Basic)
}

/// `None` when it is no Digest, or one that cannot be answered.
fn digest_strength(offer: &Challenge) -> Option<u8> {
    if offer.scheme != "digest" {
        return None;
    }
    match offer
        .parameter("algorithm")
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        Some("sha-256" | "sha-256-sess") => Some(2),
        None | Some("md5" | "md5-sess") => Some(1),
        Some(_) => None,
    }
}

/// Every challenge of the response, whether each has a header of its own or they share one.
pub(super) fn parse(headers: &HeaderMap) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let text = String::from_utf8_lossy(value.as_bytes());
        let mut current: Option<Challenge> = None;
        for item in items(&text) {
            let item = item.trim();
            if item.is_empty() {
                continue;
            }
            match starts_challenge(item) {
                Some((scheme, rest)) => {
                    found.extend(current.take());
                    let mut challenge = Challenge {
                        scheme: scheme.to_ascii_lowercase(),
                        parameters: Vec::new(),
                    };
                    challenge.parameters.extend(parameter(rest));
                    current = Some(challenge);
                }
                None => {
                    if let Some(challenge) = &mut current {
                        challenge.parameters.extend(parameter(item));
                    }
                }
            }
        }
        found.extend(current);
        if found.len() >= MAX_CHALLENGES {
            found.truncate(MAX_CHALLENGES);
            break;
        }
    }
    found
}

/// The parts between commas that no quotes protect.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |character| {
        if core::mem::take(&mut escaped) {
            return false;
        }
        match character {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' => return !quoted,
            _ => {}
        }
        false
    })
}

/// An item that begins with a token and then a blank or nothing begins a challenge; a parameter has `=` there.
fn starts_challenge(item: &str) -> Option<(&str, &str)> {
    let end = item.find([' ', '\t', '=']).unwrap_or(item.len());
    let (token, rest) = item.split_at_checked(end)?;
    let rest = rest.trim_start();
    // `name = value`: blanks around the sign are allowed for a parameter.
    (!rest.starts_with('=')).then_some((token, rest))
}

fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let value = value.trim();
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquoted(quoted),
        None => value.to_owned(),
    };
    Some((name.trim().to_ascii_lowercase(), value))
}

fn unquoted(text: &str) -> String {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::auth::BasicCredentials;

    fn offers(values: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        parse(&headers)
    }

    #[test]
    fn tells_challenges_in_one_header_apart() {
        let expected = [
            ("Basic", Some("a, \"b\"")),
            ("Digest SHA-256", Some("c")),
            ("negotiate", None),
        ];
        let one = r#"Basic realm="a, \"b\"", charset="UTF-8", Digest realm="c", algorithm = SHA-256 , qop="auth,auth-int", Negotiate"#;
        for values in [
            &[one][..],
            &[
                r#"basic realm="a, \"b\"""#,
                r#"DIGEST realm=c,algorithm=SHA-256"#,
                "Negotiate",
            ],
        ] {
            let found = offers(values);
            let found: Vec<_> = found
                .iter()
                .map(|offer| (offer.name(), offer.parameter("realm")))
                .collect();
            let expected = expected.map(|(name, realm)| (name.to_owned(), realm));
            assert_eq!(found, expected, "{values:?}");
        }
        assert_eq!(offers(&[]), []);
        assert_eq!(offers(&[", ,"]), []);
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
        let chosen = |values: &[&str], credentials: &Credentials| match choose(&offers(values), credentials) {
            None => "none".to_owned(),
            Some(Answer::Basic) => "basic".to_owned(),
            Some(Answer::Bearer) => "bearer".to_owned(),
            Some(Answer::Digest(challenge)) => challenge.parameter("nonce").unwrap().to_owned(),
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
