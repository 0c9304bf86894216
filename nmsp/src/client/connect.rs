//! From a name to an established connection.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::lookup_host;
use tokio::time::timeout;

use pki_common::tls::{HandshakeContext, RefusalRecorder};
use pki_common::{Rung, TlsFault};

use super::host::{host_of, with_default_port};
use super::identity::ControllerIdentity;
use super::{ClientConfig, pins};
use crate::driver::{Driver, Expected, now};
use crate::error::Error;
use crate::proto::{Connection, Event, Role};
use crate::transport::{self, ControllerStream, Link, SecureError};
use crate::wire::message::Capability;

/// A connection on which the controller has said what it can do.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) driver: Driver<ControllerStream>,
    pub(super) address: SocketAddr,
    pub(super) identity: Arc<ControllerIdentity>,
    pub(super) capability: Capability,
}

/// Connects, and returns when the controller has said what it can do.
///
/// Waiting for that is part of it: in TLS 1.3 the client's handshake is finished before the controller has judged its
/// certificate, so a refusal (alert 46 from the authlist) arrives only after it.
pub(super) async fn establish(controller: &str, config: &ClientConfig) -> Result<Established, Error> {
    let controller = with_default_port(controller);
    let unresolved = |source| Error::NameResolution {
        host: controller.clone(),
        source,
    };
    let limit = config.connect_timeout;
    let resolved = timeout(limit, lookup_host(&controller)).await;
    let addresses: Vec<SocketAddr> = resolved
        .map_err(|_| Error::TimedOut {
            what: "the resolution of the controller's name",
            rung: Rung::NameResolution,
            after: limit,
        })?
        .map_err(unresolved)?
        .collect();
    let link = Link::open(&controller, &addresses, config).await?;
    let address = link.peer_addr()?;
    let limit = config.handshake_timeout;
    let handshake = secure(&controller, address, link, config);
    timeout(limit, handshake).await.map_err(|_| Error::TimedOut {
        what: "the handshake with the controller",
        rung: Rung::Tls(TlsFault::Protocol),
        after: limit,
    })?
}

/// TLS handshake, then the controller's Capability Notification.
async fn secure(
    controller: &str,
    address: SocketAddr,
    link: Link,
    config: &ClientConfig,
) -> Result<Established, Error> {
    // The name in the certificate is compared only if the verifier is asked to; it never is with an authlist.
    let name = ServerName::try_from(host_of(controller).to_owned())
        .unwrap_or_else(|_| ServerName::from(address.ip()));
    let recorder = Arc::new(RefusalRecorder::default());
    let mut config = config.clone();
    config.tls.peer = pins::for_controller(config.tls.peer, controller);
    let context = HandshakeContext::with_authlist("the controller");
    let failed = |error| Error::Tls(Box::new(transport::diagnose(&context, &error, Some(&recorder))));
    let stream = link
        .secure(name, &config, &recorder)
        .await
        .map_err(|error| match error {
            SecureError::Handshake(error) => failed(error),
            SecureError::Setup(error) => error,
        })?;
    let certificate = recorder.validated();
    if let Some(certificate) = &certificate {
        // rustls has done so in the handshake; other transports have proven the key by now, too.
        let pinned = config.tls.peer.key_proven(certificate.der());
        pinned.map_err(|error| {
            let error = rustls::Error::InvalidCertificate(error);
            Error::Tls(Box::new(context.diagnose_tls(&error, Some(&recorder))))
        })?;
    }
    let identity = ControllerIdentity::reached(controller.into(), address, certificate.as_ref());
    let connection = Connection::new(config.connection, Role::LocationServer, now());
    let mut driver = Driver::new(stream, connection, Expected::Much);
    loop {
        driver.turn(true).await.map_err(failed)?;
        while let Some(event) = driver.connection.poll_event() {
            match event {
                Event::Established(capability) => {
                    tracing::info!(controller = %identity, %address, services = %capability.services, "NMSP connection established");
                    return Ok(Established {
                        driver,
                        address,
                        identity: Arc::new(identity),
                        capability,
                    });
                }
                Event::Closed(reason) => return Err(reason.into()),
                _ => tracing::debug!(?event, "before the capabilities"),
            }
        }
    }
}
