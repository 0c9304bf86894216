//! The server's side: challenges, and the verdict on their answers.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use subtle::ConstantTimeEq as _;

use super::super::challenge::quotable;
use super::algorithm::{DigestAlgorithm, DigestSecret};
use super::credentials::DigestCredentials;
use super::nonce::NonceKey;
use super::replay::UsedCounts;
use crate::wire::hexadecimal;

/// How long a nonce is good: five minutes cover an enrolment with all its retries.
pub const DEFAULT_NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// How many nonces are remembered with the counts used of them: 16384 take about 2 MiB, and are used up in five
/// minutes by 54 new clients a second.
pub const DEFAULT_NONCES_REMEMBERED: usize = 16 * 1024;

/// How the server does Digest.
///
/// # Defaults
/// SHA-256 only, [`DEFAULT_NONCE_LIFETIME`], [`DEFAULT_NONCES_REMEMBERED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestSettings {
    /// Offers MD5 as well, for clients that know nothing else. Weakens security: the stored secrets of MD5 give away
    /// their passwords to whoever steals the file much more cheaply.
    pub dangerous_md5: bool,
    /// How long a nonce is good.
    pub nonce_lifetime: Duration,
    /// How many nonces are remembered with the counts used of them. A nonce that had to be forgotten is stale.
    pub nonces_remembered: usize,
}

impl Default for DigestSettings {
    fn default() -> Self {
        Self {
            dangerous_md5: false,
            nonce_lifetime: DEFAULT_NONCE_LIFETIME,
            nonces_remembered: DEFAULT_NONCES_REMEMBERED,
        }
    }
}

/// What the answer of a client must fit.
#[derive(Debug, Clone, Copy)]
pub struct DigestRequest<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// The target of the request: path and query.
    pub target: &'a str,
    /// The realm of the server.
    pub realm: &'a str,
}

/// The verdict on an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestVerdict {
    /// The client knows the password and answers this very request.
    Accepted,
    /// The client knows the password, but the nonce is too old, of another server, or was used with this count: it is
    /// to try again with a new one.
    Stale,
    /// Anything else.
    Wrong,
}

/// Makes challenges and verifies their answers.
///
/// Nonces need no memory: several processes that share the [`NonceKey`] recognise each other's. The counts that were
/// used are remembered by each process for itself, so a header that somebody has got hold of within TLS could be sent
/// once more to each other process, and to this one after a restart, for the lifetime of the nonce.
#[derive(Debug)]
pub struct DigestVerifier {
    settings: DigestSettings,
    key: NonceKey,
    used: UsedCounts,
}

impl DigestVerifier {
    /// A verifier whose nonces are made with this key. Logs a warning when the settings weaken security.
    #[must_use]
    pub fn new(settings: DigestSettings, key: NonceKey) -> Self {
        if settings.dangerous_md5 {
            tracing::warn!(
                "HTTP Digest with MD5 is on (dangerous-md5): old clients can log in, and stolen secrets are cheap to break"
            );
        }
        Self {
            settings,
            key,
            used: UsedCounts::new(settings.nonces_remembered),
        }
    }

    /// Whether it has these settings and this key; without a key, any will do.
    pub(crate) fn is_as(&self, settings: &DigestSettings, key: Option<&NonceKey>) -> bool {
        self.settings == *settings && key.is_none_or(|key| self.key.is(key))
    }

    /// Whether answers with this algorithm are accepted.
    #[must_use]
    pub const fn accepts(&self, algorithm: DigestAlgorithm) -> bool {
        match algorithm {
            DigestAlgorithm::Sha256 => true,
            DigestAlgorithm::Md5 => self.settings.dangerous_md5,
        }
    }

    /// The challenges, strongest first, each with the same new nonce. `stale` tells the client that its password was
    /// right.
    #[must_use]
    pub fn challenges(
        &self,
        realm: &str,
        stale: bool,
        now: SystemTime,
        random: [u8; 12],
    ) -> Vec<HeaderValue> {
        let realm = quotable(realm);
        let nonce = self.key.issue(&realm, now, random);
        let stale = if stale { ", stale=true" } else { "" };
        [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]
            .into_iter()
            .filter(|algorithm| self.accepts(*algorithm))
            .filter_map(|algorithm| {
                let text = format!(
                    "Digest realm=\"{realm}\", qop=\"auth\", algorithm={algorithm}, nonce=\"{nonce}\", \
                     charset=UTF-8{stale}"
                );
                HeaderValue::try_from(text).ok()
            })
            .collect()
    }

    /// The verdict on an answer; `secret` is that of the claimed user for this realm and algorithm, if there is one.
    /// An unknown user costs the same work as a wrong password.
    #[must_use]
    pub fn verify(
        &self,
        request: DigestRequest<'_>,
        answer: &DigestCredentials,
        secret: Option<&DigestSecret>,
        now: SystemTime,
    ) -> DigestVerdict {
        let realm = quotable(request.realm);
        let password = self.key.stand_in(&answer.user, &realm);
        let stand_in = DigestSecret::new(answer.algorithm, &answer.user, &realm, &password);
        let known = secret.filter(|secret| secret.algorithm() == answer.algorithm);
        let expected = known.unwrap_or(&stand_in).response(
            &answer.nonce,
            Some((&answer.count_text, &answer.cnonce)),
            request.method,
            &answer.uri,
        );
        let right = hexadecimal::decode(&expected).is_some_and(|expected| equal(&expected, &answer.response));
        let fits = answer.realm == realm && answer.uri == request.target && self.accepts(answer.algorithm);
        if !(right && known.is_some() && fits) {
            return DigestVerdict::Wrong;
        }
        let nonce = self
            .key
            .recognise(&answer.nonce, &realm, now, self.settings.nonce_lifetime);
        match nonce {
            Some(nonce) if nonce.fresh && self.used.take(&nonce, answer.count) => DigestVerdict::Accepted,
            _ => DigestVerdict::Stale,
        }
    }
}

/// Compares in a time that depends on the length only.
pub(super) fn equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::super::{DigestAnswer, DigestChallenge};
    use super::*;
    use http::HeaderMap;
    use http::header::WWW_AUTHENTICATE;
    use std::time::UNIX_EPOCH;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn verifier(key: u8) -> DigestVerifier {
        DigestVerifier::new(DigestSettings::default(), NonceKey::from_bytes([key; 32]))
    }

    fn secret(user: &str) -> DigestSecret {
        DigestSecret::new(DigestAlgorithm::Sha256, user, "EST", "secret")
    }

    fn answered(verifier: &DigestVerifier, password: &str, uri: &str, count: u32) -> DigestCredentials {
        let mut headers = HeaderMap::new();
        for challenge in verifier.challenges("EST", false, UNIX_EPOCH + NOW, [3; 12]) {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        let answer = DigestAnswer {
            method: "POST",
            uri,
            user: "phone",
            password,
            cnonce: "0a4f113b0a4f113b",
            count,
        };
        let challenge = DigestChallenge::strongest(&headers).unwrap().unwrap();
        let value = challenge.answer(&answer).unwrap();
        DigestCredentials::parse(value.as_bytes()).unwrap().unwrap()
    }

    fn verdict(
        verifier: &DigestVerifier,
        answer: &DigestCredentials,
        secret: Option<&DigestSecret>,
        later: Duration,
    ) -> DigestVerdict {
        let request = DigestRequest {
            method: "POST",
            target: "/.well-known/est/simpleenroll",
            realm: "EST",
        };
        verifier.verify(request, answer, secret, UNIX_EPOCH + NOW + later)
    }

    const TARGET: &str = "/.well-known/est/simpleenroll";

    #[test]
    fn accepts_the_right_password_once() {
        let server = verifier(1);
        let answer = answered(&server, "secret", TARGET, 1);
        let known = secret("phone");
        assert_eq!(
            verdict(&server, &answer, Some(&known), Duration::ZERO),
            DigestVerdict::Accepted
        );
        assert_eq!(
            verdict(&server, &answer, Some(&known), Duration::ZERO),
            DigestVerdict::Stale
        );
        let next = answered(&server, "secret", TARGET, 2);
        assert_eq!(
            verdict(&server, &next, Some(&known), Duration::ZERO),
            DigestVerdict::Accepted
        );
    }

    #[test]
    fn refuses_another_password_user_target_or_realm() {
        let server = verifier(1);
        let known = secret("phone");
        let good = answered(&server, "secret", TARGET, 1);
        for (answer, secret) in [
            (answered(&server, "Secret", TARGET, 1), Some(&known)),
            (answered(&server, "secret", "/other", 1), Some(&known)),
            (good.clone(), None),
            (
                DigestCredentials {
                    realm: "other".into(),
                    ..good.clone()
                },
                Some(&known),
            ),
            (
                DigestCredentials {
                    count: 2,
                    count_text: "00000002".into(),
                    ..good.clone()
                },
                Some(&known),
            ),
        ] {
            assert_eq!(
                verdict(&server, &answer, secret, Duration::ZERO),
                DigestVerdict::Wrong,
                "{answer:?}"
            );
        }
    }

    #[test]
    fn a_nonce_of_a_process_that_shares_the_key_is_good_and_any_other_stale() {
        let (server, sister, stranger) = (verifier(1), verifier(1), verifier(2));
        let answer = answered(&server, "secret", TARGET, 1);
        let known = secret("phone");
        assert_eq!(
            verdict(&sister, &answer, Some(&known), Duration::ZERO),
            DigestVerdict::Accepted
        );
        assert_eq!(
            verdict(&stranger, &answer, Some(&known), Duration::ZERO),
            DigestVerdict::Stale
        );
        let late = DEFAULT_NONCE_LIFETIME + Duration::from_secs(1);
        assert_eq!(
            verdict(&server, &answer, Some(&known), late),
            DigestVerdict::Stale
        );
    }

    #[test]
    fn offers_md5_only_when_told_to() {
        let names = |dangerous_md5| {
            let settings = DigestSettings {
                dangerous_md5,
                ..DigestSettings::default()
            };
            let server = DigestVerifier::new(settings, NonceKey::random());
            let offered = server.challenges("EST", true, UNIX_EPOCH + NOW, [0; 12]);
            offered
                .iter()
                .map(|value| {
                    let text = value.to_str().unwrap();
                    assert!(text.ends_with("stale=true"), "{text}");
                    text.contains("SHA-256")
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(names(false), [true]);
        assert_eq!(names(true), [true, false], "the stronger one first");
    }
}
