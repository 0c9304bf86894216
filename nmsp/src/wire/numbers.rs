//! Wire numbers as newtypes that can hold any value, so that an unknown one survives.

use core::fmt;
use core::str::FromStr;

use pki_common::{Diagnose, Failure, Rung};

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

/// Defines a wire number: its constants, their names, and texts in both directions.
macro_rules! wire_number {
    ($(#[$outer:meta])* $name:ident($int:ty), $what:literal {
        $($(#[$inner:meta])* $constant:ident = $value:literal, $text:literal;)+
    }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$inner])* pub const $constant: Self = Self($value);)+

            /// Every value that has a name, in ascending order.
            pub const NAMED: &'static [Self] = &[$(Self::$constant),+];

            /// The name of the value, if it has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($text),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => self.0.fmt(f),
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                let named = Self::NAMED.iter().copied().find(|value| value.name() == Some(text));
                named.or_else(|| text.parse().ok().map(Self)).ok_or_else(|| UnknownName {
                    what: $what,
                    text: text.to_owned(),
                    expected: [$($text),+].join(", "),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

wire_number! {
    /// The radio band on which a frame was heard (ours). Written as text in JSON, `"5 GHz"`.
    Band(u8), "radio band" {
        /// 2.4 GHz.
        GHZ_2_4 = 1, "2.4 GHz";
        /// 5 GHz.
        GHZ_5 = 2, "5 GHz";
        /// 6 GHz.
        GHZ_6 = 3, "6 GHz";
    }
}

wire_number! {
    /// What kind of station was heard (ours); decides which service a measurement belongs to.
    StationClass(u8), "station class" {
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
}

wire_number! {
    /// The controller's answer to a subscription (ours).
    SubscribeStatus(u16), "subscribe status" {
        /// Every service that was asked for is subscribed.
        ACCEPTED = 0, "accepted";
        /// Some services are subscribed, the others are listed as rejected.
        PARTLY_ACCEPTED = 1, "partly accepted";
        /// None of the services that were asked for is offered.
        REJECTED = 2, "rejected";
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
