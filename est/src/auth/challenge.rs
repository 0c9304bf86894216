//! The `WWW-Authenticate` headers of a 401.

use http::HeaderValue;

/// The `WWW-Authenticate` headers of a 401, strongest scheme first; none where no header could help a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenges(Vec<HeaderValue>);

impl Challenges {
    /// No scheme is offered.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether no scheme is offered. The status is then 403: a 401 must offer one (RFC 9110, section 15.5.2), and a
    /// certificate cannot be offered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends one more challenge.
    pub fn push(&mut self, challenge: HeaderValue) {
        self.0.push(challenge);
    }

    /// The values, one header each: old clients do not find the second scheme in a combined header.
    pub fn iter(&self) -> impl Iterator<Item = &HeaderValue> {
        self.0.iter()
    }
}

/// `Basic realm="…", charset="UTF-8"` (RFC 7617, section 2.1).
#[must_use]
pub fn basic_challenge(realm: &str) -> HeaderValue {
    let realm = quotable(realm);
    HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""))
        .unwrap_or_else(|_| HeaderValue::from_static("Basic realm=\"EST\", charset=\"UTF-8\""))
}

/// The realm without the characters that a quoted string cannot hold as they are.
pub(super) fn quotable(realm: &str) -> String {
    realm
        .chars()
        .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_cannot_break_out_of_its_quotes() {
        assert_eq!(
            basic_challenge("a \"realm\"\r\n"),
            "Basic realm=\"a realm\", charset=\"UTF-8\""
        );
    }
}
