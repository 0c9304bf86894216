//! Counters of one connection, named as in the vendor's YANG model.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::wire::MessageType;

/// One number per named message, plus one for the rest. Shared with whoever prints the status; reading never stops the
/// connection.
#[derive(Debug)]
pub struct ConnectionCounters {
    tx_messages: Vec<AtomicU64>,
    rx_messages: Vec<AtomicU64>,
    unsolicited: Vec<AtomicU64>,
    unsupported: AtomicU64,
    tx_frames: AtomicU64,
    rx_frames: AtomicU64,
    tx_bytes: AtomicU64,
    rx_bytes: AtomicU64,
    unmatched_responses: AtomicU64,
    timed_out_requests: AtomicU64,
    duplicate_requests: AtomicU64,
    refused_requests: AtomicU64,
}

impl Default for ConnectionCounters {
    fn default() -> Self {
        let per_message = || MessageType::ALL.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            tx_messages: per_message(),
            rx_messages: per_message(),
            unsolicited: per_message(),
            unsupported: AtomicU64::new(0),
            tx_frames: AtomicU64::new(0),
            rx_frames: AtomicU64::new(0),
            tx_bytes: AtomicU64::new(0),
            rx_bytes: AtomicU64::new(0),
            unmatched_responses: AtomicU64::new(0),
            timed_out_requests: AtomicU64::new(0),
            duplicate_requests: AtomicU64::new(0),
            refused_requests: AtomicU64::new(0),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn add_bytes(counter: &AtomicU64, length: usize) {
    counter.fetch_add(u64::try_from(length).unwrap_or(u64::MAX), Ordering::Relaxed);
}

fn add_message(counters: &[AtomicU64], message: MessageType) {
    if let Some(counter) = counters.get(message.position()) {
        add(counter);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl ConnectionCounters {
    pub(super) fn sent(&self, message: MessageType, length: usize) {
        add(&self.tx_frames);
        add_bytes(&self.tx_bytes, length);
        add_message(&self.tx_messages, message);
    }

    pub(crate) fn received(&self, message: Option<MessageType>, length: usize) {
        add(&self.rx_frames);
        add_bytes(&self.rx_bytes, length);
        if let Some(message) = message {
            add_message(&self.rx_messages, message);
        }
    }

    pub(super) fn unsupported(&self) {
        add(&self.unsupported);
    }

    pub(super) fn unmatched_response(&self) {
        add(&self.unmatched_responses);
    }

    pub(super) fn unsolicited(&self, message: MessageType) {
        add_message(&self.unsolicited, message);
    }

    pub(super) fn request_timed_out(&self) {
        add(&self.timed_out_requests);
    }

    pub(super) fn duplicate_request(&self) {
        add(&self.duplicate_requests);
    }

    pub(super) fn request_refused(&self) {
        add(&self.refused_requests);
    }

    /// How often a message was sent.
    #[must_use]
    pub fn tx(&self, message: MessageType) -> u64 {
        self.tx_messages.get(message.position()).map_or(0, read)
    }

    /// How often a message was received.
    #[must_use]
    pub fn rx(&self, message: MessageType) -> u64 {
        self.rx_messages.get(message.position()).map_or(0, read)
    }

    /// How many messages were received.
    #[must_use]
    pub fn received_messages(&self) -> u64 {
        read(&self.rx_frames)
    }

    /// All counters at one moment (each is read once; they are not read under a lock).
    #[must_use]
    pub fn snapshot(&self) -> CounterSnapshot {
        let messages = |counters: &[AtomicU64]| {
            MessageType::ALL
                .iter()
                .zip(counters)
                .map(|(message, counter)| MessageCount {
                    message: *message,
                    count: read(counter),
                })
                .filter(|entry| entry.count > 0)
                .collect()
        };
        CounterSnapshot {
            tx_msg_counter: messages(&self.tx_messages),
            rx_msg_counter: messages(&self.rx_messages),
            unsupported_msg_count: read(&self.unsupported),
            tx_data_frames: read(&self.tx_frames),
            rx_data_frames: read(&self.rx_frames),
            tx_bytes: read(&self.tx_bytes),
            rx_bytes: read(&self.rx_bytes),
            unmatched_responses: read(&self.unmatched_responses),
            unsolicited_notifications: messages(&self.unsolicited),
            timed_out_requests: read(&self.timed_out_requests),
            duplicate_requests: read(&self.duplicate_requests),
            refused_requests: read(&self.refused_requests),
        }
    }
}

/// How often one message was sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MessageCount {
    /// The message.
    #[serde(serialize_with = "by_name")]
    pub message: MessageType,
    /// How often.
    pub count: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes every field by reference"
)]
fn by_name<S: serde::Serializer>(message: &MessageType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(message.name())
}

/// The counters of a connection at one moment. In JSON with the names of the YANG model.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CounterSnapshot {
    /// `tx-msg-counter`: messages sent, by message; those at zero are left out.
    pub tx_msg_counter: Vec<MessageCount>,
    /// `rx-msg-counter`: messages received, by message; those at zero and those without a name are left out.
    pub rx_msg_counter: Vec<MessageCount>,
    /// `unsupported-msg-count`: received messages without a name.
    pub unsupported_msg_count: u64,
    /// `tx-data-frames`: messages sent.
    pub tx_data_frames: u64,
    /// `rx-data-frames`: messages received.
    pub rx_data_frames: u64,
    /// Ours: bytes of the messages sent, headers included, TLS not.
    pub tx_bytes: u64,
    /// Ours: bytes of the complete messages received, headers included, TLS not.
    pub rx_bytes: u64,
    /// Ours: responses that no request was waiting for.
    pub unmatched_responses: u64,
    /// Ours: notifications that came without a subscription, by message; those at zero are left out.
    pub unsolicited_notifications: Vec<MessageCount>,
    /// Ours: requests of this side that got no response in time.
    pub timed_out_requests: u64,
    /// Ours: requests of the peer that repeated an open one.
    pub duplicate_requests: u64,
    /// Ours: requests of the peer that the connection itself refused: not offered, busy, transaction in use, not answered
    /// in time.
    pub refused_requests: u64,
}

impl CounterSnapshot {
    /// How often a message was sent.
    #[must_use]
    pub fn tx(&self, message: MessageType) -> u64 {
        count_of(&self.tx_msg_counter, message)
    }

    /// How often a message was received.
    #[must_use]
    pub fn rx(&self, message: MessageType) -> u64 {
        count_of(&self.rx_msg_counter, message)
    }

    /// How often a notification came without a subscription.
    #[must_use]
    pub fn unsolicited(&self, message: MessageType) -> u64 {
        count_of(&self.unsolicited_notifications, message)
    }

    /// Adds what another connection counted.
    pub fn merge(&mut self, other: &Self) {
        // Named one by one, so that a new counter is not forgotten here.
        let Self {
            tx_msg_counter,
            rx_msg_counter,
            unsupported_msg_count,
            tx_data_frames,
            rx_data_frames,
            tx_bytes,
            rx_bytes,
            unmatched_responses,
            unsolicited_notifications,
            timed_out_requests,
            duplicate_requests,
            refused_requests,
        } = self;
        merge_counts(tx_msg_counter, &other.tx_msg_counter);
        merge_counts(rx_msg_counter, &other.rx_msg_counter);
        *unsupported_msg_count += other.unsupported_msg_count;
        *tx_data_frames += other.tx_data_frames;
        *rx_data_frames += other.rx_data_frames;
        *tx_bytes += other.tx_bytes;
        *rx_bytes += other.rx_bytes;
        *unmatched_responses += other.unmatched_responses;
        merge_counts(unsolicited_notifications, &other.unsolicited_notifications);
        *timed_out_requests += other.timed_out_requests;
        *duplicate_requests += other.duplicate_requests;
        *refused_requests += other.refused_requests;
    }
}

/// Both are in the order of [`MessageType::ALL`], and stay so.
fn merge_counts(to: &mut Vec<MessageCount>, from: &[MessageCount]) {
    for added in from {
        match to.binary_search_by_key(&added.message, |entry| entry.message) {
            Ok(index) => {
                if let Some(entry) = to.get_mut(index) {
                    entry.count += added.count;
                }
            }
            Err(index) => to.insert(index, *added),
        }
    }
}

fn count_of(counts: &[MessageCount], message: MessageType) -> u64 {
    counts
        .iter()
        .find(|entry| entry.message == message)
        .map_or(0, |entry| entry.count)
}
