//! What is to be decoded, and what it is.

use std::fs::File;
use std::io::{Cursor, IsTerminal as _, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::is_capture;
use crate::cli::failure::CliError;

/// The longest input that is no capture. Captures are read packet by packet; digits and bare messages are held in memory.
const MAX_HELD_INPUT: u64 = 256 * 1024 * 1024;

/// From this size on a bar shows how far a file has been read.
const PROGRESS_FROM: u64 = 16 * 1024 * 1024;

/// How the input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// Recognised by its first bytes.
    Auto,
    /// Hexadecimal digits or the dump of a tool.
    Hex,
    /// The messages as they are on the wire.
    Binary,
    /// pcap or pcapng.
    Capture,
    /// A file of `nmsp record`.
    Session,
}

/// The input with its format, which is not `Auto` any more.
pub(super) struct Input {
    pub(super) format: Format,
    pub(super) name: PathBuf,
    start: Vec<u8>,
    rest: Box<dyn Read>,
}

impl Input {
    /// Opens a file; none and "-" are standard input.
    pub(super) fn open(path: Option<&Path>, format: Format) -> Result<Self, CliError> {
        let name = path.map_or_else(|| PathBuf::from("-"), Path::to_owned);
        let failed = |source| CliError::File {
            path: name.clone(),
            source,
        };
        let mut rest: Box<dyn Read> = if name.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            with_progress(File::open(&name).map_err(failed)?)
        };
        let mut start = Vec::new();
        rest.by_ref().take(64).read_to_end(&mut start).map_err(failed)?;
        let format = match format {
            Format::Auto => recognise(&start),
            given => given,
        };
        Ok(Self {
            format,
            name,
            start,
            rest,
        })
    }

    /// All of it, from the start.
    pub(super) fn reader(self) -> impl Read {
        Cursor::new(self.start).chain(self.rest)
    }

    /// All of it in memory.
    pub(super) fn bytes(self) -> Result<Vec<u8>, CliError> {
        let name = self.name.clone();
        let mut bytes = Vec::new();
        let read = self.reader().take(MAX_HELD_INPUT + 1).read_to_end(&mut bytes);
        read.map_err(|source| CliError::File {
            path: name.clone(),
            source,
        })?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_HELD_INPUT {
            let cause = format!("{}: more than 256 MiB that are no capture", name.display());
            return Err(CliError::usage(
                cause,
                "cut it into pieces, or give a capture file",
            ));
        }
        Ok(bytes)
    }
}

/// Text is hexadecimal: the first byte of a message is its version, which no profile has among the digits and blanks of
/// text throughout.
fn recognise(start: &[u8]) -> Format {
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if is_capture(start) {
        Format::Capture
    } else if start.starts_with(crate::session_file::MARK.as_bytes()) {
        Format::Session
    } else if start.iter().all(is_text) {
        Format::Hex
    } else {
        Format::Binary
    }
}

/// A bar on a terminal, while the output goes elsewhere: between lines it would only flicker.
fn with_progress(file: File) -> Box<dyn Read> {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let watched = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
    if length < PROGRESS_FROM || !watched {
        return Box::new(std::io::BufReader::new(file));
    }
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    // The template is a constant, so it is either always valid or a test would have shown it.
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {eta} left") {
        bar.set_style(style);
    }
    Box::new(std::io::BufReader::new(bar.wrap_read(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_each_format_by_its_start() {
        assert_eq!(recognise(&[0x0a, 0x0d, 0x0d, 0x0a, 28]), Format::Capture);
        assert_eq!(recognise(b"{\"nmsp-session\":1,"), Format::Session);
        assert_eq!(recognise(b"0x01 00 00"), Format::Hex);
        assert_eq!(recognise(&[1, 0, 0, 1]), Format::Binary);
    }
}
