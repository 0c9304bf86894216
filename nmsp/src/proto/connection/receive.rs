//! What the connection makes of received messages.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use super::super::pending::{Admission, Effect};
use super::super::policy::check_parameters;
use super::super::{
    CloseReason, Event, Exchange, LOWEST_PROTOCOL_VERSION, MessageFrame, ProtocolError, Subscription, after,
};
use super::{Connection, Role, decode_error};
use crate::wire::frame::OwnedFrame;
use crate::wire::message::{
    Capability, Disconnect, Sender, ServiceSubscribeRequest, ServiceSubscribeResponse, SubscribeOutcome,
};
use crate::wire::numbers::{StatusCode, SubscribeStatus};
use crate::wire::{EncodeError, Message, MessageType, Services};

impl Connection {
    pub(super) fn handle_frame(&mut self, now: Instant, frame: OwnedFrame) {
        let profile = Arc::clone(&self.config.profile);
        let message = profile.message_type(frame.header.id);
        let frame = MessageFrame {
            frame,
            profile,
            message,
        };
        self.counters.received(message, frame.length());
        self.liveness.heard(now);
        let outcome = match Message::decode(&frame.frame(), &frame.profile) {
            Ok(decoded) => match self.handle_session(now, &decoded, &frame) {
                Ok(true) => Ok(()),
                Ok(false) => self.handle_application(now, frame),
                Err(reason) => Err(reason),
            },
            Err(error) => Err(ProtocolError::Decode { message, error }.into()),
        };
        self.close_on_error(outcome);
    }

    /// Deals with what keeps the connection. Returns whether the message was of that sort.
    fn handle_session(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        frame: &MessageFrame,
    ) -> Result<bool, CloseReason> {
        let transaction = frame.transaction();
        self.check_direction(message.message_type())?;
        match message {
            Message::CapabilityNotification(notification) => {
                self.handle_capability(notification.read().map_err(decode_error)?)?;
            }
            Message::DisconnectNotification(goodbye) => {
                return Err(told_to_go(goodbye.read().map_err(decode_error)?));
            }
            Message::EchoRequest(_) => {
                self.send(MessageType::EchoResponse, transaction, |w| {
                    w.bytes(frame.body());
                    Ok(())
                })?;
            }
            Message::EchoResponse(_) => self.handle_echo_response(now, transaction),
            Message::ServiceSubscribeRequest(request) => {
                self.handle_subscribe(transaction, request.read().map_err(decode_error)?)?;
            }
            Message::ServiceUnsubscribeRequest(request) => {
                let services = request.read().map_err(decode_error)?.services;
                self.handle_unsubscribe(transaction, services)?;
            }
            Message::ServiceSubscribeResponse(response) | Message::ServiceUnsubscribeResponse(response) => {
                let response = response.read().map_err(decode_error)?;
                self.handle_subscribe_response(now, frame, response);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn handle_application(&mut self, now: Instant, frame: MessageFrame) -> Result<(), CloseReason> {
        let Some(message) = frame.message_type() else {
            self.counters.unsupported();
            self.events.push_back(Event::Unsupported(frame));
            return Ok(());
        };
        match Exchange::of(message) {
            Exchange::Notification { services } => self.handle_notification(message, services, frame),
            Exchange::Response => self.handle_response(now, message, frame),
            Exchange::Request { response, services } => {
                self.handle_request(now, message, response, services, frame)?;
            }
            // Dealt with before; without a meaning of its own it would be one that nobody uses.
            Exchange::ConnectionRequest { .. } => self.counters.unsupported(),
        }
        Ok(())
    }

    fn check_direction(&self, message: Option<MessageType>) -> Result<(), CloseReason> {
        let Some(message) = message else {
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

    fn handle_capability(&mut self, capability: Capability) -> Result<(), CloseReason> {
        if capability.version < LOWEST_PROTOCOL_VERSION {
            let (offered, lowest) = (capability.version, LOWEST_PROTOCOL_VERSION);
            return Err(ProtocolError::Version { offered, lowest }.into());
        }
        let services = capability.services;
        let event = match self.peer.replace(capability.clone()) {
            None => Event::Established(capability),
            Some(_) => Event::CapabilityChanged(capability),
        };
        self.events.push_back(event);
        if self.role == Role::LocationServer {
            self.keep_subscribed(services);
        }
        Ok(())
    }

    fn handle_echo_response(&mut self, now: Instant, transaction: u32) {
        match self.liveness.echo_answered(transaction, now) {
            Some(round_trip) => self.events.push_back(Event::EchoAnswered { round_trip }),
            None => self.counters.unmatched_response(),
        }
    }

    fn handle_subscribe(
        &mut self,
        transaction: u32,
        request: ServiceSubscribeRequest,
    ) -> Result<(), EncodeError> {
        let message = MessageType::ServiceSubscribeResponse;
        if let Err(cause) = self.check_subscription(&request) {
            let mut response = self
                .subscription
                .response(SubscribeStatus::REJECTED, request.services);
            response.explanation = Some(format!("{cause}; nothing has changed").into());
            return self.send_subscribed(transaction, message, &response);
        }
        let (subscription, outcome) = Subscription::grant(request, self.config.services);
        let response = subscription.response(outcome.status, outcome.rejected);
        self.send_subscribed(transaction, message, &response)?;
        self.subscription = subscription;
        self.subscription_changed(outcome.rejected);
        Ok(())
    }

    /// What makes a controller reject a subscription as a whole.
    fn check_subscription(&self, request: &ServiceSubscribeRequest) -> Result<(), String> {
        let (entries, limit) = (
            request.access_point_groups.len() + request.parameters.len(),
            self.config.max_subscription_entries,
        );
        if entries > limit {
            return Err(format!(
                "{entries} groups and parameters, at most {limit} are taken"
            ));
        }
        check_parameters(&request.parameters).map_err(|error| error.to_string())
    }

    fn handle_unsubscribe(&mut self, transaction: u32, services: Services) -> Result<(), EncodeError> {
        let mut rest = self.subscription.clone();
        rest.keep(rest.services.without(services));
        let response = rest.response(SubscribeStatus::ACCEPTED, Services::NONE);
        self.send_subscribed(transaction, MessageType::ServiceUnsubscribeResponse, &response)?;
        self.subscription = rest;
        self.subscription_changed(Services::NONE);
        Ok(())
    }

    fn subscription_changed(&mut self, rejected: Services) {
        self.events.push_back(Event::SubscriptionChanged {
            subscription: self.subscription.clone(),
            rejected,
        });
    }

    /// A response says what is subscribed now, and the controller acts on it; so it counts even if it came too late for
    /// its request.
    fn handle_subscribe_response(
        &mut self,
        now: Instant,
        frame: &MessageFrame,
        response: ServiceSubscribeResponse,
    ) {
        let subscription = Subscription::from(&response);
        let outcome = SubscribeOutcome::from(&response);
        let is_new = subscription != self.subscription;
        self.subscription = subscription;
        let transaction = frame.transaction();
        let waiting = frame
            .message_type()
            .and_then(|message| self.requests.answer(transaction, message, None, now));
        match waiting {
            Some(_) => self.events.push_back(Event::Subscribed {
                transaction,
                outcome,
                response,
            }),
            None => {
                self.counters.unmatched_response();
                if is_new {
                    self.subscription_changed(outcome.rejected);
                }
            }
        }
    }

    fn handle_notification(&mut self, message: MessageType, services: Services, frame: MessageFrame) {
        let by_subscription =
            self.role == Role::LocationServer && !(services & self.subscription.services).is_empty();
        let wanted = by_subscription
            || services.is_empty()
            || match message {
                MessageType::LocationNotification => self.wanted.locations,
                MessageType::ApMonitorNotification => self.wanted.monitor,
                _ => false,
            };
        if wanted {
            self.events.push_back(Event::Notification(frame));
        } else {
            self.counters.unsolicited(message);
        }
    }

    fn handle_response(&mut self, now: Instant, message: MessageType, frame: MessageFrame) {
        let (transaction, deadline) = (frame.transaction(), after(now, self.config.request_timeout));
        let Some(answer) = self.requests.answer(transaction, message, frame.part(), deadline) else {
            self.counters.unmatched_response();
            return;
        };
        let done = matches!(
            frame.status(),
            Some(StatusCode::SUCCESS | StatusCode::PARTLY_DONE)
        );
        match answer.effect {
            Effect::Locations(wanted) if done => self.wanted.locations = wanted,
            Effect::Monitor(wanted) if done => self.wanted.monitor = wanted,
            _ => {}
        }
        self.events.push_back(Event::Response {
            transaction,
            frame,
            last: answer.last,
        });
    }

    fn handle_request(
        &mut self,
        now: Instant,
        message: MessageType,
        response: MessageType,
        family: Services,
        frame: MessageFrame,
    ) -> Result<(), CloseReason> {
        let transaction = frame.transaction();
        let wanted = services_asked(&frame)?.unwrap_or(family);
        if (wanted & self.config.services).is_empty() {
            let text = "this service is not offered";
            self.send_refusal(transaction, response, StatusCode::NOT_SUPPORTED, text)?;
            return Ok(());
        }
        let (deadline, limit) = (
            after(now, self.config.request_timeout),
            self.config.max_peer_requests,
        );
        match self
            .peer_requests
            .admit(transaction, message, response, deadline, limit)
        {
            Admission::Admitted => self.events.push_back(Event::Request { transaction, frame }),
            Admission::Duplicate => self.counters.duplicate_request(),
            Admission::TransactionInUse => {
                let text = "another request with this transaction is open";
                self.send_refusal(transaction, response, StatusCode::MALFORMED, text)?;
            }
            Admission::Full => {
                let text = "too many requests are open";
                self.send_refusal(transaction, response, StatusCode::BUSY, text)?;
            }
        }
        Ok(())
    }
}

/// The services that a request names, if it names any.
fn services_asked(frame: &MessageFrame) -> Result<Option<Services>, CloseReason> {
    let services = match frame.message() {
        Message::MeasurementRequest(request)
        | Message::InformationRequest(request)
        | Message::StatisticsRequest(request) => request.read().map_err(decode_error)?.services,
        Message::SpectrumRequest(request) => request.read().map_err(decode_error)?.services,
        _ => Services::NONE,
    };
    Ok((!services.is_empty()).then_some(services))
}

fn told_to_go(goodbye: Disconnect) -> CloseReason {
    CloseReason::Disconnected {
        reason: goodbye.reason,
        text: goodbye.explanation.unwrap_or_default(),
        retry_after: goodbye
            .retry_after_seconds
            .map(|seconds| Duration::from_secs(seconds.into())),
    }
}
