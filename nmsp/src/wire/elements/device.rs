//! On-demand device information, service `on-demand`.

use core::net::{Ipv4Addr, Ipv6Addr};

use pki_common::MacAddr;

use super::common::HeardBy;
use super::station::{Association, Security};
use super::statistics::{Link, Traffic};
use crate::wire::numbers::{StationClass, StationState};
use crate::wire::schema::records;
use crate::wire::text::Text;
use crate::wire::timestamp::Timestamp;

records! {
    /// Everything that the controller knows about one device now.
    DeviceInformation, DEVICE_INFORMATION = 0xa0, "Device Information" {
        fields {
            /// The device's MAC address.
            station: MacAddr, "station MAC address", "";
            /// What kind of station it is.
            class: StationClass, "station class", "";
            /// How far it has come.
            state: StationState, "station state", "";
            /// When this was so.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
        optional {
            /// Where it is associated.
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
            /// Its model.
            model: Text = MODEL;
            /// Its software version.
            software_version: Text = SOFTWARE_VERSION;
            /// What went over the air.
            traffic: Traffic = TRAFFIC;
            /// How good the connection is.
            link: Link = LINK;
            /// Who hears it.
            heard_by: HeardBy = HEARD_BY;
        }
        many {
            /// Its IPv4 addresses.
            ipv4_addresses: Ipv4Addr = IPV4_ADDRESS;
            /// Its IPv6 addresses.
            ipv6_addresses: Ipv6Addr = IPV6_ADDRESS;
        }
    }
}
