//! `interop explain`

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use interop::explain::{Explainer, Report, Settings, Zone};
use pki_common::{Diagnose as _, Escaped, Failure, Rung};
use serde_json::json;

/// The exit status of a wrong command line, and of a file that cannot be read.
const USAGE: u8 = 2;

/// Read logs, and say what happened, why, and what to do about it.
///
/// Knows the NMSP trace of a controller, NGINX's error.log of the vendor's registration authority with the lines of libest, the
/// log of its phone certificate service (CAPF), IIS logs, access logs, and the logs of this project; told apart line by line, so
/// files may hold several. Puts the lines of each connection, exchange, phone and client in order, decodes numbers, names the
/// cause with its rung, its side and the remedy, and corrects messages that mislead. Several logs are compared by time.
///
/// Exit status: 0 when nothing failed, 1 when a failure was found, 2 for a wrong command line or a file that cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The logs; `-` is the standard input. Put the parts of a rotated log together: `cat error.log.1 error.log | interop explain -`.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The zone of a log that does not say it, such as `-0500` or `UTC`. Without it, the zone is estimated from events that
    /// another log has, too.
    #[arg(long = "zone", value_name = "FILE=ZONE", value_parser = file_and::<Zone>)]
    zones: Vec<(String, Zone)>,
    /// By how many seconds the clock of a log is ahead; `-6` when it is behind. Estimated without it.
    #[arg(long = "skew", value_name = "FILE=SECONDS", value_parser = file_and::<Skew>)]
    skews: Vec<(String, Skew)>,
    /// Print each line that is not understood, with its number, before the report.
    #[arg(long)]
    show_unknown: bool,
    /// Print JSON: the report as one object on one line; with --show-unknown, each line that is not understood before it.
    #[arg(long)]
    json: bool,
}

/// A skew in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Skew(i64);

impl std::str::FromStr for Skew {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("{text:?} is no number of seconds, such as 6, -6 or 0.5");
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let number = |text: &str, length: usize| {
            let plain = (1..=length).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            plain
                .then(|| text.parse::<i64>().ok())
                .flatten()
                .ok_or_else(error)
        };
        let millis = number(&format!("{fraction:0<3}"), 3)?;
        Ok(Self(sign * (number(seconds, 9)? * 1000 + millis)))
    }
}

/// `FILE=VALUE`; a name may hold `=`.
fn file_and<T: std::str::FromStr<Err = String>>(text: &str) -> Result<(String, T), String> {
    let (file, value) = text.rsplit_once('=').ok_or("expected FILE=VALUE")?;
    Ok((file.to_owned(), value.parse()?))
}

/// Reads the logs and prints what came out.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match explain(arguments) {
        Ok(report) if report.failed > 0 => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(Stopped::Failed(failure)) => {
            super::report(&failure.diagnose());
            ExitCode::from(USAGE)
        }
        // Whoever reads the output has seen enough.
        Err(Stopped::OutputClosed) => ExitCode::SUCCESS,
    }
}

enum Stopped {
    Failed(Failure),
    OutputClosed,
}

impl From<io::Error> for Stopped {
    /// Of the output.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        let cause = format!("The output cannot be written: {error}.");
        Self::Failed(Failure::new(Rung::Local, cause, "Make room, or write elsewhere."))
    }
}

fn explain(arguments: &Arguments) -> Result<Report, Stopped> {
    let names: Vec<String> = arguments
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let mut settings = Settings::default();
    for (file, zone) in &arguments.zones {
        settings.zones.insert(named(file, &names)?, *zone);
    }
    for (file, skew) in &arguments.skews {
        settings.skews.insert(named(file, &names)?, skew.0);
    }
    let mut output = BufWriter::new(io::stdout().lock());
    let mut explainer = Explainer::new(settings);
    for (file, name) in arguments.files.iter().zip(&names) {
        let mut written = Ok(());
        let read = read(&mut explainer, file, name, |number, text| {
            if arguments.show_unknown && written.is_ok() {
                written = write_unknown(&mut output, arguments.json, name, number, text);
            }
        });
        written?;
        read.map_err(|error| {
            Stopped::Failed(Failure::new(
                Rung::Local,
                format!("{} cannot be read: {error}", Escaped::new(name)),
                "Check the path and its permissions.",
            ))
        })?;
    }
    let report = explainer.finish();
    if arguments.json {
        writeln!(output, "{}", report.to_json())?;
    } else {
        write!(output, "{report}")?;
    }
    output.flush()?;
    Ok(report)
}

/// A name that `--zone` or `--skew` may speak of.
fn named(file: &str, names: &[String]) -> Result<String, Stopped> {
    if names.iter().any(|name| name == file) {
        return Ok(file.to_owned());
    }
    Err(Stopped::Failed(Failure::new(
        Rung::Local,
        format!("{} is none of the files to read.", Escaped::new(file)),
        "Write the name in `--zone` and `--skew` as it stands among the files.",
    )))
}

fn read(
    explainer: &mut Explainer,
    file: &Path,
    name: &str,
    unknown: impl FnMut(u64, &str),
) -> io::Result<()> {
    if file.as_os_str() == OsStr::new("-") {
        return explainer.read_showing(name, io::stdin().lock(), unknown);
    }
    explainer.read_showing(name, BufReader::new(File::open(file)?), unknown)
}

fn write_unknown(
    output: &mut impl Write,
    as_json: bool,
    name: &str,
    number: u64,
    text: &str,
) -> io::Result<()> {
    if as_json {
        let line = json!({ "unknown": { "file": name, "line": number, "text": text } });
        return writeln!(output, "{line}");
    }
    writeln!(output, "{}:{number}: {}", Escaped::new(name), Escaped::new(text))
}
