//! Broken controllers: NMSP servers over TLS.

#![expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all devices: those of EST hand their listener to the runtime"
)]

pub(crate) mod double_goodbye;
pub(crate) mod early_subscription;
pub(crate) mod half_message;
pub(crate) mod length_wrap;
pub(crate) mod unbounded_length;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::lab::Failed;
use crate::machine::{Machine, part};

/// How long a device waits for a message, and for a peer that does not read.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// How long a device waits when it cannot accept a connection.
const PAUSE: Duration = Duration::from_millis(10);

/// A connection to a location server.
type Tunnel = StreamOwned<ServerConnection, TcpStream>;

/// Accepts for ever, and serves each connection in a thread of its own.
fn serve_each(
    listener: &TcpListener,
    tls: &Arc<ServerConfig>,
    session: impl Fn(&mut Tunnel) -> io::Result<()> + Send + Sync + 'static,
) -> Result<(), Failed> {
    let session = Arc::new(session);
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // No descriptor is left, or the peer has gone again.
            thread::sleep(PAUSE);
            continue;
        };
        // They fail on a connection that has ended, and the handshake does then, too.
        drop(stream.set_nodelay(true));
        drop(stream.set_read_timeout(Some(IDLE_TIME)));
        drop(stream.set_write_timeout(Some(IDLE_TIME)));
        let mut tunnel = StreamOwned::new(ServerConnection::new(Arc::clone(tls))?, stream);
        let session = Arc::clone(&session);
        thread::spawn(move || {
            // Whatever ended it, the connection has ended.
            drop(session(&mut tunnel));
            part(&mut tunnel);
        });
    }
}

/// Gives the machine one message, and sends what it says. Whether the connection goes on.
fn answer(machine: &mut Machine, message: &[u8], tunnel: &mut Tunnel) -> io::Result<bool> {
    machine.take(message);
    machine.send(tunnel)?;
    Ok(machine.is_open())
}
