//! Bands, access points, interference.

use super::macros::{wire_flags, wire_number};

wire_number! {
    /// The radio band on which a frame was heard (ours). Written as text in JSON, `"5 GHz"`.
    Band(u8, 1), "radio band" {
        /// 2.4 GHz.
        GHZ_2_4 = 1, "2.4 GHz";
        /// 5 GHz.
        GHZ_5 = 2, "5 GHz";
        /// 6 GHz.
        GHZ_6 = 3, "6 GHz";
    }

    /// What an access point does (ours).
    AccessPointMode(u8, 1), "access point mode" {
        /// Serves stations, traffic goes through the controller.
        LOCAL = 1, "local";
        /// Serves stations, traffic may leave at the access point.
        FLEX = 2, "flex";
        /// Only listens, for location and rogues.
        MONITOR = 3, "monitor";
        /// Looks for rogues on the wire.
        ROGUE_DETECTOR = 4, "rogue detector";
        /// Captures frames of one channel.
        SNIFFER = 5, "sniffer";
        /// Part of a mesh.
        BRIDGE = 6, "bridge";
        /// Sends spectrum data to an analyser.
        SPECTRUM = 7, "spectrum";
        /// Measures the network as a client would.
        SENSOR = 8, "sensor";
    }

    /// What happened to an access point (ours).
    AccessPointEvent(u8, 1), "access point event" {
        /// Nothing: this is how it stands.
        PRESENT = 1, "present";
        /// It joined the controller.
        JOINED = 2, "joined";
        /// It left the controller.
        LEFT = 3, "left";
        /// Something about it changed.
        CHANGED = 4, "changed";
    }

    /// Whether a radio works (ours).
    RadioState(u8, 1), "radio state" {
        /// Up.
        UP = 1, "up";
        /// Down, though it should be up.
        DOWN = 2, "down";
        /// Switched off by an operator.
        DISABLED = 3, "disabled";
    }

    /// The kind of device that spectrum analysis recognised (names known from spectrum displays, numbers ours).
    InterfererType(u8, 1), "interferer type" {
        /// A Bluetooth connection.
        BLUETOOTH_LINK = 1, "Bluetooth link";
        /// Bluetooth discovery.
        BLUETOOTH_DISCOVERY = 2, "Bluetooth discovery";
        /// A Bluetooth Low Energy beacon.
        BLE_BEACON = 3, "BLE beacon";
        /// A microwave oven.
        MICROWAVE_OVEN = 4, "microwave oven";
        /// 802.11 with frequency hopping.
        FREQUENCY_HOPPING = 5, "802.11 FH";
        /// A transmitter with time division duplex.
        TDD_TRANSMITTER = 6, "TDD transmitter";
        /// A jammer.
        JAMMER = 7, "jammer";
        /// A transmitter that never stops.
        CONTINUOUS_TRANSMITTER = 8, "continuous transmitter";
        /// A cordless phone like DECT.
        DECT_LIKE_PHONE = 9, "DECT-like phone";
        /// A video camera.
        VIDEO_CAMERA = 10, "video camera";
        /// 802.15.4, such as ZigBee.
        IEEE_802_15_4 = 11, "802.15.4";
        /// Wi-Fi with inverted spectrum.
        WIFI_INVERTED = 12, "Wi-Fi inverted";
        /// Wi-Fi on a channel that does not exist.
        WIFI_INVALID_CHANNEL = 13, "Wi-Fi invalid channel";
        /// A proprietary extension of 802.11 on two channels.
        SUPER_AG = 14, "SuperAG";
        /// A point-to-point bridge of the Canopy family.
        CANOPY = 15, "Canopy";
        /// A game controller.
        GAME_CONTROLLER = 16, "game controller";
        /// WiMAX, mobile.
        WIMAX_MOBILE = 17, "WiMAX mobile";
        /// WiMAX, fixed.
        WIMAX_FIXED = 18, "WiMAX fixed";
        /// Radar.
        RADAR = 19, "radar";
        /// Something else.
        OTHER = 255, "other";
    }
}

wire_flags! {
    /// The frames that an access point in monitor mode reports (ours).
    MonitoredFrames(u16, 2), "monitored frames" {
        /// Probe requests.
        PROBE_REQUESTS = 0x0001, "probe requests";
        /// Beacons and probe responses.
        BEACONS = 0x0002, "beacons";
        /// Authentication, association and their ends.
        MANAGEMENT = 0x0004, "management";
        /// Data frames.
        DATA = 0x0008, "data";
        /// Frames of RFID tags.
        TAGS = 0x0010, "tags";
    }
}
