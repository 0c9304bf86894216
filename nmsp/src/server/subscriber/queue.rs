//! Everything that waits for one subscriber.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::Terms;
use super::lane::{Added, Lane};
use crate::proto::policy::{NotificationPolicy, NotificationRule};
use crate::server::requests::in_forms;
use crate::server::store::{RecordId, RecordKind, Slot, StationStore, Touched, Urgency};
use crate::wire::message::Measurement;
use crate::wire::numbers::LocationCapabilities;
use crate::wire::{Element, MessageType, Services, Writer};

/// How many bytes of records go into one message. Fills a TLS record, so that a message does not wait for a second one.
pub(super) const MESSAGE_BYTES: usize = 16_000;

/// What one subscriber's queue may hold.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct QueueBounds {
    /// Records and messages.
    pub(in crate::server) entries: usize,
    /// Bytes of messages; records are in the store and cost none here.
    pub(in crate::server) bytes: usize,
}

/// A notification of the application, encoded.
#[derive(Clone, Debug)]
pub(in crate::server) struct EncodedNotification {
    pub(in crate::server) message: MessageType,
    /// It goes to whoever subscribed one of these.
    pub(in crate::server) services: Services,
    pub(in crate::server) body: Bytes,
}

/// What is to be sent next; its body is in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) struct NextMessage {
    pub(in crate::server) message: MessageType,
    pub(in crate::server) sequence: u32,
}

/// What was lost, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The kind of record; `None` for notifications that the application sent as messages.
    pub kind: Option<RecordKind>,
    /// Superseded by a newer value of the same record while they waited to be sent.
    pub replaced: u64,
    /// Given up because too much waited.
    pub dropped: u64,
}

/// What is lost by one call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lost {
    pub(super) replaced: u64,
    pub(super) dropped: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    bounds: QueueBounds,
    /// One lane for each kind of record; none before the first record.
    lanes: Vec<Lane>,
    messages: VecDeque<(u64, EncodedNotification)>,
    message_bytes: usize,
    dropped_messages: u64,
    /// Entries in all lanes, and messages.
    length: usize,
    turn: u64,
    /// The lane that may send next, so that none starves.
    next_lane: usize,
    last_sequence: u32,
    /// Measurements lost since the last message was made.
    lost: u32,
    /// Reused for subscribers with AP groups.
    filtered: Measurement,
}

impl Queue {
    pub(super) fn new(bounds: QueueBounds) -> Self {
        Self {
            bounds,
            lanes: Vec::new(),
            messages: VecDeque::new(),
            message_bytes: 0,
            dropped_messages: 0,
            length: 0,
            turn: 0,
            next_lane: 0,
            last_sequence: 0,
            lost: 0,
            filtered: Measurement::default(),
        }
    }

    /// Adds records of one kind. Returns what was lost, and whether the connection has to look now.
    pub(super) fn add(
        &mut self,
        kind: RecordKind,
        touched: impl Iterator<Item = Touched>,
        urgency: Urgency,
    ) -> (usize, Lost, bool) {
        if self.lanes.is_empty() {
            self.lanes = RecordKind::ALL.iter().map(|_| Lane::default()).collect();
        }
        let mut lost = Lost::default();
        let lane = self.lanes.get(kind.position());
        let waited = lane.is_some_and(Lane::has_unreleased);
        let (mut added, mut began) = (0, false);
        for touched in touched {
            added += 1;
            self.turn += 1;
            let turn = self.turn;
            let Some(lane) = self.lanes.get_mut(kind.position()) else {
                break;
            };
            match lane.add(touched, urgency, turn) {
                Added::Waits => {
                    began = !waited;
                    self.length += 1;
                }
                Added::Joined => {}
                Added::Replaced => {
                    lane.replaced += 1;
                    lost.replaced += 1;
                }
            }
            if self.length > self.bounds.entries {
                self.drop_oldest();
                lost.dropped += 1;
            }
        }
        if let Some(lane) = self.lanes.get_mut(kind.position())
            && urgency == Urgency::AtOnce
        {
            lane.release();
        }
        self.note_lost(lost.replaced + lost.dropped);
        (added, lost, began || urgency == Urgency::AtOnce)
    }

    /// Adds a message of the application. Returns how many messages were dropped for it.
    pub(super) fn add_message(&mut self, notification: EncodedNotification) -> Lost {
        self.turn += 1;
        self.length += 1;
        self.message_bytes += notification.body.len();
        self.messages.push_back((self.turn, notification));
        let mut lost = Lost::default();
        while self.message_bytes > self.bounds.bytes && !self.messages.is_empty() {
            self.drop_message();
            lost.dropped += 1;
        }
        if self.length > self.bounds.entries {
            self.drop_oldest();
            lost.dropped += 1;
        }
        self.note_lost(lost.dropped);
        lost
    }

    fn note_lost(&mut self, lost: u64) {
        self.lost = self.lost.saturating_add(u32::try_from(lost).unwrap_or(u32::MAX));
    }

    fn drop_message(&mut self) {
        if let Some((_, notification)) = self.messages.pop_front() {
            self.message_bytes -= notification.body.len();
            self.length -= 1;
            self.dropped_messages += 1;
        }
    }

    /// Gives up the entry that has waited for longest, in whatever lane it is.
    fn drop_oldest(&mut self) {
        let oldest_record = self
            .lanes
            .iter_mut()
            .filter_map(|lane| lane.oldest().map(|turn| (turn, lane)))
            .min_by_key(|(turn, _)| *turn);
        let oldest_message = self.messages.front().map(|(turn, _)| *turn);
        match (oldest_record, oldest_message) {
            (Some((turn, lane)), message) if message.is_none_or(|message| turn < message) => {
                lane.pop();
                lane.dropped += 1;
                self.length -= 1;
            }
            _ => self.drop_message(),
        }
    }

    /// Makes the next message: its body is appended to `out`. `None` if nothing may be sent now.
    pub(super) fn next_message(
        &mut self,
        now: Instant,
        policy: &NotificationPolicy,
        terms: &Terms,
        store: &StationStore,
        out: &mut BytesMut,
    ) -> Option<NextMessage> {
        if self.length == 0 {
            return None;
        }
        let start = out.len();
        for (position, kind) in self.kinds_in_turn() {
            let Some(lane) = self.lanes.get_mut(position) else {
                break;
            };
            if lane.len() == 0 {
                continue;
            }
            let rule = terms.rule(kind, policy);
            match rule {
                Some(rule) => lane.release_if_due(now, rule.interval()),
                None => lane.release(),
            }
            let before = lane.len();
            let threshold = rule.map_or(0, |rule: NotificationRule| rule.rssi_threshold_db);
            let mut batch = Batch {
                kind,
                terms,
                threshold,
                store,
                filtered: &mut self.filtered,
                out,
                start,
            };
            batch.fill(lane);
            self.length -= before - lane.len();
            if out.len() > start {
                self.next_lane = position + 1;
                return Some(self.numbered(kind.message()));
            }
        }
        let (_, notification) = self.messages.pop_front()?;
        self.length -= 1;
        self.message_bytes -= notification.body.len();
        out.extend_from_slice(&notification.body);
        self.next_lane = 0;
        Some(self.numbered(notification.message))
    }

    /// Every kind with its place, beginning with the one whose turn it is. Messages come at the end of a round.
    fn kinds_in_turn(&self) -> impl Iterator<Item = (usize, RecordKind)> + use<> {
        let all = RecordKind::ALL.len();
        let first = self.next_lane.min(all);
        let again = if self.messages.is_empty() { first } else { 0 };
        (first..all)
            .chain(0..again)
            .filter_map(|position| RecordKind::ALL.get(position).map(|kind| (position, *kind)))
    }

    fn numbered(&mut self, message: MessageType) -> NextMessage {
        let lost = core::mem::take(&mut self.lost);
        self.last_sequence = self.last_sequence.wrapping_add(1).wrapping_add(lost);
        NextMessage {
            message,
            sequence: self.last_sequence,
        }
    }

    /// When something that waits for its interval may go.
    pub(super) fn deadline(&self, policy: &NotificationPolicy, terms: &Terms) -> Option<Instant> {
        let of_lane = |(kind, lane): (&RecordKind, &Lane)| {
            let rule = lane
                .has_unreleased()
                .then(|| terms.rule(*kind, policy))
                .flatten()?;
            lane.deadline(rule.interval())
        };
        RecordKind::ALL.iter().zip(&self.lanes).filter_map(of_lane).min()
    }

    /// Lets everything go, whatever the intervals: the connection is about to end.
    pub(super) fn release_all(&mut self) {
        self.lanes.iter_mut().for_each(Lane::release);
    }

    /// What is no longer subscribed does not wait any more; what the subscriber was told is forgotten.
    pub(super) fn resubscribed(&mut self, services: Services) {
        for (kind, lane) in RecordKind::ALL.iter().zip(&mut self.lanes) {
            if (kind.service_set() & services).is_empty() {
                self.length -= lane.clear();
            }
        }
        let before = self.messages.len();
        self.messages
            .retain(|(_, notification)| !(notification.services & services).is_empty());
        self.length -= before - self.messages.len();
        self.message_bytes = self.messages.iter().map(|(_, each)| each.body.len()).sum();
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// What was lost so far, by kind; kinds without a loss are left out.
    pub(super) fn losses(&self) -> Vec<Loss> {
        let records = RecordKind::ALL.iter().zip(&self.lanes).map(|(kind, lane)| Loss {
            kind: Some(*kind),
            replaced: lane.replaced,
            dropped: lane.dropped,
        });
        let messages = Loss {
            kind: None,
            replaced: 0,
            dropped: self.dropped_messages,
        };
        records
            .chain([messages])
            .filter(|loss| loss.replaced + loss.dropped > 0)
            .collect()
    }

    pub(super) fn unchanged(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.unchanged).sum()
    }
}

/// One message while it is made.
struct Batch<'a> {
    kind: RecordKind,
    terms: &'a Terms,
    threshold: u8,
    store: &'a StationStore,
    filtered: &'a mut Measurement,
    out: &'a mut BytesMut,
    /// Where the body begins.
    start: usize,
}

impl Batch<'_> {
    /// Moves what may be sent from the lane into the body, up to the size of a message.
    fn fill(&mut self, lane: &mut Lane) {
        let table = self.store.read(self.kind);
        let end = self.start + MESSAGE_BYTES.min(self.store.longest_body());
        if self.is_plain() {
            let mut sent = 0;
            for id in lane.sendable() {
                if let Some(slot) = table.slot(id) {
                    if !self.has_room(slot, end) {
                        break;
                    }
                    slot.element.append_to(self.out);
                }
                sent += 1;
            }
            lane.pop_many(sent);
            return;
        }
        while let Some(id) = lane.front() {
            if let Some(slot) = table.slot(id) {
                if !self.has_room(slot, end) {
                    return;
                }
                if self.terms.includes_state(self.kind, slot.associated)
                    && self.terms.includes_key(self.kind, slot.key)
                {
                    self.write(lane, id, slot);
                }
            }
            lane.pop();
        }
    }

    /// Whether a record fits in front of the end; the first one always does.
    #[inline]
    fn has_room(&self, slot: &Slot, end: usize) -> bool {
        self.out.len() + slot.element.len() <= end || self.out.len() == self.start
    }

    /// Whether records go out as the store has them.
    fn is_plain(&self) -> bool {
        let kind = self.kind;
        self.threshold == 0 && self.terms.groups(kind).is_empty() && self.terms.takes_all(kind)
    }

    fn write(&mut self, lane: &mut Lane, id: RecordId, slot: &Slot) {
        if let Some(forms) = self.terms.forms(self.kind) {
            self.write_location(slot, forms);
            return;
        }
        if !self.kind.is_measurement() {
            slot.element.append_to(self.out);
            return;
        }
        let readings = self.store.readings(slot);
        if !lane.is_worth_telling(id, readings, self.threshold) {
            return;
        }
        if self.write_measurement(slot) {
            lane.tell(id, readings, self.threshold);
        }
    }

    /// Appends a measurement, without the readings of access points that the subscriber did not ask for. Returns whether
    /// something was left.
    fn write_measurement(&mut self, slot: &Slot) -> bool {
        let wanted = self.terms.groups(self.kind);
        if wanted.is_empty() {
            slot.element.append_to(self.out);
            return true;
        }
        let Some(whole) = self.store.station(slot) else {
            return false;
        };
        let groups = self.store.groups();
        self.filtered.station = whole.station;
        self.filtered.class = whole.class;
        self.filtered.timestamp = whole.timestamp;
        self.filtered.state = whole.state();
        self.filtered.access_points.clear();
        let heard = whole
            .access_points()
            .filter(|reading| groups.contain(wanted, reading.access_point));
        self.filtered.access_points.extend(heard);
        if self.filtered.access_points.is_empty() {
            return false;
        }
        // It is shorter than the record, which was encoded before.
        let mut writer = Writer::new(self.out, self.store.profile());
        self.filtered.encode(&mut writer).is_ok()
    }

    /// Appends a location in the forms that the subscriber can use; nothing if there is none.
    fn write_location(&mut self, slot: &Slot, forms: LocationCapabilities) {
        let usable = self
            .store
            .decode(slot)
            .and_then(|location| in_forms(location, forms));
        if let Some(location) = usable {
            let written = Writer::new(self.out, self.store.profile()).element(Element::LOCATION, &location);
            debug_assert!(
                written.is_ok(),
                "it is shorter than the record, which was encoded before"
            );
        }
    }
}
