//! Step 3: the NMSP tunnel, a subscription, and two seconds of measurements of the simulated floor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nmsp::client::{Client, ClientConfig};
use nmsp::proto::Event;
use nmsp::server::{Server, ServerConfig, ServerHandle};
use nmsp::show::show_nmsp_status;
use nmsp::simulation::{Locator, Population, Position, Simulation};
use nmsp::wire::Services;
use nmsp::wire::message::{Measurement, Timestamp};
use pki_common::authlist::SharedAuthList;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::trust_store::{ExpectedName, TrustStore};
use pki_common::{Failure, MacAddr};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::enrolment::{Devices, controller_mac};
use super::failure::{diagnosed, unexpected};
use super::folder::{FolderError, LabFolder};
use super::{quote, say};
use crate::floor;

/// How long measurements flow.
const DURATION: Duration = Duration::from_secs(2);
/// How often every station is heard.
const INTERVAL: Duration = Duration::from_millis(100);
/// Often enough that the status table of a two-second lab shows echoes.
const ECHO_INTERVAL: Duration = Duration::from_millis(400);
/// Stations on the floor.
const STATIONS: u32 = 20;
/// The same floor in every run, so that two people see the same picture.
const SEED: u64 = 16_113;

/// The running controller, and what a location server needs to reach it.
#[derive(Debug)]
pub struct Lab {
    /// Where the controller listens.
    pub controller: SocketAddr,
    /// Whom the controller admits; replaced in step 4 while it runs.
    pub authlist: SharedAuthList,
    /// The location server's certificate and key.
    pub location_server: Arc<Identity>,
    handle: ServerHandle,
    serving: JoinHandle<()>,
    anchors: Arc<TrustStore>,
}

impl Lab {
    /// Starts the controller. It admits location servers whose certificate leads to the lab's authority *and* whose MAC
    /// address and key hash are in the authlist.
    ///
    /// # Errors
    /// No free port.
    pub async fn start(devices: &Devices, authlist: SharedAuthList) -> Result<Self, Failure> {
        let admitted =
            PeerVerifier::authlist(authlist.clone()).with_trust_store(Arc::clone(&devices.anchors));
        let config = ServerConfig::new(Arc::clone(&devices.controller), admitted);
        let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config)
            .await
            .map_err(diagnosed)?;
        let controller = server
            .local_addr()
            .map_err(|error| unexpected(format!("The controller's address is unknown: {error}.")))?;
        let handle = server.handle();
        Ok(Self {
            controller,
            authlist,
            location_server: Arc::clone(&devices.location_server),
            handle,
            serving: tokio::spawn(server.run()),
            anchors: Arc::clone(&devices.anchors),
        })
    }

    /// Connects the location server, which expects the controller's MAC address in a certificate of the lab's authority.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect(&self) -> Result<Client, nmsp::Error> {
        let controller = PeerVerifier::trust_store(Arc::clone(&self.anchors))
            .expecting_name(ExpectedName::Mac(controller_mac()));
        let tls = ClientTls::new(controller).with_identity(Arc::clone(&self.location_server));
        let mut config = ClientConfig::new(tls);
        config.connection.echo_interval = ECHO_INTERVAL;
        Client::connect(&self.controller.to_string(), config).await
    }

    /// Ends the controller and returns where it was.
    pub async fn stop(self) -> SocketAddr {
        self.handle.shutdown();
        // A controller that panicked has said so; there is nothing left to stop.
        drop(self.serving.await);
        self.controller
    }
}

/// Runs the step.
///
/// # Errors
/// The tunnel does not come up, or something that was sent does not arrive.
pub async fn run(folder: &LabFolder, lab: &Lab, out: &mut dyn Write) -> Result<(), Failure> {
    let mut client = lab.connect().await.map_err(diagnosed)?;
    say(
        out,
        format!("tunnel up: location server → controller {}", client.controller()),
    );
    let outcome = client.subscribe(Services::RSSI_MS).await.map_err(diagnosed)?;
    say(out, format!("subscribed: {}", outcome.accepted));

    let recording = folder.join("floor.jsonl");
    let publishing = tokio::spawn(publish(lab.handle.clone(), recording));
    let received = receive(&mut client, Instant::now() + DURATION).await?;
    let (floor, published) = publishing
        .await
        .map_err(|error| unexpected(format!("The simulated controller ended abnormally: {error}.")))??;

    say(
        out,
        format!(
            "published {published} measurements, received {}\n",
            received.measurements
        ),
    );
    say(out, "show nmsp status, on the controller:");
    quote(out, &show_nmsp_status(&lab.handle.status()));
    draw(&floor, &received, out);
    check(&received, published)?;
    client.close().await.map_err(diagnosed)
}

/// What the location server has.
#[derive(Debug, Default)]
struct Received {
    measurements: usize,
    gaps: u32,
    /// The latest measurement of each station, in the order of their addresses.
    latest: BTreeMap<MacAddr, Measurement>,
}

async fn receive(client: &mut Client, until: Instant) -> Result<Received, Failure> {
    let mut received = Received::default();
    let mut next_sequence = None;
    // A quarter of a second more than the controller sends, for what is still on its way.
    while let Ok(event) = timeout_at(until + Duration::from_millis(250), client.next()).await {
        match event.map_err(diagnosed)? {
            Some(Event::Notification(frame)) => {
                received.gaps += next_sequence.map_or(0, |expected| frame.sequence().wrapping_sub(expected));
                next_sequence = Some(frame.sequence().wrapping_add(1));
                let stations = frame.measurement().map(|measurement| measurement.stations());
                for station in stations.into_iter().flatten() {
                    received.measurements += 1;
                    let station = station.to_owned();
                    received.latest.insert(station.station, station);
                }
            }
            Some(_) => {}
            None => {
                return Err(unexpected(
                    "The controller said goodbye in the middle of the lab.",
                ));
            }
        }
    }
    Ok(received)
}

/// Lets the stations walk, and publishes and records what is heard of them.
async fn publish(handle: ServerHandle, recording: PathBuf) -> Result<(Simulation, usize), Failure> {
    let io = |cause| {
        diagnosed(FolderError::Io {
            path: recording.clone(),
            cause,
        })
    };
    let mut record = BufWriter::new(File::create(&recording).map_err(io)?);
    let population = Population {
        clients: STATIONS,
        ..Population::default()
    };
    let mut floor = Simulation::new(floor::plan(), &population, SEED, now()).map_err(diagnosed)?;
    let everybody = 0..floor.devices().len();
    let publisher = handle.publisher();
    let (mut published, until) = (0, Instant::now() + DURATION);
    let mut ticks = interval(INTERVAL);
    // Two rounds at once would be one for the controller: it keeps the newest value of each station.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while ticks.tick().await < until {
        let measurements = floor.report(everybody.clone(), now());
        published += measurements.len();
        publisher.publish(measurements).map_err(diagnosed)?;
        for measurement in measurements {
            serde_json::to_writer(&mut record, measurement)
                .map_err(std::io::Error::from)
                .and_then(|()| record.write_all(b"\n"))
                .map_err(io)?;
        }
    }
    record.flush().map_err(io)?;
    Ok((floor, published))
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// Prints the floor as the location server sees it: it knows where the access points hang, and what they heard.
fn draw(floor: &Simulation, received: &Received, out: &mut dyn Write) {
    let locator = Locator::new(floor.plan().clone());
    let located: Vec<Position> = received
        .latest
        .values()
        .filter_map(|station| locator.locate(station.access_points.iter().copied()))
        .collect();
    say(
        out,
        "the floor, located from the last RSSI of each station ([n] access point, letter station):",
    );
    quote(out, &floor::draw(floor.plan(), &located));
    let distances: Vec<f64> = located
        .iter()
        .zip(floor.devices())
        .map(|(place, station)| place.distance(station.position()))
        .collect();
    let count = u32::try_from(distances.len()).unwrap_or(u32::MAX).max(1);
    let mean = distances.iter().sum::<f64>() / f64::from(count);
    say(
        out,
        format!("    mean distance from where the simulator has them: {mean:.1} m"),
    );
}

fn check(received: &Received, published: usize) -> Result<(), Failure> {
    if received.latest.len() != usize::try_from(STATIONS).unwrap_or(usize::MAX) {
        let seen = received.latest.len();
        return Err(unexpected(format!(
            "The location server saw {seen} of {STATIONS} stations."
        )));
    }
    if received.measurements != published || received.gaps != 0 {
        return Err(unexpected(format!(
            "{published} measurements were published and {} received, with {} notifications missing.",
            received.measurements, received.gaps
        )));
    }
    Ok(())
}
