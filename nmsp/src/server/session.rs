//! An established connection: what is received is dealt with, what waits is sent.

use core::pin::Pin;
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::BytesMut;
use tokio::time::{Sleep, sleep_until};

use super::Shared;
use super::ending::{Ending, Order};
use super::handshake::PeerStream;
use super::registry::Slot;
use super::requests::{self, Answer, Change, Reply, Requester};
use super::subscriber::{Subscriber, Terms};
use super::throttle::Throttle;
use super::trace::ConnectionTrace;
use crate::driver::{Driver, Expected, now};
use crate::proto::{CloseReason, Connection, Event, MessageFrame, RequestError, Subscription};
use crate::wire::numbers::{DisconnectReason, StatusCode};
use crate::wire::{MessageType, Services};

/// Notifications and answers are moved to the stream until this many bytes wait there.
const WRITE_AHEAD: usize = 32_768;

/// While this many events wait behind an answer in several messages, nothing is read. What a location server needs to be
/// heard meanwhile, its echo requests, makes none.
const MAX_EVENTS: usize = 128;

/// How long a goodbye may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// One connection with everything that belongs to it.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    slot: &'a Slot,
    trace: &'a ConnectionTrace,
    driver: Driver<PeerStream>,
    subscriber: Arc<Subscriber>,
    ending: Arc<Ending>,
    requester: Requester,
    throttle: Throttle,
    /// Not read from before this time.
    paused_until: Option<Instant>,
    /// The answer on its way, and the transaction it belongs to. Events wait meanwhile.
    answering: Option<(u32, Answer)>,
    body: BytesMut,
    timer: Pin<Box<Sleep>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        slot: &'a Slot,
        trace: &'a ConnectionTrace,
        (stream, connection): (PeerStream, Connection),
        subscriber: Arc<Subscriber>,
        ending: Arc<Ending>,
    ) -> Self {
        let requester = Requester {
            peer: slot.peer,
            connection_id: slot.id,
            mac: trace.peer_mac(),
        };
        Self {
            driver: Driver::new(stream, connection, Expected::Little),
            throttle: Throttle::new(shared.limits.load().max_messages_per_second, now()),
            paused_until: None,
            answering: None,
            body: BytesMut::new(),
            timer: Box::pin(sleep_until(tokio::time::Instant::now())),
            shared,
            slot,
            trace,
            subscriber,
            ending,
            requester,
        }
    }

    /// Serves until the connection ends, and says goodbye.
    pub(super) async fn run(mut self: Box<Self>) {
        let text = match self.exchange().await {
            Ok(reason) => {
                match reason {
                    CloseReason::Protocol(_) => self.shared.counters.protocol_error(),
                    CloseReason::Idle(_) | CloseReason::CapabilityTimedOut(_) => {
                        self.shared.counters.peer_timed_out();
                    }
                    _ => {}
                }
                self.end_text(&reason)
            }
            Err(error) => {
                self.trace.broken(&error);
                format!("the connection broke: {error}")
            }
        };
        self.slot.ended(text);
        self.driver.close(CLOSE_TIME).await;
    }

    /// Logs why the connection ended; what the status then says about it.
    fn end_text(&self, reason: &CloseReason) -> String {
        match self.ending.given() {
            Some(order) if *reason == CloseReason::ClosedLocally => {
                self.trace.ended_by_order(order);
                format!("{}: {}", order.reason, order.explanation)
            }
            _ => {
                self.trace.closed(reason);
                reason.to_string()
            }
        }
    }

    /// Serves until the connection ends; on shutdown, until what waits has been handed to the stream.
    async fn exchange(&mut self) -> io::Result<CloseReason> {
        let mut stopping = false;
        loop {
            if let Some(reason) = self.handle_events() {
                return Ok(reason);
            }
            self.fill();
            if self.driver.connection.is_closed() {
                // The reason is the last of the events.
                continue;
            }
            if stopping {
                self.subscriber.release_all();
                if self.subscriber.waiting() == 0 && self.answering.is_none() {
                    self.goodbye(&Order {
                        reason: DisconnectReason::SHUTTING_DOWN,
                        explanation: "the controller shuts down".to_owned(),
                    });
                    return Ok(CloseReason::ClosedLocally);
                }
            }
            let timed = self.arm_timer();
            let reading = self.paused_until.is_none() && self.driver.connection.pending_events() < MAX_EVENTS;
            let room = self.driver.unsent() < WRITE_AHEAD;
            tokio::select! {
                () = self.shared.shutdown.cancelled(), if !stopping => stopping = true,
                order = self.ending.ordered() => {
                    let order = order.clone();
                    self.goodbye(&order);
                    return Ok(CloseReason::ClosedLocally);
                }
                () = self.subscriber.filled.notified(), if room => {}
                () = self.timer.as_mut(), if timed => {}
                turned = self.driver.turn(reading) => {
                    turned?;
                    self.charge();
                }
            }
        }
    }

    /// Says goodbye with a reason; what waits is given up.
    fn goodbye(&mut self, order: &Order) {
        self.driver
            .connection
            .close_with(order.reason, &order.explanation);
    }

    /// Rings when something that waits for its interval may go, or when reading goes on. Returns whether it is needed.
    fn arm_timer(&mut self) -> bool {
        let present = now();
        if self.paused_until.is_some_and(|until| until <= present) {
            self.paused_until = None;
            self.driver.connection.set_receiving(present, true);
        }
        let policy = self.shared.policy.load();
        let deadline = self.subscriber.deadline(&policy);
        let Some(wanted) = [deadline, self.paused_until].into_iter().flatten().min() else {
            return false;
        };
        let wanted = tokio::time::Instant::from_std(wanted);
        if self.timer.deadline() != wanted {
            self.timer.as_mut().reset(wanted);
        }
        true
    }

    /// Charges what was received; a peer that sent too much is not read from until it has waited.
    fn charge(&mut self) {
        let present = now();
        let received = self.driver.connection.counters().received_messages();
        self.throttle
            .set_rate(self.shared.limits.load().max_messages_per_second);
        if let Some(pause) = self.throttle.charge(received, present)
            && self.paused_until.is_none()
        {
            self.paused_until = Some(present + pause);
            // Its silence is ours.
            self.driver.connection.set_receiving(present, false);
            self.shared.counters.throttled();
            tracing::warn!(
                connection = self.slot.id,
                ?pause,
                "too many messages: not read from for a while"
            );
        }
    }

    /// Moves answers and notifications to the stream while there is room.
    fn fill(&mut self) {
        let mut ahead = self.driver.unsent();
        while ahead < WRITE_AHEAD {
            let sent = if self.answering.is_some() {
                self.send_part()
            } else {
                self.send_notification()
            };
            match sent {
                Some(length) => ahead += length,
                None => break,
            }
        }
    }

    /// Sends the next part of the answer on its way; its length.
    fn send_part(&mut self) -> Option<usize> {
        let (transaction, mut answer) = self.answering.take()?;
        self.body.clear();
        let sent = match answer.next_part(&self.shared.store, &mut self.body)? {
            Ok(()) => self
                .driver
                .connection
                .respond_encoded(now(), transaction, &self.body),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = sent {
            tracing::warn!(%error, transaction, "an answer could not be sent");
            self.refuse(
                transaction,
                StatusCode::FAILED,
                "the answer does not fit a message",
            );
        } else if !answer.is_done() {
            self.answering = Some((transaction, answer));
        }
        Some(self.body.len())
    }

    /// Sends the next notification; its length.
    fn send_notification(&mut self) -> Option<usize> {
        let policy = self.shared.policy.load();
        let (subscriber, store) = (&self.subscriber, &self.shared.store);
        let mut measured = false;
        let sent = self.driver.connection.send_notification_with(|out| {
            let next = subscriber.next_message(now(), &policy, store, out)?;
            measured = next.message == MessageType::MeasurementNotification;
            Some((next.message, next.sequence))
        });
        match sent {
            Ok(length) => {
                if measured {
                    self.trace.measurement_sent();
                }
                length
            }
            Err(error) => {
                tracing::error!(%error, "a notification could not be sent");
                Some(0)
            }
        }
    }

    /// Deals with what happened, up to a request whose answer takes several messages.
    fn handle_events(&mut self) -> Option<CloseReason> {
        let closed = self.driver.connection.is_closed();
        while closed || self.answering.is_none() {
            match self.driver.connection.poll_event()? {
                Event::Closed(reason) => return Some(reason),
                // Nobody can be answered any more.
                _ if closed => {}
                Event::SubscriptionChanged {
                    subscription,
                    rejected,
                } => self.subscription_changed(subscription, rejected),
                Event::Request { transaction, frame } => self.answer(transaction, &frame),
                Event::Unsupported(message) => {
                    tracing::warn!(id = %message.id(), "unsupported message, ignored");
                }
                event => tracing::debug!(?event, "event"),
            }
        }
        None
    }

    fn subscription_changed(&self, subscription: Subscription, rejected: Services) {
        tracing::info!(services = %subscription.services, %rejected, "subscription changed");
        let mut terms = (*self.subscriber.terms()).clone();
        terms.since = (!subscription.services.is_empty()).then(SystemTime::now);
        terms.subscription = subscription;
        self.set_terms(terms);
    }

    fn set_terms(&self, terms: Terms) {
        self.subscriber.set_terms(terms);
        self.slot.subscription_changed();
    }

    fn answer(&mut self, transaction: u32, frame: &MessageFrame) {
        let request = frame.to_owned();
        let handler = self.shared.request_handler.as_deref();
        let (reply, change) = requests::reply(&request, &self.shared.store, handler, &self.requester);
        if change.is_some_and(|change| !self.change(change)) {
            let text = "too many exceptions: subscribe by name what is wanted";
            return self.refuse(transaction, StatusCode::FAILED, text);
        }
        match reply {
            Reply::Records(answer) => self.answering = Some((transaction, answer)),
            Reply::Refusal(status, text) => self.refuse(transaction, status, &text),
            Reply::Message(message) => {
                let sent = self.driver.connection.respond(now(), transaction, &message);
                self.note_failure(transaction, sent);
            }
        }
    }

    /// Returns whether it was taken.
    fn change(&self, change: Change) -> bool {
        let mut terms = (*self.subscriber.terms()).clone();
        let taken = match change {
            Change::Locations(wanted) => {
                terms.subscribe_locations(wanted);
                true
            }
            Change::NoLocations(unwanted) => terms.unsubscribe_locations(&unwanted),
            Change::Monitor(wanted) => {
                terms.set_monitor(wanted);
                true
            }
        };
        if taken {
            self.set_terms(terms);
        }
        taken
    }

    fn refuse(&mut self, transaction: u32, status: StatusCode, text: &str) {
        let sent = self.driver.connection.refuse(transaction, status, text);
        self.note_failure(transaction, sent);
    }

    fn note_failure(&self, transaction: u32, sent: Result<(), RequestError>) {
        if let Err(error) = sent {
            tracing::warn!(connection = self.slot.id, transaction, %error, "a request could not be answered");
        }
    }
}
