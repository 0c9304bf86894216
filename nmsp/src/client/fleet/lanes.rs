//! One stream out of many controllers: each has a bounded queue of its own, and the queues take turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::FleetEvent;

/// How many events of one controller are taken before it is another's turn: enough that the lock of a queue is taken
/// rarely, little enough that no other controller waits for long.
const TURN: usize = 32;

/// How many events about the state of the connection go into a queue that is full of notifications: a controller that
/// comes and goes while nobody listens is told of a few times, then it waits like the rest.
const ROOM_FOR_STATES: usize = 16;

/// The queues that have something, in the order of their turns.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    ready: Mutex<VecDeque<Arc<Lane>>>,
    wake: Notify,
}

/// The queue of one controller.
#[derive(Debug)]
pub(super) struct Lane {
    lanes: Arc<Lanes>,
    queue: Mutex<Queue>,
    room: Notify,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<FleetEvent>,
    /// The queue stands among the ready ones.
    scheduled: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lane {
    pub(super) fn new(lanes: Arc<Lanes>, capacity: usize) -> Self {
        Self {
            lanes,
            queue: Mutex::default(),
            room: Notify::new(),
            capacity: capacity.max(1),
        }
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        lock(&self.queue).events.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.len() < self.capacity
    }

    /// Adds an event. Only the controller's own task does, after it has seen that there is room.
    pub(super) fn push(self: &Arc<Self>, event: FleetEvent) {
        let mut queue = lock(&self.queue);
        queue.events.push_back(event);
        if !queue.scheduled {
            queue.scheduled = true;
            drop(queue);
            lock(&self.lanes.ready).push_back(Arc::clone(self));
            self.lanes.wake.notify_one();
        }
    }

    /// Waits for room. Only the controller's own task does, so one permit is enough.
    pub(super) async fn room(&self) {
        self.room_within(self.capacity).await;
    }

    /// Adds an event about the state of the connection, past notifications that fill the queue; waits only if such events
    /// fill it, too.
    pub(super) async fn push_state(self: &Arc<Self>, event: FleetEvent) {
        self.room_within(self.capacity + ROOM_FOR_STATES).await;
        self.push(event);
    }

    /// As [`push_state`](Self::push_state); without room the event is left out.
    pub(super) fn push_last(self: &Arc<Self>, event: FleetEvent) {
        if self.len() < self.capacity + ROOM_FOR_STATES {
            self.push(event);
        }
    }

    async fn room_within(&self, capacity: usize) {
        while self.len() >= capacity {
            self.room.notified().await;
        }
    }
}

impl Lanes {
    /// Moves the events of the next queue's turn to the end of `out`; `false` if no queue has anything.
    pub(super) fn take_turn(&self, out: &mut VecDeque<FleetEvent>) -> bool {
        let Some(lane) = lock(&self.ready).pop_front() else {
            return false;
        };
        let mut queue = lock(&lane.queue);
        let turn = queue.events.len().min(TURN);
        out.extend(queue.events.drain(..turn));
        queue.scheduled = !queue.events.is_empty();
        let again = queue.scheduled;
        drop(queue);
        lane.room.notify_one();
        if again {
            lock(&self.ready).push_back(lane);
        }
        true
    }

    /// Waits until some queue has something, or [`wake`](Self::wake) was called.
    pub(super) async fn something(&self) {
        self.wake.notified().await;
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::fleet::{ControllerEvent, ControllerId};
    use crate::client::identity::ControllerIdentity;

    fn event(controller: u64) -> FleetEvent {
        FleetEvent {
            id: ControllerId(controller),
            controller: Arc::new(ControllerIdentity::unknown("wlc.example:16113".into())),
            event: ControllerEvent::Connected(crate::wire::message::Capability::default()),
        }
    }

    fn fill(lane: &Arc<Lane>, controller: u64) -> usize {
        let mut filled = 0;
        while lane.has_room() {
            lane.push(event(controller));
            filled += 1;
        }
        filled
    }

    #[test]
    fn queues_take_turns_however_full_they_are() {
        let lanes = Arc::new(Lanes::default());
        let lane = |capacity| Arc::new(Lane::new(Arc::clone(&lanes), capacity));
        let (busy, quiet) = (lane(10 * TURN), lane(10));
        assert_eq!(fill(&busy, 1), 10 * TURN);
        quiet.push(event(2));
        let mut out = VecDeque::new();
        while lanes.take_turn(&mut out) {}
        let position = out.iter().position(|event| event.id == ControllerId(2)).unwrap();
        assert_eq!(
            position, TURN,
            "the quiet one comes after one turn of the busy one"
        );
        assert_eq!(out.len(), 10 * TURN + 1, "nothing is lost");
        assert!(busy.has_room() && quiet.has_room());
    }

    #[test]
    fn a_full_queue_has_room_again_after_its_turn() {
        let lanes = Arc::new(Lanes::default());
        let lane = Arc::new(Lane::new(Arc::clone(&lanes), 3));
        assert_eq!(fill(&lane, 1), 3);
        assert!(lanes.take_turn(&mut VecDeque::new()));
        assert!(!lanes.take_turn(&mut VecDeque::new()));
        assert_eq!(fill(&lane, 1), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn states_go_past_a_full_queue_but_not_without_end() {
        let lanes = Arc::new(Lanes::default());
        let lane = Arc::new(Lane::new(Arc::clone(&lanes), 1));
        fill(&lane, 1);
        for _ in 0..ROOM_FOR_STATES {
            lane.push_state(event(1)).await;
        }
        lane.push_last(event(1));
        assert_eq!(lane.len(), 1 + ROOM_FOR_STATES, "the last one is left out");
        let blocked = tokio::time::timeout(core::time::Duration::from_secs(60), lane.push_state(event(1)));
        assert!(blocked.await.is_err());
        assert!(lanes.take_turn(&mut VecDeque::new()));
        lane.push_state(event(1)).await;
        assert_eq!(lane.len(), 1);
    }
}
