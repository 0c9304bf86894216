//! Messages in records: what looks like a stream to the connection is cut where messages end.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::DatagramSocket;
use crate::transport::openssl::LegacyStream;
use crate::wire::{Frame, WireProfile};

/// The most that a record of TLS carries (RFC 6347 section 4.1): a longer message cannot be sent.
pub(crate) const LONGEST_DTLS_MESSAGE: usize = 16_384;

/// While this much waits to be sent, no more is taken.
const MAX_UNSENT: usize = 65_536;

/// An established DTLS session.
#[derive(Debug)]
pub(crate) struct DtlsStream {
    session: LegacyStream<DatagramSocket>,
    profile: Arc<WireProfile>,
    record: Box<[u8]>,
    /// Whole messages that have arrived.
    input: BytesMut,
    /// Messages that wait to be sent.
    output: BytesMut,
}

impl DtlsStream {
    pub(crate) fn new(session: LegacyStream<DatagramSocket>, profile: Arc<WireProfile>) -> Self {
        Self {
            session,
            profile,
            record: vec![0; LONGEST_DTLS_MESSAGE].into_boxed_slice(),
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    /// Receives one record into `input`, if it is whole messages; whether there can be more.
    fn poll_record(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Self {
            session,
            profile,
            record,
            input,
            ..
        } = self;
        let mut buffer = ReadBuf::new(record);
        ready!(Pin::new(session).poll_read(context, &mut buffer))?;
        let record = buffer.filled();
        if record.is_empty() {
            return Poll::Ready(Ok(false));
        }
        if is_whole_messages(profile, record) {
            input.extend_from_slice(record);
        } else {
            tracing::warn!(
                length = record.len(),
                "a record that is not whole messages is dropped"
            );
        }
        Poll::Ready(Ok(true))
    }

    /// Sends what waits, a message a record.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let cut = Frame::cut(&self.profile, usize::MAX, &self.output)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let Some((_, length)) = cut else {
                return Poll::Ready(Ok(()));
            };
            if length > LONGEST_DTLS_MESSAGE {
                tracing::warn!(
                    length,
                    limit = LONGEST_DTLS_MESSAGE,
                    "a message that no DTLS record carries is not sent"
                );
            } else if let Some(message) = self.output.get(..length) {
                ready!(Pin::new(&mut self.session).poll_write(context, message))?;
            }
            self.output.advance(length);
        }
    }
}

fn is_whole_messages(profile: &WireProfile, mut record: &[u8]) -> bool {
    while !record.is_empty() {
        let Ok(Some((_, length))) = Frame::cut(profile, LONGEST_DTLS_MESSAGE, record) else {
            return false;
        };
        let Some(rest) = record.get(length..).filter(|_| length > 0) else {
            return false;
        };
        record = rest;
    }
    true
}

impl AsyncRead for DtlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.input.is_empty() {
            if !ready!(self.poll_record(context))? {
                return Poll::Ready(Ok(()));
            }
        }
        let length = self.input.len().min(buffer.remaining());
        buffer.put_slice(&self.input.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DtlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = self.poll_send(context)?;
        if sent.is_pending() && self.output.len() >= MAX_UNSENT {
            return Poll::Pending;
        }
        self.output.extend_from_slice(bytes);
        // What cannot go now goes with the flush that follows.
        let _sent: Poll<()> = self.poll_send(context)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.session).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_whole_messages_or_nothing() {
        let profile = WireProfile::built_in();
        let echo = [1, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 7];
        let two = [echo, echo].concat();
        assert!(is_whole_messages(profile, &echo) && is_whole_messages(profile, &two));
        for length in (1..two.len()).filter(|length| *length != echo.len()) {
            assert!(!is_whole_messages(profile, &two[..length]), "cut at {length}");
        }
    }
}
