//! What the application has the connection send.

use std::time::Instant;

#[cfg(feature = "tokio")]
use bytes::BytesMut;

use super::super::pending::Effect;
use super::super::{Event, Exchange, RequestError, after};
use super::{Connection, Role};
use crate::wire::elements::Part;
#[cfg(feature = "tokio")]
use crate::wire::frame::leave_room;
use crate::wire::frame::{Frame, Header, encode_message};
use crate::wire::message::bodies::StatusResponse;
use crate::wire::message::{
    Capability, Disconnect, Sender, ServiceSubscribeRequest, ServiceSubscribeResponse,
};
use crate::wire::numbers::StatusCode;
use crate::wire::schema::ElementValue as _;
use crate::wire::tlv::Elements;
use crate::wire::{Element, EncodeError, MessageType, OwnedMessage, Services, Writer};

impl Connection {
    /// Location server: asks for these services instead of whatever is subscribed now; the empty set unsubscribes. The
    /// answer is [`Event::Subscribed`] or [`Event::RequestTimedOut`] with the returned transaction.
    ///
    /// # Errors
    /// If the connection has ended, the role is the controller's, too many requests are open, or the body does not fit the
    /// wire profile.
    pub fn subscribe(
        &mut self,
        now: Instant,
        request: &ServiceSubscribeRequest,
    ) -> Result<u32, RequestError> {
        let (message, response) = (
            MessageType::ServiceSubscribeRequest,
            MessageType::ServiceSubscribeResponse,
        );
        self.ask(now, message, response, Effect::Services, |w| request.encode(w))
    }

    /// Location server: ends these services; others stay. Answered like [`subscribe`](Self::subscribe). Under a profile
    /// without a number for the message, the remaining services are subscribed instead.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe(&mut self, now: Instant, services: Services) -> Result<u32, RequestError> {
        let (message, response) = (
            MessageType::ServiceUnsubscribeRequest,
            MessageType::ServiceUnsubscribeResponse,
        );
        let profile = &self.config.profile;
        if profile.message_id(message).is_none() || profile.message_id(response).is_none() {
            let mut rest = self.subscription.clone();
            rest.keep(rest.services.without(services));
            let request = ServiceSubscribeRequest {
                services: rest.services,
                access_point_groups: rest.access_point_groups,
                parameters: rest.parameters,
            };
            return self.subscribe(now, &request);
        }
        self.ask(now, message, response, Effect::Services, |w| {
            crate::wire::message::bodies::ServiceUnsubscribeRequest { services }.encode(w)
        })
    }

    /// Sends a request; [`Exchange`] lists them. The answer is [`Event::Response`], for a subscription of services
    /// [`Event::Subscribed`], or [`Event::RequestTimedOut`] with the returned transaction. An answer in several parts may
    /// take the request time-out for each of them.
    ///
    /// # Errors
    /// If the message is not a request of this role, the connection has ended, too many requests are open, or the message
    /// does not fit the wire profile.
    pub fn request(&mut self, now: Instant, message: &OwnedMessage) -> Result<u32, RequestError> {
        let effect = match message {
            OwnedMessage::ServiceSubscribeRequest(request) => return self.subscribe(now, request),
            OwnedMessage::ServiceUnsubscribeRequest(request) => {
                return self.unsubscribe(now, request.services);
            }
            OwnedMessage::LocationSubscribe(_) => Effect::Locations(true),
            OwnedMessage::LocationUnsubscribe(request) if request.targets.is_empty() => {
                Effect::Locations(false)
            }
            OwnedMessage::ApMonitorSubscription(request) => Effect::Monitor(!request.parameters.is_empty()),
            _ => Effect::Nothing,
        };
        let wrong_kind = RequestError::WrongKind {
            message: message
                .message_type()
                .map_or("a message without a name", MessageType::name),
            kind: "request",
        };
        let Some(request) = message.message_type() else {
            return Err(wrong_kind);
        };
        let Exchange::Request { response, .. } = Exchange::of(request) else {
            return Err(wrong_kind);
        };
        self.ask(now, request, response, effect, |w| message.write_body(w))
    }

    fn ask(
        &mut self,
        now: Instant,
        message: MessageType,
        response: MessageType,
        effect: Effect,
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<u32, RequestError> {
        self.require_sender(message)?;
        let limit = self.config.max_pending_requests;
        if self.requests.len() >= limit {
            return Err(RequestError::TooManyPending { limit });
        }
        let transaction = self.take_transaction();
        self.send(message, transaction, body)?;
        let deadline = after(now, self.config.request_timeout);
        self.requests.add(transaction, response, effect, deadline);
        Ok(transaction)
    }

    /// Answers a request of the peer, [`Event::Request`]. With a [`Part`] that is not the last one the request stays open
    /// for the next part, and the time for it begins anew.
    ///
    /// # Errors
    /// If no such request is open (it was answered already, or has timed out), the message is not its response, the
    /// connection has ended, or the message does not fit the wire profile; the request stays open then.
    pub fn respond(
        &mut self,
        now: Instant,
        transaction: u32,
        message: &OwnedMessage,
    ) -> Result<(), RequestError> {
        let response = self.asked(transaction)?;
        if message.message_type() != Some(response) {
            return Err(RequestError::WrongKind {
                message: message
                    .message_type()
                    .map_or("a message without a name", MessageType::name),
                kind: response.name(),
            });
        }
        self.send_response(now, response, transaction, |w| message.write_body(w))
    }

    /// Answers a request with a body that was encoded before, under the profile of this connection; otherwise the same as
    /// [`respond`](Self::respond).
    ///
    /// # Errors
    /// As [`respond`](Self::respond). Whether the body belongs to the response is not checked.
    pub fn respond_encoded(
        &mut self,
        now: Instant,
        transaction: u32,
        body: &[u8],
    ) -> Result<(), RequestError> {
        let response = self.asked(transaction)?;
        self.send_response(now, response, transaction, |w| {
            w.bytes(body);
            Ok(())
        })
    }

    fn send_response(
        &mut self,
        now: Instant,
        response: MessageType,
        transaction: u32,
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), RequestError> {
        let start = self.outgoing.len();
        self.send(response, transaction, body)?;
        match self.part_sent(start) {
            Some(part) if part.number < part.total => {
                let deadline = after(now, self.config.request_timeout);
                self.peer_requests.postpone(transaction, deadline);
            }
            _ => self.peer_requests.close(transaction),
        }
        Ok(())
    }

    /// Answers a request of the peer with a status and nothing else.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub fn refuse(&mut self, transaction: u32, status: StatusCode, text: &str) -> Result<(), RequestError> {
        let response = self.asked(transaction)?;
        self.send_status(transaction, response, status, text)?;
        self.peer_requests.close(transaction);
        Ok(())
    }

    /// The response that an open request of the peer wants.
    fn asked(&self, transaction: u32) -> Result<MessageType, RequestError> {
        if self.closed {
            return Err(RequestError::Closed);
        }
        self.peer_requests
            .response(transaction)
            .ok_or(RequestError::NotAsked(transaction))
    }

    /// The part that the message at this place of what waits to be sent says it is.
    fn part_sent(&self, start: usize) -> Option<Part> {
        let profile = &self.config.profile;
        let bytes = self.outgoing.get(start..)?;
        let (frame, _) = Frame::cut(profile, usize::MAX, bytes).ok()??;
        let mut elements = Elements::checked(frame.body, frame.body_offset, profile).iter();
        let (_, tlv) = elements.find(|(meaning, _)| *meaning == Some(Element::PART))?;
        Part::read_value(tlv.reader(profile), profile, "Part").ok()
    }

    /// Sends a notification with a body that was encoded before, under the profile of this connection. `sequence` becomes
    /// its sequence number: numbers start at 1 and go up by one, and a notification that was dropped before it was sent
    /// leaves a gap that the peer can see.
    ///
    /// # Errors
    /// If the message is not a notification of this role, the connection has ended, or the body is too long for the
    /// length field.
    pub fn send_notification(
        &mut self,
        message: MessageType,
        sequence: u32,
        body: &[u8],
    ) -> Result<(), RequestError> {
        self.require_notification(message)?;
        self.send(message, sequence, |w| {
            w.bytes(body);
            Ok(())
        })?;
        Ok(())
    }

    /// Sends the notification whose body `write` appends to what waits to be sent, without a copy between; see
    /// [`send_notification`](Self::send_notification). Returns the length of the body; `None` if `write` has nothing to
    /// send.
    ///
    /// # Errors
    /// As [`send_notification`](Self::send_notification); nothing is sent then.
    #[cfg(feature = "tokio")]
    pub(crate) fn send_notification_with(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Option<(MessageType, u32)>,
    ) -> Result<Option<usize>, RequestError> {
        let start = self.outgoing.len();
        let sent = self.write_notification(write);
        if !matches!(sent, Ok(Some(_))) {
            self.outgoing.truncate(start);
        }
        sent
    }

    #[cfg(feature = "tokio")]
    fn write_notification(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Option<(MessageType, u32)>,
    ) -> Result<Option<usize>, RequestError> {
        let (profile, start) = (&self.config.profile, self.outgoing.len());
        let mut wanted = None;
        let length = leave_room(profile, &mut self.outgoing, |out| {
            wanted = write(out);
            Ok::<(), EncodeError>(())
        })?;
        let Some((message, sequence)) = wanted else {
            return Ok(None);
        };
        self.require_notification(message)?;
        let id = profile
            .message_id(message)
            .ok_or(EncodeError::NotInProfile(message.name()))?;
        let place = self.outgoing.get_mut(start..).unwrap_or_default();
        Header::new(id, sequence).write(profile, length, place)?;
        self.count_or_take_back(message, start)?;
        Ok(Some(length))
    }

    /// Sends a notification with values of its own; see [`send_notification`](Self::send_notification).
    ///
    /// # Errors
    /// As [`send_notification`](Self::send_notification), and if the values do not fit the wire profile.
    pub fn notify(&mut self, sequence: u32, message: &OwnedMessage) -> Result<(), RequestError> {
        let notification = message.message_type().ok_or(RequestError::WrongKind {
            message: "a message without a name",
            kind: "notification",
        })?;
        self.require_notification(notification)?;
        self.send(notification, sequence, |w| message.write_body(w))?;
        Ok(())
    }

    /// Controller: sends a Measurement Notification; see [`send_notification`](Self::send_notification).
    ///
    /// # Errors
    /// As [`send_notification`](Self::send_notification).
    pub fn send_measurement(&mut self, sequence: u32, body: &[u8]) -> Result<(), RequestError> {
        self.send_notification(MessageType::MeasurementNotification, sequence, body)
    }

    /// Offers other services from now on, and tells the peer. Controller: a subscription of what is not offered any more
    /// ends, [`Event::SubscriptionChanged`]; the location server concludes the same from the notification.
    ///
    /// # Errors
    /// If the connection has ended, or the Capability Notification does not fit the wire profile.
    pub fn offer(&mut self, services: Services) -> Result<(), RequestError> {
        if self.closed {
            return Err(RequestError::Closed);
        }
        self.config.services = services;
        self.try_send_capability()?;
        if self.role == Role::Controller {
            self.keep_subscribed(services);
        }
        Ok(())
    }

    pub(super) fn keep_subscribed(&mut self, services: Services) {
        let ended = self.subscription.services.without(services);
        if !ended.is_empty() {
            self.subscription.keep(services);
            self.events.push_back(Event::SubscriptionChanged {
                subscription: self.subscription.clone(),
                rejected: ended,
            });
        }
    }

    pub(super) fn send_capability(&mut self) {
        let sent = self.try_send_capability();
        self.close_on_error(sent);
    }

    fn try_send_capability(&mut self) -> Result<(), EncodeError> {
        let capability = Capability {
            version: self.config.protocol_version,
            services: self.config.services,
            system_name: self.config.system_name.clone(),
            software_version: self.config.software_version.clone(),
        };
        let transaction = self.take_transaction();
        self.send(MessageType::CapabilityNotification, transaction, |w| {
            capability.encode(w)
        })
    }

    /// A goodbye that cannot be said, because the profile has no number for it, is left out: the stream ends all the same.
    pub(super) fn send_goodbye(&mut self, goodbye: &Disconnect) {
        let transaction = self.take_transaction();
        let _unsaid = self
            .send(MessageType::DisconnectNotification, transaction, |w| {
                goodbye.encode(w)
            })
            .is_err();
    }

    /// Refuses a request that the application has not seen, or did not answer.
    pub(super) fn send_refusal(
        &mut self,
        transaction: u32,
        response: MessageType,
        status: StatusCode,
        text: &str,
    ) -> Result<(), EncodeError> {
        self.counters.request_refused();
        self.send_status(transaction, response, status, text)
    }

    /// Every response to an application's request has a status and an explanation.
    fn send_status(
        &mut self,
        transaction: u32,
        response: MessageType,
        status: StatusCode,
        text: &str,
    ) -> Result<(), EncodeError> {
        self.send(response, transaction, |w| {
            let body = StatusResponse {
                status,
                explanation: (!text.is_empty()).then(|| text.into()),
            };
            body.encode(w)
        })
    }

    pub(super) fn send_subscribed(
        &mut self,
        transaction: u32,
        message: MessageType,
        response: &ServiceSubscribeResponse,
    ) -> Result<(), EncodeError> {
        self.send(message, transaction, |w| response.encode(w))
    }

    pub(super) fn send(
        &mut self,
        message: MessageType,
        transaction: u32,
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let profile = &self.config.profile;
        let id = profile
            .message_id(message)
            .ok_or(EncodeError::NotInProfile(message.name()))?;
        let start = self.outgoing.len();
        encode_message(Header::new(id, transaction), profile, &mut self.outgoing, body)?;
        self.count_or_take_back(message, start)
    }

    /// Counts the message that begins at `start`, or takes it back when it is longer than the connection carries.
    fn count_or_take_back(&mut self, message: MessageType, start: usize) -> Result<(), EncodeError> {
        let (length, limit) = (self.outgoing.len() - start, self.config.max_sent_length);
        if length > limit {
            self.outgoing.truncate(start);
            return Err(EncodeError::TooLongToSend {
                message: message.name(),
                length,
                limit,
            });
        }
        self.counters.sent(message, length);
        Ok(())
    }

    fn require_notification(&self, message: MessageType) -> Result<(), RequestError> {
        // The connection itself says what it can do, and goodbye.
        let own = [
            MessageType::CapabilityNotification,
            MessageType::DisconnectNotification,
        ];
        if !matches!(Exchange::of(message), Exchange::Notification { .. }) || own.contains(&message) {
            return Err(RequestError::WrongKind {
                message: message.name(),
                kind: "notification of an application",
            });
        }
        self.require_sender(message)
    }

    fn require_sender(&self, message: MessageType) -> Result<(), RequestError> {
        if self.closed {
            return Err(RequestError::Closed);
        }
        match (message.sender(), self.role) {
            (Sender::Both, _)
            | (Sender::Controller, Role::Controller)
            | (Sender::LocationServer, Role::LocationServer) => Ok(()),
            _ => Err(RequestError::WrongRole(self.role)),
        }
    }
}
