//! Hundreds of controllers: each is kept connected and subscribed, and what they send is one stream.
//!
//! - Each controller has a task of its own. It connects, subscribes, and when the connection ends, it tries again:
//!   [`RetryPolicy`] says when. What a person has to mend is retried slowly and marked.
//! - Each controller has a bounded queue of its own. [`Fleet::next`] takes from them in turns, so a busy controller cannot
//!   keep others out; a full queue stops the reading of its connection, and TCP slows that controller down, and only it.
//! - At most [`handshake_limit`](FleetConfig::handshake_limit) handshakes are in flight.
//! - [`Fleet::health`] says how each controller is: state, last error with rung, cause and remedy, clock, counters.

mod clock_skew;
mod config;
mod controller;
mod event;
mod health;
mod lanes;
mod retry;

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use clock_skew::{ClockSkew, TOLERATED_LAG};
pub use config::{ControllerConfig, DEFAULT_HANDSHAKE_LIMIT, DEFAULT_QUEUE_LENGTH, FleetConfig};
pub use event::{ControllerEvent, ControllerId, Disconnected, FleetEvent};
pub use health::{ControllerHealth, ControllerState, ControllerTotals, LastError};
pub use retry::{
    Backoff, DEFAULT_ATTENTION_WAIT, DEFAULT_FIRST_WAIT, DEFAULT_LONGEST_ASKED_WAIT, DEFAULT_LONGEST_WAIT,
    DEFAULT_STABLE_AFTER, RetryClass, RetryPolicy,
};

use super::{ClientHandle, with_default_port};
use crate::error::Error;
use crate::wire::message::{ServiceSubscribeRequest, SubscribeOutcome};
use controller::{Controller, Places};
use health::Record;
use lanes::{Lane, Lanes};

/// A location server's controllers.
///
/// Dropping it ends all connections with a goodbye, in the background; [`close`](Self::close) waits for that.
#[derive(Debug)]
pub struct Fleet {
    handle: FleetHandle,
    taken: VecDeque<FleetEvent>,
    _closing: DropGuard,
}

/// Adds, removes and asks the controllers of a fleet, from any task.
#[derive(Clone)]
pub struct FleetHandle(Arc<Shared>);

struct Shared {
    config: FleetConfig,
    lanes: Arc<Lanes>,
    places: Places,
    members: Mutex<Members>,
    next_id: AtomicU64,
    closing: CancellationToken,
}

#[derive(Default)]
struct Members {
    by_id: BTreeMap<ControllerId, Member>,
    /// Nobody is let in any more.
    closed: bool,
    /// All tasks have ended.
    over: bool,
}

struct Member {
    controller: Arc<Controller>,
    /// Taken by whoever waits for its end.
    task: Option<JoinHandle<()>>,
}

impl fmt::Debug for FleetHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetHandle")
            .field("controllers", &self.members().by_id.len())
            .finish_non_exhaustive()
    }
}

impl Fleet {
    /// A fleet without controllers. To be called inside a tokio runtime, as everything else here.
    #[must_use]
    pub fn new(config: FleetConfig) -> Self {
        let closing = CancellationToken::new();
        let shared = Shared {
            places: Places::new(config.handshake_limit),
            config,
            lanes: Arc::default(),
            members: Mutex::default(),
            next_id: AtomicU64::new(1),
            closing: closing.clone(),
        };
        Self {
            handle: FleetHandle(Arc::new(shared)),
            taken: VecDeque::new(),
            _closing: closing.drop_guard(),
        }
    }

    /// Adds a controller and starts to connect.
    ///
    /// # Errors
    /// As [`FleetHandle::add`].
    pub fn add(&self, controller: impl Into<ControllerConfig>) -> Result<ControllerId, Error> {
        self.handle.add(controller)
    }

    /// Removes a controller; see [`FleetHandle::remove`].
    pub async fn remove(&self, id: ControllerId) -> bool {
        self.handle.remove(id).await
    }

    /// What happened next, at any controller; controllers take turns. `None` once the fleet was closed by a handle and
    /// everything was taken. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<FleetEvent> {
        loop {
            if let Some(event) = self.taken.pop_front() {
                return Some(event);
            }
            let shared = &self.handle.0;
            if shared.lanes.take_turn(&mut self.taken) {
                // Another task may have its turn: a stream that never ends must not hold the runtime.
                tokio::task::coop::consume_budget().await;
                continue;
            }
            if self.handle.members().over && !shared.lanes.take_turn(&mut self.taken) {
                return None;
            }
            shared.lanes.something().await;
        }
    }

    /// How every controller is, in the order in which they were added.
    #[must_use]
    pub fn health(&self) -> Vec<ControllerHealth> {
        self.handle.health()
    }

    /// Adds, removes and asks from other tasks.
    #[must_use]
    pub const fn handle(&self) -> &FleetHandle {
        &self.handle
    }

    /// Says goodbye to every controller and waits until all connections are closed. Events that were not taken are lost.
    pub async fn close(self) {
        self.handle.close().await;
    }
}

impl FleetHandle {
    /// Adds a controller and starts to connect.
    ///
    /// # Errors
    /// If the fleet has a controller of this host and port already, or is closed.
    pub fn add(&self, controller: impl Into<ControllerConfig>) -> Result<ControllerId, Error> {
        let ControllerConfig {
            host,
            client,
            subscription,
        } = controller.into();
        let (shared, host) = (&self.0, with_default_port(&host));
        let refused = |cause: String, remedy: &str| Error::Configuration {
            cause,
            remedy: remedy.to_owned(),
        };
        let mut members = self.members();
        if members.closed || shared.closing.is_cancelled() {
            return Err(refused(
                "the fleet is closed".to_owned(),
                "add controllers before it is closed",
            ));
        }
        if members
            .by_id
            .values()
            .any(|member| *member.controller.host == *host)
        {
            let cause = format!("the controller {host} is in the fleet already");
            return Err(refused(cause, "add each controller once, or remove it first"));
        }
        let id = ControllerId(shared.next_id.fetch_add(1, Ordering::Relaxed));
        let host: Arc<str> = host.into();
        let subscription = subscription.unwrap_or_else(|| shared.config.subscription.clone());
        let controller = Arc::new(Controller {
            id,
            client: client.unwrap_or_else(|| shared.config.client.clone()),
            subscription: Mutex::new(subscription),
            record: Record::new(id, Arc::clone(&host)),
            host,
            lane: Arc::new(Lane::new(Arc::clone(&shared.lanes), shared.config.queue_length)),
            handle: Mutex::default(),
            closing: shared.closing.child_token(),
            retry_now: Notify::new(),
        });
        let running = controller::run(
            Arc::clone(&controller),
            shared.places.clone(),
            shared.config.retry,
        );
        let task = tokio::spawn(running);
        members.by_id.insert(
            id,
            Member {
                controller,
                task: Some(task),
            },
        );
        Ok(id)
    }

    /// Says goodbye to a controller, waits until the connection is closed, and forgets it; `false` if the fleet does not
    /// have it. What was received before is still delivered, then [`ControllerEvent::Removed`] if there is room.
    pub async fn remove(&self, id: ControllerId) -> bool {
        let Some(mut member) = self.members().by_id.remove(&id) else {
            return false;
        };
        member.controller.closing.cancel();
        if let Some(task) = member.task.take() {
            // A task that panicked has said so on its own.
            drop(task.await);
        }
        true
    }

    /// How every controller is, in the order in which they were added.
    #[must_use]
    pub fn health(&self) -> Vec<ControllerHealth> {
        let members = self.members();
        members.by_id.values().map(Member::health).collect()
    }

    /// How one controller is.
    #[must_use]
    pub fn health_of(&self, id: ControllerId) -> Option<ControllerHealth> {
        self.members().by_id.get(&id).map(Member::health)
    }

    /// What the controller is asked with, while its connection is up. After a reconnect there is another one.
    #[must_use]
    pub fn client(&self, id: ControllerId) -> Option<ClientHandle> {
        self.find(id)?.connection()
    }

    /// Connects to a waiting controller now, for example because somebody has mended what was wrong; `false` if the fleet
    /// does not have it.
    pub fn retry_now(&self, id: ControllerId) -> bool {
        self.find(id).is_some_and(|controller| {
            // Otherwise there is nothing to hurry.
            if controller.record.state() == ControllerState::Waiting {
                controller.retry_now.notify_one();
            }
            true
        })
    }

    /// Asks a controller for something else from now on, also after reconnects. The answer if the connection is up.
    ///
    /// # Errors
    /// As [`ClientHandle::subscribe`]; the new subscription holds for the next connection all the same.
    pub async fn set_subscription(
        &self,
        id: ControllerId,
        subscription: impl Into<ServiceSubscribeRequest>,
    ) -> Result<Option<SubscribeOutcome>, Error> {
        let Some(controller) = self.find(id) else {
            return Ok(None);
        };
        let subscription = subscription.into();
        controller.set_subscription(subscription.clone());
        let Some(connection) = controller.connection() else {
            return Ok(None);
        };
        let outcome = connection.subscribe(subscription).await?;
        controller.record.subscribed(outcome);
        Ok(Some(outcome))
    }

    /// Says goodbye to every controller, and waits until all connections are closed. [`Fleet::next`] then ends when
    /// everything was taken.
    pub async fn close(&self) {
        self.0.closing.cancel();
        let tasks: Vec<_> = {
            let mut members = self.members();
            members.closed = true;
            members
                .by_id
                .values_mut()
                .filter_map(|member| member.task.take())
                .collect()
        };
        for task in tasks {
            drop(task.await);
        }
        self.members().over = true;
        self.0.lanes.wake();
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.0.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: ControllerId) -> Option<Arc<Controller>> {
        let members = self.members();
        members
            .by_id
            .get(&id)
            .map(|member| Arc::clone(&member.controller))
    }
}

impl Member {
    fn health(&self) -> ControllerHealth {
        self.controller.record.health(self.controller.lane.len())
    }
}
