//! Everything this crate knows about accounts, as one authenticator.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::basic::BasicCredentials;
use super::bearer::{BearerToken, BearerTokens, TokenVerdict};
use super::digest::{DigestAlgorithm, DigestSecret, DigestSecrets, DigestVerifier};
use super::users::Users;
use super::{Authenticator, AuthenticatorUnavailable};

/// Passwords for Basic, secrets for Digest and tokens for Bearer, each from its own file or from code.
///
/// After a reload, make a new one with the same [`DigestVerifier`], so that the nonces in use stay good.
///
/// ```toml
/// users = "users"                  # argon2 hashes, for Basic
/// digest-secrets = "users.digest"  # as `htdigest` writes it, for Digest
/// bearer-tokens = "users.tokens"   # hashes of tokens, for Bearer
/// ```
#[derive(Debug, Default)]
pub struct Accounts {
    users: Users,
    digest: Option<(Arc<DigestVerifier>, DigestSecrets)>,
    tokens: BearerTokens,
}

impl Accounts {
    /// Accounts that can log in by Basic.
    #[must_use]
    pub fn new(users: Users) -> Self {
        Self {
            users,
            ..Self::default()
        }
    }

    /// The same, and Digest for those who have a secret.
    #[must_use]
    pub fn with_digest(mut self, verifier: Arc<DigestVerifier>, secrets: DigestSecrets) -> Self {
        self.digest = Some((verifier, secrets));
        self
    }

    /// The same, and these tokens.
    #[must_use]
    pub fn with_tokens(mut self, tokens: BearerTokens) -> Self {
        self.tokens = tokens;
        self
    }
}

impl From<Users> for Accounts {
    fn from(users: Users) -> Self {
        Self::new(users)
    }
}

impl Authenticator for Accounts {
    fn recall(&self, credentials: &BasicCredentials, now: Instant) -> Option<bool> {
        self.users.recall(credentials, now)
    }

    fn check(&self, credentials: &BasicCredentials, now: Instant) -> Result<bool, AuthenticatorUnavailable> {
        self.users.check(credentials, now)
    }

    fn digest(&self) -> Option<Arc<DigestVerifier>> {
        self.digest.as_ref().map(|(verifier, _)| Arc::clone(verifier))
    }

    fn digest_secret(&self, user: &str, realm: &str, algorithm: DigestAlgorithm) -> Option<DigestSecret> {
        let (_, secrets) = self.digest.as_ref()?;
        secrets.secret(user, realm, algorithm).cloned()
    }

    fn recall_token(&self, token: &BearerToken, now: SystemTime) -> Option<TokenVerdict> {
        Some(self.tokens.verify(token, now))
    }
}
