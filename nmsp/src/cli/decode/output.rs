//! Messages for people and for programs.

use core::fmt::Write as _;
use core::time::Duration;
use std::io::Write;
use std::net::SocketAddr;

use rustls::pki_types::UnixTime;
use serde::Serialize;

use crate::capture::{Direction, Finding, Item};
use crate::cli::failure::CliError;
use crate::wire::describe::{Part, describe};
use crate::wire::text::hexadecimal;
use crate::wire::{Frame, OwnedMessage, WireProfile};

/// How many bytes of a field stand beside it; JSON has them all.
const BYTES_SHOWN: usize = 8;

/// Where a message comes from, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Origin {
    pub(super) time: Option<Duration>,
    pub(super) connection: Option<u32>,
    pub(super) direction: Option<Direction>,
    pub(super) packet: Option<u64>,
    /// Where it starts, in bytes of its stream.
    pub(super) offset: u64,
}

/// Writes what was decoded, and counts.
pub(super) struct Output<'a, W> {
    out: W,
    profile: &'a WireProfile,
    json: bool,
    pub(super) messages: u64,
    pub(super) malformed: u64,
    pub(super) problems: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct MessageLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<u64>,
    offset: u64,
    length: usize,
    id: Option<u16>,
    name: Option<&'static str>,
    transaction: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
    /// The values, if the message is well-formed.
    #[serde(skip_serializing_if = "Option::is_none")]
    decoded: Option<OwnedMessage>,
    bytes: String,
    parts: Vec<PartLine<'a>>,
}

#[derive(Serialize)]
struct PartLine<'a> {
    offset: usize,
    depth: usize,
    name: &'a str,
    value: &'a str,
    bytes: String,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    malformed: bool,
}

impl<'a, W: Write> Output<'a, W> {
    pub(super) fn new(out: W, profile: &'a WireProfile, json: bool) -> Self {
        Self {
            out,
            profile,
            json,
            messages: 0,
            malformed: 0,
            problems: 0,
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), CliError> {
        self.out.flush().map_err(CliError::Output)
    }

    fn line(&mut self, text: &str) -> Result<(), CliError> {
        writeln!(self.out, "{text}").map_err(CliError::Output)
    }

    fn json_line(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| CliError::Output(error.into()))?;
        self.line("")
    }

    /// A message, whole or what there is of it.
    pub(super) fn message(&mut self, origin: Origin, bytes: &[u8]) -> Result<(), CliError> {
        self.messages += 1;
        let parts = describe(self.profile, bytes);
        let frame = match Frame::cut(self.profile, usize::MAX, bytes) {
            Ok(Some((frame, _))) => Ok(frame),
            Ok(None) => Err("it is incomplete".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let decoded = frame
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|frame| OwnedMessage::decode(frame, self.profile).map_err(|error| error.to_string()));
        let (decoded, error) = match decoded {
            Ok(message) => (Some(message), None),
            Err(error) => (None, Some(error)),
        };
        let in_parts = parts
            .iter()
            .find(|part| part.malformed)
            .map(|part| part.value.clone());
        let error = error.or(in_parts);
        self.malformed += u64::from(error.is_some());
        if !self.json {
            return self.message_text(origin, &parts, error.as_deref());
        }
        let header = frame.ok().map(|frame| frame.header);
        let name = header.and_then(|header| self.profile.message_type(header.id));
        let line = MessageLine {
            time: origin.time.map(time_text),
            connection: origin.connection,
            direction: origin.direction.map(Direction::name),
            packet: origin.packet,
            offset: origin.offset,
            length: bytes.len(),
            id: header.map(|header| header.id.0),
            name: name.map(crate::wire::MessageType::name),
            transaction: header.map(|header| header.transaction),
            malformed: error,
            decoded,
            bytes: hexadecimal(bytes),
            parts: parts.iter().map(part_line).collect(),
        };
        self.json_line(&line)
    }

    fn message_text(
        &mut self,
        origin: Origin,
        parts: &[Part<'_>],
        error: Option<&str>,
    ) -> Result<(), CliError> {
        let mut head = String::new();
        if let Some(time) = origin.time {
            head.push_str(&time_text(time));
            head.push(' ');
        }
        if let Some(connection) = origin.connection {
            // Writing to a string does not fail.
            let _infallible = write!(head, "#{connection} ");
        }
        if let Some(direction) = origin.direction {
            let _infallible = write!(head, "{direction}, ");
        }
        if let Some(packet) = origin.packet {
            let _infallible = write!(head, "packet {packet}, ");
        }
        let (title, fields) = match parts {
            [first, rest @ ..] if first.depth == 0 && !first.leaf => (first.value.as_str(), rest),
            all => ("incomplete message", all),
        };
        let title = console::style(title).bold();
        self.line(&format!("{head}byte {}: {title}", origin.offset))?;
        for part in fields {
            self.part(part)?;
        }
        match error {
            Some(error) => self.line(&format!(
                "  {}",
                console::style(format!("malformed: {error}")).red()
            )),
            None => Ok(()),
        }
    }

    fn part(&mut self, part: &Part<'_>) -> Result<(), CliError> {
        let bytes = match part.bytes.get(..BYTES_SHOWN) {
            Some(first) if part.leaf && part.bytes.len() > BYTES_SHOWN => {
                format!("{}...", hexadecimal(first))
            }
            _ if part.leaf => hexadecimal(part.bytes),
            _ => String::new(),
        };
        let indent = "  ".repeat(part.depth.saturating_sub(1));
        let text = format!(
            "  {:04x}  {bytes:<19}  {indent}{}: {}",
            part.offset, part.name, part.value
        );
        if part.malformed {
            return self.line(&console::style(text).red().to_string());
        }
        self.line(&text)
    }

    /// Everything that is not a message.
    pub(super) fn other(&mut self, item: &Item) -> Result<(), CliError> {
        let (text, json) = match item {
            Item::Connection {
                connection,
                packet,
                time,
                location_server,
                controller,
            } => connection_lines(*connection, *packet, *time, *location_server, *controller),
            Item::Tls {
                connection,
                packet,
                version,
                suite,
            } => (
                format!("#{connection} {version}, {suite} (packet {packet})"),
                serde_json::json!({ "connection": connection, "packet": packet, "tls": version.to_string(), "suite": suite }),
            ),
            Item::Alert {
                connection,
                direction,
                packet,
                time,
                fatal,
                description,
            } => {
                let level = if *fatal { "fatal alert" } else { "alert" };
                let name = alert_name(*description);
                (
                    format!(
                        "{} #{connection} {direction}, packet {packet}: TLS {level} {description} ({name})",
                        time_text(*time)
                    ),
                    serde_json::json!({
                        "time": time_text(*time), "connection": connection, "direction": direction.name(), "packet": packet,
                        "alert": description, "fatal": fatal, "name": name,
                    }),
                )
            }
            Item::Problem(finding) => return self.problem(finding),
            Item::Message(_) => return Ok(()),
        };
        if self.json {
            self.json_line(&json)
        } else {
            self.line(&text)
        }
    }

    pub(super) fn problem(&mut self, finding: &Finding) -> Result<(), CliError> {
        self.problems += 1;
        if self.json {
            return self.json_line(&serde_json::json!({
                "problem": finding.problem.to_string(), "packet": finding.packet, "connection": finding.connection,
                "direction": finding.direction.map(Direction::name),
            }));
        }
        let text = console::style(format!("problem: {finding}")).red().to_string();
        self.line(&text)
    }
}

fn connection_lines(
    connection: u32,
    packet: u64,
    time: Duration,
    location_server: SocketAddr,
    controller: SocketAddr,
) -> (String, serde_json::Value) {
    (
        format!("#{connection} location server {location_server}, controller {controller} (packet {packet})"),
        serde_json::json!({
            "time": time_text(time), "connection": connection, "packet": packet,
            "location-server": location_server.to_string(), "controller": controller.to_string(),
        }),
    )
}

fn part_line<'a>(part: &'a Part<'_>) -> PartLine<'a> {
    PartLine {
        offset: part.offset,
        depth: part.depth,
        name: &part.name,
        value: &part.value,
        bytes: hexadecimal(part.bytes),
        malformed: part.malformed,
    }
}

/// The names of RFC 8446 section 6.
fn alert_name(description: u8) -> String {
    let alert = rustls::AlertDescription::from(description);
    format!("{alert:?}")
}

/// Time as RFC 3339 with microseconds.
pub(in crate::cli) fn time_text(time: Duration) -> String {
    let seconds = pki_common::clock::rfc3339(UnixTime::since_unix_epoch(time));
    match seconds.strip_suffix('Z') {
        Some(seconds) => format!("{seconds}.{:06}Z", time.subsec_micros()),
        None => seconds,
    }
}
