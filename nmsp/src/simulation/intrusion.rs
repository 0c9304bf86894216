//! Attacks, and the alarms about them.

use pki_common::MacAddr;

use super::device::Role;
use super::world::Simulation;
use crate::wire::elements::{HeardBy, IdsAlarm};
use crate::wire::message::Timestamp;
use crate::wire::numbers::{AlarmState, AttackType, RogueClass, Severity};

/// A rogue client attacks this often, in milliseconds.
const ATTACK_EVERY: u64 = 45_000;
/// And for so long.
const ATTACK_LASTS: u64 = 15_000;

/// The alarms that are raised.
#[derive(Debug, Clone, Default)]
pub(super) struct Intrusions {
    next_alarm: u32,
    raised: Vec<IdsAlarm>,
}

impl Simulation {
    /// The alarms that were raised or are over since the last call. A rogue access point that is malicious offers our SSID;
    /// its clients send deauthentications for a quarter of each minute or so. Asking once a second is enough.
    pub fn alarms(&mut self, now: Timestamp) -> Vec<IdsAlarm> {
        let mut news = Vec::new();
        let running = now.0.saturating_sub(self.started.0);
        for index in 0..self.devices.len() {
            let Some(device) = self.devices.get(index) else {
                break;
            };
            let (attack, attacker, victim, active) = match &device.role {
                Role::RogueAccessPoint { class, .. } => (
                    AttackType::HONEYPOT,
                    device.mac,
                    MacAddr::new([0xff; 6]),
                    *class == RogueClass::MALICIOUS,
                ),
                Role::RogueClient { .. } => (
                    AttackType::DEAUTHENTICATION_FLOOD,
                    device.mac,
                    MacAddr::new([0xff; 6]),
                    // They take turns.
                    (running + u64::from(device.number) * 7_000) % ATTACK_EVERY < ATTACK_LASTS,
                ),
                _ => continue,
            };
            let known = self
                .intrusions
                .raised
                .iter()
                .position(|alarm| alarm.attacker == attacker && alarm.attack == attack);
            match (known, active) {
                (None, true) => news.extend(self.raise(index, attack, victim, now)),
                (Some(known), false) => {
                    let mut alarm = self.intrusions.raised.swap_remove(known);
                    alarm.state = AlarmState::CLEARED;
                    alarm.last_heard = now;
                    alarm.frames = alarm.frames.saturating_mul(10);
                    news.push(alarm);
                }
                _ => {}
            }
        }
        news
    }

    /// The alarms that are raised now.
    #[must_use]
    pub fn raised_alarms(&self) -> &[IdsAlarm] {
        &self.intrusions.raised
    }

    /// `None` while nobody hears the attacker.
    fn raise(
        &mut self,
        device: usize,
        attack: AttackType,
        victim: MacAddr,
        now: Timestamp,
    ) -> Option<IdsAlarm> {
        let readings = &self.measurements.get(device)?.access_points;
        let strongest = readings.iter().max_by_key(|reading| reading.rssi_dbm)?;
        self.intrusions.next_alarm += 1;
        let honeypot = attack == AttackType::HONEYPOT;
        let alarm = IdsAlarm {
            alarm: self.intrusions.next_alarm,
            attack,
            severity: if honeypot {
                Severity::CRITICAL
            } else {
                Severity::MAJOR
            },
            state: AlarmState::RAISED,
            attacker: self.devices.get(device)?.mac,
            victim,
            band: strongest.band,
            channel: strongest.channel,
            frames: 64,
            first_heard: now,
            last_heard: now,
            ssid: honeypot.then(|| "corporate".into()),
            heard_by: Some(HeardBy {
                readings: readings.clone(),
            }),
            ..IdsAlarm::default()
        };
        self.intrusions.raised.push(alarm.clone());
        Some(alarm)
    }
}
