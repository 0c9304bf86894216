//! The services a location server can subscribe to, as a 64-bit mask.

use core::fmt;
use core::ops::{BitAnd, BitOr};
use core::str::FromStr;

use super::numbers::{StationClass, UnknownName};

/// Defines the sub-services once: enum, mask constants, names.
macro_rules! services {
    ($($(#[$doc:meta])* $variant:ident, $constant:ident, $position:literal, $name:literal;)+) => {
        /// One sub-service, in the order of the vendor's YANG model (known); the position of its bit on the wire is
        /// unknown and belongs to the profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Service {
            $($(#[$doc])* $variant,)+
        }

        impl Service {
            /// Every sub-service in the order of the YANG model.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The leaf name in the YANG model, for example `rssi-ms`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The position in the YANG model, which is also the bit in [`Services`].
            #[must_use]
            pub const fn position(self) -> u8 {
                match self { $(Self::$variant => $position),+ }
            }
        }

        impl Services {
            $($(#[$doc])* pub const $constant: Self = Self(1 << $position);)+
        }
    };
}

services! {
    /// Signal strengths of Wi-Fi clients ("mobile stations").
    RssiMs, RSSI_MS, 0, "rssi-ms";
    /// Signal strengths of RFID tags.
    RssiRfid, RSSI_RFID, 1, "rssi-rfid";
    /// Signal strengths of rogue access points and their clients.
    RssiRogue, RSSI_ROGUE, 2, "rssi-rogue";
    /// Signal strengths of interferers.
    RssiInterferer, RSSI_INTERFERER, 3, "rssi-interferer";
    /// Signal strengths of clients that are being handed over.
    RssiHs, RSSI_HS, 4, "rssi-hs";
    /// Signal strengths of associated Wi-Fi clients only.
    RssiMsAssociatedOnly, RSSI_MS_ASSOCIATED_ONLY, 5, "rssi-ms-associated-only";
    /// Interferers found by spectrum analysis.
    SpectrumInterferer, SPECTRUM_INTERFERER, 6, "spectrum-interferer";
    /// Air quality.
    SpectrumAirQuality, SPECTRUM_AIR_QUALITY, 7, "spectrum-air-quality";
    /// Interferers aggregated over access points.
    SpectrumAggregateInterferer, SPECTRUM_AGGREGATE_INTERFERER, 8, "spectrum-aggregate-interferer";
    /// Facts about Wi-Fi clients.
    InfoMs, INFO_MS, 9, "info-ms";
    /// Facts about RFID tags.
    InfoRfid, INFO_RFID, 10, "info-rfid";
    /// Facts about rogues.
    InfoRogue, INFO_ROGUE, 11, "info-rogue";
    /// Facts about clients that are being handed over.
    InfoHs, INFO_HS, 12, "info-hs";
    /// Counters of Wi-Fi clients.
    StatsMs, STATS_MS, 13, "stats-ms";
    /// Counters of RFID tags.
    StatsRfid, STATS_RFID, 14, "stats-rfid";
    /// Counters of rogues.
    StatsRogue, STATS_ROGUE, 15, "stats-rogue";
    /// Where stations are attached.
    Attach, ATTACH, 16, "attach";
    /// Civic and geodetic locations.
    Location, LOCATION, 17, "location";
    /// Handover of clients.
    Fmchs, FMCHS, 18, "fmchs";
    /// Access point monitoring.
    ApMonitor, AP_MONITOR, 19, "ap-monitor";
    /// Wireless intrusion prevention.
    Wips, WIPS, 20, "wips";
    /// On-demand device information.
    OnDemand, ON_DEMAND, 21, "on-demand";
    /// Access point information.
    ApInfo, AP_INFO, 22, "ap-info";
}

impl Service {
    /// The service that carries measurements of this class of station; `None` for a class this crate has no name for.
    #[must_use]
    pub const fn measuring(class: StationClass) -> Option<Self> {
        match class {
            StationClass::CLIENT => Some(Self::RssiMs),
            StationClass::RFID_TAG => Some(Self::RssiRfid),
            StationClass::ROGUE_AP | StationClass::ROGUE_CLIENT => Some(Self::RssiRogue),
            StationClass::INTERFERER => Some(Self::RssiInterferer),
            StationClass::HANDOVER_CLIENT => Some(Self::RssiHs),
            _ => None,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Service {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|service| service.name() == text)
            .ok_or_else(|| UnknownName {
                what: "service",
                text: text.to_owned(),
                expected: Self::ALL
                    .iter()
                    .map(|service| service.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

/// A set of sub-services: bit n stands for the n-th sub-service of the YANG model. Bits without a name survive.
///
/// This is the profile-independent form. [`WireProfile::services_to_wire`](super::WireProfile::services_to_wire) moves
/// the bits to where a profile has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Services(pub u64);

impl Services {
    /// No service.
    pub const NONE: Self = Self(0);

    /// What this crate can publish today: signal strengths of every class of station.
    pub const MEASUREMENTS: Self = Self(0b1_1111);

    /// Whether no service is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the set has this service.
    #[must_use]
    pub const fn contains(self, service: Service) -> bool {
        self.0 & (1 << service.position()) != 0
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The named services of the set, in the order of the YANG model.
    pub fn iter(self) -> impl Iterator<Item = Service> {
        Service::ALL
            .iter()
            .copied()
            .filter(move |service| self.contains(*service))
    }

    /// The bits of the set that stand for no service with a name.
    #[must_use]
    pub fn unnamed_bits(self) -> u64 {
        self.0 & !Self::from_iter(Service::ALL.iter().copied()).0
    }
}

impl From<Service> for Services {
    fn from(service: Service) -> Self {
        Self(1 << service.position())
    }
}

impl FromIterator<Service> for Services {
    fn from_iter<I: IntoIterator<Item = Service>>(services: I) -> Self {
        services
            .into_iter()
            .fold(Self::NONE, |set, service| set | service.into())
    }
}

impl BitOr for Services {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Services {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Display for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut separator = "";
        for service in self.iter() {
            write!(f, "{separator}{service}")?;
            separator = ", ";
        }
        match self.unnamed_bits() {
            0 => Ok(()),
            bits => write!(f, "{separator}{bits:#x}"),
        }
    }
}

/// In JSON a list of names; a bit without a name is its number.
impl serde::Serialize for Services {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unnamed = (0_u8..64)
            .filter(|bit| self.unnamed_bits() & (1 << bit) != 0)
            .map(|bit| bit.to_string());
        serializer.collect_seq(
            self.iter()
                .map(|service| service.name().to_owned())
                .chain(unnamed),
        )
    }
}

impl<'de> serde::Deserialize<'de> for Services {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names.iter().try_fold(Self::NONE, |set, name| {
            let bit = name.parse::<u8>().ok().filter(|bit| *bit < 64);
            match bit {
                Some(bit) => Ok(set | Self(1 << bit)),
                None => name
                    .parse::<Service>()
                    .map(|service| set | service.into())
                    .map_err(serde::de::Error::custom),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_23_services_of_the_yang_model_in_order() {
        assert_eq!(Service::ALL.len(), 23);
        for (index, service) in Service::ALL.iter().enumerate() {
            assert_eq!(usize::from(service.position()), index);
            assert_eq!(service.name().parse(), Ok(*service));
        }
    }

    #[test]
    fn iterates_named_services_and_prints_unnamed_bits() {
        let set = Services::RSSI_MS | Services::AP_INFO | Services(1 << 40);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Service::RssiMs, Service::ApInfo]);
        assert_eq!(set.to_string(), "rssi-ms, ap-info, 0x10000000000");
        assert_eq!(Services::NONE.to_string(), "none");
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(json, r#"["rssi-ms","ap-info","40"]"#);
        assert_eq!(serde_json::from_str::<Services>(&json).unwrap(), set);
    }
}
