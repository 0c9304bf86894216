//! One TCP connection, with TLS or without, driven step by step.
//!
//! TLS is driven by hand rather than by a stream, because the steps decide what becomes a record, what becomes a TCP
//! segment, and what goes past TLS. While it writes it reads as well, so a device that sends a lot before it reads on cannot
//! stall the tester; and no call waits longer than its caller allows.

use core::time::Duration;
use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use pki_common::channel_binding::{ChannelBindings, record_handshake};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::play::End;

/// How much of what a device sends is kept for judgement; the rest is counted. More than any answer to a request of ours.
pub const MAX_KEPT: usize = 1024 * 1024;

/// How much is read at once.
const READ_SIZE: usize = 16 * 1024;

/// How long a write may wait for a device that reads nothing. Its receive buffer is full then, which is no fault of it.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);

/// A connection.
#[derive(Debug)]
pub struct Link {
    tcp: TcpStream,
    tls: Option<Box<Connection>>,
    /// What waits to be written to TCP.
    out: Vec<u8>,
    received: Vec<u8>,
    received_total: u64,
    received_at_last_send: u64,
    sent_total: u64,
    made: Vec<Vec<u8>>,
    bindings: ChannelBindings,
    end: Option<End>,
}

impl Link {
    /// TCP alone.
    #[must_use]
    pub fn plain(tcp: TcpStream) -> Self {
        // Without it small segments are joined. A connection that refuses the option has been reset already.
        drop(tcp.set_nodelay(true));
        Self {
            tcp,
            tls: None,
            out: Vec::new(),
            received: Vec::new(),
            received_total: 0,
            received_at_last_send: 0,
            sent_total: 0,
            made: Vec::new(),
            bindings: ChannelBindings::default(),
            end: None,
        }
    }

    /// TLS as the client.
    ///
    /// # Errors
    /// How the handshake ended.
    pub async fn client(
        tcp: TcpStream,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        deadline: Instant,
    ) -> Result<Self, End> {
        let tls = ClientConnection::new(config, name).map_err(|error| End::BrokenTls(error.to_string()))?;
        // Where the configuration does not ask for bindings, nothing is recorded.
        let (shaken, finished) = record_handshake(Self::plain(tcp).shake(tls.into(), deadline)).await;
        let mut link = shaken?;
        if let Some(Connection::Client(tls)) = link.tls.as_deref() {
            link.bindings = ChannelBindings::of_client(tls, &finished);
        }
        Ok(link)
    }

    /// TLS as the server.
    ///
    /// # Errors
    /// How the handshake ended.
    pub async fn server(tcp: TcpStream, config: Arc<ServerConfig>, deadline: Instant) -> Result<Self, End> {
        let tls = ServerConnection::new(config).map_err(|error| End::BrokenTls(error.to_string()))?;
        Self::plain(tcp).shake(tls.into(), deadline).await
    }

    async fn shake(mut self, mut tls: Connection, deadline: Instant) -> Result<Self, End> {
        // The size of a case is bounded already; here it must not be cut off.
        tls.set_buffer_limit(None);
        self.tls = Some(Box::new(tls));
        self.collect();
        let done = |link: &Self| link.tls.as_ref().is_some_and(|tls| !tls.is_handshaking());
        self.pump(deadline, |link| done(link) && link.out.is_empty())
            .await;
        match self.end.take() {
            // The device may close right after the handshake; that is for the first step to notice.
            Some(end) if done(&self) => self.end = Some(end),
            Some(end) => return Err(end),
            None if done(&self) => {}
            None => return Err(End::Silent),
        }
        Ok(self)
    }

    /// Sends records through TLS, or their bytes through TCP, cut into segments of these sizes, with a wait after each.
    pub async fn send(&mut self, records: &[&[u8]], segments: &[usize], stall: Duration) {
        self.received_at_last_send = self.received_total;
        let mut bytes = Vec::new();
        for record in records {
            self.sent_total += u64::try_from(record.len()).unwrap_or(u64::MAX);
            match &mut self.tls {
                Some(tls) => {
                    // Into memory, without a limit: it cannot fail.
                    drop(tls.writer().write_all(record));
                    while tls.wants_write() && tls.write_tls(&mut bytes).is_ok() {}
                }
                None => bytes.extend_from_slice(record),
            }
        }
        let mut rest = bytes.as_slice();
        for size in segments {
            let (segment, others) = rest.split_at(rest.len().min(*size));
            rest = others;
            self.write(segment).await;
            if !stall.is_zero() {
                self.pause(stall).await;
            }
        }
        self.write(rest).await;
    }

    /// Sends what was made for this connection, in one record or as many as it needs.
    pub async fn send_made(&mut self, bytes: Vec<u8>) {
        if self.end.is_some() {
            return;
        }
        self.send(&[&bytes], &[], Duration::ZERO).await;
        self.made.push(bytes);
    }

    /// What was made for it, in order.
    #[must_use]
    pub fn made(&self) -> &[Vec<u8>] {
        &self.made
    }

    /// The binding that a client presents: tls-unique where there is one, else tls-exporter.
    #[must_use]
    pub fn binding(&self) -> Option<Vec<u8>> {
        self.bindings().into_iter().next()
    }

    /// Its channel bindings: tls-unique, tls-exporter. None unless the configuration of TLS asks for them.
    #[must_use]
    pub fn bindings(&self) -> Vec<Vec<u8>> {
        let unique = self.bindings.tls_unique().map(|binding| binding.to_vec());
        let exporter = self.bindings.tls_exporter().map(|binding| binding.to_vec());
        unique.into_iter().chain(exporter).collect()
    }

    /// Sends bytes as they stand, past TLS.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.received_at_last_send = self.received_total;
        self.sent_total += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.write(bytes).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        if self.end.is_some() || bytes.is_empty() {
            return;
        }
        self.out.extend_from_slice(bytes);
        self.pump(Instant::now() + WRITE_PATIENCE, |link| link.out.is_empty())
            .await;
    }

    /// Takes what comes, for so long or until the connection ends.
    pub async fn pause(&mut self, duration: Duration) {
        let deadline = Instant::now() + duration;
        self.pump(deadline, |_| false).await;
    }

    /// Takes what comes until the caller has seen enough. `false` if it came to the deadline or the end before.
    pub async fn read_until(
        &mut self,
        deadline: Instant,
        mut enough: impl FnMut(&[u8]) -> bool + Send,
    ) -> bool {
        self.pump(deadline, |link| enough(&link.received)).await;
        enough(&self.received)
    }

    /// Waits until more has been received than there was, or the connection ended.
    pub async fn read_more(&mut self, duration: Duration) {
        let before = self.received_total;
        let deadline = Instant::now() + duration;
        self.pump(deadline, |link| link.received_total > before).await;
    }

    /// Says that no more will be sent, and keeps reading.
    pub async fn half_close(&mut self) {
        if self.end.is_some() {
            return;
        }
        self.say_goodbye().await;
        // It fails on a connection that is gone, which the next read tells.
        drop(self.tcp.shutdown().await);
    }

    /// Waits until these bytes come, and gives those that follow them, the bytes themselves first; `wanted` in all.
    pub async fn read_from(&mut self, begin: &[u8], wanted: usize, duration: Duration) -> Option<Vec<u8>> {
        let found = |received: &[u8]| {
            let place = memchr::memmem::find(received, begin)?;
            received
                .get(place..place + wanted.max(begin.len()))
                .map(<[u8]>::to_vec)
        };
        self.read_until(Instant::now() + duration, |received| found(received).is_some())
            .await;
        found(&self.received)
    }

    /// Ends the connection by RST.
    pub fn reset(&mut self) {
        let socket = socket2::SockRef::from(&self.tcp);
        // Both can only fail on a connection that is gone.
        drop(socket.set_linger(Some(Duration::ZERO)));
        self.end.get_or_insert(End::ByUs);
        self.tls = None;
    }

    /// Ends the connection in good order.
    pub async fn close(&mut self) {
        self.half_close().await;
        self.end.get_or_insert(End::ByUs);
    }

    async fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.collect();
            self.pump(Instant::now() + WRITE_PATIENCE, |link| link.out.is_empty())
                .await;
        }
    }

    /// What came, up to [`MAX_KEPT`].
    #[must_use]
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// How many bytes came, kept or not.
    #[must_use]
    pub const fn received_total(&self) -> u64 {
        self.received_total
    }

    /// How many bytes were sent, before encryption.
    #[must_use]
    pub const fn sent_total(&self) -> u64 {
        self.sent_total
    }

    /// Whether something came after the last thing that was sent.
    #[must_use]
    pub const fn has_answered(&self) -> bool {
        self.received_total > self.received_at_last_send
    }

    /// How the connection ended; `None` while it lives.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The version of TLS, once the handshake is done.
    #[must_use]
    pub fn tls_version(&self) -> Option<rustls::ProtocolVersion> {
        self.tls.as_ref().and_then(|tls| tls.protocol_version())
    }

    /// Writes what waits and takes what comes, until it is done, the connection ends or the time is up.
    async fn pump(&mut self, deadline: Instant, mut done: impl FnMut(&Self) -> bool + Send) {
        while self.end.is_none() && !done(self) {
            let interest = if self.out.is_empty() {
                Interest::READABLE
            } else {
                Interest::READABLE | Interest::WRITABLE
            };
            let ready = match timeout_at(deadline, self.tcp.ready(interest)).await {
                Err(_) => return,
                Ok(Err(error)) => return self.ended_by(&error),
                Ok(Ok(ready)) => ready,
            };
            if ready.is_writable() && !self.out.is_empty() {
                self.write_some();
            }
            if ready.is_readable() {
                self.read_some();
            }
        }
    }

    fn write_some(&mut self) {
        match self.tcp.try_write(&self.out) {
            Ok(written) => drop(self.out.drain(..written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // What the device sent before it closed is still to be read: the end is noted there.
            Err(error) => {
                self.out.clear();
                while self.end.is_none() && self.read_some() {}
                self.ended_by(&error);
            }
        }
    }

    /// `false` if there was nothing to read.
    fn read_some(&mut self) -> bool {
        let mut buffer = [0; READ_SIZE];
        match self.tcp.try_read(&mut buffer) {
            Ok(0) => {
                self.end.get_or_insert(End::Closed);
            }
            Ok(length) => self.take(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => self.ended_by(&error),
        }
        true
    }

    fn take(&mut self, mut bytes: &[u8]) {
        let Some(tls) = &mut self.tls else {
            self.keep(bytes);
            return;
        };
        let mut plain = Vec::new();
        let mut end = None;
        while !bytes.is_empty() && end.is_none() {
            // From memory: reading cannot fail, but TLS takes nothing more after its end.
            if !tls.read_tls(&mut bytes).is_ok_and(|read| read > 0) {
                break;
            }
            match tls.process_new_packets() {
                Ok(state) if state.peer_has_closed() => end = Some(End::Closed),
                Ok(_) => {}
                Err(rustls::Error::AlertReceived(alert)) => end = Some(End::Alert(alert.into())),
                Err(error) => end = Some(End::BrokenTls(error.to_string())),
            }
            // What it has decrypted so far; "would block" ends it.
            drop(tls.reader().read_to_end(&mut plain));
        }
        self.keep(&plain);
        self.collect();
        if let Some(end) = end {
            // The alert that TLS has made for the device: it goes out if it can at once.
            if self.tcp.try_write(&self.out).is_ok() {
                self.out.clear();
            }
            self.end.get_or_insert(end);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.received_total += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let room = MAX_KEPT.saturating_sub(self.received.len()).min(bytes.len());
        self.received
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
    }

    /// What TLS wants to send.
    fn collect(&mut self) {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() && tls.write_tls(&mut self.out).is_ok() {}
        }
    }

    fn ended_by(&mut self, error: &io::Error) {
        let end = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                End::Reset
            }
            _ => End::BrokenTcp(error.to_string()),
        };
        self.end.get_or_insert(end);
    }
}
