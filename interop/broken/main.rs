//! `broken`: ten small servers, each with one defect that was put there on purpose, for the robustness tester of
//! `interop fuzz` to find. See `README.md` beside this file.
//!
//! They are for loopback and for nothing else.

mod controller;
mod est_server;
mod kind;
mod lab;
mod location_server;
mod machine;
mod message;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use kind::{DEVICES, Device, Start};
use lab::{Failed, Lab};

/// Small servers with one planted defect each, for the robustness tester to find.
///
/// `broken list` says which there are. Each prints one line of JSON with its address when it is ready, and runs until it is
/// ended, or until its defect ends it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// Which one; "list" prints them all.
    name: String,
    /// Where a server listens: an address of loopback. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The controller that a location server connects to: an address of loopback.
    #[arg(long, value_name = "ADDRESS")]
    controller: Option<SocketAddr>,
    /// Where the certificates are: ca.pem, device/ and tester/. Those that are not there are made.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = if arguments.name == "list" {
        list()
    } else {
        run(&arguments)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            complain(&failed);
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    for device in &DEVICES {
        writeln!(out, "{:<20} {:<16} {}", device.name, device.role(), device.defect)?;
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), Failed> {
    let device = DEVICES
        .iter()
        .find(|device| device.name == arguments.name)
        .ok_or_else(|| {
            format!(
                "there is no `{}`; `broken list` says what there is",
                arguments.name
            )
        })?;
    let folder = arguments
        .folder
        .as_deref()
        .ok_or("no folder for the certificates; give --folder")?;
    let lab = Lab::open(folder)?;
    die_of_a_panic(device.name);
    match device.start {
        Start::Listening(serve) => {
            only_loopback(arguments.listen)?;
            let listener = TcpListener::bind(arguments.listen)?;
            say_ready(device, listener.local_addr()?)?;
            serve(listener, &lab)
        }
        Start::Connecting(stay_connected) => {
            let controller = arguments
                .controller
                .ok_or("a location server connects to a controller; give --controller")?;
            only_loopback(controller)?;
            say_ready(device, controller)?;
            stay_connected(controller, &lab)
        }
    }
}

/// They are broken: nobody else may reach them.
fn only_loopback(address: SocketAddr) -> Result<(), Failed> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(format!("{address} is not an address of loopback, and these servers are for loopback only").into())
}

fn say_ready(device: &Device, address: SocketAddr) -> Result<(), Failed> {
    let line = serde_json::json!({
        "name": device.name,
        "role": device.role(),
        "address": address.to_string(),
        "process": std::process::id(),
    });
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

/// On these devices a fault in one task is the end of all of them, as it is where there is no memory protection between
/// tasks.
fn die_of_a_panic(name: &'static str) {
    std::panic::set_hook(Box::new(move |panicked| {
        complain(&format_args!("{name} dies: {panicked}"));
        std::process::abort();
    }));
}

#[expect(
    clippy::print_stderr,
    reason = "a command line tells failures on standard error"
)]
fn complain(failed: &dyn std::fmt::Display) {
    eprintln!("{failed}");
}
