//! `reset-leak`: a file descriptor that nobody closes.
//!
//! The device puts a connection whose peer has reset it aside, to write it into a log later. Nothing ever does, and the
//! socket stays.

use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};

use super::{Own, serve as serve_with};
use crate::lab::{Failed, Lab};

#[derive(Default)]
struct ResetLeak {
    /// The planted defect: what goes in here does not come out.
    broken_off: Mutex<Vec<TcpStream>>,
}

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    serve_with(listener, lab, ResetLeak::default())
}

impl Own for ResetLeak {
    fn ended(&self, socket: TcpStream, was_reset: bool) {
        if was_reset {
            let mut broken_off = self.broken_off.lock().unwrap_or_else(PoisonError::into_inner);
            broken_off.push(socket);
        }
    }
}
