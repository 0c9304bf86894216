//! What waits for one subscriber, of one kind of record.

use core::time::Duration;
use std::collections::VecDeque;
use std::time::Instant;

use crate::proto::policy::{NotificationPeriod, has_moved};
use crate::server::store::{RecordId, Touched, Urgency};
use crate::wire::AccessPointReading;

type Readings = [[u8; AccessPointReading::LENGTH]];

/// A record that waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: RecordId,
    /// Its place in the order of all lanes.
    turn: u64,
}

/// What is known about the place of one record.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    generation: u32,
    /// It is to be sent whatever its signal strength.
    forced: bool,
    /// The turn of its entry; 0 if none waits.
    turn: u64,
}

/// What this subscriber was last told about a station, for the threshold.
#[derive(Clone, Debug, Default)]
struct Told {
    generation: u32,
    readings: Vec<[u8; AccessPointReading::LENGTH]>,
}

/// What became of a record that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It waits.
    Waits,
    /// It takes the place of an older value that was still waiting for its interval: nobody was to get that one.
    Joined,
    /// It takes the place of an older value that should have been sent already.
    Replaced,
}

/// The records of one kind that wait, oldest first. Those that may be sent now are in front.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: VecDeque<Waiting>,
    /// By the record's place in the store, so that finding one takes no search.
    marks: Vec<Mark>,
    told: Vec<Told>,
    period: NotificationPeriod,
    /// Entries up to this turn may be sent.
    released: u64,
    /// Ours: superseded by newer values of the same record while they waited to be sent.
    pub(super) replaced: u64,
    /// Ours: given up because too much waited.
    pub(super) dropped: u64,
    /// Not reported because the signal strength moved by less than the threshold.
    pub(super) unchanged: u64,
}

impl Lane {
    /// Adds a record, or lets the one that waits stand for its newest value.
    #[inline(always)]
    pub(super) fn add(&mut self, touched: Touched, urgency: Urgency, turn: u64) -> Added {
        let place = place(touched.id);
        if place >= self.marks.len() {
            self.make_marks(place + 1);
        }
        let released = self.released;
        let Some(mark) = self.marks.get_mut(place) else {
            unreachable!("the marks were made long enough");
        };
        if mark.generation != touched.id.generation {
            *mark = Mark {
                generation: touched.id.generation,
                ..Mark::default()
            };
        }
        mark.forced |= urgency == Urgency::AtOnce;
        if mark.turn == 0 {
            mark.turn = turn;
            self.waiting.push_back(Waiting { id: touched.id, turn });
            Added::Waits
        } else if mark.turn <= released {
            Added::Replaced
        } else {
            Added::Joined
        }
    }

    #[cold]
    fn make_marks(&mut self, count: usize) {
        self.marks.resize(count, Mark::default());
    }

    /// Lets go what waits: all of it, whatever the interval.
    pub(super) fn release(&mut self) {
        if let Some(last) = self.waiting.back() {
            self.released = last.turn;
        }
    }

    /// Lets go what waits if the interval is over; another one begins then.
    pub(super) fn release_if_due(&mut self, now: Instant, interval: Duration) {
        if self.has_unreleased() && self.period.is_over(now, interval) {
            self.release();
            self.period.begin(now);
        }
    }

    /// Whether something waits for the interval.
    pub(super) fn has_unreleased(&self) -> bool {
        self.waiting.back().is_some_and(|last| last.turn > self.released)
    }

    /// When something that waits for the interval may go.
    pub(super) fn deadline(&self, interval: Duration) -> Option<Instant> {
        self.has_unreleased().then(|| self.period.end(interval)).flatten()
    }

    /// The next record that may be sent now.
    pub(super) fn front(&self) -> Option<RecordId> {
        let front = self.waiting.front()?;
        (front.turn <= self.released).then_some(front.id)
    }

    /// How many may be sent now.
    pub(super) fn sendable(&self) -> impl Iterator<Item = RecordId> + '_ {
        let released = self.released;
        self.waiting
            .iter()
            .take_while(move |waiting| waiting.turn <= released)
            .map(|waiting| waiting.id)
    }

    /// Takes the front out, because it was sent or is given up.
    pub(super) fn pop(&mut self) {
        if let Some(waiting) = self.waiting.pop_front() {
            unmark(&mut self.marks, waiting);
        }
    }

    /// Takes as many out at the front.
    pub(super) fn pop_many(&mut self, count: usize) {
        for waiting in self.waiting.drain(..count.min(self.waiting.len())) {
            unmark(&mut self.marks, waiting);
        }
    }

    /// The turn of the oldest entry.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.turn)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a measurement is to be reported: always if it was published on its own, or if it moved by the threshold
    /// since this subscriber was last told.
    pub(super) fn is_worth_telling(&mut self, id: RecordId, readings: &Readings, threshold_db: u8) -> bool {
        let place = place(id);
        let forced = self
            .marks
            .get(place)
            .is_some_and(|mark| mark.generation == id.generation && mark.forced);
        if forced || threshold_db == 0 {
            return true;
        }
        let worth = self
            .told
            .get(place)
            .filter(|told| told.generation == id.generation && !told.readings.is_empty())
            .is_none_or(|told| has_moved(&told.readings, readings, threshold_db));
        if !worth {
            self.unchanged += 1;
        }
        worth
    }

    /// Remembers what was told, if there is a threshold to compare with.
    pub(super) fn tell(&mut self, id: RecordId, readings: &Readings, threshold_db: u8) {
        if threshold_db == 0 {
            return;
        }
        let place = place(id);
        if place >= self.told.len() {
            self.told.resize_with(place + 1, Told::default);
        }
        if let Some(told) = self.told.get_mut(place) {
            told.generation = id.generation;
            told.readings.clear();
            told.readings.extend_from_slice(readings);
        }
    }

    /// Forgets everything that waits; how many entries there were. The counters stay.
    pub(super) fn clear(&mut self) -> usize {
        let cleared = self.waiting.len();
        self.waiting = VecDeque::new();
        self.marks = Vec::new();
        self.told = Vec::new();
        self.period = NotificationPeriod::default();
        cleared
    }
}

/// An entry does not wait any more.
#[inline]
fn unmark(marks: &mut [Mark], waiting: Waiting) {
    if let Some(mark) = marks.get_mut(place(waiting.id))
        && mark.turn == waiting.turn
    {
        mark.turn = 0;
        mark.forced = false;
    }
}

#[inline]
fn place(id: RecordId) -> usize {
    usize::try_from(id.slot).unwrap_or(usize::MAX)
}
