//! Access points: what they are, what they hear in monitor mode, how they measure path loss.

use core::net::{Ipv4Addr, Ipv6Addr};

use pki_common::MacAddr;

use super::common::HeardBy;
use super::location::Location;
use crate::wire::numbers::{
    AccessPointEvent, AccessPointMode, Band, MonitoredFrames, RadioState, StationClass, YesNo,
};
use crate::wire::schema::records;
use crate::wire::text::Text;
use crate::wire::timestamp::Timestamp;

records! {
    /// An access point, service `ap-info`.
    AccessPointInformation, ACCESS_POINT_INFORMATION = 0x70, "Access Point Information" {
        fields {
            /// Its MAC address: the one that readings name, the base of its BSSIDs.
            access_point: MacAddr, "access point MAC address", "";
            /// The MAC address of its Ethernet port.
            ethernet: MacAddr, "Ethernet MAC address", "";
            /// What happened to it.
            event: AccessPointEvent, "access point event", "";
            /// What it does.
            mode: AccessPointMode, "access point mode", "";
            /// When.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// How long it has been up.
            uptime_seconds: u32, "uptime", "s";
        }
        optional {
            /// Its name.
            name: Text = ACCESS_POINT_NAME;
            /// Its group.
            group: Text = ACCESS_POINT_GROUP;
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
            /// Its radios.
            radios: Radio = RADIO;
        }
    }

    /// A radio of an access point.
    Radio, RADIO = 0x71, "Radio" {
        fields {
            /// The slot of the radio.
            slot: u8, "slot", "";
            /// Whether it works.
            state: RadioState, "radio state", "";
            /// The base of its BSSIDs.
            bssid: MacAddr, "BSSID", "";
            /// The radio band.
            band: Band, "band", "";
            /// The channel number within the band.
            channel: u8, "channel", "";
            /// The width of the channel.
            channel_width_mhz: u16, "channel width", "MHz";
            /// The power it sends with.
            tx_power_dbm: i8, "transmit power", "dBm";
            /// The gain of its antennas, in steps of 0.5 dB.
            antenna_gain_half_db: u8, "antenna gain", "0.5 dBi";
            /// How many antennas it has.
            antennas: u8, "antennas", "";
            /// The direction of its main lobe, clockwise from north; 0xffff if it is omnidirectional.
            azimuth_degrees: u16, "azimuth", "degrees, 0 to 359";
            /// The angle of its main lobe above the horizon.
            elevation_degrees: i8, "elevation", "degrees, -90 to 90";
            /// How many stations are associated.
            stations: u16, "stations", "";
            /// How much of the time the channel is busy.
            utilization_percent: u8, "channel utilization", "%, 0 to 100";
        }
    }

    /// What an access point in monitor mode is to listen to, service `ap-monitor`.
    MonitorParameters, MONITOR_PARAMETERS = 0x73, "Monitor Parameters" {
        fields {
            /// Which frames to report.
            frames: MonitoredFrames, "monitored frames", "";
            /// How long to stay on one channel.
            dwell_milliseconds: u16, "dwell time", "ms";
            /// How often to report.
            interval_seconds: u16, "interval", "s";
        }
        many {
            /// The access points; all of them if none is named.
            access_points: MacAddr = ACCESS_POINT;
            /// The groups of access points.
            access_point_groups: Text = ACCESS_POINT_GROUP;
        }
    }

    /// What access points in monitor mode heard of one transmitter.
    MonitorReport, MONITOR_REPORT = 0x74, "Monitor Report" {
        fields {
            /// The transmitter's MAC address.
            transmitter: MacAddr, "transmitter MAC address", "";
            /// What kind of station it is.
            class: StationClass, "station class", "";
            /// The kinds of frames that were heard.
            frames: MonitoredFrames, "monitored frames", "";
            /// How many frames were heard.
            frame_count: u32, "frames", "";
            /// When the last one was heard.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
        required {
            /// Who heard it.
            heard_by: HeardBy = HEARD_BY;
        }
        optional {
            /// The network it asked for or offered.
            ssid: Text = SSID;
        }
    }

    /// How clients are asked to send, so that path loss can be measured.
    PathLossParameters, PATH_LOSS_PARAMETERS = 0x75, "Path Loss Parameters" {
        fields {
            /// The radio band.
            band: Band, "band", "";
            /// Whether to measure.
            enabled: YesNo, "enabled", "";
            /// How often a client is asked.
            interval_seconds: u16, "interval", "s";
            /// How many frames it sends each time.
            burst: u8, "frames per burst", "";
            /// The time between two of these frames.
            spacing_milliseconds: u16, "frame spacing", "ms";
            /// The power it sends with; the location server subtracts what is heard from it.
            tx_power_dbm: i8, "transmit power", "dBm";
        }
        many {
            /// The clients; all of them if none is named.
            stations: MacAddr = STATION;
        }
    }
}
