//! What the store keeps records of, and which message reports each.

use core::fmt;

use crate::proto::policy::NotificationClass;
use crate::wire::{Element, MessageType, Service, Services, StationClass};

/// Defines the kinds once: class of the policy, message, element and services.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident, $name:literal, $class:expr, $message:ident, $element:ident, $($service:ident)|+;)+) => {
        /// A kind of record: what one table of the store holds, and one lane of a subscriber's queue carries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum RecordKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl RecordKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// A name for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// Whose rule in the notification policy holds; `None` for what is reported at once.
            #[must_use]
            pub const fn class(self) -> Option<NotificationClass> {
                match self { $(Self::$kind => $class),+ }
            }

            /// The notification that reports it.
            #[must_use]
            pub const fn message(self) -> MessageType {
                match self { $(Self::$kind => MessageType::$message),+ }
            }

            /// The element that holds one record.
            #[must_use]
            pub const fn element(self) -> Element {
                match self { $(Self::$kind => Element::$element),+ }
            }

            /// The services of which one must be subscribed, the one that gives the rule first.
            #[must_use]
            pub const fn services(self) -> &'static [Service] {
                match self { $(Self::$kind => &[$(Service::$service),+]),+ }
            }
        }
    };
}

kinds! {
    /// What access points heard of Wi-Fi clients.
    ClientMeasurement, "client measurements", Some(NotificationClass::Client), MeasurementNotification, STATION_MEASUREMENT, RssiMs | RssiMsAssociatedOnly;
    /// What access points heard of RFID tags.
    TagMeasurement, "tag measurements", Some(NotificationClass::RfidTag), MeasurementNotification, STATION_MEASUREMENT, RssiRfid;
    /// What access points heard of access points that are not ours.
    RogueApMeasurement, "rogue AP measurements", Some(NotificationClass::RogueAp), MeasurementNotification, STATION_MEASUREMENT, RssiRogue;
    /// What access points heard of clients of such access points.
    RogueClientMeasurement, "rogue client measurements", Some(NotificationClass::RogueClient), MeasurementNotification, STATION_MEASUREMENT, RssiRogue;
    /// What access points heard of interferers.
    InterfererMeasurement, "interferer measurements", Some(NotificationClass::Spectrum), MeasurementNotification, STATION_MEASUREMENT, RssiInterferer;
    /// What access points heard of clients that are being handed over.
    HandoverMeasurement, "handover client measurements", Some(NotificationClass::Handover), MeasurementNotification, STATION_MEASUREMENT, RssiHs;
    /// Facts about Wi-Fi clients.
    ClientInformation, "client information", Some(NotificationClass::Client), InformationNotification, CLIENT_INFORMATION, InfoMs;
    /// Facts about RFID tags.
    TagInformation, "tag information", Some(NotificationClass::RfidTag), InformationNotification, TAG_INFORMATION, InfoRfid;
    /// Facts about access points that are not ours.
    RogueAccessPoint, "rogue AP information", Some(NotificationClass::RogueAp), InformationNotification, ROGUE_ACCESS_POINT, InfoRogue;
    /// Facts about clients of such access points.
    RogueClient, "rogue client information", Some(NotificationClass::RogueClient), InformationNotification, ROGUE_CLIENT, InfoRogue;
    /// Clients that are being handed over.
    Handover, "handovers", Some(NotificationClass::Handover), InformationNotification, HANDOVER, InfoHs | Fmchs;
    /// Counters of Wi-Fi clients.
    ClientStatistics, "client statistics", Some(NotificationClass::Client), StatisticsNotification, CLIENT_STATISTICS, StatsMs;
    /// Counters of RFID tags.
    TagStatistics, "tag statistics", Some(NotificationClass::RfidTag), StatisticsNotification, TAG_STATISTICS, StatsRfid;
    /// Counters of rogues.
    RogueStatistics, "rogue statistics", Some(NotificationClass::RogueAp), StatisticsNotification, ROGUE_STATISTICS, StatsRogue;
    /// Where devices are attached.
    Attachment, "attachments", Some(NotificationClass::Attachment), AttachmentNotification, ATTACHMENT, Attach;
    /// Where things are.
    Location, "locations", Some(NotificationClass::Location), LocationNotification, LOCATION, Location;
    /// Access points.
    AccessPoint, "access points", None, ApInfoNotification, ACCESS_POINT_INFORMATION, ApInfo;
    /// What access points in monitor mode heard.
    MonitorReport, "monitor reports", None, ApMonitorNotification, MONITOR_REPORT, ApMonitor;
    /// Sources of interference.
    Interferer, "interferers", Some(NotificationClass::Spectrum), SpectrumNotification, INTERFERER, SpectrumInterferer;
    /// How good channels are.
    AirQuality, "air quality", Some(NotificationClass::Spectrum), SpectrumNotification, AIR_QUALITY, SpectrumAirQuality;
    /// All interference of a channel.
    AggregateInterference, "aggregate interference", Some(NotificationClass::Spectrum), SpectrumNotification, AGGREGATE_INTERFERENCE, SpectrumAggregateInterferer;
    /// Alarms of the intrusion detection.
    Alarm, "alarms", None, IdsNotification, IDS_ALARM, Wips;
}

impl RecordKind {
    /// The kind of the measurements of a class of station; `None` for a class without a name.
    #[must_use]
    pub const fn measuring(class: StationClass) -> Option<Self> {
        match class {
            StationClass::CLIENT => Some(Self::ClientMeasurement),
            StationClass::RFID_TAG => Some(Self::TagMeasurement),
            StationClass::ROGUE_AP => Some(Self::RogueApMeasurement),
            StationClass::ROGUE_CLIENT => Some(Self::RogueClientMeasurement),
            StationClass::INTERFERER => Some(Self::InterfererMeasurement),
            StationClass::HANDOVER_CLIENT => Some(Self::HandoverMeasurement),
            _ => None,
        }
    }

    /// Whether its records are Station Measurements.
    #[must_use]
    pub const fn is_measurement(self) -> bool {
        matches!(self.message(), MessageType::MeasurementNotification)
    }

    /// All its services as a set.
    #[must_use]
    pub fn service_set(self) -> Services {
        self.services().iter().copied().collect()
    }

    /// The service whose parameters in a subscription hold for this kind: of its services, the first that is subscribed.
    pub(in crate::server) fn ruling_service(self, subscribed: Services) -> Option<Service> {
        self.services()
            .iter()
            .copied()
            .find(|service| subscribed.contains(*service))
    }

    /// A dense index, below `ALL.len()`.
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a fieldless enum, exact by definition"
    )]
    pub(in crate::server) const fn position(self) -> usize {
        self as usize
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_with_notifications_has_a_kind_and_every_position_is_its_place() {
        let covered: Services = RecordKind::ALL
            .iter()
            .flat_map(|kind| kind.services().iter().copied())
            .collect();
        let missing = Services::from_iter(Service::ALL.iter().copied()).without(covered);
        assert_eq!(missing, Services::ON_DEMAND, "answers requests only");
        for (position, kind) in RecordKind::ALL.iter().enumerate() {
            assert_eq!(kind.position(), position);
        }
    }
}
