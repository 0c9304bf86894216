//! How things move: random waypoints. Something walks straight to a place that it can reach without touching a wall,
//! rests, and walks on.

use core::ops::Range;

use super::geometry::Position;
use super::number::seconds;
use super::plan::FloorPlan;

/// How close to a wall somebody may come, in metres.
pub(super) const CLEARANCE_METRES: f64 = 0.2;
/// The length of one walk, in metres. Short enough that doors are found.
const LEG_METRES: Range<f64> = 2.0..14.0;
/// How long the rest after a walk is, in milliseconds.
const REST_MILLISECONDS: Range<u64> = 0..20_000;
/// How often a waypoint is drawn before it is given up for now.
const ATTEMPTS: usize = 24;
/// The rest of somebody who found no waypoint, in milliseconds.
const STUCK_MILLISECONDS: u64 = 2_000;
/// A longer time than this is not walked: a program that slept for an hour continues where it was.
const LONGEST_STEP_MILLISECONDS: u64 = 60_000;

/// Where something is and where it goes.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    pub(super) position: Position,
    waypoint: Position,
    /// 0 for something that stays where it is.
    metres_per_second: f64,
    rests_until: u64,
    moved_at: u64,
}

impl Motion {
    pub(super) fn new(position: Position, metres_per_second: f64, now: u64) -> Self {
        Self {
            position,
            waypoint: position,
            metres_per_second,
            rests_until: now,
            moved_at: now,
        }
    }

    /// Whether it is on its way.
    pub(super) fn is_walking(&self) -> bool {
        self.metres_per_second > 0.0 && self.rests_until <= self.moved_at
    }

    /// Moves to where it is at `now`, in milliseconds. Returns how many metres it went.
    pub(super) fn advance(&mut self, plan: &FloorPlan, random: &mut fastrand::Rng, now: u64) -> f64 {
        let mut time = self.moved_at.max(now.saturating_sub(LONGEST_STEP_MILLISECONDS));
        self.moved_at = self.moved_at.max(now);
        if self.metres_per_second <= 0.0 {
            return 0.0;
        }
        let mut walked = 0.0;
        while time < now {
            if self.rests_until > time {
                time = self.rests_until;
                continue;
            }
            let way = self.position.distance(self.waypoint);
            let possible = self.metres_per_second * seconds(now - time);
            if way > possible {
                self.position = self.position.towards(self.waypoint, possible / way);
                return walked + possible;
            }
            walked += way;
            self.position = self.waypoint;
            // At least a millisecond passes, so that the loop ends.
            time += 1 + super::number::to_u64(way / self.metres_per_second * 1000.0);
            self.rests_until = time + self.choose_waypoint(plan, random);
        }
        walked
    }

    /// Returns how long to rest before the walk.
    fn choose_waypoint(&mut self, plan: &FloorPlan, random: &mut fastrand::Rng) -> u64 {
        for _ in 0..ATTEMPTS {
            let (direction, length) = (
                random.f64() * core::f64::consts::TAU,
                LEG_METRES.start + random.f64() * (LEG_METRES.end - LEG_METRES.start),
            );
            let place = Position {
                x: self.position.x + length * direction.cos(),
                y: self.position.y + length * direction.sin(),
            };
            if plan.is_free(place) && plan.is_way(self.position, place) {
                self.waypoint = place;
                return random.u64(REST_MILLISECONDS);
            }
        }
        STUCK_MILLISECONDS
    }
}
