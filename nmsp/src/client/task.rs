//! The task that keeps a connection going, and where its events go.

use core::future::Future;
use core::time::Duration;
use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use pki_common::Rung;
use pki_common::tls::HandshakeContext;

use super::answers::{Answers, Reply};
use super::{ClientConfig, Ended};
use crate::driver::{Driver, now};
use crate::error::Error;
use crate::proto::{CloseReason, Event};
use crate::wire::numbers::StatusCode;
use crate::wire::{OwnedMessage, Services};

/// How long a goodbye may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// What the application asks for.
#[derive(Debug)]
pub(super) enum Command {
    Request {
        message: Box<OwnedMessage>,
        reply: Reply,
    },
    Unsubscribe {
        services: Services,
        reply: Reply,
    },
    Respond {
        transaction: u32,
        message: Box<OwnedMessage>,
    },
    Refuse {
        transaction: u32,
        status: StatusCode,
        text: String,
    },
    Notify {
        sequence: u32,
        message: Box<OwnedMessage>,
    },
}

/// Where the events of a connection go.
pub(super) trait EventSink {
    /// Whether an event can be taken now. Nobody else uses up the room.
    fn has_room(&self) -> bool;

    /// Takes an event for which there is room.
    fn push(&mut self, event: Event);

    /// Waits for room; `false` if nobody listens any more.
    fn room(&self) -> impl Future<Output = bool> + Send;
}

impl EventSink for mpsc::Sender<Event> {
    fn has_room(&self) -> bool {
        self.capacity() > 0 && !self.is_closed()
    }

    fn push(&mut self, event: Event) {
        // The receiver can go away at any moment; then nobody misses the event.
        drop(self.try_send(event));
    }

    async fn room(&self) -> bool {
        self.reserve().await.is_ok()
    }
}

/// The events that have not been taken yet.
#[derive(Debug, Default)]
struct Backlog {
    events: VecDeque<Event>,
    bytes: usize,
}

impl Backlog {
    fn push(&mut self, event: Event) {
        self.bytes = self.bytes.saturating_add(weight(&event));
        self.events.push_back(event);
    }

    fn deliver(&mut self, sink: &mut impl EventSink) {
        while sink.has_room() {
            let Some(event) = self.events.pop_front() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(weight(&event));
            sink.push(event);
        }
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// What an event keeps in memory, about.
fn weight(event: &Event) -> usize {
    let frame = match event {
        Event::Notification(frame) | Event::Unsupported(frame) | Event::Request { frame, .. } => {
            frame.length()
        }
        _ => 0,
    };
    size_of::<Event>().saturating_add(frame)
}

/// One connection, its requests and its events.
#[derive(Debug)]
pub(super) struct Session<S> {
    driver: Driver<S>,
    answers: Answers,
    backlog: Backlog,
    max_set_aside: usize,
    commands: mpsc::Receiver<Command>,
    closing: CancellationToken,
}

impl<S: AsyncRead + AsyncWrite> Session<S> {
    /// `closing` ends it with a goodbye.
    pub(super) fn new(
        driver: Driver<S>,
        config: &ClientConfig,
        commands: mpsc::Receiver<Command>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            driver,
            answers: Answers::new(config.max_response_length),
            backlog: Backlog::default(),
            max_set_aside: config.max_set_aside,
            commands,
            closing,
        }
    }

    /// Runs until the connection ends, and tells `ended` why before the last caller hears that there is no answer.
    pub(super) async fn run(mut self, mut sink: impl EventSink, ended: &Ended) -> Result<CloseReason, Error> {
        let outcome = self.exchange(&mut sink, ended).await;
        self.stop_answering(&outcome, ended);
        self.driver.close(CLOSE_TIME).await;
        outcome
    }

    async fn exchange(&mut self, sink: &mut impl EventSink, told: &Ended) -> Result<CloseReason, Error> {
        let (mut receiving, mut ended) = (true, None);
        loop {
            while let Some(event) = self.driver.connection.poll_event() {
                if let Some(reason) = self.sort(event) {
                    let outcome = Ok(reason);
                    self.stop_answering(&outcome, told);
                    ended.get_or_insert(outcome);
                }
            }
            // What was received before the end is still delivered.
            self.backlog.deliver(sink);
            if let Some(outcome) = ended.take_if(|_| self.backlog.is_empty()) {
                return outcome;
            }
            let wanted = self.wants_input();
            if receiving != wanted {
                receiving = wanted;
                self.driver.connection.set_receiving(now(), receiving);
            }
            let (open, _) = self.driver.connection.open_requests();
            let may_ask = open < self.driver.connection.config().max_pending_requests;
            tokio::select! {
                turned = self.driver.turn(receiving), if ended.is_none() => if let Err(error) = turned {
                    let outcome = Err(broken(error));
                    self.stop_answering(&outcome, told);
                    ended = Some(outcome);
                },
                listening = sink.room(), if !self.backlog.is_empty() => if !listening {
                    return ended.unwrap_or(Ok(CloseReason::ClosedLocally));
                },
                Some(command) = self.commands.recv(), if may_ask && ended.is_none() => self.obey(command),
                () = self.closing.cancelled() => return ended.unwrap_or(Ok(CloseReason::ClosedLocally)),
            }
        }
    }

    /// Whoever waits for an answer, or asks from now on, hears why there is none.
    fn stop_answering(&mut self, outcome: &Result<CloseReason, Error>, told: &Ended) {
        told.set(outcome);
        self.answers.abandon();
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
    }

    /// What the application has not taken stops the input. Answers stand behind it, so while somebody waits for one,
    /// more is set aside; only so much that a controller cannot fill the memory.
    fn wants_input(&self) -> bool {
        self.backlog.is_empty() || (self.backlog.bytes < self.max_set_aside && self.answers.is_awaited())
    }

    /// Answers go to whoever waits for them, ahead of events that the application has not taken yet.
    fn sort(&mut self, event: Event) -> Option<CloseReason> {
        match event {
            Event::Subscribed {
                transaction,
                response,
                ..
            } => {
                if let Some(explanation) = &response.explanation {
                    tracing::warn!(status = %response.status, %explanation, "the controller says of the subscription");
                }
                let answer = OwnedMessage::ServiceSubscribeResponse(response);
                self.answers.finish(transaction, Ok(answer));
            }
            Event::Response {
                transaction,
                frame,
                last,
            } => self.answers.take(transaction, &frame, last),
            Event::RequestTimedOut { transaction } => {
                let after = self.driver.connection.config().request_timeout;
                let (what, rung) = ("the controller's response", Rung::Body);
                self.answers
                    .finish(transaction, Err(Error::TimedOut { what, rung, after }));
            }
            Event::Closed(reason) => return Some(reason),
            event => self.backlog.push(event),
        }
        None
    }

    fn obey(&mut self, command: Command) {
        let connection = &mut self.driver.connection;
        let outcome = match command {
            Command::Request { message, reply } => {
                // Who gave up before it was sent does not need it.
                if !reply.is_closed() {
                    let sent = connection.request(now(), &message);
                    self.expect(sent, reply);
                }
                return;
            }
            Command::Unsubscribe { services, reply } => {
                let sent = connection.unsubscribe(now(), services);
                self.expect(sent, reply);
                return;
            }
            Command::Respond { transaction, message } => connection.respond(now(), transaction, &message),
            Command::Refuse {
                transaction,
                status,
                text,
            } => connection.refuse(transaction, status, &text),
            Command::Notify { sequence, message } => connection.notify(sequence, &message),
        };
        if let Err(error) = outcome {
            tracing::warn!(%error, "not sent to the controller");
        }
    }

    fn expect(&mut self, sent: Result<u32, crate::proto::RequestError>, reply: Reply) {
        match sent {
            Ok(transaction) => self.answers.wait(transaction, reply),
            Err(error) => drop(reply.send(Err(error.into()))),
        }
    }
}

/// An alert can come late: the controller may refuse after our handshake is finished.
fn broken(error: std::io::Error) -> Error {
    let tls_error = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if tls_error.is_some() {
        return Error::Tls(Box::new(
            HandshakeContext::with_authlist("the controller").diagnose_io(&error, None),
        ));
    }
    Error::Transport(error)
}
