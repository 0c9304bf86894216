//! What is subscribed.

use crate::wire::Services;
use crate::wire::elements::ServiceParameters;
use crate::wire::message::{ServiceSubscribeRequest, ServiceSubscribeResponse};
use crate::wire::numbers::SubscribeStatus;
use crate::wire::{Text, message::SubscribeOutcome};

/// What one location server has subscribed at one controller; both sides hold the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Subscription {
    /// The services.
    pub services: Services,
    /// Only what access points of these groups hear; of all of them if none is named.
    pub access_point_groups: Vec<Text>,
    /// How often and from which change on; the controller's own settings for what is not named.
    pub parameters: Vec<ServiceParameters>,
}

impl Subscription {
    /// What a controller that offers `offered` makes of a request: services that it does not offer are left out, groups are
    /// named once. The parameters have been checked.
    pub(super) fn grant(request: ServiceSubscribeRequest, offered: Services) -> (Self, SubscribeOutcome) {
        let outcome = SubscribeOutcome::of(request.services, offered);
        let mut granted = Self {
            services: outcome.accepted,
            access_point_groups: request.access_point_groups,
            parameters: request.parameters,
        };
        granted.access_point_groups.sort_unstable();
        granted.access_point_groups.dedup();
        granted.keep(outcome.accepted);
        (granted, outcome)
    }

    /// Ends whatever is not among these services.
    pub(super) fn keep(&mut self, services: Services) {
        self.services = self.services & services;
        for parameters in &mut self.parameters {
            parameters.services = parameters.services & self.services;
        }
        self.parameters
            .retain(|parameters| !parameters.services.is_empty());
        if self.services.is_empty() {
            self.access_point_groups.clear();
        }
    }

    /// The response that says what is in force.
    pub(super) fn response(&self, status: SubscribeStatus, rejected: Services) -> ServiceSubscribeResponse {
        ServiceSubscribeResponse {
            status,
            accepted: self.services,
            rejected: Some(rejected),
            explanation: None,
            access_point_groups: self.access_point_groups.clone(),
            parameters: self.parameters.clone(),
        }
    }
}

impl From<&ServiceSubscribeResponse> for Subscription {
    fn from(response: &ServiceSubscribeResponse) -> Self {
        Self {
            services: response.accepted,
            access_point_groups: response.access_point_groups.clone(),
            parameters: response.parameters.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(services: Services, interval_seconds: u16) -> ServiceParameters {
        ServiceParameters {
            services,
            interval_seconds,
            rssi_threshold_db: 3,
        }
    }

    #[test]
    fn grants_what_is_offered_and_names_each_group_once() {
        let request = ServiceSubscribeRequest {
            services: Services::RSSI_MS | Services::WIPS,
            access_point_groups: vec!["north".into(), "east".into(), "north".into()],
            parameters: vec![
                parameters(Services::RSSI_MS | Services::WIPS, 180),
                parameters(Services::WIPS, 5),
            ],
        };
        let (granted, outcome) = Subscription::grant(request, Services::MEASUREMENTS);
        assert_eq!(outcome.status, SubscribeStatus::PARTLY_ACCEPTED);
        assert_eq!(granted.services, Services::RSSI_MS);
        assert_eq!(granted.access_point_groups, ["east".into(), "north".into()]);
        assert_eq!(granted.parameters, [parameters(Services::RSSI_MS, 180)]);
        let response = granted.response(outcome.status, outcome.rejected);
        assert_eq!(Subscription::from(&response), granted);
    }

    #[test]
    fn nothing_stays_of_a_subscription_without_services() {
        let request = ServiceSubscribeRequest {
            services: Services::RSSI_MS,
            access_point_groups: vec!["north".into()],
            parameters: vec![parameters(Services::RSSI_MS, 5)],
        };
        let (mut granted, _) = Subscription::grant(request, Services::MEASUREMENTS);
        granted.keep(Services::RSSI_RFID);
        assert_eq!(granted, Subscription::default());
    }
}
