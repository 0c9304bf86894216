//! A location server that does only what a test tells it to: it reads when it is asked to, and not otherwise.

use std::time::Instant;

use bytes::BytesMut;
use nmsp::proto::{CloseReason, Connection, ConnectionConfig, Event, Role};
use nmsp::wire::message::{Measurement, ServiceSubscribeRequest, ServiceSubscribeResponse};
use nmsp::wire::{OwnedMessage, Services};
use pki_common::tls::TlsVersions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::{Lab, PATIENCE, raw_handshake};

pub(crate) struct Peer {
    stream: TlsStream<TcpStream>,
    connection: Connection,
}

impl Peer {
    pub(crate) async fn connect(lab: &Lab) -> Self {
        let stream = TcpStream::connect(lab.address).await.unwrap();
        let stream = raw_handshake(&lab.client_tls(TlsVersions::Tls12And13), stream)
            .await
            .unwrap();
        let config = ConnectionConfig {
            services: all_services(),
            ..ConnectionConfig::default()
        };
        let connection = Connection::new(config, Role::LocationServer, Instant::now());
        let mut peer = Self { stream, connection };
        assert!(matches!(peer.next().await, Event::Established(_)));
        peer
    }

    pub(crate) async fn subscribe(&mut self, request: &ServiceSubscribeRequest) {
        let response = self.subscribe_for_response(request).await;
        assert_eq!(response.rejected.unwrap_or_default(), Services::NONE);
    }

    /// Subscribes; what the controller says to it.
    pub(crate) async fn subscribe_for_response(
        &mut self,
        request: &ServiceSubscribeRequest,
    ) -> ServiceSubscribeResponse {
        let asked = self.connection.subscribe(Instant::now(), request).unwrap();
        loop {
            if let Event::Subscribed {
                transaction,
                response,
                ..
            } = self.next().await
            {
                assert_eq!(transaction, asked);
                return response;
            }
        }
    }

    pub(crate) async fn subscribe_services(&mut self, services: Services) {
        self.subscribe(&ServiceSubscribeRequest {
            services,
            ..ServiceSubscribeRequest::default()
        })
        .await;
    }

    /// Asks; the parts of the answer.
    pub(crate) async fn ask(&mut self, request: &OwnedMessage) -> Vec<OwnedMessage> {
        let asked = self.connection.request(Instant::now(), request).unwrap();
        let mut parts = Vec::new();
        loop {
            match self.next().await {
                Event::Response {
                    transaction,
                    frame,
                    last,
                } if transaction == asked => {
                    parts.push(frame.to_owned());
                    if last {
                        return parts;
                    }
                }
                Event::Notification(_) => {}
                event => panic!("{event:?}"),
            }
        }
    }

    /// The next notification with its sequence number.
    pub(crate) async fn notification(&mut self) -> (u32, OwnedMessage) {
        match self.next().await {
            Event::Notification(frame) => (frame.sequence(), frame.to_owned()),
            event => panic!("{event:?}"),
        }
    }

    /// The next Measurement Notification.
    pub(crate) async fn measurements(&mut self) -> (u32, Vec<Measurement>) {
        match self.notification().await {
            (sequence, OwnedMessage::MeasurementNotification(body)) => (sequence, body.stations),
            (_, message) => panic!("{message:?}"),
        }
    }

    /// Every notification until the controller ends the connection.
    pub(crate) async fn rest(&mut self) -> Vec<OwnedMessage> {
        let mut messages = Vec::new();
        loop {
            match self.next().await {
                Event::Notification(frame) => messages.push(frame.to_owned()),
                Event::Closed(_) => return messages,
                event => panic!("{event:?}"),
            }
        }
    }

    /// Why the controller ends the connection.
    pub(crate) async fn end(&mut self) -> CloseReason {
        loop {
            if let Event::Closed(reason) = self.next().await {
                return reason;
            }
        }
    }

    /// Sends what is given, past the connection.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next bytes, past the connection.
    pub(crate) async fn read_raw(&mut self, buffer: &mut [u8]) -> usize {
        tokio::time::timeout(PATIENCE, self.stream.read(buffer))
            .await
            .unwrap()
            .unwrap()
    }

    async fn next(&mut self) -> Event {
        let mut input = vec![0; 65_536];
        loop {
            let mut out = BytesMut::new();
            if self.connection.poll_transmit(&mut out) {
                self.send_raw(&out).await;
            }
            if let Some(event) = self.connection.poll_event() {
                return event;
            }
            let length = self.read_raw(&mut input).await;
            match length {
                0 => self.connection.handle_end_of_stream(),
                length => self.connection.handle_input(Instant::now(), &input[..length]),
            }
        }
    }
}

pub(crate) fn all_services() -> Services {
    nmsp::wire::Service::ALL.iter().copied().collect()
}
