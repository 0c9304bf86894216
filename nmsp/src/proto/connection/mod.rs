//! The connection itself: its life from capability to goodbye. What it sends is in `send`, what it makes of received
//! messages in `receive`.

mod receive;
mod send;

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::liveness::{Due, Liveness};
use super::pending::{PeerRequests, PendingRequests};
use super::{CloseReason, ConnectionConfig, ConnectionCounters, Event, ProtocolError, Subscription, after};
use crate::wire::message::{Capability, Disconnect};
use crate::wire::numbers::{DisconnectReason, StatusCode};
use crate::wire::{DecodeError, FrameBuffer, MessageType, Services};

/// The longest text in a goodbye that the connection itself writes, in bytes: enough for any error, and never a reason
/// for the message not to fit.
const MAX_GOODBYE_TEXT: usize = 512;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The wireless controller: NMSP server and TLS server.
    Controller,
    /// The location server (MSE, CMX, Spaces): NMSP client and TLS client.
    LocationServer,
}

impl Role {
    const fn other(self) -> Self {
        match self {
            Self::Controller => Self::LocationServer,
            Self::LocationServer => Self::Controller,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::LocationServer => "location server",
        })
    }
}

/// Notifications that were asked for by a request of their own, beside the subscription of services.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    locations: bool,
    monitor: bool,
}

/// One NMSP connection, without I/O.
///
/// After every call that takes input or time, take everything out of [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event), and call [`handle_timeout`](Self::handle_timeout) at the time that
/// [`poll_timeout`](Self::poll_timeout) then names.
#[derive(Debug)]
pub struct Connection {
    config: ConnectionConfig,
    role: Role,
    received: FrameBuffer,
    outgoing: BytesMut,
    events: VecDeque<Event>,
    counters: Arc<ConnectionCounters>,
    liveness: Liveness,
    requests: PendingRequests,
    peer_requests: PeerRequests,
    next_transaction: u32,
    peer: Option<Capability>,
    capability_deadline: Instant,
    /// Controller: what the peer subscribed. Location server: what the controller accepted.
    subscription: Subscription,
    /// What this side asked for by requests of their own.
    wanted: Wanted,
    /// Since when the application takes no input.
    paused: Option<Instant>,
    closed: bool,
}

impl Connection {
    /// Starts a connection over a stream that is open already; the first thing it sends is a Capability Notification.
    #[must_use]
    pub fn new(config: ConnectionConfig, role: Role, now: Instant) -> Self {
        let mut connection = Self {
            liveness: Liveness::new(role, &config, now),
            capability_deadline: after(now, config.capability_timeout),
            config,
            role,
            received: FrameBuffer::default(),
            outgoing: BytesMut::new(),
            events: VecDeque::new(),
            counters: Arc::default(),
            requests: PendingRequests::default(),
            peer_requests: PeerRequests::default(),
            next_transaction: 1,
            peer: None,
            subscription: Subscription::default(),
            wanted: Wanted::default(),
            paused: None,
            closed: false,
        };
        connection.send_capability();
        connection
    }

    /// Takes bytes from the peer. Each complete message is dealt with at once; a part of one waits for its rest.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if self.closed {
            return;
        }
        self.received.extend(bytes);
        self.handle_buffered_input(now);
    }

    /// Room for at least a quarter of `size` bytes from the peer, behind what has arrived; if there is less, room for
    /// `size` bytes is made. Whoever appends there calls [`handle_buffered_input`](Self::handle_buffered_input) next.
    #[cfg(feature = "tokio")]
    pub(crate) fn input_buffer(&mut self, size: usize) -> &mut BytesMut {
        self.received.room(size)
    }

    /// Deals with each complete message among the bytes that have arrived.
    pub(crate) fn handle_buffered_input(&mut self, now: Instant) {
        while !self.closed {
            match self
                .received
                .next_frame(&self.config.profile, self.config.max_message_length)
            {
                Ok(None) => break,
                Ok(Some(frame)) => self.handle_frame(now, frame),
                Err(error) => self.finish(ProtocolError::Decode { message: None, error }.into()),
            }
        }
    }

    /// The peer has closed its side of the stream. A connection that is open in one direction only is of no use, so this
    /// side ends it, too: what waits is still sent.
    pub fn handle_end_of_stream(&mut self) {
        match self.received.len() {
            0 => self.finish(CloseReason::ClosedByPeer),
            pending => self.finish(ProtocolError::StreamCut { pending }.into()),
        }
    }

    /// Does what is due at this time. Calling it early does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        if self.peer.is_none() && self.capability_deadline <= now {
            self.finish(CloseReason::CapabilityTimedOut(self.config.capability_timeout));
            return;
        }
        self.expire_requests(now);
        match self.liveness.due(now) {
            None => {}
            Some(Due::GiveUp(reason)) => self.finish(reason),
            Some(Due::SendEcho) => {
                let transaction = self.take_transaction();
                self.liveness.echo_sent(transaction, now);
                let sent = self.send(MessageType::EchoRequest, transaction, |_| Ok(()));
                self.close_on_error(sent);
            }
        }
    }

    fn expire_requests(&mut self, now: Instant) {
        if self.paused.is_none() {
            while let Some(transaction) = self.requests.expire(now) {
                self.counters.request_timed_out();
                self.events.push_back(Event::RequestTimedOut { transaction });
            }
        }
        while let Some((transaction, response)) = self.peer_requests.expire(now) {
            let sent = self.send_refusal(transaction, response, StatusCode::FAILED, "no answer in time");
            self.close_on_error(sent);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` once the connection has ended,
    /// and while nothing is due because the application takes no input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let capability = self.peer.is_none().then_some(self.capability_deadline);
        let requests = match self.paused {
            None => self.requests.next_deadline(),
            Some(_) => None,
        };
        [
            capability,
            requests,
            self.peer_requests.next_deadline(),
            self.liveness.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Moves everything that waits to be sent to the end of `out`. Returns whether there was something.
    pub fn poll_transmit(&mut self, out: &mut BytesMut) -> bool {
        if self.outgoing.is_empty() {
            return false;
        }
        if out.is_empty() {
            core::mem::swap(out, &mut self.outgoing);
        } else {
            out.extend_from_slice(&self.outgoing);
            self.outgoing.clear();
        }
        true
    }

    /// The next thing that happened; `None` when there is nothing more for now.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How many events wait in [`poll_event`](Self::poll_event).
    #[must_use]
    pub fn pending_events(&self) -> usize {
        self.events.len()
    }

    /// How many requests of this side wait for their response, and how many of the peer for the application's.
    #[must_use]
    pub fn open_requests(&self) -> (usize, usize) {
        (self.requests.len(), self.peer_requests.len())
    }

    /// Says whether the application takes input. While it does not, a peer's silence is not held against it, and the time
    /// does not count for open requests.
    pub fn set_receiving(&mut self, now: Instant, receiving: bool) {
        self.liveness.pause(now, !receiving);
        if receiving {
            let paused = self.paused.take();
            let time = paused.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            self.requests.postpone(time);
        } else {
            self.paused.get_or_insert(now);
        }
    }

    /// Ends the connection from this side with a goodbye that names no reason. What waits to be sent is still sent.
    pub fn close(&mut self) {
        self.close_with(DisconnectReason::UNSPECIFIED, "");
    }

    /// Ends the connection from this side and tells the peer why. What waits to be sent is still sent, before the goodbye.
    pub fn close_with(&mut self, reason: DisconnectReason, text: &str) {
        self.say_goodbye(&goodbye(reason, text));
    }

    /// As [`close_with`](Self::close_with), with everything that a goodbye can say, such as when to come back.
    pub fn say_goodbye(&mut self, goodbye: &Disconnect) {
        if !self.closed {
            self.send_goodbye(goodbye);
            self.end(CloseReason::ClosedLocally);
        }
    }

    /// What the connection was told at its start.
    #[must_use]
    pub const fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether the connection has ended.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// What the peer said it can do, once it has.
    #[must_use]
    pub const fn peer(&self) -> Option<&Capability> {
        self.peer.as_ref()
    }

    /// The version that both sides speak: the lower one of the two that were announced. `None` until the peer has.
    #[must_use]
    pub fn version(&self) -> Option<u16> {
        let peer = self.peer.as_ref()?;
        Some(peer.version.min(self.config.protocol_version))
    }

    /// The services that are subscribed.
    #[must_use]
    pub const fn subscription(&self) -> Services {
        self.subscription.services
    }

    /// What is subscribed, with groups and parameters.
    #[must_use]
    pub const fn subscription_detail(&self) -> &Subscription {
        &self.subscription
    }

    /// The counters, to be read from anywhere.
    #[must_use]
    pub const fn counters(&self) -> &Arc<ConnectionCounters> {
        &self.counters
    }

    /// A transaction that no open request has, even after four thousand million of them.
    fn take_transaction(&mut self) -> u32 {
        loop {
            let transaction = self.next_transaction;
            self.next_transaction = transaction.wrapping_add(1);
            if !self.requests.contains(transaction) {
                return transaction;
            }
        }
    }

    fn close_on_error<T, E: Into<CloseReason>>(&mut self, outcome: Result<T, E>) {
        if let Err(error) = outcome {
            self.finish(error.into());
        }
    }

    /// Ends the connection; if it is this side that ends it, the peer is told why.
    fn finish(&mut self, reason: CloseReason) {
        if self.closed {
            return;
        }
        let goodbye_reason = match &reason {
            CloseReason::Protocol(_) | CloseReason::CapabilityTimedOut(_) => {
                Some(DisconnectReason::PROTOCOL_ERROR)
            }
            CloseReason::Idle(_) | CloseReason::EchoUnanswered(_) => Some(DisconnectReason::IDLE),
            CloseReason::ClosedLocally | CloseReason::Encode(_) => Some(DisconnectReason::UNSPECIFIED),
            CloseReason::ClosedByPeer | CloseReason::Disconnected { .. } => None,
        };
        if let Some(goodbye_reason) = goodbye_reason {
            self.send_goodbye(&goodbye(goodbye_reason, &reason.to_string()));
        }
        self.end(reason);
    }

    fn end(&mut self, reason: CloseReason) {
        self.closed = true;
        self.events.push_back(Event::Closed(reason));
    }
}

fn goodbye(reason: DisconnectReason, text: &str) -> Disconnect {
    let ends = text.char_indices().map(|(start, c)| start + c.len_utf8());
    let end = ends.take_while(|end| *end <= MAX_GOODBYE_TEXT).last();
    let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
    Disconnect {
        reason,
        retry_after_seconds: None,
        explanation: (!text.is_empty()).then(|| text.into()),
    }
}

/// A body that was accepted and cannot be read: never, as long as check and reading agree.
fn decode_error(error: DecodeError) -> CloseReason {
    ProtocolError::Decode { message: None, error }.into()
}
