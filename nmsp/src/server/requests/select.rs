//! Which records a request is about.

use pki_common::MacAddr;

use super::answer::Item;
use crate::server::store::{RecordId, RecordKind, StationStore, target_key};
use crate::wire::elements::{Interferer, LocationTarget};
use crate::wire::numbers::LocationCapabilities;
use crate::wire::{Service, Services, Text};

/// What a request is answered with, and how much of what it named is unknown.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) items: Vec<Item>,
    /// Things that were named.
    pub(super) asked: usize,
    /// Of these, the ones that nothing is known about.
    pub(super) unknown: usize,
    /// The forms of location that the requester can use; all of them if absent.
    pub(super) forms: Option<LocationCapabilities>,
}

impl Selection {
    /// One item for each thing that was asked for, where there is one.
    pub(super) fn found(items: Vec<Item>, asked: usize) -> Self {
        Self {
            unknown: asked.saturating_sub(items.len()),
            items,
            asked,
            forms: None,
        }
    }
}

/// Records of these kinds about these addresses, or about all; of what these groups of access points hear.
pub(super) fn about(
    store: &StationStore,
    kinds: &[RecordKind],
    addresses: &[MacAddr],
    groups: &[Text],
) -> Selection {
    let mut selection = Selection {
        asked: addresses.len(),
        ..Selection::default()
    };
    if addresses.is_empty() {
        for kind in kinds {
            let ids: Vec<RecordId> = store.read(*kind).ids().collect();
            selection
                .items
                .extend(ids.into_iter().map(|id| Item::Record(*kind, id)));
        }
    } else {
        for address in addresses {
            let before = selection.items.len();
            for kind in kinds {
                let ids: Vec<RecordId> = store.read(*kind).about(*address).collect();
                selection
                    .items
                    .extend(ids.into_iter().map(|id| Item::Record(*kind, id)));
            }
            selection.unknown += usize::from(selection.items.len() == before);
        }
    }
    if !groups.is_empty() {
        selection.items.retain(|item| match item {
            Item::Record(kind, id) => store.concerns_groups(*kind, *id, groups),
            Item::Device(_) | Item::Ids(_) => true,
        });
    }
    selection
}

/// `rssi-ms-associated-only` without `rssi-ms` asks for associated clients only.
pub(super) fn keep_associated(store: &StationStore, services: Services, selection: &mut Selection) {
    if services.contains(Service::RssiMs) || !services.contains(Service::RssiMsAssociatedOnly) {
        return;
    }
    let clients = store.read(RecordKind::ClientMeasurement);
    selection.items.retain(|item| match item {
        Item::Record(RecordKind::ClientMeasurement, id) => {
            clients.slot(*id).is_some_and(|slot| slot.associated)
        }
        _ => true,
    });
}

/// Locations of these things, or of all.
pub(super) fn targets(store: &StationStore, targets: &[LocationTarget]) -> Selection {
    const KIND: RecordKind = RecordKind::Location;
    if targets.is_empty() {
        return about(store, &[KIND], &[], &[]);
    }
    let table = store.read(KIND);
    let items: Vec<Item> = targets
        .iter()
        .filter_map(|target| table.find(target_key(target)))
        .map(|id| Item::Record(KIND, id))
        .collect();
    Selection::found(items, targets.len())
}

/// What spectrum analysis found at these access points and in these groups. An interferer is found where it is heard.
pub(super) fn spectrum(
    store: &StationStore,
    kinds: &[RecordKind],
    access_points: &[MacAddr],
    groups: &[Text],
) -> Selection {
    let of_radios: Vec<RecordKind> = kinds
        .iter()
        .copied()
        .filter(|kind| *kind != RecordKind::Interferer)
        .collect();
    let mut selection = about(store, &of_radios, access_points, groups);
    // An access point without air quality may still hear an interferer, so it is not unknown.
    (selection.asked, selection.unknown) = (0, 0);
    if kinds.contains(&RecordKind::Interferer) {
        let is_wanted = |interferer: &Interferer| {
            let heard_by = interferer.heard_by.as_ref();
            let mut readings = heard_by.into_iter().flat_map(|heard| &heard.readings);
            (access_points.is_empty() && groups.is_empty())
                || readings.any(|reading| {
                    (access_points.is_empty() || access_points.contains(&reading.access_point))
                        && (groups.is_empty() || store.groups().contain(groups, reading.access_point))
                })
        };
        let table = store.read(RecordKind::Interferer);
        let wanted = table.ids().filter(|id| {
            table
                .slot(*id)
                .and_then(|slot| store.decode(slot))
                .is_some_and(|each| is_wanted(&each))
        });
        selection
            .items
            .extend(wanted.map(|id| Item::Record(RecordKind::Interferer, id)));
    }
    selection
}
