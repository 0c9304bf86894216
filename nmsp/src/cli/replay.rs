//! `nmsp replay`: one side of a recorded session, played against a live peer.

use core::time::Duration;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use super::config::ServeConfig;
use super::failure::CliError;
use super::link::{self, Arrivals, ControllerAccess, Link, Stream};
use super::print;
use crate::capture::Direction;
use crate::session_file::{Next, Replay, SessionReader};
use crate::wire::{DEFAULT_MAX_MESSAGE_LENGTH, Frame, WireProfile};

/// How many location servers may be played to at a time, handshakes included.
const MAX_PEERS: usize = 100;

#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("side").required(true).args(["config", "controller"]),
    after_long_help = "\
    With --config the controller's side is played to every location server that connects and that the configuration admits; \
    with --controller the location server's side is played to a controller.\n\n\
    What the recorded side told on its own is sent at its recorded time, divided by --speed. What it answered is sent when \
    the live peer has asked for the same kind of message, with the live transaction. Echo requests are answered at once. \
    --compare compares the live peer's requests and answers with the recorded ones of the same kind, in their order, byte for \
    byte; notifications depend on the moment and are not compared."
)]
pub(super) struct Arguments {
    /// A file of `nmsp record`.
    file: PathBuf,
    /// Plays the controller: a configuration of `nmsp serve` for address, identity, and who is admitted.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    controller: ControllerAccess,
    /// How many times as fast as it was recorded.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// How often; each time on a new connection.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Fails if the peer's requests or answers differ from the recorded ones.
    #[arg(long)]
    compare: bool,
    /// How long to wait for a request or an answer of the peer, in seconds.
    #[arg(long, value_name = "N", default_value_t = 30)]
    patience: u64,
    /// Appends the TLS secrets to this file, for `nmsp decode --key-log` and Wireshark. Whoever has it can read the traffic.
    #[arg(long, value_name = "FILE")]
    dangerous_key_log: Option<PathBuf>,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("give a number above 0, such as 10 or 0.5".to_owned()),
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let arguments = Arc::new(arguments);
    // A file that cannot be read is told before anybody connects.
    let (_, profile) = arguments.open()?;
    let played = match &arguments.config {
        Some(config) => to_location_servers(&arguments, &ServeConfig::load(config)?, &profile).await?,
        None => {
            let mut played = Vec::new();
            for _ in 0..arguments.repeat {
                let key_log = arguments.dangerous_key_log.as_deref();
                let (link, _) = arguments.controller.connect(key_log, &profile).await?;
                played.push(play(link, &arguments, Direction::ToController).await?);
            }
            played
        }
    };
    verdict(&arguments, &played)
}

/// Plays to as many location servers as the session is to be repeated.
async fn to_location_servers(
    arguments: &Arc<Arguments>,
    config: &ServeConfig,
    profile: &Arc<WireProfile>,
) -> Result<Vec<Played>, CliError> {
    let mut tls = config.server_config()?.tls;
    if let Some(path) = &arguments.dangerous_key_log {
        tls = tls.dangerous_key_log(link::key_log(path)?);
    }
    let (mut arrivals, announcement) = Arrivals::bind(config).await?;
    print(&announcement)?;
    let (mut tasks, mut played) = (tokio::task::JoinSet::new(), Vec::new());
    let wanted = usize::try_from(arguments.repeat).unwrap_or(usize::MAX);
    while played.len() < wanted {
        tokio::select! {
            arrived = arrivals.next(), if tasks.len() < MAX_PEERS => {
                let (incoming, peer) = arrived.map_err(crate::Error::Transport)?;
                let (tls, arguments, profile) = (tls.clone(), Arc::clone(arguments), Arc::clone(profile));
                tasks.spawn(async move {
                    let link = link::accept(&tls, incoming, profile).await.map_err(|error| (peer, error))?;
                    let played = play(link, &arguments, Direction::ToLocationServer).await;
                    played.map_err(|error| (peer, error))
                });
            }
            Some(ended) = tasks.join_next() => match ended {
                Ok(Ok(outcome)) => played.push(outcome),
                // Whoever is refused or goes away is told about; the next one is welcome.
                Ok(Err((peer, error))) => {
                    use pki_common::Diagnose as _;
                    tracing::warn!(%peer, "{}", error.diagnose());
                }
                // A task that panicked has said so on standard error.
                Err(_) => {}
            },
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map_err(CliError::Output)?;
                break;
            }
        }
    }
    Ok(played)
}

impl Arguments {
    fn open(&self) -> Result<(SessionReader<BufReader<File>>, Arc<WireProfile>), CliError> {
        let file = File::open(&self.file).map_err(|source| CliError::File {
            path: self.file.clone(),
            source,
        })?;
        let failed = |error| CliError::session_file(&self.file, &error);
        let reader = SessionReader::new(BufReader::new(file)).map_err(failed)?;
        let profile = reader.head().wire_profile().map_err(failed)?;
        Ok((reader, profile))
    }
}

/// What came of it.
struct Played {
    sent: u64,
    received: u64,
    compared: u64,
    differences: u64,
    shown: Vec<String>,
    /// The peer went before the recording was played to its end.
    early: bool,
}

/// A live peer while a recording is played to it.
struct Player<S> {
    link: Link<S>,
    replay: Replay,
    profile: Arc<WireProfile>,
    input: BytesMut,
    /// The recorded time that belongs to a moment.
    anchor: (Duration, Instant),
    gone: bool,
}

async fn play<S: Stream>(link: Link<S>, arguments: &Arguments, ours: Direction) -> Result<Played, CliError> {
    let (mut reader, profile) = arguments.open()?;
    let mut player = Player {
        link,
        replay: Replay::new(Arc::clone(&profile), ours),
        profile,
        input: BytesMut::new(),
        anchor: (Duration::ZERO, Instant::now()),
        gone: false,
    };
    let patience = Duration::from_secs(arguments.patience);
    let mut next = Next::Entry;
    let mut early = true;
    while !player.gone {
        next = match next {
            Next::Entry => match reader.next_entry() {
                None => {
                    early = false;
                    break;
                }
                Some(Ok(entry)) => player.replay.entry(entry),
                Some(Err(error)) => return Err(CliError::session_file(&arguments.file, &error)),
            },
            Next::Send { after, bytes } => {
                let due = player.due(after, arguments.speed);
                player.listen_until(due).await?;
                player.send(&bytes).await?;
                player.replay.next_step()
            }
            Next::Await(kind) => {
                let waited = timeout(patience, player.listen_for_anchor()).await;
                waited.map_err(|_| {
                    CliError::usage(
                        format!("the peer sent no {kind} within {} s", arguments.patience),
                        "check that the peer is what the recording expects, or give more --patience",
                    )
                })??;
                player.replay.next_step()
            }
        };
    }
    if arguments.compare {
        let end = Instant::now() + patience;
        while player.replay.outstanding() > 0 && !player.gone && Instant::now() < end {
            player.listen_once(end).await?;
        }
    }
    // The peer may be gone already.
    drop(timeout(Duration::from_secs(2), player.link.stream.shutdown()).await);
    let (sent, received) = player.replay.counts();
    let (compared, differences, shown) = player.replay.finish();
    Ok(Played {
        sent,
        received,
        compared,
        differences,
        shown: shown.iter().map(ToString::to_string).collect(),
        early,
    })
}

impl<S: Stream> Player<S> {
    /// When something recorded at this time is due.
    fn due(&self, recorded: Duration, speed: f64) -> Instant {
        let (base, moment) = self.anchor;
        let distance = recorded.saturating_sub(base).as_secs_f64() / speed;
        let distance = Duration::try_from_secs_f64(distance).unwrap_or(Duration::MAX);
        moment.checked_add(distance).unwrap_or(moment)
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        let sent = async {
            self.link.stream.write_all(bytes).await?;
            self.link.stream.flush().await
        };
        sent.await.map_err(|error| self.link.explain(&error))
    }

    async fn listen_until(&mut self, due: Instant) -> Result<(), CliError> {
        while !self.gone && Instant::now() < due {
            self.listen_once(due).await?;
        }
        Ok(())
    }

    /// Listens until a request came that the recording waits for.
    async fn listen_for_anchor(&mut self) -> Result<(), CliError> {
        let far = Instant::now() + Duration::from_secs(86_400);
        while !self.gone {
            if self.listen_once(far).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads once, at most until then. Whether the anchor was set.
    async fn listen_once(&mut self, until: Instant) -> Result<bool, CliError> {
        let Ok(read) = timeout_at(until, self.link.stream.read_buf(&mut self.input)).await else {
            return Ok(false);
        };
        match read {
            Ok(0) => self.gone = true,
            Ok(_) => {}
            // A peer that goes away without a TLS goodbye; messages carry their length, so nothing is cut unseen.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => self.gone = true,
            Err(error) => return Err(self.link.explain(&error)),
        }
        let mut anchored = false;
        loop {
            let length = match Frame::cut(&self.profile, DEFAULT_MAX_MESSAGE_LENGTH, &self.input) {
                Ok(None) => return Ok(anchored),
                Ok(Some((_, length))) => length,
                Err(error) => return Err(CliError::of(&error)),
            };
            let reply = self.replay.received(self.input.get(..length).unwrap_or_default());
            self.input.advance(length);
            if let Some(recorded) = reply.anchor {
                self.anchor = (recorded, Instant::now());
                anchored = true;
            }
            if let Some(bytes) = reply.send {
                self.send(&bytes).await?;
            }
        }
    }
}

fn verdict(arguments: &Arguments, played: &[Played]) -> Result<(), CliError> {
    let mut differing = 0;
    for (number, outcome) in (1..).zip(played) {
        let Played {
            sent,
            received,
            compared,
            differences,
            early,
            ..
        } = outcome;
        let end = if *early {
            "; the peer went before the end"
        } else {
            ""
        };
        let mut text = format!("{number}: {sent} messages sent, {received} received{end}");
        if arguments.compare {
            text.push_str(&format!("; {compared} compared, {differences} differ"));
            differing += differences;
            for difference in &outcome.shown {
                text.push_str("\n  ");
                text.push_str(difference);
            }
        }
        text.push('\n');
        print(&text)?;
    }
    if differing > 0 {
        let cause = format!("{differing} requests or answers of the peer differ from the recording");
        return Err(CliError::usage(
            cause,
            "see the list above; the recording may be of another version",
        ));
    }
    if played.iter().any(|outcome| outcome.early) {
        let cause = "the peer ended the connection before the recording was played to its end".to_owned();
        return Err(CliError::usage(cause, "see the peer's log"));
    }
    Ok(())
}
