//! What spectrum analysis found.

use pki_common::MacAddr;

use super::common::HeardBy;
use crate::wire::numbers::{Band, InterfererType};
use crate::wire::schema::{fixed_records, records};
use crate::wire::timestamp::Timestamp;

fixed_records! {
    /// A channel that an interferer disturbs.
    AffectedChannel, "affected channel" {
        /// The radio band.
        band: Band, "band", "";
        /// The channel number within the band.
        channel: u8, "channel", "";
    }

    /// What one kind of interferer takes from a channel.
    InterfererShare, "interferer share" {
        /// The kind of device.
        interferer_type: InterfererType, "interferer type", "";
        /// How many devices of this kind there are.
        devices: u8, "devices", "";
        /// How bad they are together.
        severity: u8, "severity", "0 none to 100 worst";
        /// How much of the time they send.
        duty_cycle_percent: u8, "duty cycle", "%, 0 to 100";
        /// The strongest of them.
        rssi_dbm: i8, "RSSI", "dBm";
    }
}

records! {
    /// One source of interference, service `spectrum-interferer`.
    Interferer, INTERFERER = 0x80, "Interferer" {
        fields {
            /// An address made up by the controller, the same for all reports about this device.
            cluster: MacAddr, "cluster identifier", "";
            /// The kind of device.
            interferer_type: InterfererType, "interferer type", "";
            /// How bad it is.
            severity: u8, "severity", "0 none to 100 worst";
            /// How much of the time it sends.
            duty_cycle_percent: u8, "duty cycle", "%, 0 to 100";
            /// How sure the recognition is.
            confidence_percent: u8, "confidence", "%, 0 to 100";
            /// The radio band of the report.
            band: Band, "band", "";
            /// When it was heard first.
            first_heard: Timestamp, "first heard", "ms since 1970 UTC";
            /// When it was heard last.
            last_heard: Timestamp, "last heard", "ms since 1970 UTC";
            /// The channels it disturbs.
            channels: Vec<AffectedChannel>, "affected channels", "";
        }
        optional {
            /// Who hears it.
            heard_by: HeardBy = HEARD_BY;
        }
    }

    /// How good a channel is at one access point, service `spectrum-air-quality`.
    AirQuality, AIR_QUALITY = 0x81, "Air Quality" {
        fields {
            /// The access point.
            access_point: MacAddr, "access point MAC address", "";
            /// The slot of its radio.
            slot: u8, "slot", "";
            /// The radio band.
            band: Band, "band", "";
            /// The channel number within the band.
            channel: u8, "channel", "";
            /// The average over the period.
            average: u8, "average air quality index", "0 worst to 100 best";
            /// The worst value of the period.
            minimum: u8, "minimum air quality index", "0 worst to 100 best";
            /// How many interferers there are.
            interferers: u8, "interferers", "";
            /// How much of the time the channel is busy with Wi-Fi.
            wifi_percent: u8, "Wi-Fi utilization", "%, 0 to 100";
            /// How much of the time it is busy with something else.
            other_percent: u8, "other utilization", "%, 0 to 100";
            /// The noise floor.
            noise_floor_dbm: i8, "noise floor", "dBm";
            /// The end of the period.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// The length of the period.
            period_seconds: u16, "period", "s";
        }
    }

    /// All interference of a channel at one access point, service `spectrum-aggregate-interferer`.
    AggregateInterference, AGGREGATE_INTERFERENCE = 0x82, "Aggregate Interference" {
        fields {
            /// The access point.
            access_point: MacAddr, "access point MAC address", "";
            /// The slot of its radio.
            slot: u8, "slot", "";
            /// The radio band.
            band: Band, "band", "";
            /// The channel number within the band.
            channel: u8, "channel", "";
            /// How bad everything together is.
            severity: u8, "severity", "0 none to 100 worst";
            /// How much of the time the channel is taken.
            duty_cycle_percent: u8, "duty cycle", "%, 0 to 100";
            /// When.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// What each kind of device takes.
            shares: Vec<InterfererShare>, "shares", "";
        }
    }
}
