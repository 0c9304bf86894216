//! What keeps a connection: echo, capability, subscriptions, plain answers, goodbye.

use crate::wire::elements::ServiceParameters;
use crate::wire::numbers::{DisconnectReason, StatusCode, SubscribeStatus};
use crate::wire::schema::bodies;
use crate::wire::services::Services;
use crate::wire::text::Text;

bodies! {
    /// An echo. No element is defined for it; the response repeats the body of the request.
    Echo {}

    /// What the sender can do. Both sides send it first; a later one replaces it.
    Capability {
        required {
            /// The protocol version that the sender implements.
            version: u16 = PROTOCOL_VERSION;
            /// The services that the controller offers, or the location server can use.
            services: Services = SERVICES;
        }
        optional {
            /// What the sender calls itself.
            system_name: Text = SYSTEM_NAME;
            /// Its software version.
            software_version: Text = SOFTWARE_VERSION;
        }
    }

    /// What the location server wants from now on. It replaces whatever was subscribed before; no service at all ends the
    /// subscription.
    ServiceSubscribeRequest {
        required {
            /// The services.
            services: Services = SERVICES;
        }
        many {
            /// Only what access points of these groups hear; of all of them if none is named.
            access_point_groups: Text = ACCESS_POINT_GROUP;
            /// How often and from which change on; the controller's own settings for what is not named.
            parameters: ServiceParameters = SERVICE_PARAMETERS;
        }
    }

    /// What became of a subscription, or of the end of one.
    ServiceSubscribeResponse {
        required {
            /// The summary.
            status: SubscribeStatus = SUBSCRIBE_STATUS;
            /// What is subscribed now.
            accepted: Services = SERVICES;
        }
        optional {
            /// What was asked for and is not offered.
            rejected: Services = SERVICES_REJECTED;
            /// For people.
            explanation: Text = EXPLANATION;
        }
        many {
            /// The groups that are in force.
            access_point_groups: Text = ACCESS_POINT_GROUP;
            /// The parameters that are in force.
            parameters: ServiceParameters = SERVICE_PARAMETERS;
        }
    }

    /// What the location server does not want any more; other services stay.
    ServiceUnsubscribeRequest {
        required {
            /// The services.
            services: Services = SERVICES;
        }
    }

    /// The answer to a request that returns nothing but success or failure.
    StatusResponse {
        required {
            /// What became of the request.
            status: StatusCode = STATUS;
        }
        optional {
            /// For people.
            explanation: Text = EXPLANATION;
        }
    }

    /// The sender is about to close the connection, and says why.
    Disconnect {
        required {
            /// Why.
            reason: DisconnectReason = DISCONNECT_REASON;
        }
        optional {
            /// How long to wait before the next attempt, in seconds.
            retry_after_seconds: u32 = RETRY_AFTER;
            /// For people.
            explanation: Text = EXPLANATION;
        }
    }
}

/// What became of a subscription, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeOutcome {
    /// The summary.
    pub status: SubscribeStatus,
    /// What is subscribed now.
    pub accepted: Services,
    /// What was asked for and is not offered.
    pub rejected: Services,
}

impl SubscribeOutcome {
    /// The answer of a controller that offers `offered` to a request for `wanted`.
    #[must_use]
    pub fn of(wanted: Services, offered: Services) -> Self {
        let (accepted, rejected) = (wanted & offered, wanted.without(offered));
        let status = match (accepted.is_empty(), rejected.is_empty()) {
            (_, true) => SubscribeStatus::ACCEPTED,
            (false, false) => SubscribeStatus::PARTLY_ACCEPTED,
            (true, false) => SubscribeStatus::REJECTED,
        };
        Self {
            status,
            accepted,
            rejected,
        }
    }
}

impl From<Services> for ServiceSubscribeRequest {
    /// These services from every access point, as often as the controller likes.
    fn from(services: Services) -> Self {
        Self {
            services,
            ..Self::default()
        }
    }
}

impl From<SubscribeOutcome> for ServiceSubscribeResponse {
    fn from(outcome: SubscribeOutcome) -> Self {
        Self {
            status: outcome.status,
            accepted: outcome.accepted,
            rejected: Some(outcome.rejected),
            ..Self::default()
        }
    }
}

impl From<&ServiceSubscribeResponse> for SubscribeOutcome {
    /// Nothing is rejected if the element is absent.
    fn from(response: &ServiceSubscribeResponse) -> Self {
        Self {
            status: response.status,
            accepted: response.accepted,
            rejected: response.rejected.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_is_offered_and_lists_the_rest() {
        let offered = Services::MEASUREMENTS;
        let outcome = SubscribeOutcome::of(Services::RSSI_MS | Services::WIPS, offered);
        assert_eq!(outcome.status, SubscribeStatus::PARTLY_ACCEPTED);
        assert_eq!(
            (outcome.accepted, outcome.rejected),
            (Services::RSSI_MS, Services::WIPS)
        );
        assert_eq!(
            SubscribeOutcome::of(Services::WIPS, offered).status,
            SubscribeStatus::REJECTED
        );
        assert_eq!(
            SubscribeOutcome::of(Services::NONE, offered).status,
            SubscribeStatus::ACCEPTED
        );
    }
}
