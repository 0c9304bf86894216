//! `nmsp record`: a session into a file.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::decode::CaptureOptions;
use super::failure::CliError;
use super::link::{ControllerAccess, Stream};
use super::{print, profile};
use crate::capture::{Capture, Direction, Item};
use crate::driver::{Driver, Expected, now};
use crate::proto::{Connection, ConnectionConfig, Event, Role};
use crate::session_file::{Entry, Head, Recorder, SessionWriter};
use crate::wire::message::ServiceSubscribeRequest;
use crate::wire::{Service, Services, WireProfile};

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("source").required(true).args(["controller", "from_capture"]),
    after_long_help = "\
    The file is JSON Lines: a head, then one line for each message with its time in microseconds, its direction and its \
    bytes. Every message is written as it comes, so the file is good to its last complete line however the recording ends. \
    `nmsp decode FILE` shows it, `nmsp replay FILE` plays it."
)]
pub(super) struct Arguments {
    /// Where the session goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Writes over the file if it is there.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    controller: ControllerAccess,
    /// What to subscribe; may be given several times. Everything that the controller offers if not given.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<Service>,
    /// Ends after this many messages.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Ends after this time.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Takes the session from a capture (pcap, pcapng) instead.
    #[arg(long, value_name = "FILE")]
    from_capture: Option<PathBuf>,
    #[command(flatten)]
    capture: CaptureOptions,
    /// The connection in the capture, numbered from 1 as `nmsp decode` does.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "from_capture")]
    connection: u32,
    /// The wire profile, a TOML file; the built-in one if not given. It is kept in the recording.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Appends the TLS secrets of the session to this file, for `nmsp decode --key-log` and Wireshark. Whoever has it can
    /// read the session.
    #[arg(long, value_name = "FILE", requires = "controller")]
    pub(super) dangerous_key_log: Option<PathBuf>,
}

impl Arguments {
    /// Said before anybody connects.
    fn refuse_to_overwrite(&self) -> Result<(), CliError> {
        if self.overwrite || !self.out.exists() {
            return Ok(());
        }
        let cause = format!("{} is there already", self.out.display());
        Err(CliError::usage(cause, "choose another file, or give --overwrite"))
    }

    fn create(&self) -> Result<File, CliError> {
        let file = if self.overwrite {
            File::create(&self.out)
        } else {
            File::create_new(&self.out)
        };
        file.map_err(|source| self.file_error(source))
    }

    fn file_error(&self, source: io::Error) -> CliError {
        CliError::File {
            path: self.out.clone(),
            source,
        }
    }

    fn profile(&self) -> Result<Arc<WireProfile>, CliError> {
        match &self.profile {
            Some(file) => profile::load(file).map(Arc::new),
            None => Ok(Arc::clone(WireProfile::built_in())),
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    arguments.refuse_to_overwrite()?;
    let profile = arguments.profile()?;
    match &arguments.from_capture {
        Some(capture) => from_capture(&arguments, capture, &profile),
        None => live(&arguments, &profile).await,
    }
}

fn from_capture(arguments: &Arguments, path: &Path, profile: &Arc<WireProfile>) -> Result<(), CliError> {
    let unreadable = |source| CliError::File {
        path: path.to_owned(),
        source,
    };
    let (options, problems) = arguments.capture.load(profile)?;
    for problem in &problems {
        tracing::warn!("{problem}");
    }
    let input = io::BufReader::new(File::open(path).map_err(unreadable)?);
    let mut capture = Capture::new(input, options).map_err(|error| CliError::of(&error))?;
    let mut writer: Option<(SessionWriter<File>, Duration)> = None;
    let mut lost = 0_u64;
    while let Some(item) = capture.next_item() {
        match item {
            Item::Connection {
                connection,
                time,
                controller,
                ..
            } if connection == arguments.connection => {
                let mut head = Head::new("observer", time, profile);
                head.peer = Some(controller.to_string());
                let file = arguments.create()?;
                let made = SessionWriter::new(file, &head, Arc::clone(profile));
                writer = Some((made.map_err(|error| arguments.file_error(error))?, time));
            }
            Item::Message(message) if message.connection == arguments.connection => {
                let Some((writer, started)) = &mut writer else {
                    continue;
                };
                let entry = Entry {
                    time: message.time.saturating_sub(*started),
                    direction: message.direction,
                    bytes: message.bytes,
                };
                writer
                    .write(&entry)
                    .map_err(|error| arguments.file_error(error))?;
            }
            Item::Problem(finding)
                if finding
                    .connection
                    .is_none_or(|number| number == arguments.connection) =>
            {
                lost += 1;
                tracing::warn!("{finding}");
            }
            _ => {}
        }
    }
    told(arguments, path, writer.map(|(writer, _)| writer.entries()), lost)
}

/// Says what was recorded of a capture, and fails if it is nothing or not all.
fn told(arguments: &Arguments, path: &Path, recorded: Option<u64>, lost: u64) -> Result<(), CliError> {
    let Some(recorded) = recorded else {
        let cause = format!(
            "{}: there is no connection {}",
            path.display(),
            arguments.connection
        );
        return Err(CliError::usage(
            cause,
            "see `nmsp decode` for the connections; check --port",
        ));
    };
    print(&format!("{recorded} messages recorded\n"))?;
    if lost > 0 {
        let cause = format!(
            "{}: {lost} problems; the recording is not complete",
            path.display()
        );
        return Err(CliError::usage(cause, "see `nmsp decode` for each of them"));
    }
    Ok(())
}

async fn live(arguments: &Arguments, profile: &Arc<WireProfile>) -> Result<(), CliError> {
    let (link, peer) = arguments
        .controller
        .connect(arguments.dangerous_key_log.as_deref(), profile)
        .await?;
    let started = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut head = Head::new("location-server", started, profile);
    head.peer = Some(peer);
    let config = ConnectionConfig {
        profile: Arc::clone(profile),
        ..ConnectionConfig::default()
    };
    let writer = SessionWriter::new(arguments.create()?, &head, Arc::clone(profile));
    let writer = writer.map_err(|error| arguments.file_error(error))?;
    let recorded = Arc::new(AtomicU64::new(0));
    let tap = Tap {
        inner: link.stream,
        recorder: Recorder::new(writer, config.max_message_length),
        started: Instant::now(),
        recorded: Arc::clone(&recorded),
    };
    let mut driver = Driver::new(
        tap,
        Connection::new(config, Role::LocationServer, now()),
        Expected::Much,
    );
    let limit = arguments.seconds.map_or(Duration::MAX, Duration::from_secs);
    let outcome = tokio::select! {
        outcome = receive(&mut driver, arguments, &recorded) => outcome,
        () = tokio::time::sleep(limit) => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Ended::Output),
    };
    driver.close(GOODBYE).await;
    print(&format!(
        "{} messages recorded\n",
        recorded.load(Ordering::Relaxed)
    ))?;
    match outcome {
        Ok(()) => Ok(()),
        Err(Ended::Output(error)) => Err(CliError::Output(error)),
        Err(Ended::Stream(error)) => Err(CliError::failed(link.refusals.explain(&error))),
        Err(Ended::Protocol(error)) => Err((*error).into()),
    }
}

/// Why a recording ended early.
enum Ended {
    Output(io::Error),
    Stream(io::Error),
    Protocol(Box<crate::Error>),
}

/// Subscribes, and lets the tap record until enough is recorded or the controller says goodbye.
async fn receive<S: Stream>(
    driver: &mut Driver<Tap<S>>,
    arguments: &Arguments,
    recorded: &AtomicU64,
) -> Result<(), Ended> {
    let protocol = |error: crate::Error| Ended::Protocol(Box::new(error));
    let enough = arguments.count.unwrap_or(u64::MAX);
    while recorded.load(Ordering::Relaxed) < enough {
        driver.turn(true).await.map_err(Ended::Stream)?;
        while let Some(event) = driver.connection.poll_event() {
            match event {
                Event::Established(capability) => {
                    let wanted: Services = if arguments.services.is_empty() {
                        capability.services
                    } else {
                        arguments.services.iter().copied().collect()
                    };
                    let request = ServiceSubscribeRequest {
                        services: wanted,
                        ..ServiceSubscribeRequest::default()
                    };
                    let asked = driver.connection.subscribe(now(), &request);
                    asked.map_err(|error| protocol(error.into()))?;
                }
                Event::Closed(reason) if reason.is_ordinary() => return Ok(()),
                Event::Closed(reason) => return Err(protocol(reason.into())),
                // Whatever it is, it has been recorded.
                _ => {}
            }
        }
    }
    Ok(())
}

/// Records what passes. Writing a line to a local file takes no time that matters beside the network.
struct Tap<S> {
    inner: S,
    recorder: Recorder<File>,
    started: Instant,
    recorded: Arc<AtomicU64>,
}

impl<S> Tap<S> {
    fn record(&mut self, direction: Direction, bytes: &[u8]) -> io::Result<()> {
        self.recorder.bytes(self.started.elapsed(), direction, bytes)?;
        self.recorded.store(self.recorder.entries(), Ordering::Relaxed);
        Ok(())
    }
}

impl<S: Stream> AsyncRead for Tap<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
        let fresh = buffer.filled().get(before..).unwrap_or_default();
        Poll::Ready(this.record(Direction::ToLocationServer, fresh))
    }
}

impl<S: Stream> AsyncWrite for Tap<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let length = ready!(Pin::new(&mut this.inner).poll_write(context, bytes))?;
        let sent = bytes.get(..length).unwrap_or_default();
        Poll::Ready(this.record(Direction::ToController, sent).map(|()| length))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The file is complete after every line; this is only for a file system that tells of failures late.
        if let Err(error) = this.recorder.output().flush() {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut this.inner).poll_shutdown(context)
    }
}
