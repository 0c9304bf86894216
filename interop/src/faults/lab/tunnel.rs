//! What an honest location server does.

use core::time::Duration;
use std::net::SocketAddr;

use nmsp::client::{Client, ClientConfig};
use nmsp::proto::Event;
use nmsp::wire::Services;
use pki_common::tls::ClientTls;
use tokio::time::timeout;

use super::PATIENCE;

/// Often enough that the shortest idle time of a lab does not end a tunnel.
const ECHO_INTERVAL: Duration = Duration::from_millis(500);

/// What [`PATIENCE`] is in echo requests.
const MISSED_ECHOES: u32 = 120;

/// Who it is and where its controller is.
#[derive(Debug)]
pub(in crate::faults) struct LocationServer {
    controller: SocketAddr,
    tls: ClientTls,
}

impl LocationServer {
    pub(super) const fn new(controller: SocketAddr, tls: ClientTls) -> Self {
        Self { controller, tls }
    }

    pub(in crate::faults) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(self.tls.clone());
        config.connection.echo_interval = ECHO_INTERVAL;
        // A busy machine is no fault of the controller.
        config.connect_timeout = PATIENCE;
        config.handshake_timeout = PATIENCE;
        config.connection.request_timeout = PATIENCE;
        config.connection.missed_echo_limit = MISSED_ECHOES;
        config
    }

    pub(in crate::faults) async fn connect(&self, config: ClientConfig) -> Result<Client, nmsp::Error> {
        Client::connect(&self.controller.to_string(), config).await
    }

    /// A tunnel that is subscribed.
    pub(in crate::faults) async fn subscribed(&self) -> Result<Client, nmsp::Error> {
        let client = self.connect(self.config()).await?;
        client.subscribe(Services::MEASUREMENTS).await?;
        Ok(client)
    }

    /// Comes, subscribes, waits for a measurement, and goes.
    pub(in crate::faults) async fn visit(&self) -> Result<(), String> {
        let visit = async {
            let mut client = self.subscribed().await.map_err(|error| error.to_string())?;
            loop {
                match client.next().await {
                    Ok(Some(Event::Notification(_))) => break,
                    Ok(Some(_)) => {}
                    Ok(None) => return Err("the controller said goodbye".to_owned()),
                    Err(error) => return Err(error.to_string()),
                }
            }
            client.close().await.map_err(|error| error.to_string())
        };
        let late = |_| Err(format!("no measurement after {PATIENCE:?}"));
        timeout(PATIENCE, visit).await.unwrap_or_else(late)
    }
}
