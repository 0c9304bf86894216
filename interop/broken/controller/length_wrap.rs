//! `length-wrap`: an integer wrap in a length.
//!
//! The device has one buffer for each connection. Whether a message fits is asked with a length of 16 bits, which is what
//! the field was once; the buffer is filled by the length of 32 bits. In a language without bounds this writes behind the
//! buffer. Here it panics, and the process dies.

use std::io::{self, Read as _};
use std::net::TcpListener;

use super::{Tunnel, answer, serve_each};
use crate::lab::{Failed, Lab};
use crate::machine::Machine;
use crate::message::{HEADER, announced_length, read_header};

/// Longer than any message of an ordinary location server.
const BUFFER: usize = 16 * 1024;

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    serve_each(&listener, &lab.controller_tls()?, session)
}

fn session(tunnel: &mut Tunnel) -> io::Result<()> {
    let mut machine = Machine::controller(BUFFER);
    machine.send(tunnel)?;
    let mut buffer = [0; BUFFER];
    while let Some(header) = read_header(tunnel)? {
        let length = announced_length(&header);
        let [.., high, low, _, _, _, _] = header;
        let narrow_length = usize::from(u16::from_be_bytes([high, low]));
        if length < HEADER || narrow_length > BUFFER {
            // The machine knows the bound, too, and tells the peer.
            answer(&mut machine, &header, tunnel)?;
            return Ok(());
        }
        let message = fill(&mut buffer, header, length, tunnel)?;
        if !answer(&mut machine, message, tunnel)? {
            return Ok(());
        }
    }
    Ok(())
}

#[expect(
    clippy::indexing_slicing,
    reason = "the planted defect: `length` was not compared with the length of the buffer, only its lower half was"
)]
fn fill<'a>(
    buffer: &'a mut [u8; BUFFER],
    header: [u8; HEADER],
    length: usize,
    tunnel: &mut Tunnel,
) -> io::Result<&'a [u8]> {
    let message = &mut buffer[..length];
    let (head, body) = message.split_at_mut(HEADER);
    head.copy_from_slice(&header);
    tunnel.read_exact(body)?;
    Ok(message)
}
