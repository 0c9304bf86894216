//! Services in the two columns of the controllers: service and sub-service.

use core::fmt;

use super::line;
use super::state::State;
use crate::wire::{Service, Services};

/// `show nmsp capability`: the services that the controller offers.
#[must_use]
pub fn capability(state: &State) -> String {
    let mut out = String::new();
    table(&mut out, state.capability);
    out
}

/// The table that `capability` and `subscription detail` share.
pub(super) fn table(out: &mut String, services: Services) {
    line(out, format_args!("{:<22}Subservice", "Service"));
    line(out, format_args!("{:-<60}", ""));
    for group in groups(services) {
        line(out, format_args!("{group}"));
    }
}

/// The rows: each service with what there is of it.
pub(super) fn groups(services: Services) -> impl Iterator<Item = Group> {
    let rows = SERVICES.iter().filter_map(move |(name, members)| {
        let present = members.iter().filter(|(service, _)| services.contains(*service));
        let subservices: Vec<&str> = present.map(|(_, name)| *name).collect();
        (!subservices.is_empty()).then(|| Group {
            service: name,
            subservices: subservices.join(", "),
        })
    });
    let unnamed = services.unnamed_bits();
    let unnamed = (unnamed != 0).then(|| Group {
        service: "Unknown",
        subservices: format!("{unnamed:#x}"),
    });
    rows.chain(unnamed)
}

pub(super) struct Group {
    service: &'static str,
    subservices: String,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<22}{}", self.service, self.subservices)
    }
}

/// The names of the first column, and of the first seven rows, are recalled from the configuration guide of the
/// Catalyst 9800; sub-services that it does not print are named by the description in the YANG model.
const SERVICES: &[(&str, &[(Service, &str)])] = &[
    (
        "RSSI",
        &[
            (Service::RssiRogue, "Rogue"),
            (Service::RssiRfid, "Tags"),
            (Service::RssiMs, "Mobile Station"),
            (Service::RssiMsAssociatedOnly, "Associated Mobile Station only"),
            (Service::RssiInterferer, "Interferer"),
            (Service::RssiHs, "Handover Client"),
        ],
    ),
    (
        "Spectrum",
        &[
            (Service::SpectrumAggregateInterferer, "Aggregate Interferer"),
            (Service::SpectrumAirQuality, "Air Quality"),
            (Service::SpectrumInterferer, "Interferer"),
        ],
    ),
    (
        "Info",
        &[
            (Service::InfoRogue, "Rogue"),
            (Service::InfoRfid, "Tags"),
            (Service::InfoMs, "Mobile Station"),
            (Service::InfoHs, "Handover Client"),
        ],
    ),
    (
        "Statistics",
        &[
            (Service::StatsRogue, "Rogue"),
            (Service::StatsRfid, "Tags"),
            (Service::StatsMs, "Mobile Station"),
        ],
    ),
    ("AP Monitor", &[(Service::ApMonitor, "Subscription")]),
    ("On Demand Services", &[(Service::OnDemand, "Device Info")]),
    ("AP Info", &[(Service::ApInfo, "Subscription")]),
    ("Attachment", &[(Service::Attach, "Mobile Station")]),
    ("Location", &[(Service::Location, "Subscription")]),
    ("Handover", &[(Service::Fmchs, "Subscription")]),
    ("wIPS", &[(Service::Wips, "Subscription")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_one_place_in_the_table() {
        for service in Service::ALL {
            let places = SERVICES.iter().flat_map(|(_, members)| members.iter());
            assert_eq!(
                places.filter(|(member, _)| member == service).count(),
                1,
                "{service}"
            );
        }
    }

    #[test]
    fn prints_service_and_subservices_of_what_is_offered() {
        let state = State {
            capability: Services::RSSI_MS | Services::RSSI_ROGUE | Services::AP_INFO | Services(1 << 40),
            ..State::default()
        };
        assert_eq!(
            capability(&state),
            "\
Service               Subservice
------------------------------------------------------------
RSSI                  Rogue, Mobile Station
AP Info               Subscription
Unknown               0x10000000000
"
        );
    }
}
