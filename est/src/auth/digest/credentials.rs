//! The `Authorization: Digest` header (RFC 7616, section 3.4).

use pki_common::{Diagnose, Failure, Rung};

use super::super::basic::MAX_USER_NAME;
use super::super::parameters::{ParameterError, Parameters};
use super::algorithm::DigestAlgorithm;
use crate::wire::hexadecimal;

/// The longest `Authorization: Digest` value looked at, in bytes: the longest name with every byte percent-encoded,
/// and 3 KiB for target, nonces and realm.
pub const MAX_DIGEST_HEADER: usize = 4096;

/// The answer of a client to a challenge, as it came. Nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestCredentials {
    /// The name that is claimed.
    pub user: String,
    /// The realm the client means.
    pub realm: String,
    /// The nonce, one of the server's own if all is well.
    pub nonce: String,
    /// The target of the request as the client sees it.
    pub uri: String,
    /// The algorithm; MD5 when the header names none.
    pub algorithm: DigestAlgorithm,
    /// How often the client has used the nonce, with this request.
    pub count: u32,
    /// The nonce count as it was written, which is what is hashed.
    pub count_text: String,
    /// The nonce of the client.
    pub cnonce: String,
    /// The hash that proves the password.
    pub response: Vec<u8>,
}

impl DigestCredentials {
    /// Reads the value of an `Authorization` header, `None` when its scheme is not Digest.
    ///
    /// # Errors
    /// [`DigestError`] when the scheme is Digest but the rest breaks RFC 7616, or uses a part of it that this server
    /// never offers.
    pub fn parse(value: &[u8]) -> Result<Option<Self>, DigestError> {
        let Some((scheme, rest)) = value.split_at_checked("Digest".len()) else {
            return Ok(None);
        };
        if !scheme.eq_ignore_ascii_case(b"Digest") || rest.first().is_some_and(|byte| *byte != b' ') {
            return Ok(None);
        }
        if value.len() > MAX_DIGEST_HEADER {
            return Err(DigestError::TooLong { found: value.len() });
        }
        let text = core::str::from_utf8(rest).map_err(|_| DigestError::NotUtf8)?;
        Self::from_parameters(&Parameters::parse(text)?).map(Some)
    }

    fn from_parameters(given: &Parameters) -> Result<Self, DigestError> {
        let needed = |name| {
            given
                .value(name)
                .map(str::to_owned)
                .ok_or(DigestError::Missing { name })
        };
        if given
            .value("userhash")
            .is_some_and(|value| !value.eq_ignore_ascii_case("false"))
        {
            return Err(DigestError::Unsupported { name: "userhash" });
        }
        if !needed("qop")?.eq_ignore_ascii_case("auth") {
            return Err(DigestError::Unsupported { name: "qop" });
        }
        let algorithm = given
            .value("algorithm")
            .map_or(Some(DigestAlgorithm::Md5), DigestAlgorithm::from_name);
        let algorithm = algorithm.ok_or(DigestError::Unsupported { name: "algorithm" })?;
        let response = hexadecimal::decode(&needed("response")?)
            .filter(|response| response.len() == algorithm.length())
            .ok_or(DigestError::BadValue { name: "response" })?;
        let count_text = needed("nc")?;
        let digits = count_text.len() == 8 && count_text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let count = u32::from_str_radix(&count_text, 16)
            .ok()
            .filter(|count| digits && *count > 0)
            .ok_or(DigestError::BadValue { name: "nc" })?;
        let cnonce = needed("cnonce")?;
        if cnonce.is_empty() {
            return Err(DigestError::BadValue { name: "cnonce" });
        }
        Ok(Self {
            user: user(given)?,
            realm: needed("realm")?,
            nonce: needed("nonce")?,
            uri: needed("uri")?,
            algorithm,
            count,
            count_text,
            cnonce,
            response,
        })
    }
}

/// `username`, or `username*` for what does not fit a quoted string.
fn user(given: &Parameters) -> Result<String, DigestError> {
    let user = match (given.value("username"), given.value("username*")) {
        (Some(user), None) => user.to_owned(),
        (None, Some(extended)) => {
            from_extended(extended).ok_or(DigestError::BadValue { name: "username*" })?
        }
        (None, None) => return Err(DigestError::Missing { name: "username" }),
        (Some(_), Some(_)) => return Err(DigestError::BadValue { name: "username*" }),
    };
    // A colon would let one name and realm pass for another in the hash.
    if user.is_empty() || user.len() > MAX_USER_NAME || user.chars().any(|c| c == ':' || c.is_control()) {
        return Err(DigestError::BadValue { name: "username" });
    }
    Ok(user)
}

/// `UTF-8''percent-encoded` (RFC 8187).
fn from_extended(text: &str) -> Option<String> {
    let (charset, rest) = text.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            bytes.extend(hexadecimal::decode(core::str::from_utf8(&pair).ok()?)?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// An `Authorization: Digest` header, or a Digest challenge, that cannot be used. Never repeats what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Longer than anything needs.
    #[error("the Digest header is too long: {found} bytes, at most {MAX_DIGEST_HEADER} are accepted")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not UTF-8, the only character set RFC 7616 names.
    #[error("the Digest header is not UTF-8")]
    NotUtf8,
    /// No list of parameters.
    #[error("the Digest header cannot be read: {0}")]
    Syntax(#[from] ParameterError),
    /// A parameter is missing.
    #[error("the Digest header has no {name}")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// A parameter has a value that it cannot have.
    #[error("the {name} of the Digest header cannot be used")]
    BadValue {
        /// Which.
        name: &'static str,
    },
    /// A part of RFC 7616 that was not offered.
    #[error("the {name} of the Digest header is one that was not offered")]
    Unsupported {
        /// Which.
        name: &'static str,
    },
}

impl Diagnose for DigestError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::TooLong { .. } => "Use a shorter user name.",
            Self::NotUtf8 => "Encode the user name in UTF-8 (RFC 7616 section 4).",
            Self::Syntax(_) | Self::Missing { .. } | Self::BadValue { .. } => {
                "Send the parameters of RFC 7616 section 3.4, each once."
            }
            Self::Unsupported { .. } => {
                "Use what is supported: SHA-256 or MD5, qop=auth, and a user name that is not hashed."
            }
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616, section 3.9.1.
    const EXAMPLE: &str = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
        algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
        cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
        response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    #[test]
    fn reads_the_example_of_rfc_7616() {
        let found = DigestCredentials::parse(EXAMPLE.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (found.user.as_str(), found.count, found.algorithm),
            ("Mufasa", 1, DigestAlgorithm::Sha256)
        );
        assert_eq!(found.uri, "/dir/index.html");
    }

    #[test]
    fn reads_an_extended_user_name() {
        // RFC 7616, section 3.9.2 has this name, there hashed.
        let text = EXAMPLE.replace("username=\"Mufasa\"", "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe");
        let found = DigestCredentials::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(found.user, "J\u{e4}s\u{f8}n Doe");
    }

    #[test]
    fn names_the_parameter_that_is_wrong() {
        for (from, to, expected) in [
            ("nc=00000001", "nc=1", DigestError::BadValue { name: "nc" }),
            ("nc=00000001", "nc=00000000", DigestError::BadValue { name: "nc" }),
            ("nc=00000001", "nc=+0000001", DigestError::BadValue { name: "nc" }),
            (
                "qop=auth",
                "qop=auth-int",
                DigestError::Unsupported { name: "qop" },
            ),
            ("qop=auth, ", "", DigestError::Missing { name: "qop" }),
            (
                "SHA-256",
                "SHA-512-256",
                DigestError::Unsupported { name: "algorithm" },
            ),
            ("=SHA-256", "=MD5", DigestError::BadValue { name: "response" }),
            (
                "qop=auth",
                "qop=auth, userhash=true",
                DigestError::Unsupported { name: "userhash" },
            ),
            (
                "\"Mufasa\"",
                "\"a:b\"",
                DigestError::BadValue { name: "username" },
            ),
            (
                "qop=auth",
                "qop=auth, qop=auth",
                DigestError::Syntax(ParameterError::Duplicate { number: 9 }),
            ),
        ] {
            let text = EXAMPLE.replace(from, to);
            assert_eq!(DigestCredentials::parse(text.as_bytes()), Err(expected), "{text}");
        }
        let long = format!("{EXAMPLE}, x=\"{}\"", "a".repeat(MAX_DIGEST_HEADER));
        assert!(matches!(
            DigestCredentials::parse(long.as_bytes()),
            Err(DigestError::TooLong { .. })
        ));
    }

    #[test]
    fn leaves_other_schemes_alone() {
        for value in ["Basic YTpi", "Digestive a=b", "Dig", ""] {
            assert_eq!(DigestCredentials::parse(value.as_bytes()), Ok(None));
        }
    }
}
