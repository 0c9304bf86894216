//! From what access points heard to a place: least squares.

use std::collections::HashMap;

use pki_common::MacAddr;

use super::geometry::Position;
use super::plan::FloorPlan;
use crate::wire::message::AccessPointReading;

/// The search ends with steps of this length, in metres.
const FINEST_STEP_METRES: f64 = 0.25;
/// Steps from the middle of the searched square to its edge.
const STEPS: i32 = 8;
/// The search begins in a square around the strongest access point whose half side is this many times the distance that its
/// reading stands for,
const WINDOW: f64 = 1.5;
/// and not smaller or larger than this, in metres.
const WINDOW_METRES: core::ops::RangeInclusive<f64> = 6.0..=150.0;
/// How many readings are used, the strongest ones: more do not make it better, weak ones are mostly walls.
const USED_READINGS: usize = 8;
/// How often the search may go on with the same step.
const REPEATS: usize = 3;
/// How strongly the transmit power is believed to be that of a client, in readings. Little, so that a station that sends
/// weaker is located as well; not nothing, so that a single reading gives a distance.
const POWER_BELIEF: f64 = 0.1;

/// Locates stations on a floor whose access points are known.
#[derive(Debug, Clone)]
pub struct Locator {
    plan: FloorPlan,
    places: HashMap<MacAddr, usize>,
}

/// A reading with the place of whoever heard it.
#[derive(Clone, Copy)]
struct Heard {
    place: Position,
    reading: AccessPointReading,
}

impl Locator {
    /// A locator for a floor.
    #[must_use]
    pub fn new(plan: FloorPlan) -> Self {
        let places = plan
            .access_points
            .iter()
            .zip(0..)
            .map(|(access_point, index)| (access_point.mac, index))
            .collect();
        Self { plan, places }
    }

    /// The floor.
    #[must_use]
    pub const fn plan(&self) -> &FloorPlan {
        &self.plan
    }

    /// Where the access point with this address hangs, if it is on the plan.
    #[must_use]
    pub fn access_point(&self, mac: MacAddr) -> Option<Position> {
        let index = *self.places.get(&mac)?;
        Some(self.plan.access_points.get(index)?.position)
    }

    /// The place that explains the readings best; `None` if no access point of the plan is among them.
    pub fn locate(&self, readings: impl Iterator<Item = AccessPointReading>) -> Option<Position> {
        let mut heard: Vec<Heard> = readings
            .filter_map(|reading| {
                let place = self.access_point(reading.access_point)?;
                Some(Heard { place, reading })
            })
            .collect();
        heard.sort_unstable_by_key(|each| core::cmp::Reverse(each.reading.rssi_dbm));
        heard.truncate(USED_READINGS);
        let strongest = heard.first()?;
        let model = &self.plan.propagation;
        let lost =
            model.expected_rssi(strongest.reading.band, 1.0, 0.0) - f64::from(strongest.reading.rssi_dbm);
        let distance = 10_f64.powf(lost / (10.0 * model.exponent));
        let window = (distance * WINDOW).clamp(*WINDOW_METRES.start(), *WINDOW_METRES.end());
        let mut best = strongest.place;
        let mut step = window / f64::from(STEPS);
        // Walls are looked at as soon as the neighbourhood is found: they cost more than all the rest.
        best = self.best_around(best, step, STEPS, |place| {
            self.squared_error(&heard, place, false)
        });
        while step > FINEST_STEP_METRES {
            step /= 2.0;
            for _ in 0..REPEATS {
                let before = best;
                best = self.best_around(best, step, 1, |place| self.squared_error(&heard, place, true));
                if best == before {
                    break;
                }
            }
        }
        Some(best)
    }

    fn best_around(
        &self,
        middle: Position,
        step: f64,
        steps: i32,
        error: impl Fn(Position) -> f64,
    ) -> Position {
        let mut best = (f64::INFINITY, middle);
        for right in -steps..=steps {
            for down in -steps..=steps {
                let place = Position {
                    x: (middle.x + f64::from(right) * step).clamp(0.0, self.plan.width),
                    y: (middle.y + f64::from(down) * step).clamp(0.0, self.plan.depth),
                };
                let found = error(place);
                if found < best.0 {
                    best = (found, place);
                }
            }
        }
        best.1
    }

    /// How badly a place explains the readings, the transmit power being whatever explains them best.
    fn squared_error(&self, heard: &[Heard], place: Position, with_walls: bool) -> f64 {
        let (mut sum, mut squares, mut number) = (0.0, 0.0, POWER_BELIEF);
        for Heard { place: at, reading } in heard {
            let expected = if with_walls {
                self.plan.expected_rssi(reading.band, place, *at)
            } else {
                self.plan
                    .propagation
                    .expected_rssi(reading.band, place.distance(*at), 0.0)
            };
            let deviation = f64::from(reading.rssi_dbm) - expected;
            sum += deviation;
            squares += deviation * deviation;
            number += 1.0;
        }
        squares - sum * sum / number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::AccessPoint;
    use crate::wire::Band;

    fn hall() -> FloorPlan {
        let mut plan = FloorPlan::hall(40.0, 16.0);
        let corners = [(3.0, 3.0), (37.0, 3.0), (3.0, 13.0), (37.0, 13.0)];
        plan.access_points = corners
            .into_iter()
            .zip(1..)
            .map(|((x, y), number)| AccessPoint::numbered(number, Position::new(x, y)))
            .collect();
        plan
    }

    fn readings(plan: &FloorPlan, place: Position, louder: f64) -> Vec<AccessPointReading> {
        plan.access_points
            .iter()
            .map(|access_point| AccessPointReading {
                access_point: access_point.mac,
                rssi_dbm: super::super::number::to_i8(
                    plan.expected_rssi(Band::GHZ_5, place, access_point.position) + louder,
                ),
                band: Band::GHZ_5,
                channel: 36,
                snr_db: None,
                antenna: None,
            })
            .collect()
    }

    #[test]
    fn finds_the_place_that_the_readings_were_made_for() {
        let locator = Locator::new(hall());
        for (x, y) in [(1.0, 1.0), (20.0, 8.0), (36.0, 4.0), (11.0, 14.0)] {
            for louder in [0.0, -6.0] {
                let place = Position::new(x, y);
                let found = locator
                    .locate(readings(locator.plan(), place, louder).into_iter())
                    .unwrap();
                assert!(found.distance(place) < 3.0, "{place:?} is not {found:?}");
            }
        }
    }

    #[test]
    fn nothing_heard_by_a_known_access_point_gives_no_place() {
        let locator = Locator::new(hall());
        assert_eq!(locator.locate([].into_iter()), None);
        let mut stranger = readings(locator.plan(), Position::new(1.0, 1.0), 0.0);
        stranger.truncate(1);
        stranger[0].access_point = MacAddr::new([2, 0, 0, 0, 0, 9]);
        assert_eq!(locator.locate(stranger.into_iter()), None);
    }
}
