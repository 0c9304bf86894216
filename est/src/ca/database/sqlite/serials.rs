//! Serial numbers that are drawn and committed ahead of their use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use rustls::crypto::CryptoProvider;

use super::writer::{WriteError, is_constraint};
use crate::ca::database::LogError;
use crate::ca::database::memory::random_serial;
use crate::ca::serial::SerialNumber;

/// Serial numbers that are on disk as taken, and that nobody has got yet.
#[derive(Debug)]
pub(super) struct SerialPool {
    serials: Mutex<Vec<SerialNumber>>,
    low_water: usize,
    asked_for_more: AtomicBool,
    /// Why the writer could not write, until it can again.
    failure: Mutex<Option<LogError>>,
}

impl SerialPool {
    pub(super) fn new(low_water: usize) -> Self {
        Self {
            serials: Mutex::default(),
            low_water,
            asked_for_more: AtomicBool::new(false),
            failure: Mutex::default(),
        }
    }

    /// Why the writer's last transaction failed; `None` when it did not.
    pub(super) fn last_failure(&self) -> Option<LogError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn note_failure(&self, failure: Option<LogError>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// A number, if there is one, and whether the writer should be asked for more.
    pub(super) fn take(&self) -> (Option<SerialNumber>, bool) {
        let (serial, left) = {
            let mut serials = self.serials.lock().unwrap_or_else(PoisonError::into_inner);
            (serials.pop(), serials.len())
        };
        // With nothing left it is asked every time: an earlier attempt may have failed, on a full disk for instance.
        let asked_before = left < self.low_water && self.asked_for_more.swap(true, Ordering::Relaxed);
        let ask = serial.is_none() || (left < self.low_water && !asked_before);
        (serial, ask)
    }

    pub(super) fn add(&self, new: Vec<SerialNumber>) {
        self.serials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(new);
        self.asked_for_more.store(false, Ordering::Relaxed);
    }

    pub(super) fn len(&self) -> usize {
        self.serials.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn drain(&self) -> Vec<SerialNumber> {
        std::mem::take(&mut *self.serials.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Draws `count` numbers that no row has, and takes them.
pub(super) fn insert_serials(
    connection: &Connection,
    count: usize,
    provider: &CryptoProvider,
) -> Result<Vec<SerialNumber>, WriteError> {
    let mut statement = connection.prepare_cached("INSERT INTO serials (serial) VALUES (?1)")?;
    let mut serials = Vec::with_capacity(count);
    while serials.len() < count {
        let serial = random_serial(provider)?;
        match statement.execute([serial.as_bytes().as_slice()]) {
            Ok(_) => serials.push(serial),
            // Taken already: draw another.
            Err(error) if is_constraint(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(serials)
}
