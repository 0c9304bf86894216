//! `nmsp decode`: every field of every message, with its offset.

mod hex_dump;
mod input;
pub(super) mod output;

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki_common::{Failure, Rung};

use super::failure::CliError;
use super::{profile, read};
use crate::capture::cutter::Cutter;
use crate::capture::{
    Analysis, Capture, DEFAULT_PORT, Finding, Item, KeyLog, Options, Problem, is_whole_tcp_packet,
    raw_ip_packet,
};
use crate::session_file::SessionReader;
use crate::wire::{DEFAULT_MAX_MESSAGE_LENGTH, Frame, MessageType, WireProfile};
use input::{Format, Input};
use output::{Origin, Output};

/// A message of a few kilobytes becomes some hundred kilobytes of JSON.
const OUTPUT_BUFFER: usize = 65_536;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
    Each message is printed with where it comes from, and each field with its offset in the message, its bytes and its \
    value. What is malformed is printed as far as it can be read, and reading goes on with the next message where its \
    place is known. The exit status is 1 if anything was malformed or could not be read.\n\n\
    A capture is decrypted with a key log, the file that SSLKEYLOGFILE names for browsers and curl, -keylogfile for \
    openssl, and --dangerous-key-log for this command; secrets inside a pcapng file are used as well.\n\n\
    Examples:\n  \
    nmsp decode session.pcapng --key-log keys.txt\n  \
    tcpdump -r session.pcap -X port 16113 | nmsp decode\n  \
    echo 01 00 00 01 00 00 00 0c 00 00 00 07 | nmsp decode --json")]
pub(super) struct Arguments {
    /// What to decode: hexadecimal text (digits, or a dump of xxd, hexdump -C, tcpdump -X or Wireshark), bare messages,
    /// pcap, pcapng, or a file of `nmsp record`; "-" or nothing is standard input.
    file: Option<PathBuf>,
    /// How the input is written.
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    format: Format,
    #[command(flatten)]
    capture: CaptureOptions,
    /// The wire profile, a TOML file; the built-in one if not given, or the one that a recorded session names.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Only this connection of a capture, numbered from 1 in the order of their first packets; may be given several times.
    #[arg(long, value_name = "N")]
    connection: Vec<u32>,
    /// Only messages of this name, "Echo Request" or echo-request, or number; may be given several times.
    #[arg(long, value_name = "NAME", value_parser = message_name)]
    message: Vec<Wanted>,
    /// The longest message in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_MAX_MESSAGE_LENGTH)]
    max_message_length: usize,
    /// Prints one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What is told about a capture, here and in `nmsp record`.
#[derive(Debug, clap::Args)]
pub(super) struct CaptureOptions {
    /// The secrets of the TLS sessions in a capture, in the format of NSS.
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,
    /// The port of the controllers in a capture; may be given several times.
    #[arg(long, value_name = "PORT", default_values_t = [DEFAULT_PORT])]
    port: Vec<u16>,
}

impl CaptureOptions {
    /// The options, and what is wrong with the key log.
    pub(super) fn load(&self, profile: &Arc<WireProfile>) -> Result<(Options, Vec<Problem>), CliError> {
        let (key_log, problems) = match &self.key_log {
            Some(path) => KeyLog::parse(&String::from_utf8_lossy(&read(path)?)),
            None => Default::default(),
        };
        let options = Options {
            ports: self.port.clone(),
            profile: Arc::clone(profile),
            key_log,
            ..Options::default()
        };
        Ok((options, problems))
    }
}

/// A message by name or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Name(MessageType),
    Number(u16),
}

fn message_name(text: &str) -> Result<Wanted, String> {
    if let Ok(number) = text.parse() {
        return Ok(Wanted::Number(number));
    }
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], " ");
    let found = MessageType::ALL
        .iter()
        .find(|message| plain(message.name()) == plain(text));
    found.copied().map(Wanted::Name).ok_or_else(|| {
        let names: Vec<&str> = MessageType::ALL.iter().map(|message| message.name()).collect();
        format!(
            "no message has this name; give a number, or one of: {}",
            names.join(", ")
        )
    })
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let input = Input::open(arguments.file.as_deref(), arguments.format)?;
    let given = match &arguments.profile {
        Some(file) => Some(Arc::new(profile::load(file)?)),
        None => None,
    };
    let name = input.name.clone();
    let counts = if input.format == Format::Session {
        session(arguments, input, given)?
    } else {
        let profile = given.unwrap_or_else(|| Arc::clone(WireProfile::built_in()));
        let mut decode = Decode::new(arguments, &profile);
        match input.format {
            Format::Capture => decode.capture(input, &profile)?,
            Format::Hex => decode.hex(input, &profile)?,
            _ => decode.stream(&input.bytes()?)?,
        }
        decode.end()?
    };
    counts.verdict(&name)
}

/// A session file brings its profile along.
fn session(arguments: &Arguments, input: Input, given: Option<Arc<WireProfile>>) -> Result<Counts, CliError> {
    let name = input.name.clone();
    let failed = |error| CliError::session_file(&name, &error);
    let mut reader = SessionReader::new(std::io::BufReader::new(input.reader())).map_err(failed)?;
    let profile = match given {
        Some(profile) => profile,
        None => reader.head().wire_profile().map_err(failed)?,
    };
    let started = reader.head().started();
    let mut decode = Decode::new(arguments, &profile);
    let mut offsets = [0_u64; 2];
    while let Some(entry) = reader.next_entry() {
        let entry = entry.map_err(failed)?;
        let [to_controller, to_location_server] = &mut offsets;
        let offset = match entry.direction {
            crate::capture::Direction::ToController => to_controller,
            crate::capture::Direction::ToLocationServer => to_location_server,
        };
        let origin = Origin {
            time: Some(started.saturating_add(entry.time)),
            direction: Some(entry.direction),
            offset: *offset,
            ..Origin::default()
        };
        *offset += u64::try_from(entry.bytes.len()).unwrap_or_default();
        decode.message(origin, &entry.bytes)?;
    }
    decode.end()
}

struct Decode<'a> {
    arguments: &'a Arguments,
    profile: &'a WireProfile,
    output: Output<'a, BufWriter<std::io::StdoutLock<'static>>>,
}

/// What there was.
struct Counts {
    messages: u64,
    malformed: u64,
    problems: u64,
}

impl<'a> Decode<'a> {
    fn new(arguments: &'a Arguments, profile: &'a WireProfile) -> Self {
        let out = BufWriter::with_capacity(OUTPUT_BUFFER, std::io::stdout().lock());
        Self {
            arguments,
            profile,
            output: Output::new(out, profile, arguments.json),
        }
    }

    fn end(mut self) -> Result<Counts, CliError> {
        self.output.flush()?;
        Ok(Counts {
            messages: self.output.messages,
            malformed: self.output.malformed,
            problems: self.output.problems,
        })
    }

    fn message(&mut self, origin: Origin, bytes: &[u8]) -> Result<(), CliError> {
        if !self.arguments.message.is_empty() {
            let frame = Frame::cut(self.profile, usize::MAX, bytes).ok().flatten();
            let Some(id) = frame.map(|(frame, _)| frame.header.id) else {
                return Ok(());
            };
            let name = self.profile.message_type(id);
            let is_wanted = |wanted: &Wanted| match wanted {
                Wanted::Name(wanted) => name == Some(*wanted),
                Wanted::Number(number) => id.0 == *number,
            };
            if !self.arguments.message.iter().any(is_wanted) {
                return Ok(());
            }
        }
        self.output.message(origin, bytes)
    }

    fn problem(&mut self, problem: Problem) -> Result<(), CliError> {
        self.output.problem(&Finding {
            packet: 0,
            connection: None,
            direction: None,
            problem,
        })
    }

    fn capture(&mut self, input: Input, profile: &Arc<WireProfile>) -> Result<(), CliError> {
        let mut options = self.capture_options(profile)?;
        options.max_message_length = self.arguments.max_message_length;
        let mut capture = Capture::new(input.reader(), options).map_err(|error| CliError::of(&error))?;
        while let Some(item) = capture.next_item() {
            self.item(&item)?;
        }
        Ok(())
    }

    fn capture_options(&mut self, profile: &Arc<WireProfile>) -> Result<Options, CliError> {
        let (options, problems) = self.arguments.capture.load(profile)?;
        for problem in problems {
            self.problem(problem)?;
        }
        Ok(options)
    }

    fn item(&mut self, item: &Item) -> Result<(), CliError> {
        let connection = match item {
            Item::Connection { connection, .. }
            | Item::Tls { connection, .. }
            | Item::Alert { connection, .. } => Some(*connection),
            Item::Message(message) => Some(message.connection),
            Item::Problem(finding) => finding.connection,
        };
        let chosen = &self.arguments.connection;
        if !chosen.is_empty() && connection.is_some_and(|connection| !chosen.contains(&connection)) {
            return Ok(());
        }
        match item {
            Item::Message(message) => {
                let origin = Origin {
                    time: Some(message.time),
                    connection: Some(message.connection),
                    direction: Some(message.direction),
                    packet: Some(message.packet),
                    offset: message.offset,
                };
                self.message(origin, &message.bytes)
            }
            other => self.output.other(other),
        }
    }

    /// Digits: bare messages, or the packets of `tcpdump -X`.
    fn hex(&mut self, input: Input, profile: &Arc<WireProfile>) -> Result<(), CliError> {
        let name = input.name.clone();
        let text = String::from_utf8_lossy(&input.bytes()?).into_owned();
        let blocks = hex_dump::parse(&text).map_err(|error| {
            let cause = format!("{} line {}: {}", name.display(), error.line, error.cause);
            CliError::usage(cause, "give hexadecimal digits or a dump, or say --format binary")
        })?;
        if blocks.is_empty() || !blocks.iter().all(|block| is_whole_tcp_packet(block)) {
            return self.stream(&blocks.concat());
        }
        let options = self.capture_options(profile)?;
        let mut analysis = Analysis::new(options);
        for (number, block) in (1..).zip(&blocks) {
            analysis.packet(&raw_ip_packet(number, block));
        }
        analysis.finish();
        while let Some(item) = analysis.next_item() {
            self.item(&item)?;
        }
        Ok(())
    }

    /// Bare messages, one behind the other.
    fn stream(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        let mut cutter = Cutter::default();
        let mut found = Vec::new();
        cutter.push(
            self.profile,
            self.arguments.max_message_length,
            bytes,
            |offset, message| {
                found.push((offset, message.map(<[u8]>::to_vec)));
            },
        );
        for (offset, message) in found {
            match message {
                Ok(message) => self.message(
                    Origin {
                        offset,
                        ..Origin::default()
                    },
                    &message,
                )?,
                Err(problem) => self.problem(problem)?,
            }
        }
        let held = cutter.incomplete();
        if held > 0 {
            let start = bytes.len() - held;
            let offset = u64::try_from(start).unwrap_or_default();
            self.problem(Problem::Incomplete { held })?;
            let rest = bytes.get(start..).unwrap_or_default();
            self.message(
                Origin {
                    offset,
                    ..Origin::default()
                },
                rest,
            )?;
        }
        Ok(())
    }
}

impl Counts {
    /// What the exit status says.
    fn verdict(&self, name: &Path) -> Result<(), CliError> {
        if self.malformed == 0 && self.problems == 0 {
            return Ok(());
        }
        let cause = format!(
            "{}: {} messages, of which {} are malformed; {} other problems; each is printed at its place",
            name.display(),
            self.messages,
            self.malformed,
            self.problems
        );
        Err(CliError::failed(Failure::new(
            Rung::Body,
            cause,
            "check profile (--profile), key log (--key-log) and port (--port), and that the capture is complete",
        )))
    }
}
