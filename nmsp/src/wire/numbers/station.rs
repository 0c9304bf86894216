//! Stations: clients, tags, rogues.

use super::macros::wire_number;

wire_number! {
    /// What kind of station was heard (ours); decides which service a measurement belongs to.
    StationClass(u8, 1), "station class" {
        /// A Wi-Fi client ("mobile station"), service `rssi-ms`.
        CLIENT = 1, "client";
        /// An RFID tag, service `rssi-rfid`.
        RFID_TAG = 2, "rfid-tag";
        /// An access point that is not ours, service `rssi-rogue`.
        ROGUE_AP = 3, "rogue-ap";
        /// A client of such an access point, service `rssi-rogue`.
        ROGUE_CLIENT = 4, "rogue-client";
        /// A source of interference, service `rssi-interferer`.
        INTERFERER = 5, "interferer";
        /// A client that is being handed over, service `rssi-hs`.
        HANDOVER_CLIENT = 6, "handover-client";
    }

    /// How far a station has come in the 802.11 state machine and behind it (ours).
    StationState(u8, 1), "station state" {
        /// Heard, without a connection to us.
        PROBING = 1, "probing";
        /// 802.11 authentication is done.
        AUTHENTICATED = 2, "authenticated";
        /// Associated; keys or addresses are still missing.
        ASSOCIATED = 3, "associated";
        /// Waits for the layer-2 authentication, 802.1X or PSK.
        LAYER_2_AUTHENTICATION = 4, "layer-2 authentication";
        /// Waits for an IP address.
        ADDRESS_WANTED = 5, "address wanted";
        /// Waits for the web authentication.
        WEB_AUTHENTICATION = 6, "web authentication";
        /// Everything is done, traffic flows.
        RUNNING = 7, "running";
        /// It left.
        DISASSOCIATED = 8, "disassociated";
        /// It is locked out.
        EXCLUDED = 9, "excluded";
    }

    /// The 802.11 variant in use (ours).
    PhyType(u8, 1), "PHY type" {
        /// 802.11a.
        A = 1, "802.11a";
        /// 802.11b.
        B = 2, "802.11b";
        /// 802.11g.
        G = 3, "802.11g";
        /// 802.11n.
        N = 4, "802.11n";
        /// 802.11ac.
        AC = 5, "802.11ac";
        /// 802.11ax.
        AX = 6, "802.11ax";
        /// 802.11be.
        BE = 7, "802.11be";
    }

    /// How a client proved who it is (ours).
    AuthenticationMethod(u8, 1), "authentication method" {
        /// Not at all.
        OPEN = 1, "open";
        /// A pre-shared key.
        PSK = 2, "psk";
        /// SAE, the WPA3 password exchange.
        SAE = 3, "sae";
        /// 802.1X.
        IEEE_802_1X = 4, "802.1X";
        /// Opportunistic wireless encryption.
        OWE = 5, "owe";
        /// A web page.
        WEB = 6, "web";
        /// Its MAC address.
        MAC = 7, "mac";
    }

    /// How frames are encrypted (ours).
    Encryption(u8, 1), "encryption" {
        /// Not at all.
        NONE = 1, "none";
        /// WEP.
        WEP = 2, "wep";
        /// TKIP.
        TKIP = 3, "tkip";
        /// CCMP-128.
        CCMP_128 = 4, "ccmp-128";
        /// CCMP-256.
        CCMP_256 = 5, "ccmp-256";
        /// GCMP-128.
        GCMP_128 = 6, "gcmp-128";
        /// GCMP-256.
        GCMP_256 = 7, "gcmp-256";
    }

    /// The battery of a tag (ours).
    BatteryState(u8, 1), "battery state" {
        /// Enough.
        NORMAL = 1, "normal";
        /// Soon empty.
        LOW = 2, "low";
        /// Replace it now.
        CRITICAL = 3, "critical";
    }

    /// What a tag measured (ours). The unit belongs to the kind.
    TelemetryKind(u16, 2), "telemetry kind" {
        /// Temperature in degrees Celsius.
        TEMPERATURE = 1, "temperature";
        /// Relative humidity in percent.
        HUMIDITY = 2, "humidity";
        /// Pressure in pascal.
        PRESSURE = 3, "pressure";
        /// Distance travelled in metres.
        DISTANCE = 4, "distance";
        /// Motion: 1 if it moves, 0 if it rests.
        MOTION = 5, "motion";
        /// The number of the button that was pressed.
        BUTTON = 6, "button";
        /// Tampering: 1 if it was opened or taken off.
        TAMPER = 7, "tamper";
        /// Fuel or fill level in percent.
        LEVEL = 8, "level";
        /// Voltage in volts.
        VOLTAGE = 9, "voltage";
    }

    /// What a rogue was classified as.
    RogueClass(u8, 1), "rogue class" {
        /// Not yet.
        UNCLASSIFIED = 1, "unclassified";
        /// Known and harmless.
        FRIENDLY = 2, "friendly";
        /// Dangerous.
        MALICIOUS = 3, "malicious";
        /// By a rule of the operator.
        CUSTOM = 4, "custom";
    }

    /// What is being done about a rogue.
    RogueState(u8, 1), "rogue state" {
        /// Reported.
        ALERT = 1, "alert";
        /// Kept from serving clients.
        CONTAINED = 2, "contained";
        /// To be contained, no access point is free for it.
        CONTAINMENT_PENDING = 3, "containment pending";
        /// Part of our own network.
        INTERNAL = 4, "internal";
        /// Belongs to somebody else, tolerated.
        EXTERNAL = 5, "external";
        /// A threat for which nothing is done automatically.
        THREAT = 6, "threat";
        /// Not heard any more.
        GONE = 7, "gone";
    }

    /// How far a client was handed over (ours).
    HandoverKind(u8, 1), "handover kind" {
        /// Between access points of one controller.
        INTRA_CONTROLLER = 1, "within the controller";
        /// Between controllers, on the same subnet.
        LAYER_2 = 2, "layer 2";
        /// Between controllers, its address stays in another subnet.
        LAYER_3 = 3, "layer 3";
    }

    /// What this controller is to the client after a handover.
    HandoverRole(u8, 1), "handover role" {
        /// The client is here entirely.
        LOCAL = 1, "local";
        /// The client's traffic leaves here, it is heard elsewhere.
        ANCHOR = 2, "anchor";
        /// The client is heard here, its traffic leaves elsewhere.
        FOREIGN = 3, "foreign";
    }

    /// Whether a device is attached (ours).
    AttachmentState(u8, 1), "attachment state" {
        /// It is attached.
        ATTACHED = 1, "attached";
        /// It was detached.
        DETACHED = 2, "detached";
        /// It is attached, and something about it changed.
        CHANGED = 3, "changed";
    }
}
