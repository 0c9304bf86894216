//! What a label demands of its clients.

use core::fmt;

use pki_common::{Diagnose, Failure, Rung};
use serde::Deserialize;

use super::method::{AuthenticationMethod, AuthenticationMethods};

/// Which combinations of authentication suffice: any one of a list, each of which may want several methods together.
///
/// In a configuration it is a list of texts:
///
/// ```toml
/// require = ["certificate", "digest", "certificate+basic", "bearer"]
/// ```
///
/// An empty list closes the label: nobody can enrol. There is no way to write that nobody needs to authenticate.
///
/// # Defaults
/// A certificate or HTTP Basic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct AuthenticationRequirement {
    any_of: Vec<AuthenticationMethods>,
}

impl Default for AuthenticationRequirement {
    fn default() -> Self {
        let alternatives = [AuthenticationMethod::Certificate, AuthenticationMethod::Basic];
        Self {
            any_of: alternatives.map(AuthenticationMethods::only).to_vec(),
        }
    }
}

impl AuthenticationRequirement {
    /// Nothing suffices.
    #[must_use]
    pub const fn closed() -> Self {
        Self { any_of: Vec::new() }
    }

    /// Any one of these combinations suffices.
    ///
    /// # Errors
    /// [`RequirementError`] for a combination that no client can meet or that is empty, and for one listed twice.
    pub fn any_of<T>(alternatives: impl IntoIterator<Item = T>) -> Result<Self, RequirementError>
    where
        T: Into<AuthenticationMethods>,
    {
        let mut any_of = Vec::new();
        for methods in alternatives {
            let methods = methods.into();
            if methods.is_empty() {
                return Err(RequirementError::Empty);
            }
            if methods.http().len() > 1 {
                return Err(RequirementError::SeveralHeaders { found: methods });
            }
            if any_of.contains(&methods) {
                return Err(RequirementError::Duplicate { found: methods });
            }
            any_of.push(methods);
        }
        Ok(Self { any_of })
    }

    /// Reads the texts of a configuration, such as `certificate` or `certificate+digest`.
    ///
    /// # Errors
    /// [`RequirementError`] that names the text.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, RequirementError> {
        let combinations: Result<Vec<_>, _> =
            texts.into_iter().map(|text| combination(text.as_ref())).collect();
        Self::any_of(combinations?)
    }

    /// The combinations, in the order of the configuration.
    #[must_use]
    pub fn alternatives(&self) -> &[AuthenticationMethods] {
        &self.any_of
    }

    /// Whether nobody can meet it.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.any_of.is_empty()
    }

    /// Whether the method occurs in any combination.
    #[must_use]
    pub fn mentions(&self, method: AuthenticationMethod) -> bool {
        self.any_of.iter().any(|methods| methods.contains(method))
    }

    /// Whether a client verified by these methods may go on.
    #[must_use]
    pub fn is_met_by(&self, verified: AuthenticationMethods) -> bool {
        self.any_of.iter().any(|methods| verified.contains_all(*methods))
    }

    /// The HTTP methods that would complete a combination for a client with or without a certificate. A combination
    /// that wants a certificate the client has not shown is out: TLS asks for it once, before any request.
    #[must_use]
    pub fn http_methods(&self, has_certificate: bool) -> AuthenticationMethods {
        let open = self
            .any_of
            .iter()
            .filter(|methods| has_certificate || !methods.contains(AuthenticationMethod::Certificate));
        open.flat_map(|methods| methods.http().iter()).collect()
    }

    /// In words, for the answer to a client that lacks it.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.is_closed() {
            return "no way is configured, enrolment is closed".to_owned();
        }
        let ways: Vec<_> = self.any_of.iter().map(|methods| methods.describe()).collect();
        ways.join(", or ")
    }
}

fn combination(text: &str) -> Result<AuthenticationMethods, RequirementError> {
    let mut methods = AuthenticationMethods::NONE;
    for word in text.split('+').map(str::trim) {
        let method = word.parse()?;
        if methods.contains(method) {
            return Err(RequirementError::Repeated { found: method });
        }
        methods = methods.with(method);
    }
    Ok(methods)
}

impl TryFrom<Vec<String>> for AuthenticationRequirement {
    type Error = RequirementError;

    fn try_from(texts: Vec<String>) -> Result<Self, Self::Error> {
        Self::parse(texts)
    }
}

impl fmt::Display for AuthenticationRequirement {
    /// As in a configuration: `["certificate", "certificate+digest"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self
            .any_of
            .iter()
            .map(|methods| format!("\"{methods}\""))
            .collect();
        write!(f, "[{}]", texts.join(", "))
    }
}

/// A requirement that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequirementError {
    /// A word that names no method.
    #[error("{found:?} is no way to authenticate; there are certificate, digest, basic and bearer")]
    UnknownMethod {
        /// The word.
        found: String,
    },
    /// A combination of nothing would let everybody in.
    #[error("a combination without any method would let everybody in")]
    Empty,
    /// The same combination twice.
    #[error("the combination {found} is listed twice")]
    Duplicate {
        /// The combination.
        found: AuthenticationMethods,
    },
    /// The same method twice in one combination.
    #[error("{found} stands twice in one combination")]
    Repeated {
        /// The method.
        found: AuthenticationMethod,
    },
    /// Two methods that both need the `Authorization` header, of which a request has one.
    #[error("no client can send {found} together: a request has one Authorization header")]
    SeveralHeaders {
        /// The combination.
        found: AuthenticationMethods,
    },
}

impl Diagnose for RequirementError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::UnknownMethod { .. } => {
                "Write one of the four, or a certificate and another one joined by a plus sign."
            }
            Self::Empty => "Name a method; an empty list closes the label.",
            Self::Duplicate { .. } | Self::Repeated { .. } => "Remove one of the two.",
            Self::SeveralHeaders { .. } => {
                "List them one by one, or combine one of them with the certificate."
            }
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_writes_is_what_it_read() {
        let texts = ["certificate", "basic", "certificate+digest", "bearer"];
        let found = AuthenticationRequirement::parse(texts).unwrap();
        assert_eq!(
            found.to_string(),
            "[\"certificate\", \"basic\", \"certificate+digest\", \"bearer\"]"
        );
        assert_eq!(
            AuthenticationRequirement::parse(["digest + certificate"])
                .unwrap()
                .to_string(),
            "[\"certificate+digest\"]"
        );
    }

    #[test]
    fn names_what_makes_no_sense() {
        for (texts, says) in [
            (&["none"][..], "\"none\""),
            (&[""], "\"\""),
            (&["basic+digest"], "digest+basic"),
            (&["basic", "basic"], "twice"),
            (&["basic+basic"], "twice"),
            (&["certificate", "Basic"], "\"Basic\""),
        ] {
            let error = AuthenticationRequirement::parse(texts).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.diagnose().remedy.ends_with('.'));
        }
        let nothing = AuthenticationRequirement::any_of([AuthenticationMethods::NONE]);
        assert_eq!(nothing, Err(RequirementError::Empty));
    }

    #[test]
    fn an_empty_list_lets_nobody_in() {
        let closed = AuthenticationRequirement::parse::<&str>([]).unwrap();
        assert_eq!(closed, AuthenticationRequirement::closed());
        let everything: AuthenticationMethods = AuthenticationMethod::ALL.into_iter().collect();
        assert!(closed.is_closed() && !closed.is_met_by(everything));
    }

    #[test]
    fn offers_only_what_completes_a_combination() {
        let both = AuthenticationRequirement::parse(["certificate+digest", "basic"]).unwrap();
        assert_eq!(both.http_methods(false).to_string(), "basic");
        assert_eq!(both.http_methods(true).to_string(), "digest+basic");
        let certificate = AuthenticationRequirement::parse(["certificate"]).unwrap();
        assert!(certificate.http_methods(true).is_empty());
    }
}
