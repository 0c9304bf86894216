//! Notifications that the application makes itself, message by message.

use bytes::BytesMut;

use crate::error::Error;
use crate::proto::Exchange;
use crate::proto::policy::is_associated;
use crate::wire::message::Measurement;
use crate::wire::message::bodies::{InformationNotification, SpectrumNotification, StatisticsNotification};
use crate::wire::{OwnedMessage, Service, Services, StationClass, WireProfile, Writer};

use super::subscriber::EncodedNotification;

/// A notification as its subscribers get it: each without the records of services that it has not subscribed. Every
/// selection of services is encoded once.
#[derive(Debug)]
pub(super) struct Portions<'a> {
    message: &'a OwnedMessage,
    profile: &'a WireProfile,
    longest_body: usize,
    services: Services,
    made: Vec<EncodedNotification>,
}

impl<'a> Portions<'a> {
    /// # Errors
    /// If the message is no notification of a service, or too long for one message.
    pub(super) fn new(
        message: &'a OwnedMessage,
        profile: &'a WireProfile,
        longest_body: usize,
    ) -> Result<Self, Error> {
        let whole = encode(message, profile, longest_body)?;
        Ok(Self {
            message,
            profile,
            longest_body,
            services: whole.services,
            made: vec![whole],
        })
    }

    /// What goes to a subscriber of these services; `None` if nothing does.
    pub(super) fn of(&mut self, subscribed: Services) -> Result<Option<EncodedNotification>, Error> {
        let wanted = subscribed & self.services;
        if wanted.is_empty() {
            return Ok(None);
        }
        if let Some(made) = self.made.iter().find(|made| made.services == wanted) {
            return Ok(Some(made.clone()));
        }
        let mut message = self.message.clone();
        keep(&mut message, wanted);
        let mut portion = encode(&message, self.profile, self.longest_body)?;
        portion.services = wanted;
        self.made.push(portion.clone());
        Ok(Some(portion))
    }
}

/// Takes out the records of other services. What belongs to no service with a name stays.
fn keep(message: &mut OwnedMessage, services: Services) {
    let has = |service| services.contains(service);
    match message {
        OwnedMessage::MeasurementNotification(body) => body.stations.retain(|station| {
            let of_station = services_of(station);
            of_station.is_empty() || !(of_station & services).is_empty()
        }),
        OwnedMessage::InformationNotification(body) => {
            clear_unless(has(Service::InfoMs), &mut body.clients);
            clear_unless(has(Service::InfoRfid), &mut body.tags);
            clear_unless(has(Service::InfoRogue), &mut body.rogue_access_points);
            clear_unless(has(Service::InfoRogue), &mut body.rogue_clients);
            clear_unless(has(Service::InfoHs) || has(Service::Fmchs), &mut body.handovers);
        }
        OwnedMessage::StatisticsNotification(body) => {
            clear_unless(has(Service::StatsMs), &mut body.clients);
            clear_unless(has(Service::StatsRfid), &mut body.tags);
            clear_unless(has(Service::StatsRogue), &mut body.rogues);
        }
        OwnedMessage::SpectrumNotification(body) => {
            clear_unless(has(Service::SpectrumInterferer), &mut body.interferers);
            clear_unless(has(Service::SpectrumAirQuality), &mut body.air_quality);
            clear_unless(has(Service::SpectrumAggregateInterferer), &mut body.aggregates);
        }
        _ => {}
    }
}

fn clear_unless<T>(wanted: bool, records: &mut Vec<T>) {
    if !wanted {
        records.clear();
    }
}

/// The services of which one brings the measurements of a station.
fn services_of(station: &Measurement) -> Services {
    let measuring = Service::measuring(station.class).map_or(Services::NONE, Services::from);
    let associated = station.class == StationClass::CLIENT && station.state.is_some_and(is_associated);
    if associated {
        measuring | Services::RSSI_MS_ASSOCIATED_ONLY
    } else {
        measuring
    }
}

/// Encodes a notification, and says who is to get it.
fn encode(
    message: &OwnedMessage,
    profile: &WireProfile,
    longest_body: usize,
) -> Result<EncodedNotification, Error> {
    let refuse = |cause: String| Error::Configuration {
        cause,
        remedy: "give a notification that belongs to a service, such as an IDS Notification".to_owned(),
    };
    let Some(kind) = message.message_type() else {
        return Err(refuse(
            "a message without a name belongs to no service".to_owned(),
        ));
    };
    let services = match Exchange::of(kind) {
        Exchange::Notification { services } if !services.is_empty() => of_contents(message, services),
        _ => return Err(refuse(format!("{kind} is not a notification of a service"))),
    };
    let mut body = BytesMut::new();
    message.write_body(&mut Writer::new(&mut body, profile))?;
    if body.len() > longest_body {
        return Err(crate::wire::EncodeError::TooLong {
            what: "notification",
            length: body.len(),
            width: 4,
        }
        .into());
    }
    Ok(EncodedNotification {
        message: kind,
        services,
        body: body.freeze(),
    })
}

/// The services that its contents belong to; those of the whole family if it is empty.
fn of_contents(message: &OwnedMessage, family: Services) -> Services {
    let add = |there: bool, service: Services| if there { service } else { Services::NONE };
    let services = match message {
        OwnedMessage::MeasurementNotification(body) => body
            .stations
            .iter()
            .map(services_of)
            .fold(Services::NONE, |all, some| all | some),
        OwnedMessage::InformationNotification(InformationNotification {
            clients,
            tags,
            rogue_access_points,
            rogue_clients,
            handovers,
        }) => {
            add(!clients.is_empty(), Services::INFO_MS)
                | add(!tags.is_empty(), Services::INFO_RFID)
                | add(
                    !rogue_access_points.is_empty() || !rogue_clients.is_empty(),
                    Services::INFO_ROGUE,
                )
                | add(!handovers.is_empty(), Services::INFO_HS | Services::FMCHS)
        }
        OwnedMessage::StatisticsNotification(StatisticsNotification {
            clients,
            tags,
            rogues,
        }) => {
            add(!clients.is_empty(), Services::STATS_MS)
                | add(!tags.is_empty(), Services::STATS_RFID)
                | add(!rogues.is_empty(), Services::STATS_ROGUE)
        }
        OwnedMessage::SpectrumNotification(SpectrumNotification {
            interferers,
            air_quality,
            aggregates,
        }) => {
            add(!interferers.is_empty(), Services::SPECTRUM_INTERFERER)
                | add(!air_quality.is_empty(), Services::SPECTRUM_AIR_QUALITY)
                | add(!aggregates.is_empty(), Services::SPECTRUM_AGGREGATE_INTERFERER)
        }
        _ => family,
    };
    if services.is_empty() { family } else { services }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::elements::{AirQuality, ClientInformation, TagInformation};
    use crate::wire::message::bodies::{Disconnect, IdsNotification};

    fn services(message: &OwnedMessage) -> Result<Services, String> {
        encode(message, WireProfile::built_in(), 1000)
            .map(|encoded| encoded.services)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_notification_goes_to_who_subscribed_what_is_in_it() {
        let both = OwnedMessage::InformationNotification(InformationNotification {
            clients: vec![ClientInformation::default()],
            tags: vec![TagInformation::default()],
            ..InformationNotification::default()
        });
        let air = OwnedMessage::SpectrumNotification(SpectrumNotification {
            air_quality: vec![AirQuality::default()],
            ..SpectrumNotification::default()
        });
        let alarms = OwnedMessage::IdsNotification(IdsNotification::default());
        let table = [
            (both, Services::INFO_MS | Services::INFO_RFID),
            (air, Services::SPECTRUM_AIR_QUALITY),
            (alarms, Services::WIPS),
        ];
        for (message, expected) in table {
            assert_eq!(services(&message), Ok(expected));
        }
    }

    #[test]
    fn refuses_what_is_no_notification_of_a_service_or_does_not_fit() {
        let goodbye = OwnedMessage::DisconnectNotification(Disconnect::default());
        assert!(
            services(&goodbye)
                .unwrap_err()
                .contains("Disconnect Notification")
        );
        let long = OwnedMessage::InformationNotification(InformationNotification {
            tags: vec![TagInformation::default(); 100],
            ..InformationNotification::default()
        });
        assert!(services(&long).unwrap_err().contains("notification"));
    }
}
