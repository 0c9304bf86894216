//! Moves bytes between a stream and a [`Connection`]: the one place where the protocol meets I/O.

use core::future::poll_fn;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::time::Duration;
use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::proto::Connection;

/// While this much waits to be written, nothing is read: a peer that asks and does not take the answers stops its own
/// questions instead of filling our memory.
const MAX_UNSENT: usize = 65_536;

/// How many bytes are read at a time where little comes: location servers send small requests.
const LITTLE: usize = 4096;

/// How many bytes are read at a time where much comes: four TLS records.
const MUCH: usize = 65_536;

/// What the peer is expected to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Seldom and small messages, on many connections: one that is idle holds no buffer to read into.
    Little,
    /// A stream of measurements: it is read into the place where its messages are cut, without a copy.
    Much,
}

/// An established stream with the state machine that belongs to it.
#[derive(Debug)]
pub(crate) struct Driver<S> {
    pub(crate) connection: Connection,
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    expected: Expected,
    out: BytesMut,
    needs_flush: bool,
    timer: Pin<Box<Sleep>>,
    armed: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite> Driver<S> {
    pub(crate) fn new(stream: S, connection: Connection, expected: Expected) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            connection,
            reader,
            writer,
            expected,
            out: BytesMut::new(),
            needs_flush: false,
            timer: Box::pin(sleep_until(Instant::now())),
            armed: None,
        }
    }

    /// Waits until one thing has happened at the stream or the clock, and has the connection deal with it. Dropping the
    /// future loses nothing.
    pub(crate) async fn turn(&mut self, reading: bool) -> io::Result<()> {
        self.connection.poll_transmit(&mut self.out);
        self.arm_timer();
        let Self {
            connection,
            reader,
            writer,
            expected,
            out,
            needs_flush,
            timer,
            armed,
        } = self;
        let reading = reading && out.len() < MAX_UNSENT;
        let writing = !out.is_empty() || *needs_flush;
        tokio::select! {
            read = receive(reader, connection, *expected), if reading => match read {
                Ok(0) => connection.handle_end_of_stream(),
                Ok(_) => {}
                // A peer that goes away without a TLS goodbye; messages carry their length, so nothing is cut unseen.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => connection.handle_end_of_stream(),
                Err(error) => return Err(error),
            },
            sent = send(writer, out, needs_flush), if writing => sent?,
            () = timer.as_mut(), if armed.is_some() => {
                *armed = None;
                connection.handle_timeout(now());
            }
        }
        Ok(())
    }

    /// The timer is moved only when it would ring too late: ringing early does no harm, and messages that put off a
    /// deadline do not touch it.
    fn arm_timer(&mut self) {
        let Some(wanted) = self.connection.poll_timeout().map(Instant::from_std) else {
            return;
        };
        if self.armed.is_none_or(|armed| wanted < armed) {
            self.timer.as_mut().reset(wanted);
            self.armed = Some(wanted);
        }
    }

    /// How many bytes wait to be written.
    pub(crate) fn unsent(&self) -> usize {
        self.out.len()
    }

    /// Sends what waits, says goodbye, and closes; gives up after `limit`. Nothing can be done with it afterwards.
    pub(crate) async fn close(&mut self, limit: Duration) {
        self.connection.close();
        self.connection.poll_transmit(&mut self.out);
        let farewell = async {
            self.writer.write_all_buf(&mut self.out).await?;
            self.writer.shutdown().await
        };
        match timeout(limit, farewell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the peer was gone before the goodbye"),
            Err(_) => tracing::debug!(?limit, "the peer did not take the goodbye"),
        }
    }
}

/// Hands what has arrived to the connection; returns its length. Dropping the future loses nothing.
async fn receive<R: AsyncRead + Unpin>(
    reader: &mut R,
    connection: &mut Connection,
    expected: Expected,
) -> io::Result<usize> {
    match expected {
        Expected::Much => {
            let length = reader.read_buf(connection.input_buffer(MUCH)).await?;
            connection.handle_buffered_input(now());
            Ok(length)
        }
        Expected::Little => {
            poll_fn(|context| {
                let mut space = [const { MaybeUninit::<u8>::uninit() }; LITTLE];
                let mut arrived = ReadBuf::uninit(&mut space);
                core::task::ready!(Pin::new(&mut *reader).poll_read(context, &mut arrived))?;
                connection.handle_input(now(), arrived.filled());
                core::task::Poll::Ready(Ok(arrived.filled().len()))
            })
            .await
        }
    }
}

/// Takes one step towards an empty buffer and a flushed stream. Dropping the future loses nothing.
async fn send<W: AsyncWrite + Unpin>(
    writer: &mut W,
    out: &mut BytesMut,
    needs_flush: &mut bool,
) -> io::Result<()> {
    if out.is_empty() {
        writer.flush().await?;
        *needs_flush = false;
        return Ok(());
    }
    if writer.write_buf(out).await? == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    *needs_flush = true;
    Ok(())
}

/// The present time, by tokio's clock so that a test can stop it.
pub(crate) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod lost_connection;
