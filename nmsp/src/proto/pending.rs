//! Requests that wait for their response: ours in [`PendingRequests`], the peer's in [`PeerRequests`].

use core::time::Duration;
use std::time::Instant;

use super::after;
use crate::wire::MessageType;
use crate::wire::elements::Part;

/// What changes in the connection when a request succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// A subscription of services, or the end of one: the response says what is subscribed.
    Services,
    /// Location Notifications are wanted, or not any more.
    Locations(bool),
    /// AP Monitor Notifications are wanted, or not any more.
    Monitor(bool),
}

/// A request of this side.
#[derive(Debug)]
struct Pending {
    transaction: u32,
    response: MessageType,
    effect: Effect,
    deadline: Instant,
    /// Number of the next part and of all parts, once the first part has come.
    parts: Option<(u16, u16)>,
}

/// What a response means for its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) effect: Effect,
    /// No further part follows.
    pub(super) last: bool,
}

/// The open requests of this side.
#[derive(Debug, Default)]
pub(super) struct PendingRequests {
    open: Vec<Pending>,
}

impl PendingRequests {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn contains(&self, transaction: u32) -> bool {
        self.open.iter().any(|pending| pending.transaction == transaction)
    }

    pub(super) fn add(&mut self, transaction: u32, response: MessageType, effect: Effect, deadline: Instant) {
        self.open.push(Pending {
            transaction,
            response,
            effect,
            deadline,
            parts: None,
        });
    }

    /// Takes a response. `None` if no request waits for it: none with its transaction, one that waits for another
    /// message, or a part that is not the next one.
    pub(super) fn answer(
        &mut self,
        transaction: u32,
        response: MessageType,
        part: Option<Part>,
        next_deadline: Instant,
    ) -> Option<Answer> {
        let index = self
            .open
            .iter()
            .position(|pending| pending.transaction == transaction && pending.response == response)?;
        let pending = self.open.get_mut(index)?;
        let (number, total) = part.map_or((1, 1), |part| (part.number, part.total));
        let (expected, announced) = pending.parts.unwrap_or((1, total));
        if number != expected || total != announced || number > total {
            return None;
        }
        let effect = pending.effect;
        let last = number == total;
        if last {
            self.open.remove(index);
        } else {
            pending.parts = Some((number.saturating_add(1), total));
            pending.deadline = next_deadline;
        }
        Some(Answer { effect, last })
    }

    /// Closes and returns one request whose deadline has passed.
    pub(super) fn expire(&mut self, now: Instant) -> Option<u32> {
        let index = self.open.iter().position(|pending| pending.deadline <= now)?;
        Some(self.open.remove(index).transaction)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().map(|pending| pending.deadline).min()
    }

    /// Time in which no response could be seen does not count.
    pub(super) fn postpone(&mut self, time: Duration) {
        for pending in &mut self.open {
            pending.deadline = after(pending.deadline, time);
        }
    }
}

/// A request of the peer.
#[derive(Clone, Copy, Debug)]
struct PeerRequest {
    transaction: u32,
    request: MessageType,
    response: MessageType,
    deadline: Instant,
}

/// What becomes of a request of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// The application answers it.
    Admitted,
    /// The same request is open already; its answer answers both.
    Duplicate,
    /// Another request with this transaction is open.
    TransactionInUse,
    /// As many requests are open as may be.
    Full,
}

/// The requests of the peer that the application has not answered yet.
#[derive(Debug, Default)]
pub(super) struct PeerRequests {
    open: Vec<PeerRequest>,
}

impl PeerRequests {
    pub(super) fn admit(
        &mut self,
        transaction: u32,
        request: MessageType,
        response: MessageType,
        deadline: Instant,
        limit: usize,
    ) -> Admission {
        match self.open.iter().find(|open| open.transaction == transaction) {
            Some(open) if open.request == request => Admission::Duplicate,
            Some(_) => Admission::TransactionInUse,
            None if self.open.len() >= limit => Admission::Full,
            None => {
                self.open.push(PeerRequest {
                    transaction,
                    request,
                    response,
                    deadline,
                });
                Admission::Admitted
            }
        }
    }

    /// The message that answers this request; `None` if it is not open.
    pub(super) fn response(&self, transaction: u32) -> Option<MessageType> {
        self.open
            .iter()
            .find(|open| open.transaction == transaction)
            .map(|open| open.response)
    }

    pub(super) fn close(&mut self, transaction: u32) {
        self.open.retain(|open| open.transaction != transaction);
    }

    pub(super) fn postpone(&mut self, transaction: u32, deadline: Instant) {
        for open in &mut self.open {
            if open.transaction == transaction {
                open.deadline = deadline;
            }
        }
    }

    /// Closes and returns one request whose deadline has passed, with the message that answers it.
    pub(super) fn expire(&mut self, now: Instant) -> Option<(u32, MessageType)> {
        let index = self.open.iter().position(|open| open.deadline <= now)?;
        let expired = self.open.remove(index);
        Some((expired.transaction, expired.response))
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().map(|open| open.deadline).min()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
