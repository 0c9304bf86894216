//! What a reload replaces: everything that requests and handshakes look up, behind one pointer each.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig as TlsConfig;

use super::authentication::AuthenticationGate;
use super::counters::Counters;
use super::{ServerConfig, ServerError, ServerLimits, check};
use crate::auth::Authenticator;
use crate::operation::Operations;
use crate::wire::label::PathLabel;

/// What answers requests.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) operations: Operations,
    default_gate: AuthenticationGate,
    label_gates: HashMap<Option<PathLabel>, AuthenticationGate>,
    pub(crate) limits: ServerLimits,
}

impl Serving {
    pub(crate) fn new(
        operations: Operations,
        authenticator: Arc<dyn Authenticator>,
        limits: ServerLimits,
        counters: &Arc<Counters>,
    ) -> Self {
        let gate = |authenticator| AuthenticationGate::new(authenticator, &limits, Arc::clone(counters));
        let label_gates = operations
            .services()
            .filter_map(|(label, service)| {
                let authenticator = service.authenticator.clone()?;
                Some((label.cloned(), gate(authenticator)))
            })
            .collect();
        Self {
            default_gate: gate(authenticator),
            label_gates,
            operations,
            limits,
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
}

impl ServerState {
    pub(crate) fn new(config: ServerConfig) -> Result<Self, ServerError> {
        let counters = Arc::new(Counters::default());
        let (serving, tls) = prepare(config, &counters)?;
        Ok(Self {
            serving: ArcSwap::from_pointee(serving),
            tls: ArcSwap::new(tls),
            counters,
        })
    }

    /// Takes the new configuration as a whole, or keeps the old one as a whole.
    pub(crate) fn reload(&self, config: ServerConfig) -> Result<(), ServerError> {
        let (serving, tls) = prepare(config, &self.counters)?;
        self.serving.store(Arc::new(serving));
        self.tls.store(tls);
        Ok(())
    }
}

fn prepare(config: ServerConfig, counters: &Arc<Counters>) -> Result<(Serving, Arc<TlsConfig>), ServerError> {
    let ServerConfig {
        mut tls,
        operations,
        authenticator,
        limits,
    } = config;
    check(&limits)?;
    tls.alpn = vec![b"http/1.1".to_vec()];
    tls.channel_binding |= operations.uses_channel_bindings();
    let tls = tls.rustls_config()?;
    Ok((Serving::new(operations, authenticator, limits, counters), tls))
}
