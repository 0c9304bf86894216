//! The connection itself.

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::liveness::{Due, Liveness};
use super::requests::PendingRequests;
use super::{
    CloseReason, ConnectionConfig, ConnectionCounters, Event, MeasurementFrame, PROTOCOL_VERSION,
    ProtocolError, RequestError, UnsupportedMessage, after,
};
use crate::wire::frame::{Header, OwnedFrame, encode_message};
use crate::wire::message::{
    Capability, Sender, ServiceSubscribeRequest, ServiceSubscribeResponse, SubscribeOutcome,
};
use crate::wire::{
    DecodeError, EncodeError, FrameBuffer, Message, MessageType, Services, WireProfile, Writer,
};

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

/// A body that was accepted and cannot be read: never, as long as check and reading agree.
fn decode_error(error: DecodeError) -> CloseReason {
    ProtocolError::Decode { message: None, error }.into()
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
    next_transaction: u32,
    peer: Option<Capability>,
    capability_deadline: Instant,
    /// Controller: what the peer subscribed. Location server: what the controller accepted.
    subscription: Services,
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
            next_transaction: 1,
            peer: None,
            subscription: Services::NONE,
            closed: false,
        };
        let capability = Capability {
            version: PROTOCOL_VERSION,
            services: connection.config.services,
            ..Capability::default()
        };
        let transaction = connection.take_transaction();
        let sent = connection.send(MessageType::CapabilityNotification, transaction, |w| {
            capability.encode(w)
        });
        connection.close_on_error(sent);
        connection
    }

    /// Takes bytes from the peer. Each complete message is dealt with at once; a part of one waits for its rest.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if self.closed {
            return;
        }
        self.received.extend(bytes);
        while !self.closed {
            match self
                .received
                .next_frame(&self.config.profile, self.config.max_message_length)
            {
                Ok(None) => break,
                Ok(Some(frame)) => self.handle_frame(now, &frame),
                Err(error) => self.close_for(ProtocolError::Decode { message: None, error }),
            }
        }
    }

    /// The peer has closed its side of the stream.
    pub fn handle_end_of_stream(&mut self) {
        match self.received.len() {
            0 => self.finish(CloseReason::ClosedByPeer),
            pending => self.close_for(ProtocolError::StreamCut { pending }),
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
        while let Some(transaction) = self.requests.expire(now) {
            self.events.push_back(Event::RequestTimedOut { transaction });
        }
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

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` once the connection has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let capability = self.peer.is_none().then_some(self.capability_deadline);
        [
            capability,
            self.requests.next_deadline(),
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
        out.extend_from_slice(&self.outgoing);
        self.outgoing.clear();
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

    /// Location server: asks for these services instead of whatever is subscribed now; the empty set unsubscribes. The
    /// answer is [`Event::Subscribed`] or [`Event::RequestTimedOut`] with the returned transaction.
    ///
    /// # Errors
    /// If the connection has ended, the role is the controller's, or too many requests are open.
    pub fn subscribe(&mut self, now: Instant, services: Services) -> Result<u32, RequestError> {
        self.require(Role::LocationServer)?;
        if self.requests.is_full() {
            return Err(RequestError::TooManyPending);
        }
        let transaction = self.take_transaction();
        self.send(MessageType::ServiceSubscribeRequest, transaction, |w| {
            let request = ServiceSubscribeRequest {
                services,
                ..ServiceSubscribeRequest::default()
            };
            request.encode(w)
        })?;
        self.requests.add(transaction, now, self.config.request_timeout);
        Ok(transaction)
    }

    /// Controller: sends a Measurement Notification with a body that was encoded before, under the profile of this
    /// connection. `sequence` becomes its sequence number: numbers start at 1 and go up by one, and a notification that was
    /// dropped before it was sent leaves a gap that the peer can see.
    ///
    /// # Errors
    /// If the connection has ended, the role is the location server's, or the body is too long for the length field.
    pub fn send_measurement(&mut self, sequence: u32, body: &[u8]) -> Result<(), RequestError> {
        self.require(Role::Controller)?;
        self.send(MessageType::MeasurementNotification, sequence, |w| {
            w.bytes(body);
            Ok(())
        })?;
        Ok(())
    }

    /// Says whether the application takes input. While it does not, a peer's silence is not held against it.
    pub fn set_receiving(&mut self, now: Instant, receiving: bool) {
        self.liveness.pause(now, !receiving);
    }

    /// Ends the connection from this side. What waits to be sent is still sent.
    pub fn close(&mut self) {
        self.finish(CloseReason::ClosedLocally);
    }

    /// What the connection was told at its start.
    #[must_use]
    pub const fn config(&self) -> &ConnectionConfig {
        &self.config
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

    /// What is subscribed.
    #[must_use]
    pub const fn subscription(&self) -> Services {
        self.subscription
    }

    /// The counters, to be read from anywhere.
    #[must_use]
    pub const fn counters(&self) -> &Arc<ConnectionCounters> {
        &self.counters
    }

    fn handle_frame(&mut self, now: Instant, frame: &OwnedFrame) {
        let profile = Arc::clone(&self.config.profile);
        let message = profile.message_type(frame.header.id);
        self.counters.received(message);
        self.liveness.heard(now);
        match Message::decode(&frame.borrow(), &profile) {
            Ok(decoded) => match self.handle_message(now, &decoded, frame, &profile) {
                Ok(()) => {}
                Err(reason) => self.finish(reason),
            },
            Err(error) => self.close_for(ProtocolError::Decode { message, error }),
        }
    }

    fn handle_message(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        frame: &OwnedFrame,
        profile: &Arc<WireProfile>,
    ) -> Result<(), CloseReason> {
        let transaction = frame.header.transaction;
        self.check_direction(message)?;
        match message {
            Message::CapabilityNotification(notification) => {
                self.handle_capability(notification.read().map_err(decode_error)?);
            }
            Message::EchoRequest(_) => {
                self.send(MessageType::EchoResponse, transaction, |w| {
                    w.bytes(&frame.body);
                    Ok(())
                })?;
            }
            Message::ServiceSubscribeRequest(request) => {
                let request = request.read().map_err(decode_error)?;
                self.handle_subscribe(transaction, request.services)?;
            }
            Message::EchoResponse(_) => self.handle_echo_response(now, transaction),
            Message::ServiceSubscribeResponse(response) => {
                let response = response.read().map_err(decode_error)?;
                self.handle_subscribe_response(transaction, SubscribeOutcome::from(&response));
            }
            Message::MeasurementNotification(_) => self.handle_measurement(frame, profile),
            other => {
                self.counters.unsupported();
                self.events.push_back(Event::Unsupported(UnsupportedMessage {
                    message: other.message_type(),
                    frame: frame.clone(),
                }));
            }
        }
        Ok(())
    }

    fn check_direction(&self, message: &Message<'_>) -> Result<(), CloseReason> {
        let Some(message) = message.message_type() else {
            return Ok(());
        };
        let from = self.role.other();
        match (message.sender(), from) {
            (Sender::Both, _)
            | (Sender::Controller, Role::Controller)
            | (Sender::LocationServer, Role::LocationServer) => Ok(()),
            _ => Err(ProtocolError::WrongDirection { message, from }.into()),
        }
    }

    fn handle_capability(&mut self, capability: Capability) {
        let event = match self.peer.replace(capability.clone()) {
            None => Event::Established(capability),
            Some(_) => Event::CapabilityChanged(capability),
        };
        self.events.push_back(event);
    }

    fn handle_subscribe(&mut self, transaction: u32, wanted: Services) -> Result<(), EncodeError> {
        let outcome = SubscribeOutcome::of(wanted, self.config.services);
        self.send(MessageType::ServiceSubscribeResponse, transaction, |w| {
            ServiceSubscribeResponse::from(outcome).encode(w)
        })?;
        self.subscription = outcome.accepted;
        let event = Event::SubscriptionChanged {
            services: outcome.accepted,
            rejected: outcome.rejected,
        };
        self.events.push_back(event);
        Ok(())
    }

    fn handle_echo_response(&mut self, now: Instant, transaction: u32) {
        match self.liveness.echo_answered(transaction, now) {
            Some(round_trip) => self.events.push_back(Event::EchoAnswered { round_trip }),
            None => self.counters.unmatched_response(),
        }
    }

    fn handle_subscribe_response(&mut self, transaction: u32, outcome: SubscribeOutcome) {
        if self.requests.answer(transaction) {
            self.subscription = outcome.accepted;
            self.events.push_back(Event::Subscribed { transaction, outcome });
        } else {
            self.counters.unmatched_response();
        }
    }

    fn handle_measurement(&mut self, frame: &OwnedFrame, profile: &Arc<WireProfile>) {
        if self.subscription.is_empty() {
            self.counters.unsolicited_measurement();
            return;
        }
        let (frame, profile) = (frame.clone(), Arc::clone(profile));
        self.events
            .push_back(Event::Measurement(MeasurementFrame { frame, profile }));
    }

    fn send(
        &mut self,
        message: MessageType,
        transaction: u32,
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let profile = &self.config.profile;
        let id = profile
            .message_id(message)
            .ok_or(EncodeError::NotInProfile(message.name()))?;
        encode_message(Header::new(id, transaction), profile, &mut self.outgoing, body)?;
        self.counters.sent(message);
        Ok(())
    }

    fn require(&self, role: Role) -> Result<(), RequestError> {
        if self.closed {
            return Err(RequestError::Closed);
        }
        if self.role != role {
            return Err(RequestError::WrongRole(self.role));
        }
        Ok(())
    }

    const fn take_transaction(&mut self) -> u32 {
        let transaction = self.next_transaction;
        self.next_transaction = transaction.wrapping_add(1);
        transaction
    }

    fn close_on_error(&mut self, outcome: Result<(), EncodeError>) {
        if let Err(error) = outcome {
            self.finish(error.into());
        }
    }

    fn close_for(&mut self, error: ProtocolError) {
        self.finish(error.into());
    }

    fn finish(&mut self, reason: CloseReason) {
        if !self.closed {
            self.closed = true;
            self.events.push_back(Event::Closed(reason));
        }
    }
}
