//! What an application tells the store beside measurements.

use pki_common::MacAddr;

use super::kind::RecordKind;
use super::table::RecordKey;
use crate::wire::elements::{
    AccessPointInformation, AggregateInterference, AirQuality, Attachment, ClientInformation,
    ClientStatistics, Handover, IdsAlarm, Interferer, Location, LocationTarget, MonitorReport, Port,
    RogueAccessPoint, RogueClient, RogueStatistics, TagInformation, TagStatistics,
};
use crate::wire::numbers::LocationSubject;
use crate::wire::{EncodeError, Writer};

/// The present state of one thing. It replaces what the store has about it, is reported to whoever subscribed it, and
/// answers requests from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StationUpdate {
    /// Facts about a Wi-Fi client.
    Client(ClientInformation),
    /// Facts about an RFID tag.
    Tag(TagInformation),
    /// Facts about an access point that is not ours.
    RogueAccessPoint(RogueAccessPoint),
    /// Facts about a client of such an access point.
    RogueClient(RogueClient),
    /// A client that is being handed over.
    Handover(Handover),
    /// Counters of a Wi-Fi client.
    ClientStatistics(ClientStatistics),
    /// Counters of an RFID tag.
    TagStatistics(TagStatistics),
    /// Counters of a rogue.
    RogueStatistics(RogueStatistics),
    /// Where a device is attached.
    Attachment(Attachment),
    /// Where something is.
    Location(Location),
    /// An access point. Its group decides what subscribers with AP groups get.
    AccessPoint(AccessPointInformation),
    /// What access points in monitor mode heard of a transmitter.
    MonitorReport(MonitorReport),
    /// A source of interference.
    Interferer(Interferer),
    /// How good a channel is at one radio.
    AirQuality(AirQuality),
    /// All interference of a channel at one radio.
    AggregateInterference(AggregateInterference),
    /// An alarm of the intrusion detection.
    Alarm(IdsAlarm),
}

impl StationUpdate {
    /// The kind of record.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Client(_) => RecordKind::ClientInformation,
            Self::Tag(_) => RecordKind::TagInformation,
            Self::RogueAccessPoint(_) => RecordKind::RogueAccessPoint,
            Self::RogueClient(_) => RecordKind::RogueClient,
            Self::Handover(_) => RecordKind::Handover,
            Self::ClientStatistics(_) => RecordKind::ClientStatistics,
            Self::TagStatistics(_) => RecordKind::TagStatistics,
            Self::RogueStatistics(_) => RecordKind::RogueStatistics,
            Self::Attachment(_) => RecordKind::Attachment,
            Self::Location(_) => RecordKind::Location,
            Self::AccessPoint(_) => RecordKind::AccessPoint,
            Self::MonitorReport(_) => RecordKind::MonitorReport,
            Self::Interferer(_) => RecordKind::Interferer,
            Self::AirQuality(_) => RecordKind::AirQuality,
            Self::AggregateInterference(_) => RecordKind::AggregateInterference,
            Self::Alarm(_) => RecordKind::Alarm,
        }
    }

    pub(in crate::server) fn key(&self) -> RecordKey {
        let radio = |access_point, slot: u8| RecordKey {
            address: access_point,
            detail: u64::from(slot) + 1,
        };
        match self {
            Self::Client(each) => RecordKey::of(each.station),
            Self::Tag(each) => RecordKey::of(each.tag),
            Self::RogueAccessPoint(each) => RecordKey::of(each.bssid),
            Self::RogueClient(each) => RecordKey::of(each.station),
            Self::Handover(each) => RecordKey::of(each.station),
            Self::ClientStatistics(each) => RecordKey::of(each.station),
            Self::TagStatistics(each) => RecordKey::of(each.tag),
            Self::RogueStatistics(each) => RecordKey::of(each.rogue),
            Self::Attachment(each) => RecordKey::of(each.station),
            Self::Location(each) => target_key(&each.target),
            Self::AccessPoint(each) => RecordKey::of(each.access_point),
            Self::MonitorReport(each) => RecordKey::of(each.transmitter),
            Self::Interferer(each) => RecordKey::of(each.cluster),
            Self::AirQuality(each) => radio(each.access_point, each.slot),
            Self::AggregateInterference(each) => radio(each.access_point, each.slot),
            Self::Alarm(each) => RecordKey {
                address: MacAddr::default(),
                detail: u64::from(each.alarm) + 1,
            },
        }
    }

    pub(in crate::server) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let element = self.kind().element();
        match self {
            Self::Client(each) => writer.element(element, each),
            Self::Tag(each) => writer.element(element, each),
            Self::RogueAccessPoint(each) => writer.element(element, each),
            Self::RogueClient(each) => writer.element(element, each),
            Self::Handover(each) => writer.element(element, each),
            Self::ClientStatistics(each) => writer.element(element, each),
            Self::TagStatistics(each) => writer.element(element, each),
            Self::RogueStatistics(each) => writer.element(element, each),
            Self::Attachment(each) => writer.element(element, each),
            Self::Location(each) => writer.element(element, each),
            Self::AccessPoint(each) => writer.element(element, each),
            Self::MonitorReport(each) => writer.element(element, each),
            Self::Interferer(each) => writer.element(element, each),
            Self::AirQuality(each) => writer.element(element, each),
            Self::AggregateInterference(each) => writer.element(element, each),
            Self::Alarm(each) => writer.element(element, each),
        }
    }
}

/// A location is about a thing of some kind, and for a port about a port of it. A station has no detail.
pub(in crate::server) fn target_key(target: &LocationTarget) -> RecordKey {
    let port = target.port.as_ref().map_or(0, |port: &Port| {
        let [high, low] = port.port.to_be_bytes();
        u64::from_be_bytes([0, 0, 0, 1, port.member, port.module, high, low])
    });
    let subject = if target.subject == LocationSubject::STATION {
        0
    } else {
        u64::from(target.subject.0)
    };
    RecordKey {
        address: target.address,
        detail: subject << 48 | port,
    }
}
