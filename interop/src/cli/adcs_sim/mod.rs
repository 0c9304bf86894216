//! `interop adcs-sim`

mod arguments;
mod control;

use std::fs;
use std::io::{self, BufRead as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use interop::adcs_sim::{Fault, Settings, Simulator, execute};
use pki_common::Diagnose as _;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

pub(crate) use arguments::Arguments;

/// The name of the root certificate in the folder.
const AUTHORITY_FILE: &str = "ca.pem";
/// The name of the control socket in the folder.
const CONTROL_SOCKET: &str = "control";
/// Lines of standard input that wait for their turn.
const WAITING_LINES: usize = 16;

/// Runs the simulator, or sends a command to a running one.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let outcome = match arguments.command {
        Some(arguments::Command::Control { socket, command }) => control::send(&socket, &command.join(" "))
            .await
            .map(|told| say(&mut io::stdout(), &told)),
        None => serve(arguments.options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            super::report(&problem);
            ExitCode::FAILURE
        }
    }
}

/// Where files for the user are: a folder that stays, or one that goes with the simulator.
enum Folder {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn open(keep: Option<PathBuf>) -> Result<Self, String> {
        match keep {
            None => tempfile::Builder::new()
                .prefix("adcs-sim-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|error| format!("cannot make a temporary folder: {error}")),
            Some(path) => match fs::create_dir_all(&path) {
                Ok(()) => Ok(Self::Kept(path)),
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

async fn serve(options: arguments::Options) -> Result<(), String> {
    let logging = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .with_writer(io::stderr)
        .try_init();
    // There is one already only in a test.
    drop(logging);
    let settings = options.settings()?;
    let folder = Folder::open(options.keep.clone())?;
    let simulator = Simulator::start(settings.clone()).await;
    let simulator = simulator.map_err(|error| error.diagnose().to_string())?;
    let authority = folder.path().join(AUTHORITY_FILE);
    fs::write(&authority, simulator.authority_pem())
        .map_err(|error| format!("{}: {error}", authority.display()))?;
    let certificates = save_client_certificates(&simulator, &settings, folder.path())?;
    let socket = folder.path().join(CONTROL_SOCKET);
    let control = control::listen(&socket)?;
    // Before the user is told that it runs, and may end it.
    let signal = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let (interrupted, terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);

    let introduction = introduction(&simulator, &options, &settings, folder.path(), &certificates);
    match options.log.as_deref() {
        Some(path) if path == Path::new("-") => {
            // Standard output is the log's then.
            say(&mut io::stderr(), &introduction);
            simulator.write_log_to(Box::new(io::stdout()));
        }
        Some(path) => {
            let file = fs::OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
            simulator.write_log_to(Box::new(file));
            say(&mut io::stdout(), &introduction);
        }
        None => say(&mut io::stdout(), &introduction),
    }
    let simulator = Arc::new(simulator);
    let control = tokio::spawn(control::answer(control, Arc::clone(&simulator)));
    obey(&simulator, interrupted, terminated).await;
    control.abort();
    drop(fs::remove_file(&socket));
    Ok(())
}

/// Takes commands until a signal ends it.
async fn obey(simulator: &Simulator, mut interrupted: Signal, mut terminated: Signal) {
    let mut lines = standard_input();
    loop {
        tokio::select! {
            Some(line) = lines.recv() => match execute(simulator, &line) {
                Ok(told) => say(&mut io::stderr(), &told),
                Err(problem) => super::report(&problem),
            },
            _ = interrupted.recv() => return,
            _ = terminated.recv() => return,
        }
    }
}

/// The lines of standard input, from a thread that nobody waits for: a read from a terminal cannot be broken off.
fn standard_input() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(WAITING_LINES);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if !line.trim().is_empty() && sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Writes certificate and key of each user and returns where.
fn save_client_certificates(
    simulator: &Simulator,
    settings: &Settings,
    folder: &Path,
) -> Result<Vec<PathBuf>, String> {
    let mut written = Vec::new();
    if !settings.logins.client_certificate {
        return Ok(written);
    }
    for user in &settings.users {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !user.name.chars().all(fits) || user.name.starts_with('.') {
            return Err(format!(
                "the user name {:?} cannot be the name of a file",
                user.name
            ));
        }
        let file = |ending: &str| folder.join(format!("{}{ending}", user.name));
        let identity = simulator.client_identity(&user.name);
        let identity = identity.map_err(|error| error.diagnose().to_string())?;
        identity
            .save(file(".pem"), file(".key.pem"))
            .map_err(|error| error.diagnose().to_string())?;
        written.push(file(".pem"));
    }
    Ok(written)
}

/// What a user needs to know, once it runs.
fn introduction(
    simulator: &Simulator,
    options: &arguments::Options,
    settings: &Settings,
    folder: &Path,
    certificates: &[PathBuf],
) -> String {
    let url = format!("{}/certsrv", simulator.url());
    let authority = folder.join(AUTHORITY_FILE);
    let (authority, socket) = (authority.display(), folder.join(CONTROL_SOCKET));
    let domain = &settings.domain;
    let users: Vec<String> = settings
        .users
        .iter()
        .map(|user| format!("{domain}\\{}", user.name))
        .collect();
    let templates: Vec<&str> = settings
        .templates
        .iter()
        .map(|template| template.name.as_str())
        .collect();
    // A password of the user's own file is not repeated; that of the lab is in the manual.
    let login = match (settings.users.first(), &options.users) {
        (Some(user), None) => format!("'{domain}\\{}:{}'", user.name, user.password),
        (Some(user), Some(_)) => format!("'{domain}\\{}'", user.name),
        (None, _) => "USER".to_owned(),
    };
    let mut lines = vec![
        format!("AD CS simulator  {url}"),
        format!("trust            {authority}"),
        format!("users            {}", users.join(", ")),
        format!("templates        {}", templates.join(", ")),
    ];
    for certificate in certificates {
        lines.push(format!("log in with      {}", certificate.display()));
    }
    if !settings.faults.is_empty() {
        let faults: Vec<String> = settings.faults.iter().map(Fault::to_string).collect();
        lines.push(format!("faults           {}", faults.join(" ")));
    }
    lines.push(format!(
        "try              curl --ntlm -u {login} -A 'CiscoRA 1.0' --cacert {authority} {url}"
    ));
    lines.push(format!(
        "control          interop adcs-sim control {} requests",
        socket.display()
    ));
    lines.push("or type `help` here; Ctrl-C ends it".to_owned());
    lines.join("\n")
}

/// Prints a text. A reader that went away is no reason to stop.
fn say(out: &mut dyn Write, text: &str) {
    let printed = writeln!(out, "{text}").and_then(|()| out.flush());
    drop(printed);
}
