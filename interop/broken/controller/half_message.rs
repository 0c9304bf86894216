//! `half-message`: who is slow holds up everybody (slow loris).
//!
//! One thread looks after all connections in turn. Where something has come it reads a whole message, however long the rest
//! of it takes. As long as each peer sends its messages whole, nobody notices.

use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Tunnel, answer};
use crate::lab::{Failed, Lab};
use crate::machine::{Machine, part};
use crate::message::{self, LONGEST};

/// How long the thread waits when there is no new connection.
const PAUSE: Duration = Duration::from_millis(1);

struct Session {
    tunnel: Tunnel,
    machine: Machine,
}

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    let tls = lab.controller_tls()?;
    listener.set_nonblocking(true)?;
    let mut sessions: Vec<Session> = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => sessions.push(Session::new(stream, &tls)?),
            // There is none, or no descriptor is left for it.
            Err(_) => thread::sleep(PAUSE),
        }
        let all = std::mem::take(&mut sessions).into_iter();
        sessions.extend(all.filter_map(|mut session| match session.look() {
            Ok(true) => Some(session),
            Ok(false) | Err(_) => {
                session.leave();
                None
            }
        }));
    }
}

impl Session {
    fn new(stream: TcpStream, tls: &Arc<ServerConfig>) -> Result<Self, Failed> {
        // They fail on a connection that has ended, and the handshake does then, too.
        drop(stream.set_nodelay(true));
        drop(stream.set_nonblocking(true));
        Ok(Self {
            tunnel: StreamOwned::new(ServerConnection::new(Arc::clone(tls))?, stream),
            machine: Machine::controller(LONGEST),
        })
    }

    /// Goes on with the handshake, or takes a message if one has begun. Whether the connection goes on.
    fn look(&mut self) -> io::Result<bool> {
        let mut first = [0];
        match self.tunnel.read(&mut first) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !self.tunnel.conn.is_handshaking() {
                    // The capability is what waits at first.
                    self.machine.send(&mut self.tunnel)?;
                }
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
        // The planted defect: there is no time after which the rest is not waited for any more.
        self.tunnel.sock.set_nonblocking(false)?;
        let goes_on = match message::read(&mut first.as_slice().chain(&mut self.tunnel))? {
            Some(message) => answer(&mut self.machine, &message, &mut self.tunnel)?,
            None => false,
        };
        self.tunnel.sock.set_nonblocking(true)?;
        Ok(goes_on)
    }

    /// Ends the connection without holding up the others.
    fn leave(self) {
        let Self { mut tunnel, .. } = self;
        thread::spawn(move || part(&mut tunnel));
    }
}
