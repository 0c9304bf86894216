//! Notes the first Finished message of a TLS 1.2 handshake while the handshake runs.
//!
//! rustls calls the pseudo-random function on the thread that drives the connection and says nothing of the
//! connection. So a slot of this thread belongs to one connection for as long as one step of it runs.

use core::cell::Cell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::TLS_UNIQUE_BYTES;

/// Finished messages of one handshake: the client's and the server's.
const FINISHED_MESSAGES: u8 = 2;

std::thread_local! {
    /// The record of the connection that this thread drives now.
    static CURRENT: Cell<Option<Record>> = const { Cell::new(None) };
}

#[derive(Clone, Copy, Default)]
struct Record {
    first: Option<[u8; TLS_UNIQUE_BYTES]>,
    finished_messages: u8,
    extended_master_secret: bool,
}

impl Record {
    /// Changes the record of the current connection, when there is one.
    fn change(change: impl FnOnce(&mut Self)) {
        CURRENT.with(|current| {
            if let Some(mut record) = current.get() {
                change(&mut record);
                current.set(Some(record));
            }
        });
    }
}

/// The verify_data of a Finished message was computed.
pub(super) fn note_finished(verify_data: &[u8]) {
    Record::change(|record| {
        record.finished_messages = record.finished_messages.saturating_add(1);
        if record.finished_messages == 1 {
            record.first = verify_data.try_into().ok();
        }
    });
}

/// The master secret was made as RFC 7627 says.
pub(super) fn note_extended_master_secret() {
    Record::change(|record| record.extended_master_secret = true);
}

/// Records the first Finished message of one connection.
///
/// One recorder per connection: what follows the handshake of a second connection in the same recorder has no
/// tls-unique, so a wrong use is refused and never mistaken.
#[derive(Clone, Default)]
pub struct FinishedRecorder {
    record: Record,
}

impl FinishedRecorder {
    /// A recorder for a connection whose handshake has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs one step of the connection, for example `connection.process_new_packets()` or the poll of a future
    /// that drives it.
    ///
    /// Scopes may be nested: the inner one records alone.
    pub fn scope<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let occupied = Occupied {
            before: CURRENT.replace(Some(self.record)),
            recorder: self,
        };
        let result = step();
        drop(occupied);
        result
    }

    /// The tls-unique, when exactly one whole handshake of TLS 1.2 was recorded.
    pub(super) fn tls_unique(&self) -> Option<[u8; TLS_UNIQUE_BYTES]> {
        self.record
            .first
            .filter(|_| self.record.finished_messages == FINISHED_MESSAGES)
    }

    /// Whether the handshake made an extended master secret. A resumed session makes none.
    pub(super) const fn saw_extended_master_secret(&self) -> bool {
        self.record.extended_master_secret
    }
}

impl fmt::Debug for FinishedRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinishedRecorder")
            .field("finished_messages", &self.record.finished_messages)
            .finish_non_exhaustive()
    }
}

/// Gives the thread's slot back, also when the step panics.
struct Occupied<'a> {
    recorder: &'a mut FinishedRecorder,
    before: Option<Record>,
}

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        if let Some(record) = CURRENT.replace(self.before.take()) {
            self.recorder.record = record;
        }
    }
}

/// Drives `handshake`, for example `acceptor.accept(tcp)` of tokio-rustls, and records it.
///
/// Gives the future's own result and the recorder. The future must drive one TLS connection only.
pub fn record_handshake<F: Future>(handshake: F) -> RecordHandshake<F> {
    RecordHandshake {
        handshake: Box::pin(handshake),
        recorder: FinishedRecorder::new(),
    }
}

/// The future of [`record_handshake`]. It works with every runtime, and may move between threads between polls.
#[must_use = "futures do nothing unless polled"]
pub struct RecordHandshake<F> {
    handshake: Pin<Box<F>>,
    recorder: FinishedRecorder,
}

impl<F: Future> Future for RecordHandshake<F> {
    type Output = (F::Output, FinishedRecorder);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { handshake, recorder } = self.get_mut();
        recorder
            .scope(|| handshake.as_mut().poll(context))
            .map(|output| (output, core::mem::take(recorder)))
    }
}

impl<F> fmt::Debug for RecordHandshake<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordHandshake")
            .field("recorder", &self.recorder)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const FIRST: [u8; TLS_UNIQUE_BYTES] = [1; TLS_UNIQUE_BYTES];
    const SECOND: [u8; TLS_UNIQUE_BYTES] = [2; TLS_UNIQUE_BYTES];

    #[test]
    fn keeps_the_first_of_two_finished_messages_over_several_steps() {
        let mut recorder = FinishedRecorder::new();
        recorder.scope(|| note_finished(&FIRST));
        assert_eq!(recorder.tls_unique(), None, "half a handshake");
        recorder.scope(|| note_finished(&SECOND));
        assert_eq!(recorder.tls_unique(), Some(FIRST));
    }

    #[test]
    fn gives_nothing_when_two_handshakes_ran_in_one_recorder() {
        let mut recorder = FinishedRecorder::new();
        recorder.scope(|| (0..4).for_each(|_| note_finished(&FIRST)));
        assert_eq!(recorder.tls_unique(), None);
        recorder.scope(|| (0..300).for_each(|_| note_finished(&FIRST)));
        assert_eq!(recorder.tls_unique(), None);
    }

    #[test]
    fn keeps_connections_apart_that_take_turns_nest_or_panic_on_one_thread() {
        let (mut outer, mut inner) = (FinishedRecorder::new(), FinishedRecorder::new());
        outer.scope(|| {
            note_finished(&FIRST);
            inner.scope(|| {
                note_finished(&SECOND);
                note_finished(&FIRST);
            });
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                FinishedRecorder::new().scope(|| panic!("a step panics"));
            }));
            assert!(panicked.is_err());
            note_finished(&SECOND);
        });
        note_finished(&SECOND);
        assert_eq!(outer.tls_unique(), Some(FIRST));
        assert_eq!(inner.tls_unique(), Some(SECOND));
    }

    #[test]
    fn a_finished_message_of_another_length_is_no_tls_unique() {
        let mut recorder = FinishedRecorder::new();
        recorder.scope(|| {
            note_finished(&[1; 36]);
            note_finished(&FIRST);
        });
        assert_eq!(recorder.tls_unique(), None);
    }
}
