//! Broken location servers: NMSP clients that connect to a controller, and again when the connection has ended.

pub(crate) mod deep_nesting;
pub(crate) mod unknown_id;

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use crate::lab::Failed;
use crate::machine::{Machine, part};
use crate::message::{HEADER, LONGEST, announced_length};

/// How long a location server waits before it tries again.
const RETRY: Duration = Duration::from_millis(50);

/// How long TCP may take, and a controller that does not read.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the machine is asked at least whether an echo is due.
const TICK: Duration = Duration::from_millis(100);

/// A connection to a controller.
type Tunnel = StreamOwned<ClientConnection, TcpStream>;

/// Connects for ever. `look` sees each whole message before the machine does.
fn connect_again(
    controller: SocketAddr,
    tls: &Arc<ClientConfig>,
    mut look: impl FnMut(&[u8]),
) -> Result<(), Failed> {
    let name = ServerName::from(controller.ip());
    loop {
        if let Ok(stream) = TcpStream::connect_timeout(&controller, PATIENCE) {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_read_timeout(Some(TICK))?;
            let connection = ClientConnection::new(Arc::clone(tls), name.clone())?;
            let mut tunnel = StreamOwned::new(connection, stream);
            // Whatever ended it, the connection has ended.
            drop(session(&mut tunnel, &mut look));
            part(&mut tunnel);
        }
        thread::sleep(RETRY);
    }
}

fn session(tunnel: &mut Tunnel, look: &mut impl FnMut(&[u8])) -> io::Result<()> {
    let mut machine = Machine::location_server(LONGEST);
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    while machine.is_open() {
        match tunnel.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => received.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if is_nothing_yet(&error) => {}
            Err(error) => return Err(error),
        }
        machine.tick();
        while let Some(message) = next_message(&mut received) {
            look(&message);
            machine.take(&message);
        }
        if !tunnel.conn.is_handshaking() {
            machine.send(tunnel)?;
        }
    }
    Ok(())
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

/// Cuts the next message, if it is there. Of one with a length that cannot be, only the header: the machine refuses it.
fn next_message(received: &mut Vec<u8>) -> Option<Vec<u8>> {
    let header = received.get(..HEADER)?;
    let length = announced_length(header);
    let length = if (HEADER..=LONGEST).contains(&length) {
        length
    } else {
        HEADER
    };
    if received.len() < length {
        return None;
    }
    let rest = received.split_off(length);
    Some(std::mem::replace(received, rest))
}
