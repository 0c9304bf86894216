//! Facts about stations: clients, tags, rogues, clients that are being handed over.

use core::net::{Ipv4Addr, Ipv6Addr};

use pki_common::MacAddr;

use super::common::HeardBy;
use crate::wire::numbers::{
    AuthenticationMethod, Band, BatteryState, Encryption, HandoverKind, HandoverRole, PhyType, RogueClass,
    RogueState, StationState, TelemetryKind, YesNo,
};
use crate::wire::schema::{records, values};
use crate::wire::text::{Octets, Text};
use crate::wire::timestamp::Timestamp;

values! {
    /// How long the battery will last.
    BATTERY_DAYS = 0x38, "Battery Days", u16, "d";
    /// How many clients a rogue access point serves.
    ROGUE_CLIENT_COUNT = 0x39, "Rogue Client Count", u16, "";
}

records! {
    /// Where and how a client is associated.
    Association, ASSOCIATION = 0x2e, "Association" {
        fields {
            /// The access point.
            access_point: MacAddr, "access point MAC address", "";
            /// The BSSID.
            bssid: MacAddr, "BSSID", "";
            /// The radio band.
            band: Band, "band", "";
            /// The channel number within the band.
            channel: u8, "channel", "";
            /// The width of the channel.
            channel_width_mhz: u16, "channel width", "MHz";
            /// The 802.11 variant.
            phy: PhyType, "PHY type", "";
            /// Since when.
            since: Timestamp, "associated since", "ms since 1970 UTC";
        }
        optional {
            /// The network.
            ssid: Text = SSID;
            /// The name of the access point.
            access_point_name: Text = ACCESS_POINT_NAME;
        }
    }

    /// How a client is authenticated and its traffic protected.
    Security, SECURITY = 0x2f, "Security" {
        fields {
            /// How it proved who it is.
            authentication: AuthenticationMethod, "authentication method", "";
            /// How its frames are encrypted.
            encryption: Encryption, "encryption", "";
        }
    }

    /// Facts about a Wi-Fi client, services `info-ms` and `info-hs`.
    ClientInformation, CLIENT_INFORMATION = 0x30, "Client Information" {
        fields {
            /// The client's MAC address.
            station: MacAddr, "station MAC address", "";
            /// How far it has come.
            state: StationState, "station state", "";
            /// When this was so.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
        optional {
            /// Where it is associated; absent if it is not.
            association: Association = ASSOCIATION;
            /// How it is authenticated.
            security: Security = SECURITY;
            /// Its user.
            user_name: Text = USER_NAME;
            /// Its VLAN.
            vlan: u16 = VLAN;
            /// The name it calls itself.
            host_name: Text = HOST_NAME;
            /// What kind of device it is.
            device_type: Text = DEVICE_TYPE;
            /// Who made it.
            manufacturer: Text = MANUFACTURER;
        }
        many {
            /// Its IPv4 addresses.
            ipv4_addresses: Ipv4Addr = IPV4_ADDRESS;
            /// Its IPv6 addresses.
            ipv6_addresses: Ipv6Addr = IPV6_ADDRESS;
        }
    }

    /// Facts about an RFID tag, service `info-rfid`.
    TagInformation, TAG_INFORMATION = 0x31, "Tag Information" {
        fields {
            /// The tag's MAC address.
            tag: MacAddr, "tag MAC address", "";
            /// When its last frame came.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// The sequence number of that frame, as the tag counts.
            sequence: u16, "tag sequence number", "";
        }
        optional {
            /// Who made it.
            manufacturer: Text = MANUFACTURER;
            /// Its battery.
            battery: Battery = BATTERY;
            /// What the tag sent that nobody here gives a meaning to.
            vendor_data: Octets = VENDOR_DATA;
        }
        many {
            /// The chokepoints (exciters) it passed.
            chokepoints: Chokepoint = CHOKEPOINT;
            /// What it measured.
            telemetry: Telemetry = TELEMETRY;
        }
    }

    /// The battery of a tag.
    Battery, BATTERY = 0x35, "Battery" {
        fields {
            /// Whether it will do.
            state: BatteryState, "battery state", "";
            /// How much is left.
            percent: u8, "charge", "%, 0 to 100";
        }
        optional {
            /// How long it will last.
            days: u16 = BATTERY_DAYS;
        }
    }

    /// One value that a tag measured: value times ten to the power of the exponent, in the unit of the kind.
    Telemetry, TELEMETRY = 0x36, "Telemetry" {
        fields {
            /// What was measured.
            kind: TelemetryKind, "telemetry kind", "";
            /// The value.
            value: i32, "value", "";
            /// The power of ten.
            exponent: i8, "exponent", "";
            /// When it was measured.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
    }

    /// A chokepoint that a tag came into the range of.
    Chokepoint, CHOKEPOINT = 0x37, "Chokepoint" {
        fields {
            /// The MAC address of the chokepoint.
            chokepoint: MacAddr, "chokepoint MAC address", "";
            /// When the tag came into its range.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
        optional {
            /// What the chokepoint sent that nobody here gives a meaning to.
            vendor_data: Octets = VENDOR_DATA;
        }
    }

    /// Facts about an access point that is not ours, service `info-rogue`.
    RogueAccessPoint, ROGUE_ACCESS_POINT = 0x32, "Rogue Access Point" {
        fields {
            /// Its BSSID.
            bssid: MacAddr, "BSSID", "";
            /// What it was classified as.
            class: RogueClass, "rogue class", "";
            /// What is being done about it.
            state: RogueState, "rogue state", "";
            /// How many of our access points contain it.
            containment_level: u8, "containment level", "access points";
            /// Whether it was found on our wired network.
            on_wire: YesNo, "on the wire", "";
            /// How its frames are encrypted.
            encryption: Encryption, "encryption", "";
            /// When it was heard first.
            first_heard: Timestamp, "first heard", "ms since 1970 UTC";
            /// When it was heard last.
            last_heard: Timestamp, "last heard", "ms since 1970 UTC";
        }
        optional {
            /// The network it offers.
            ssid: Text = SSID;
            /// How many clients it serves.
            client_count: u16 = ROGUE_CLIENT_COUNT;
            /// Who made it.
            manufacturer: Text = MANUFACTURER;
            /// Who hears it.
            heard_by: HeardBy = HEARD_BY;
        }
    }

    /// Facts about a client of such an access point, service `info-rogue`.
    RogueClient, ROGUE_CLIENT = 0x33, "Rogue Client" {
        fields {
            /// Its MAC address.
            station: MacAddr, "station MAC address", "";
            /// The rogue access point that it uses.
            bssid: MacAddr, "BSSID", "";
            /// What is being done about it.
            state: RogueState, "rogue state", "";
            /// When it was heard first.
            first_heard: Timestamp, "first heard", "ms since 1970 UTC";
            /// When it was heard last.
            last_heard: Timestamp, "last heard", "ms since 1970 UTC";
        }
        optional {
            /// Who hears it.
            heard_by: HeardBy = HEARD_BY;
        }
        many {
            /// Its IPv4 addresses.
            ipv4_addresses: Ipv4Addr = IPV4_ADDRESS;
        }
    }

    /// A client that is being handed over, services `info-hs` and `fmchs`.
    Handover, HANDOVER = 0x34, "Handover" {
        fields {
            /// The client's MAC address.
            station: MacAddr, "station MAC address", "";
            /// How far it is handed over.
            kind: HandoverKind, "handover kind", "";
            /// What this controller is to it now.
            role: HandoverRole, "handover role", "";
            /// The access point it left; all zero if there was none.
            from: MacAddr, "previous access point", "";
            /// The access point it goes to.
            to: MacAddr, "next access point", "";
            /// When.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
        optional {
            /// The client as it stands now.
            client: ClientInformation = CLIENT_INFORMATION;
            /// Who hears it.
            heard_by: HeardBy = HEARD_BY;
        }
        many {
            /// The other controller's addresses.
            peer_ipv4_addresses: Ipv4Addr = IPV4_ADDRESS;
            /// The other controller's addresses.
            peer_ipv6_addresses: Ipv6Addr = IPV6_ADDRESS;
        }
    }
}
