//! Everything but measurements: facts, counters, places, spectrum, alarms. They go to the controller's store, which reports
//! them by the notification policy and answers requests from them.

use core::ops::Range;

use crate::server::{ServerHandle, StationUpdate};
use crate::simulation::{Change, Locator, Simulation, SwitchStack};
use crate::wire::message::Timestamp;
use crate::wire::message::bodies::{
    AccessPointNotification, AttachmentNotification, InformationNotification, LocationNotification,
    MonitorNotification, SpectrumNotification, StatisticsNotification,
};

/// How long one round of facts, counters and places over all devices takes, in milliseconds.
const ROUND: u64 = 30_000;
/// How often alarms are looked for, in milliseconds.
const ALARMS_EVERY: u64 = 1_000;
/// The same for the plugs of wired devices, in seconds.
const SECOND: f64 = 1.0;
/// How often spectrum, access points, switches and monitor reports are renewed, in milliseconds. A subscriber gets what is new from then
/// on, so this is also how long it may not know where access points are.
const NETWORK_EVERY: u64 = 4_000;

/// When what is due.
pub(super) struct Families {
    locator: Locator,
    /// The wired side.
    stack: SwitchStack,
    /// How far the round has come, as an index of devices, and when it began.
    next_device: usize,
    round_began: u64,
    next_alarms: u64,
    next_network: u64,
    updates: Vec<StationUpdate>,
    records: u64,
}

impl Families {
    pub(super) fn new(simulation: &Simulation, stack: SwitchStack) -> Self {
        Self {
            stack,
            locator: Locator::new(simulation.plan().clone()),
            next_device: 0,
            round_began: 0,
            next_alarms: 0,
            next_network: 0,
            updates: Vec::new(),
            records: 0,
        }
    }

    /// How many records were handed to the store.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Tells about everything once. Locations cost the most, they come with the first round.
    pub(super) fn introduce(
        &mut self,
        simulation: &mut Simulation,
        handle: &ServerHandle,
        now: Timestamp,
    ) -> Result<(), crate::Error> {
        self.round_began = now.0;
        let everybody = 0..simulation.devices().len();
        self.information(simulation.information(everybody.clone(), now));
        self.attachments(simulation.attachments(everybody));
        let places = simulation.access_point_locations(now).locations;
        self.updates
            .extend(places.into_iter().map(StationUpdate::Location));
        self.tick(simulation, handle, now)
    }

    /// What happened to devices that were just reported.
    pub(super) fn changes(
        &mut self,
        simulation: &Simulation,
        handle: &ServerHandle,
        now: Timestamp,
    ) -> Result<(), crate::Error> {
        for change in simulation.changes() {
            let device = match *change {
                Change::Joined { device }
                | Change::Left { device }
                | Change::Roamed { device, .. }
                | Change::Passed { device, .. } => device,
            };
            self.information(simulation.information(device..device + 1, now));
            self.attachments(simulation.attachments(device..device + 1));
            self.updates
                .extend(simulation.handover(*change, now).map(StationUpdate::Handover));
        }
        self.hand_over(handle)
    }

    /// What comes with time: the round over all devices, the network, alarms.
    pub(super) fn tick(
        &mut self,
        simulation: &mut Simulation,
        handle: &ServerHandle,
        now: Timestamp,
    ) -> Result<(), crate::Error> {
        let all = simulation.devices().len();
        let part = now.0.saturating_sub(self.round_began).min(ROUND);
        // The product is far below 2^64.
        let due = usize::try_from(part * u64::try_from(all).unwrap_or(0) / ROUND).unwrap_or(all);
        if due > self.next_device {
            self.devices(simulation, self.next_device..due, now);
            self.next_device = due;
        }
        if part >= ROUND {
            self.round_began = now.0;
            self.next_device = 0;
        }
        if now.0 >= self.next_alarms {
            let changed = self.stack.advance(SECOND, now);
            self.attachments(changed);
            self.next_alarms = now.0 + ALARMS_EVERY;
            let alarms = simulation.alarms(now);
            self.updates.extend(alarms.into_iter().map(StationUpdate::Alarm));
        }
        if now.0 >= self.next_network {
            self.next_network = now.0 + NETWORK_EVERY;
            self.wired(now);
            self.network(
                simulation.access_points(now),
                simulation.spectrum(now),
                simulation.monitor(now),
            );
        }
        self.hand_over(handle)
    }

    fn devices(&mut self, simulation: &Simulation, devices: Range<usize>, now: Timestamp) {
        self.information(simulation.information(devices.clone(), now));
        self.attachments(simulation.attachments(devices.clone()));
        self.statistics(simulation.statistics(devices.clone(), now));
        let LocationNotification { locations } = simulation.locations(devices, &self.locator);
        self.updates
            .extend(locations.into_iter().map(StationUpdate::Location));
    }

    /// Everything about the switches.
    fn wired(&mut self, now: Timestamp) {
        self.attachments(self.stack.attachments(0..self.stack.len(), now));
        let LocationNotification { locations } = self.stack.locations(now);
        self.updates
            .extend(locations.into_iter().map(StationUpdate::Location));
    }

    fn information(&mut self, information: InformationNotification) {
        let updates = &mut self.updates;
        updates.extend(information.clients.into_iter().map(StationUpdate::Client));
        updates.extend(information.tags.into_iter().map(StationUpdate::Tag));
        let rogues = information.rogue_access_points.into_iter();
        updates.extend(rogues.map(StationUpdate::RogueAccessPoint));
        updates.extend(
            information
                .rogue_clients
                .into_iter()
                .map(StationUpdate::RogueClient),
        );
        updates.extend(information.handovers.into_iter().map(StationUpdate::Handover));
    }

    fn statistics(&mut self, statistics: StatisticsNotification) {
        let updates = &mut self.updates;
        updates.extend(
            statistics
                .clients
                .into_iter()
                .map(StationUpdate::ClientStatistics),
        );
        updates.extend(statistics.tags.into_iter().map(StationUpdate::TagStatistics));
        updates.extend(statistics.rogues.into_iter().map(StationUpdate::RogueStatistics));
    }

    fn attachments(&mut self, AttachmentNotification { attachments }: AttachmentNotification) {
        self.updates
            .extend(attachments.into_iter().map(StationUpdate::Attachment));
    }

    fn network(
        &mut self,
        AccessPointNotification { access_points }: AccessPointNotification,
        spectrum: SpectrumNotification,
        MonitorNotification { reports }: MonitorNotification,
    ) {
        let updates = &mut self.updates;
        updates.extend(access_points.into_iter().map(StationUpdate::AccessPoint));
        updates.extend(spectrum.interferers.into_iter().map(StationUpdate::Interferer));
        updates.extend(spectrum.air_quality.into_iter().map(StationUpdate::AirQuality));
        updates.extend(
            spectrum
                .aggregates
                .into_iter()
                .map(StationUpdate::AggregateInterference),
        );
        updates.extend(reports.into_iter().map(StationUpdate::MonitorReport));
    }

    fn hand_over(&mut self, handle: &ServerHandle) -> Result<(), crate::Error> {
        if self.updates.is_empty() {
            return Ok(());
        }
        self.records += u64::try_from(self.updates.len()).unwrap_or(u64::MAX);
        let outcome = handle.store().update_all(&self.updates);
        self.updates.clear();
        outcome
    }
}
