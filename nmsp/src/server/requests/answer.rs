//! Answers that may need several messages.

use bytes::BytesMut;

use super::device;
use super::select::Selection;
use crate::server::store::{RecordId, RecordKind, StationStore};
use crate::wire::elements::{IdsParameters, Location, Part};
use crate::wire::numbers::{LocationCapabilities, StatusCode};
use crate::wire::{Element, EncodeError, Text, Writer};
use pki_common::MacAddr;

/// How many bytes of records go into one part. Well below the longest message, so that records that grow while the answer is
/// on its way still fit; fills a TLS record.
const PART_BYTES: usize = 15_000;

/// What one part may need beside its records: status, part, explanation.
const HEAD_BYTES: usize = 256;

/// One thing that an answer contains.
#[derive(Debug)]
pub(super) enum Item {
    Record(RecordKind, RecordId),
    /// Put together when it is sent.
    Device(MacAddr),
    Ids(Box<IdsParameters>),
}

/// An answer on its way. It holds places in the store, not copies: each part is made when the connection can send it, so a
/// requester that does not read costs a few bytes for each record it asked for.
#[derive(Debug)]
pub(in crate::server) struct Answer {
    items: Vec<Item>,
    /// Where each part ends in the items.
    ends: Vec<usize>,
    forms: Option<LocationCapabilities>,
    status: StatusCode,
    explanation: Option<Text>,
    sent: usize,
}

impl Answer {
    pub(super) fn new(selection: Selection, store: &StationStore) -> Self {
        let Selection {
            items,
            asked,
            unknown,
            forms,
        } = selection;
        let (status, explanation) = match unknown {
            0 => (StatusCode::SUCCESS, None),
            all if all == asked => (
                StatusCode::NOT_FOUND,
                Some(format!("nothing is known about the {asked} named").into()),
            ),
            some => (
                StatusCode::PARTLY_DONE,
                Some(format!("nothing is known about {some} of the {asked} named").into()),
            ),
        };
        let mut answer = Self {
            ends: Vec::new(),
            items,
            forms,
            status,
            explanation,
            sent: 0,
        };
        answer.divide(store);
        answer
    }

    /// Puts the ends of the parts where the records fill a message.
    fn divide(&mut self, store: &StationStore) {
        let limit = PART_BYTES.min(store.longest_body().saturating_sub(HEAD_BYTES));
        let (mut scratch, mut filled) = (BytesMut::new(), 0);
        for (position, item) in self.items.iter().enumerate() {
            scratch.clear();
            let length = match write(item, self.forms, store, &mut scratch) {
                Ok(()) => scratch.len(),
                Err(_) => 0,
            };
            if filled > 0 && filled + length > limit {
                self.ends.push(position);
                filled = 0;
            }
            filled += length;
        }
        self.ends.push(self.items.len());
        // Parts are counted with 16 bits; more than 65,535 of them are not sent.
        let most = usize::from(u16::MAX);
        if self.ends.len() > most {
            self.ends.truncate(most);
            self.status = StatusCode::PARTLY_DONE;
            self.explanation = Some("there is more than an answer can hold: name stations".into());
        }
    }

    /// Makes the next part; its body is appended to `body`. `None` when all parts have been made.
    pub(in crate::server) fn next_part(
        &mut self,
        store: &StationStore,
        body: &mut BytesMut,
    ) -> Option<Result<(), EncodeError>> {
        let end = *self.ends.get(self.sent)?;
        let start = self.sent.checked_sub(1).and_then(|before| self.ends.get(before));
        let items = start.copied().unwrap_or_default()..end;
        self.sent += 1;
        Some(self.write_part(items, store, body))
    }

    /// Whether every part has been made.
    pub(in crate::server) fn is_done(&self) -> bool {
        self.sent >= self.ends.len()
    }

    fn write_part(
        &self,
        items: core::ops::Range<usize>,
        store: &StationStore,
        body: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let mut records = BytesMut::new();
        let mut status = self.status;
        let room = store.longest_body().saturating_sub(HEAD_BYTES);
        for item in self.items.get(items).unwrap_or_default() {
            let before = records.len();
            write(item, self.forms, store, &mut records)?;
            if records.len() > room {
                // It has grown since the answer was divided.
                records.truncate(before);
                status = StatusCode::PARTLY_DONE;
            }
        }
        let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let (part, total) = (number(self.sent), number(self.ends.len()));
        let mut writer = Writer::new(body, store.profile());
        writer.element(Element::STATUS, &status)?;
        if total > 1 {
            writer.element(Element::PART, &Part { number: part, total })?;
        }
        if let Some(explanation) = &self.explanation {
            writer.element(Element::EXPLANATION, explanation)?;
        }
        writer.bytes(&records);
        Ok(())
    }
}

/// Appends one item; nothing if it is no longer there.
fn write(
    item: &Item,
    forms: Option<LocationCapabilities>,
    store: &StationStore,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    match item {
        Item::Record(kind, id) => {
            let table = store.read(*kind);
            let Some(slot) = table.slot(*id) else {
                return Ok(());
            };
            match (kind, forms) {
                (RecordKind::Location, Some(forms)) => {
                    let usable = store.decode(slot).and_then(|location| in_forms(location, forms));
                    usable.map_or(Ok(()), |location| {
                        Writer::new(out, store.profile()).element(Element::LOCATION, &location)
                    })
                }
                _ => {
                    slot.element.append_to(out);
                    Ok(())
                }
            }
        }
        Item::Device(station) => device::information(store, *station).map_or(Ok(()), |device| {
            Writer::new(out, store.profile()).element(Element::DEVICE_INFORMATION, &device)
        }),
        Item::Ids(parameters) => {
            Writer::new(out, store.profile()).element(Element::IDS_PARAMETERS, &**parameters)
        }
    }
}

/// A location without the forms that the requester cannot use; `None` if no form is left.
pub(in crate::server) fn in_forms(mut location: Location, forms: LocationCapabilities) -> Option<Location> {
    if !forms.contains(LocationCapabilities::CIVIC) {
        location.civic.clear();
    }
    if !forms.contains(LocationCapabilities::GEODETIC) {
        location.geodetic = None;
    }
    if !forms.contains(LocationCapabilities::ELIN) {
        location.emergency_number = None;
    }
    if !forms.contains(LocationCapabilities::FLOOR_POSITION) {
        location.floor_position = None;
    }
    let left = !location.civic.is_empty()
        || location.geodetic.is_some()
        || location.emergency_number.is_some()
        || location.floor_position.is_some();
    left.then_some(location)
}
