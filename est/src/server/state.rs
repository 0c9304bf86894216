//! What a reload replaces: everything that requests and handshakes look up, behind one pointer each.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use pki_common::Certificate;
use pki_common::revocation::SharedRevocationLists;
use pki_common::tls::{ClientAuthentication, ServerTls};
use rustls::ServerConfig as TlsConfig;
use rustls_pki_types::UnixTime;
use tokio::runtime::Handle;

use super::authentication::AuthenticationGate;
use super::counters::Counters;
use super::metrics::{self, Facts};
use super::password_gate::PasswordGate;
use super::{ServerConfig, ServerError, ServerLimits, check};
use crate::auth::{Authenticator, FailureCounter};
use crate::operation::{Operations, Refusal};
use crate::wire::label::PathLabel;

/// What answers requests.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) operations: Operations,
    /// Asked again for each request, because a connection may outlive the certificate of its client.
    revocation: Option<SharedRevocationLists>,
    guards: Guards,
    default_gate: AuthenticationGate,
    label_gates: HashMap<Option<PathLabel>, AuthenticationGate>,
    pub(crate) limits: ServerLimits,
    /// Of the server's own certificate.
    certificate_not_after: UnixTime,
}

impl Serving {
    fn new(
        operations: Operations,
        authenticator: Arc<dyn Authenticator>,
        limits: ServerLimits,
        guards: Guards,
        tls: &ServerTls,
        counters: &Arc<Counters>,
    ) -> Self {
        let gate = |realm: &str, authenticator| {
            AuthenticationGate::new(realm, authenticator, &guards, Arc::clone(counters))
        };
        let label_gates = operations
            .services()
            .filter_map(|(label, service)| {
                let authenticator = service.authenticator.clone()?;
                let realm = label.map(PathLabel::as_str).unwrap_or_default();
                Some((label.cloned(), gate(realm, authenticator)))
            })
            .collect();
        Self {
            default_gate: gate("", authenticator),
            label_gates,
            guards,
            revocation: revocation_lists(&tls.client_authentication),
            operations,
            limits,
            certificate_not_after: tls.identity.certificate().not_after(),
        }
    }

    /// Refuses a client whose certificate was revoked since it was verified in the handshake.
    pub(crate) fn check_not_revoked(&self, certificate: Option<&Certificate>) -> Result<(), Refusal> {
        let (Some(lists), Some(certificate)) = (&self.revocation, certificate) else {
            return Ok(());
        };
        match lists.load().revoked(certificate) {
            Some(entry) => Err(Refusal::RevokedCertificate { reason: entry.reason }),
            None => Ok(()),
        }
    }

    /// Checks the passwords of a label.
    pub(crate) fn gate(&self, label: &Option<PathLabel>) -> &AuthenticationGate {
        self.label_gates.get(label).unwrap_or(&self.default_gate)
    }
}

/// What a running server works with. Connections keep it; a reload changes what is in it.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) serving: ArcSwap<Serving>,
    pub(crate) tls: ArcSwap<TlsConfig>,
    pub(crate) counters: Arc<Counters>,
    started: UnixTime,
}

impl ServerState {
    pub(crate) fn new(config: ServerConfig) -> Result<Self, ServerError> {
        let counters = Arc::new(Counters::default());
        let (serving, tls) = prepare(config, &counters, None)?;
        Ok(Self {
            serving: ArcSwap::from_pointee(serving),
            tls: ArcSwap::new(tls),
            counters,
            started: UnixTime::now(),
        })
    }

    /// What monitoring reads.
    pub(crate) fn metrics(&self) -> String {
        let runtime = Handle::try_current().ok();
        let tasks = runtime.map(|runtime| runtime.metrics().num_alive_tasks());
        let facts = Facts {
            started: self.started,
            certificate_not_after: self.serving.load().certificate_not_after,
            tasks: tasks.map(|tasks| u64::try_from(tasks).unwrap_or(u64::MAX)),
        };
        metrics::prometheus(&self.counters.snapshot(), facts)
    }

    /// Takes the new configuration as a whole, or keeps the old one as a whole.
    pub(crate) fn reload(&self, config: ServerConfig) -> Result<(), ServerError> {
        let (serving, tls) = prepare(config, &self.counters, Some(&self.serving.load()))?;
        self.serving.store(Arc::new(serving));
        self.tls.store(tls);
        Ok(())
    }
}

/// What is one for the whole server, shared by all labels, and kept over a reload: else each label, or each reload,
/// would give an attacker new tries.
#[derive(Debug, Clone)]
pub(crate) struct Guards {
    pub(crate) passwords: Arc<PasswordGate>,
    pub(crate) failures: Arc<FailureCounter>,
}

impl Guards {
    /// Those of before as far as their limits are the same.
    fn new(limits: &ServerLimits, before: Option<&Serving>) -> Self {
        let passwords = before
            .filter(|before| before.limits.password_checks == limits.password_checks)
            .map(|before| Arc::clone(&before.guards.passwords));
        let failures = before
            .filter(|before| before.limits.login_failures == limits.login_failures)
            .map(|before| Arc::clone(&before.guards.failures));
        Self {
            passwords: passwords.unwrap_or_else(|| Arc::new(PasswordGate::new(limits.password_checks))),
            failures: failures.unwrap_or_else(|| Arc::new(FailureCounter::new(limits.login_failures))),
        }
    }
}

fn prepare(
    config: ServerConfig,
    counters: &Arc<Counters>,
    before: Option<&Serving>,
) -> Result<(Serving, Arc<TlsConfig>), ServerError> {
    let ServerConfig {
        mut tls,
        operations,
        authenticator,
        limits,
    } = config;
    check(&limits)?;
    // curl offers http/1.0 alone when it is told to speak that.
    tls.alpn = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    // A connection carries a few kilobytes: the handshake is what it costs.
    tls.prefer_aes_128 = true;
    tls.channel_binding |= operations.uses_channel_bindings();
    let guards = Guards::new(&limits, before);
    let serving = Serving::new(operations, authenticator, limits, guards, &tls, counters);
    Ok((serving, tls.rustls_config()?))
}

/// The lists by which the handshake checks client certificates.
fn revocation_lists(clients: &ClientAuthentication) -> Option<SharedRevocationLists> {
    match clients {
        ClientAuthentication::None => None,
        ClientAuthentication::Optional(verifier) | ClientAuthentication::Required(verifier) => {
            verifier.revocation().map(|check| check.lists().clone())
        }
    }
}
