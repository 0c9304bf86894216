//! `early-subscription`: a confusion of states.
//!
//! What is subscribed stands in one table, whose lock a session holds while it handles a message. A subscription is answered
//! by what the peer is capable of. If that is not known yet, the session waits for it: with the lock held, and in the
//! thread that would have to read it. Nothing wakes it up any more, and each session stops at its next message.

use std::io;
use std::net::TcpListener;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Tunnel, answer, serve_each};
use crate::lab::{Failed, Lab};
use crate::machine::Machine;
use crate::message::{self, LONGEST, id};

/// What all sessions share.
#[derive(Default)]
struct Table {
    sessions: u32,
    subscriptions: u32,
}

/// Whether the peer has said what it can do.
#[derive(Default)]
struct Capability {
    known: Mutex<bool>,
    became_known: Condvar,
}

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    let table = Mutex::new(Table::default());
    serve_each(&listener, &lab.controller_tls()?, move |tunnel| {
        lock(&table).sessions += 1;
        let outcome = session(tunnel, &table);
        lock(&table).sessions -= 1;
        outcome
    })
}

fn session(tunnel: &mut Tunnel, table: &Mutex<Table>) -> io::Result<()> {
    let mut machine = Machine::controller(LONGEST);
    let capability = Capability::default();
    machine.send(tunnel)?;
    while let Some(message) = message::read(tunnel)? {
        let mut table = lock(table);
        match message::id_of(&message) {
            id::CAPABILITY_NOTIFICATION => capability.set(),
            id::SERVICE_SUBSCRIBE_REQUEST => {
                // The planted defect: who sets it is this thread, later.
                capability.wait();
                table.subscriptions = table.subscriptions.saturating_add(1);
            }
            _ => {}
        }
        drop(table);
        if !answer(&mut machine, &message, tunnel)? {
            return Ok(());
        }
    }
    Ok(())
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Capability {
    fn set(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.became_known.notify_all();
    }

    fn wait(&self) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.became_known.wait_while(known, |known| !*known));
    }
}
