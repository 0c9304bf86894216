//! The rungs that every service stands on, in their order.

use std::net::SocketAddr;

use est::client::Proxy;
use pki_common::trust_store::TrustStore;

use super::proxy::{self, Tunnel};
use super::reach::reach;
use super::resolve::resolve;
use super::road::Road;
use super::tls::{self, Handshake, Terms};
use super::walk::{Stopped, Walk};

pub(super) const NAME_RESOLUTION: &str = "name resolution";
pub(super) const TCP: &str = "TCP";
const PROXY: &str = "proxy";
pub(super) const TLS_VERSIONS: &str = "TLS versions";
pub(super) const CERTIFICATE: &str = "certificate";
pub(super) const TLS_HANDSHAKE: &str = "TLS handshake";

/// The rungs from the ground to `top`, with the proxy's if there is one.
pub(super) fn plan(proxy: bool, top: &[&'static str]) -> Vec<&'static str> {
    let mut plan = vec![NAME_RESOLUTION, TCP];
    plan.extend(proxy.then_some(PROXY));
    plan.extend([TLS_VERSIONS, CERTIFICATE, TLS_HANDSHAKE]);
    plan.extend(top);
    plan
}

/// Where the service is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) proxy: Option<&'a Proxy>,
}

/// Climbs up to a handshake that succeeded.
pub(super) async fn climb(
    walk: &mut Walk,
    place: Place<'_>,
    terms: &Terms,
    anchors: Option<&TrustStore>,
) -> Result<(Road, Handshake), Stopped> {
    let road = reach_service(walk, place).await?;
    walk.rung(TLS_VERSIONS, async |findings| {
        tls::probe(&road, &terms.name, &terms.alpn, findings).await
    })
    .await?;
    walk.rung(CERTIFICATE, async |findings| {
        let chain = tls::look(&road, &terms.name, &terms.alpn, &terms.context).await?;
        tls::describe(&chain, anchors, findings)
    })
    .await?;
    let handshake = walk
        .rung(TLS_HANDSHAKE, async |findings| {
            tls::shake(&road, terms, findings).await
        })
        .await?;
    Ok((road, handshake))
}

async fn reach_service(walk: &mut Walk, place: Place<'_>) -> Result<Road, Stopped> {
    let limit = walk.limit;
    let Place { host, port, proxy } = place;
    let (first_host, first_port) = proxy.map_or((host, port), |proxy| (proxy.host(), proxy.port()));
    let addresses: Vec<SocketAddr> = walk
        .rung(NAME_RESOLUTION, async |findings| {
            if proxy.is_some() {
                findings.note(format!("{host} is looked up by the proxy, {first_host} here"));
            }
            resolve(first_host, first_port, limit, findings).await
        })
        .await?;
    let open = walk
        .rung(TCP, async |findings| reach(&addresses, limit, findings).await)
        .await?;
    let road = Road::new(open, limit);
    let Some(proxy) = proxy else { return Ok(road) };
    let tunnel = Tunnel::new(proxy.clone(), host, port);
    walk.rung(PROXY, async |findings| {
        proxy::check(&road, &tunnel, findings).await
    })
    .await?;
    Ok(road.through(tunnel))
}
