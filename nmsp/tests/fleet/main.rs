//! A location server with many controllers, of which some refuse, stall, come and go, or change.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../support/scripted.rs"]
mod scripted;
#[path = "../support/mod.rs"]
mod support;

mod example;
mod health;
mod reconnect;
mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nmsp::client::ClientConfig;
use nmsp::client::fleet::{
    ControllerConfig, ControllerEvent, ControllerHealth, ControllerId, ControllerState, Disconnected, Fleet,
    FleetConfig, FleetEvent, RetryPolicy,
};
use nmsp::proto::Event;
use nmsp::wire::message::SubscribeOutcome;
use pki_common::tls::{ClientTls, PeerVerifier};
use support::{CONTROLLER, LOCATION_SERVER, Lab, PATIENCE, authlist_of, identity};

/// Fast enough for a test; what needs attention is as slow as ever.
pub(crate) fn retry() -> RetryPolicy {
    RetryPolicy {
        first: Duration::from_millis(20),
        longest: Duration::from_millis(200),
        ..RetryPolicy::default()
    }
}

/// A fleet whose controllers bring their own credentials.
pub(crate) fn fleet(change: impl FnOnce(&mut FleetConfig)) -> Fleet {
    let nobody = PeerVerifier::authlist(authlist_of(&identity(CONTROLLER)));
    let tls = ClientTls::new(nobody).with_identity(identity(LOCATION_SERVER));
    let mut config = FleetConfig::new(ClientConfig::new(tls));
    config.retry = retry();
    change(&mut config);
    Fleet::new(config)
}

pub(crate) fn add(fleet: &Fleet, address: SocketAddr, client: ClientConfig) -> ControllerId {
    let controller = ControllerConfig::new(address.to_string()).with_client(client);
    fleet.add(controller).unwrap()
}

pub(crate) fn add_lab(fleet: &Fleet, lab: &Lab) -> ControllerId {
    add(fleet, lab.address, lab.client_config())
}

pub(crate) async fn next(fleet: &mut Fleet) -> FleetEvent {
    let event = tokio::time::timeout(PATIENCE, fleet.next()).await;
    event.expect("something happens").expect("the fleet is open")
}

/// Takes events until the condition has made something of one.
pub(crate) async fn take<T>(fleet: &mut Fleet, mut condition: impl FnMut(&FleetEvent) -> Option<T>) -> T {
    loop {
        if let Some(found) = condition(&next(fleet).await) {
            return found;
        }
    }
}

pub(crate) async fn subscribed(fleet: &mut Fleet, id: ControllerId) -> SubscribeOutcome {
    take(fleet, |event| match event.event {
        ControllerEvent::Subscribed(outcome) if event.id == id => Some(outcome),
        _ => None,
    })
    .await
}

pub(crate) async fn disconnected(fleet: &mut Fleet, id: ControllerId) -> Disconnected {
    take(fleet, |event| match &event.event {
        ControllerEvent::Disconnected(why) if event.id == id => Some((**why).clone()),
        _ => None,
    })
    .await
}

/// The sequence number of the next notification of this controller.
pub(crate) async fn notified(fleet: &mut Fleet, id: ControllerId) -> u32 {
    take(fleet, |event| match &event.event {
        ControllerEvent::Connection(Event::Notification(frame)) if event.id == id => Some(frame.sequence()),
        _ => None,
    })
    .await
}

pub(crate) fn health(fleet: &Fleet, id: ControllerId) -> ControllerHealth {
    fleet.handle().health_of(id).unwrap()
}

pub(crate) fn is_up(health: &ControllerHealth) -> bool {
    health.state == ControllerState::Up
}

/// The same controller again at its address, with the same or another certificate.
pub(crate) async fn restart(
    address: SocketAddr,
    lab: &Lab,
    controller: Arc<pki_common::identity::Identity>,
) -> nmsp::server::ServerHandle {
    let admitted = PeerVerifier::authlist(lab.authlist.clone());
    let config = nmsp::server::ServerConfig::new(controller, admitted);
    let server = nmsp::server::Server::bind(address, config).await.unwrap();
    let handle = server.handle();
    tokio::spawn(server.run());
    handle
}

/// Whether no location server is connected.
pub(crate) fn is_alone(lab: &Lab) -> bool {
    !lab.handle.status().iter().any(|connection| connection.active)
}
