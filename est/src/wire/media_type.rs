//! Media types (RFC 9110 section 8.3.1), compared as the RFC says: type, subtype and parameter names without regard
//! to case, parameters in any order.

use std::fmt;

use crate::error::WireError;

/// Body of `simpleenroll` and `simplereenroll` requests (RFC 7030 section 4.2.1).
pub const PKCS10: &str = "application/pkcs10";
/// The body of a `csrattrs` response (RFC 7030 section 4.5.2).
pub const CSR_ATTRS: &str = "application/csrattrs";
/// Body of answers that carry certificates (RFC 7030 section 4.2.3): a certs-only message.
pub const PKCS7_MIME_CERTS_ONLY: &str = "application/pkcs7-mime; smime-type=certs-only";
/// Body of a `fullcmc` request (RFC 7030 section 4.3.1).
pub const PKCS7_MIME_CMC_REQUEST: &str = "application/pkcs7-mime; smime-type=CMC-request";
/// Body of a `fullcmc` response (RFC 7030 section 4.3.2).
pub const PKCS7_MIME_CMC_RESPONSE: &str = "application/pkcs7-mime; smime-type=CMC-response";
/// The key of a `serverkeygen` answer, encrypted (RFC 7030 section 4.4.2).
pub const PKCS7_MIME_SERVER_GENERATED_KEY: &str = "application/pkcs7-mime; smime-type=server-generated-key";
/// The key of a `serverkeygen` answer, in the clear (RFC 5958 section 7).
pub const PKCS8: &str = "application/pkcs8";
/// Without the parameter, as `cacerts` answers are labelled (RFC 7030 section 4.1.3).
pub const PKCS7_MIME: &str = "application/pkcs7-mime";

/// Most parameters of one media type. EST uses one; `boundary` and `charset` occur besides.
pub const MAX_PARAMETERS: usize = 16;

/// A media type with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype` in lower case.
    essence: String,
    /// Names in lower case, values as sent, without quotes.
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Parses the value of a Content-Type field.
    ///
    /// # Errors
    /// [`WireError::MediaType`] with the offset, also for a parameter that occurs twice;
    /// [`WireError::TooMany`] above [`MAX_PARAMETERS`].
    pub fn parse(value: &str) -> Result<Self, WireError> {
        let mut parser = Parser { value, position: 0 };
        parser.skip_blanks();
        let kind = parser.token("the type is missing")?.to_ascii_lowercase();
        parser.expect('/', "expected \"/\" between type and subtype")?;
        let subtype = parser.token("the subtype is missing")?.to_ascii_lowercase();
        let mut parameters: Vec<(String, String)> = Vec::new();
        loop {
            parser.skip_blanks();
            if parser.rest().is_empty() {
                break;
            }
            parser.expect(';', "expected \";\" or the end")?;
            parser.skip_blanks();
            // RFC 9110 section 5.6.6 lets a parameter be empty: "text/html;".
            if parser.rest().is_empty() || parser.rest().starts_with(';') {
                continue;
            }
            let start = parser.position;
            let (name, value) = parser.parameter()?;
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(WireError::MediaType {
                    position: start,
                    problem: "the parameter occurs twice",
                });
            }
            if parameters.len() >= MAX_PARAMETERS {
                return Err(WireError::TooMany {
                    what: "media type parameters",
                    limit: MAX_PARAMETERS,
                });
            }
            parameters.push((name, value));
        }
        Ok(Self {
            essence: format!("{kind}/{subtype}"),
            parameters,
        })
    }

    /// `type/subtype` in lower case.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The value of a parameter, by its name in lower case. Whether case matters in the value is up to the
    /// parameter; for `smime-type` it does not.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether this is `application/pkcs10`.
    pub fn is_pkcs10(&self) -> bool {
        self.essence == PKCS10
    }

    /// Whether this is a certs-only message. The `smime-type` parameter may be missing: some servers leave it out,
    /// and RFC 7030 section 4.1.3 does for `cacerts`.
    pub fn is_certs_only(&self) -> bool {
        let kind = self
            .parameter("smime-type")
            .is_none_or(|kind| kind.eq_ignore_ascii_case("certs-only"));
        kind && [PKCS7_MIME, "application/x-pkcs7-mime"].contains(&self.essence.as_str())
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            if !value.is_empty() && value.chars().all(is_token_character) {
                write!(formatter, "; {name}={value}")?;
            } else {
                let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
                write!(formatter, "; {name}=\"{quoted}\"")?;
            }
        }
        Ok(())
    }
}

struct Parser<'a> {
    value: &'a str,
    position: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.value.get(self.position..).unwrap_or_default()
    }

    fn problem<T>(&self, problem: &'static str) -> Result<T, WireError> {
        Err(WireError::MediaType {
            position: self.position,
            problem,
        })
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn expect(&mut self, character: char, problem: &'static str) -> Result<(), WireError> {
        if !self.rest().starts_with(character) {
            return self.problem(problem);
        }
        self.position += character.len_utf8();
        Ok(())
    }

    fn token(&mut self, problem: &'static str) -> Result<&'a str, WireError> {
        let rest = self.rest();
        let length = rest
            .find(|character| !is_token_character(character))
            .unwrap_or(rest.len());
        match rest.split_at_checked(length) {
            Some((token, _)) if !token.is_empty() => {
                self.position += length;
                Ok(token)
            }
            _ => self.problem(problem),
        }
    }

    fn parameter(&mut self) -> Result<(String, String), WireError> {
        let name = self
            .token("expected the name of a parameter")?
            .to_ascii_lowercase();
        self.expect('=', "expected \"=\" behind the name of the parameter")?;
        let value = if self.rest().starts_with('"') {
            self.quoted_string()?
        } else {
            self.token("the value of the parameter is missing")?.to_owned()
        };
        Ok((name, value))
    }

    /// RFC 9110 section 5.6.4.
    fn quoted_string(&mut self) -> Result<String, WireError> {
        let mut value = String::new();
        let mut escaped = false;
        for (offset, character) in self.rest().char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => {
                    escaped = true;
                    continue;
                }
                '"' => {
                    self.position += offset + 1;
                    return Ok(value);
                }
                _ => {}
            }
            value.push(character);
        }
        self.problem("the quoted value is not closed")
    }
}

/// RFC 9110 section 5.6.2.
fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_regard_to_case_and_order() {
        let media_type =
            MediaType::parse("Application/PKCS7-mime ; charset=\"x;y\\\"\";SMIME-type=Certs-Only ").unwrap();
        assert_eq!(media_type.essence(), "application/pkcs7-mime");
        assert_eq!(media_type.parameter("charset"), Some("x;y\""));
        assert!(media_type.is_certs_only());
        assert!(!media_type.is_pkcs10());
        assert_eq!(MediaType::parse(&media_type.to_string()), Ok(media_type));
        assert!(
            MediaType::parse("APPLICATION/PKCS10; charset=utf-8")
                .unwrap()
                .is_pkcs10()
        );
        assert!(
            MediaType::parse("application/pkcs7-mime")
                .unwrap()
                .is_certs_only()
        );
        assert!(
            !MediaType::parse("application/pkcs7-mime; smime-type=CMC-response")
                .unwrap()
                .is_certs_only()
        );
        assert!(MediaType::parse("application/pkcs10;").unwrap().is_pkcs10());
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let table = [
            ("", 0, "the type is missing"),
            ("application", 11, "expected \"/\" between type and subtype"),
            ("application/", 12, "the subtype is missing"),
            ("application/pkcs10 x", 19, "expected \";\" or the end"),
            ("application/pkcs10; =1", 20, "expected the name of a parameter"),
            (
                "application/pkcs10; a",
                21,
                "expected \"=\" behind the name of the parameter",
            ),
            (
                "application/pkcs10; a=",
                22,
                "the value of the parameter is missing",
            ),
            ("application/pkcs10; a=\"x", 22, "the quoted value is not closed"),
            ("application/pkcs10; a=1; A=2", 25, "the parameter occurs twice"),
        ];
        for (value, position, problem) in table {
            assert_eq!(
                MediaType::parse(value),
                Err(WireError::MediaType { position, problem }),
                "{value:?}"
            );
        }
    }

    #[test]
    fn bounds_the_number_of_parameters() {
        let many: String = (0..17).map(|number| format!(";p{number}=1")).collect();
        let expected = WireError::TooMany {
            what: "media type parameters",
            limit: MAX_PARAMETERS,
        };
        assert_eq!(MediaType::parse(&format!("a/b{many}")), Err(expected));
    }
}
