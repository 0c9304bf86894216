//! Which access point belongs to which group.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use pki_common::MacAddr;

use crate::wire::{AccessPointReading, Text};

/// The groups of access points, as AP Information says or the application does.
#[derive(Debug, Default)]
pub(in crate::server) struct AccessPointGroups {
    groups: RwLock<HashMap<MacAddr, Text>>,
}

impl AccessPointGroups {
    /// Puts an access point into a group, or into none.
    pub(in crate::server) fn set(&self, access_point: MacAddr, group: Option<&Text>) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        match group {
            Some(group) if groups.get(&access_point) == Some(group) => {}
            Some(group) => {
                groups.insert(access_point, group.clone());
            }
            None => {
                groups.remove(&access_point);
            }
        }
    }

    /// The access points of a group, in order.
    pub(in crate::server) fn members(&self, wanted: &Text) -> Vec<MacAddr> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let members = groups.iter().filter(|(_, group)| *group == wanted);
        let mut members: Vec<MacAddr> = members.map(|(access_point, _)| *access_point).collect();
        members.sort_unstable();
        members
    }

    /// Whether an access point is in one of these groups.
    pub(in crate::server) fn contain(&self, wanted: &[Text], access_point: MacAddr) -> bool {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups
            .get(&access_point)
            .is_some_and(|group| wanted.contains(group))
    }

    /// Whether one of these readings is by an access point of one of these groups.
    pub(in crate::server) fn hear(
        &self,
        wanted: &[Text],
        readings: &[[u8; AccessPointReading::LENGTH]],
    ) -> bool {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        readings
            .iter()
            .map(|reading| AccessPointReading::from_bytes(*reading).access_point)
            .any(|access_point| {
                groups
                    .get(&access_point)
                    .is_some_and(|group| wanted.contains(group))
            })
    }
}
