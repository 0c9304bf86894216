//! A controller and a location server in one program, over loopback.

use std::sync::Arc;

use nmsp::client::{Client, ClientConfig};
use nmsp::proto::Event;
use nmsp::server::{Server, ServerConfig};
use nmsp::wire::message::{Measurement, Timestamp};
use nmsp::wire::{Services, StationClass};
use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two self-signed identities; each side admits the other by its MAC address and key hash.
    let controller = Arc::new(Identity::self_signed(SelfSigned::new("003a.7d00.0001".parse()?))?);
    let location_server = Arc::new(Identity::self_signed(SelfSigned::new("0050.569c.3489".parse()?))?);
    let admit = |peer: &Identity| {
        let list = AuthList::import(AuthListFormat::ServerAuthInfo, &peer.server_auth_info())?;
        Ok::<_, pki_common::authlist::ImportError>(PeerVerifier::authlist(SharedAuthList::new(list)))
    };

    let server = Server::bind(
        "127.0.0.1:0",
        ServerConfig::new(Arc::clone(&controller), admit(&location_server)?),
    )
    .await?;
    let (address, handle) = (server.local_addr()?, server.handle());
    let running = tokio::spawn(server.run());

    let tls = ClientTls::new(admit(&controller)?).with_identity(location_server);
    let mut client = Client::connect(&address.to_string(), ClientConfig::new(tls)).await?;
    client.subscribe(Services::RSSI_MS).await?;

    let station = "02:00:00:00:00:01".parse()?;
    let (class, timestamp) = (StationClass::CLIENT, Timestamp(1_433_612_873_000));
    handle.publish(&Measurement {
        station,
        class,
        timestamp,
        ..Measurement::default()
    })?;
    if let Some(Event::Notification(frame)) = client.next().await? {
        assert!(
            frame.measurement().is_some_and(|measurement| measurement
                .stations()
                .any(|measured| measured.station == station))
        );
    }

    client.close().await?;
    handle.shutdown();
    Ok(running.await?)
}
