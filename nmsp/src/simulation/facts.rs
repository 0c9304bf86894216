//! What is known about devices besides their signal strength: information, statistics, attachment, location.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

use pki_common::MacAddr;

use super::device::{Client, Device, Role, Tag};
use super::locate::Locator;
use super::network::BUILDING;
use super::number::{seconds, to_i32, to_u8, to_u16, to_u32};
use super::world::{Change, Simulation};
use crate::wire::elements::{
    Association, Attachment, Battery, Chokepoint, ClientInformation, ClientStatistics, FloorPosition,
    Handover, HeardBy, Link, Location, LocationTarget, RogueAccessPoint, RogueClient, RogueStatistics,
    Security, TagInformation, TagStatistics, Telemetry, Traffic,
};
use crate::wire::message::Timestamp;
use crate::wire::message::bodies::{
    AttachmentNotification, InformationNotification, LocationNotification, StatisticsNotification,
};
use crate::wire::numbers::{
    AttachmentState, AuthenticationMethod, Band, BatteryState, Encryption, HandoverKind, HandoverRole,
    LocationMethod, LocationSubject, PhyType, RogueState, StationState, TelemetryKind, YesNo,
};

/// With which probability a station is within the radius of its location, in percent.
const CONFIDENCE_PERCENT: u8 = 80;
/// That radius.
const RADIUS_CM: u32 = 400;

const DEVICE_TYPES: [(&str, &str); 4] = [
    ("laptop", "Example Computers"),
    ("phone", "Example Phones"),
    ("tablet", "Example Phones"),
    ("sensor", "Example Things"),
];

impl Simulation {
    /// Facts about these devices as they stand after their last report. Interferers are not part of it, see
    /// [`spectrum`](Self::spectrum).
    #[must_use]
    pub fn information(&self, devices: Range<usize>, now: Timestamp) -> InformationNotification {
        let mut information = InformationNotification::default();
        for (index, device) in self.numbered(devices) {
            let heard_by = self.heard_by(index);
            match &device.role {
                Role::Client(client) => information.clients.push(self.client(device, client, now)),
                Role::Tag(tag) => information.tags.push(self.tag(device, tag, now)),
                Role::RogueAccessPoint { class, first_heard } => {
                    let clients = self.population.rogue_clients / self.population.rogue_access_points.max(1);
                    information.rogue_access_points.push(RogueAccessPoint {
                        bssid: device.mac,
                        class: *class,
                        state: RogueState::ALERT,
                        containment_level: 0,
                        on_wire: if device.number % 4 == 1 {
                            YesNo::YES
                        } else {
                            YesNo::NO
                        },
                        encryption: Encryption::CCMP_128,
                        first_heard: Timestamp(*first_heard),
                        last_heard: self.last_heard(index),
                        ssid: Some(format!("neighbour-{}", device.number).into()),
                        client_count: Some(u16::try_from(clients).unwrap_or(u16::MAX)),
                        manufacturer: Some("Example Routers".into()),
                        heard_by,
                    });
                }
                Role::RogueClient {
                    access_point,
                    first_heard,
                } => information.rogue_clients.push(RogueClient {
                    station: device.mac,
                    bssid: *access_point,
                    state: RogueState::ALERT,
                    first_heard: Timestamp(*first_heard),
                    last_heard: self.last_heard(index),
                    heard_by,
                    ipv4_addresses: Vec::new(),
                }),
                Role::Interferer { .. } => {}
            }
        }
        information
    }

    /// The handover of a client, for a change of the last [`report`](Self::report) that is one.
    #[must_use]
    pub fn handover(&self, change: Change, now: Timestamp) -> Option<Handover> {
        let Change::Roamed {
            device: index,
            from,
            to,
        } = change
        else {
            return None;
        };
        let device = self.devices.get(index)?;
        let Role::Client(client) = &device.role else {
            return None;
        };
        Some(Handover {
            station: device.mac,
            kind: HandoverKind::INTRA_CONTROLLER,
            role: HandoverRole::LOCAL,
            from: self.plan.access_points.get(from)?.mac,
            to: self.plan.access_points.get(to)?.mac,
            timestamp: now,
            client: Some(self.client(device, client, now)),
            heard_by: self.heard_by(index),
            ..Handover::default()
        })
    }

    /// Counters of these devices.
    #[must_use]
    pub fn statistics(&self, devices: Range<usize>, now: Timestamp) -> StatisticsNotification {
        let mut statistics = StatisticsNotification::default();
        for (_, device) in self.numbered(devices) {
            match &device.role {
                Role::Client(client) => statistics.clients.extend(client_statistics(device, client, now)),
                Role::Tag(tag) => statistics.tags.push(TagStatistics {
                    tag: device.mac,
                    timestamp: now,
                    frames: tag.frames,
                    bytes: tag.frames * 60,
                    lost_frames: tag.frames / 200,
                    duplicate_frames: tag.frames / 50,
                    interval_milliseconds: 1000,
                    battery: Some(battery(tag)),
                }),
                Role::RogueAccessPoint { first_heard, .. } | Role::RogueClient { first_heard, .. } => {
                    let heard = seconds(now.0.saturating_sub(*first_heard));
                    statistics.rogues.push(RogueStatistics {
                        rogue: device.mac,
                        timestamp: now,
                        heard_seconds: to_u32(heard),
                        containment_frames: 0,
                        traffic: Traffic {
                            rx_packets: super::number::to_u64(heard * 10.0),
                            rx_bytes: super::number::to_u64(heard * 3000.0),
                            ..Traffic::default()
                        },
                    });
                }
                Role::Interferer { .. } => {}
            }
        }
        statistics
    }

    /// Where these clients are attached; nothing for other devices and for clients that never were.
    #[must_use]
    pub fn attachments(&self, devices: Range<usize>) -> AttachmentNotification {
        let attachments = self.numbered(devices).filter_map(|(index, device)| {
            let Role::Client(client) = &device.role else {
                return None;
            };
            let since = client.association.map(|(_, since)| Timestamp(since));
            Some(Attachment {
                station: device.mac,
                state: match client.association {
                    Some(_) => AttachmentState::ATTACHED,
                    None => AttachmentState::DETACHED,
                },
                timestamp: since.unwrap_or_else(|| self.last_heard(index)),
                association: self.association(device, client),
                vlan: Some(client.network.vlan),
                user_name: user_name(device, client),
                host_name: Some(host_name(device).into()),
                device_type: Some(device_type(device).0.into()),
                ipv4_addresses: vec![ipv4(device, client)],
                ..Attachment::default()
            })
        });
        AttachmentNotification {
            attachments: attachments.collect(),
        }
    }

    /// Where these devices are, as computed from their last readings; those that nobody hears are left out.
    #[must_use]
    pub fn locations(&self, devices: Range<usize>, locator: &Locator) -> LocationNotification {
        let locations = self.numbered(devices).filter_map(|(index, device)| {
            let measurement = self.measurements.get(index)?;
            let place = locator.locate(measurement.access_points.iter().copied())?;
            Some(Location {
                method: LocationMethod::SIGNAL_STRENGTH,
                confidence_percent: CONFIDENCE_PERCENT,
                timestamp: measurement.timestamp,
                target: LocationTarget {
                    subject: LocationSubject::STATION,
                    address: device.mac,
                    port: None,
                },
                geodetic: self.geodetic(place, f64::from(RADIUS_CM) / 100.0),
                floor_position: Some(FloorPosition {
                    x_cm: to_i32(place.x * 100.0),
                    y_cm: to_i32(place.y * 100.0),
                    z_cm: 100,
                    radius_cm: RADIUS_CM,
                    floor: Some(self.plan.name.as_str().into()),
                }),
                emergency_number: None,
                civic: Vec::new(),
            })
        });
        LocationNotification {
            locations: locations.collect(),
        }
    }

    pub(super) fn numbered(&self, devices: Range<usize>) -> impl Iterator<Item = (usize, &Device)> {
        self.devices
            .iter()
            .enumerate()
            .skip(devices.start)
            .take(devices.end.saturating_sub(devices.start))
    }

    pub(super) fn heard_by(&self, device: usize) -> Option<HeardBy> {
        let readings = &self.measurements.get(device)?.access_points;
        (!readings.is_empty()).then(|| HeardBy {
            readings: readings.clone(),
        })
    }

    pub(super) fn last_heard(&self, device: usize) -> Timestamp {
        self.measurements
            .get(device)
            .map_or(self.started, |measurement| measurement.timestamp)
    }

    fn association(&self, device: &Device, client: &Client) -> Option<Association> {
        let (index, since) = client.association?;
        let access_point = self.plan.access_points.get(index)?;
        let (slot, radio) = access_point.radio(device.band)?;
        Some(Association {
            access_point: access_point.mac,
            bssid: access_point.bssid(slot),
            band: radio.band,
            channel: radio.channel,
            channel_width_mhz: if radio.band == Band::GHZ_2_4 { 20 } else { 80 },
            phy: if radio.band == Band::GHZ_2_4 {
                PhyType::N
            } else {
                PhyType::AX
            },
            since: Timestamp(since),
            ssid: Some(client.network.ssid.into()),
            access_point_name: Some(access_point.name.as_str().into()),
        })
    }

    fn client(&self, device: &Device, client: &Client, now: Timestamp) -> ClientInformation {
        let (authentication, encryption) = match client.network.vlan {
            20 => (AuthenticationMethod::IEEE_802_1X, Encryption::CCMP_128),
            30 => (AuthenticationMethod::WEB, Encryption::NONE),
            _ => (AuthenticationMethod::PSK, Encryption::CCMP_128),
        };
        let associated = client.association.is_some();
        let (kind, manufacturer) = device_type(device);
        ClientInformation {
            station: device.mac,
            state: client.state,
            timestamp: now,
            association: self.association(device, client),
            security: associated.then_some(Security {
                authentication,
                encryption,
            }),
            user_name: user_name(device, client),
            vlan: associated.then_some(client.network.vlan),
            host_name: associated.then(|| host_name(device).into()),
            device_type: Some(kind.into()),
            manufacturer: Some(manufacturer.into()),
            ipv4_addresses: associated.then(|| ipv4(device, client)).into_iter().collect(),
            ipv6_addresses: associated.then(|| ipv6(device)).into_iter().collect(),
        }
    }

    fn tag(&self, device: &Device, tag: &Tag, now: Timestamp) -> TagInformation {
        let telemetry = |kind, value, exponent| Telemetry {
            kind,
            value,
            exponent,
            timestamp: now,
        };
        // The temperature goes up and down by a degree in five minutes; each tag is at another point of that.
        let phase = seconds(now.0 % 300_000) / 300.0 * core::f64::consts::TAU + f64::from(device.number);
        let chokepoints = tag.chokepoint.and_then(|(index, since)| {
            Some(Chokepoint {
                chokepoint: self.plan.chokepoints.get(index)?.mac,
                timestamp: Timestamp(since),
                vendor_data: None,
            })
        });
        TagInformation {
            tag: device.mac,
            timestamp: now,
            sequence: tag.sequence,
            manufacturer: Some("Example Tags".into()),
            battery: Some(battery(tag)),
            vendor_data: Some(device.number.to_be_bytes()[..].into()),
            chokepoints: chokepoints.into_iter().collect(),
            telemetry: vec![
                telemetry(TelemetryKind::TEMPERATURE, to_i32(210.0 + 10.0 * phase.sin()), -1),
                telemetry(TelemetryKind::HUMIDITY, 45, 0),
                telemetry(TelemetryKind::DISTANCE, to_i32(tag.metres), 0),
                telemetry(TelemetryKind::MOTION, device.motion.is_walking().into(), 0),
                telemetry(TelemetryKind::TAMPER, 0, 0),
            ],
        }
    }
}

fn client_statistics(device: &Device, client: &Client, now: Timestamp) -> Option<ClientStatistics> {
    let (_, since) = client.association?;
    let snr = client
        .rssi_dbm
        .saturating_sub(super::propagation::noise_floor_dbm(device.band));
    Some(ClientStatistics {
        station: device.mac,
        timestamp: now,
        session_seconds: to_u32(seconds(now.0.saturating_sub(since))),
        traffic: client.traffic.clone(),
        link: Some(Link {
            rssi_dbm: client.rssi_dbm,
            snr_db: snr,
            rx_rate_kbps: to_u32(f64::from(snr.max(1)) * 8_000.0),
            tx_rate_kbps: to_u32(f64::from(snr.max(1)) * 12_000.0),
            spatial_streams: 2,
        }),
    })
}

fn battery(tag: &Tag) -> Battery {
    Battery {
        state: match tag.battery_percent {
            left if left < 5.0 => BatteryState::CRITICAL,
            left if left < 20.0 => BatteryState::LOW,
            _ => BatteryState::NORMAL,
        },
        percent: to_u8(tag.battery_percent),
        days: Some(to_u16(tag.battery_percent * 14.6)),
    }
}

fn device_type(device: &Device) -> (&'static str, &'static str) {
    let turn = usize::try_from(device.number % 4).unwrap_or_default();
    DEVICE_TYPES.get(turn).copied().unwrap_or_default()
}

fn host_name(device: &Device) -> String {
    format!("{}-{:04}", device_type(device).0, device.number)
}

/// Who is logged in; nobody on a network without 802.1X or before the association.
fn user_name(device: &Device, client: &Client) -> Option<crate::wire::Text> {
    let known = client.network.vlan == 20 && client.state == StationState::RUNNING;
    known.then(|| format!("user-{:04}@{BUILDING}.example", device.number).into())
}

/// An address of 10.0.0.0/8: the VLAN, then the number of the client.
fn ipv4(device: &Device, client: &Client) -> Ipv4Addr {
    let [_, _, high, low] = device.number.to_be_bytes();
    Ipv4Addr::new(10, to_u8(f64::from(client.network.vlan)), high, low)
}

/// An address of the documentation prefix, RFC 3849, with the interface identifier of the MAC address.
fn ipv6(device: &Device) -> Ipv6Addr {
    let [a, b, c, d, e, f] = MacAddr::octets(device.mac);
    let pair = |high, low| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(
        0x2001,
        0xdb8,
        0,
        0,
        pair(a ^ 2, b),
        pair(c, 0xff),
        pair(0xfe, d),
        pair(e, f),
    )
}
