//! `nmsp simulate`: a controller that publishes a simulated floor.
//!
//! - `lab`: identities and configuration of both sides, made on the spot.
//! - `run`: the thread that lets the floor live and publishes it.
//! - `families`: everything but measurements.
//! - `summary`: what is said at the end.

mod families;
mod lab;
mod run;
mod summary;

use core::time::Duration;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use super::config::ServeConfig;
use super::connect::{json_line, save};
use super::failure::CliError;
use super::serve::{Admin, Ending, admin};
use super::{floor_plan, print, reload};
use crate::server::{Server, ServerHandle};
use crate::simulation::{FloorPlan, MAX_WIRED, Population, Simulation, SwitchStack};
use crate::wire::{Service, Services};
use summary::Summary;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("credentials").required(true).args(["config", "lab"]))]
pub(super) struct Arguments {
    /// The configuration file of `nmsp serve` (TOML): address, identity, authlist, limits.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Makes self-signed identities, authlists and configuration files for both sides in this folder, or uses what it made
    /// there before, and prints the command for the other side.
    #[arg(long, value_name = "DIR")]
    lab: Option<PathBuf>,
    /// The address to listen on, instead of that of the configuration; port 0 for a free one. With --lab, 127.0.0.1:16113
    /// if not given.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Access points: an office with as many rooms.
    #[arg(long, value_name = "N", default_value_t = 9, conflicts_with = "floor",
          value_parser = clap::value_parser!(u32).range(1..=6_000))]
    access_points: u32,
    /// The floor plan (TOML), with walls and access points; see docs/nmsp.md.
    #[arg(long, value_name = "FILE")]
    floor: Option<PathBuf>,
    /// Wi-Fi clients; four of five are associated.
    #[arg(long, value_name = "N", default_value_t = 50)]
    stations: u32,
    /// RFID tags.
    #[arg(long, value_name = "N", default_value_t = 5)]
    tags: u32,
    /// Rogue access points, each with a client of its own.
    #[arg(long, value_name = "N", default_value_t = 2)]
    rogues: u32,
    /// Sources of interference.
    #[arg(long, value_name = "N", default_value_t = 2)]
    interferers: u32,
    /// Devices on the ports of a stack of switches: phones, workstations, printers, cameras; see the service attach.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_WIRED)))]
    wired: u32,
    /// The same seed gives the same floor; how far it has come depends on the time.
    #[arg(long, value_name = "N", default_value_t = 16_113)]
    seed: u64,
    /// How often each station is reported, per second; 0.01 to 100.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 1.0, value_parser = rate)]
    rate: f64,
    /// The time between two reports of a station in seconds, instead of --rate; 0.01 to 100.
    #[arg(long, value_name = "SECONDS", conflicts_with = "rate", value_parser = rate)]
    interval: Option<f64>,
    /// Hands reports to the notification policy, which holds back what comes within its interval or has not moved by its
    /// threshold, instead of sending each at once.
    #[arg(long)]
    by_policy: bool,
    /// Ends after this time.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Prints the summary of the end as one JSON object.
    #[arg(long)]
    json: bool,
    /// Writes the summary of the end to this file, as one JSON object.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Appends the TLS secrets of every connection to this file, for `nmsp decode --key-log` and Wireshark. Whoever has it
    /// can read the traffic.
    #[arg(long, value_name = "FILE")]
    dangerous_key_log: Option<PathBuf>,
}

fn rate(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.01..=100.0).contains(&value) {
        Ok(value)
    } else {
        Err("give a number from 0.01 to 100".to_owned())
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let ending = Ending::watch()?;
    let plan = match &arguments.floor {
        Some(path) => floor_plan(path)?,
        None => FloorPlan::office(usize::try_from(arguments.access_points).unwrap_or(usize::MAX)),
    };
    let simulation = Simulation::new(plan, &arguments.population(), arguments.seed, run::now())
        .map_err(|error| CliError::of(&error))?;
    let stack = SwitchStack::new(arguments.wired, arguments.seed, run::now())
        .map_err(|error| CliError::of(&error))?;
    let (server, address, admin, config) = arguments.bind().await?;
    print(&format!("listening on {address}\n{}", admin.announcement))?;
    if let Some(folder) = &arguments.lab {
        print(&lab::introduce(folder, address)?)?;
    }
    let handle = server.handle();
    let reloading = reload::watch_credentials(handle.clone(), config)?;
    let running = tokio::spawn(server.run());
    let started = Instant::now();
    let outcome = arguments.publish((simulation, stack), &handle, ending).await;
    reloading.abort();
    handle.shutdown();
    // A task that panicked has said so on standard error.
    drop(running.await);
    if let Some(task) = admin.task {
        drop(task.await);
    }
    let published = outcome?;
    let summary = Summary::new(&handle, &published, started.elapsed());
    if let Some(path) = &arguments.summary {
        save(&summary, path)?;
    }
    if arguments.json {
        return print(&json_line(&summary)?);
    }
    print(&summary.text())?;
    print(&crate::show::show_nmsp_status(&handle.status()))
}

impl Arguments {
    fn population(&self) -> Population {
        Population {
            clients: self.stations,
            tags: self.tags,
            rogue_access_points: self.rogues,
            rogue_clients: self.rogues,
            interferers: self.interferers,
        }
    }

    /// Reports of one station per second.
    fn per_second(&self) -> f64 {
        self.interval.map_or(self.rate, f64::recip)
    }

    async fn bind(&self) -> Result<(Server, SocketAddr, Admin, ServeConfig), CliError> {
        let file = match (&self.config, &self.lab) {
            (Some(path), _) => path.clone(),
            (None, Some(folder)) => lab::prepare(folder)?,
            // The command line parser does not let this pass.
            (None, None) => {
                return Err(CliError::usage(
                    "no credentials".to_owned(),
                    "give --config or --lab",
                ));
            }
        };
        let file = ServeConfig::load(&file)?;
        let mut config = file.server_config()?;
        config.connection.services = Services::from_iter(Service::ALL.iter().copied());
        if let Some(path) = &self.dangerous_key_log {
            config.tls = config.tls.dangerous_key_log(crate::cli::link::key_log(path)?);
        }
        let listen = self.listen.unwrap_or(file.listen);
        let mut server = Server::bind(listen, config).await?;
        let mut announcement = String::new();
        for table in &file.dangerous_legacy_transport {
            announcement.push_str(&table.listen(&mut server).await?);
        }
        let address = server.local_addr().map_err(crate::Error::Transport)?;
        file.set_access_point_groups(server.handle().store());
        let mut admin = admin(&file, &server.handle()).await?;
        admin.announcement.insert_str(0, &announcement);
        Ok((server, address, admin, file))
    }

    /// Publishes until the time is over or somebody ends the program.
    async fn publish(
        &self,
        floor: (Simulation, SwitchStack),
        handle: &ServerHandle,
        ending: Ending,
    ) -> Result<run::Published, CliError> {
        let world = run::World::start(floor, handle.clone(), self.per_second(), self.by_policy);
        let limit = self.seconds.map_or(Duration::MAX, Duration::from_secs);
        let outcome = tokio::select! {
            () = tokio::time::sleep(limit) => Ok(()),
            () = world.failed() => Ok(()),
            interrupted = ending.wait() => interrupted,
        };
        let published = world.stop()?;
        outcome.map(|()| published)
    }
}
