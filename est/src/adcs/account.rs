//! A Windows account and its password.

use core::fmt;

use zeroize::Zeroizing;

use crate::auth::{BasicCredentials, BasicError, MAX_PASSWORD, MAX_USER_NAME};

/// An account as Windows names it, and its password. The password is wiped from memory when this is dropped, and never
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct WindowsAccount {
    domain: String,
    user: String,
    password: Zeroizing<String>,
}

impl WindowsAccount {
    /// The account `name`: `DOMAIN\user`, or `user@domain`, or `user` alone, which the server looks for where it likes.
    ///
    /// # Errors
    /// [`AccountError`] when the name is empty, or when name or password are too long or hold a control character.
    pub fn new(name: &str, password: impl Into<String>) -> Result<Self, AccountError> {
        let password = Zeroizing::new(password.into());
        let (domain, user) = name.split_once('\\').unwrap_or(("", name));
        if user.is_empty() {
            return Err(AccountError::NoUser);
        }
        if name.len() > MAX_USER_NAME {
            return Err(AccountError::TooLong {
                what: "the name",
                limit: MAX_USER_NAME,
            });
        }
        if password.len() > MAX_PASSWORD {
            return Err(AccountError::TooLong {
                what: "the password",
                limit: MAX_PASSWORD,
            });
        }
        if name.chars().chain(password.chars()).any(char::is_control) {
            return Err(AccountError::ControlCharacter);
        }
        Ok(Self {
            domain: domain.to_owned(),
            user: user.to_owned(),
            password,
        })
    }

    /// The account that an EST client has presented.
    ///
    /// # Errors
    /// [`AccountError`] as [`Self::new`].
    pub fn of_basic(credentials: &BasicCredentials) -> Result<Self, AccountError> {
        Self::new(credentials.user(), credentials.password())
    }

    /// The domain, empty when the name has none of the form `DOMAIN\user`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The user, with `@domain` when the name was of that form.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The name as logs show it: `DOMAIN\user`, or what it was without a domain.
    #[must_use]
    pub fn name(&self) -> String {
        if self.domain.is_empty() {
            self.user.clone()
        } else {
            format!("{}\\{}", self.domain, self.user)
        }
    }

    /// The same for HTTP Basic.
    ///
    /// # Errors
    /// [`BasicError`] when RFC 7617 cannot carry them: a colon in the name.
    pub fn to_basic(&self) -> Result<BasicCredentials, BasicError> {
        BasicCredentials::new(self.name(), self.password())
    }
}

impl fmt::Debug for WindowsAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowsAccount")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// What makes no account. Never repeats name or password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// There is no user name.
    #[error("the account has no user name; write DOMAIN\\user or user@domain")]
    NoUser,
    /// More bytes than a bound allows.
    #[error("{what} of the account is longer than {limit} bytes")]
    TooLong {
        /// Which of the two.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A line end, a tab or another control character.
    #[error(
        "the name or the password of the account holds a control character; look for a line end at its end"
    )]
    ControlCharacter,
}

impl pki_common::Diagnose for AccountError {
    fn diagnose(&self) -> pki_common::Failure {
        let remedy = "Correct the name and the password of the account.";
        pki_common::Failure::new(pki_common::Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_in_the_forms_of_windows() {
        for (name, domain, user) in [
            ("MICHAMEN\\ciscora", "MICHAMEN", "ciscora"),
            ("ciscora@michamen.com", "", "ciscora@michamen.com"),
            ("ciscora", "", "ciscora"),
        ] {
            let account = WindowsAccount::new(name, "secret").unwrap();
            assert_eq!((account.domain(), account.user()), (domain, user));
            assert_eq!(account.name(), name);
        }
        assert_eq!(WindowsAccount::new("MICHAMEN\\", "x"), Err(AccountError::NoUser));
        assert_eq!(
            WindowsAccount::new("a", "b\n"),
            Err(AccountError::ControlCharacter)
        );
    }

    #[test]
    fn debug_hides_the_password() {
        let account = WindowsAccount::new("MICHAMEN\\ciscora", "correct horse").unwrap();
        assert_eq!(
            format!("{account:?}"),
            r#"WindowsAccount { name: "MICHAMEN\\ciscora", .. }"#
        );
    }
}
