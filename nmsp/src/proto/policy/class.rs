//! What is reported with a rule of its own.

use core::fmt;
use core::str::FromStr;

use super::{DEFAULT_INTERVAL_SECONDS, DEFAULT_SLOW_INTERVAL_SECONDS};
use crate::wire::StationClass;
use crate::wire::numbers::UnknownName;

/// A class of notifications; each has an interval, and a threshold if it has a signal strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NotificationClass {
    /// Wi-Fi clients.
    Client,
    /// RFID tags.
    RfidTag,
    /// Access points that are not ours.
    RogueAp,
    /// Clients of such access points.
    RogueClient,
    /// Interferers, air quality.
    Spectrum,
    /// Clients that are being handed over.
    Handover,
    /// Where devices are attached.
    Attachment,
    /// Civic and geodetic locations.
    Location,
}

impl NotificationClass {
    /// Every class, in the order in which the vendor's controllers print them.
    pub const ALL: [Self; 8] = [
        Self::Client,
        Self::RfidTag,
        Self::RogueAp,
        Self::RogueClient,
        Self::Spectrum,
        Self::Handover,
        Self::Attachment,
        Self::Location,
    ];

    /// The name in configuration files and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "clients",
            Self::RfidTag => "rfid-tags",
            Self::RogueAp => "rogue-aps",
            Self::RogueClient => "rogue-clients",
            Self::Spectrum => "spectrum",
            Self::Handover => "handover",
            Self::Attachment => "attachment",
            Self::Location => "location",
        }
    }

    /// The class that a station belongs to; `None` for a class of station without a name.
    #[must_use]
    pub const fn of_station(class: StationClass) -> Option<Self> {
        match class {
            StationClass::CLIENT => Some(Self::Client),
            StationClass::RFID_TAG => Some(Self::RfidTag),
            StationClass::ROGUE_AP => Some(Self::RogueAp),
            StationClass::ROGUE_CLIENT => Some(Self::RogueClient),
            StationClass::INTERFERER => Some(Self::Spectrum),
            StationClass::HANDOVER_CLIENT => Some(Self::Handover),
            _ => None,
        }
    }

    /// Whether there is a signal strength that a threshold could look at.
    #[must_use]
    pub const fn has_signal_strength(self) -> bool {
        !matches!(self, Self::Attachment | Self::Location)
    }

    /// The interval unless told otherwise, in seconds.
    #[must_use]
    pub const fn default_interval_seconds(self) -> u16 {
        match self {
            Self::Attachment | Self::Location => DEFAULT_SLOW_INTERVAL_SECONDS,
            _ => DEFAULT_INTERVAL_SECONDS,
        }
    }

    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a fieldless enum, exact by definition"
    )]
    pub(super) const fn position(self) -> usize {
        self as usize
    }
}

impl fmt::Display for NotificationClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for NotificationClass {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|class| class.name() == text)
            .ok_or_else(|| UnknownName {
                what: "notification class",
                text: text.to_owned(),
                expected: Self::ALL.map(Self::name).join(", "),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_every_position_is_its_place_in_the_list() {
        for (position, class) in NotificationClass::ALL.into_iter().enumerate() {
            assert_eq!(class.name().parse(), Ok(class));
            assert_eq!(class.position(), position);
        }
        let error = "tags".parse::<NotificationClass>().unwrap_err();
        assert!(error.to_string().contains("rfid-tags"), "{error}");
    }
}
