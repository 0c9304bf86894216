//! Wireless intrusion prevention, service `wips`.

use pki_common::MacAddr;

use super::common::HeardBy;
use crate::wire::numbers::{AlarmState, AttackType, Band, IdsMode, Severity};
use crate::wire::schema::{records, values};
use crate::wire::text::{Octets, Text};
use crate::wire::timestamp::Timestamp;

values! {
    /// The attack that a request is about.
    ATTACK_TYPE = 0x92, "Attack Type", AttackType, "";
    /// The frame that raised the alarm, from its MAC header on.
    CAPTURED_FRAME = 0x93, "Captured Frame", Octets, "";
}

records! {
    /// An alarm of the intrusion detection.
    IdsAlarm, IDS_ALARM = 0x90, "IDS Alarm" {
        fields {
            /// The number of the alarm; all messages about the same alarm carry it.
            alarm: u32, "alarm number", "";
            /// What was recognised.
            attack: AttackType, "attack type", "";
            /// How bad it is.
            severity: Severity, "severity", "";
            /// What became of the alarm.
            state: AlarmState, "alarm state", "";
            /// Who does it, as far as the address can be trusted.
            attacker: MacAddr, "attacker MAC address", "";
            /// Whom it is done to; all ones if everybody.
            victim: MacAddr, "victim MAC address", "";
            /// The radio band.
            band: Band, "band", "";
            /// The channel number within the band.
            channel: u8, "channel", "";
            /// How many frames matched.
            frames: u32, "frames", "";
            /// When it began.
            first_heard: Timestamp, "first heard", "ms since 1970 UTC";
            /// When the last frame was heard.
            last_heard: Timestamp, "last heard", "ms since 1970 UTC";
        }
        optional {
            /// The network that is attacked.
            ssid: Text = SSID;
            /// Who heard it.
            heard_by: HeardBy = HEARD_BY;
            /// A frame as proof.
            captured_frame: Octets = CAPTURED_FRAME;
            /// For people.
            explanation: Text = EXPLANATION;
        }
    }

    /// How one attack is recognised.
    IdsParameters, IDS_PARAMETERS = 0x91, "IDS Parameters" {
        fields {
            /// Which attack.
            attack: AttackType, "attack type", "";
            /// What to do.
            mode: IdsMode, "IDS mode", "";
            /// How bad an alarm is.
            severity: Severity, "severity", "";
            /// How many frames raise an alarm.
            threshold_frames: u32, "threshold", "frames";
            /// The time in which they must come.
            window_seconds: u16, "window", "s";
            /// How long without a frame clears the alarm.
            quiet_seconds: u16, "quiet time", "s";
        }
        many {
            /// The groups of access points that this is for; all of them if none is named.
            access_point_groups: Text = ACCESS_POINT_GROUP;
        }
    }
}
