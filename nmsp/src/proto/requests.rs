//! Which message asks, which answers, which is only told: one table for every family.

use crate::wire::{MessageType, Services};

const RSSI: Services = Services(
    Services::RSSI_MS.0
        | Services::RSSI_RFID.0
        | Services::RSSI_ROGUE.0
        | Services::RSSI_INTERFERER.0
        | Services::RSSI_HS.0
        | Services::RSSI_MS_ASSOCIATED_ONLY.0,
);
const SPECTRUM: Services = Services(
    Services::SPECTRUM_INTERFERER.0
        | Services::SPECTRUM_AIR_QUALITY.0
        | Services::SPECTRUM_AGGREGATE_INTERFERER.0,
);
const INFORMATION: Services = Services(
    Services::INFO_MS.0
        | Services::INFO_RFID.0
        | Services::INFO_ROGUE.0
        | Services::INFO_HS.0
        | Services::FMCHS.0,
);
const STATISTICS: Services =
    Services(Services::STATS_MS.0 | Services::STATS_RFID.0 | Services::STATS_ROGUE.0);

/// What a message is for the connection. Who may send it is [`MessageType::sender`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It asks, and the connection of the peer itself answers: echo, subscription and its end.
    ConnectionRequest {
        /// The message that answers.
        response: MessageType,
    },
    /// It asks, and the application of the peer answers.
    Request {
        /// The message that answers.
        response: MessageType,
        /// The services that it belongs to. A peer that offers none of them answers with the status "not supported".
        services: Services,
    },
    /// It answers.
    Response,
    /// It tells, and nobody answers.
    Notification {
        /// The services of which one must be subscribed; the empty set if it needs no subscription.
        services: Services,
    },
}

impl Exchange {
    /// What this message is. The pairs and the services are ours where the numbers of the messages are.
    #[must_use]
    pub const fn of(message: MessageType) -> Self {
        use MessageType as M;
        match message {
            M::EchoRequest => Self::answered_at_once(M::EchoResponse),
            M::ServiceSubscribeRequest => Self::answered_at_once(M::ServiceSubscribeResponse),
            M::ServiceUnsubscribeRequest => Self::answered_at_once(M::ServiceUnsubscribeResponse),
            M::MeasurementRequest => Self::asks(M::MeasurementResponse, RSSI),
            M::InformationRequest => Self::asks(M::InformationResponse, INFORMATION),
            M::StatisticsRequest => Self::asks(M::StatisticsResponse, STATISTICS),
            M::AttachmentRequest => Self::asks(M::AttachmentResponse, Services::ATTACH),
            M::LocationRequest | M::LocationSubscribe | M::LocationUnsubscribe => {
                Self::asks(M::LocationResponse, Services::LOCATION)
            }
            M::ApMonitorSubscription => Self::asks(M::ApMonitorResponse, Services::AP_MONITOR),
            M::ApDiscoveryRequest => Self::asks(M::ApDiscoveryResponse, Services::AP_INFO),
            M::PathLossConfigRequest => Self::asks(M::PathLossConfigResponse, RSSI),
            M::SpectrumRequest => Self::asks(M::SpectrumResponse, SPECTRUM),
            M::IdsGetRequest => Self::asks(M::IdsGetResponse, Services::WIPS),
            M::IdsSetRequest => Self::asks(M::IdsSetResponse, Services::WIPS),
            M::DeviceInfoRequest => Self::asks(M::DeviceInfoResponse, Services::ON_DEMAND),
            M::EchoResponse
            | M::ServiceSubscribeResponse
            | M::ServiceUnsubscribeResponse
            | M::MeasurementResponse
            | M::InformationResponse
            | M::StatisticsResponse
            | M::AttachmentResponse
            | M::LocationResponse
            | M::ApMonitorResponse
            | M::ApDiscoveryResponse
            | M::PathLossConfigResponse
            | M::SpectrumResponse
            | M::IdsGetResponse
            | M::IdsSetResponse
            | M::DeviceInfoResponse => Self::Response,
            M::CapabilityNotification | M::DisconnectNotification | M::LocationCapability => {
                Self::tells(Services::NONE)
            }
            M::MeasurementNotification => Self::tells(RSSI),
            M::InformationNotification => Self::tells(INFORMATION),
            M::StatisticsNotification => Self::tells(STATISTICS),
            M::AttachmentNotification => Self::tells(Services::ATTACH),
            M::LocationNotification => Self::tells(Services::LOCATION),
            M::ApInfoNotification => Self::tells(Services::AP_INFO),
            M::ApMonitorNotification => Self::tells(Services::AP_MONITOR),
            M::SpectrumNotification => Self::tells(SPECTRUM),
            M::IdsNotification => Self::tells(Services::WIPS),
        }
    }

    const fn answered_at_once(response: MessageType) -> Self {
        Self::ConnectionRequest { response }
    }

    const fn asks(response: MessageType, services: Services) -> Self {
        Self::Request { response, services }
    }

    const fn tells(services: Services) -> Self {
        Self::Notification { services }
    }

    /// The message that answers; `None` if this asks nothing.
    #[must_use]
    pub const fn response(self) -> Option<MessageType> {
        match self {
            Self::ConnectionRequest { response } | Self::Request { response, .. } => Some(response),
            Self::Response | Self::Notification { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Element;
    use crate::wire::message::Sender;

    #[test]
    fn every_request_is_answered_from_the_other_side_and_every_response_answers_something() {
        let mut answered = Vec::new();
        for request in MessageType::ALL {
            let Some(response) = Exchange::of(*request).response() else {
                continue;
            };
            assert_eq!(Exchange::of(response), Exchange::Response, "{request}");
            let answers = match request.sender() {
                Sender::Controller => Sender::LocationServer,
                Sender::LocationServer => Sender::Controller,
                _ => Sender::Both,
            };
            assert_eq!(response.sender(), answers, "{request}");
            answered.push(response);
        }
        for message in MessageType::ALL {
            let is_response = Exchange::of(*message) == Exchange::Response;
            assert_eq!(answered.contains(message), is_response, "{message}");
        }
    }

    #[test]
    fn every_response_of_an_application_can_say_what_became_of_the_request() {
        for request in MessageType::ALL {
            if let Exchange::Request { response, services } = Exchange::of(*request) {
                let has_status = response
                    .elements()
                    .iter()
                    .any(|child| child.element == Element::STATUS);
                assert!(has_status && !services.is_empty(), "{request}");
            }
        }
    }

    #[test]
    fn names_tell_what_a_message_is() {
        for message in MessageType::ALL {
            let name = message.name();
            let exchange = Exchange::of(*message);
            assert_eq!(
                name.ends_with("Response"),
                exchange == Exchange::Response,
                "{name}"
            );
            if name.ends_with("Notification") {
                assert!(matches!(exchange, Exchange::Notification { .. }), "{name}");
            }
            if name.ends_with("Request") {
                assert!(exchange.response().is_some(), "{name}");
            }
        }
    }
}
