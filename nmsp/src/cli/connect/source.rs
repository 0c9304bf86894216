//! The connections: one task for each controller, one stream of news.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pki_common::{Diagnose as _, Failure};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::options::{Options, with_port};
use crate::cli::failure::CliError;
use crate::client::{Client, ClientConfig};
use crate::proto::{CounterSnapshot, Event, MessageFrame};

/// How many news wait for the display before connections stop reading.
const QUEUE_LENGTH: usize = 1024;
/// How often the counters of a connection are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What happens at a controller.
#[derive(Debug)]
pub(super) enum News {
    /// The tunnel is up and the subscription stands.
    Connected,
    Notification(MessageFrame),
    /// It said goodbye.
    Ended,
    Failed(Failure),
}

/// How a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Connecting,
    Up,
    Down,
}

/// How one controller's connection is.
#[derive(Debug, Clone)]
pub(super) struct Health {
    pub(super) controller: String,
    pub(super) address: Option<SocketAddr>,
    pub(super) state: State,
    pub(super) since: Instant,
    pub(super) last_error: Option<Failure>,
    pub(super) counters: CounterSnapshot,
}

pub(super) struct Source {
    news: mpsc::Receiver<(usize, News)>,
    health: Arc<Mutex<Vec<Health>>>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Source {
    pub(super) fn start(options: &Arc<Options>, config: &ClientConfig) -> Self {
        let (sender, news) = mpsc::channel(QUEUE_LENGTH);
        let stop = CancellationToken::new();
        let health = options.controller.iter().map(|controller| Health {
            controller: with_port(controller),
            address: None,
            state: State::Connecting,
            since: Instant::now(),
            last_error: None,
            counters: CounterSnapshot::default(),
        });
        let health = Arc::new(Mutex::new(health.collect::<Vec<_>>()));
        let tasks = (0..options.controller.len()).map(|index| {
            let link = Link {
                index,
                options: Arc::clone(options),
                config: config.clone(),
                sender: sender.clone(),
                health: Arc::clone(&health),
                stop: stop.clone(),
            };
            tokio::spawn(link.run())
        });
        let tasks = tasks.collect();
        Self {
            news,
            health,
            stop,
            tasks,
        }
    }

    /// The next news, with the index of the controller; `None` when all connections are over.
    pub(super) async fn next(&mut self) -> Option<(usize, News)> {
        self.news.recv().await
    }

    pub(super) fn health(&self) -> Vec<Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says goodbye to all and returns how they were at the end.
    pub(super) async fn close(mut self) -> Vec<Health> {
        self.stop.cancel();
        self.news.close();
        for task in self.tasks.drain(..) {
            // A task that panicked has said so on standard error.
            drop(task.await);
        }
        self.health()
    }
}

struct Link {
    index: usize,
    options: Arc<Options>,
    config: ClientConfig,
    sender: mpsc::Sender<(usize, News)>,
    health: Arc<Mutex<Vec<Health>>>,
    stop: CancellationToken,
}

impl Link {
    async fn run(self) {
        let connected = tokio::select! {
            connected = self.connect() => connected,
            () = self.stop.cancelled() => return,
        };
        let outcome = match connected {
            Ok(client) => self.receive(client).await,
            Err(error) => Err(error),
        };
        let news = match outcome {
            Ok(()) => News::Ended,
            Err(error) => News::Failed(error.diagnose()),
        };
        self.note(|health| {
            health.state = State::Down;
            health.since = Instant::now();
            if let News::Failed(failure) = &news {
                health.last_error = Some(failure.clone());
            }
        });
        // Nobody listens any more at the end of the program.
        drop(self.sender.send((self.index, news)).await);
    }

    async fn connect(&self) -> Result<Client, CliError> {
        let name = self
            .options
            .controller
            .get(self.index)
            .map(|name| with_port(name));
        let client = Client::connect(&name.unwrap_or_default(), self.config.clone()).await?;
        let wanted = self.options.subscription(client.capability().services);
        let outcome = client.subscribe(wanted.services).await?;
        if outcome.accepted.is_empty() {
            let cause = format!("the controller offers none of: {}", outcome.rejected);
            return Err(CliError::usage(
                cause,
                "ask for a service that the controller offers",
            ));
        }
        if !outcome.rejected.is_empty() {
            tracing::warn!(rejected = %outcome.rejected, "the controller does not offer these services");
        }
        let address = client.controller();
        self.note(|health| {
            health.address = Some(address);
            health.state = State::Up;
            health.since = Instant::now();
        });
        drop(self.sender.send((self.index, News::Connected)).await);
        Ok(client)
    }

    async fn receive(&self, mut client: Client) -> Result<(), CliError> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let outcome = loop {
            tokio::select! {
                event = client.next() => match event {
                    Ok(Some(Event::Notification(frame))) => {
                        if self.sender.send((self.index, News::Notification(frame))).await.is_err() {
                            break Ok(());
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error.into()),
                },
                _ = looks.tick() => self.note(|health| health.counters = client.counters()),
                () = self.stop.cancelled() => break Ok(()),
            }
        };
        self.note(|health| health.counters = client.counters());
        match outcome {
            Ok(()) => client.close().await.map_err(CliError::from),
            Err(error) => Err(error),
        }
    }

    fn note(&self, change: impl FnOnce(&mut Health)) {
        let mut all = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(health) = all.get_mut(self.index) {
            change(health);
        }
    }
}
