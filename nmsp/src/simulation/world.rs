//! The floor with everything on it, and what is heard of it.

use core::ops::Range;

use super::device::{Client, Device, MAX_DEVICES, Population, Role, happened, populate};
use super::error::SimulationError;
use super::intrusion::Intrusions;
use super::number::{seconds, to_i8, to_u64};
use super::plan::FloorPlan;
use super::propagation::{deviation, noise_floor_dbm};
use crate::wire::elements::Traffic;
use crate::wire::message::{AccessPointReading, Measurement, Timestamp};
use crate::wire::numbers::StationState;

/// A client changes its access point when another is this much stronger, in dB.
const ROAMING_DB: i8 = 6;
/// How often an associated client leaves, per second: after half an hour on average.
const LEAVES_PER_SECOND: f64 = 1.0 / 1800.0;
/// How often one that probes joins, per second: after seven minutes and a half, so that four of five are associated.
const JOINS_PER_SECOND: f64 = 1.0 / 450.0;
/// A full battery of a tag lasts four years.
const BATTERY_PERCENT_PER_SECOND: f64 = 100.0 / 126_000_000.0;
/// How much the antennas of one radio differ, in dB.
const ANTENNA_DB: f64 = 1.5;

/// Something that happened to a device, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A client was associated.
    Joined {
        /// The client.
        device: usize,
    },
    /// A client left.
    Left {
        /// The client.
        device: usize,
    },
    /// A client went from one access point to another.
    Roamed {
        /// The client.
        device: usize,
        /// Index of the access point it left.
        from: usize,
        /// Index of its access point now.
        to: usize,
    },
    /// A tag passed a chokepoint.
    Passed {
        /// The tag.
        device: usize,
        /// Index of the chokepoint.
        chokepoint: usize,
    },
}

/// The simulation.
#[derive(Debug, Clone)]
pub struct Simulation {
    pub(super) plan: FloorPlan,
    pub(super) population: Population,
    pub(super) devices: Vec<Device>,
    /// What was heard last, in the order of the devices.
    pub(super) measurements: Vec<Measurement>,
    pub(super) started: Timestamp,
    pub(super) random: fastrand::Rng,
    pub(super) intrusions: Intrusions,
    changes: Vec<Change>,
    range_metres: f64,
}

impl Simulation {
    /// Puts everybody at a random place of the floor.
    ///
    /// # Errors
    /// If the plan makes no sense, has no free place, or there are too many devices.
    pub fn new(
        plan: FloorPlan,
        population: &Population,
        seed: u64,
        now: Timestamp,
    ) -> Result<Self, SimulationError> {
        plan.check()?;
        let count = population.total();
        if count > MAX_DEVICES {
            return Err(SimulationError::TooMany {
                count,
                most: MAX_DEVICES,
            });
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let devices = populate(&plan, population, &mut random, now.0).ok_or(SimulationError::NoFreePlace)?;
        let measurements = devices
            .iter()
            .map(|device| Measurement {
                station: device.mac,
                class: device.class,
                timestamp: now,
                access_points: Vec::new(),
                state: device.state(),
            })
            .collect();
        Ok(Self {
            range_metres: plan.propagation.range_metres(),
            plan,
            population: *population,
            devices,
            measurements,
            started: now,
            random,
            intrusions: Intrusions::default(),
            changes: Vec::new(),
        })
    }

    /// The floor.
    #[must_use]
    pub const fn plan(&self) -> &FloorPlan {
        &self.plan
    }

    /// Everything that sends, in this order: clients, tags, rogue access points, their clients, interferers.
    #[must_use]
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Moves these devices to where they are now and returns what is heard of them; those that nobody hears have no
    /// readings. A range beyond the devices is cut.
    pub fn report(&mut self, devices: Range<usize>, now: Timestamp) -> &[Measurement] {
        self.changes.clear();
        let end = devices.end.min(self.devices.len());
        let start = devices.start.min(end);
        for index in start..end {
            self.observe(index, now);
        }
        self.measurements.get(start..end).unwrap_or_default()
    }

    /// What happened to the devices of the last [`report`](Self::report).
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    fn observe(&mut self, index: usize, now: Timestamp) {
        let (Some(device), Some(measurement)) =
            (self.devices.get_mut(index), self.measurements.get_mut(index))
        else {
            return;
        };
        let passed = seconds(now.0.saturating_sub(measurement.timestamp.0));
        let metres = device.motion.advance(&self.plan, &mut self.random, now.0);
        measurement.timestamp = now;
        let best = hear(
            &self.plan,
            self.range_metres,
            device,
            &mut self.random,
            &mut measurement.access_points,
        );
        match &mut device.role {
            Role::Client(client) => {
                let mut moment = Moment {
                    plan: &self.plan,
                    readings: &measurement.access_points,
                    best,
                    now,
                    passed,
                    random: &mut self.random,
                };
                self.changes.extend(live(client, index, &mut moment));
            }
            Role::Tag(tag) => {
                tag.sequence = tag.sequence.wrapping_add(1);
                tag.frames += 1;
                tag.metres += metres;
                tag.battery_percent = (tag.battery_percent - passed * BATTERY_PERCENT_PER_SECOND).max(0.0);
                let place = device.motion.position;
                let mut chokepoints = self.plan.chokepoints.iter();
                let near = chokepoints.position(|each| each.position.distance(place) <= each.range);
                let known = tag.chokepoint.map(|(known, _)| known);
                if let Some(chokepoint) = near.filter(|near| known != Some(*near)) {
                    self.changes.push(Change::Passed {
                        device: index,
                        chokepoint,
                    });
                }
                if near != known {
                    tag.chokepoint = near.map(|chokepoint| (chokepoint, now.0));
                }
            }
            _ => {}
        }
        measurement.state = device.state();
    }
}

/// Fills the readings of a device and returns the access point that hears it best, with its signal strength.
fn hear(
    plan: &FloorPlan,
    range_metres: f64,
    device: &Device,
    random: &mut fastrand::Rng,
    readings: &mut Vec<AccessPointReading>,
) -> Option<(usize, i8)> {
    readings.clear();
    let model = &plan.propagation;
    let place = device.motion.position;
    let mut best: Option<(usize, i8)> = None;
    for (access_point, index) in plan.access_points.iter().zip(0..) {
        let Some((_, radio)) = access_point.radio(device.band) else {
            continue;
        };
        if place.distance(access_point.position) > range_metres {
            continue;
        }
        let expected = plan.expected_rssi(device.band, place, access_point.position) + device.louder_db;
        if expected < model.sensitivity_dbm - 4.0 * model.noise_db {
            continue;
        }
        let heard = expected + deviation(random) * model.noise_db;
        for antenna in 0..radio.antennas {
            let several = radio.antennas > 1;
            let more = if several {
                deviation(random) * ANTENNA_DB
            } else {
                0.0
            };
            if heard + more < model.sensitivity_dbm {
                continue;
            }
            let rssi_dbm = to_i8(heard + more);
            if best.is_none_or(|(_, strongest)| rssi_dbm > strongest) {
                best = Some((index, rssi_dbm));
            }
            readings.push(AccessPointReading {
                access_point: access_point.mac,
                rssi_dbm,
                band: device.band,
                channel: radio.channel,
                snr_db: Some(rssi_dbm.saturating_sub(noise_floor_dbm(device.band))),
                antenna: several.then_some(antenna),
            });
        }
    }
    best
}

/// What a client's life depends on besides itself.
struct Moment<'a> {
    plan: &'a FloorPlan,
    readings: &'a [AccessPointReading],
    best: Option<(usize, i8)>,
    now: Timestamp,
    /// Seconds since the last time.
    passed: f64,
    random: &'a mut fastrand::Rng,
}

/// A client joins, roams, leaves and counts its packets.
fn live(client: &mut Client, device: usize, moment: &mut Moment<'_>) -> Option<Change> {
    let leaves = happened(moment.random, LEAVES_PER_SECOND, moment.passed);
    let joins = happened(moment.random, JOINS_PER_SECOND, moment.passed);
    let Some((best, rssi_dbm)) = moment.best else {
        // Nobody hears it.
        client.state = StationState::DISASSOCIATED;
        return client.association.take().map(|_| Change::Left { device });
    };
    let Some((current, _)) = client.association else {
        if client.state == StationState::PROBING && !joins {
            return None;
        }
        client.state = StationState::RUNNING;
        client.association = Some((best, moment.now.0));
        client.traffic = Traffic::default();
        client.rssi_dbm = rssi_dbm;
        return Some(Change::Joined { device });
    };
    if leaves {
        client.state = StationState::PROBING;
        client.association = None;
        return Some(Change::Left { device });
    }
    count_traffic(&mut client.traffic, moment.passed, moment.random);
    let mac = moment
        .plan
        .access_points
        .get(current)
        .map(|access_point| access_point.mac);
    let current_rssi = moment
        .readings
        .iter()
        .filter(|reading| Some(reading.access_point) == mac)
        .map(|reading| reading.rssi_dbm)
        .max();
    client.rssi_dbm = current_rssi.unwrap_or(rssi_dbm);
    let roams = current_rssi.is_none_or(|current| rssi_dbm.saturating_sub(current) >= ROAMING_DB);
    if best == current || !roams {
        return None;
    }
    client.association = Some((best, moment.now.0));
    client.rssi_dbm = rssi_dbm;
    Some(Change::Roamed {
        device,
        from: current,
        to: best,
    })
}

fn count_traffic(traffic: &mut Traffic, passed: f64, random: &mut fastrand::Rng) {
    let received = to_u64(passed * 20.0 * random.f64());
    let sent = to_u64(passed * 60.0 * random.f64());
    traffic.rx_packets += received;
    traffic.tx_packets += sent;
    traffic.rx_bytes += received * 220;
    traffic.tx_bytes += sent * 900;
    traffic.tx_retries += sent / 16;
    traffic.rx_duplicates += received / 64;
}

#[cfg(test)]
mod tests;
