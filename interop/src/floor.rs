//! A simulated floor: stations that walk about, access points that hear them, and the location that follows from what was heard.
//!
//! Signal strength follows the log-distance path-loss model: `RSSI(d) = RSSI(1 m) − 10 · n · log10(d)`, with a little noise.
//! The same seed gives the same floor.

use std::fmt::Write;

use pki_common::MacAddr;

/// Received power at one metre, in dBm: a client of 15 dBm at 5 GHz loses about 47 dB on the first metre.
const RSSI_AT_ONE_METRE: f64 = -35.0;
/// Path-loss exponent of an office with light walls.
const PATH_LOSS_EXPONENT: f64 = 2.8;
/// Largest deviation of a reading from the model, in dB.
const NOISE_DB: f64 = 1.5;
/// What the receivers can still hear, in dBm.
const SENSITIVITY_DBM: f64 = -92.0;
/// How far a station walks between two readings, in metres.
const STRIDE_METRES: f64 = 0.4;
/// Raster of the search for a location, in metres.
const GRID_METRES: f64 = 0.5;

/// A place on the floor, in metres from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Metres to the right.
    pub x: f64,
    /// Metres down.
    pub y: f64,
}

impl Position {
    /// The distance to another place, in metres.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// A radio that hears stations.
#[derive(Debug, Clone)]
pub struct AccessPoint {
    /// Its base radio address.
    pub mac: MacAddr,
    /// Where it hangs.
    pub position: Position,
    /// Its 5 GHz channel.
    pub channel: u8,
}

/// A Wi-Fi client.
#[derive(Debug, Clone)]
pub struct Station {
    /// Its address.
    pub mac: MacAddr,
    /// Where it is, which only the simulator knows.
    pub position: Position,
    heading: f64,
}

/// What one access point heard of one station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Index into [`Floor::access_points`].
    pub access_point: usize,
    /// Received signal strength in dBm.
    pub rssi: i8,
}

/// The floor with everything on it.
#[derive(Debug, Clone)]
pub struct Floor {
    /// Extent to the right, in metres.
    pub width: f64,
    /// Extent down, in metres.
    pub depth: f64,
    /// The radios, one near each corner.
    pub access_points: Vec<AccessPoint>,
    /// The clients.
    pub stations: Vec<Station>,
    random: fastrand::Rng,
}

impl Floor {
    /// A floor of 40 m × 16 m with four access points and `stations` clients at random places.
    pub fn new(stations: u8, seed: u64) -> Self {
        let (width, depth) = (40.0, 16.0);
        let mut random = fastrand::Rng::with_seed(seed);
        let corners = [
            (3.0, 2.5),
            (width - 3.0, 2.5),
            (3.0, depth - 2.5),
            (width - 3.0, depth - 2.5),
        ];
        let access_points = corners
            .into_iter()
            .zip([36, 44, 149, 157])
            .zip(1..)
            .map(|(((x, y), channel), number)| AccessPoint {
                // Locally administered addresses: they belong to nobody's device.
                mac: MacAddr::from([0x02, 0x00, 0x00, 0xa0, 0x00, number]),
                position: Position { x, y },
                channel,
            })
            .collect();
        let stations = (1..=stations)
            .map(|number| Station {
                mac: MacAddr::from([0x02, 0x00, 0x00, 0xc0, 0x00, number]),
                position: Position {
                    x: random.f64() * width,
                    y: random.f64() * depth,
                },
                heading: random.f64() * std::f64::consts::TAU,
            })
            .collect();
        Self {
            width,
            depth,
            access_points,
            stations,
            random,
        }
    }

    /// Everybody takes a step; walls turn them back.
    pub fn walk(&mut self) {
        for station in &mut self.stations {
            station.heading += (self.random.f64() - 0.5) * 0.6;
            let (x, y) = (
                station.position.x + STRIDE_METRES * station.heading.cos(),
                station.position.y + STRIDE_METRES * station.heading.sin(),
            );
            if (0.0..=self.width).contains(&x) && (0.0..=self.depth).contains(&y) {
                station.position = Position { x, y };
            } else {
                station.heading += std::f64::consts::PI;
            }
        }
    }

    /// What the access points hear of the station with this index, now; empty for an index that does not exist.
    pub fn hear(&mut self, station: usize) -> Vec<Reading> {
        let Some(position) = self.stations.get(station).map(|station| station.position) else {
            return Vec::new();
        };
        let random = &mut self.random;
        self.access_points
            .iter()
            .enumerate()
            .filter_map(|(access_point, radio)| {
                let heard =
                    expected_rssi(position.distance(radio.position)) + (random.f64() * 2.0 - 1.0) * NOISE_DB;
                (heard >= SENSITIVITY_DBM).then(|| Reading {
                    access_point,
                    rssi: to_dbm(heard),
                })
            })
            .collect()
    }

    /// The place that explains the readings best (least squares on a raster), or `None` without a reading.
    pub fn locate(&self, readings: &[Reading]) -> Option<Position> {
        if readings.is_empty() {
            return None;
        }
        let squared_error = |place: Position| -> f64 {
            readings
                .iter()
                .filter_map(|reading| Some((reading, self.access_points.get(reading.access_point)?)))
                .map(|(reading, radio)| {
                    (f64::from(reading.rssi) - expected_rssi(place.distance(radio.position))).powi(2)
                })
                .sum()
        };
        raster(self.width)
            .flat_map(|x| raster(self.depth).map(move |y| Position { x, y }))
            .min_by(|one, other| squared_error(*one).total_cmp(&squared_error(*other)))
    }

    /// Draws the floor for a terminal: `[1]`…`[4]` are access points, a letter is a station (`a` for the first).
    pub fn draw(&self, stations: &[Position]) -> String {
        const COLUMNS: u16 = 72;
        const ROWS: u16 = 15;
        let mut picture = vec![vec![' '; usize::from(COLUMNS)]; usize::from(ROWS)];
        let mut put = |place: Position, column_offset: usize, glyph: char| {
            let column = cell(place.x / self.width, COLUMNS) + column_offset;
            if let Some(field) = picture
                .get_mut(cell(place.y / self.depth, ROWS))
                .and_then(|row| row.get_mut(column))
            {
                *field = glyph;
            }
        };
        for (place, letter) in stations.iter().zip(('a'..='z').chain('A'..='Z').cycle()) {
            put(*place, 0, letter);
        }
        for (radio, digit) in self.access_points.iter().zip('1'..='9') {
            for (offset, glyph) in ['[', digit, ']'].into_iter().enumerate() {
                put(radio.position, offset, glyph);
            }
        }
        let edge = "─".repeat(usize::from(COLUMNS));
        let mut drawing = format!("┌{edge}┐\n");
        for row in picture {
            drawing.extend(['│'].into_iter().chain(row).chain(['│', '\n']));
        }
        // Writing to a String cannot fail.
        let _ = write!(drawing, "└{edge}┘\n  {:.0} m × {:.0} m", self.width, self.depth);
        drawing
    }
}

fn expected_rssi(metres: f64) -> f64 {
    RSSI_AT_ONE_METRE - 10.0 * PATH_LOSS_EXPONENT * metres.max(0.5).log10()
}

#[expect(
    clippy::as_conversions,
    reason = "a float has no TryFrom to i8; the value is clamped to its range first"
)]
fn to_dbm(rssi: f64) -> i8 {
    rssi.round().clamp(f64::from(i8::MIN), f64::from(i8::MAX)) as i8
}

#[expect(
    clippy::as_conversions,
    reason = "a float has no TryFrom to usize; the value is clamped to the cells first"
)]
fn cell(fraction: f64, cells: u16) -> usize {
    (fraction * f64::from(cells))
        .floor()
        .clamp(0.0, f64::from(cells - 1)) as usize
}

fn raster(extent: f64) -> impl Iterator<Item = f64> {
    (0u16..)
        .map(|step| f64::from(step) * GRID_METRES)
        .take_while(move |coordinate| *coordinate <= extent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_floor() {
        let (mut one, mut other) = (Floor::new(20, 7), Floor::new(20, 7));
        for _ in 0..50 {
            one.walk();
            other.walk();
        }
        let heard = |floor: &mut Floor| (0..20).map(|station| floor.hear(station)).collect::<Vec<_>>();
        assert_eq!(heard(&mut one), heard(&mut other));
    }

    #[test]
    fn nobody_leaves_the_floor() {
        let mut floor = Floor::new(20, 1);
        for _ in 0..2_000 {
            floor.walk();
        }
        for station in &floor.stations {
            assert!((0.0..=floor.width).contains(&station.position.x), "{station:?}");
            assert!((0.0..=floor.depth).contains(&station.position.y), "{station:?}");
        }
    }

    #[test]
    fn a_station_is_located_within_a_few_metres_of_where_it_is() {
        let mut floor = Floor::new(20, 3);
        let mut errors = Vec::new();
        for station in 0..20 {
            let readings = floor.hear(station);
            let estimate = floor.locate(&readings).unwrap();
            errors.push(estimate.distance(floor.stations[station].position));
        }
        let mean = errors.iter().sum::<f64>() / 20.0;
        assert!(mean < 3.0, "mean error {mean:.1} m");
    }

    #[test]
    fn a_station_that_nobody_hears_has_no_location() {
        assert_eq!(Floor::new(1, 1).locate(&[]), None);
    }

    #[test]
    fn the_drawing_shows_every_access_point_and_a_station() {
        let floor = Floor::new(1, 1);
        let drawing = floor.draw(&[Position { x: 20.0, y: 8.0 }]);
        for mark in ["[1]", "[2]", "[3]", "[4]", "a"] {
            assert!(drawing.contains(mark), "{mark} is missing in\n{drawing}");
        }
    }
}
