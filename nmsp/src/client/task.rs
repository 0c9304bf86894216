//! The task that keeps a client's connection going.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use pki_common::tls::HandshakeContext;

use crate::driver::{Driver, now};
use crate::error::Error;
use crate::proto::{CloseReason, Event};
use crate::wire::Services;
use crate::wire::message::SubscribeOutcome;

/// How long a goodbye may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// What the application asks for.
#[derive(Debug)]
pub(super) enum Command {
    Subscribe {
        services: Services,
        reply: oneshot::Sender<Result<SubscribeOutcome, Error>>,
    },
    Close,
}

/// Who waits for which response.
type Waiting = HashMap<u32, oneshot::Sender<Result<SubscribeOutcome, Error>>>;

pub(super) async fn run<S: AsyncRead + AsyncWrite>(
    mut driver: Driver<S>,
    events: mpsc::Sender<Event>,
    mut commands: mpsc::Receiver<Command>,
) -> Result<CloseReason, Error> {
    let outcome = exchange(&mut driver, &events, &mut commands).await;
    driver.close(CLOSE_TIME).await;
    outcome
}

async fn exchange<S: AsyncRead + AsyncWrite>(
    driver: &mut Driver<S>,
    events: &mpsc::Sender<Event>,
    commands: &mut mpsc::Receiver<Command>,
) -> Result<CloseReason, Error> {
    let (mut waiting, mut backlog) = (Waiting::new(), VecDeque::new());
    let (mut receiving, mut ended) = (true, None);
    loop {
        while let Some(event) = driver.connection.poll_event() {
            ended = ended.or(sort(event, &mut waiting, &mut backlog, driver));
        }
        while !backlog.is_empty() {
            let Ok(permit) = events.try_reserve() else { break };
            if let Some(event) = backlog.pop_front() {
                permit.send(event);
            }
        }
        if let Some(reason) = ended.take_if(|_| backlog.is_empty() || events.is_closed()) {
            return Ok(reason);
        }
        if receiving != backlog.is_empty() {
            receiving = backlog.is_empty();
            driver.connection.set_receiving(now(), receiving);
        }
        tokio::select! {
            turned = driver.turn(receiving), if ended.is_none() => turned.map_err(broken)?,
            permit = events.reserve(), if !backlog.is_empty() => match (permit, backlog.pop_front()) {
                (Ok(permit), Some(event)) => permit.send(event),
                _ => return Ok(CloseReason::ClosedLocally),
            },
            command = commands.recv() => match command {
                Some(Command::Subscribe { services, reply }) => match driver.connection.subscribe(now(), &services.into()) {
                    Ok(transaction) => {
                        waiting.insert(transaction, reply);
                    }
                    // If the caller no longer waits, nobody needs the answer.
                    Err(error) => drop(reply.send(Err(error.into()))),
                },
                Some(Command::Close) | None => return Ok(CloseReason::ClosedLocally),
            },
        }
    }
}

/// Responses go to whoever waits for them, ahead of events that the application has not taken yet.
fn sort<S>(
    event: Event,
    waiting: &mut Waiting,
    backlog: &mut VecDeque<Event>,
    driver: &Driver<S>,
) -> Option<CloseReason> {
    match event {
        Event::Subscribed {
            transaction, outcome, ..
        } => {
            if let Some(reply) = waiting.remove(&transaction) {
                drop(reply.send(Ok(outcome)));
            }
        }
        Event::RequestTimedOut { transaction } => {
            if let Some(reply) = waiting.remove(&transaction) {
                let after = driver.connection.config().request_timeout;
                drop(reply.send(Err(Error::TimedOut {
                    what: "the controller's response",
                    after,
                })));
            }
        }
        Event::Closed(reason) => return Some(reason),
        event => backlog.push_back(event),
    }
    None
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
