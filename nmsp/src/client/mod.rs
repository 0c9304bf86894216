//! The location server: connects to controllers, subscribes, and receives what they measure.
//!
//! [`Client`] is one connection; [`Fleet`](fleet::Fleet) keeps hundreds of controllers connected and merges what they
//! send. A location server in forty lines:
//!
//! ```no_run
#![doc = include_str!("../../examples/location_server.rs")]
//! ```

pub mod fleet;

mod answers;
mod config;
mod connect;
mod host;
mod identity;
mod pins;
mod requests;
mod task;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use config::{
    ClientConfig, DEFAULT_CONNECT_TIMEOUT, DEFAULT_EVENT_QUEUE_LENGTH, DEFAULT_HANDSHAKE_TIMEOUT,
    DEFAULT_MAX_RESPONSE_LENGTH, DEFAULT_MAX_SET_ASIDE, DEFAULT_PORT,
};
pub use host::{pin_name, with_default_port};
pub use identity::{ControllerCertificate, ControllerIdentity};
pub use pins::{dangerous_pin_controllers_on_first_use, pinned_controllers};
pub use requests::ClientHandle;

use crate::error::Error;
use crate::proto::{CloseReason, CounterSnapshot, Event};
use crate::transport::ControllerStream;
use crate::wire::Services;
use crate::wire::message::{Capability, ServiceSubscribeRequest, SubscribeOutcome};
use connect::Established;
#[cfg(feature = "cli")]
pub(crate) use connect::dial;
use requests::{COMMAND_QUEUE_LENGTH, Ended};
use task::Session;

/// A connection to one controller. A task keeps it alive (echo requests) whether or not somebody calls
/// [`next`](Self::next); when nobody does, the controller is slowed down by TCP and drops its oldest notifications.
///
/// Requests go through `&self` and can be made while notifications come in; [`handle`](Self::handle) gives a handle that
/// other tasks can ask with. Dropping the client ends the connection with a goodbye, in the background.
#[derive(Debug)]
pub struct Client {
    events: mpsc::Receiver<Event>,
    handle: ClientHandle,
    task: Option<JoinHandle<Result<CloseReason, Error>>>,
    closing: DropGuard,
}

impl Client {
    /// Connects to `host:port` (the port is [`DEFAULT_PORT`] if there is none), and returns when the controller has said
    /// what it can do.
    ///
    /// Waiting for that is part of the connect: in TLS 1.3 the client's handshake is finished before the controller has
    /// judged its certificate, so a refusal (alert 46 from the authlist) arrives only after it.
    ///
    /// # Errors
    /// [`Error`] tells name resolution, TCP, TLS and the controller's refusal apart.
    pub async fn connect(controller: &str, config: ClientConfig) -> Result<Self, Error> {
        let established = connect::establish(controller, &config).await?;
        let (event_sender, events) = mpsc::channel(config.event_queue_length.max(1));
        let closing = CancellationToken::new();
        let (handle, session, ended) = session(established, &config, closing.clone());
        let task = tokio::spawn(async move { session.run(event_sender, &ended).await });
        Ok(Self {
            events,
            handle,
            task: Some(task),
            closing: closing.drop_guard(),
        })
    }

    /// Asks for these services instead of whatever is subscribed now, and returns the controller's answer; no service at
    /// all unsubscribes.
    ///
    /// # Errors
    /// As [`ClientHandle::subscribe`].
    pub async fn subscribe(
        &self,
        subscription: impl Into<ServiceSubscribeRequest>,
    ) -> Result<SubscribeOutcome, Error> {
        self.handle.subscribe(subscription).await
    }

    /// Ends these services; others stay.
    ///
    /// # Errors
    /// As [`ClientHandle::unsubscribe`].
    pub async fn unsubscribe(&self, services: Services) -> Result<SubscribeOutcome, Error> {
        self.handle.unsubscribe(services).await
    }

    /// The next event; `None` after a goodbye of either side. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Why the connection ended, once.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
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

    /// What other tasks ask the controller with, and answer its requests.
    #[must_use]
    pub const fn handle(&self) -> &ClientHandle {
        &self.handle
    }

    /// The controller's address.
    #[must_use]
    pub fn controller(&self) -> SocketAddr {
        self.handle.controller()
    }

    /// Who the controller is: host, address, and what its certificate says.
    #[must_use]
    pub fn identity(&self) -> &Arc<ControllerIdentity> {
        self.handle.identity()
    }

    /// What the controller said it can do at the start.
    #[must_use]
    pub fn capability(&self) -> &Capability {
        self.handle.capability()
    }

    /// The counters of the connection.
    #[must_use]
    pub fn counters(&self) -> CounterSnapshot {
        self.handle.counters()
    }

    /// Says goodbye and waits until the connection is closed.
    ///
    /// # Errors
    /// If the connection had ended before by an error.
    pub async fn close(mut self) -> Result<(), Error> {
        let task = self.task.take();
        drop((self.events, self.closing));
        match task {
            Some(task) => task.await.unwrap_or(Ok(CloseReason::ClosedLocally)).map(drop),
            None => Ok(()),
        }
    }

    async fn outcome(&mut self) -> Option<Result<CloseReason, Error>> {
        // A task that panicked has said so on its own; for the caller the connection is simply gone.
        self.task.take()?.await.ok()
    }
}

/// The two ends of an established connection: what is asked with, and what is to be run.
fn session(
    established: Established,
    config: &ClientConfig,
    closing: CancellationToken,
) -> (ClientHandle, Session<ControllerStream>, Arc<Ended>) {
    let Established {
        driver,
        address,
        identity,
        capability,
    } = established;
    let counters = Arc::clone(driver.connection.counters());
    let (commands, received) = mpsc::channel(COMMAND_QUEUE_LENGTH);
    let ended = Arc::<Ended>::default();
    let handle = ClientHandle::new(
        commands,
        address,
        identity,
        capability,
        counters,
        Arc::clone(&ended),
    );
    (handle, Session::new(driver, config, received, closing), ended)
}
