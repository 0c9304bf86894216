//! Where devices are attached, service `attach`: ports of a switch, or access points.

use core::net::{Ipv4Addr, Ipv6Addr};

use pki_common::MacAddr;

use super::location::Location;
use super::station::Association;
use crate::wire::numbers::{AttachmentState, YesNo};
use crate::wire::schema::records;
use crate::wire::text::Text;
use crate::wire::timestamp::Timestamp;

records! {
    /// A device and where it is attached.
    Attachment, ATTACHMENT = 0x50, "Attachment" {
        fields {
            /// The device's MAC address.
            station: MacAddr, "station MAC address", "";
            /// Whether it is attached.
            state: AttachmentState, "attachment state", "";
            /// Since when.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
        optional {
            /// The port of a wired device.
            port: Port = PORT;
            /// The association of a wireless device.
            association: Association = ASSOCIATION;
            /// Its VLAN.
            vlan: u16 = VLAN;
            /// Its user.
            user_name: Text = USER_NAME;
            /// The name it calls itself.
            host_name: Text = HOST_NAME;
            /// What kind of device it is.
            device_type: Text = DEVICE_TYPE;
            /// Its model.
            model: Text = MODEL;
            /// Its serial number.
            serial_number: Text = SERIAL_NUMBER;
            /// Its software version.
            software_version: Text = SOFTWARE_VERSION;
            /// Where it is.
            location: Location = LOCATION;
        }
        many {
            /// Its IPv4 addresses.
            ipv4_addresses: Ipv4Addr = IPV4_ADDRESS;
            /// Its IPv6 addresses.
            ipv6_addresses: Ipv6Addr = IPV6_ADDRESS;
        }
    }

    /// A port of a switch.
    Port, PORT = 0x51, "Port" {
        fields {
            /// The switch of a stack.
            member: u8, "stack member", "";
            /// The module of the switch.
            module: u8, "module", "";
            /// The port of the module.
            port: u16, "port", "";
            /// The speed; 0 if the port is down.
            speed_mbps: u32, "speed", "Mbit/s";
            /// Whether both directions work at once.
            full_duplex: YesNo, "full duplex", "";
        }
    }
}
