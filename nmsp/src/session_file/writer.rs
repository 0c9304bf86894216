//! Writes session files, message by message as they come.

use core::time::Duration;
use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;

use super::{Entry, Head};
use crate::capture::Direction;
use crate::capture::cutter::Cutter;
use crate::wire::{Frame, Octets, WireProfile};

#[derive(Serialize)]
struct Line<'a> {
    us: u64,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    bytes: &'a str,
}

/// Writes a session file. Every line is handed to the output as a whole, so that what is there can be read whenever the
/// writer is stopped.
#[derive(Debug)]
pub struct SessionWriter<W> {
    output: W,
    profile: Arc<WireProfile>,
    entries: u64,
}

impl<W: Write> SessionWriter<W> {
    /// Writes the head.
    ///
    /// # Errors
    /// If the output fails.
    pub fn new(mut output: W, head: &Head, profile: Arc<WireProfile>) -> io::Result<Self> {
        let mut line = serde_json::to_vec(head)?;
        line.push(b'\n');
        output.write_all(&line)?;
        output.flush()?;
        Ok(Self {
            output,
            profile,
            entries: 0,
        })
    }

    /// Writes a message.
    ///
    /// # Errors
    /// If the output fails.
    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        let frame = Frame::cut(&self.profile, usize::MAX, &entry.bytes).ok().flatten();
        let message = frame.and_then(|(frame, _)| self.profile.message_type(frame.header.id));
        let mut line = serde_json::to_vec(&Line {
            us: u64::try_from(entry.time.as_micros()).unwrap_or(u64::MAX),
            direction: entry.direction.name(),
            message: message.map(crate::wire::MessageType::name),
            bytes: &Octets::from(entry.bytes.as_slice()).to_string(),
        })?;
        line.push(b'\n');
        self.output.write_all(&line)?;
        self.output.flush()?;
        self.entries += 1;
        Ok(())
    }

    /// How many messages were written.
    pub const fn entries(&self) -> u64 {
        self.entries
    }
}

/// Cuts the bytes of both directions into messages and writes them. Holds at most one incomplete message of each direction.
#[derive(Debug)]
pub struct Recorder<W> {
    writer: SessionWriter<W>,
    profile: Arc<WireProfile>,
    max_message_length: usize,
    to_controller: Cutter,
    to_location_server: Cutter,
}

impl<W: Write> Recorder<W> {
    /// A recorder at the start of both directions.
    pub fn new(writer: SessionWriter<W>, max_message_length: usize) -> Self {
        Self {
            profile: Arc::clone(&writer.profile),
            writer,
            max_message_length,
            to_controller: Cutter::default(),
            to_location_server: Cutter::default(),
        }
    }

    /// Takes bytes of a direction. What is no message is not recorded; the connection that it comes from ends with it.
    ///
    /// # Errors
    /// If the output fails.
    pub fn bytes(&mut self, time: Duration, direction: Direction, bytes: &[u8]) -> io::Result<()> {
        let cutter = match direction {
            Direction::ToController => &mut self.to_controller,
            Direction::ToLocationServer => &mut self.to_location_server,
        };
        let writer = &mut self.writer;
        let mut outcome = Ok(());
        cutter.push(&self.profile, self.max_message_length, bytes, |_, message| {
            if let (Ok(()), Ok(message)) = (&outcome, message) {
                outcome = writer.write(&Entry {
                    time,
                    direction,
                    bytes: message.to_vec(),
                });
            }
        });
        outcome
    }

    /// How many messages were written.
    pub const fn entries(&self) -> u64 {
        self.writer.entries()
    }

    /// Where they go.
    pub const fn output(&mut self) -> &mut W {
        &mut self.writer.output
    }
}
