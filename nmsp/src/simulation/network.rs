//! What the network knows about itself: access points, spectrum, what is heard in monitor mode.

use super::device::{Device, Role};
use std::collections::HashMap;

use super::geometry::Position;
use super::number::{seconds, to_i32, to_u8, to_u32};
use super::plan::{AccessPoint, AddressBlock, address};
use super::propagation::noise_floor_dbm;
use super::world::Simulation;
use crate::wire::elements::location::civic::{CivicType, CivicWhat, CountryCode};
use crate::wire::elements::{
    AccessPointInformation, AffectedChannel, AggregateInterference, AirQuality, CivicAddress, CivicElement,
    FloorPosition, GeodeticLocation, Interferer, InterfererShare, Location, LocationTarget, MonitorReport,
    Radio,
};
use crate::wire::message::Timestamp;
use crate::wire::message::bodies::{
    AccessPointNotification, LocationNotification, MonitorNotification, SpectrumNotification,
};
use crate::wire::numbers::{
    AccessPointEvent, AccessPointMode, Band, LocationMethod, LocationSubject, MonitoredFrames, RadioState,
    StationState,
};

/// How many clients an access point, by its index, has on a band.
type Associations = HashMap<(usize, Band), u16>;

/// The building that every simulated floor is in.
pub(super) const BUILDING: &str = "simulation";
/// What an access point sends with, in dBm.
const TX_POWER_DBM: i8 = 17;
/// The gain of its antennas, in half dBi.
const ANTENNA_GAIN_HALF_DB: u8 = 8;
/// How high it hangs, in centimetres.
const CEILING_CM: i32 = 280;
/// How exactly the place of an access point is known, in centimetres.
const SURVEYED_CM: u32 = 20;
/// The period of air quality reports, in seconds.
const PERIOD_SECONDS: u16 = 30;
/// An interferer that arrives weaker than this disturbs nobody, in dBm.
const DISTURBING_DBM: i8 = -85;
/// One degree of latitude, in metres.
const DEGREE_METRES: f64 = 111_320.0;

impl Simulation {
    /// All access points with their radios and places.
    #[must_use]
    pub fn access_points(&self, now: Timestamp) -> AccessPointNotification {
        let uptime = seconds(now.0.saturating_sub(self.started.0));
        let associations = self.associations();
        let information =
            |(index, (access_point, number)): (usize, (&AccessPoint, u32))| AccessPointInformation {
                access_point: access_point.mac,
                ethernet: address(AddressBlock::Ethernet, number),
                event: AccessPointEvent::PRESENT,
                mode: AccessPointMode::LOCAL,
                timestamp: now,
                uptime_seconds: to_u32(uptime),
                name: Some(access_point.name.as_str().into()),
                group: Some(access_point.group.as_str().into()),
                model: Some("Simulated AP".into()),
                serial_number: Some(format!("SIM{number:08}").into()),
                software_version: Some(env!("CARGO_PKG_VERSION").into()),
                location: Some(self.place_of(access_point, now)),
                ipv4_addresses: Vec::new(),
                ipv6_addresses: Vec::new(),
                radios: radios(index, access_point, &associations),
            };
        AccessPointNotification {
            access_points: (0..)
                .zip(self.plan.access_points.iter().zip(1..))
                .map(information)
                .collect(),
        }
    }

    /// The places of the access points.
    #[must_use]
    pub fn access_point_locations(&self, now: Timestamp) -> LocationNotification {
        let places = self.plan.access_points.iter();
        LocationNotification {
            locations: places
                .map(|access_point| self.place_of(access_point, now))
                .collect(),
        }
    }

    /// How many clients each access point has on each band, by its index; nothing for those without any.
    fn associations(&self) -> Associations {
        let mut associations = Associations::new();
        for device in &self.devices {
            if let Role::Client(client) = &device.role
                && let Some((access_point, _)) = client.association
            {
                let stations = associations.entry((access_point, device.band)).or_default();
                *stations = stations.saturating_add(1);
            }
        }
        associations
    }

    fn place_of(&self, access_point: &AccessPoint, now: Timestamp) -> Location {
        let element = |kind, value: &str| CivicElement::new(kind, value);
        Location {
            method: LocationMethod::CONFIGURED,
            confidence_percent: 95,
            timestamp: now,
            target: LocationTarget {
                subject: LocationSubject::ACCESS_POINT,
                address: access_point.mac,
                port: None,
            },
            geodetic: self.geodetic(access_point.position, f64::from(SURVEYED_CM) / 100.0),
            floor_position: Some(FloorPosition {
                x_cm: to_i32(access_point.position.x * 100.0),
                y_cm: to_i32(access_point.position.y * 100.0),
                z_cm: CEILING_CM,
                radius_cm: SURVEYED_CM,
                floor: Some(self.plan.name.as_str().into()),
            }),
            emergency_number: None,
            civic: vec![CivicAddress {
                what: CivicWhat::NETWORK_ELEMENT,
                // XX: user-assigned by ISO 3166, in no country.
                country: CountryCode(*b"XX"),
                elements: vec![
                    element(CivicType::BLD, BUILDING),
                    element(CivicType::FLR, &self.plan.name),
                    element(CivicType::ROOM, &access_point.group),
                ],
            }],
        }
    }

    /// On the globe, if the plan says where its corner is.
    pub(super) fn geodetic(&self, place: Position, radius_metres: f64) -> Option<GeodeticLocation> {
        let corner = self.plan.corner?;
        let latitude = corner.latitude - place.y / DEGREE_METRES;
        let narrowing = corner.latitude.to_radians().cos().max(0.01);
        let longitude = corner.longitude + place.x / DEGREE_METRES / narrowing;
        GeodeticLocation::new(latitude, longitude, radius_metres / DEGREE_METRES).ok()
    }

    /// Interferers, and what they and the traffic leave of each channel.
    #[must_use]
    pub fn spectrum(&self, now: Timestamp) -> SpectrumNotification {
        let mut spectrum = SpectrumNotification {
            interferers: self.interferers(),
            ..SpectrumNotification::default()
        };
        let associations = self.associations();
        for (access_point, index) in self.plan.access_points.iter().zip(0..) {
            for (radio, slot) in access_point.radios.iter().zip(0..) {
                let shares = shares(&spectrum.interferers, access_point, radio);
                let other = shares
                    .iter()
                    .fold(0_u8, |sum, share| sum.saturating_add(share.duty_cycle_percent))
                    .min(100);
                let severity = shares
                    .iter()
                    .map(|share| share.severity)
                    .max()
                    .unwrap_or_default();
                spectrum.air_quality.push(AirQuality {
                    access_point: access_point.mac,
                    slot,
                    band: radio.band,
                    channel: radio.channel,
                    average: 100_u8.saturating_sub(severity / 2),
                    minimum: 100_u8.saturating_sub(severity),
                    interferers: shares
                        .iter()
                        .fold(0, |sum: u8, share| sum.saturating_add(share.devices)),
                    wifi_percent: utilization(
                        associations
                            .get(&(index, radio.band))
                            .copied()
                            .unwrap_or_default(),
                    ),
                    other_percent: other,
                    noise_floor_dbm: noise_floor_dbm(radio.band),
                    timestamp: now,
                    period_seconds: PERIOD_SECONDS,
                });
                if !shares.is_empty() {
                    spectrum.aggregates.push(AggregateInterference {
                        access_point: access_point.mac,
                        slot,
                        band: radio.band,
                        channel: radio.channel,
                        severity,
                        duty_cycle_percent: other,
                        timestamp: now,
                        shares,
                    });
                }
            }
        }
        spectrum
    }

    fn interferers(&self) -> Vec<Interferer> {
        let interferer = |(index, device): (usize, &Device)| {
            let Role::Interferer {
                kind,
                duty_cycle_percent,
                first_heard,
            } = &device.role
            else {
                return None;
            };
            let heard_by = self.heard_by(index)?;
            let mut channels: Vec<AffectedChannel> = Vec::new();
            for reading in &heard_by.readings {
                let channel = AffectedChannel {
                    band: reading.band,
                    channel: reading.channel,
                };
                if !channels.contains(&channel) {
                    channels.push(channel);
                }
            }
            let strongest = heard_by.readings.iter().map(|reading| reading.rssi_dbm).max()?;
            Some(Interferer {
                cluster: device.mac,
                interferer_type: *kind,
                severity: severity(strongest, *duty_cycle_percent),
                duty_cycle_percent: *duty_cycle_percent,
                confidence_percent: 90,
                band: device.band,
                first_heard: Timestamp(*first_heard),
                last_heard: self.last_heard(index),
                channels,
                heard_by: Some(heard_by),
            })
        };
        self.numbered(0..usize::MAX).filter_map(interferer).collect()
    }

    /// What access points in monitor mode report: clients that probe, and tags.
    #[must_use]
    pub fn monitor(&self, now: Timestamp) -> MonitorNotification {
        let report = |(index, device): (usize, &Device)| {
            let (frames, frame_count) = match &device.role {
                Role::Client(client) if client.state == StationState::PROBING => {
                    (MonitoredFrames::PROBE_REQUESTS, 12)
                }
                Role::Tag(_) => (MonitoredFrames::TAGS, 1),
                _ => return None,
            };
            Some(MonitorReport {
                transmitter: device.mac,
                class: device.class,
                frames,
                frame_count,
                timestamp: now,
                heard_by: self.heard_by(index)?,
                ssid: None,
            })
        };
        MonitorNotification {
            reports: self.numbered(0..usize::MAX).filter_map(report).collect(),
        }
    }
}

/// The radios of an access point as they stand.
fn radios(index: usize, access_point: &AccessPoint, associations: &Associations) -> Vec<Radio> {
    let radio = |(slot, radio): (usize, &super::plan::Radio)| {
        let stations = associations
            .get(&(index, radio.band))
            .copied()
            .unwrap_or_default();
        Radio {
            slot: u8::try_from(slot).unwrap_or(u8::MAX),
            state: RadioState::UP,
            bssid: access_point.bssid(slot),
            band: radio.band,
            channel: radio.channel,
            channel_width_mhz: if radio.band == Band::GHZ_2_4 { 20 } else { 80 },
            tx_power_dbm: TX_POWER_DBM,
            antenna_gain_half_db: ANTENNA_GAIN_HALF_DB,
            antennas: radio.antennas,
            azimuth_degrees: 0xffff,
            elevation_degrees: -90,
            stations,
            utilization_percent: utilization(stations),
        }
    };
    access_point.radios.iter().enumerate().map(radio).collect()
}

/// What the kinds of interferers take from a radio.
fn shares(
    interferers: &[Interferer],
    access_point: &AccessPoint,
    radio: &super::plan::Radio,
) -> Vec<InterfererShare> {
    let mut shares: Vec<InterfererShare> = Vec::new();
    for interferer in interferers {
        let readings = interferer.heard_by.iter().flat_map(|heard| &heard.readings);
        let strongest = readings
            .filter(|reading| reading.access_point == access_point.mac && reading.band == radio.band)
            .map(|reading| reading.rssi_dbm)
            .max();
        let Some(rssi_dbm) = strongest.filter(|rssi| *rssi >= DISTURBING_DBM) else {
            continue;
        };
        let duty = interferer.duty_cycle_percent;
        match shares
            .iter_mut()
            .find(|share| share.interferer_type == interferer.interferer_type)
        {
            Some(share) => {
                share.devices = share.devices.saturating_add(1);
                share.severity = share.severity.max(severity(rssi_dbm, duty));
                share.duty_cycle_percent = share.duty_cycle_percent.saturating_add(duty).min(100);
                share.rssi_dbm = share.rssi_dbm.max(rssi_dbm);
            }
            None => shares.push(InterfererShare {
                interferer_type: interferer.interferer_type,
                devices: 1,
                severity: severity(rssi_dbm, duty),
                duty_cycle_percent: duty,
                rssi_dbm,
            }),
        }
    }
    shares
}

/// Worse the stronger it arrives and the more it sends: 100 for −40 dBm all the time.
fn severity(rssi_dbm: i8, duty_cycle_percent: u8) -> u8 {
    let strength = ((f64::from(rssi_dbm) + 95.0) / 55.0).clamp(0.0, 1.0);
    to_u8(strength * f64::from(duty_cycle_percent))
}

/// How busy a channel is: 5 % for beacons, 2 % for every station.
fn utilization(stations: u16) -> u8 {
    u8::try_from(stations.saturating_mul(2).saturating_add(5))
        .unwrap_or(100)
        .min(100)
}
