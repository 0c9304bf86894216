//! `double-goodbye`: a session that ends twice.
//!
//! The device admits ten location servers, as an AireOS controller does, and counts them. A goodbye ends the session, and
//! what still comes on its connection is taken until the peer closes it. A second goodbye ends the session again: the
//! counter goes below zero, which in a number without a sign is far above ten, and nobody is admitted any more.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use nmsp::wire::numbers::DisconnectReason;

use super::{Tunnel, answer, serve_each};
use crate::lab::{Failed, Lab};
use crate::machine::Machine;
use crate::message::{self, LONGEST, id};

const MAX_SESSIONS: u32 = 10;

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    let sessions = AtomicU32::new(0);
    serve_each(&listener, &lab.controller_tls()?, move |tunnel| {
        session(tunnel, &sessions)
    })
}

fn session(tunnel: &mut Tunnel, sessions: &AtomicU32) -> io::Result<()> {
    let mut machine = Machine::controller(LONGEST);
    let admitted = |count: u32| (count < MAX_SESSIONS).then(|| count + 1);
    if sessions
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, admitted)
        .is_err()
    {
        machine.say_goodbye(DisconnectReason::OVERLOADED, "ten location servers are connected");
        return machine.send(tunnel);
    }
    let mut ended = false;
    let outcome = converse(tunnel, &mut machine, sessions, &mut ended);
    if !ended {
        end(sessions);
    }
    outcome
}

fn converse(
    tunnel: &mut Tunnel,
    machine: &mut Machine,
    sessions: &AtomicU32,
    ended: &mut bool,
) -> io::Result<()> {
    machine.send(tunnel)?;
    while let Some(message) = message::read(tunnel)? {
        if message::id_of(&message) == id::DISCONNECT_NOTIFICATION {
            // The planted defect: `ended` is not asked before.
            end(sessions);
            *ended = true;
        }
        let goes_on = answer(machine, &message, tunnel)?;
        if !goes_on && !*ended {
            return Ok(());
        }
    }
    Ok(())
}

fn end(sessions: &AtomicU32) {
    sessions.fetch_sub(1, Ordering::AcqRel);
}
