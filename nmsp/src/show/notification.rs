//! `show nmsp notification interval`.

use super::state::State;
use super::{heading, line};

/// The words of the controllers for the classes that they print; others keep the name of the configuration file.
const PRINTED: &[(&str, &str)] = &[
    ("clients", "Client"),
    ("rfid-tags", "RFID"),
    ("rogue-aps", "Rogue AP"),
    ("rogue-clients", "Rogue Client"),
    ("spectrum", "Spectrum"),
    ("handover", "Handover Client"),
];

/// The classes that stand by themselves after the block of signal strengths.
const ALONE: &[(&str, &str)] = &[("attachment", "Attachment"), ("location", "Location")];

/// `show nmsp notification interval`: how often each class is notified. The thresholds below are ours; the controllers
/// have them in their configuration.
#[must_use]
pub fn notification_interval(state: &State) -> String {
    let mut out = String::new();
    heading(&mut out, "NMSP Notification Intervals");
    out.push('\n');
    line(&mut out, format_args!("RSSI Interval:"));
    for rule in &state.notification {
        if word(ALONE, &rule.class).is_none() {
            let name = word(PRINTED, &rule.class).unwrap_or(&rule.class);
            line(
                &mut out,
                format_args!(" {name:<25}: {} sec", rule.interval_seconds),
            );
        }
    }
    for rule in &state.notification {
        if let Some(name) = word(ALONE, &rule.class) {
            line(
                &mut out,
                format_args!(
                    "{:<26}: {} sec",
                    format!("{name} Interval"),
                    rule.interval_seconds
                ),
            );
        }
    }
    out.push('\n');
    line(&mut out, format_args!("RSSI Threshold:"));
    for rule in &state.notification {
        if word(ALONE, &rule.class).is_none() {
            let name = word(PRINTED, &rule.class).unwrap_or(&rule.class);
            line(
                &mut out,
                format_args!(" {name:<25}: {} dB", rule.rssi_threshold_db),
            );
        }
    }
    out
}

fn word(words: &[(&str, &'static str)], class: &str) -> Option<&'static str> {
    let found = words.iter().find(|(name, _)| *name == class);
    found.map(|(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn prints_the_intervals_of_the_controllers_and_the_thresholds_after_them() {
        assert_eq!(
            notification_interval(&sample::state()),
            "\
NMSP Notification Intervals
---------------------------

RSSI Interval:
 Client                   : 2 sec
 RFID                     : 50 sec
 Rogue AP                 : 2 sec
 Rogue Client             : 2 sec
 Spectrum                 : 2 sec
Attachment Interval       : 30 sec
Location Interval         : 30 sec

RSSI Threshold:
 Client                   : 3 dB
 RFID                     : 0 dB
 Rogue AP                 : 0 dB
 Rogue Client             : 0 dB
 Spectrum                 : 0 dB
"
        );
    }
}
