//! The ways to authenticate, one by one and as sets.

use core::fmt;
use core::str::FromStr;

use super::requirement::RequirementError;

/// One way for a client to show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthenticationMethod {
    /// A certificate that the TLS layer has verified (RFC 7030, section 3.3.2).
    Certificate,
    /// HTTP Digest (RFC 7616): the password does not cross the network, but the server holds its equivalent.
    Digest,
    /// HTTP Basic over server-authenticated TLS (RFC 7030, section 3.2.3), the mode of Cisco document 214396.
    Basic,
    /// A bearer token (RFC 6750).
    Bearer,
}

impl AuthenticationMethod {
    /// All of them, strongest first, which is the order in which a server offers the HTTP ones.
    pub const ALL: [Self; 4] = [Self::Certificate, Self::Digest, Self::Basic, Self::Bearer];

    /// The word in configuration and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Digest => "digest",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
        }
    }

    /// For a person who must find out what to give to a client.
    const fn describe(self) -> &'static str {
        match self {
            Self::Certificate => "a client certificate that this server trusts",
            Self::Digest => "user name and password by HTTP Digest",
            Self::Basic => "user name and password by HTTP Basic",
            Self::Bearer => "a bearer token",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Certificate => 1,
            Self::Digest => 2,
            Self::Basic => 4,
            Self::Bearer => 8,
        }
    }
}

impl fmt::Display for AuthenticationMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AuthenticationMethod {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|method| method.as_str() == text);
        known.ok_or_else(|| RequirementError::UnknownMethod {
            found: text.to_owned(),
        })
    }
}

/// A set of ways to authenticate: those that a requirement wants together, or those that a client was verified by.
///
/// Written `certificate+basic`; the empty set is `none`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AuthenticationMethods(u8);

impl AuthenticationMethods {
    /// Not authenticated.
    pub const NONE: Self = Self(0);

    /// The set of one method.
    #[must_use]
    pub const fn only(method: AuthenticationMethod) -> Self {
        Self(method.bit())
    }

    /// This set and one method more.
    #[must_use]
    pub const fn with(self, method: AuthenticationMethod) -> Self {
        Self(self.0 | method.bit())
    }

    /// This set without one method.
    #[must_use]
    pub const fn without(self, method: AuthenticationMethod) -> Self {
        Self(self.0 & !method.bit())
    }

    /// Whether the method is in the set.
    #[must_use]
    pub const fn contains(self, method: AuthenticationMethod) -> bool {
        self.0 & method.bit() != 0
    }

    /// Whether everything in `others` is in this set.
    #[must_use]
    pub const fn contains_all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many methods are in the set.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The methods, strongest first.
    pub fn iter(self) -> impl Iterator<Item = AuthenticationMethod> {
        AuthenticationMethod::ALL
            .into_iter()
            .filter(move |method| self.contains(*method))
    }

    /// The methods that travel in an `Authorization` header.
    #[must_use]
    pub const fn http(self) -> Self {
        self.without(AuthenticationMethod::Certificate)
    }

    pub(super) fn describe(self) -> String {
        let words: Vec<_> = self.iter().map(AuthenticationMethod::describe).collect();
        words.join(" together with ")
    }
}

impl From<AuthenticationMethod> for AuthenticationMethods {
    fn from(method: AuthenticationMethod) -> Self {
        Self::only(method)
    }
}

impl FromIterator<AuthenticationMethod> for AuthenticationMethods {
    fn from_iter<T: IntoIterator<Item = AuthenticationMethod>>(methods: T) -> Self {
        methods.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for AuthenticationMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad("none");
        }
        let words: Vec<_> = self.iter().map(AuthenticationMethod::as_str).collect();
        f.pad(&words.join("+"))
    }
}

impl fmt::Debug for AuthenticationMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_strongest_first() {
        let set: AuthenticationMethods = [AuthenticationMethod::Basic, AuthenticationMethod::Certificate]
            .into_iter()
            .collect();
        assert_eq!(set.to_string(), "certificate+basic");
        assert_eq!(AuthenticationMethods::NONE.to_string(), "none");
        assert_eq!(set.http().to_string(), "basic");
    }
}
