//! Counters of one connection, named as in the vendor's YANG model.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::wire::MessageType;

/// One number per named message, plus one for the rest. Shared with whoever prints the status; reading never stops the
/// connection.
#[derive(Debug)]
pub struct ConnectionCounters {
    tx_messages: Vec<AtomicU64>,
    rx_messages: Vec<AtomicU64>,
    unsupported: AtomicU64,
    tx_frames: AtomicU64,
    rx_frames: AtomicU64,
    unmatched_responses: AtomicU64,
    unsolicited_measurements: AtomicU64,
}

impl Default for ConnectionCounters {
    fn default() -> Self {
        let per_message = || MessageType::ALL.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            tx_messages: per_message(),
            rx_messages: per_message(),
            unsupported: AtomicU64::new(0),
            tx_frames: AtomicU64::new(0),
            rx_frames: AtomicU64::new(0),
            unmatched_responses: AtomicU64::new(0),
            unsolicited_measurements: AtomicU64::new(0),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
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
    pub(super) fn sent(&self, message: MessageType) {
        add(&self.tx_frames);
        add_message(&self.tx_messages, message);
    }

    pub(crate) fn received(&self, message: Option<MessageType>) {
        add(&self.rx_frames);
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

    pub(super) fn unsolicited_measurement(&self) {
        add(&self.unsolicited_measurements);
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
            unmatched_responses: read(&self.unmatched_responses),
            unsolicited_measurements: read(&self.unsolicited_measurements),
        }
    }
}

/// How often one message was sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageCount {
    /// The message.
    pub message: MessageType,
    /// How often.
    pub count: u64,
}

/// The counters of a connection at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CounterSnapshot {
    /// `tx-msg-counter`: messages sent, by message; those at zero are left out.
    pub tx_msg_counter: Vec<MessageCount>,
    /// `rx-msg-counter`: messages received, by message; those at zero and those without a name are left out.
    pub rx_msg_counter: Vec<MessageCount>,
    /// `unsupported-msg-count`: received messages that this crate has no type for.
    pub unsupported_msg_count: u64,
    /// `tx-data-frames`: messages sent.
    pub tx_data_frames: u64,
    /// `rx-data-frames`: messages received.
    pub rx_data_frames: u64,
    /// Ours: responses that no request was waiting for.
    pub unmatched_responses: u64,
    /// Ours: measurements that came without a subscription.
    pub unsolicited_measurements: u64,
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

    /// Adds what another connection counted.
    pub fn merge(&mut self, other: &Self) {
        // Named one by one, so that a new counter is not forgotten here.
        let Self {
            tx_msg_counter,
            rx_msg_counter,
            unsupported_msg_count,
            tx_data_frames,
            rx_data_frames,
            unmatched_responses,
            unsolicited_measurements,
        } = self;
        merge_counts(tx_msg_counter, &other.tx_msg_counter);
        merge_counts(rx_msg_counter, &other.rx_msg_counter);
        *unsupported_msg_count += other.unsupported_msg_count;
        *tx_data_frames += other.tx_data_frames;
        *rx_data_frames += other.rx_data_frames;
        *unmatched_responses += other.unmatched_responses;
        *unsolicited_measurements += other.unsolicited_measurements;
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
