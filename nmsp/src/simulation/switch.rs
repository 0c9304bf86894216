//! The wired side: a stack of switches, what is plugged into its ports, and where its ports are.

use core::net::Ipv4Addr;
use core::ops::Range;

use pki_common::MacAddr;

use super::error::SimulationError;
use super::plan::{AddressBlock, address};
use crate::wire::elements::location::civic::{CivicType, CivicWhat, CountryCode};
use crate::wire::elements::location::{CivicAddress, CivicElement};
use crate::wire::elements::{Attachment, Location, LocationTarget, Port};
use crate::wire::message::Timestamp;
use crate::wire::message::bodies::{AttachmentNotification, LocationNotification};
use crate::wire::numbers::{AttachmentState, LocationMethod, LocationSubject, YesNo};

/// The ports of one switch.
const PORTS: u32 = 48;

/// The most switches of one stack, as the vendor's have it.
const MAX_MEMBERS: u32 = 9;

/// The most devices: every port of a full stack.
pub const MAX_WIRED: u32 = PORTS * MAX_MEMBERS;

/// How often a device is unplugged, per second: after an hour on average.
const UNPLUGGED_PER_SECOND: f64 = 1.0 / 3600.0;

/// How often one that is unplugged comes back, per second: after ten minutes.
const PLUGGED_PER_SECOND: f64 = 1.0 / 600.0;

/// What people plug into switches: name, model, VLAN, speed in Mbit/s.
const KINDS: [(&str, &str, u16, u32); 4] = [
    ("phone", "IP Phone 8841", 110, 1000),
    ("workstation", "Tower", 100, 1000),
    ("printer", "MFP 5100", 120, 100),
    ("camera", "Dome 4K", 130, 100),
];

/// A device and its port.
#[derive(Debug, Clone)]
struct WiredDevice {
    mac: MacAddr,
    /// From 1.
    number: u32,
    attached: bool,
    since: Timestamp,
}

/// A stack of switches with one device on each port that is in use. Time and seed are given.
#[derive(Debug, Clone)]
pub struct SwitchStack {
    devices: Vec<WiredDevice>,
    random: fastrand::Rng,
}

impl SwitchStack {
    /// A stack with as many devices, all of them plugged in.
    ///
    /// # Errors
    /// If there are more than [`MAX_WIRED`].
    pub fn new(count: u32, seed: u64, now: Timestamp) -> Result<Self, SimulationError> {
        if count > MAX_WIRED {
            return Err(SimulationError::TooManyWired {
                count,
                most: MAX_WIRED,
            });
        }
        let devices = (1..=count).map(|number| WiredDevice {
            mac: address(AddressBlock::Wired, number),
            number,
            attached: true,
            since: now,
        });
        Ok(Self {
            devices: devices.collect(),
            random: fastrand::Rng::with_seed(seed),
        })
    }

    /// How many devices there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// Lets time pass; where devices whose plug was pulled or put in are attached now.
    pub fn advance(&mut self, seconds: f64, now: Timestamp) -> AttachmentNotification {
        let mut attachments = Vec::new();
        for device in &mut self.devices {
            let rate = if device.attached {
                UNPLUGGED_PER_SECOND
            } else {
                PLUGGED_PER_SECOND
            };
            if self.random.f64() < rate * seconds {
                device.attached = !device.attached;
                device.since = now;
                attachments.push(device.attachment(now));
            }
        }
        AttachmentNotification { attachments }
    }

    /// Where these devices are attached, with the place of the port.
    #[must_use]
    pub fn attachments(&self, devices: Range<usize>, now: Timestamp) -> AttachmentNotification {
        let devices = self.devices.get(devices).unwrap_or_default();
        AttachmentNotification {
            attachments: devices.iter().map(|device| device.attachment(now)).collect(),
        }
    }

    /// Where the chassis and the ports in use are, as an operator configures it: civic addresses.
    #[must_use]
    pub fn locations(&self, now: Timestamp) -> LocationNotification {
        let chassis = (!self.is_empty()).then(|| place(LocationSubject::CHASSIS, None, now));
        let ports = self
            .devices
            .iter()
            .map(|device| place(LocationSubject::PORT, Some(device.port()), now));
        LocationNotification {
            locations: chassis.into_iter().chain(ports).collect(),
        }
    }
}

impl WiredDevice {
    /// The devices of a stack are on its ports in order.
    fn port(&self) -> Port {
        let index = self.number.saturating_sub(1);
        let (_, _, _, speed_mbps) = self.kind();
        Port {
            member: u8::try_from(index / PORTS + 1).unwrap_or(u8::MAX),
            module: 0,
            port: u16::try_from(index % PORTS + 1).unwrap_or(u16::MAX),
            speed_mbps: if self.attached { speed_mbps } else { 0 },
            full_duplex: YesNo::YES,
        }
    }

    fn kind(&self) -> (&'static str, &'static str, u16, u32) {
        let mut kinds = KINDS.into_iter().cycle();
        let position = usize::try_from(self.number).unwrap_or_default() % KINDS.len();
        kinds.nth(position).unwrap_or_default()
    }

    fn attachment(&self, now: Timestamp) -> Attachment {
        let (kind, model, vlan, _) = self.kind();
        let [.., high, low] = self.number.to_be_bytes();
        Attachment {
            station: self.mac,
            state: if self.attached {
                AttachmentState::ATTACHED
            } else {
                AttachmentState::DETACHED
            },
            timestamp: self.since,
            port: Some(self.port()),
            vlan: Some(vlan),
            host_name: Some(format!("{kind}-{}", self.number).into()),
            device_type: Some(kind.into()),
            model: Some(model.into()),
            serial_number: Some(format!("SN{:06}", self.number).into()),
            location: Some(place(LocationSubject::PORT, Some(self.port()), now)),
            ipv4_addresses: vec![Ipv4Addr::from([10, u8::try_from(vlan).unwrap_or(0), high, low])],
            ..Attachment::default()
        }
    }
}

/// The place of the chassis or of a port: each switch of the stack has a closet, each port a desk.
fn place(subject: LocationSubject, port: Option<Port>, now: Timestamp) -> Location {
    let mut elements = vec![CivicElement::new(CivicType::BLD, "Simulated building")];
    if let Some(port) = &port {
        elements.push(CivicElement::new(CivicType::FLR, &port.member.to_string()));
        elements.push(CivicElement::new(CivicType::SEAT, &format!("desk {}", port.port)));
    }
    Location {
        method: LocationMethod::CONFIGURED,
        confidence_percent: 100,
        timestamp: now,
        target: LocationTarget {
            subject,
            address: address(AddressBlock::Switch, 1),
            port,
        },
        civic: vec![CivicAddress {
            what: CivicWhat::NETWORK_ELEMENT,
            // XX: user-assigned by ISO 3166, in no country.
            country: CountryCode(*b"XX"),
            elements,
        }],
        ..Location::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_has_a_port_of_its_own_with_a_place() {
        let stack = SwitchStack::new(MAX_WIRED, 1, Timestamp(5)).unwrap();
        let AttachmentNotification { attachments } = stack.attachments(0..stack.len(), Timestamp(5));
        let mut ports: Vec<(u8, u16)> = attachments
            .iter()
            .map(|attachment| {
                let port = attachment.port.as_ref().unwrap();
                let place = attachment.location.as_ref().unwrap();
                assert_eq!(place.target.port.as_ref(), Some(port));
                assert!(attachment.association.is_none());
                (port.member, port.port)
            })
            .collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 432);
        assert_eq!(ports.last(), Some(&(9, 48)));
        assert_eq!(stack.locations(Timestamp(5)).locations.len(), 433);
        assert!(SwitchStack::new(MAX_WIRED + 1, 1, Timestamp(5)).is_err());
    }

    #[test]
    fn plugs_are_pulled_and_put_in_again_and_the_same_seed_gives_the_same() {
        let run = || {
            let mut stack = SwitchStack::new(100, 7, Timestamp(0)).unwrap();
            let mut seen = Vec::new();
            for second in 1..=3600_u64 {
                let now = Timestamp(second * 1000);
                for attachment in stack.advance(1.0, now).attachments {
                    let speed = attachment.port.unwrap().speed_mbps;
                    assert_eq!(speed > 0, attachment.state == AttachmentState::ATTACHED);
                    assert_eq!(attachment.timestamp, now);
                    seen.push((attachment.station, attachment.state));
                }
            }
            seen
        };
        let seen = run();
        for state in [AttachmentState::ATTACHED, AttachmentState::DETACHED] {
            assert!(seen.iter().any(|(_, each)| *each == state), "{state}");
        }
        assert_eq!(seen, run());
    }
}
