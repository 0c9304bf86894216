//! Everything the controller knows about stations, tags, rogues, interference and access points, and what location
//! servers are told of it.
//!
//! Each record is kept in the form of the wire and encoded once, when it changes. Subscribers' queues hold places in the
//! store, not copies: what is sent is what the store has at that moment, so a slow subscriber gets the newest values, and
//! what waits for it costs a few bytes a record.
//!
//! Each kind has a table and a lock of its own. A notification holds one kind of record, so one message takes one lock once;
//! were the stations spread over locks, it would take one for each station.

mod groups;
mod kind;
mod record;
mod table;
mod update;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use pki_common::MacAddr;

pub use kind::RecordKind;
pub use table::RecordId;
pub use update::StationUpdate;

pub(super) use groups::AccessPointGroups;
pub(super) use table::{Put, RecordKey, Slot, Table, Touched};
pub(super) use update::target_key;

use super::Limits;
use super::subscriber::Subscriber;
use crate::error::Error;
use crate::proto::ConnectionConfig;
use crate::proto::policy::is_associated;
use crate::wire::elements::{AccessPointInformation, IdsParameters};
use crate::wire::message::{CommonMeasurements, Measurement, MeasurementNotification, StationMeasurementRef};
use crate::wire::numbers::{AccessPointEvent, AttackType};
use crate::wire::schema::ElementValue;
use crate::wire::tlv::Elements;
use crate::wire::{AccessPointReading, EncodeError, Text, WireProfile, Writer};

/// How many measurements are taken over under one lock, so that subscribers are not kept waiting by a large batch.
const OBSERVED_AT_ONCE: usize = 256;

/// Of how many attacks the store keeps the parameters. There are 14 with a name.
pub const MAX_ATTACKS: usize = 256;

/// The subscribers that a change is reported to, as the registry of connections has them.
pub(super) type Subscribers = Arc<ArcSwap<Vec<Arc<Subscriber>>>>;

/// The store of a controller. It belongs to a server ([`ServerHandle::store`](super::ServerHandle::store)); every method
/// can be called from any task or thread and does no I/O.
#[derive(Debug)]
pub struct StationStore {
    tables: Vec<RwLock<Table>>,
    groups: AccessPointGroups,
    ids_parameters: RwLock<BTreeMap<AttackType, IdsParameters>>,
    profile: Arc<WireProfile>,
    /// The longest record that still fits a message.
    longest_record: usize,
    subscribers: Subscribers,
}

/// Whether what is reported waits for the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// By the notification policy.
    ByPolicy,
    /// Now.
    AtOnce,
}

impl StationStore {
    /// A store that belongs to no server: nobody is told what changes.
    #[must_use]
    pub fn new(limits: &Limits, connection: &ConnectionConfig) -> Self {
        Self::reporting_to(Subscribers::default(), limits, connection)
    }

    /// A store that tells these subscribers what changes.
    pub(super) fn reporting_to(
        subscribers: Subscribers,
        limits: &Limits,
        connection: &ConnectionConfig,
    ) -> Self {
        let profile = Arc::clone(&connection.profile);
        let header = usize::from(profile.header().length);
        Self {
            tables: RecordKind::ALL
                .iter()
                .map(|_| RwLock::new(Table::new(limits.max_stations)))
                .collect(),
            groups: AccessPointGroups::default(),
            ids_parameters: RwLock::default(),
            longest_record: connection.max_message_length.saturating_sub(header),
            profile,
            subscribers,
        }
    }

    /// Takes over what access points heard, and reports it by the notification policy. A class of station without a name
    /// goes nowhere.
    ///
    /// # Errors
    /// If a measurement has too many readings for a message; those before it have been taken over.
    pub fn observe(&self, measurements: &[Measurement]) -> Result<(), Error> {
        self.take_over(measurements, Urgency::ByPolicy).map(drop)
    }

    /// Takes measurements over and tells subscribers; for how many of them something was queued, over all measurements.
    pub(super) fn take_over(&self, measurements: &[Measurement], urgency: Urgency) -> Result<usize, Error> {
        let mut queued = 0;
        let same_class = |a: &Measurement, b: &Measurement| a.class == b.class;
        let batches = measurements.chunks(OBSERVED_AT_ONCE);
        for batch in batches.flat_map(|some| some.chunk_by(same_class)) {
            if let Some(kind) = batch.first().and_then(|first| RecordKind::measuring(first.class)) {
                queued += self.take_over_batch(kind, batch, urgency)?;
            }
        }
        Ok(queued)
    }

    fn take_over_batch(
        &self,
        kind: RecordKind,
        batch: &[Measurement],
        urgency: Urgency,
    ) -> Result<usize, Error> {
        let mut touched = TouchedBatch::default();
        let mut outcome = Ok(());
        let common = CommonMeasurements::of(&self.profile);
        {
            let mut table = self.write(kind);
            for measurement in batch {
                let put = match self.put_measurement(&mut table, common, measurement) {
                    Ok(put) => put,
                    Err(error) => {
                        outcome = Err(error.into());
                        break;
                    }
                };
                if let Some(associated) = self.said_state(kind, put.is_new, measurement) {
                    put.slot.associated = associated;
                }
                touched.push(Touched {
                    id: put.id,
                    associated: put.slot.associated,
                });
            }
        }
        let queued = self.report(kind, touched.as_slice(), urgency);
        outcome.map(|()| queued)
    }

    #[inline]
    fn put_measurement<'t>(
        &self,
        table: &'t mut Table,
        common: Option<CommonMeasurements>,
        measurement: &Measurement,
    ) -> Result<Put<'t>, EncodeError> {
        let key = RecordKey::of(measurement.station);
        let limit = self.longest_record;
        match common.and_then(|common| common.element(measurement)) {
            Some(element) if element.length() <= limit => {
                Ok(table.put_in_place(key, element.length(), |place| element.fill(place)))
            }
            _ => table
                .put(key, &self.profile, limit, |writer| measurement.encode(writer))
                .map(|(put, _)| put),
        }
    }

    /// Whether a client is associated: by its measurement, or else, when it is seen first, by what was last said about it.
    #[inline]
    fn said_state(&self, kind: RecordKind, is_new: bool, measurement: &Measurement) -> Option<bool> {
        match measurement.state {
            Some(state) => Some(is_associated(state)),
            None if is_new && kind == RecordKind::ClientMeasurement => {
                let clients = self.read(RecordKind::ClientInformation);
                let known = clients.find(RecordKey::of(measurement.station));
                known.and_then(|id| clients.slot(id)).map(|slot| slot.associated)
            }
            None => None,
        }
    }

    /// Takes over the present state of something, and reports it by the notification policy if it has changed.
    ///
    /// # Errors
    /// If it does not fit the wire profile or a message; the store stays as it was.
    pub fn update(&self, update: &StationUpdate) -> Result<(), Error> {
        let kind = update.kind();
        let associated = match update {
            StationUpdate::Client(client) => is_associated(client.state),
            _ => true,
        };
        let (id, changed) = {
            let mut table = self.write(kind);
            let (put, changed) = table.put(update.key(), &self.profile, self.longest_record, |writer| {
                update.write(writer)
            })?;
            put.slot.associated = associated;
            (put.id, changed)
        };
        match update {
            StationUpdate::AccessPoint(access_point) => self.note_group(access_point),
            StationUpdate::Client(client) => self.note_association(client.station, associated),
            _ => {}
        }
        if changed {
            self.report(kind, &[Touched { id, associated }], Urgency::ByPolicy);
        }
        Ok(())
    }

    /// As [`update`](Self::update), one after the other.
    ///
    /// # Errors
    /// As [`update`](Self::update); those before it have been taken over.
    pub fn update_all(&self, updates: &[StationUpdate]) -> Result<(), Error> {
        updates.iter().try_for_each(|update| self.update(update))
    }

    /// An access point that left keeps its group: what it heard before is still asked for.
    fn note_group(&self, access_point: &AccessPointInformation) {
        if access_point.event != AccessPointEvent::LEFT || access_point.group.is_some() {
            self.groups
                .set(access_point.access_point, access_point.group.as_ref());
        }
    }

    fn note_association(&self, client: MacAddr, associated: bool) {
        let mut table = self.write(RecordKind::ClientMeasurement);
        if let Some(id) = table.find(RecordKey::of(client))
            && let Some(slot) = table.slot_mut(id)
        {
            slot.associated = associated;
        }
    }

    /// Puts an access point into a group without saying anything else about it.
    pub fn set_access_point_group(&self, access_point: MacAddr, group: Option<&Text>) {
        self.groups.set(access_point, group);
    }

    /// The access points of a group, in the order of their addresses.
    #[must_use]
    pub fn access_points_of_group(&self, group: &Text) -> Vec<MacAddr> {
        self.groups.members(group)
    }

    /// Forgets everything about an address: a station that left, an access point that is gone. Returns how many records
    /// there were. Nothing is reported.
    pub fn remove(&self, address: MacAddr) -> usize {
        RecordKind::ALL
            .iter()
            .map(|kind| self.write(*kind).remove_address(address))
            .sum()
    }

    /// Forgets what access points heard of a station in one class: it left, or is another kind of station now. Returns
    /// whether there was something.
    pub fn remove_record(&self, kind: RecordKind, address: MacAddr) -> bool {
        self.write(kind).remove_address(address) > 0
    }

    /// How many records there are, of every kind.
    #[must_use]
    pub fn len(&self) -> usize {
        RecordKind::ALL.iter().map(|kind| self.len_of(*kind)).sum()
    }

    /// How many records of a kind there are.
    #[must_use]
    pub fn len_of(&self, kind: RecordKind) -> usize {
        self.read(kind).len()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many records went because their table was full
    /// ([`Limits::max_stations`](super::Limits::max_stations)).
    #[must_use]
    pub fn evicted(&self) -> u64 {
        RecordKind::ALL
            .iter()
            .map(|kind| self.read(*kind).evicted())
            .sum()
    }

    /// Where the records of a kind are, the one that has not changed for longest first.
    #[must_use]
    pub fn ids(&self, kind: RecordKind) -> Vec<RecordId> {
        self.read(kind).ids().collect()
    }

    /// Appends records in the form of the wire, as a notification carries them; what is no longer there is left out.
    pub fn write_records(&self, kind: RecordKind, ids: &[RecordId], writer: &mut Writer<'_>) {
        let table = self.read(kind);
        let out = writer.buffer();
        ids.iter()
            .filter_map(|id| table.slot(*id))
            .for_each(|slot| slot.element.append_to(out));
    }

    /// Tells the subscribers of a kind what changed; for how many something was queued, over all records.
    fn report(&self, kind: RecordKind, touched: &[Touched], urgency: Urgency) -> usize {
        if touched.is_empty() {
            return 0;
        }
        let wanted = kind.service_set();
        let subscribers = self.subscribers.load();
        subscribers
            .iter()
            .filter(|subscriber| !(subscriber.services() & wanted).is_empty())
            .map(|subscriber| subscriber.push(kind, touched, urgency, self))
            .sum()
    }

    /// Whether access points of these groups hear what a record is about.
    pub(super) fn concerns_groups(&self, kind: RecordKind, id: RecordId, groups: &[Text]) -> bool {
        let Some(key) = self.read(kind).slot(id).map(|slot| slot.key) else {
            return false;
        };
        match kind {
            RecordKind::AccessPoint | RecordKind::AirQuality | RecordKind::AggregateInterference => {
                self.groups.contain(groups, key.address)
            }
            _ => measurements_of(kind)
                .iter()
                .any(|measurement| self.is_heard_by(*measurement, key.address, groups)),
        }
    }

    fn is_heard_by(&self, measurement: RecordKind, station: MacAddr, groups: &[Text]) -> bool {
        let table = self.read(measurement);
        let slot = table.find(RecordKey::of(station)).and_then(|id| table.slot(id));
        slot.is_some_and(|slot| self.groups.hear(groups, self.readings(slot)))
    }

    pub(super) fn groups(&self) -> &AccessPointGroups {
        &self.groups
    }

    /// The readings of a measurement, in the form of the wire.
    pub(super) fn readings<'a>(&'a self, slot: &'a Slot) -> &'a [[u8; AccessPointReading::LENGTH]] {
        self.station(slot)
            .map(|station| station.encoded_readings())
            .unwrap_or_default()
    }

    /// A measurement as the wire has it.
    pub(super) fn station<'a>(&'a self, slot: &'a Slot) -> Option<StationMeasurementRef<'a>> {
        MeasurementNotification::checked(&slot.element, 0, &self.profile)
            .stations()
            .next()
    }

    /// The value of a record.
    pub(super) fn decode<T: ElementValue>(&self, slot: &Slot) -> Option<T> {
        let elements = Elements::checked(&slot.element, 0, &self.profile);
        let (meaning, tlv) = elements.iter().next()?;
        T::read_value(tlv.reader(&self.profile), &self.profile, meaning?.name()).ok()
    }

    /// How attacks are recognised, by attack.
    #[must_use]
    pub fn ids_parameters(&self) -> Vec<IdsParameters> {
        let known = self.ids_parameters.read().unwrap_or_else(PoisonError::into_inner);
        known.values().cloned().collect()
    }

    /// Says how these attacks are recognised; others stay as they are. IDS Get Requests are answered with it. Parameters of
    /// more attacks than [`MAX_ATTACKS`] are not taken.
    pub fn set_ids_parameters(&self, parameters: &[IdsParameters]) {
        let mut known = self
            .ids_parameters
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for each in parameters {
            if known.len() < MAX_ATTACKS || known.contains_key(&each.attack) {
                known.insert(each.attack, each.clone());
            }
        }
    }

    pub(super) fn profile(&self) -> &Arc<WireProfile> {
        &self.profile
    }

    /// The longest body that still fits a message.
    pub(super) const fn longest_body(&self) -> usize {
        self.longest_record
    }

    pub(super) fn read(&self, kind: RecordKind) -> RwLockReadGuard<'_, Table> {
        self.table(kind).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, kind: RecordKind) -> RwLockWriteGuard<'_, Table> {
        self.table(kind).write().unwrap_or_else(PoisonError::into_inner)
    }

    fn table(&self, kind: RecordKind) -> &RwLock<Table> {
        self.tables
            .get(kind.position())
            .expect("there is a table for every kind")
    }
}

/// What was touched by one batch, without an allocation.
#[derive(Debug)]
struct TouchedBatch {
    touched: [Touched; OBSERVED_AT_ONCE],
    length: usize,
}

impl Default for TouchedBatch {
    fn default() -> Self {
        let id = RecordId {
            slot: u32::MAX,
            generation: 0,
        };
        let nothing = Touched {
            id,
            associated: false,
        };
        Self {
            touched: [nothing; OBSERVED_AT_ONCE],
            length: 0,
        }
    }
}

impl TouchedBatch {
    fn push(&mut self, touched: Touched) {
        if let Some(place) = self.touched.get_mut(self.length) {
            *place = touched;
            self.length += 1;
        }
    }

    fn as_slice(&self) -> &[Touched] {
        self.touched.get(..self.length).unwrap_or_default()
    }
}

/// Where it is written who hears the things of a kind.
const fn measurements_of(kind: RecordKind) -> &'static [RecordKind] {
    use RecordKind as Kind;
    match kind {
        Kind::ClientMeasurement | Kind::ClientInformation | Kind::ClientStatistics => {
            &[Kind::ClientMeasurement]
        }
        Kind::TagMeasurement | Kind::TagInformation | Kind::TagStatistics => &[Kind::TagMeasurement],
        Kind::RogueApMeasurement | Kind::RogueAccessPoint => &[Kind::RogueApMeasurement],
        Kind::RogueClientMeasurement | Kind::RogueClient => &[Kind::RogueClientMeasurement],
        Kind::RogueStatistics => &[Kind::RogueApMeasurement, Kind::RogueClientMeasurement],
        Kind::InterfererMeasurement | Kind::Interferer => &[Kind::InterfererMeasurement],
        Kind::HandoverMeasurement | Kind::Handover => &[Kind::HandoverMeasurement, Kind::ClientMeasurement],
        _ => &[
            Kind::ClientMeasurement,
            Kind::TagMeasurement,
            Kind::RogueApMeasurement,
            Kind::RogueClientMeasurement,
            Kind::HandoverMeasurement,
        ],
    }
}
