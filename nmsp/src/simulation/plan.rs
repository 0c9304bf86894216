//! What does not move: the floor, its walls and access points.

use pki_common::MacAddr;

use super::error::SimulationError;
use super::geometry::{Position, Wall};
use super::number::{count, to_usize};
use super::propagation::{Propagation, wall_loss};
use super::walk::CLEARANCE_METRES;
use crate::wire::Band;

/// The most access points of a floor: what one large controller manages.
pub const MAX_ACCESS_POINTS: usize = 6_000;
/// The most walls of a floor. Every reading looks at all of them.
pub const MAX_WALLS: usize = 2_000;
/// The longest side of a floor, in metres. A floor position on the wire has room for far more; a typing error has not.
pub const MAX_SIDE_METRES: f64 = 10_000.0;
/// The most radios of an access point.
pub const MAX_RADIOS: usize = 4;
/// The most antennas of a radio that are told apart.
pub const MAX_ANTENNAS: u8 = 8;

/// The part of the floor that one access point of [`FloorPlan::office`] covers, in metres: width and depth of its room.
const ROOM_METRES: (f64, f64) = (16.0, 12.0);
/// The doors between these rooms, in metres.
const DOOR_METRES: f64 = 3.0;
/// What the walls between these rooms take away: plasterboard, in dB.
const PLASTERBOARD_DB: f64 = 3.0;

/// The channels that the access points of a plan take in turn.
const CHANNELS: [(Band, [u8; 4]); 2] = [(Band::GHZ_2_4, [1, 6, 11, 6]), (Band::GHZ_5, [36, 44, 149, 157])];

/// A radio of an access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Radio {
    /// The band.
    pub band: Band,
    /// The channel number within the band.
    pub channel: u8,
    /// How many antennas are told apart, 1 to [`MAX_ANTENNAS`].
    pub antennas: u8,
}

/// An access point.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessPoint {
    /// Its base radio address; the BSSIDs of its radios follow.
    pub mac: MacAddr,
    /// Its name.
    pub name: String,
    /// The group it belongs to.
    pub group: String,
    /// Where it hangs.
    pub position: Position,
    /// Its radios, in the order of their slots.
    pub radios: Vec<Radio>,
}

impl AccessPoint {
    /// An access point with one radio on 2.4 GHz and one on 5 GHz. The number gives it its address, name and channels.
    #[must_use]
    pub fn numbered(number: u32, position: Position) -> Self {
        let turn = usize::try_from(number.saturating_sub(1)).unwrap_or_default();
        let radio = |(band, channels): (Band, [u8; 4])| Radio {
            band,
            channel: channels.into_iter().cycle().nth(turn % 4).unwrap_or(1),
            antennas: 1,
        };
        Self {
            // Each has sixteen addresses, for its BSSIDs.
            mac: address(AddressBlock::AccessPoint, number.saturating_mul(16)),
            name: format!("ap-{number:03}"),
            group: "default".to_owned(),
            position,
            radios: CHANNELS.into_iter().map(radio).collect(),
        }
    }

    /// The BSSID of the radio in this slot.
    #[must_use]
    pub fn bssid(&self, slot: usize) -> MacAddr {
        let [a, b, c, d, e, last] = self.mac.octets();
        let offset = u8::try_from(slot).unwrap_or(u8::MAX);
        MacAddr::new([a, b, c, d, e, last.wrapping_add(offset)])
    }

    /// Its radio for a band, with the slot.
    pub(super) fn radio(&self, band: Band) -> Option<(usize, &Radio)> {
        self.radios
            .iter()
            .enumerate()
            .find(|(_, radio)| radio.band == band)
    }
}

/// A chokepoint (exciter): a tag that comes near says so.
#[derive(Debug, Clone, PartialEq)]
pub struct ChokepointPlace {
    /// Its address.
    pub mac: MacAddr,
    /// Where it is.
    pub position: Position,
    /// How far it reaches, in metres.
    pub range: f64,
}

/// The corner of the floor on the globe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corner {
    /// Degrees north of the equator.
    pub latitude: f64,
    /// Degrees east of the prime meridian.
    pub longitude: f64,
}

/// A floor.
#[derive(Debug, Clone, PartialEq)]
pub struct FloorPlan {
    /// Its name.
    pub name: String,
    /// Extent to the right, in metres.
    pub width: f64,
    /// Extent down, in metres.
    pub depth: f64,
    /// The walls inside. The edge of the floor needs none: nobody leaves it.
    pub walls: Vec<Wall>,
    /// The access points.
    pub access_points: Vec<AccessPoint>,
    /// The chokepoints.
    pub chokepoints: Vec<ChokepointPlace>,
    /// Where its upper left corner is, the plan being drawn with north above.
    pub corner: Option<Corner>,
    /// How signals propagate.
    pub propagation: Propagation,
}

impl FloorPlan {
    /// A hall without walls and access points.
    #[must_use]
    pub fn hall(width: f64, depth: f64) -> Self {
        Self {
            name: "floor".to_owned(),
            width,
            depth,
            walls: Vec::new(),
            access_points: Vec::new(),
            chokepoints: Vec::new(),
            corner: None,
            propagation: Propagation::default(),
        }
    }

    /// An office: rooms of 16 m × 12 m with an access point in each, as many as there are access points, with doors between
    /// them. The left half is the group `west`, the right half `east`; a chokepoint is at the middle.
    #[must_use]
    pub fn office(access_points: usize) -> Self {
        let rooms = access_points.max(1);
        let columns = to_usize(count(rooms).sqrt().ceil()).max(1);
        let rows = rooms.div_ceil(columns);
        let (room_width, room_depth) = ROOM_METRES;
        let mut plan = Self::hall(count(columns) * room_width, count(rows) * room_depth);
        "office".clone_into(&mut plan.name);
        for (index, number) in (0..rooms).zip(1..) {
            let (column, row) = (count(index % columns), count(index / columns));
            let middle = Position::new((column + 0.5) * room_width, (row + 0.5) * room_depth);
            let mut access_point = AccessPoint::numbered(number, middle);
            let west = middle.x < plan.width / 2.0;
            if west { "west" } else { "east" }.clone_into(&mut access_point.group);
            plan.access_points.push(access_point);
        }
        for column in 1..columns {
            for row in 0..rows {
                let (x, y) = (count(column) * room_width, count(row) * room_depth);
                plan.wall_with_door(Position::new(x, y), Position::new(x, y + room_depth));
            }
        }
        for row in 1..rows {
            for column in 0..columns {
                let (x, y) = (count(column) * room_width, count(row) * room_depth);
                plan.wall_with_door(Position::new(x, y), Position::new(x + room_width, y));
            }
        }
        plan.chokepoints.push(ChokepointPlace {
            mac: address(AddressBlock::Chokepoint, 1),
            position: Position::new(plan.width / 2.0, plan.depth / 2.0),
            range: 5.0,
        });
        plan
    }

    /// A wall with a door in its middle.
    fn wall_with_door(&mut self, from: Position, to: Position) {
        let half_door = DOOR_METRES / 2.0 / from.distance(to);
        let halves = [
            (from, from.towards(to, 0.5 - half_door)),
            (from.towards(to, 0.5 + half_door), to),
        ];
        self.walls.extend(halves.map(|(from, to)| Wall {
            from,
            to,
            loss_db: PLASTERBOARD_DB,
        }));
    }

    /// Whether a place is on the floor and not inside a wall.
    #[must_use]
    pub fn is_free(&self, place: Position) -> bool {
        self.contains(place)
            && self
                .walls
                .iter()
                .all(|wall| wall.clearance(place, place) >= CLEARANCE_METRES)
    }

    /// Whether a place is on the floor.
    #[must_use]
    pub fn contains(&self, place: Position) -> bool {
        (0.0..=self.width).contains(&place.x) && (0.0..=self.depth).contains(&place.y)
    }

    /// Whether one can go straight from one place to the other.
    #[must_use]
    pub fn is_way(&self, one: Position, other: Position) -> bool {
        self.walls
            .iter()
            .all(|wall| wall.clearance(one, other) >= CLEARANCE_METRES)
    }

    /// What arrives at one place from the other without noise, in dBm.
    #[must_use]
    pub fn expected_rssi(&self, band: Band, one: Position, other: Position) -> f64 {
        let free = self.propagation.expected_rssi(band, one.distance(other), 0.0);
        let margin = free - self.propagation.sensitivity_dbm + 4.0 * self.propagation.noise_db;
        if margin < 0.0 {
            return free;
        }
        free - wall_loss(&self.walls, one, other, margin)
    }

    /// Checks what a caller may have got wrong.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place in the plan.
    pub fn check(&self) -> Result<(), SimulationError> {
        let invalid = |place: String, problem: String| Err(SimulationError::Plan { place, problem });
        for (name, side) in [("width", self.width), ("depth", self.depth)] {
            if !(1.0..=MAX_SIDE_METRES).contains(&side) {
                return invalid(
                    name.to_owned(),
                    format!("{side} m is not 1 m to {MAX_SIDE_METRES} m"),
                );
            }
        }
        let counts = [
            ("access-point", self.access_points.len(), 1, MAX_ACCESS_POINTS),
            ("wall", self.walls.len(), 0, MAX_WALLS),
        ];
        for (what, number, least, most) in counts {
            if number < least || number > most {
                return invalid(
                    what.to_owned(),
                    format!("there are {number}, not {least} to {most}"),
                );
            }
        }
        for (wall, number) in self.walls.iter().zip(1_usize..) {
            let numbers = [wall.from.x, wall.from.y, wall.to.x, wall.to.y];
            if !numbers.iter().all(|each| each.is_finite()) || !(0.0..=200.0).contains(&wall.loss_db) {
                let problem = "its ends must be numbers and its loss 0 dB to 200 dB".to_owned();
                return invalid(format!("wall {number}"), problem);
            }
        }
        for (access_point, number) in self.access_points.iter().zip(1_usize..) {
            if let Err(problem) = self.check_access_point(access_point) {
                return invalid(format!("access-point {number} ({})", access_point.name), problem);
            }
        }
        self.check_propagation()
    }

    fn check_access_point(&self, access_point: &AccessPoint) -> Result<(), String> {
        let Position { x, y } = access_point.position;
        if !self.contains(access_point.position) {
            let (width, depth) = (self.width, self.depth);
            return Err(format!(
                "position [{x}, {y}] is not on the floor of {width} m × {depth} m"
            ));
        }
        if access_point.radios.is_empty() || access_point.radios.len() > MAX_RADIOS {
            return Err(format!(
                "it has {} radios, not 1 to {MAX_RADIOS}",
                access_point.radios.len()
            ));
        }
        match access_point
            .radios
            .iter()
            .find(|radio| !(1..=MAX_ANTENNAS).contains(&radio.antennas))
        {
            Some(radio) => Err(format!(
                "it has {} antennas, not 1 to {MAX_ANTENNAS}",
                radio.antennas
            )),
            None => Ok(()),
        }
    }

    fn check_propagation(&self) -> Result<(), SimulationError> {
        let model = &self.propagation;
        for (name, value, least, most) in [
            ("rssi-at-one-metre-dbm", model.rssi_at_one_metre_dbm, -120.0, 30.0),
            ("exponent", model.exponent, 1.0, 8.0),
            ("noise-db", model.noise_db, 0.0, 30.0),
            ("sensitivity-dbm", model.sensitivity_dbm, -127.0, 0.0),
        ] {
            if !(least..=most).contains(&value) {
                return Err(SimulationError::Plan {
                    place: format!("propagation.{name}"),
                    problem: format!("{value} is not {least} to {most}"),
                });
            }
        }
        Ok(())
    }
}

/// What the third byte of a simulated address says. All addresses are locally administered: they belong to nobody's device.
#[derive(Debug, Clone, Copy)]
pub(super) enum AddressBlock {
    AccessPoint = 0xa0,
    Ethernet = 0xa1,
    Chokepoint = 0xa2,
    Client = 0xc0,
    Tag = 0xd0,
    RogueAccessPoint = 0xe0,
    RogueClient = 0xe1,
    Interferer = 0xf0,
    Wired = 0xb0,
    Switch = 0xb1,
}

#[expect(clippy::as_conversions, reason = "the number of a fieldless enum, below 256")]
pub(super) fn address(block: AddressBlock, number: u32) -> MacAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    MacAddr::new([0x02, 0x00, block as u8, high, middle, low])
}
