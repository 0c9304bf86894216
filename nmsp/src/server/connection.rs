//! The task of one connection: handshake, then serve until somebody ends it.

use std::sync::Arc;

use super::Shared;
use super::ending::Ending;
use super::guard::{authlist, still_admits, withdrawn};
use super::handshake::{self, Incoming, PeerStream};
use super::registry::{Established, Slot};
use super::session::Session;
use super::subscriber::{QueueBounds, Subscriber};
use super::trace::ConnectionTrace;
use crate::driver::now;
use crate::proto::{Connection, Role};

pub(super) async fn serve(shared: Arc<Shared>, incoming: Incoming, slot: Slot) {
    let tls = shared.tls.load_full();
    let asks_authlist = authlist(&tls).is_some();
    let counters = Arc::clone(&shared.counters);
    let trace = Arc::new(ConnectionTrace::new(slot.id, asks_authlist, counters));
    // On the heap, and gone with its end: an established connection has no use for the place of its handshake.
    let handshake = Box::pin(handshake::perform(&shared, &tls, incoming, &trace));
    let accepted = tokio::select! {
        () = shared.shutdown.cancelled() => None,
        accepted = handshake => accepted,
    };
    if let Some(stream) = accepted {
        shared.counters.accept_succeeded();
        trace.handshake_succeeded();
        establish(&shared, stream, &slot, &trace).run().await;
        shared.counters.connection_closed();
    }
    drop(slot);
    trace.freed();
}

fn establish<'a>(
    shared: &'a Shared,
    stream: PeerStream,
    slot: &'a Slot,
    trace: &'a ConnectionTrace,
) -> Box<Session<'a>> {
    let mut config = (**shared.connection.load()).clone();
    config.max_sent_length = config.max_sent_length.min(stream.longest_message());
    let connection = Connection::new(config, Role::Controller, now());
    let limits = shared.limits.load();
    let bounds = QueueBounds {
        entries: limits.queue_length,
        bytes: limits.queue_bytes,
    };
    let subscriber = Arc::new(Subscriber::new(bounds, Arc::clone(&shared.counters)));
    let ending = Arc::new(Ending::default());
    slot.establish(Established {
        transport: stream.transport(),
        mac: trace.peer_mac(),
        certificate: trace.peer_certificate(),
        counters: Arc::clone(connection.counters()),
        subscriber: Arc::clone(&subscriber),
        ending: Arc::clone(&ending),
    });
    // The authlist may have been replaced after the handshake had asked it and before the guard knew of this connection.
    if let (Some(list), Some(certificate)) = (authlist(&shared.tls.load()), trace.peer_certificate())
        && let Err(refusal) = still_admits(&list.load(), &certificate)
    {
        shared.counters.authorization_withdrawn();
        ending.order(withdrawn(&refusal));
    }
    Box::new(Session::new(
        shared,
        slot,
        trace,
        (stream, connection),
        subscriber,
        ending,
    ))
}
