//! What a fleet reports.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use pki_common::Failure;

use super::RetryClass;
use crate::client::ControllerIdentity;
use crate::proto::Event;
use crate::wire::message::{Capability, SubscribeOutcome};

/// A controller of a fleet. No other one of the same fleet ever has the same, removed ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControllerId(pub(super) u64);

impl fmt::Display for ControllerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Something that happened at one controller.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FleetEvent {
    /// Which controller of the fleet.
    pub id: ControllerId,
    /// Where it was reached and what its certificate says.
    pub controller: Arc<ControllerIdentity>,
    /// What happened.
    pub event: ControllerEvent,
}

/// What happened at a controller.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ControllerEvent {
    /// The connection is up; the subscription is on its way.
    Connected(Capability),
    /// The controller answered the subscription.
    Subscribed(SubscribeOutcome),
    /// Something of the connection: notifications, requests of the controller, echoes.
    Connection(Event),
    /// An attempt failed, or the connection ended. Another attempt follows.
    Disconnected(Box<Disconnected>),
    /// The controller was removed, or the fleet closed: the last event of this controller.
    Removed,
}

/// Why there is no connection, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disconnected {
    /// Rung, cause and remedy.
    pub failure: Failure,
    /// Whether trying again can help.
    pub class: RetryClass,
    /// The time until the next attempt.
    pub retry_in: Duration,
}
