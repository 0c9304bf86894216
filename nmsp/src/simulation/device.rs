//! What moves: clients, tags, rogues, interferers.

use pki_common::MacAddr;

use super::geometry::Position;
use super::plan::{AddressBlock, FloorPlan, address};
use super::walk::Motion;
use crate::wire::elements::Traffic;
use crate::wire::numbers::{Band, InterfererType, RogueClass, StationClass, StationState};

/// The most stations, tags, rogues and interferers of one floor: more than any controller takes.
pub const MAX_DEVICES: usize = 200_000;

/// How often a free place is drawn before the floor counts as full of walls.
const PLACE_ATTEMPTS: usize = 10_000;

/// How many of each kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Population {
    /// Wi-Fi clients. Four of five are associated, the others only probe.
    pub clients: u32,
    /// RFID tags.
    pub tags: u32,
    /// Access points that are not ours.
    pub rogue_access_points: u32,
    /// Clients of these.
    pub rogue_clients: u32,
    /// Sources of interference.
    pub interferers: u32,
}

impl Population {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        let all = [
            self.clients,
            self.tags,
            self.rogue_access_points,
            self.rogue_clients,
            self.interferers,
        ];
        all.into_iter()
            .map(|number| usize::try_from(number).unwrap_or(usize::MAX))
            .fold(0, usize::saturating_add)
    }
}

/// A wireless network that clients use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network {
    pub(super) ssid: &'static str,
    pub(super) vlan: u16,
}

pub(super) const NETWORKS: [Network; 3] = [
    Network {
        ssid: "corporate",
        vlan: 20,
    },
    Network {
        ssid: "guest",
        vlan: 30,
    },
    Network {
        ssid: "things",
        vlan: 40,
    },
];

/// Something with a transmitter.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its address.
    pub mac: MacAddr,
    /// What kind of station it is.
    pub class: StationClass,
    /// The band it sends on.
    pub band: Band,
    /// Its number within its kind, from 1.
    pub(super) number: u32,
    /// How much stronger it sends than a client, in dB.
    pub(super) louder_db: f64,
    pub(super) motion: Motion,
    pub(super) role: Role,
}

impl Device {
    /// Where it is, which only the simulation knows.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.motion.position
    }

    /// How far a client has come; `None` for everything else.
    #[must_use]
    pub const fn state(&self) -> Option<StationState> {
        match &self.role {
            Role::Client(client) => Some(client.state),
            _ => None,
        }
    }
}

/// What is particular to each kind.
#[derive(Debug, Clone)]
pub(super) enum Role {
    Client(Client),
    Tag(Tag),
    RogueAccessPoint {
        class: RogueClass,
        first_heard: u64,
    },
    RogueClient {
        access_point: MacAddr,
        first_heard: u64,
    },
    Interferer {
        kind: InterfererType,
        duty_cycle_percent: u8,
        first_heard: u64,
    },
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) network: Network,
    pub(super) state: StationState,
    /// Index of its access point, and since when.
    pub(super) association: Option<(usize, u64)>,
    pub(super) traffic: Traffic,
    pub(super) rssi_dbm: i8,
}

#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub(super) sequence: u16,
    pub(super) frames: u64,
    pub(super) metres: f64,
    pub(super) battery_percent: f64,
    /// Index of the last chokepoint it passed, and when.
    pub(super) chokepoint: Option<(usize, u64)>,
}

/// Puts everybody on the floor; `None` if there is no free place.
pub(super) fn populate(
    plan: &FloorPlan,
    population: &Population,
    random: &mut fastrand::Rng,
    now: u64,
) -> Option<Vec<Device>> {
    let mut devices = Vec::with_capacity(population.total());
    for number in 1..=population.clients {
        devices.push(client(plan, random, number, now)?);
    }
    for number in 1..=population.tags {
        devices.push(tag(plan, random, number, now)?);
    }
    for number in 1..=population.rogue_access_points {
        devices.push(rogue_access_point(plan, random, number, now)?);
    }
    for number in 1..=population.rogue_clients {
        devices.push(rogue_client(plan, population, random, number, now)?);
    }
    for number in 1..=population.interferers {
        devices.push(interferer(plan, random, number, now)?);
    }
    Some(devices)
}

fn free_place(plan: &FloorPlan, random: &mut fastrand::Rng) -> Option<Position> {
    core::iter::repeat_with(|| Position {
        x: random.f64() * plan.width,
        y: random.f64() * plan.depth,
    })
    .take(PLACE_ATTEMPTS)
    .find(|place| plan.is_free(*place))
}

fn client(plan: &FloorPlan, random: &mut fastrand::Rng, number: u32, now: u64) -> Option<Device> {
    let place = free_place(plan, random)?;
    let speed = 0.6 + random.f64();
    let network = match random.u8(0..10) {
        0..6 => NETWORKS.first(),
        6..9 => NETWORKS.get(1),
        _ => NETWORKS.last(),
    }?;
    let state = if number.is_multiple_of(5) {
        StationState::PROBING
    } else {
        StationState::RUNNING
    };
    Some(Device {
        mac: address(AddressBlock::Client, number),
        class: StationClass::CLIENT,
        band: if random.u8(0..4) == 0 {
            Band::GHZ_2_4
        } else {
            Band::GHZ_5
        },
        number,
        louder_db: 0.0,
        motion: Motion::new(place, speed, now),
        role: Role::Client(Client {
            network: *network,
            state,
            association: None,
            traffic: Traffic::default(),
            rssi_dbm: 0,
        }),
    })
}

fn tag(plan: &FloorPlan, random: &mut fastrand::Rng, number: u32, now: u64) -> Option<Device> {
    Some(Device {
        mac: address(AddressBlock::Tag, number),
        class: StationClass::RFID_TAG,
        band: Band::GHZ_2_4,
        number,
        louder_db: -3.0,
        motion: Motion::new(free_place(plan, random)?, 0.4 + 0.4 * random.f64(), now),
        role: Role::Tag(Tag {
            sequence: 0,
            frames: 0,
            metres: 0.0,
            battery_percent: 15.0 + 85.0 * random.f64(),
            chokepoint: None,
        }),
    })
}

fn rogue_access_point(plan: &FloorPlan, random: &mut fastrand::Rng, number: u32, now: u64) -> Option<Device> {
    let classes = [
        RogueClass::UNCLASSIFIED,
        RogueClass::MALICIOUS,
        RogueClass::FRIENDLY,
    ];
    let class = classes
        .into_iter()
        .cycle()
        .nth(usize::try_from(number % 3).ok()?)?;
    Some(Device {
        mac: address(AddressBlock::RogueAccessPoint, number),
        class: StationClass::ROGUE_AP,
        band: if number.is_multiple_of(2) {
            Band::GHZ_5
        } else {
            Band::GHZ_2_4
        },
        number,
        louder_db: 3.0,
        motion: Motion::new(free_place(plan, random)?, 0.0, now),
        role: Role::RogueAccessPoint {
            class,
            first_heard: now,
        },
    })
}

fn rogue_client(
    plan: &FloorPlan,
    population: &Population,
    random: &mut fastrand::Rng,
    number: u32,
    now: u64,
) -> Option<Device> {
    // Spread over the rogue access points; one that nobody hears if there are none.
    let access_point = (number - 1) % population.rogue_access_points.max(1) + 1;
    Some(Device {
        mac: address(AddressBlock::RogueClient, number),
        class: StationClass::ROGUE_CLIENT,
        band: if access_point.is_multiple_of(2) {
            Band::GHZ_5
        } else {
            Band::GHZ_2_4
        },
        number,
        louder_db: 0.0,
        motion: Motion::new(free_place(plan, random)?, 0.8, now),
        role: Role::RogueClient {
            access_point: address(AddressBlock::RogueAccessPoint, access_point),
            first_heard: now,
        },
    })
}

fn interferer(plan: &FloorPlan, random: &mut fastrand::Rng, number: u32, now: u64) -> Option<Device> {
    let kinds = [
        (InterfererType::MICROWAVE_OVEN, Band::GHZ_2_4, 50.0, 0.0),
        (InterfererType::BLE_BEACON, Band::GHZ_2_4, 2.0, 0.0),
        (InterfererType::DECT_LIKE_PHONE, Band::GHZ_5, 12.0, 0.7),
        (InterfererType::VIDEO_CAMERA, Band::GHZ_5, 90.0, 0.0),
        (InterfererType::BLUETOOTH_LINK, Band::GHZ_2_4, 8.0, 1.0),
    ];
    let (kind, band, duty, speed) = kinds.into_iter().cycle().nth(usize::try_from(number % 5).ok()?)?;
    Some(Device {
        mac: address(AddressBlock::Interferer, number),
        class: StationClass::INTERFERER,
        band,
        number,
        louder_db: -6.0,
        motion: Motion::new(free_place(plan, random)?, speed, now),
        role: Role::Interferer {
            kind,
            duty_cycle_percent: super::number::to_u8(duty * (0.8 + 0.2 * random.f64())),
            first_heard: now,
        },
    })
}

/// Whether something that happens so often on average happened in these seconds.
pub(super) fn happened(random: &mut fastrand::Rng, per_second: f64, seconds: f64) -> bool {
    random.f64() < per_second * seconds
}
