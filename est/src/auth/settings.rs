//! The part of a server's configuration that says who may log in, as it stands in a file.
//!
//! ```toml
//! [accounts]
//! users = "users"                  # argon2 hashes for Basic, by `est user add --users`
//! digest-secrets = "users.digest"  # secrets for Digest, by `est user add --digest`
//! bearer-tokens = "users.tokens"   # hashes of tokens for Bearer, by `est user add --bearer`
//! nonce-key = "nonce.key"          # `openssl rand -hex 32`; the same for servers that share clients
//! nonce-lifetime = 300.0           # seconds
//! nonces-remembered = 16384
//! dangerous-md5 = false            # Digest with MD5 too, for old clients
//!
//! [login-failures]                 # so many at once, then one each interval (seconds); 429 beyond
//! per-address = { burst = 30, interval = 3.0 }
//! per-user-and-address = { burst = 5, interval = 30.0 }
//! per-user = { burst = 50, interval = 5.0 }
//! entries = 16384
//! ```
//!
//! All keys are optional. Without `nonce-key` each process has one of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pki_common::{Diagnose, Failure, Rung};
use serde::Deserialize;

use super::accounts::Accounts;
use super::bearer::BearerTokens;
use super::digest::{
    DigestSecrets, DigestSettings, DigestVerifier, NonceKey, NonceKeyError, SecretFileError,
};
use super::failures::{Allowance, FailureLimits};
use super::users::{UserFileError, Users};

/// The longest time a configuration may name, in seconds: a day.
const LONGEST: f64 = 86_400.0;

/// The most entries of a table that a configuration may ask for: some gigabytes.
const MOST_ENTRIES: usize = 16 * 1024 * 1024;

/// The table `[accounts]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AccountSettings {
    /// The file of argon2 hashes, for Basic.
    pub users: Option<PathBuf>,
    /// The file of secrets, for Digest. Without it, Digest is not offered.
    pub digest_secrets: Option<PathBuf>,
    /// The file of token hashes, for Bearer.
    pub bearer_tokens: Option<PathBuf>,
    /// The key of the Digest nonces.
    pub nonce_key: Option<PathBuf>,
    /// How long a nonce is good, in seconds, from 1 to 86400.
    pub nonce_lifetime: Option<f64>,
    /// How many nonces are remembered.
    pub nonces_remembered: Option<usize>,
    /// Offers Digest with MD5 as well.
    #[serde(default)]
    pub dangerous_md5: bool,
}

impl AccountSettings {
    /// The files, so that relative paths can be made absolute.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [
            &mut self.users,
            &mut self.digest_secrets,
            &mut self.bearer_tokens,
            &mut self.nonce_key,
        ]
        .into_iter()
        .flatten()
    }

    /// What makes Digest challenges; `None` when there is no file of secrets. For a reload, see
    /// [`AccountSettings::digest_verifier_after`].
    ///
    /// # Errors
    /// [`AccountsError`] when the key cannot be read or a figure is out of range.
    pub fn digest_verifier(&self) -> Result<Option<Arc<DigestVerifier>>, AccountsError> {
        self.digest_verifier_after(None)
    }

    /// What makes Digest challenges from now on: that of before, so that the nonces in use stay good, unless a setting
    /// is another one or the file of the key holds another key by now. What was made under the old key is then stale: a
    /// client with the right password is asked once more.
    ///
    /// # Errors
    /// As [`AccountSettings::digest_verifier`].
    pub fn digest_verifier_after(
        &self,
        before: Option<&Arc<DigestVerifier>>,
    ) -> Result<Option<Arc<DigestVerifier>>, AccountsError> {
        if self.digest_secrets.is_none() {
            return Ok(None);
        }
        let mut settings = DigestSettings {
            dangerous_md5: self.dangerous_md5,
            ..DigestSettings::default()
        };
        if let Some(seconds) = self.nonce_lifetime {
            settings.nonce_lifetime = duration("nonce-lifetime", seconds, 1.0)?;
        }
        if let Some(number) = self.nonces_remembered {
            settings.nonces_remembered = table_size("nonces-remembered", number)?;
        }
        let key = self.nonce_key.as_ref().map(NonceKey::load).transpose()?;
        if let Some(before) = before.filter(|before| before.is_as(&settings, key.as_ref())) {
            return Ok(Some(Arc::clone(before)));
        }
        let key = key.unwrap_or_else(NonceKey::random);
        Ok(Some(Arc::new(DigestVerifier::new(settings, key))))
    }

    /// Reads the files. `verifier` is what [`AccountSettings::digest_verifier`] has made.
    ///
    /// # Errors
    /// [`AccountsError`] with every wrong line of the first file that has some.
    pub fn load(&self, verifier: Option<Arc<DigestVerifier>>) -> Result<Accounts, AccountsError> {
        let files = [
            &self.users,
            &self.digest_secrets,
            &self.bearer_tokens,
            &self.nonce_key,
        ];
        files
            .into_iter()
            .flatten()
            .for_each(|path| warn_if_readable_by_others(path));
        let users = self.users.as_ref().map(Users::load).transpose()?;
        let mut accounts = Accounts::new(users.unwrap_or_default());
        if let (Some(path), Some(verifier)) = (&self.digest_secrets, verifier) {
            accounts = accounts.with_digest(verifier, DigestSecrets::load(path)?);
        }
        if let Some(path) = &self.bearer_tokens {
            accounts = accounts.with_tokens(BearerTokens::load(path)?);
        }
        Ok(accounts)
    }
}

/// The table `[login-failures]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LoginFailureSettings {
    /// For one address.
    pub per_address: Option<AllowanceSetting>,
    /// For one name at one address.
    pub per_user_and_address: Option<AllowanceSetting>,
    /// For one name over all addresses.
    pub per_user: Option<AllowanceSetting>,
    /// Entries of each table.
    pub entries: Option<usize>,
}

/// `{ burst = 5, interval = 30.0 }`
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowanceSetting {
    /// Failures at once, at least 1.
    pub burst: u32,
    /// Seconds until one more is allowed, from 0.001 to 86400.
    pub interval: f64,
}

impl LoginFailureSettings {
    /// The limits, with the defaults for what is not given.
    ///
    /// # Errors
    /// [`AccountsError::OutOfRange`] that names the key.
    pub fn limits(&self) -> Result<FailureLimits, AccountsError> {
        let mut limits = FailureLimits::default();
        for (key, given, limit) in [
            ("per-address", self.per_address, &mut limits.per_address),
            (
                "per-user-and-address",
                self.per_user_and_address,
                &mut limits.per_user_and_address,
            ),
            ("per-user", self.per_user, &mut limits.per_user),
        ] {
            let Some(AllowanceSetting { burst, interval }) = given else {
                continue;
            };
            if burst == 0 {
                return Err(AccountsError::OutOfRange {
                    key,
                    possible: "a burst of at least 1",
                });
            }
            let interval = duration(key, interval, 0.001)?;
            *limit = Allowance { burst, interval };
        }
        if let Some(entries) = self.entries {
            limits.entries = table_size("entries", entries)?;
        }
        Ok(limits)
    }
}

/// A table of nothing would forget everything at once.
fn table_size(key: &'static str, entries: usize) -> Result<usize, AccountsError> {
    if (1..=MOST_ENTRIES).contains(&entries) {
        return Ok(entries);
    }
    Err(AccountsError::OutOfRange {
        key,
        possible: "a number from 1 to 16777216",
    })
}

fn duration(key: &'static str, seconds: f64, least: f64) -> Result<Duration, AccountsError> {
    let fault = AccountsError::OutOfRange {
        key,
        possible: if least < 1.0 {
            "seconds from 0.001 to 86400"
        } else {
            "seconds from 1 to 86400"
        },
    };
    if !(least..=LONGEST).contains(&seconds) {
        return Err(fault);
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| fault)
}

/// Accounts that cannot be had as they are configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountsError {
    /// The file of users.
    #[error("{0}")]
    Users(#[from] UserFileError),
    /// A file of secrets or tokens.
    #[error("{0}")]
    Secrets(#[from] SecretFileError),
    /// The file of the nonce key.
    #[error("{0}")]
    NonceKey(#[from] NonceKeyError),
    /// A figure that makes no sense.
    #[error("{key} must be {possible}")]
    OutOfRange {
        /// The key of the configuration.
        key: &'static str,
        /// What it can be.
        possible: &'static str,
    },
}

impl Diagnose for AccountsError {
    fn diagnose(&self) -> Failure {
        match self {
            Self::Users(error) => error.diagnose(),
            Self::Secrets(error) => error.diagnose(),
            Self::NonceKey(error) => error.diagnose(),
            Self::OutOfRange { .. } => Failure::new(
                Rung::Local,
                format!("{self}."),
                "Correct the configuration, or leave the key out for its default.",
            ),
        }
    }
}

/// A warning and no error: the files may stand on a file system without permissions.
fn warn_if_readable_by_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            tracing::warn!(path = %path.display(), "a file of secrets can be read by others than its owner");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Authenticator as _;
    use crate::auth::digest::DigestAlgorithm;

    #[test]
    fn without_any_key_the_defaults_hold_and_nobody_can_log_in() {
        let settings = AccountSettings::default();
        assert!(settings.digest_verifier().unwrap().is_none());
        assert!(settings.load(None).unwrap().digest().is_none());
        let limits = LoginFailureSettings::default().limits();
        assert_eq!(limits, Ok(FailureLimits::default()));
    }

    #[test]
    fn reads_all_files_that_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let hash = "ab".repeat(32);
        let mut settings = AccountSettings {
            digest_secrets: file("digest", &format!("phone:EST:{hash}\n")),
            bearer_tokens: file("tokens", &format!("ci:{hash}\n")),
            nonce_key: file("key", &hash),
            nonce_lifetime: Some(60.0),
            ..AccountSettings::default()
        };
        assert_eq!(settings.paths_mut().count(), 3);
        let accounts = settings.load(settings.digest_verifier().unwrap()).unwrap();
        assert!(accounts.digest().is_some());
        assert!(
            accounts
                .digest_secret("phone", "EST", DigestAlgorithm::Sha256)
                .is_some()
        );
        settings.bearer_tokens = file("tokens", "ci\n");
        let error = settings.load(None).unwrap_err();
        assert!(error.to_string().contains("tokens:1: "), "{error}");
        settings.nonce_lifetime = Some(f64::NAN);
        let error = settings.digest_verifier().unwrap_err();
        assert!(error.diagnose().cause.contains("nonce-lifetime"), "{error}");
    }

    #[test]
    fn tables_of_nothing_are_errors() {
        let failures = LoginFailureSettings {
            entries: Some(0),
            ..LoginFailureSettings::default()
        };
        let error = failures.limits().unwrap_err().to_string();
        assert!(error.starts_with("entries must be"), "{error}");
        let accounts = AccountSettings {
            digest_secrets: Some(PathBuf::from("digest")),
            nonces_remembered: Some(0),
            ..AccountSettings::default()
        };
        let error = accounts.digest_verifier().unwrap_err().to_string();
        assert!(error.starts_with("nonces-remembered must be"), "{error}");
    }

    #[test]
    fn a_burst_of_nothing_and_a_negative_time_are_errors() {
        for (burst, interval) in [(0, 1.0), (1, -1.0), (1, 0.0), (1, f64::INFINITY)] {
            let settings = LoginFailureSettings {
                per_user: Some(AllowanceSetting { burst, interval }),
                ..LoginFailureSettings::default()
            };
            let error = settings.limits().unwrap_err();
            assert!(error.to_string().starts_with("per-user must be"), "{error}");
        }
    }
}
