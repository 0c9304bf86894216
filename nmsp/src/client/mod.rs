//! The location server: connects to a controller, subscribes, and receives measurements.

mod config;
mod task;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::lookup_host;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use pki_common::tls::{HandshakeContext, RefusalRecorder};

pub use config::{
    ClientConfig, DEFAULT_CONNECT_TIMEOUT, DEFAULT_EVENT_QUEUE_LENGTH, DEFAULT_HANDSHAKE_TIMEOUT,
    DEFAULT_PORT,
};

use crate::driver::{Driver, Expected, now};
use crate::error::Error;
use crate::proto::{CloseReason, Connection, ConnectionCounters, CounterSnapshot, Event, Role};
use crate::transport::{self, ControllerStream, Link, SecureError};
use crate::wire::Services;
use crate::wire::message::{Capability, SubscribeOutcome};
use task::Command;

/// How many events may be set aside while a call waits for its response.
const MAX_SET_ASIDE: usize = 65_536;

/// A connection to one controller. A task keeps it alive (echo requests) whether or not somebody calls
/// [`next`](Self::next); when nobody does, the controller is slowed down by TCP and drops its oldest notifications.
#[derive(Debug)]
pub struct Client {
    events: mpsc::Receiver<Event>,
    set_aside: VecDeque<Event>,
    commands: mpsc::Sender<Command>,
    task: Option<JoinHandle<Result<CloseReason, Error>>>,
    controller: SocketAddr,
    capability: Capability,
    counters: Arc<ConnectionCounters>,
}

impl Client {
    /// Connects to `host:port`, and returns when the controller has said what it can do.
    ///
    /// Waiting for that is part of the connect: in TLS 1.3 the client's handshake is finished before the controller has
    /// judged its certificate, so a refusal (alert 46 from the authlist) arrives only after it.
    ///
    /// # Errors
    /// [`Error`] tells name resolution, TCP, TLS and the controller's refusal apart.
    pub async fn connect(controller: &str, config: ClientConfig) -> Result<Self, Error> {
        let unresolved = |source| Error::NameResolution {
            host: controller.to_owned(),
            source,
        };
        let addresses: Vec<SocketAddr> = lookup_host(controller).await.map_err(unresolved)?.collect();
        let host = controller.rsplit_once(':').map_or(controller, |(host, _)| host);
        let link = Link::open(controller, &addresses, &config).await?;
        let address = link.peer_addr()?;
        // The name in the certificate is compared only if the verifier is asked to; it never is with an authlist.
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .unwrap_or_else(|_| ServerName::from(address.ip()));
        let limit = config.handshake_timeout;
        let handshake = establish(link, name, &config);
        let (driver, capability) = timeout(limit, handshake).await.map_err(|_| Error::TimedOut {
            what: "the handshake with the controller",
            after: limit,
        })??;
        let counters = Arc::clone(driver.connection.counters());
        tracing::info!(controller = %address, services = %capability.services, "NMSP connection established");
        let (event_sender, events) = mpsc::channel(config.event_queue_length.max(1));
        let (commands, command_receiver) = mpsc::channel(1);
        let task = tokio::spawn(task::run(driver, event_sender, command_receiver));
        let set_aside = VecDeque::new();
        Ok(Self {
            events,
            set_aside,
            commands,
            task: Some(task),
            controller: address,
            capability,
            counters,
        })
    }

    /// Asks for these services instead of whatever is subscribed now, and returns the controller's answer; the empty
    /// set unsubscribes.
    ///
    /// # Errors
    /// If the controller does not answer in time or the connection has ended.
    pub async fn subscribe(&mut self, services: Services) -> Result<SubscribeOutcome, Error> {
        let (reply, mut response) = oneshot::channel();
        if self
            .commands
            .send(Command::Subscribe { services, reply })
            .await
            .is_err()
        {
            return Err(self.ended().await);
        }
        loop {
            tokio::select! {
                biased;
                outcome = &mut response => match outcome {
                    Ok(outcome) => return outcome,
                    Err(_) => return Err(self.ended().await),
                },
                // Measurements keep coming while the response is on its way; it stands behind them.
                Some(event) = self.events.recv(), if self.set_aside.len() < MAX_SET_ASIDE => {
                    self.set_aside.push_back(event);
                }
            }
        }
    }

    /// The next event; `None` after a goodbye of either side. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Why the connection ended, once.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        if let Some(event) = self.set_aside.pop_front() {
            return Ok(Some(event));
        }
        if let Some(event) = self.events.recv().await {
            return Ok(Some(event));
        }
        match self.outcome().await {
            Some(Err(error)) => Err(error),
            None => Ok(None),
            Some(Ok(reason)) if reason.is_ordinary() => Ok(None),
            Some(Ok(reason)) => Err(reason.into()),
        }
    }

    /// The controller's address.
    #[must_use]
    pub const fn controller(&self) -> SocketAddr {
        self.controller
    }

    /// What the controller said it can do at the start.
    #[must_use]
    pub const fn capability(&self) -> &Capability {
        &self.capability
    }

    /// The counters of the connection.
    #[must_use]
    pub fn counters(&self) -> CounterSnapshot {
        self.counters.snapshot()
    }

    /// Says goodbye and waits until the connection is closed.
    ///
    /// # Errors
    /// If the connection had ended before by an error.
    pub async fn close(mut self) -> Result<(), Error> {
        self.events.close();
        // If the task is gone already, its outcome says why.
        let _gone = self.commands.send(Command::Close).await.is_err();
        match self.outcome().await {
            Some(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    async fn outcome(&mut self) -> Option<Result<CloseReason, Error>> {
        // A task that panicked has said so on its own; for the caller the connection is simply gone.
        self.task.take()?.await.ok()
    }

    async fn ended(&mut self) -> Error {
        match self.outcome().await {
            Some(Err(error)) => error,
            Some(Ok(reason)) => reason.into(),
            None => crate::proto::RequestError::Closed.into(),
        }
    }
}

/// TLS handshake, then the controller's Capability Notification.
async fn establish(
    link: Link,
    name: ServerName<'static>,
    config: &ClientConfig,
) -> Result<(Driver<ControllerStream>, Capability), Error> {
    let recorder = Arc::new(RefusalRecorder::default());
    let context = HandshakeContext::with_authlist("the controller");
    let failed = |error| Error::Tls(Box::new(transport::diagnose(&context, &error, Some(&recorder))));
    let stream = link
        .secure(name, config, &recorder)
        .await
        .map_err(|error| match error {
            SecureError::Handshake(error) => failed(error),
            SecureError::Setup(error) => error,
        })?;
    let connection = Connection::new(config.connection.clone(), Role::LocationServer, now());
    let mut driver = Driver::new(stream, connection, Expected::Much);
    loop {
        driver.turn(true).await.map_err(failed)?;
        while let Some(event) = driver.connection.poll_event() {
            match event {
                Event::Established(capability) => return Ok((driver, capability)),
                Event::Closed(reason) => return Err(reason.into()),
                _ => tracing::debug!(?event, "before the capabilities"),
            }
        }
    }
}
