//! When a controller reports something again: the notification policy as the vendor's controllers have it.
//!
//! - An interval for each class: within it, however often a station is heard, a subscriber gets one notification with the
//!   newest values (`nmsp notification interval ...`, 1 to 180 s).
//! - A threshold for each class: a station whose signal strength moved by less since the last report to that subscriber is
//!   left out (`location notify-threshold ...`, in dB).
//! - For each subscriber: only what access points of some groups hear, and `rssi-ms-associated-only`.
//!
//! Nothing here knows the time or a connection: both are passed in.

mod class;
mod movement;
mod period;

use core::time::Duration;

pub use class::NotificationClass;
pub use movement::has_moved;
pub use period::NotificationPeriod;

use pki_common::{Diagnose, Failure, Rung};

use crate::wire::elements::ServiceParameters;
use crate::wire::{Service, StationState};

/// The shortest interval, in seconds (vendor: `nmsp notification interval`).
pub const MIN_INTERVAL_SECONDS: u16 = 1;

/// The longest interval, in seconds (vendor: `nmsp notification interval`).
pub const MAX_INTERVAL_SECONDS: u16 = 180;

/// The interval of the classes of stations, unless told otherwise: what the vendor's controllers print (recalled).
pub const DEFAULT_INTERVAL_SECONDS: u16 = 2;

/// The interval of attachment and location, unless told otherwise: what the vendor's controllers print (recalled).
pub const DEFAULT_SLOW_INTERVAL_SECONDS: u16 = 30;

/// The greatest threshold, in dB. A signal strength is between -128 and 127 dBm, so a greater one would silence a class.
pub const MAX_THRESHOLD_DB: u8 = 127;

/// How often one thing is reported, and from which change on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationRule {
    /// The time between two notifications about the same station, in seconds, 1 to 180.
    pub interval_seconds: u16,
    /// How far the signal strength must have moved since the last report, in dB, 0 to 127; 0 reports always.
    pub rssi_threshold_db: u8,
}

impl NotificationRule {
    /// The interval as a time.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_seconds.into())
    }
}

/// A value that a policy does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The interval is too short or too long.
    #[error(
        "an interval of {seconds} s for {subject}: {MIN_INTERVAL_SECONDS} to {MAX_INTERVAL_SECONDS} s are possible"
    )]
    Interval {
        /// The class or the services it was for.
        subject: String,
        /// What was asked for.
        seconds: u64,
    },
    /// The threshold is greater than any signal strength can move.
    #[error("a threshold of {decibels} dB for {subject}: 0 to {MAX_THRESHOLD_DB} dB are possible")]
    Threshold {
        /// The class or the services it was for.
        subject: String,
        /// What was asked for.
        decibels: u64,
    },
    /// Attachment and location have no signal strength.
    #[error("a threshold for {class}, which has no signal strength")]
    NoSignalStrength {
        /// The class.
        class: NotificationClass,
    },
}

impl Diagnose for PolicyError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Interval { .. } => "give an interval from 1 to 180 seconds",
            Self::Threshold { .. } => "give a threshold from 0 to 127 dB; 0 reports every change",
            Self::NoSignalStrength { .. } => {
                "leave the threshold of this class out, its interval is all there is"
            }
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

/// The rules of a controller, one for each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationPolicy {
    rules: [NotificationRule; NotificationClass::ALL.len()],
}

impl Default for NotificationPolicy {
    /// 2 s for stations, 30 s for attachment and location, no thresholds.
    fn default() -> Self {
        Self {
            rules: NotificationClass::ALL.map(|class| NotificationRule {
                interval_seconds: class.default_interval_seconds(),
                rssi_threshold_db: 0,
            }),
        }
    }
}

impl NotificationPolicy {
    /// The rule of a class.
    #[must_use]
    pub fn rule(&self, class: NotificationClass) -> NotificationRule {
        let rule = self.rules.get(class.position());
        rule.copied().unwrap_or(NotificationRule {
            interval_seconds: class.default_interval_seconds(),
            rssi_threshold_db: 0,
        })
    }

    /// Sets the interval of a class, 1 to 180 s.
    ///
    /// # Errors
    /// If it is out of range; nothing changes then.
    pub fn set_interval(&mut self, class: NotificationClass, seconds: u64) -> Result<(), PolicyError> {
        let seconds = checked_interval(class.name(), seconds)?;
        if let Some(rule) = self.rules.get_mut(class.position()) {
            rule.interval_seconds = seconds;
        }
        Ok(())
    }

    /// Sets the threshold of a class, 0 to 127 dB; 0 reports every change.
    ///
    /// # Errors
    /// If it is out of range, or the class has no signal strength; nothing changes then.
    pub fn set_threshold(&mut self, class: NotificationClass, decibels: u64) -> Result<(), PolicyError> {
        let decibels = checked_threshold(class.name(), decibels)?;
        if decibels > 0 && !class.has_signal_strength() {
            return Err(PolicyError::NoSignalStrength { class });
        }
        if let Some(rule) = self.rules.get_mut(class.position()) {
            rule.rssi_threshold_db = decibels;
        }
        Ok(())
    }

    /// The rule for a service of one subscriber: what its subscription says about that service, the class's own rule for
    /// what it leaves open. A later parameter wins over an earlier one. They were [checked](check_parameters).
    #[must_use]
    pub fn rule_for(
        &self,
        class: NotificationClass,
        service: Service,
        parameters: &[ServiceParameters],
    ) -> NotificationRule {
        let own = parameters
            .iter()
            .rev()
            .find(|each| each.services.contains(service));
        let mut rule = self.rule(class);
        if let Some(own) = own {
            if own.interval_seconds != 0 {
                rule.interval_seconds = own.interval_seconds;
            }
            if class.has_signal_strength() {
                rule.rssi_threshold_db = own.rssi_threshold_db;
            }
        }
        rule
    }
}

/// Whether a subscription's parameters are in range: 0 (the controller's own interval) or 1 to 180 s, 0 to 127 dB.
///
/// # Errors
/// If one is not.
pub fn check_parameters(parameters: &[ServiceParameters]) -> Result<(), PolicyError> {
    parameters.iter().try_for_each(|each| {
        let subject = each.services.to_string();
        if each.interval_seconds != 0 {
            checked_interval(&subject, each.interval_seconds.into())?;
        }
        checked_threshold(&subject, each.rssi_threshold_db.into()).map(drop)
    })
}

fn checked_interval(subject: &str, seconds: u64) -> Result<u16, PolicyError> {
    u16::try_from(seconds)
        .ok()
        .filter(|seconds| (MIN_INTERVAL_SECONDS..=MAX_INTERVAL_SECONDS).contains(seconds))
        .ok_or_else(|| PolicyError::Interval {
            subject: subject.to_owned(),
            seconds,
        })
}

fn checked_threshold(subject: &str, decibels: u64) -> Result<u8, PolicyError> {
    u8::try_from(decibels)
        .ok()
        .filter(|decibels| *decibels <= MAX_THRESHOLD_DB)
        .ok_or_else(|| PolicyError::Threshold {
            subject: subject.to_owned(),
            decibels,
        })
}

/// Whether `rssi-ms-associated-only` includes a station of this state: it is associated, and has not left.
#[must_use]
pub const fn is_associated(state: StationState) -> bool {
    matches!(
        state,
        StationState::ASSOCIATED
            | StationState::LAYER_2_AUTHENTICATION
            | StationState::ADDRESS_WANTED
            | StationState::WEB_AUTHENTICATION
            | StationState::RUNNING
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Services;
    use NotificationClass as Class;

    #[test]
    fn defaults_are_2_s_for_stations_and_30_s_for_attachment_and_location() {
        let policy = NotificationPolicy::default();
        for class in Class::ALL {
            let slow = matches!(class, Class::Attachment | Class::Location);
            let expected = NotificationRule {
                interval_seconds: if slow { 30 } else { 2 },
                rssi_threshold_db: 0,
            };
            assert_eq!(policy.rule(class), expected, "{class}");
        }
    }

    #[test]
    fn takes_intervals_from_1_to_180_s_and_names_the_range_for_others() {
        for (seconds, taken) in [(0, false), (1, true), (180, true), (181, false), (65_537, false)] {
            let mut policy = NotificationPolicy::default();
            let outcome = policy.set_interval(Class::RfidTag, seconds);
            assert_eq!(outcome.is_ok(), taken, "{seconds}");
            match outcome {
                Ok(()) => assert_eq!(u64::from(policy.rule(Class::RfidTag).interval_seconds), seconds),
                Err(error) => {
                    assert_eq!(policy, NotificationPolicy::default());
                    let text = error.to_string();
                    assert!(
                        text.contains("rfid-tags") && text.contains("1 to 180 s"),
                        "{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn takes_thresholds_up_to_127_db_for_classes_with_a_signal_strength() {
        let table = [
            (Class::Client, 0, true),
            (Class::Client, 127, true),
            (Class::Client, 128, false),
            (Class::Location, 0, true),
            (Class::Location, 5, false),
            (Class::Attachment, 1, false),
        ];
        for (class, decibels, taken) in table {
            let outcome = NotificationPolicy::default().set_threshold(class, decibels);
            assert_eq!(outcome.is_ok(), taken, "{class} {decibels}: {outcome:?}");
        }
    }

    fn parameters(services: Services, interval_seconds: u16, rssi_threshold_db: u8) -> ServiceParameters {
        ServiceParameters {
            services,
            interval_seconds,
            rssi_threshold_db,
        }
    }

    #[test]
    fn a_subscription_may_say_otherwise_for_its_own_services() {
        let policy = NotificationPolicy::default();
        let own = [
            parameters(Services::RSSI_MS | Services::LOCATION, 10, 3),
            parameters(Services::RSSI_MS, 20, 4),
            parameters(Services::RSSI_RFID, 0, 5),
        ];
        let table = [
            (Class::Client, Service::RssiMs, (20, 4)),
            (Class::Client, Service::InfoMs, (2, 0)),
            (Class::RfidTag, Service::RssiRfid, (2, 5)),
            (Class::Location, Service::Location, (10, 0)),
        ];
        for (class, service, (interval_seconds, rssi_threshold_db)) in table {
            let expected = NotificationRule {
                interval_seconds,
                rssi_threshold_db,
            };
            assert_eq!(policy.rule_for(class, service, &own), expected, "{service}");
        }
    }

    #[test]
    fn refuses_parameters_of_a_subscription_that_are_out_of_range() {
        let table = [(0, 0, true), (180, 127, true), (181, 0, false), (1, 128, false)];
        for (interval, threshold, good) in table {
            let outcome = check_parameters(&[parameters(Services::RSSI_MS, interval, threshold)]);
            assert_eq!(outcome.is_ok(), good, "{interval} {threshold}: {outcome:?}");
        }
    }

    #[test]
    fn associated_are_the_states_from_association_to_running() {
        let associated: Vec<u8> = (0..=10)
            .filter(|state| is_associated(StationState(*state)))
            .collect();
        assert_eq!(associated, [3, 4, 5, 6, 7]);
    }
}
