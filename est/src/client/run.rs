//! Carries out what the state machine of an exchange asks for.

use std::time::Duration;

use core::sync::atomic::{AtomicU64, Ordering};
use pki_common::tls::ClientTls;
use rustls_pki_types::UnixTime;
use tokio::time::timeout;

use super::connect::connect;
use super::connection::{Broken, Connection, Idle};
use super::{Client, ClientConfig};
use crate::exchange::{
    Action, CaFingerprint, ClientError, Event, Exchange, HttpRequest, Outcome, Progress, Step,
};

/// Numbers connections of this process, so that no two share one.
static NEXT_CONNECTION: AtomicU64 = AtomicU64::new(1);

/// Shows CA certificates to a person and gives the index of the one that is confirmed.
pub type AskFingerprint = Box<dyn FnOnce(&[CaFingerprint]) -> Option<usize> + Send>;

/// What an exchange runs on.
pub(super) struct Line<'a> {
    pub(super) config: &'a ClientConfig,
    pub(super) tls: &'a ClientTls,
    pub(super) idle: &'a Idle,
}

impl ClientConfig {
    /// The time by the configured clock; one that stands before 1970 has none.
    pub(crate) fn now(&self) -> UnixTime {
        let epoch = UnixTime::since_unix_epoch(Duration::ZERO);
        self.clock.current_time().unwrap_or(epoch)
    }
}

impl Client {
    /// Runs an exchange on a connection of this client.
    pub(super) async fn run(&self, exchange: Exchange<'_>) -> Result<Outcome, ClientError> {
        let line = Line {
            config: &self.config,
            tls: &self.tls,
            idle: &self.idle,
        };
        line.run(exchange, None).await
    }
}

impl Line<'_> {
    pub(super) async fn run(
        &self,
        mut exchange: Exchange<'_>,
        mut person: Option<AskFingerprint>,
    ) -> Result<Outcome, ClientError> {
        let mut current: Option<Connection> = None;
        let mut action = exchange.start();
        loop {
            let event = match action {
                Action::Connect { fresh, .. } => self.connect(&mut current, fresh).await,
                Action::Send(request) => self.send(&mut current, *request).await,
                Action::Wait(time) => {
                    // No server keeps a connection for as long as a person thinks.
                    current = None;
                    tokio::time::sleep(time).await;
                    Event::Woke
                }
                Action::AskFingerprint(shown) => {
                    current = None;
                    Event::Confirmed(ask(person.take(), shown).await)
                }
                Action::Done(outcome) => {
                    if let Some(connection) = current {
                        self.idle.keep(connection).await;
                    }
                    return Ok(outcome);
                }
                Action::Failed(error) => return Err(error),
            };
            action = exchange.handle(event, self.config.now());
        }
    }

    /// The connection in use when the server kept it, else one that waits, else a new one.
    async fn connect(&self, current: &mut Option<Connection>, fresh: bool) -> Event {
        if let Some(connection) = current.take() {
            self.idle.keep(connection).await;
        }
        let kept = if fresh { None } else { self.idle.take().await };
        let connection = match kept {
            Some(connection) => connection,
            None => match self.open().await {
                Ok(connection) => connection,
                Err(error) => {
                    return Event::Lost {
                        error,
                        progress: Progress::Begun,
                    };
                }
            },
        };
        let connected = connection.connected();
        *current = Some(connection);
        Event::Connected(connected)
    }

    async fn open(&self) -> Result<Connection, ClientError> {
        let (stream, bindings) = connect(self.config, self.tls).await?;
        let id = NEXT_CONNECTION.fetch_add(1, Ordering::Relaxed);
        Connection::new(id, stream, bindings).await
    }

    async fn send(&self, current: &mut Option<Connection>, request: HttpRequest) -> Event {
        let Some(mut connection) = current.take() else {
            return Event::Lost {
                error: ClientError::Sequence { event: "a request" },
                progress: Progress::Begun,
            };
        };
        let time = self.config.timeouts.response;
        let exchange = connection.exchange(request, self.config.max_response);
        let broken = match timeout(time, exchange).await {
            Ok(Ok(response)) => {
                *current = Some(connection);
                return Event::Response(response);
            }
            Ok(Err(broken)) => broken,
            // The server heard the request: another try would only be slow again.
            Err(_) => Broken {
                error: ClientError::Timeout {
                    step: Step::Response,
                    time,
                },
                progress: Progress::Begun,
            },
        };
        let Broken { error, progress } = broken;
        Event::Lost { error, progress }
    }
}

/// A person takes their time, and a terminal blocks.
async fn ask(person: Option<AskFingerprint>, shown: Vec<CaFingerprint>) -> Option<usize> {
    let person = person?;
    tokio::task::spawn_blocking(move || person(&shown))
        .await
        .ok()
        .flatten()
}
