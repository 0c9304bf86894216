//! Elements of several families.

use core::net::{Ipv4Addr, Ipv6Addr};

use pki_common::MacAddr;

use super::measurement::AccessPointReading;
use crate::wire::numbers::{DisconnectReason, StatusCode, SubscribeStatus};
use crate::wire::schema::{records, values};
use crate::wire::services::Services;
use crate::wire::text::{Octets, Text};

values! {
    /// The protocol version that the sender implements.
    PROTOCOL_VERSION = 0x01, "Protocol Version", u16, "";
    /// Services: offered, asked for or accepted, depending on the message.
    SERVICES = 0x02, "Services", Services, "";
    /// Services that were asked for and are not offered.
    SERVICES_REJECTED = 0x03, "Services Rejected", Services, "";
    /// What became of a subscription.
    SUBSCRIBE_STATUS = 0x04, "Subscribe Status", SubscribeStatus, "";
    /// What became of a request.
    STATUS = 0x05, "Status", StatusCode, "";
    /// An explanation for people.
    EXPLANATION = 0x06, "Explanation", Text, "";
    /// The name of a group of access points.
    ACCESS_POINT_GROUP = 0x07, "Access Point Group", Text, "";
    /// The station that a request is about.
    STATION = 0x09, "Station", MacAddr, "";
    /// Why the sender ends the connection.
    DISCONNECT_REASON = 0x0a, "Disconnect Reason", DisconnectReason, "";
    /// How long the peer should wait before it tries again.
    RETRY_AFTER = 0x0b, "Retry After", u32, "s";
    /// The name of the sender.
    SYSTEM_NAME = 0x0c, "System Name", Text, "";
    /// The software version of the sender.
    SOFTWARE_VERSION = 0x0d, "Software Version", Text, "";

    /// The name of a wireless network. Any bytes, UTF-8 by convention.
    SSID = 0x20, "SSID", Text, "0 to 32 bytes";
    /// An IPv4 address of the station or device.
    IPV4_ADDRESS = 0x21, "IPv4 Address", Ipv4Addr, "";
    /// An IPv6 address of the station or device.
    IPV6_ADDRESS = 0x22, "IPv6 Address", Ipv6Addr, "";
    /// The name under which the user logged in.
    USER_NAME = 0x23, "User Name", Text, "";
    /// The VLAN that the traffic belongs to.
    VLAN = 0x24, "VLAN", u16, "1 to 4094";
    /// The name that the station calls itself.
    HOST_NAME = 0x25, "Host Name", Text, "";
    /// What kind of device it is, as the controller's classification names it.
    DEVICE_TYPE = 0x26, "Device Type", Text, "";
    /// An access point.
    ACCESS_POINT = 0x27, "Access Point", MacAddr, "";
    /// The name of an access point.
    ACCESS_POINT_NAME = 0x28, "Access Point Name", Text, "";
    /// A serial number.
    SERIAL_NUMBER = 0x29, "Serial Number", Text, "";
    /// A model name.
    MODEL = 0x2a, "Model", Text, "";
    /// The manufacturer.
    MANUFACTURER = 0x2b, "Manufacturer", Text, "";
    /// Bytes whose meaning belongs to the manufacturer of the device, such as the payload of a tag.
    VENDOR_DATA = 0x2c, "Vendor Data", Octets, "";
}

records! {
    /// How often and from which change on notifications of some services are wanted.
    ServiceParameters, SERVICE_PARAMETERS = 0x08, "Service Parameters" {
        fields {
            /// The services that this is about.
            services: Services, "services", "";
            /// The time between two notifications about the same station; 0 leaves it to the controller.
            interval_seconds: u16, "interval", "s, 0 or 1 to 180";
            /// A station is reported again only if its signal strength moved by this much; 0 always.
            rssi_threshold_db: u8, "RSSI threshold", "dB, 0 to 127";
        }
    }

    /// Which part of an answer in several messages this is.
    Part, PART = 0x0e, "Part" {
        fields {
            /// The number of this part.
            number: u16, "part number", "from 1";
            /// How many parts there are.
            total: u16, "number of parts", "";
        }
    }

    /// Who hears something, and how well.
    HeardBy, HEARD_BY = 0x2d, "Heard By" {
        fields {
            /// One reading per access point and antenna.
            readings: Vec<AccessPointReading>, "readings", "";
        }
    }
}
