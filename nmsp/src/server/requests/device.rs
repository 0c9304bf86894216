//! Everything that the store knows about one device, put together.

use pki_common::MacAddr;

use crate::server::store::{RecordKey, RecordKind, StationStore};
use crate::wire::elements::{
    Attachment, ClientInformation, ClientStatistics, DeviceInformation, HeardBy, RogueClient, TagInformation,
};
use crate::wire::message::Measurement;
use crate::wire::numbers::StationState;
use crate::wire::schema::ElementValue;
use crate::wire::{StationClass, Timestamp};

/// Where to look for measurements of a device, in this order.
const MEASUREMENTS: [RecordKind; 5] = [
    RecordKind::ClientMeasurement,
    RecordKind::HandoverMeasurement,
    RecordKind::TagMeasurement,
    RecordKind::RogueClientMeasurement,
    RecordKind::RogueApMeasurement,
];

/// `None` if the store has nothing about it.
pub(super) fn information(store: &StationStore, station: MacAddr) -> Option<DeviceInformation> {
    let measurement = MEASUREMENTS
        .into_iter()
        .find_map(|kind| find::<Measurement>(store, kind, station));
    let client = find::<ClientInformation>(store, RecordKind::ClientInformation, station);
    let statistics = find::<ClientStatistics>(store, RecordKind::ClientStatistics, station);
    let tag = find::<TagInformation>(store, RecordKind::TagInformation, station);
    let rogue = find::<RogueClient>(store, RecordKind::RogueClient, station);
    let attachment = find::<Attachment>(store, RecordKind::Attachment, station);
    let class = match (&client, &tag, &rogue, &measurement) {
        (Some(_), ..) => StationClass::CLIENT,
        (_, Some(_), ..) => StationClass::RFID_TAG,
        (_, _, Some(_), _) => StationClass::ROGUE_CLIENT,
        (_, _, _, Some(measurement)) => measurement.class,
        _ if attachment.is_some() || statistics.is_some() => StationClass::CLIENT,
        _ => return None,
    };
    let mut device = DeviceInformation {
        station,
        class,
        state: StationState::PROBING,
        ..DeviceInformation::default()
    };
    if let Some(measurement) = measurement {
        latest(&mut device.timestamp, measurement.timestamp);
        device.state = measurement.state.unwrap_or(device.state);
        device.heard_by = Some(HeardBy {
            readings: measurement.access_points,
        });
    }
    if let Some(statistics) = statistics {
        latest(&mut device.timestamp, statistics.timestamp);
        device.traffic = Some(statistics.traffic);
        device.link = statistics.link;
    }
    if let Some(tag) = tag {
        latest(&mut device.timestamp, tag.timestamp);
        device.manufacturer = tag.manufacturer;
    }
    if let Some(rogue) = rogue {
        latest(&mut device.timestamp, rogue.last_heard);
        device.ipv4_addresses = rogue.ipv4_addresses;
    }
    if let Some(attachment) = attachment {
        add_attachment(&mut device, attachment);
    }
    if let Some(client) = client {
        add_client(&mut device, client);
    }
    Some(device)
}

fn add_attachment(device: &mut DeviceInformation, attachment: Attachment) {
    latest(&mut device.timestamp, attachment.timestamp);
    device.association = attachment.association;
    device.vlan = attachment.vlan;
    device.user_name = attachment.user_name;
    device.host_name = attachment.host_name;
    device.device_type = attachment.device_type;
    device.model = attachment.model;
    device.software_version = attachment.software_version;
    device.ipv4_addresses = attachment.ipv4_addresses;
    device.ipv6_addresses = attachment.ipv6_addresses;
}

/// What is known of a client as such goes before what is known of its attachment.
fn add_client(device: &mut DeviceInformation, client: ClientInformation) {
    latest(&mut device.timestamp, client.timestamp);
    device.state = client.state;
    device.association = client.association.or(device.association.take());
    device.security = client.security;
    device.user_name = client.user_name.or(device.user_name.take());
    device.vlan = client.vlan.or(device.vlan);
    device.host_name = client.host_name.or(device.host_name.take());
    device.device_type = client.device_type.or(device.device_type.take());
    device.manufacturer = client.manufacturer.or(device.manufacturer.take());
    if !client.ipv4_addresses.is_empty() {
        device.ipv4_addresses = client.ipv4_addresses;
    }
    if !client.ipv6_addresses.is_empty() {
        device.ipv6_addresses = client.ipv6_addresses;
    }
}

fn latest(timestamp: &mut Timestamp, other: Timestamp) {
    *timestamp = other.max(*timestamp);
}

fn find<T: ElementValue>(store: &StationStore, kind: RecordKind, station: MacAddr) -> Option<T> {
    let table = store.read(kind);
    let id = table.find(RecordKey::of(station))?;
    store.decode(table.slot(id)?)
}
