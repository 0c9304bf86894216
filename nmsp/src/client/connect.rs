//! From a name to an established connection.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::lookup_host;
use tokio::time::timeout;

use pki_common::{Rung, TlsFault};

use super::host::{host_of, with_default_port};
use super::identity::ControllerIdentity;
use super::{ClientConfig, pins};
use crate::driver::{Driver, Expected, now};
use crate::error::Error;
use crate::proto::{Connection, Event, Role};
use crate::transport::{ControllerStream, Link, Refusals, SecureError};
use crate::wire::message::Capability;

/// A connection on which the controller has said what it can do.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) driver: Driver<ControllerStream>,
    pub(super) address: SocketAddr,
    pub(super) identity: Arc<ControllerIdentity>,
    pub(super) capability: Capability,
}

/// An authenticated path to a controller on which nothing has been said yet.
#[derive(Debug)]
pub(crate) struct Secured {
    pub(crate) stream: ControllerStream,
    pub(crate) identity: ControllerIdentity,
    pub(crate) refusals: Refusals,
}

/// Connects, and returns when the controller has said what it can do.
///
/// Waiting for that is part of it: in TLS 1.3 the client's handshake is finished before the controller has judged its
/// certificate, so a refusal (alert 46 from the authlist) arrives only after it.
pub(super) async fn establish(controller: &str, config: &ClientConfig) -> Result<Established, Error> {
    let controller = with_default_port(controller);
    let (link, address) = reach(&controller, config).await?;
    within(config.handshake_timeout, async {
        let secured = secure(&controller, address, link, config).await?;
        greet(secured, address, config).await
    })
    .await
}

/// Connects and authenticates, and leaves what is said to the caller; with the controller's address.
#[cfg(feature = "cli")]
pub(crate) async fn dial(controller: &str, config: &ClientConfig) -> Result<(Secured, SocketAddr), Error> {
    let controller = with_default_port(controller);
    let (link, address) = reach(&controller, config).await?;
    let securing = secure(&controller, address, link, config);
    let secured = within(config.handshake_timeout, securing).await?;
    Ok((secured, address))
}

async fn within<T>(limit: Duration, handshake: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(limit, handshake).await.map_err(|_| Error::TimedOut {
        what: "the handshake with the controller",
        rung: Rung::Tls(TlsFault::Protocol),
        after: limit,
    })?
}

/// Resolves the name, and connects.
async fn reach(controller: &str, config: &ClientConfig) -> Result<(Link, SocketAddr), Error> {
    let unresolved = |source| Error::NameResolution {
        host: controller.to_owned(),
        source,
    };
    let limit = config.connect_timeout;
    let resolved = timeout(limit, lookup_host(controller)).await;
    let addresses: Vec<SocketAddr> = resolved
        .map_err(|_| Error::TimedOut {
            what: "the resolution of the controller's name",
            rung: Rung::NameResolution,
            after: limit,
        })?
        .map_err(unresolved)?
        .collect();
    let link = Link::open(controller, &addresses, config).await?;
    let address = link.peer_addr()?;
    Ok((link, address))
}

/// The handshake.
async fn secure(
    controller: &str,
    address: SocketAddr,
    link: Link,
    config: &ClientConfig,
) -> Result<Secured, Error> {
    // The name in the certificate is compared only if the verifier is asked to; it never is with an authlist.
    let name = ServerName::try_from(host_of(controller).to_owned())
        .unwrap_or_else(|_| ServerName::from(address.ip()));
    let refusals = Refusals::of("the controller");
    let mut config = config.clone();
    config.tls.peer = pins::for_controller(config.tls.peer, controller);
    let stream = link
        .secure(name, &config, refusals.recorder())
        .await
        .map_err(|error| match error {
            SecureError::Handshake(error) => Error::Tls(Box::new(refusals.explain(&error))),
            SecureError::Setup(error) => error,
        })?;
    let certificate = refusals.recorder().validated();
    if let Some(certificate) = &certificate {
        // rustls has done so in the handshake; other transports have proven the key by now, too.
        let pinned = config.tls.peer.key_proven(certificate.der());
        pinned.map_err(|error| {
            let error = rustls::Error::InvalidCertificate(error);
            Error::Tls(Box::new(refusals.explain_tls(&error)))
        })?;
    }
    Ok(Secured {
        stream,
        identity: ControllerIdentity::reached(controller.into(), address, certificate.as_ref()),
        refusals,
    })
}

/// Waits for the controller's Capability Notification.
async fn greet(secured: Secured, address: SocketAddr, config: &ClientConfig) -> Result<Established, Error> {
    let Secured {
        stream,
        identity,
        refusals,
    } = secured;
    let mut config = config.connection.clone();
    config.max_sent_length = config.max_sent_length.min(stream.longest_message());
    let connection = Connection::new(config, Role::LocationServer, now());
    let mut driver = Driver::new(stream, connection, Expected::Much);
    loop {
        let turned = driver.turn(true).await;
        turned.map_err(|error| Error::Tls(Box::new(refusals.explain(&error))))?;
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
