//! The client's side: which challenge to answer, and how.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::super::parameters::{self, Parameters, quoted};
use super::algorithm::{DigestAlgorithm, DigestSecret};
use super::credentials::DigestError;

/// What a server asks to be hashed (RFC 7616, section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestChallenge {
    /// The name of what the password is for.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// The hash function.
    pub algorithm: DigestAlgorithm,
    /// Whether the header named the hash function; an old server may not understand its name in the answer.
    pub names_algorithm: bool,
    /// Whether `qop=auth` is offered; without any `qop` the server is one of RFC 2069.
    pub quality: bool,
    /// Name and password were right, only the nonce was not: try again without asking the user.
    pub stale: bool,
}

/// What the client puts into its answer.
#[derive(Clone, Copy)]
pub struct DigestAnswer<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// The target as it stands in the request line: path and query.
    pub uri: &'a str,
    /// The user name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// A random text of the client, of at least 64 bits.
    pub cnonce: &'a str,
    /// How often this nonce is used, with this request; from 1.
    pub count: u32,
}

impl core::fmt::Debug for DigestAnswer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DigestAnswer")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("user", &self.user)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl DigestChallenge {
    /// The strongest Digest challenge of a 401 that can be answered, `None` when there is none. Challenges of other
    /// algorithms or with `auth-int` only are passed over, as RFC 7616, section 3.7 wants.
    ///
    /// # Errors
    /// The fault of the last challenge, when there are some and none can be used.
    pub fn strongest(headers: &HeaderMap) -> Result<Option<Self>, DigestError> {
        let mut best: Option<Self> = None;
        let mut fault = None;
        for value in headers.get_all(WWW_AUTHENTICATE) {
            let read = core::str::from_utf8(value.as_bytes()).map_err(|_| DigestError::NotUtf8);
            let challenges = read.and_then(|text| parameters::challenges(text).map_err(DigestError::from));
            let found = match challenges {
                Ok(found) => found,
                Err(error) => {
                    fault = Some(error);
                    continue;
                }
            };
            let digest = |(scheme, _): &(String, Parameters)| scheme.eq_ignore_ascii_case("Digest");
            for (_, given) in found.into_iter().filter(digest) {
                match Self::from_parameters(&given) {
                    Ok(found) if best.as_ref().is_none_or(|best| found.algorithm > best.algorithm) => {
                        best = Some(found);
                    }
                    Ok(_) => {}
                    Err(error) => fault = Some(error),
                }
            }
        }
        match (best, fault) {
            (None, Some(error)) => Err(error),
            (best, _) => Ok(best),
        }
    }

    fn from_parameters(given: &Parameters) -> Result<Self, DigestError> {
        let text = |name| given.value(name).map(str::to_owned);
        let names_algorithm = given.value("algorithm");
        let algorithm = names_algorithm.map_or(Some(DigestAlgorithm::Md5), DigestAlgorithm::from_name);
        let offered = given.value("qop");
        let auth = |offered: &str| {
            offered
                .split(',')
                .any(|word| word.trim().eq_ignore_ascii_case("auth"))
        };
        if offered.is_some_and(|offered| !auth(offered)) {
            return Err(DigestError::Unsupported { name: "qop" });
        }
        Ok(Self {
            realm: text("realm").ok_or(DigestError::Missing { name: "realm" })?,
            nonce: text("nonce").ok_or(DigestError::Missing { name: "nonce" })?,
            opaque: text("opaque"),
            algorithm: algorithm.ok_or(DigestError::Unsupported { name: "algorithm" })?,
            names_algorithm: names_algorithm.is_some(),
            quality: offered.is_some(),
            stale: given
                .value("stale")
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }

    /// The value of the `Authorization` header, marked as sensitive.
    ///
    /// # Errors
    /// [`DigestError::BadValue`] when a name or the target cannot stand in a header.
    pub fn answer(&self, given: &DigestAnswer<'_>) -> Result<HeaderValue, DigestError> {
        if given.user.contains(':') {
            return Err(DigestError::BadValue { name: "username" });
        }
        let secret = DigestSecret::new(self.algorithm, given.user, &self.realm, given.password);
        let count = format!("{:08x}", given.count);
        let quality = self.quality.then_some((count.as_str(), given.cnonce));
        let response = secret.response(&self.nonce, quality, given.method, given.uri);
        let mut header = Zeroizing::new(format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\"",
            quoted(given.user),
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(given.uri),
            response.as_str()
        ));
        if self.names_algorithm {
            header.push_str(", algorithm=");
            header.push_str(self.algorithm.as_str());
        }
        if self.quality {
            header.push_str(", qop=auth, nc=");
            header.push_str(&count);
            header.push_str(", cnonce=");
            header.push_str(&quoted(given.cnonce));
        }
        if let Some(opaque) = &self.opaque {
            header.push_str(", opaque=");
            header.push_str(&quoted(opaque));
        }
        let mut value = HeaderValue::from_bytes(header.as_bytes())
            .map_err(|_| DigestError::BadValue { name: "username" })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Answers the strongest Digest challenge of a 401, `None` when there is none.
///
/// MD5 is answered when nothing better is offered: over TLS whose server is verified, only that server sees the hash.
///
/// # Errors
/// [`DigestError`] when there are Digest challenges and none can be answered.
pub fn answer(headers: &HeaderMap, given: &DigestAnswer<'_>) -> Result<Option<HeaderValue>, DigestError> {
    DigestChallenge::strongest(headers)?
        .map(|challenge| challenge.answer(given))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        headers
    }

    const ANSWER: DigestAnswer<'_> = DigestAnswer {
        method: "GET",
        uri: "/dir/index.html",
        user: "Mufasa",
        password: "Circle of Life",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        count: 1,
    };

    #[test]
    fn answers_the_stronger_challenge_of_rfc_7616_with_its_response() {
        let common = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
            nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
        let (md5, sha) = (
            format!("Digest {common}, algorithm=MD5"),
            format!("Basic realm=\"x\", Digest {common}, algorithm=SHA-256"),
        );
        for order in [[md5.as_str(), sha.as_str()], [sha.as_str(), md5.as_str()]] {
            let found = answer(&headers(&order), &ANSWER).unwrap().unwrap();
            let text = found.to_str().unwrap();
            assert!(
                text.contains("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1")
                    && text.contains("algorithm=SHA-256, qop=auth, nc=00000001")
                    && text.contains("opaque=\"FQhe/"),
                "{text}"
            );
            assert!(found.is_sensitive());
        }
        let text = answer(&headers(&[&md5]), &ANSWER).unwrap().unwrap();
        assert!(
            text.to_str()
                .unwrap()
                .contains("8ca523f5e9506fed4657c9700eebdbec")
        );
    }

    #[test]
    fn passes_over_what_it_cannot_answer_and_says_why_when_nothing_is_left() {
        let strange = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256";
        assert_eq!(
            answer(&headers(&[strange]), &ANSWER),
            Err(DigestError::Unsupported { name: "algorithm" })
        );
        let found = answer(&headers(&[strange, "Digest realm=\"r\", nonce=\"n\""]), &ANSWER);
        let found = found.unwrap().unwrap();
        assert!(!found.to_str().unwrap().contains("qop"), "RFC 2069 knows none");
        assert_eq!(answer(&headers(&["Basic realm=\"r\""]), &ANSWER), Ok(None));
    }

    /// The example of RFC 2617, section 3.5, and the same without `qop`, computed with `openssl md5`.
    #[test]
    fn answers_servers_older_than_rfc_7616() {
        let given = DigestAnswer {
            password: "Circle Of Life",
            cnonce: "0a4f113b",
            ..ANSWER
        };
        let without = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let with = format!("{without}, qop=\"auth\"");
        for (challenge, expected) in [
            (with.as_str(), "6629fae49393a05397450978507c4ef1"),
            (without, "670fd8c2df070c60b045671b8b24ff02"),
        ] {
            let value = answer(&headers(&[challenge]), &given).unwrap().unwrap();
            let text = value.to_str().unwrap();
            assert!(text.contains(&format!("response=\"{expected}\"")), "{text}");
        }
    }

    #[test]
    fn its_own_answers_can_be_read() {
        let challenge = DigestChallenge {
            realm: "a \"realm\"".into(),
            nonce: "n".into(),
            opaque: None,
            algorithm: DigestAlgorithm::Sha256,
            names_algorithm: true,
            quality: true,
            stale: false,
        };
        let value = challenge.answer(&ANSWER).unwrap();
        let read = super::super::DigestCredentials::parse(value.as_bytes())
            .unwrap()
            .unwrap();
        assert_eq!((read.realm.as_str(), read.count), ("a \"realm\"", 1));
    }
}
