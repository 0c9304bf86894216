//! Wireless intrusion prevention.

use super::macros::wire_number;

wire_number! {
    /// How bad something is (ours).
    Severity(u8, 1), "severity" {
        /// For information.
        INFORMATION = 1, "information";
        /// Worth a look.
        WARNING = 2, "warning";
        /// A fault that limits little.
        MINOR = 3, "minor";
        /// A fault that limits much.
        MAJOR = 4, "major";
        /// Act at once.
        CRITICAL = 5, "critical";
    }

    /// What became of an alarm (ours).
    AlarmState(u8, 1), "alarm state" {
        /// New.
        RAISED = 1, "raised";
        /// Still there, with new numbers.
        UPDATED = 2, "updated";
        /// Over.
        CLEARED = 3, "cleared";
    }

    /// What a signature of the intrusion detection recognised (names of the usual standard signatures, numbers ours).
    AttackType(u16, 2), "attack type" {
        /// A deauthentication sent to everybody.
        BROADCAST_DEAUTHENTICATION = 1, "broadcast deauthentication";
        /// A flood of deauthentications.
        DEAUTHENTICATION_FLOOD = 2, "deauthentication flood";
        /// A flood of disassociations.
        DISASSOCIATION_FLOOD = 3, "disassociation flood";
        /// A flood of authentications.
        AUTHENTICATION_FLOOD = 4, "authentication flood";
        /// A flood of association requests.
        ASSOCIATION_FLOOD = 5, "association flood";
        /// A flood of reassociation requests.
        REASSOCIATION_FLOOD = 6, "reassociation flood";
        /// A flood of probe requests.
        PROBE_REQUEST_FLOOD = 7, "probe request flood";
        /// A flood of EAPOL frames.
        EAPOL_FLOOD = 8, "EAPOL flood";
        /// A probe response without an SSID.
        NULL_PROBE_RESPONSE = 9, "null probe response";
        /// Frames of a reserved management subtype.
        RESERVED_MANAGEMENT = 10, "reserved management frames";
        /// Somebody uses the address of one of our access points.
        ACCESS_POINT_IMPERSONATION = 11, "access point impersonation";
        /// Somebody offers our SSID.
        HONEYPOT = 12, "honeypot";
        /// A tool that searches networks.
        SCANNER = 13, "network scanner";
        /// A radio is being jammed.
        RADIO_JAMMING = 14, "radio jamming";
    }

    /// What the intrusion detection does on an access point (ours).
    IdsMode(u8, 1), "IDS mode" {
        /// Nothing.
        OFF = 0, "off";
        /// Raises alarms.
        DETECT = 1, "detect";
        /// Raises alarms and contains the attacker.
        CONTAIN = 2, "contain";
    }
}
