//! What has been received so far: the source of every view and of the summary.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use pki_common::MacAddr;

use crate::proto::MessageFrame;
use crate::simulation::{AccessPoint, FloorPlan, Locator, Position};
use crate::wire::elements::{AccessPointInformation, ClientInformation, Location};
use crate::wire::message::{AccessPointReading, StationMeasurementRef, Timestamp};
use crate::wire::numbers::{LocationSubject, StationClass, StationState};
use crate::wire::{MessageType, OwnedMessage, Text};

/// How many stations are kept; more are counted in their messages only. More than a controller has.
const MAX_STATIONS: usize = 65_536;
/// How many access points are kept.
const MAX_ACCESS_POINTS: usize = 16_384;
/// A station that was not heard for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
/// How many stations are located at a time, so that a redraw stays short.
const LOCATED_AT_ONCE: usize = 200;
/// What is left free around access points whose floor nobody described, in metres.
const MARGIN_METRES: f64 = 10.0;

/// One kind of message from one controller.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) received: u64,
    pub(super) bytes: u64,
    /// Per second, over the last whole second.
    pub(super) rate: f64,
    counted: u64,
}

/// What one controller sent.
#[derive(Debug, Default, Clone)]
pub(super) struct Received {
    pub(super) messages: BTreeMap<MessageType, Tally>,
    /// Sequence numbers that were skipped: notifications that the controller dropped.
    pub(super) lost: u64,
    /// The sequence numbers went backwards: another connection began, or messages were reordered.
    pub(super) restarts: u64,
    pub(super) last_sequence: Option<u32>,
    pub(super) measurements: u64,
}

impl Received {
    fn count(&mut self, message: MessageType, sequence: u32, bytes: usize) {
        let tally = self.messages.entry(message).or_default();
        tally.received += 1;
        tally.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        if let Some(last) = self.last_sequence {
            let step = sequence.wrapping_sub(last);
            // Half of all numbers lie ahead, half behind.
            if step == 0 || step > u32::MAX / 2 {
                self.restarts += 1;
            } else {
                self.lost += u64::from(step - 1);
            }
        }
        self.last_sequence = Some(sequence);
    }

    /// A new connection has a new sequence.
    pub(super) fn connected(&mut self) {
        self.last_sequence = None;
    }

    pub(super) fn notifications(&self) -> u64 {
        self.messages.values().map(|tally| tally.received).sum()
    }

    pub(super) fn rate(&self) -> f64 {
        self.messages.values().map(|tally| tally.rate).sum()
    }
}

/// A station as last heard of.
#[derive(Debug, Clone)]
pub(super) struct Station {
    pub(super) class: StationClass,
    pub(super) state: Option<StationState>,
    pub(super) timestamp: Timestamp,
    pub(super) heard_at: Instant,
    pub(super) readings: Vec<AccessPointReading>,
    pub(super) user: Option<Text>,
    pub(super) ssid: Option<Text>,
    /// Where it is on the floor, once access points with known places heard it.
    pub(super) place: Option<Position>,
    moved: bool,
}

impl Station {
    pub(super) fn strongest(&self) -> Option<&AccessPointReading> {
        self.readings.iter().max_by_key(|reading| reading.rssi_dbm)
    }
}

/// An access point as the controller describes it.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownAccessPoint {
    pub(super) name: Option<Text>,
    place: Option<Position>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) controllers: Vec<Received>,
    pub(super) stations: HashMap<MacAddr, Station>,
    pub(super) access_points: HashMap<MacAddr, KnownAccessPoint>,
    locator: Option<Locator>,
    /// A floor file says where access points are, so what controllers say about it is not asked.
    fixed: bool,
    places_changed: bool,
    rated_at: Instant,
}

impl Picture {
    pub(super) fn new(controllers: usize, plan: Option<FloorPlan>, now: Instant) -> Self {
        let mut access_points = HashMap::new();
        for access_point in plan.iter().flat_map(|plan| &plan.access_points) {
            let known = KnownAccessPoint {
                name: Some(access_point.name.as_str().into()),
                place: Some(access_point.position),
            };
            access_points.insert(access_point.mac, known);
        }
        Self {
            controllers: vec![Received::default(); controllers],
            stations: HashMap::new(),
            access_points,
            fixed: plan.is_some(),
            locator: plan.map(Locator::new),
            places_changed: false,
            rated_at: now,
        }
    }

    /// The floor, if it is known.
    #[cfg(feature = "tui")]
    pub(super) fn floor(&self) -> Option<&FloorPlan> {
        self.locator.as_ref().map(Locator::plan)
    }

    pub(super) fn lost(&self) -> u64 {
        self.controllers.iter().map(|received| received.lost).sum()
    }

    /// Takes a notification in. `facts` is whether anybody looks at more than measurements and counts.
    pub(super) fn notification(
        &mut self,
        controller: usize,
        frame: &MessageFrame,
        facts: bool,
        now: Instant,
    ) {
        let Some(message) = frame.message_type() else {
            return;
        };
        let Some(received) = self.controllers.get_mut(controller) else {
            return;
        };
        received.count(message, frame.sequence(), frame.length());
        if let Some(measurement) = frame.measurement() {
            for station in measurement.stations() {
                received.measurements += 1;
                if facts {
                    observe(&mut self.stations, &station, now);
                }
            }
            return;
        }
        if !facts {
            return;
        }
        match frame.to_owned() {
            OwnedMessage::InformationNotification(body) => {
                for client in body.clients {
                    self.client(client);
                }
            }
            OwnedMessage::ApInfoNotification(body) => {
                for access_point in body.access_points {
                    self.access_point(access_point);
                }
            }
            OwnedMessage::LocationNotification(body) => {
                for location in &body.locations {
                    self.place(location);
                }
            }
            _ => {}
        }
    }

    fn client(&mut self, client: ClientInformation) {
        if let Some(station) = self.stations.get_mut(&client.station) {
            station.state = Some(client.state);
            station.ssid = client.association.and_then(|association| association.ssid);
            station.user = client.user_name.or(client.host_name);
        }
    }

    fn access_point(&mut self, access_point: AccessPointInformation) {
        if self.fixed || self.access_points.len() >= MAX_ACCESS_POINTS {
            return;
        }
        if let Some(location) = &access_point.location {
            self.place(location);
        }
        let known = self.access_points.entry(access_point.access_point).or_default();
        known.name = access_point.name;
    }

    fn place(&mut self, location: &Location) {
        let is_access_point = location.target.subject == LocationSubject::ACCESS_POINT;
        let room = self.access_points.len() < MAX_ACCESS_POINTS;
        let (true, false, true, Some(floor)) = (is_access_point, self.fixed, room, &location.floor_position)
        else {
            return;
        };
        let place = Position {
            x: f64::from(floor.x_cm) / 100.0,
            y: f64::from(floor.y_cm) / 100.0,
        };
        let known = self.access_points.entry(location.target.address).or_default();
        if known.place != Some(place) {
            known.place = Some(place);
            self.places_changed = true;
        }
    }

    /// Once in a while: rates, places, and what is to be forgotten.
    pub(super) fn settle(&mut self, now: Instant, locate: bool) {
        let seconds = now.saturating_duration_since(self.rated_at).as_secs_f64();
        if seconds >= 1.0 {
            self.rated_at = now;
            for tally in self
                .controllers
                .iter_mut()
                .flat_map(|each| each.messages.values_mut())
            {
                let new = u32::try_from(tally.received - tally.counted).unwrap_or(u32::MAX);
                tally.rate = f64::from(new) / seconds;
                tally.counted = tally.received;
            }
            self.stations
                .retain(|_, station| now.saturating_duration_since(station.heard_at) < FORGOTTEN_AFTER);
        }
        if !locate {
            return;
        }
        if core::mem::take(&mut self.places_changed) {
            self.locator = Some(Locator::new(learnt(&self.access_points)));
        }
        let Some(locator) = &self.locator else { return };
        let moved = self.stations.values_mut().filter(|station| station.moved);
        for station in moved.take(LOCATED_AT_ONCE) {
            station.moved = false;
            station.place = locator.locate(station.readings.iter().copied());
        }
    }
}

fn observe(stations: &mut HashMap<MacAddr, Station>, heard: &StationMeasurementRef<'_>, now: Instant) {
    let full = stations.len() >= MAX_STATIONS;
    if full && !stations.contains_key(&heard.station) {
        return;
    }
    let station = stations.entry(heard.station).or_insert_with(|| Station {
        class: heard.class,
        state: None,
        timestamp: heard.timestamp,
        heard_at: now,
        readings: Vec::new(),
        user: None,
        ssid: None,
        place: None,
        moved: true,
    });
    station.class = heard.class;
    station.timestamp = heard.timestamp;
    station.heard_at = now;
    station.moved = true;
    if let Some(state) = heard.state() {
        station.state = Some(state);
    }
    // The list keeps its room.
    station.readings.clear();
    station.readings.extend(heard.access_points());
}

/// A hall that the known access points fit into.
fn learnt(access_points: &HashMap<MacAddr, KnownAccessPoint>) -> FloorPlan {
    let mut plan = FloorPlan::hall(1.0, 1.0);
    for (mac, known) in access_points {
        let Some(position) = known.place else { continue };
        plan.width = plan.width.max(position.x + MARGIN_METRES);
        plan.depth = plan.depth.max(position.y + MARGIN_METRES);
        plan.access_points.push(AccessPoint {
            mac: *mac,
            name: known.name.as_ref().map(ToString::to_string).unwrap_or_default(),
            group: String::new(),
            position,
            radios: Vec::new(),
        });
    }
    plan
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two controllers, one of them out of reach, and a floor with a dozen of stations.
    #[cfg(feature = "tui")]
    pub(in crate::cli::connect) fn sample() -> (Picture, Vec<crate::cli::connect::source::Health>) {
        use crate::cli::connect::source::Health;
        use crate::client::fleet::ControllerState;
        use crate::simulation::{Population, Simulation};
        use pki_common::{Failure, Rung};

        let now = Instant::now();
        let population = Population {
            clients: 12,
            ..Population::default()
        };
        let mut floor = Simulation::new(FloorPlan::office(4), &population, 5, Timestamp(0)).unwrap();
        let mut picture = Picture::new(2, Some(floor.plan().clone()), now);
        for heard in floor.report(0..12, Timestamp(1000)) {
            let station = Station {
                class: heard.class,
                state: heard.state,
                timestamp: heard.timestamp,
                heard_at: now,
                readings: heard.access_points.clone(),
                user: None,
                ssid: None,
                place: None,
                moved: true,
            };
            picture.stations.insert(heard.station, station);
        }
        let received = picture.controllers.first_mut().unwrap();
        for sequence in [1, 2, 6] {
            received.count(MessageType::MeasurementNotification, sequence, 100);
        }
        picture.settle(now, true);
        let health = |controller: &str, state, last_error| Health {
            controller: controller.to_owned(),
            address: None,
            state,
            seconds: 3,
            reconnects: 0,
            last_error,
            clock: None,
            counters: Default::default(),
        };
        let refused = Failure::new(Rung::Tcp, "connection refused".to_owned(), "start the controller");
        let health = vec![
            health("wlc-1:16113", ControllerState::Up, None),
            health("wlc-2:16113", ControllerState::Waiting, Some(refused)),
        ];
        (picture, health)
    }

    #[test]
    fn a_skipped_sequence_number_is_a_loss_and_a_smaller_one_is_not() {
        let mut received = Received::default();
        for sequence in [1, 2, 5, 6] {
            received.count(MessageType::MeasurementNotification, sequence, 100);
        }
        assert_eq!(
            (received.lost, received.restarts, received.notifications()),
            (2, 0, 4)
        );
        received.count(MessageType::InformationNotification, 3, 100);
        assert_eq!((received.lost, received.restarts), (2, 1));
        received.connected();
        received.count(MessageType::InformationNotification, 1, 100);
        assert_eq!((received.lost, received.restarts), (2, 1));
        // The number after the greatest is 0.
        received.last_sequence = Some(u32::MAX);
        received.count(MessageType::InformationNotification, 0, 100);
        assert_eq!((received.lost, received.restarts), (2, 1));
    }
}
