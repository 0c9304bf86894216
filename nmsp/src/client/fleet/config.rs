//! What a fleet is told at its start.

use super::RetryPolicy;
use crate::client::ClientConfig;
use crate::wire::Services;
use crate::wire::message::ServiceSubscribeRequest;

/// How many handshakes may be in flight, unless told otherwise. A handshake costs a few milliseconds of a core here, and
/// with a real controller over a second of waiting for its authlist (F001-24): enough to keep the cores busy, few enough
/// that none of them waits for its turn so long that the controller gives up.
pub const DEFAULT_HANDSHAKE_LIMIT: usize = 64;

/// How many events of each controller wait for the application, unless told otherwise.
pub const DEFAULT_QUEUE_LENGTH: usize = 256;

/// How a fleet behaves.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// For every controller that has no configuration of its own.
    pub client: ClientConfig,
    /// What every controller is asked for, unless it is asked for something else. Default: [`Services::MEASUREMENTS`] from
    /// every access point.
    pub subscription: ServiceSubscribeRequest,
    /// When to try again.
    pub retry: RetryPolicy,
    /// How many handshakes may be in flight. Controllers that failed before share half of them, so that those which do not
    /// answer cannot keep the others out. Default: [`DEFAULT_HANDSHAKE_LIMIT`].
    pub handshake_limit: usize,
    /// Events of each controller that wait for the application; when they are as many, this controller is slowed down by
    /// TCP, and only this one. Default: [`DEFAULT_QUEUE_LENGTH`].
    pub queue_length: usize,
}

impl FleetConfig {
    /// Every controller with this configuration.
    #[must_use]
    pub fn new(client: ClientConfig) -> Self {
        Self {
            client,
            subscription: ServiceSubscribeRequest::from(Services::MEASUREMENTS),
            retry: RetryPolicy::default(),
            handshake_limit: DEFAULT_HANDSHAKE_LIMIT,
            queue_length: DEFAULT_QUEUE_LENGTH,
        }
    }
}

/// One controller of a fleet.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// Host or `host:port`; without a port [`DEFAULT_PORT`](crate::client::DEFAULT_PORT) is meant.
    pub host: String,
    /// Instead of [`FleetConfig::client`].
    pub client: Option<ClientConfig>,
    /// Instead of [`FleetConfig::subscription`].
    pub subscription: Option<ServiceSubscribeRequest>,
}

impl ControllerConfig {
    /// A controller with what the fleet has for all.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            client: None,
            subscription: None,
        }
    }

    /// The same controller, asked for these services instead.
    #[must_use]
    pub fn subscribing(mut self, subscription: impl Into<ServiceSubscribeRequest>) -> Self {
        self.subscription = Some(subscription.into());
        self
    }

    /// The same controller, with credentials and time-outs of its own.
    #[must_use]
    pub fn with_client(mut self, client: ClientConfig) -> Self {
        self.client = Some(client);
        self
    }
}

impl From<&str> for ControllerConfig {
    fn from(host: &str) -> Self {
        Self::new(host)
    }
}

impl From<String> for ControllerConfig {
    fn from(host: String) -> Self {
        Self::new(host)
    }
}
