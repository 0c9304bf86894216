//! Secrets that a client and this server share, by which the client proves its identity (RFC 5272 section 6.2).

use core::fmt;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use pki_common::{Diagnose, Failure, Rung};
use zeroize::Zeroizing;

/// Largest file of shared secrets, in bytes: ten thousand devices at a hundred bytes each.
pub const MAX_SECRETS_FILE_BYTES: u64 = 1024 * 1024;

/// Least characters of a secret. It can be guessed offline by whoever sees one proof; RFC 5272 section 6.2.1 has every
/// implementation support sixteen.
pub const MIN_SECRET_CHARACTERS: usize = 16;

/// Shared secrets by identification. `Debug` shows how many there are.
#[derive(Clone, Default)]
pub struct SharedSecrets {
    entries: HashMap<String, SharedSecret>,
}

#[derive(Clone)]
pub(super) struct SharedSecret {
    pub(super) secret: Zeroizing<Vec<u8>>,
    /// The subject that the secret is for, as RFC 4514 writes it; `None` for any.
    pub(super) subject: Option<String>,
}

impl fmt::Debug for SharedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSecrets")
            .field("entries", &self.entries.len())
            .finish()
    }
}

/// Shared secrets that cannot be read. The operator's fault; never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedSecretsError {
    /// The file cannot be read, is too large, or others may read it.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A line cannot be understood.
    #[error("line {line}: {problem}")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Diagnose for SharedSecretsError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::File { .. } => "Give the file to its owner alone (chmod 600) and check its path.",
            Self::Line { .. } => {
                "Write identification:secret, or identification:secret:subject, on each line."
            }
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl SharedSecrets {
    /// Reads a file that nobody but its owner may read or write.
    ///
    /// # Errors
    /// [`SharedSecretsError`].
    pub fn load(path: &Path) -> Result<Self, SharedSecretsError> {
        let wrong = |problem: String| SharedSecretsError::File {
            path: path.to_owned(),
            problem,
        };
        let metadata = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
        if metadata.len() > MAX_SECRETS_FILE_BYTES {
            return Err(wrong(format!("larger than {MAX_SECRETS_FILE_BYTES} bytes")));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            if metadata.permissions().mode() & 0o077 != 0 {
                return Err(wrong("others than its owner may read or write it".to_owned()));
            }
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?);
        Self::parse(&text)
    }

    /// Reads `identification:secret` or `identification:secret:subject`, one a line. Empty lines and those that start
    /// with `#` mean nothing. The subject is written as RFC 4514 does, the most specific part first
    /// (`CN=device-7,DC=example,DC=com`); with it, the secret is good for requests with exactly this subject.
    ///
    /// # Errors
    /// [`SharedSecretsError::Line`]: no colon, an empty identification, a secret that is too short, an empty subject, an
    /// identification that stands there twice.
    pub fn parse(text: &str) -> Result<Self, SharedSecretsError> {
        let mut found = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end_matches('\r');
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |problem| SharedSecretsError::Line {
                line: index + 1,
                problem,
            };
            let mut fields = line.splitn(3, ':');
            let (Some(identification), Some(secret)) = (fields.next(), fields.next()) else {
                return Err(wrong("there is no colon between identification and secret"));
            };
            if identification.is_empty() {
                return Err(wrong("the identification is empty"));
            }
            if secret.chars().count() < MIN_SECRET_CHARACTERS {
                return Err(wrong("the secret has less than 16 characters"));
            }
            let subject = fields.next().map(str::to_owned);
            if subject.as_deref() == Some("") {
                return Err(wrong(
                    "the subject is empty; leave out the second colon for a secret that is good for every subject",
                ));
            }
            let entry = SharedSecret {
                secret: Zeroizing::new(secret.as_bytes().to_vec()),
                subject,
            };
            if found.entries.insert(identification.to_owned(), entry).is_some() {
                return Err(wrong("the identification stands there twice"));
            }
        }
        Ok(found)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn of(&self, identification: &str) -> Option<&SharedSecret> {
        self.entries.get(identification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_secrets_with_and_without_a_subject_and_shows_none() {
        let text = "# devices\n\ndevice-7:0123456789abcdef\r\nap:fedcba9876543210:CN=ap,DC=example\n";
        let secrets = SharedSecrets::parse(text).unwrap();
        assert_eq!(secrets.len(), 2);
        assert_eq!(&secrets.of("device-7").unwrap().secret[..], b"0123456789abcdef");
        assert_eq!(
            secrets.of("ap").unwrap().subject.as_deref(),
            Some("CN=ap,DC=example")
        );
        assert!(!format!("{secrets:?}").contains("0123"));
    }

    #[test]
    fn names_the_line_that_is_wrong_and_not_the_secret() {
        let table = [
            ("a:0123456789abcdef\nb", 2, "no colon"),
            (":0123456789abcdef", 1, "empty"),
            ("a:tooshort", 1, "less than 16"),
            ("a:0123456789abcdef:", 1, "leave out the second colon"),
            ("a:0123456789abcdef\na:0123456789abcdef", 2, "twice"),
        ];
        for (text, expected_line, expected) in table {
            match SharedSecrets::parse(text) {
                Err(SharedSecretsError::Line { line, problem }) => {
                    assert_eq!(line, expected_line, "{text}");
                    assert!(problem.contains(expected), "{problem}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn refuses_a_file_that_others_may_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        fs::write(&path, "device-7:0123456789abcdef\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SharedSecrets::load(&path).unwrap_err().to_string();
        assert!(error.contains("others than its owner"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(SharedSecrets::load(&path).unwrap().len(), 1);
    }
}
