//! `interop limbo`

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use interop::limbo::{Comparison, Exceptions, MAX_SUITE_BYTES, ResultFile, Suite};
use pki_common::{Diagnose as _, Failure, Rung};

/// The exit status of a wrong command line, and of a file that cannot be read.
const USAGE: u8 = 2;

/// Run our trust store over the test cases of x509-limbo, and compare with the exceptions that are known.
///
/// Prints the verdict on each case in the result format of that project. What differs from the cases and from the list of
/// exceptions goes to the standard error; an exception that is not needed any more counts as a difference, too.
///
/// Exit status: 0 when nothing unexpected came out, 1 when something did, 2 for a wrong command line or a file that cannot be
/// read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The test cases, limbo.json; `-` is the standard input.
    #[arg(value_name = "FILE")]
    suite: PathBuf,
    /// Write the results here and not to the standard output.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Compare with this list and not with the built-in one: `[[exception]]` with `ids`, `result` and `reason`.
    #[arg(long, value_name = "FILE", conflicts_with = "harness")]
    exceptions: Option<PathBuf>,
    /// Do not compare: only write results, as that project's tool runs a harness.
    #[arg(long)]
    harness: bool,
}

/// Evaluates the cases and tells what is unexpected.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match limbo(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            super::report(&failure);
            ExitCode::from(USAGE)
        }
    }
}

fn limbo(arguments: &Arguments) -> Result<bool, Failure> {
    let exceptions = match &arguments.exceptions {
        None => Exceptions::ours(),
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            Exceptions::from_toml(&text).map_err(|error| error.diagnose())?
        }
    };
    let suite = Suite::from_json(&read(&arguments.suite)?).map_err(|error| error.diagnose())?;
    let results = ResultFile::of(&suite);
    write(arguments.results.as_deref(), &results)?;
    if arguments.harness {
        return Ok(true);
    }
    let comparison = Comparison::new(&suite, &results, &exceptions);
    tell(&comparison);
    Ok(comparison.surprises.is_empty())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut json = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().take(MAX_SUITE_BYTES + 1).read_to_end(&mut json)
    } else {
        File::open(path).and_then(|file| file.take(MAX_SUITE_BYTES + 1).read_to_end(&mut json))
    };
    let length = read.map_err(|error| unreadable(path, &error))?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_SUITE_BYTES) {
        let cause = format!(
            "{} has more than {MAX_SUITE_BYTES} bytes, the limit for test cases.",
            path.display()
        );
        return Err(Failure::new(
            Rung::Local,
            cause,
            "Give the limbo.json of x509-limbo.",
        ));
    }
    Ok(json)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let cause = format!("{} cannot be read: {error}.", path.display());
    Failure::new(Rung::Local, cause, "Give a file that exists and can be read.")
}

fn write(path: Option<&Path>, results: &ResultFile) -> Result<(), Failure> {
    let unwritable = |error: io::Error| {
        Failure::new(
            Rung::Local,
            format!("The results cannot be written: {error}."),
            "Make room, or write elsewhere.",
        )
    };
    let mut text = serde_json::to_string_pretty(results).map_err(|error| unwritable(error.into()))?;
    text.push('\n');
    match path {
        Some(path) => fs::write(path, text),
        None => match io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever reads the output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        },
    }
    .map_err(unwritable)
}

fn tell(comparison: &Comparison) {
    for surprise in &comparison.surprises {
        super::report(surprise);
    }
    for id in &comparison.unused {
        super::report(&format_args!("{id}: excepted, but not among these cases"));
    }
    super::report(&format_args!(
        "{} as expected, {} as excepted, {} unexpected",
        comparison.met,
        comparison.excepted,
        comparison.surprises.len()
    ));
}
