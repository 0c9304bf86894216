//! Plays one side of a recorded session against a live peer. No I/O and no clock: the caller sends, waits and listens.
//!
//! What the recorded side told on its own is sent at its time. What it answered is sent when the live peer has asked for the
//! same, with the transaction of the live request; the times of everything behind it count from there. Echo requests of the
//! live peer are answered at once, recorded echo responses are not sent.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;

use super::Entry;
use crate::capture::Direction;
use crate::proto::Exchange;
use crate::wire::{Frame, MessageType, WireProfile};

/// How many differences are kept; beyond, they are only counted.
const MAX_DIFFERENCES: usize = 100;

/// How many requests of the live peer may wait for their recorded answer. Recorded sessions ask rarely; a peer that asks
/// without end must not cost memory.
const MAX_WAITING_REQUESTS: usize = 1024;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Take the next entry of the recording with [`Replay::entry`].
    Entry,
    /// Send these bytes this long after the anchor.
    Send {
        /// Since the anchor: the start, or when [`Reply::anchor`] was last set.
        after: Duration,
        /// The whole message.
        bytes: Vec<u8>,
    },
    /// Wait until the live peer has sent a request of this kind.
    Await(MessageType),
}

/// What a received message causes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Send this at once.
    pub send: Option<Vec<u8>>,
    /// The recorded time that is now, if the message was waited for.
    pub anchor: Option<Duration>,
}

/// An answer or request of the live peer that is not the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the recording has.
    pub expected: String,
    /// What the live peer sent; `None` if nothing.
    pub found: Option<String>,
}

impl core::fmt::Display for Difference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.found {
            Some(found) => write!(f, "expected {}, got {found}", self.expected),
            None => write!(f, "expected {}, got nothing", self.expected),
        }
    }
}

/// A recorded side that plays.
#[derive(Debug)]
pub struct Replay {
    profile: Arc<WireProfile>,
    ours: Direction,
    /// Recorded requests of the peer that are not answered yet in the recording, by transaction.
    recorded_requests: HashMap<u32, MessageType>,
    /// Live requests that wait for their recorded answer, the first first.
    live_requests: HashMap<MessageType, VecDeque<u32>>,
    waiting: usize,
    /// An answer whose request has not come yet.
    held: Option<(MessageType, Entry)>,
    /// Recorded requests and answers of the peer, for the comparison, by kind.
    expected: HashMap<MessageType, VecDeque<Vec<u8>>>,
    differences: Vec<Difference>,
    difference_count: u64,
    compared: u64,
    sent: u64,
    received: u64,
}

/// What a message is, as far as replaying goes.
struct Parts<'a> {
    kind: Option<MessageType>,
    transaction: u32,
    body: &'a [u8],
}

impl Replay {
    /// Plays what went in this direction.
    #[must_use]
    pub fn new(profile: Arc<WireProfile>, ours: Direction) -> Self {
        Self {
            profile,
            ours,
            recorded_requests: HashMap::new(),
            live_requests: HashMap::new(),
            waiting: 0,
            held: None,
            expected: HashMap::new(),
            differences: Vec::new(),
            difference_count: 0,
            compared: 0,
            sent: 0,
            received: 0,
        }
    }

    fn parts<'a>(&self, bytes: &'a [u8]) -> Option<Parts<'a>> {
        let (frame, _) = Frame::cut(&self.profile, usize::MAX, bytes).ok()??;
        Some(Parts {
            kind: self.profile.message_type(frame.header.id),
            transaction: frame.header.transaction,
            body: frame.body,
        })
    }

    /// What to do next, if the last entry left something to do.
    pub fn next_step(&mut self) -> Next {
        let Some((request, entry)) = self.held.take() else {
            return Next::Entry;
        };
        let waiting = self.live_requests.get_mut(&request).and_then(VecDeque::pop_front);
        let Some(transaction) = waiting else {
            self.held = Some((request, entry));
            return Next::Await(request);
        };
        self.waiting -= 1;
        self.sent += 1;
        Next::Send {
            after: entry.time,
            bytes: self.with_transaction(&entry.bytes, transaction),
        }
    }

    /// Takes the next entry of the recording.
    pub fn entry(&mut self, entry: Entry) -> Next {
        let Some(parts) = self.parts(&entry.bytes) else {
            // The reader of the file has no opinion on messages; what cannot be cut cannot be sent.
            return Next::Entry;
        };
        let (kind, transaction) = (parts.kind, parts.transaction);
        let exchange = kind.map(Exchange::of);
        if entry.direction != self.ours {
            let Some(kind) = kind.filter(|kind| !is_echo(*kind)) else {
                return Next::Entry;
            };
            if exchange.and_then(Exchange::response).is_some() {
                self.recorded_requests.insert(transaction, kind);
            }
            if !matches!(exchange, Some(Exchange::Notification { .. })) {
                let body = parts.body.to_vec();
                self.expected.entry(kind).or_default().push_back(body);
            }
            return Next::Entry;
        }
        if kind == Some(MessageType::EchoResponse) {
            return Next::Entry;
        }
        if exchange == Some(Exchange::Response)
            && let Some(request) = self.recorded_requests.get(&transaction).copied()
        {
            // Answers in several parts have the same transaction; the request stays known, the live one too.
            self.recorded_requests.remove(&transaction);
            self.held = Some((request, entry));
            return self.next_step();
        }
        self.sent += 1;
        Next::Send {
            after: entry.time,
            bytes: entry.bytes,
        }
    }

    /// Takes a message of the live peer.
    pub fn received(&mut self, bytes: &[u8]) -> Reply {
        self.received += 1;
        let Some(parts) = self.parts(bytes) else {
            return Reply::default();
        };
        let Some(kind) = parts.kind else {
            return Reply::default();
        };
        if kind == MessageType::EchoRequest {
            return Reply {
                send: self.echo_response(parts.transaction, parts.body),
                anchor: None,
            };
        }
        if is_echo(kind) {
            return Reply::default();
        }
        if !matches!(Exchange::of(kind), Exchange::Notification { .. }) {
            self.compare(kind, parts.body);
        }
        if Exchange::of(kind).response().is_none() {
            return Reply::default();
        }
        let transaction = parts.transaction;
        if self.waiting < MAX_WAITING_REQUESTS {
            self.waiting += 1;
            self.live_requests.entry(kind).or_default().push_back(transaction);
        }
        let anchor = match &self.held {
            Some((request, entry)) if *request == kind => Some(entry.time),
            _ => None,
        };
        Reply { send: None, anchor }
    }

    fn echo_response(&self, transaction: u32, body: &[u8]) -> Option<Vec<u8>> {
        let id = self.profile.message_id(MessageType::EchoResponse)?;
        let header = crate::wire::Header::new(id, transaction);
        let mut out = BytesMut::new();
        header.encode(&self.profile, body.len(), &mut out).ok()?;
        out.extend_from_slice(body);
        Some(out.to_vec())
    }

    fn compare(&mut self, kind: MessageType, body: &[u8]) {
        let Some(expected) = self.expected.get_mut(&kind).and_then(VecDeque::pop_front) else {
            return;
        };
        self.compared += 1;
        if expected != body {
            let text = |body: &[u8]| format!("{kind} with body {}", crate::wire::Octets::from(body));
            self.differ(Difference {
                expected: text(&expected),
                found: Some(text(body)),
            });
        }
    }

    fn differ(&mut self, difference: Difference) {
        self.difference_count += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(difference);
        }
    }

    /// The recording has ended and the peer had its time: what it did not send differs, too. Returns how many requests and
    /// answers were compared, how many of them differ, and the first of those.
    pub fn finish(mut self) -> (u64, u64, Vec<Difference>) {
        let mut missing: Vec<MessageType> = Vec::new();
        for (kind, bodies) in &self.expected {
            missing.extend(core::iter::repeat_n(*kind, bodies.len()));
        }
        missing.sort_by_key(|kind| kind.position());
        for kind in missing {
            self.differ(Difference {
                expected: kind.to_string(),
                found: None,
            });
        }
        (self.compared, self.difference_count, self.differences)
    }

    /// How many recorded requests and answers of the peer have not come yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.expected.values().map(VecDeque::len).sum()
    }

    /// How many messages were sent and received so far, echo responses not counted.
    #[must_use]
    pub const fn counts(&self) -> (u64, u64) {
        (self.sent, self.received)
    }

    /// The same message with another transaction.
    fn with_transaction(&self, bytes: &[u8], transaction: u32) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let field = self.profile.header().transaction;
        if let Some(place) = bytes.get_mut(field.range()) {
            self.profile.byte_order().write_uint(transaction, place);
        }
        bytes
    }
}

const fn is_echo(kind: MessageType) -> bool {
    matches!(kind, MessageType::EchoRequest | MessageType::EchoResponse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u16, transaction: u8, body: &[u8]) -> Vec<u8> {
        let length = u8::try_from(12 + body.len()).unwrap();
        let [high, low] = id.to_be_bytes();
        [&[1, 0, high, low, 0, 0, 0, length, 0, 0, 0, transaction], body].concat()
    }

    fn entry(micros: u64, direction: Direction, bytes: Vec<u8>) -> Entry {
        Entry {
            time: Duration::from_micros(micros),
            direction,
            bytes,
        }
    }

    const IN: Direction = Direction::ToController;
    const OUT: Direction = Direction::ToLocationServer;

    /// Capability, then the answer to a subscription, then a measurement.
    fn controller() -> (Replay, [Entry; 4]) {
        let replay = Replay::new(Arc::clone(WireProfile::built_in()), OUT);
        let entries = [
            entry(5, OUT, message(7, 0, &[1])),
            entry(10, IN, message(30, 3, &[2])),
            entry(12, OUT, message(31, 3, &[4])),
            entry(20, OUT, message(15, 1, &[5])),
        ];
        (replay, entries)
    }

    #[test]
    fn answers_what_was_recorded_with_the_transaction_of_the_live_request() {
        let (mut replay, [capability, request, response, measurement]) = controller();
        let bytes = capability.bytes.clone();
        let after = Duration::from_micros(5);
        assert_eq!(replay.entry(capability), Next::Send { after, bytes });
        assert_eq!(replay.entry(request), Next::Entry);
        let kind = MessageType::ServiceSubscribeRequest;
        assert_eq!(replay.entry(response), Next::Await(kind));
        assert_eq!(replay.next_step(), Next::Await(kind));
        let reply = replay.received(&message(30, 99, &[2]));
        assert_eq!(
            (reply.send, reply.anchor),
            (None, Some(Duration::from_micros(12)))
        );
        let after = Duration::from_micros(12);
        let bytes = message(31, 99, &[4]);
        assert_eq!(replay.next_step(), Next::Send { after, bytes });
        assert_eq!(replay.next_step(), Next::Entry);
        let bytes = measurement.bytes.clone();
        let after = Duration::from_micros(20);
        assert_eq!(replay.entry(measurement), Next::Send { after, bytes });
        assert_eq!(replay.outstanding(), 0);
        assert_eq!(replay.finish(), (1, 0, vec![]));
    }

    #[test]
    fn a_request_that_came_early_is_answered_at_its_turn() {
        let (mut replay, [_, request, response, _]) = controller();
        assert_eq!(replay.received(&message(30, 99, &[7])), Reply::default());
        assert_eq!(replay.entry(request), Next::Entry);
        let after = Duration::from_micros(12);
        let bytes = message(31, 99, &[4]);
        assert_eq!(replay.entry(response), Next::Send { after, bytes });
    }

    #[test]
    fn echo_requests_are_answered_at_once_and_recorded_answers_are_not_sent() {
        let mut replay = Replay::new(Arc::clone(WireProfile::built_in()), OUT);
        assert_eq!(replay.entry(entry(1, IN, message(1, 4, &[]))), Next::Entry);
        assert_eq!(replay.entry(entry(2, OUT, message(2, 4, &[]))), Next::Entry);
        let reply = replay.received(&message(1, 77, &[]));
        assert_eq!(reply.send, Some(message(2, 77, &[])));
        assert_eq!(replay.finish(), (0, 0, vec![]));
    }

    #[test]
    fn tells_answers_that_differ_and_answers_that_are_missing() {
        let mut replay = Replay::new(Arc::clone(WireProfile::built_in()), IN);
        let ask = entry(1, IN, message(30, 1, &[1]));
        assert!(matches!(replay.entry(ask), Next::Send { .. }));
        assert_eq!(replay.entry(entry(2, OUT, message(31, 1, &[1]))), Next::Entry);
        assert_eq!(replay.entry(entry(3, OUT, message(17, 2, &[1]))), Next::Entry);
        assert_eq!(replay.outstanding(), 2);
        assert_eq!(replay.received(&message(31, 1, &[2])), Reply::default());
        let (compared, count, differences) = replay.finish();
        assert_eq!((compared, count), (1, 2));
        let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "expected Service Subscribe Response with body 01, got Service Subscribe Response with body 02",
                "expected Information Response, got nothing",
            ]
        );
    }
}
