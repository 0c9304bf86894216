//! `unbounded-length`: a bound is missing.
//!
//! The device makes room for a message as soon as its header has announced the length, before a byte of the body has come.
//! Twelve bytes cost it as much memory as they say.

use std::io::{self, Read as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Tunnel, answer, serve_each};
use crate::lab::{Failed, Lab};
use crate::machine::Machine;
use crate::message::{HEADER, LONGEST, announced_length, read_header};

/// What all messages that are longer than any ordinary one may take together. The device would have no such bound; the
/// machine that runs the tests needs one.
const SAFE_FOR_THE_LAB: usize = 128 * 1024 * 1024;

/// How fresh memory is marked on this device; so all of it is really there.
const FRESH: u8 = 0xa5;

/// Room for one message.
struct Room<'a> {
    bytes: Vec<u8>,
    /// How much of it counts.
    counted: usize,
    all: &'a AtomicUsize,
}

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    let all = AtomicUsize::new(0);
    serve_each(&listener, &lab.controller_tls()?, move |tunnel| {
        session(tunnel, &all)
    })
}

fn session(tunnel: &mut Tunnel, all: &AtomicUsize) -> io::Result<()> {
    let mut machine = Machine::controller(LONGEST);
    machine.send(tunnel)?;
    while let Some(header) = read_header(tunnel)? {
        let length = announced_length(&header);
        if length < HEADER {
            answer(&mut machine, &header, tunnel)?;
            return Ok(());
        }
        // The planted defect: nothing is asked before.
        let mut room = Room::new(length, all);
        let taken = length.min(room.bytes.len());
        let message = room.bytes.get_mut(..taken).unwrap_or_default();
        let (head, body) = message
            .split_at_mut_checked(HEADER)
            .ok_or(io::ErrorKind::OutOfMemory)?;
        head.copy_from_slice(&header);
        tunnel.read_exact(body)?;
        if !answer(&mut machine, message, tunnel)? {
            return Ok(());
        }
    }
    Ok(())
}

impl<'a> Room<'a> {
    /// As much as was asked for, or as is safe: that much of the message is waited for then.
    fn new(length: usize, all: &'a AtomicUsize) -> Self {
        let mut counted = 0;
        if length > LONGEST {
            let take = |taken: usize| {
                counted = length.min(SAFE_FOR_THE_LAB - taken);
                Some(taken + counted)
            };
            let taken = all.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
            debug_assert!(taken.is_ok(), "something is taken in any case, if only nothing");
        }
        let got = if length > LONGEST { counted } else { length };
        Self {
            bytes: vec![FRESH; got],
            counted,
            all,
        }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(self.counted, Ordering::AcqRel);
    }
}
