//! Counters of stations. All counters go up only; a restart of the session or the radio begins at zero.

use pki_common::MacAddr;

use super::station::Battery;
use crate::wire::schema::records;
use crate::wire::timestamp::Timestamp;

records! {
    /// Counters of a Wi-Fi client, service `stats-ms`.
    ClientStatistics, CLIENT_STATISTICS = 0x40, "Client Statistics" {
        fields {
            /// The client's MAC address.
            station: MacAddr, "station MAC address", "";
            /// When the counters were read.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// How long the session lasts already.
            session_seconds: u32, "session time", "s";
        }
        required {
            /// What went over the air.
            traffic: Traffic = TRAFFIC;
        }
        optional {
            /// How good the connection is.
            link: Link = LINK;
        }
    }

    /// Counters of an RFID tag, service `stats-rfid`.
    TagStatistics, TAG_STATISTICS = 0x41, "Tag Statistics" {
        fields {
            /// The tag's MAC address.
            tag: MacAddr, "tag MAC address", "";
            /// When the counters were read.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// Frames received from the tag.
            frames: u64, "frames", "";
            /// Bytes received from the tag.
            bytes: u64, "bytes", "";
            /// Frames that were missing in the tag's own sequence.
            lost_frames: u64, "lost frames", "";
            /// Frames with more than one copy, heard by several access points.
            duplicate_frames: u64, "duplicate frames", "";
            /// How often the tag sends.
            interval_milliseconds: u32, "interval", "ms";
        }
        optional {
            /// Its battery.
            battery: Battery = BATTERY;
        }
    }

    /// Counters of a rogue access point or client, service `stats-rogue`.
    RogueStatistics, ROGUE_STATISTICS = 0x42, "Rogue Statistics" {
        fields {
            /// The rogue's MAC address.
            rogue: MacAddr, "rogue MAC address", "";
            /// When the counters were read.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// How long it has been heard.
            heard_seconds: u32, "heard for", "s";
            /// Frames that access points sent to contain it.
            containment_frames: u64, "containment frames", "";
        }
        required {
            /// What was heard of it.
            traffic: Traffic = TRAFFIC;
        }
    }

    /// Packets and bytes, seen from the controller: received from the station, sent to it.
    Traffic, TRAFFIC = 0x43, "Traffic" {
        fields {
            /// Packets received.
            rx_packets: u64, "packets received", "";
            /// Packets sent.
            tx_packets: u64, "packets sent", "";
            /// Bytes received.
            rx_bytes: u64, "bytes received", "";
            /// Bytes sent.
            tx_bytes: u64, "bytes sent", "";
            /// Frames received more than once.
            rx_duplicates: u64, "duplicates received", "";
            /// Frames sent again.
            tx_retries: u64, "retries", "";
            /// Frames that could not be used: damaged, or not to be decrypted.
            rx_errors: u64, "receive errors", "";
            /// Frames that were given up.
            tx_errors: u64, "send errors", "";
        }
    }

    /// How good a connection is.
    Link, LINK = 0x44, "Link" {
        fields {
            /// Signal strength of the station at its access point.
            rssi_dbm: i8, "RSSI", "dBm";
            /// Signal-to-noise ratio.
            snr_db: i8, "SNR", "dB";
            /// The rate of the last frame received.
            rx_rate_kbps: u32, "receive rate", "kbit/s";
            /// The rate of the last frame sent.
            tx_rate_kbps: u32, "send rate", "kbit/s";
            /// Spatial streams in use.
            spatial_streams: u8, "spatial streams", "";
        }
    }
}
