//! Finds out who the client of a request is, as far as the label demands it.

use std::net::IpAddr;
use std::sync::Arc;

use pki_common::Certificate;

use super::ServerLimits;
use super::counters::Counters;
use super::password_gate::PasswordGate;
use crate::auth::{
    AuthenticationDecision, AuthenticationMethod, AuthenticationMethods, AuthenticationRequirement,
    Authenticator, BasicCredentials, Challenges, Client, Credentials, Presented, basic_challenge, decide,
};
use crate::operation::{Operation, Refusal};

/// One for all connections of a server.
#[derive(Debug)]
pub(crate) struct AuthenticationGate {
    passwords: PasswordGate,
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

impl AuthenticationGate {
    pub(crate) fn new(
        authenticator: Arc<dyn Authenticator>,
        limits: &ServerLimits,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            passwords: PasswordGate::new(authenticator, limits.password_checks),
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
            AuthenticationDecision::Missing { offer } => Err(Refusal::Unauthenticated {
                operation: asked.operation,
                required: asked.required.clone(),
                challenges: challenges(offer, asked.realm),
            }),
            AuthenticationDecision::Malformed(error) => Err(Refusal::MalformedCredentials(error)),
        }
    }

    async fn verify(
        &self,
        asked: AuthenticationRequest<'_>,
        credentials: Credentials,
    ) -> Result<Client, Refusal> {
        match credentials {
            Credentials::Basic(credentials) => self.verify_password(asked, credentials).await,
        }
    }

    async fn verify_password(
        &self,
        asked: AuthenticationRequest<'_>,
        credentials: BasicCredentials,
    ) -> Result<Client, Refusal> {
        let user = credentials.user().to_owned();
        let (recalled, checked) = (&self.counters.passwords_recalled, &self.counters.password_checks);
        if self.passwords.verify(credentials, recalled, checked).await? {
            let certificate = asked.certificate.cloned();
            Ok(Client::by_credentials(
                user,
                AuthenticationMethod::Basic,
                certificate,
            ))
        } else {
            let offer = asked.required.http_methods(asked.certificate.is_some());
            Err(Refusal::WrongCredentials {
                user,
                challenges: challenges(offer, asked.realm),
            })
        }
    }
}

fn challenges(offer: AuthenticationMethods, realm: &str) -> Challenges {
    let mut challenges = Challenges::none();
    if offer.contains(AuthenticationMethod::Basic) {
        challenges.push(basic_challenge(realm));
    }
    challenges
}
