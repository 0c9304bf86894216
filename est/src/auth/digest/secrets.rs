//! The file of Digest secrets, in the form of Apache's `htdigest`: one `user:realm:HA1` a line.

use core::fmt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pki_common::{Diagnose, Failure, Rung};

use super::super::basic::MAX_USER_NAME;
use super::algorithm::{DigestAlgorithm, DigestSecret};

/// The secrets of the users that may log in by Digest. A user has one per realm and algorithm.
///
/// `HA1` has 32 hexadecimal digits for MD5, as `htdigest` writes it, and 64 for SHA-256. Empty lines and lines that begin
/// with `#` are skipped. A stolen file lets its thief log in: it must be readable by the server only.
#[derive(Default, Clone)]
pub struct DigestSecrets {
    users: BTreeMap<String, Vec<(String, DigestSecret)>>,
}

impl DigestSecrets {
    /// No secrets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`SecretFileError`] when it cannot be read or when any line is wrong; then nothing is taken from it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SecretFileError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| SecretFileError::Unreadable {
            path: path.to_owned(),
            cause: error.to_string(),
        })?;
        Self::parse(&text).map_err(|faults| SecretFileError::Lines {
            path: path.to_owned(),
            faults,
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every wrong line with its number.
    pub fn parse(text: &str) -> Result<Self, Vec<SecretLineFault>> {
        let mut secrets = Self::new();
        let mut faults = Vec::new();
        for (line, number) in super::super::entries(text) {
            if let Err(fault) = secrets.read_line(line) {
                faults.push(SecretLineFault { line: number, fault });
            }
        }
        if faults.is_empty() {
            Ok(secrets)
        } else {
            Err(faults)
        }
    }

    fn read_line(&mut self, line: &str) -> Result<(), SecretFault> {
        let (user, rest) = line.split_once(':').ok_or(SecretFault::NotThreeFields)?;
        let (realm, hash) = rest.rsplit_once(':').ok_or(SecretFault::NotThreeFields)?;
        let secret = DigestSecret::from_hexadecimal(hash).ok_or(SecretFault::BadHash)?;
        if self.secret(user, realm, secret.algorithm()).is_some() {
            return Err(SecretFault::Duplicate);
        }
        self.insert(user, realm, secret)
    }

    fn insert(&mut self, user: &str, realm: &str, secret: DigestSecret) -> Result<(), SecretFault> {
        let bad = |c: char| c == ':' || c.is_control();
        if user.is_empty() || user.len() > MAX_USER_NAME || user.starts_with('#') || user.contains(bad) {
            return Err(SecretFault::BadName);
        }
        if realm.is_empty() || realm != super::super::challenge::quotable(realm) {
            return Err(SecretFault::BadRealm);
        }
        let known = self.users.entry(user.to_owned()).or_default();
        known.retain(|(at, other)| at != realm || other.algorithm() != secret.algorithm());
        known.push((realm.to_owned(), secret));
        Ok(())
    }

    /// Gives a user this password in a realm, instead of the one before.
    ///
    /// # Errors
    /// [`SecretFault`] when the name or the realm cannot stand in the file.
    pub fn set_password(
        &mut self,
        user: &str,
        realm: &str,
        password: &str,
        algorithm: DigestAlgorithm,
    ) -> Result<(), SecretFault> {
        self.insert(user, realm, DigestSecret::new(algorithm, user, realm, password))
    }

    /// The secret of a user.
    #[must_use]
    pub fn secret(&self, user: &str, realm: &str, algorithm: DigestAlgorithm) -> Option<&DigestSecret> {
        let mut known = self.users.get(user)?.iter();
        let found = known.find(|(at, secret)| at.as_str() == realm && secret.algorithm() == algorithm);
        found.map(|(_, secret)| secret)
    }

    /// Removes a user from every realm; whether there was one.
    pub fn remove(&mut self, user: &str) -> bool {
        self.users.remove(user).is_some()
    }

    /// User, realm and algorithm of each secret, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, DigestAlgorithm)> {
        self.users.iter().flat_map(|(user, known)| {
            known
                .iter()
                .map(move |(realm, secret)| (user.as_str(), realm.as_str(), secret.algorithm()))
        })
    }

    /// The text of a file with these secrets, sorted by name.
    #[must_use]
    pub fn to_text(&self) -> zeroize::Zeroizing<String> {
        let mut text = zeroize::Zeroizing::new(String::new());
        for (user, known) in &self.users {
            for (realm, secret) in known {
                for part in [user.as_str(), ":", realm, ":", secret.to_hexadecimal(), "\n"] {
                    text.push_str(part);
                }
            }
        }
        text
    }
}

impl fmt::Debug for DigestSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestSecrets")
            .field("users", &self.users.len())
            .finish()
    }
}

/// A file of secrets that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFileError {
    /// The file cannot be read.
    #[error("secrets file {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        cause: String,
    },
    /// Some lines are wrong; all of them are listed.
    #[error("{}", list(path, faults))]
    Lines {
        /// The file.
        path: PathBuf,
        /// The wrong lines, in order.
        faults: Vec<SecretLineFault>,
    },
}

fn list(path: &Path, faults: &[SecretLineFault]) -> String {
    let lines: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}:{}: {}", path.display(), fault.line, fault.fault))
        .collect();
    lines.join("\n")
}

impl Diagnose for SecretFileError {
    fn diagnose(&self) -> Failure {
        let remedy = "Correct the file; `est user add` writes well-formed lines.";
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

/// One wrong line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretLineFault {
    /// Line number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: SecretFault,
}

/// A line that cannot be taken. Never repeats a secret. The file of bearer tokens has the same faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFault {
    /// Fewer fields than the file has.
    #[error(
        "fields are missing; a line has the fields `user:realm:hash`, or `name:hash[:expiry]` for tokens"
    )]
    NotThreeFields,
    /// The hash is not hexadecimal or has another length.
    #[error("the hash is not 64 hexadecimal digits (SHA-256), or 32 (MD5, in a Digest file)")]
    BadHash,
    /// The name cannot be used.
    #[error(
        "the name is empty, longer than {MAX_USER_NAME} bytes, begins with # or has a colon or control character"
    )]
    BadName,
    /// The realm cannot be used.
    #[error("the realm is empty or has other characters than printable ASCII without quotes and backslashes")]
    BadRealm,
    /// The same user, realm and algorithm, or the same token, twice.
    #[error("the same entry stands further up")]
    Duplicate,
    /// The expiry of a token is no time.
    #[error("the expiry is not a time like 2030-12-31T23:59:59Z")]
    BadExpiry,
}

impl Diagnose for SecretFault {
    fn diagnose(&self) -> Failure {
        let remedy = "Correct the line, or write it with `est user add`.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_htdigest_writes() {
        // `htdigest` of Apache for Mufasa, testrealm@host.com, "Circle Of Life": HA1 of RFC 2617, section 3.5.
        let text = "# staff\nMufasa:testrealm@host.com:939e7578ed9e3c518a452acee763bce9\r\n";
        let secrets = DigestSecrets::parse(text).unwrap();
        let expected = DigestSecret::new(
            DigestAlgorithm::Md5,
            "Mufasa",
            "testrealm@host.com",
            "Circle Of Life",
        );
        assert_eq!(
            secrets.secret("Mufasa", "testrealm@host.com", DigestAlgorithm::Md5),
            Some(&expected)
        );
        assert_eq!(secrets.secret("Mufasa", "other", DigestAlgorithm::Md5), None);
        assert_eq!(
            secrets.secret("Mufasa", "testrealm@host.com", DigestAlgorithm::Sha256),
            None
        );
    }

    #[test]
    fn names_every_wrong_line() {
        let hash = "ab".repeat(32);
        let text = format!("a:r:{hash}\nplain\na:{hash}\na:r:zz\n:r:{hash}\nb::{hash}\na:r:{hash}\n");
        let faults = DigestSecrets::parse(&text).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| (fault.line, fault.fault)).collect();
        assert_eq!(
            found,
            [
                (2, SecretFault::NotThreeFields),
                (3, SecretFault::NotThreeFields),
                (4, SecretFault::BadHash),
                (5, SecretFault::BadName),
                (6, SecretFault::BadRealm),
                (7, SecretFault::Duplicate),
            ]
        );
    }

    #[test]
    fn what_it_writes_it_reads_and_debug_shows_no_secret() {
        let mut secrets = DigestSecrets::new();
        for password in ["old", "new"] {
            for algorithm in [DigestAlgorithm::Md5, DigestAlgorithm::Sha256] {
                secrets
                    .set_password("a", "EST: lab", password, algorithm)
                    .unwrap();
            }
        }
        let text = secrets.to_text();
        let again = DigestSecrets::parse(&text).unwrap();
        assert_eq!(again.iter().count(), 2, "a new password replaces the old one");
        assert_eq!(again.to_text(), text);
        assert!(
            !format!("{again:?}").contains(
                again
                    .secret("a", "EST: lab", DigestAlgorithm::Md5)
                    .unwrap()
                    .to_hexadecimal()
            )
        );
        assert!(secrets.remove("a") && !secrets.remove("a"));
    }
}
