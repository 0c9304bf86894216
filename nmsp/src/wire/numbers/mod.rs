//! Wire numbers as newtypes that can hold any value, so that an unknown one survives.

use core::fmt;

use pki_common::{Diagnose, Failure, Rung};

mod general;
pub(in crate::wire) mod macros;
mod radio;
mod security;
mod station;

pub use general::{
    DisconnectReason, LocationCapabilities, LocationMethod, LocationSubject, StatusCode, SubscribeStatus,
    YesNo,
};
pub use radio::{AccessPointEvent, AccessPointMode, Band, InterfererType, MonitoredFrames, RadioState};
pub use security::{AlarmState, AttackType, IdsMode, Severity};
pub use station::{
    AttachmentState, AuthenticationMethod, BatteryState, Encryption, HandoverKind, HandoverRole, PhyType,
    RogueClass, RogueState, StationClass, StationState, TelemetryKind,
};

/// A message identifier, an unsigned 16-bit number (known: YANG leaf `msg-id`). Which message it means is the
/// profile's business: see [`WireProfile::message_type`](super::WireProfile::message_type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u16);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number in front of a TLV element. Which element it means is the profile's business:
/// see [`WireProfile::element`](super::WireProfile::element).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlvType(pub u16);

impl fmt::Display for TlvType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// A text that names none of the values of a wire number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}: expected one of {expected}, or a number")]
pub struct UnknownName {
    /// What was to be read.
    pub what: &'static str,
    /// The text that was given.
    pub text: String,
    /// The names that exist.
    pub expected: String,
}

impl Diagnose for UnknownName {
    fn diagnose(&self) -> Failure {
        Failure::new(
            Rung::Local,
            self.to_string(),
            "use one of these names, or the plain number",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_names_and_plain_numbers() {
        assert_eq!(Band::GHZ_6.to_string(), "6 GHz");
        assert_eq!("6 GHz".parse(), Ok(Band::GHZ_6));
        assert_eq!(Band(77).to_string(), "77");
        assert_eq!("77".parse(), Ok(Band(77)));
    }

    #[test]
    fn names_the_choices_when_a_name_is_unknown() {
        let error = "tag".parse::<StationClass>().unwrap_err();
        assert!(error.to_string().contains("rfid-tag"), "{error}");
        assert_eq!(error.diagnose().rung, Rung::Local);
    }
}
