//! A log in memory, gone with the process.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::CryptoProvider;

use super::{CertificateLog, CertificateRecord, LogError, LogFuture, MAX_REFUSED_REQUESTS, RefusedRequest};
use crate::ca::serial::SerialNumber;

/// A [`CertificateLog`] in memory, for tests and for embedders that keep a log of their own. Certificates
/// and serial numbers grow without bound.
pub struct MemoryLog {
    provider: Arc<CryptoProvider>,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    /// Every serial number handed out; the place of its certificate once there is one.
    serials: HashMap<SerialNumber, Option<usize>>,
    certificates: Vec<CertificateRecord>,
    refused: VecDeque<RefusedRequest>,
}

impl MemoryLog {
    /// An empty log. Serial numbers come from the provider's randomness.
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self {
            provider,
            entries: Mutex::default(),
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        // No entry is ever half made while the lock is held.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, record: CertificateRecord) -> Result<(), LogError> {
        let mut entries = self.entries();
        let place = entries.certificates.len();
        match entries.serials.get_mut(&record.serial) {
            Some(slot @ None) => *slot = Some(place),
            _ => {
                return Err(LogError::SerialNumber {
                    serial: record.serial.to_string(),
                });
            }
        }
        entries.certificates.push(record);
        Ok(())
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificates = self.entries().certificates.len();
        formatter
            .debug_struct("MemoryLog")
            .field("certificates", &certificates)
            .finish_non_exhaustive()
    }
}

impl CertificateLog for MemoryLog {
    fn reserve_serial(&self) -> Result<SerialNumber, LogError> {
        loop {
            let serial = random_serial(&self.provider)?;
            if let Entry::Vacant(slot) = self.entries().serials.entry(serial) {
                slot.insert(None);
                return Ok(serial);
            }
        }
    }

    fn record_issued(&self, record: CertificateRecord) -> LogFuture {
        Box::pin(ready(self.record(record)))
    }

    fn record_refused(&self, record: RefusedRequest) -> LogFuture {
        let mut entries = self.entries();
        entries.refused.push_back(record);
        if u32::try_from(entries.refused.len()).is_ok_and(|length| length > MAX_REFUSED_REQUESTS) {
            entries.refused.pop_front();
        }
        drop(entries);
        Box::pin(ready(Ok(())))
    }

    fn certificate(&self, serial: &SerialNumber) -> Result<Option<CertificateRecord>, LogError> {
        let entries = self.entries();
        let place = entries.serials.get(serial).copied().flatten();
        Ok(place.and_then(|place| entries.certificates.get(place)).cloned())
    }

    fn certificates(&self, skip: u32, limit: u32) -> Result<Vec<CertificateRecord>, LogError> {
        let [skip, limit] = [skip, limit].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        Ok(self
            .entries()
            .certificates
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect())
    }

    fn serials(&self) -> Result<Vec<SerialNumber>, LogError> {
        Ok(self
            .entries()
            .certificates
            .iter()
            .map(|record| record.serial)
            .collect())
    }

    fn count(&self) -> Result<u64, LogError> {
        Ok(u64::try_from(self.entries().certificates.len()).unwrap_or(u64::MAX))
    }

    fn refused(&self, limit: u32) -> Result<Vec<RefusedRequest>, LogError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.entries().refused.iter().rev().take(limit).cloned().collect())
    }
}

/// A serial number from the provider's randomness.
pub(super) fn random_serial(provider: &CryptoProvider) -> Result<SerialNumber, LogError> {
    let mut octets = [0; SerialNumber::LENGTH];
    provider
        .secure_random
        .fill(&mut octets)
        .map_err(|_| LogError::NoRandomness)?;
    Ok(SerialNumber::from_random(octets))
}
