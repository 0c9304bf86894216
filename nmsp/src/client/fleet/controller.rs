//! The task of one controller: connect, subscribe, deliver, and again.

use core::pin::pin;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use pki_common::Diagnose as _;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::health::Record;
use super::lanes::Lane;
use super::{
    Backoff, ControllerEvent, ControllerId, ControllerState, Disconnected, FleetEvent, RetryClass,
    RetryPolicy,
};
use crate::client::connect::{Established, establish};
use crate::client::task::EventSink;
use crate::client::{ClientConfig, ClientHandle, ControllerIdentity, session};
use crate::error::Error;
use crate::proto::{CloseReason, Event, MessageFrame};
use crate::wire::message::{ServiceSubscribeRequest, Timestamp};

/// How often the clock of a controller is looked at. A look reads every station of one message.
const SKEW_INTERVAL: Duration = Duration::from_secs(1);

/// What a fleet and the task of one of its controllers share.
#[derive(Debug)]
pub(super) struct Controller {
    pub(super) id: ControllerId,
    pub(super) host: Arc<str>,
    pub(super) client: ClientConfig,
    pub(super) subscription: Mutex<ServiceSubscribeRequest>,
    pub(super) record: Record,
    pub(super) lane: Arc<Lane>,
    pub(super) handle: Mutex<Option<ClientHandle>>,
    pub(super) closing: CancellationToken,
    /// Ends a wait before the next attempt.
    pub(super) retry_now: Notify,
}

/// The places for handshakes. Whoever failed before needs a place among the second, too.
#[derive(Clone, Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    after_failure: Arc<Semaphore>,
}

impl Places {
    pub(super) fn new(limit: usize) -> Self {
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(limit)),
            after_failure: Arc::new(Semaphore::new((limit / 2).max(1))),
        }
    }

    async fn take(&self, failed_before: bool) -> [Option<OwnedSemaphorePermit>; 2] {
        // Nobody closes the semaphores, so there is always a place in the end.
        let after_failure = match failed_before {
            true => Arc::clone(&self.after_failure).acquire_owned().await.ok(),
            false => None,
        };
        [after_failure, Arc::clone(&self.all).acquire_owned().await.ok()]
    }
}

/// Keeps the controller connected until it is removed.
pub(super) async fn run(controller: Arc<Controller>, places: Places, policy: RetryPolicy) {
    let mut backoff = Backoff::default();
    let removed = controller.closing.clone();
    loop {
        let attempt = async {
            let established = connect(&controller, &places, backoff).await?;
            serve(&controller, established, &policy, &mut backoff).await
        };
        // While a connection is up, the session itself takes notice and says goodbye.
        let ended = attempt.await;
        if removed.is_cancelled() {
            break;
        }
        let error = match ended {
            Ok(reason) => reason.into(),
            Err(error) => error,
        };
        let wait = report(&controller, &error, &policy, &mut backoff).await;
        tokio::select! {
            () = sleep(wait) => {}
            () = controller.retry_now.notified() => {}
            () = removed.cancelled() => break,
        }
    }
    controller.record.enter(ControllerState::Closed);
    // A full queue that nobody empties does not hold up the end of the fleet.
    controller
        .lane
        .push_last(controller.event(ControllerEvent::Removed));
}

/// Waits for a place and connects; a removal ends both.
async fn connect(controller: &Controller, places: &Places, backoff: Backoff) -> Result<Established, Error> {
    controller.record.enter(ControllerState::Queued);
    let connecting = async {
        let _places = places.take(backoff.failures() > 0).await;
        controller.record.enter(ControllerState::Connecting);
        establish(&controller.host, &controller.client).await
    };
    tokio::select! {
        established = connecting => established,
        () = controller.closing.cancelled() => Err(CloseReason::ClosedLocally.into()),
    }
}

/// Subscribes and delivers until the connection ends.
async fn serve(
    controller: &Arc<Controller>,
    established: Established,
    policy: &RetryPolicy,
    backoff: &mut Backoff,
) -> Result<CloseReason, Error> {
    // A child: ending this connection does not remove the controller.
    let closing = controller.closing.child_token();
    let capability = established.capability.clone();
    let counters = Arc::clone(established.driver.connection.counters());
    let identity = Arc::clone(&established.identity);
    let (handle, session, ended) = session(established, &controller.client, closing.clone());
    controller
        .record
        .connected(identity, capability.clone(), counters);
    controller.tell(ControllerEvent::Connected(capability)).await;
    let sink = Sink::new(Arc::clone(controller));
    let mut connection = pin!(session.run(sink, &ended));
    *lock(&controller.handle) = Some(handle.clone());
    let wanted = lock(&controller.subscription).clone();
    let outcome = tokio::select! {
        ended = &mut connection => Err(ended),
        answered = handle.subscribe(wanted) => Ok(answered),
    };
    let outcome = match outcome {
        Ok(Ok(outcome)) => {
            controller.record.subscribed(outcome);
            controller.tell(ControllerEvent::Subscribed(outcome)).await;
            let stable = async {
                sleep(policy.stable_after).await;
                backoff.reset();
                controller.record.stable();
                core::future::pending::<()>().await;
            };
            tokio::select! {
                ended = &mut connection => ended,
                () = stable => Ok(CloseReason::ClosedLocally),
            }
        }
        // A controller that does not answer a subscription is of no use as it is.
        Ok(Err(error)) => {
            closing.cancel();
            match connection.await {
                Ok(CloseReason::ClosedLocally) => Err(error),
                ended => ended,
            }
        }
        Err(ended) => ended,
    };
    *lock(&controller.handle) = None;
    outcome
}

/// Tells everybody why there is no connection, and returns the time to wait.
async fn report(
    controller: &Controller,
    error: &Error,
    policy: &RetryPolicy,
    backoff: &mut Backoff,
) -> Duration {
    let (failure, class) = (error.diagnose(), RetryClass::of(error));
    let asked = match error {
        Error::Closed(CloseReason::Disconnected { retry_after, .. }) => *retry_after,
        _ => None,
    };
    let wait = backoff.next_wait(policy, class, asked, fastrand::u64(..));
    tracing::warn!(
        controller = %controller.record.controller(),
        rung = %failure.rung,
        cause = %failure.cause,
        remedy = %failure.remedy,
        %class,
        retry_in = ?wait,
        "no connection"
    );
    controller
        .record
        .failed(failure.clone(), class, wait, backoff.failures());
    let disconnected = Disconnected {
        failure,
        class,
        retry_in: wait,
    };
    controller
        .tell(ControllerEvent::Disconnected(Box::new(disconnected)))
        .await;
    wait
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Controller {
    fn event(&self, event: ControllerEvent) -> FleetEvent {
        FleetEvent {
            id: self.id,
            controller: self.record.controller(),
            event,
        }
    }

    /// Reports a change of the state; a removal does not wait for room.
    async fn tell(&self, event: ControllerEvent) {
        tokio::select! {
            () = self.lane.push_state(self.event(event)) => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// The connection of this moment.
    pub(super) fn connection(&self) -> Option<ClientHandle> {
        lock(&self.handle).clone()
    }

    pub(super) fn set_subscription(&self, subscription: ServiceSubscribeRequest) {
        *lock(&self.subscription) = subscription;
    }
}

/// Puts the events of one connection into the queue of its controller.
#[derive(Debug)]
struct Sink {
    controller: Arc<Controller>,
    identity: Arc<ControllerIdentity>,
    next_sequence: Option<u32>,
    next_look: Option<Instant>,
}

impl Sink {
    fn new(controller: Arc<Controller>) -> Self {
        Self {
            identity: controller.record.controller(),
            controller,
            next_sequence: None,
            next_look: None,
        }
    }

    fn count(&mut self, frame: &MessageFrame) {
        let record = &self.controller.record;
        record.notifications.fetch_add(1, Ordering::Relaxed);
        let sequence = frame.sequence();
        // A new connection starts at 1, so what is missing before the first one is missing, too.
        let expected = self.next_sequence.unwrap_or(1);
        let gap = sequence.wrapping_sub(expected);
        // A number that goes back is a mistake of the controller, not a loss.
        if gap < u32::MAX / 2 {
            record.lost.fetch_add(gap.into(), Ordering::Relaxed);
        }
        self.next_sequence = Some(sequence.wrapping_add(1));
    }

    fn look_at_clock(&mut self, frame: &MessageFrame) {
        let now = crate::driver::now();
        if self.next_look.is_some_and(|next| now < next) {
            return;
        }
        let Some(measurement) = frame.measurement() else {
            return;
        };
        let Some(newest) = measurement.stations().map(|station| station.timestamp).max() else {
            return;
        };
        self.next_look = now.checked_add(SKEW_INTERVAL);
        let arrived = Timestamp::from(SystemTime::now());
        self.controller
            .record
            .estimate_skew(|estimate| estimate.sample(newest, arrived, now));
    }
}

impl EventSink for Sink {
    fn has_room(&self) -> bool {
        self.controller.lane.has_room()
    }

    fn push(&mut self, event: Event) {
        if let Event::Notification(frame) = &event {
            self.count(frame);
            self.look_at_clock(frame);
        }
        self.controller.lane.push(FleetEvent {
            id: self.controller.id,
            controller: Arc::clone(&self.identity),
            event: ControllerEvent::Connection(event),
        });
    }

    async fn room(&self) -> bool {
        self.controller.lane.room().await;
        true
    }
}
