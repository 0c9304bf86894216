//! A controller that does what a test says, message by message, over real TLS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use nmsp::client::ClientConfig;
use nmsp::proto::{Connection, ConnectionConfig, Event, MessageFrame, Role};
use nmsp::wire::{OwnedMessage, Services};
use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::support::{CONTROLLER, LOCATION_SERVER, PATIENCE, authlist_of, identity};

pub(crate) struct ScriptedController {
    pub(crate) identity: Arc<Identity>,
    pub(crate) location_server: Arc<Identity>,
    pub(crate) address: SocketAddr,
    pub(crate) offers: Services,
    listener: TcpListener,
}

impl ScriptedController {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            identity: identity(CONTROLLER),
            location_server: identity(LOCATION_SERVER),
            address: listener.local_addr().unwrap(),
            offers: Services(u64::MAX),
            listener,
        }
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        let tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&self.identity)))
            .with_identity(Arc::clone(&self.location_server));
        let mut config = ClientConfig::new(tls);
        config.connection.services = Services(u64::MAX);
        config
    }

    /// A connection before anything was said on it.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// The next location server, with its handshake done.
    pub(crate) async fn accept(&self) -> Tunnel {
        let admitted = PeerVerifier::authlist(authlist_of(&self.location_server));
        let mut tls = ServerTls::new(Arc::clone(&self.identity));
        tls.client_authentication = ClientAuthentication::Required(admitted);
        let acceptor = TlsAcceptor::from(tls.rustls_config().unwrap());
        let stream = acceptor.accept(self.accept_tcp().await).await.unwrap();
        let config = ConnectionConfig {
            services: self.offers,
            ..ConnectionConfig::default()
        };
        Tunnel {
            stream,
            connection: Connection::new(config, Role::Controller, std::time::Instant::now()),
        }
    }
}

pub(crate) struct Tunnel {
    stream: TlsStream<TcpStream>,
    pub(crate) connection: Connection,
}

impl Tunnel {
    /// Sends what waits.
    pub(crate) async fn send(&mut self) {
        let mut out = BytesMut::new();
        self.connection.poll_transmit(&mut out);
        self.stream.write_all(&out).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next thing the location server does.
    pub(crate) async fn event(&mut self) -> Event {
        let next = async {
            loop {
                if let Some(event) = self.connection.poll_event() {
                    return event;
                }
                self.send().await;
                let mut input = [0; 4096];
                match self.stream.read(&mut input).await {
                    Ok(0) | Err(_) => self.connection.handle_end_of_stream(),
                    Ok(length) => self
                        .connection
                        .handle_input(std::time::Instant::now(), input.get(..length).unwrap()),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }

    /// The next request, whatever else happens before it.
    pub(crate) async fn request(&mut self) -> (u32, MessageFrame) {
        loop {
            if let Event::Request { transaction, frame } = self.event().await {
                return (transaction, frame);
            }
        }
    }

    /// Waits until the location server has subscribed something, and answers.
    pub(crate) async fn subscribed(&mut self) -> Services {
        loop {
            if let Event::SubscriptionChanged { subscription, .. } = self.event().await {
                self.send().await;
                return subscription.services;
            }
        }
    }

    pub(crate) async fn respond(&mut self, transaction: u32, message: &OwnedMessage) {
        self.connection
            .respond(std::time::Instant::now(), transaction, message)
            .unwrap();
        self.send().await;
    }

    pub(crate) async fn notify(&mut self, sequence: u32, message: &OwnedMessage) {
        self.connection.notify(sequence, message).unwrap();
        self.send().await;
    }

    /// Sends and closes.
    pub(crate) async fn end(mut self) {
        self.send().await;
        // The peer may be gone first.
        drop(self.stream.shutdown().await);
    }
}
