//! The task of one connection: handshake, then serve until somebody ends it.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use pki_common::tls::ClientAuthentication;

use super::Shared;
use super::handshake::{self, Incoming, PeerStream};
use super::registry::{Established, Slot};
use super::subscriber::{Queued, Subscriber};
use super::trace::ConnectionTrace;
use crate::driver::{Driver, now};
use crate::proto::{CloseReason, Connection, Event, Role};
use crate::wire::numbers::StatusCode;

/// How many bytes are read at a time: location servers send little.
const INPUT_SIZE: usize = 4096;

/// Notifications are moved from the queue to the stream until this many bytes wait there.
const WRITE_AHEAD: usize = 32_768;

/// How long a goodbye may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

pub(super) async fn serve(shared: Arc<Shared>, incoming: Incoming, slot: Slot) {
    let tls = shared.tls.load_full();
    let asks_authlist = match &tls.client_authentication {
        ClientAuthentication::Required(peer) | ClientAuthentication::Optional(peer) => peer.has_authlist(),
        ClientAuthentication::None => false,
    };
    let counters = Arc::clone(&shared.counters);
    let trace = Arc::new(ConnectionTrace::new(slot.id, asks_authlist, counters));
    let accepted = tokio::select! {
        () = shared.shutdown.cancelled() => None,
        accepted = handshake::perform(&shared, &tls, incoming, &trace) => accepted,
    };
    if let Some(stream) = accepted {
        shared.counters.accept_succeeded();
        trace.handshake_succeeded();
        run(&shared, stream, &slot, &trace).await;
        shared.counters.connection_closed();
    }
    drop(slot);
    trace.freed();
}

async fn run(shared: &Shared, stream: PeerStream, slot: &Slot, trace: &ConnectionTrace) {
    let connection = Connection::new(shared.connection.clone(), Role::Controller, now());
    let subscriber = Arc::new(Subscriber::new(shared.limits.queue_length));
    slot.establish(Established {
        transport: stream.transport(),
        mac: trace.peer_mac(),
        counters: Arc::clone(connection.counters()),
        subscriber: Arc::clone(&subscriber),
    });
    let mut driver = Driver::new(stream, connection, INPUT_SIZE);
    match exchange(shared, &mut driver, &subscriber, trace).await {
        Ok(reason) => {
            match reason {
                CloseReason::Protocol(_) => shared.counters.protocol_error(),
                CloseReason::Idle(_) | CloseReason::CapabilityTimedOut(_) => shared.counters.peer_timed_out(),
                _ => {}
            }
            trace.closed(&reason);
        }
        Err(error) => trace.broken(&error),
    }
    driver.close(CLOSE_TIME).await;
}

/// Serves until the connection ends; on shutdown, until what waits has been handed to the stream.
async fn exchange(
    shared: &Shared,
    driver: &mut Driver<PeerStream>,
    subscriber: &Subscriber,
    trace: &ConnectionTrace,
) -> io::Result<CloseReason> {
    let mut batch: Vec<Queued> = Vec::new();
    loop {
        if let Some(reason) = handle_events(&mut driver.connection, subscriber) {
            return Ok(reason);
        }
        if driver.unsent() < WRITE_AHEAD {
            subscriber.take(WRITE_AHEAD, &mut batch);
            for queued in batch.drain(..) {
                trace.measurement_sent();
                if let Err(error) = driver.connection.send_measurement(queued.sequence, &queued.body) {
                    tracing::error!(%error, "a notification could not be sent");
                }
            }
        }
        let room = driver.unsent() < WRITE_AHEAD;
        tokio::select! {
            () = shared.shutdown.cancelled(), if subscriber.waiting() == 0 => return Ok(CloseReason::ClosedLocally),
            () = subscriber.filled.notified(), if room => {}
            turned = driver.turn(true) => turned?,
        }
    }
}

fn handle_events(connection: &mut Connection, subscriber: &Subscriber) -> Option<CloseReason> {
    while let Some(event) = connection.poll_event() {
        match event {
            Event::SubscriptionChanged {
                subscription,
                rejected,
            } => {
                let services = subscription.services;
                tracing::info!(%services, %rejected, "subscription changed");
                subscriber.set_services(services);
            }
            Event::Unsupported(message) => {
                let name = message
                    .message_type()
                    .map_or("unknown", crate::wire::MessageType::name);
                tracing::warn!(id = %message.id(), name, "unsupported message, ignored");
            }
            Event::Request { transaction, frame } => {
                tracing::debug!(?frame, "request");
                let text = "this controller has no answer";
                if let Err(error) = connection.refuse(transaction, StatusCode::NOT_SUPPORTED, text) {
                    tracing::warn!(%error, "a request could not be refused");
                }
            }
            Event::Closed(reason) => return Some(reason),
            _ => tracing::debug!(?event, "event"),
        }
    }
    None
}
