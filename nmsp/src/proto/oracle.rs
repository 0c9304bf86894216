//! What must hold for a connection whatever arrives and whatever its application does. Fuzz targets and tests call
//! [`script`]; a violation panics.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use bytes::BytesMut;

use super::{Connection, ConnectionConfig, Event, Exchange, RequestError, Role};
use crate::wire::frame::{Frame, Header, encode_message};
use crate::wire::message::bodies;
use crate::wire::message::{Sender, ServiceSubscribeRequest};
use crate::wire::numbers::{DisconnectReason, StatusCode};
use crate::wire::{MessageType, OwnedMessage, Service, Services, WireProfile};

/// How many requests may be open in each direction: few, so that the limit is reached.
const OPEN_REQUESTS: usize = 3;

/// What a script has made happen; tests of a corpus ask for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The peer's capabilities.
    pub established: bool,
    /// A changed subscription.
    pub subscription: bool,
    /// A request of the peer that the application was given.
    pub request: bool,
    /// A response to a request of this side.
    pub response: bool,
    /// A notification.
    pub notification: bool,
    /// A message without a name.
    pub unsupported: bool,
    /// A request that timed out.
    pub timed_out: bool,
    /// A goodbye of the peer.
    pub goodbye: bool,
}

/// Runs a script against a connection. The first byte chooses the role; then each byte is a step, and its lower five bits
/// say which or how much:
///
/// | upper three bits | step |
/// |---|---|
/// | 0 | the next bytes arrive as they stand; how many: the lower bits and the next byte, plus one |
/// | 1 | a message arrives whose type and transaction are the next two bytes, with as many bytes of body as the lower bits say |
/// | 2 | time passes: two to the power of the lower bits, in milliseconds |
/// | 3 | it becomes as late as the connection asked for |
/// | 4 | the application subscribes, or unsubscribes |
/// | 5 | the application asks |
/// | 6 | the application answers the oldest request |
/// | 7 | the stream ends, the application closes, pauses, offers something else, tells something |
///
/// Whatever the script is: all that is sent is whole messages that this role may send, with a goodbye as the last one at
/// most; each request has one end; tables keep their bounds; nothing happens after the end; and it makes no difference
/// whether the bytes arrive in one piece or one by one.
///
/// # Panics
/// If one of these promises is broken.
#[must_use]
pub fn script(bytes: &[u8]) -> Reached {
    let Some((role, steps)) = bytes.split_first() else {
        return Reached::default();
    };
    let role = match role % 2 {
        0 => Role::Controller,
        _ => Role::LocationServer,
    };
    let mut subject = Subject::new(role);
    let mut steps = Steps { bytes: steps };
    while let Some(step) = steps.next() {
        subject.step(step, &mut steps);
        subject.settle();
    }
    subject.end();
    subject.reached
}

/// The rest of a script.
struct Steps<'a> {
    bytes: &'a [u8],
}

impl<'a> Steps<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(length.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }
}

/// The connection, and the same connection that gets every byte on its own.
struct Subject {
    role: Role,
    now: Instant,
    whole: Connection,
    single: Connection,
    /// Requests of this side without an answer yet.
    asked: BTreeSet<u32>,
    /// Requests of the peer in the order they came.
    to_answer: Vec<(u32, MessageType)>,
    ended: bool,
    said_goodbye: bool,
    reached: Reached,
}

impl Subject {
    fn new(role: Role) -> Self {
        static EVERYTHING: LazyLock<Services> = LazyLock::new(|| Service::ALL.iter().copied().collect());
        let config = ConnectionConfig {
            services: *EVERYTHING,
            max_pending_requests: OPEN_REQUESTS,
            max_peer_requests: OPEN_REQUESTS,
            max_subscription_entries: 4,
            ..ConnectionConfig::default()
        };
        let now = Instant::now();
        let mut subject = Self {
            role,
            now,
            whole: Connection::new(config.clone(), role, now),
            single: Connection::new(config, role, now),
            asked: BTreeSet::new(),
            to_answer: Vec::new(),
            ended: false,
            said_goodbye: false,
            reached: Reached::default(),
        };
        subject.settle();
        subject
    }

    /// Does the same with both.
    fn both<T: PartialEq + core::fmt::Debug>(&mut self, act: impl Fn(&mut Connection) -> T) -> T {
        let (whole, single) = (act(&mut self.whole), act(&mut self.single));
        assert_eq!(whole, single, "both are in the same state");
        whole
    }

    fn step(&mut self, step: u8, steps: &mut Steps<'_>) {
        let (kind, detail) = (step >> 5, step & 0x1f);
        let now = self.now;
        match kind {
            0 => {
                let low = steps.next().unwrap_or_default();
                let length = usize::from(u16::from_be_bytes([detail, low])) + 1;
                self.arrive(steps.take(length));
            }
            1 => {
                let (message, transaction) = (steps.next(), steps.next());
                let body = steps.take(detail.into());
                self.arrive(&message_of(
                    message.unwrap_or_default(),
                    transaction.unwrap_or_default(),
                    body,
                ));
            }
            2 => {
                // At most 2^20 ms, a quarter of an hour, at once.
                self.now += Duration::from_millis(1 << (detail % 21));
                let now = self.now;
                self.both(|connection| connection.handle_timeout(now));
            }
            3 => self.wait(),
            4 => self.subscribe(detail),
            5 => self.ask(detail),
            6 => self.answer(detail),
            _ => match detail {
                0 => self.both(Connection::handle_end_of_stream),
                1 => self.both(Connection::close),
                2 => self.both(|connection| connection.close_with(DisconnectReason::OVERLOADED, "enough")),
                3 | 4 => self.both(|connection| connection.set_receiving(now, detail == 4)),
                5..=9 => {
                    let services = Services(u64::MAX << (detail - 5));
                    let offered = self.both(|connection| connection.offer(services));
                    self.only_fails_when_closed(&offered);
                }
                _ => self.tell(detail),
            },
        }
    }

    fn arrive(&mut self, bytes: &[u8]) {
        self.whole.handle_input(self.now, bytes);
        for byte in bytes {
            self.single.handle_input(self.now, &[*byte]);
        }
    }

    /// A deadline that has been dealt with must not be named again, or its owner would never come to rest.
    fn wait(&mut self) {
        let Some(deadline) = self.whole.poll_timeout() else {
            return;
        };
        self.now = self.now.max(deadline);
        let now = self.now;
        self.both(|connection| connection.handle_timeout(now));
        let next = self.both(|connection| connection.poll_timeout());
        assert!(
            next.is_none_or(|next| next > now),
            "a deadline that was met is past"
        );
    }

    fn only_fails_when_closed<T>(&self, outcome: &Result<T, RequestError>) {
        let expected = self.whole.is_closed();
        assert_eq!(
            matches!(outcome, Err(RequestError::Closed)),
            expected,
            "closed, or it worked"
        );
    }

    fn subscribe(&mut self, detail: u8) {
        let (now, services) = (self.now, Services(u64::from(detail)));
        let groups = (0..detail % 7).map(|group| group.to_string().into());
        let request = ServiceSubscribeRequest {
            access_point_groups: groups.collect(),
            ..services.into()
        };
        let asked = self.both(|connection| match detail % 3 {
            0 => connection.unsubscribe(now, services),
            _ => connection.subscribe(now, &request),
        });
        self.note_asked(&asked, Role::LocationServer);
    }

    fn ask(&mut self, detail: u8) {
        let requests = requests();
        let Some(request) = requests.get(usize::from(detail) % requests.len()) else {
            return;
        };
        let now = self.now;
        let asked = self.both(|connection| connection.request(now, request));
        let asker = match request.message_type().map(MessageType::sender) {
            Some(Sender::Both) => self.role,
            Some(Sender::Controller) => Role::Controller,
            _ => Role::LocationServer,
        };
        self.note_asked(&asked, asker);
    }

    fn note_asked(&mut self, asked: &Result<u32, RequestError>, asker: Role) {
        match asked {
            Ok(transaction) => assert!(self.asked.insert(*transaction), "a transaction of its own"),
            Err(RequestError::Closed) => assert!(self.whole.is_closed()),
            Err(RequestError::WrongRole(role)) => assert!(*role == self.role && asker != self.role),
            Err(RequestError::TooManyPending { .. }) => assert_eq!(self.asked.len(), OPEN_REQUESTS),
            Err(other) => panic!("{other} is none of the reasons"),
        }
    }

    fn answer(&mut self, detail: u8) {
        if self.to_answer.is_empty() {
            let unasked = self.both(|connection| connection.refuse(77, StatusCode::BUSY, ""));
            assert!(matches!(
                unasked,
                Err(RequestError::Closed | RequestError::NotAsked(77))
            ));
            return;
        }
        let (transaction, request) = self.to_answer.remove(0);
        let now = self.now;
        let response = Exchange::of(request).response();
        let responses = responses();
        let whole = responses
            .iter()
            .find(|message| message.message_type() == response);
        let outcome = match whole {
            Some(whole) if detail.is_multiple_of(2) => {
                self.both(|connection| connection.respond(now, transaction, whole))
            }
            _ => self.both(|connection| connection.refuse(transaction, StatusCode::NOT_FOUND, "unknown")),
        };
        // It may be too late.
        let is_expected = matches!(
            outcome,
            Ok(()) | Err(RequestError::Closed | RequestError::NotAsked(_))
        );
        assert!(is_expected, "{outcome:?}");
    }

    fn tell(&mut self, detail: u8) {
        let (message, sequence) = match detail % 2 {
            0 => (MessageType::MeasurementNotification, 1),
            _ => (MessageType::LocationNotification, 2),
        };
        let told = self.both(|connection| connection.send_notification(message, sequence, &[]));
        let is_expected = match told {
            Ok(()) => !self.whole.is_closed(),
            Err(RequestError::Closed) => self.whole.is_closed(),
            Err(RequestError::WrongRole(role)) => role == Role::LocationServer,
            Err(_) => false,
        };
        assert!(is_expected, "{told:?}");
    }

    /// Takes out what there is and holds it against the promises.
    fn settle(&mut self) {
        let (mut out, mut other) = (BytesMut::new(), BytesMut::new());
        self.whole.poll_transmit(&mut out);
        self.single.poll_transmit(&mut other);
        assert_eq!(out, other, "the same is sent however the bytes arrive");
        self.judge_sent(&out);
        while let Some(event) = self.whole.poll_event() {
            let twin = self.single.poll_event().expect("the same events");
            assert_eq!(
                core::mem::discriminant(&event),
                core::mem::discriminant(&twin),
                "the same events"
            );
            self.judge_event(event);
        }
        assert_eq!(self.single.pending_events(), 0, "the same events");
        assert_eq!(self.whole.is_closed(), self.ended, "an end is an event");
        let (open, (ours, theirs)) = (self.asked.len(), self.whole.open_requests());
        assert!(self.ended || open == ours, "each open request is known");
        assert!(
            ours <= OPEN_REQUESTS && theirs <= OPEN_REQUESTS,
            "tables keep their bounds"
        );
        let state = |connection: &Connection| {
            (
                connection.counters().snapshot(),
                connection.subscription_detail().clone(),
                connection.poll_timeout(),
            )
        };
        assert_eq!(state(&self.whole), state(&self.single), "the same state");
        assert!(
            !self.ended || self.whole.poll_timeout().is_none(),
            "nothing is due after the end"
        );
    }

    fn judge_sent(&mut self, mut out: &[u8]) {
        let profile = WireProfile::built_in();
        while !out.is_empty() {
            assert!(!self.said_goodbye, "a goodbye is the last message");
            let (frame, length) = Frame::cut(profile, usize::MAX, out)
                .expect("our own message")
                .expect("a whole message");
            let message = OwnedMessage::decode(&frame, profile).expect("a message that can be read");
            let kind = message.message_type().expect("a message with a name");
            let is_ours = match kind.sender() {
                Sender::Both => true,
                Sender::Controller => self.role == Role::Controller,
                Sender::LocationServer => self.role == Role::LocationServer,
            };
            assert!(is_ours, "{kind} is not for this role to send");
            self.said_goodbye = kind == MessageType::DisconnectNotification;
            out = out.split_at(length).1;
        }
    }

    fn judge_event(&mut self, event: Event) {
        assert!(!self.ended, "nothing happens after the end");
        match event {
            Event::Established(_) => self.reached.established = true,
            Event::SubscriptionChanged { .. } => self.reached.subscription = true,
            Event::Subscribed { transaction, .. } => self.answered(transaction),
            Event::Response {
                transaction, last, ..
            } => {
                self.reached.response = true;
                if last {
                    self.answered(transaction);
                } else {
                    assert!(
                        self.asked.contains(&transaction),
                        "a part of an answer to a request"
                    );
                }
            }
            Event::RequestTimedOut { transaction } => {
                self.reached.timed_out = true;
                self.answered(transaction);
            }
            Event::Request { transaction, frame } => {
                self.reached.request = true;
                let request = frame.message_type().expect("a request has a name");
                assert!(matches!(Exchange::of(request), Exchange::Request { .. }));
                self.to_answer.push((transaction, request));
            }
            Event::Notification(frame) => {
                self.reached.notification = true;
                // What an event carries can be read.
                assert_eq!(frame.to_owned().message_type(), frame.message_type());
            }
            Event::Unsupported(frame) => {
                self.reached.unsupported = true;
                assert_eq!(frame.message_type(), None);
            }
            Event::Closed(reason) => {
                self.ended = true;
                self.reached.goodbye |= matches!(reason, super::CloseReason::Disconnected { .. });
            }
            Event::CapabilityChanged(_) | Event::EchoAnswered { .. } => {}
        }
    }

    fn answered(&mut self, transaction: u32) {
        assert!(
            self.asked.remove(&transaction),
            "an answer to an open request, once"
        );
    }

    /// However it went, the connection can be ended, and comes to rest then.
    fn end(&mut self) {
        self.both(Connection::close);
        self.settle();
        assert!(self.ended);
        self.arrive(&message_of(1, 1, &[]));
        let late = self.now + Duration::from_secs(3600);
        self.both(|connection| connection.handle_timeout(late));
        self.settle();
    }
}

/// A whole message: its type by the order of [`MessageType::ALL`], beyond it one without a name.
fn message_of(message: u8, transaction: u8, body: &[u8]) -> BytesMut {
    let profile: &Arc<WireProfile> = WireProfile::built_in();
    let named = MessageType::ALL.get(usize::from(message));
    let id = named.and_then(|message| profile.message_id(*message));
    let header = Header::new(id.unwrap_or(crate::wire::MessageId(40_000)), transaction.into());
    let mut out = BytesMut::new();
    encode_message(header, profile, &mut out, |writer| {
        writer.bytes(body);
        Ok(())
    })
    .expect("a short body fits");
    out
}

/// Requests that applications send.
fn requests() -> &'static [OwnedMessage] {
    static REQUESTS: LazyLock<Vec<OwnedMessage>> = LazyLock::new(|| {
        vec![
            OwnedMessage::LocationRequest(bodies::LocationRequest::default()),
            OwnedMessage::LocationSubscribe(bodies::LocationSubscribe::default()),
            OwnedMessage::LocationUnsubscribe(bodies::LocationUnsubscribe::default()),
            OwnedMessage::MeasurementRequest(bodies::StationRequest::default()),
            OwnedMessage::ApMonitorSubscription(bodies::MonitorSubscription::default()),
            OwnedMessage::DeviceInfoRequest(bodies::DeviceRequest::default()),
        ]
    });
    &REQUESTS
}

/// Responses that applications send; other requests are refused.
fn responses() -> &'static [OwnedMessage] {
    static RESPONSES: LazyLock<Vec<OwnedMessage>> = LazyLock::new(|| {
        let part = crate::wire::elements::Part { number: 1, total: 2 };
        vec![
            OwnedMessage::LocationResponse(bodies::LocationResponse::default()),
            OwnedMessage::ApMonitorResponse(bodies::StatusResponse::default()),
            OwnedMessage::MeasurementResponse(bodies::MeasurementResponse {
                part: Some(part),
                ..bodies::MeasurementResponse::default()
            }),
            OwnedMessage::DeviceInfoResponse(bodies::DeviceResponse::default()),
        ]
    });
    &RESPONSES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reaches_what_its_steps_say() {
        let capability = [
            0, 1, 0, 2, 0, 1, 0, 2, 0, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ];
        let mut steps = vec![1, 0x20 | 18, 2, 0];
        steps.extend(capability);
        // Somebody asks where something is, we ask the same, an unknown message comes, time passes, goodbye.
        steps.extend([0x20, 21, 9, 0xc0, 0xa0, 0x20, 200, 1, 0x40 | 14]);
        steps.extend([0x20 | 6, 17, 0, 0, 10, 0, 2, 0, 1]);
        let reached = script(&steps);
        let expected = Reached {
            established: true,
            request: true,
            unsupported: true,
            timed_out: true,
            goodbye: true,
            ..Reached::default()
        };
        assert_eq!(reached, expected);
        assert_eq!(script(&[]), Reached::default());
    }
}
