//! From a host name to a TCP connection.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpStream, lookup_host};

/// Why there is no connection.
pub(crate) enum Unreached {
    /// The name has no address, with what was said about it.
    NotResolved(String),
    /// Each address refused or did not answer. There is at least one.
    NotConnected(Vec<(SocketAddr, io::Error)>),
}

impl Unreached {
    /// What each address had to say.
    pub(crate) fn causes(attempts: &[(SocketAddr, io::Error)]) -> String {
        let causes: Vec<_> = attempts
            .iter()
            .map(|(address, error)| format!("{address}: {error}"))
            .collect();
        causes.join("; ")
    }
}

/// Tries the addresses of the host one after the other.
pub(crate) async fn reach(host: &str, port: u16) -> Result<TcpStream, Unreached> {
    let addresses = lookup_host((host, port))
        .await
        .map_err(|error| Unreached::NotResolved(error.to_string()))?;
    let mut attempts = Vec::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without this, small requests wait for delayed acknowledgements. A failure costs only speed.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY cannot be set");
                }
                return Ok(stream);
            }
            Err(error) => attempts.push((address, error)),
        }
    }
    if attempts.is_empty() {
        return Err(Unreached::NotResolved("it has no address".to_owned()));
    }
    Err(Unreached::NotConnected(attempts))
}
