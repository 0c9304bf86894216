//! What one location server wants, over all ways to say so.

use std::collections::HashSet;
use std::time::SystemTime;

use crate::proto::Subscription;
use crate::proto::policy::{NotificationPolicy, NotificationRule};
use crate::server::store::{RecordKey, RecordKind, target_key};
use crate::wire::message::bodies::{LocationSubscribe, LocationUnsubscribe};
use crate::wire::numbers::LocationCapabilities;
use crate::wire::{Service, Services, Text};

/// How many things a location server may take out of a subscription of all locations. Who wants few of many names those.
const MAX_EXCEPTIONS: usize = 512;

/// Location Notifications that were asked for with a Location Subscribe.
#[derive(Clone, Debug, Default)]
struct Locations {
    request: LocationSubscribe,
    /// Of these only; of all if there is none.
    targets: HashSet<RecordKey>,
    /// Not of these.
    except: HashSet<RecordKey>,
}

/// Everything that decides what one subscriber gets.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Terms {
    pub(in crate::server) subscription: Subscription,
    pub(in crate::server) since: Option<SystemTime>,
    locations: Option<Locations>,
    monitor: bool,
}

impl Terms {
    /// The services in force: those subscribed, and those of the other subscriptions.
    pub(in crate::server) fn services(&self) -> Services {
        let mut services = self.subscription.services;
        if self.locations.is_some() {
            services = services | Services::LOCATION;
        }
        if self.monitor {
            services = services | Services::AP_MONITOR;
        }
        services
    }

    pub(in crate::server) fn set_monitor(&mut self, wanted: bool) {
        self.monitor = wanted;
    }

    pub(in crate::server) fn subscribe_locations(&mut self, request: LocationSubscribe) {
        self.locations = Some(Locations {
            targets: request.targets.iter().map(target_key).collect(),
            request,
            except: HashSet::new(),
        });
    }

    /// Returns whether there is room for it.
    pub(in crate::server) fn unsubscribe_locations(&mut self, request: &LocationUnsubscribe) -> bool {
        let Some(locations) = self.locations.as_mut().filter(|_| !request.targets.is_empty()) else {
            self.locations = None;
            return true;
        };
        let unwanted = request.targets.iter().map(target_key);
        if locations.targets.is_empty() {
            if locations.except.len() + request.targets.len() > MAX_EXCEPTIONS {
                return false;
            }
            locations.except.extend(unwanted);
        } else {
            unwanted.for_each(|target| {
                locations.targets.remove(&target);
            });
            if locations.targets.is_empty() {
                self.locations = None;
            }
        }
        true
    }

    /// The rule for a kind of record; `None` for what is reported at once, or is not subscribed.
    pub(super) fn rule(&self, kind: RecordKind, policy: &NotificationPolicy) -> Option<NotificationRule> {
        let service = kind.ruling_service(self.services())?;
        let own = self.locations.as_ref().filter(|_| kind == RecordKind::Location);
        let parameters = match own.and_then(|locations| locations.request.parameters.as_ref()) {
            Some(parameters) => core::slice::from_ref(parameters),
            None => &self.subscription.parameters,
        };
        Some(policy.rule_for(kind.class()?, service, parameters))
    }

    /// Only what access points of these groups hear; all if there is none.
    pub(super) fn groups(&self, kind: RecordKind) -> &[Text] {
        match &self.locations {
            Some(locations) if kind == RecordKind::Location => &locations.request.access_point_groups,
            _ => &self.subscription.access_point_groups,
        }
    }

    /// The forms of location that it can use; all if it does not say.
    pub(super) fn forms(&self, kind: RecordKind) -> Option<LocationCapabilities> {
        let locations = self.locations.as_ref().filter(|_| kind == RecordKind::Location)?;
        locations.request.capabilities
    }

    /// Whether every record of a kind is wanted, as it is.
    pub(super) fn takes_all(&self, kind: RecordKind) -> bool {
        match kind {
            RecordKind::ClientMeasurement => self.subscription.services.contains(Service::RssiMs),
            RecordKind::Location => self.locations.is_none(),
            _ => true,
        }
    }

    /// Whether a station that is associated, or is not, is wanted.
    pub(super) fn includes_state(&self, kind: RecordKind, associated: bool) -> bool {
        associated || kind != RecordKind::ClientMeasurement || self.takes_all(kind)
    }

    /// Whether a record about this is wanted.
    pub(super) fn includes_key(&self, kind: RecordKind, key: RecordKey) -> bool {
        match &self.locations {
            Some(locations) if kind == RecordKind::Location => {
                (locations.targets.is_empty() || locations.targets.contains(&key))
                    && !locations.except.contains(&key)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::elements::LocationTarget;
    use crate::wire::numbers::LocationSubject;
    use pki_common::MacAddr;

    fn target(last: u8) -> LocationTarget {
        LocationTarget {
            subject: LocationSubject::STATION,
            address: MacAddr::from([0, 0, 0, 0, 0, last]),
            port: None,
        }
    }

    fn wanted(terms: &Terms) -> Vec<u8> {
        let includes = |last: &u8| {
            terms.services().contains(Service::Location)
                && terms.includes_key(RecordKind::Location, target_key(&target(*last)))
        };
        (1..=3).filter(includes).collect()
    }

    #[test]
    fn locations_are_subscribed_by_name_or_all_and_ended_likewise() {
        let subscribe = |names: &[u8]| LocationSubscribe {
            targets: names.iter().map(|last| target(*last)).collect(),
            ..LocationSubscribe::default()
        };
        let unsubscribe = |names: &[u8]| LocationUnsubscribe {
            targets: names.iter().map(|last| target(*last)).collect(),
        };
        let mut terms = Terms::default();
        assert!(wanted(&terms).is_empty());
        for (all, rest) in [(&[][..], [1, 3]), (&[1, 2, 3][..], [1, 3])] {
            terms.subscribe_locations(subscribe(all));
            assert_eq!(wanted(&terms), [1, 2, 3]);
            assert!(terms.unsubscribe_locations(&unsubscribe(&[2])));
            assert_eq!(wanted(&terms), rest);
            assert!(terms.unsubscribe_locations(&unsubscribe(&[])));
            assert!(wanted(&terms).is_empty());
        }
        terms.subscribe_locations(subscribe(&[1]));
        assert!(terms.unsubscribe_locations(&unsubscribe(&[1])));
        assert!(
            wanted(&terms).is_empty(),
            "nothing is left of it, which is not all"
        );
    }

    #[test]
    fn exceptions_from_all_locations_are_bounded() {
        let mut terms = Terms::default();
        terms.subscribe_locations(LocationSubscribe::default());
        let many = LocationUnsubscribe {
            targets: vec![target(1); MAX_EXCEPTIONS + 1],
        };
        assert!(!terms.unsubscribe_locations(&many));
        assert_eq!(wanted(&terms), [1, 2, 3]);
    }
}
