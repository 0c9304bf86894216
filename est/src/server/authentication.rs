//! Finds out who the client of a request is, as far as the label demands it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use pki_common::Certificate;
use rand_core::{OsRng, RngCore as _};

use super::counters::Counters;
use super::password_gate::run;
use super::state::Guards;
use crate::auth::digest::{DigestCredentials, DigestRequest, DigestVerdict};
use crate::auth::{
    Account, AddressGroup, AuthenticationDecision, AuthenticationMethod, AuthenticationMethods,
    AuthenticationRequirement, Authenticator, BasicCredentials, BearerToken, Challenges, Client, Credentials,
    Presented, TokenVerdict, basic_challenge, bearer_challenge, decide,
};
use crate::operation::{Operation, Refusal};

/// One for each set of accounts; what they may cost is counted for the server as a whole.
#[derive(Debug)]
pub(crate) struct AuthenticationGate {
    /// Whose accounts these are: the same name under another label may be somebody else.
    accounts: String,
    authenticator: Arc<dyn Authenticator>,
    guards: Guards,
    counters: Arc<Counters>,
}

/// A request whose client is to be known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuthenticationRequest<'a> {
    pub(crate) required: &'a AuthenticationRequirement,
    pub(crate) realm: &'a str,
    pub(crate) operation: Operation,
    pub(crate) head: &'a http::request::Parts,
    pub(crate) certificate: Option<&'a Certificate>,
    pub(crate) address: Option<IpAddr>,
}

/// What the credentials of a request turn out to be.
enum Outcome {
    Right {
        user: String,
    },
    Wrong,
    /// Right, but only with a nonce that is new.
    Stale,
}

impl AuthenticationGate {
    pub(crate) fn new(
        accounts: &str,
        authenticator: Arc<dyn Authenticator>,
        guards: &Guards,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            accounts: accounts.to_owned(),
            authenticator,
            guards: guards.clone(),
            counters,
        }
    }

    pub(crate) async fn authenticate(&self, asked: AuthenticationRequest<'_>) -> Result<Client, Refusal> {
        let presented = Presented {
            certificate: asked.certificate,
            headers: &asked.head.headers,
        };
        match decide(asked.required, presented) {
            AuthenticationDecision::Accepted(client) => Ok(client),
            AuthenticationDecision::Verify(credentials) => self.verify(asked, credentials).await,
            AuthenticationDecision::Missing { offer } => Err(self.missing(asked, offer, false)),
            AuthenticationDecision::Malformed(error) => Err(Refusal::MalformedCredentials(error)),
        }
    }

    fn missing(
        &self,
        asked: AuthenticationRequest<'_>,
        offer: AuthenticationMethods,
        stale: bool,
    ) -> Refusal {
        Refusal::Unauthenticated {
            operation: asked.operation,
            required: asked.required.clone(),
            challenges: self.challenges(offer, asked.realm, stale, false),
        }
    }

    async fn verify(
        &self,
        asked: AuthenticationRequest<'_>,
        credentials: Credentials,
    ) -> Result<Client, Refusal> {
        let address = asked.address.map(AddressGroup::from);
        let (method, user) = (credentials.method(), credentials.user().map(str::to_owned));
        // Before anything else, the memory of right passwords included: else it would answer guesses without a limit.
        self.admit(user.as_deref(), address)?;
        let outcome = match credentials {
            Credentials::Basic(found) => self.verify_password(found, address).await?,
            Credentials::Digest(found) => self.verify_digest(asked, &found),
            Credentials::Bearer(found) => self.verify_token(found, address).await?,
        };
        let offer = asked.required.http_methods(asked.certificate.is_some());
        match outcome {
            Outcome::Right { user } => {
                self.guards.failures.succeeded(self.account(&user), address);
                Ok(Client::by_credentials(user, method, asked.certificate.cloned()))
            }
            Outcome::Stale => Err(self.missing(asked, offer, true)),
            Outcome::Wrong => {
                let account = user.as_deref().map(|user| self.account(user));
                self.guards.failures.failed(account, address, Instant::now());
                let token = method == AuthenticationMethod::Bearer;
                Err(Refusal::WrongCredentials {
                    user: user.unwrap_or_else(|| "unknown, by a token".to_owned()),
                    challenges: self.challenges(offer, asked.realm, false, token),
                })
            }
        }
    }

    fn admit(&self, user: Option<&str>, address: Option<AddressGroup>) -> Result<(), Refusal> {
        let account = user.map(|user| self.account(user));
        self.guards
            .failures
            .admit(account, address, Instant::now())
            .map_err(|retry_after| Refusal::TooManyFailures { retry_after })
    }

    fn account<'a>(&'a self, user: &'a str) -> Account<'a> {
        Account {
            of: &self.accounts,
            user,
        }
    }

    async fn verify_password(
        &self,
        credentials: BasicCredentials,
        address: Option<AddressGroup>,
    ) -> Result<Outcome, Refusal> {
        let user = credentials.user().to_owned();
        let counted = (&self.counters.passwords_recalled, &self.counters.password_checks);
        let admit = || self.admit(Some(&user), address);
        let right = self
            .guards
            .passwords
            .verify(&self.authenticator, credentials, address, admit, counted)
            .await?;
        Ok(if right {
            Outcome::Right { user }
        } else {
            Outcome::Wrong
        })
    }

    fn verify_digest(&self, asked: AuthenticationRequest<'_>, answer: &DigestCredentials) -> Outcome {
        let Some(verifier) = self.authenticator.digest() else {
            return Outcome::Wrong;
        };
        let target = &asked.head.uri;
        let request = DigestRequest {
            method: asked.head.method.as_str(),
            target: target
                .path_and_query()
                .map_or(target.path(), http::uri::PathAndQuery::as_str),
            realm: asked.realm,
        };
        let secret = self
            .authenticator
            .digest_secret(&answer.user, asked.realm, answer.algorithm);
        match verifier.verify(request, answer, secret.as_ref(), SystemTime::now()) {
            DigestVerdict::Accepted => Outcome::Right {
                user: answer.user.clone(),
            },
            DigestVerdict::Stale => Outcome::Stale,
            DigestVerdict::Wrong => Outcome::Wrong,
        }
    }

    async fn verify_token(
        &self,
        token: BearerToken,
        address: Option<AddressGroup>,
    ) -> Result<Outcome, Refusal> {
        let now = SystemTime::now();
        let verdict = match self.authenticator.recall_token(&token, now) {
            Some(verdict) => verdict,
            None => {
                let turn = self.guards.passwords.turn(address).await?;
                self.admit(None, address)?;
                let authenticator = Arc::clone(&self.authenticator);
                run(turn, move || authenticator.check_token(&token, now)).await?
            }
        };
        Ok(match verdict {
            TokenVerdict::Valid { user } => Outcome::Right { user },
            TokenVerdict::Invalid => Outcome::Wrong,
        })
    }

    /// Strongest first, as far as the authenticator can verify them.
    fn challenges(
        &self,
        offer: AuthenticationMethods,
        realm: &str,
        stale: bool,
        token_refused: bool,
    ) -> Challenges {
        let mut challenges = Challenges::none();
        if offer.contains(AuthenticationMethod::Digest)
            && let Some(verifier) = self.authenticator.digest()
        {
            let mut random = [0; 12];
            OsRng.fill_bytes(&mut random);
            let made = verifier.challenges(realm, stale, SystemTime::now(), random);
            made.into_iter().for_each(|challenge| challenges.push(challenge));
        }
        if offer.contains(AuthenticationMethod::Basic) {
            challenges.push(basic_challenge(realm));
        }
        if offer.contains(AuthenticationMethod::Bearer) {
            challenges.push(bearer_challenge(realm, token_refused));
        }
        challenges
    }
}
