//! Records of one kind, in the form of the wire.

use std::collections::HashMap;

use bytes::BytesMut;
use pki_common::MacAddr;

use super::record::Record;
use crate::wire::{EncodeError, WireProfile, Writer};

/// What a record is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::server) struct RecordKey {
    /// The station, access point or other thing; all zero for an alarm.
    pub(in crate::server) address: MacAddr,
    /// What tells several records about the same address apart.
    pub(in crate::server) detail: u64,
}

impl RecordKey {
    pub(in crate::server) const fn of(address: MacAddr) -> Self {
        Self { address, detail: 0 }
    }
}

/// Where a record is. It stays valid until the record is removed; its place may be given to another one then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordId {
    pub(in crate::server) slot: u32,
    pub(in crate::server) generation: u32,
}

/// A record that has just changed.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Touched {
    pub(in crate::server) id: RecordId,
    /// For `rssi-ms-associated-only`.
    pub(in crate::server) associated: bool,
}

/// What putting a record into a table did.
#[derive(Debug)]
pub(in crate::server) struct Put<'a> {
    /// Where it is.
    pub(in crate::server) id: RecordId,
    /// There was none with its key.
    pub(in crate::server) is_new: bool,
    pub(in crate::server) slot: &'a mut Slot,
}

/// No slot.
const NONE: u32 = u32::MAX;

/// A record with what belongs to it: two cache lines, if the record is a short one.
#[derive(Debug)]
#[repr(align(64))]
pub(in crate::server) struct Slot {
    pub(in crate::server) key: RecordKey,
    pub(in crate::server) associated: bool,
    /// The whole element, TLV header included.
    pub(in crate::server) element: Record,
    generation: u32,
    /// Neighbours in the ring.
    older: u32,
    newer: u32,
}

/// The records of one kind. When it is full, the record that has not changed for longest goes.
///
/// Each record is encoded once, when it changes: a notification is then made by copying, whatever the number of
/// subscribers.
#[derive(Debug)]
pub(in crate::server) struct Table {
    index: HashMap<RecordKey, u32>,
    /// The details of the addresses that have any, so that all records about an address are found.
    details: HashMap<MacAddr, Vec<u64>>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    capacity: usize,
    /// The records stand in a ring by the order of their last change; the newest is the one before the oldest. When they
    /// change in one order, as they mostly do, the ring is only turned.
    oldest: u32,
    evicted: u64,
    /// The record that changed after the last one the time before. Stations are mostly reported in one order, and looking
    /// here first saves the way through the index, which is out of the processor's caches when there are many.
    expected: u32,
    scratch: BytesMut,
}

impl Table {
    pub(in crate::server) fn new(capacity: usize) -> Self {
        Self {
            index: HashMap::new(),
            details: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            // Slot numbers are 32 bits wide, and one of them means none.
            capacity: capacity.clamp(1, usize::try_from(NONE - 1).unwrap_or(usize::MAX)),
            oldest: NONE,
            evicted: 0,
            expected: NONE,
            scratch: BytesMut::new(),
        }
    }

    /// Makes or replaces a record; whether it differs from what was there.
    ///
    /// # Errors
    /// If it cannot be encoded, or is longer than `limit`; the table stays as it was.
    pub(in crate::server) fn put(
        &mut self,
        key: RecordKey,
        profile: &WireProfile,
        limit: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(Put<'_>, bool), EncodeError> {
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        let outcome = write(&mut Writer::new(&mut scratch, profile)).and_then(|()| {
            let length = scratch.len();
            let what = "record";
            if length > limit {
                return Err(EncodeError::TooLong {
                    what,
                    length,
                    width: 4,
                });
            }
            Ok(())
        });
        self.scratch = scratch;
        outcome?;
        let (number, is_new) = self.touch(key);
        let Some(slot) = self.slots.get_mut(usize_of(number)) else {
            unreachable!("the index names slots that exist");
        };
        let changed = *slot.element != *self.scratch;
        if changed {
            slot.element
                .place(self.scratch.len())
                .copy_from_slice(&self.scratch);
        }
        Ok((Put::new(number, is_new, slot), changed))
    }

    /// Makes or replaces a record of this length, which `fill` writes over whatever is there.
    #[inline(always)]
    pub(in crate::server) fn put_in_place(
        &mut self,
        key: RecordKey,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Put<'_> {
        let (number, is_new) = self.touch(key);
        let Some(slot) = self.slots.get_mut(usize_of(number)) else {
            unreachable!("the index names slots that exist");
        };
        fill(slot.element.place(length));
        Put::new(number, is_new, slot)
    }

    /// The place of a record that changes now, and whether it is a new one.
    #[inline(always)]
    fn touch(&mut self, key: RecordKey) -> (u32, bool) {
        let known = self.place_of(key);
        let number = known.unwrap_or_else(|| self.take_place(key));
        let newer = self.slots.get(usize_of(number)).map_or(NONE, |slot| slot.newer);
        self.expected = newer;
        if number == self.oldest {
            self.oldest = newer;
        } else if newer != self.oldest {
            self.unlink(number);
            self.link_as_newest(number);
        }
        (number, known.is_none())
    }

    #[inline(always)]
    fn place_of(&self, key: RecordKey) -> Option<u32> {
        let expected = self.slots.get(usize_of(self.expected));
        if expected.is_some_and(|slot| slot.key == key) {
            return Some(self.expected);
        }
        self.index.get(&key).copied()
    }

    #[cold]
    fn take_place(&mut self, key: RecordKey) -> u32 {
        if self.index.len() >= self.capacity
            && let Some(oldest) = self.slots.get(usize_of(self.oldest)).map(|slot| slot.key)
        {
            self.remove(oldest);
            self.evicted += 1;
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.slots.push(Slot {
                    key,
                    associated: false,
                    element: Record::default(),
                    generation: 0,
                    older: NONE,
                    newer: NONE,
                });
                // The capacity keeps numbers below `NONE`.
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
            }
        };
        if let Some(slot) = self.slots.get_mut(usize_of(number)) {
            slot.key = key;
            slot.associated = false;
        }
        self.link_as_newest(number);
        self.index.insert(key, number);
        if key.detail != 0 {
            self.details.entry(key.address).or_default().push(key.detail);
        }
        number
    }

    /// Takes a record out; its place can be used again.
    pub(in crate::server) fn remove(&mut self, key: RecordKey) -> bool {
        let Some(number) = self.index.remove(&key) else {
            return false;
        };
        self.unlink(number);
        // A place without a record keeps its key.
        self.expected = NONE;
        if let Some(slot) = self.slots.get_mut(usize_of(number)) {
            slot.element = Record::default();
            slot.generation = slot.generation.wrapping_add(1);
        }
        self.free.push(number);
        if let Some(details) = self.details.get_mut(&key.address) {
            details.retain(|detail| *detail != key.detail);
            if details.is_empty() {
                self.details.remove(&key.address);
            }
        }
        true
    }

    /// Takes every record about an address out; how many there were.
    pub(in crate::server) fn remove_address(&mut self, address: MacAddr) -> usize {
        let keys: Vec<_> = self.keys_of(address).collect();
        keys.into_iter().filter(|key| self.remove(*key)).count()
    }

    fn keys_of(&self, address: MacAddr) -> impl Iterator<Item = RecordKey> + '_ {
        let plain = RecordKey::of(address);
        let one = self.index.contains_key(&plain).then_some(plain);
        let details = self.details.get(&address).map_or(&[][..], Vec::as_slice);
        let others = details.iter().map(move |detail| RecordKey {
            address,
            detail: *detail,
        });
        one.into_iter().chain(others)
    }

    fn unlink(&mut self, number: u32) {
        let slot = self.slots.get(usize_of(number));
        let Some((older, newer)) = slot.map(|slot| (slot.older, slot.newer)) else {
            return;
        };
        if newer == number {
            self.oldest = NONE;
            return;
        }
        if self.oldest == number {
            self.oldest = newer;
        }
        self.join(older, newer);
    }

    fn link_as_newest(&mut self, number: u32) {
        let oldest = self.slots.get(usize_of(self.oldest));
        match oldest.map(|slot| slot.older) {
            Some(newest) => {
                self.join(newest, number);
                self.join(number, self.oldest);
            }
            None => {
                self.join(number, number);
                self.oldest = number;
            }
        }
    }

    /// Makes two records neighbours.
    fn join(&mut self, older: u32, newer: u32) {
        if let Some(slot) = self.slots.get_mut(usize_of(older)) {
            slot.newer = newer;
        }
        if let Some(slot) = self.slots.get_mut(usize_of(newer)) {
            slot.older = older;
        }
    }

    /// The record, if it is still there.
    #[inline]
    pub(in crate::server) fn slot(&self, id: RecordId) -> Option<&Slot> {
        self.slots
            .get(usize_of(id.slot))
            .filter(|slot| slot.generation == id.generation)
    }

    pub(in crate::server) fn slot_mut(&mut self, id: RecordId) -> Option<&mut Slot> {
        self.slots
            .get_mut(usize_of(id.slot))
            .filter(|slot| slot.generation == id.generation)
    }

    pub(in crate::server) fn find(&self, key: RecordKey) -> Option<RecordId> {
        let number = *self.index.get(&key)?;
        let slot = self.slots.get(usize_of(number))?;
        Some(RecordId {
            slot: number,
            generation: slot.generation,
        })
    }

    /// The records about an address.
    pub(in crate::server) fn about(&self, address: MacAddr) -> impl Iterator<Item = RecordId> + '_ {
        self.keys_of(address).filter_map(|key| self.find(key))
    }

    /// Every record, the one that has not changed for longest first.
    pub(in crate::server) fn ids(&self) -> impl Iterator<Item = RecordId> + '_ {
        let mut next = self.oldest;
        (0..self.len()).map_while(move |_| {
            let slot = self.slots.get(usize_of(next))?;
            let id = RecordId {
                slot: next,
                generation: slot.generation,
            };
            next = slot.newer;
            Some(id)
        })
    }

    pub(in crate::server) fn len(&self) -> usize {
        self.index.len()
    }

    pub(in crate::server) const fn evicted(&self) -> u64 {
        self.evicted
    }
}

impl<'a> Put<'a> {
    fn new(number: u32, is_new: bool, slot: &'a mut Slot) -> Self {
        let id = RecordId {
            slot: number,
            generation: slot.generation,
        };
        Self { id, is_new, slot }
    }
}

#[inline]
fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_records_about_an_address_are_found() {
        let mut table = Table::new(10);
        let address = MacAddr::from([0, 0, 0, 0, 0, 1]);
        let profile = WireProfile::built_in();
        for detail in [0, 7, 9] {
            let key = RecordKey { address, detail };
            table.put(key, profile, 100, |_| Ok(())).unwrap();
        }
        put(&mut table, 2, b"x");
        assert_eq!(table.about(address).count(), 3);
        assert!(table.remove(RecordKey { address, detail: 7 }));
        assert_eq!(table.about(address).count(), 2);
        assert_eq!(table.remove_address(address), 2);
        assert_eq!((table.about(address).count(), table.len()), (0, 1));
        assert!(table.details.is_empty());
    }

    #[test]
    fn records_are_found_whatever_the_order_they_change_in() {
        let mut table = Table::new(3);
        for order in [
            [1, 2, 3],
            [1, 2, 3],
            [3, 1, 2],
            [2, 1, 3],
            [3, 2, 4],
            [4, 3, 2],
            [5, 4, 1],
        ] {
            for last in order {
                let (id, _) = put(&mut table, last, &[last]);
                assert_eq!(table.find(key(last)), Some(id), "{last} of {order:?}");
            }
            assert_eq!(table.len(), 3);
            let kept = table.ids().map(|id| table.slot(id).unwrap().element[0]);
            assert_eq!(kept.collect::<Vec<_>>(), order, "by the order of the last change");
        }
        assert!(table.remove(key(4)));
        let (id, _) = put(&mut table, 4, b"x");
        assert_eq!(table.find(key(4)), Some(id), "not the place it had");
    }

    fn key(last: u8) -> RecordKey {
        RecordKey::of(MacAddr::from([0, 0, 0, 0, 0, last]))
    }

    fn put(table: &mut Table, last: u8, bytes: &[u8]) -> (RecordId, bool) {
        let profile = WireProfile::built_in();
        let write = |writer: &mut Writer<'_>| {
            writer.bytes(bytes);
            Ok(())
        };
        let (put, changed) = table.put(key(last), profile, 100, write).unwrap();
        (put.id, changed)
    }

    fn order(table: &Table) -> Vec<u8> {
        table
            .ids()
            .map(|id| table.slot(id).unwrap().key.address.octets()[5])
            .collect()
    }

    #[test]
    fn the_record_that_has_not_changed_for_longest_makes_room() {
        let mut table = Table::new(3);
        for last in [1, 2, 3, 1] {
            put(&mut table, last, b"x");
        }
        assert_eq!(order(&table), [2, 3, 1]);
        put(&mut table, 4, b"x");
        assert_eq!((order(&table), table.evicted()), (vec![3, 1, 4], 1));
        assert!(table.remove(key(1)) && !table.remove(key(1)));
        put(&mut table, 5, b"x");
        assert_eq!((order(&table), table.evicted()), (vec![3, 4, 5], 1));
        for last in [3, 4, 5] {
            assert!(table.remove(key(last)));
        }
        assert_eq!((order(&table), table.len()), (vec![], 0));
        put(&mut table, 6, b"x");
        assert_eq!(order(&table), [6]);
    }

    #[test]
    fn a_place_that_was_given_to_another_record_is_not_mistaken_for_it() {
        let mut table = Table::new(1);
        let (first, _) = put(&mut table, 1, b"one");
        let (second, _) = put(&mut table, 2, b"two");
        assert_eq!(first.slot, second.slot);
        assert!(table.slot(first).is_none());
        assert_eq!(&table.slot(second).unwrap().element[..], b"two");
    }

    #[test]
    fn says_whether_a_record_changed_and_keeps_it_when_the_new_one_does_not_fit() {
        let mut table = Table::new(2);
        assert!(put(&mut table, 1, b"one").1);
        assert!(!put(&mut table, 1, b"one").1);
        assert!(put(&mut table, 1, b"two").1);
        let too_long = |writer: &mut Writer<'_>| {
            writer.bytes(&[0; 101]);
            Ok(())
        };
        let profile = WireProfile::built_in();
        assert!(table.put(key(1), profile, 100, too_long).is_err());
        assert!(table.put(key(2), profile, 100, too_long).is_err());
        assert_eq!((order(&table), table.len()), (vec![1], 1));
        let id = table.find(key(1)).unwrap();
        assert_eq!(&table.slot(id).unwrap().element[..], b"two");
    }
}
