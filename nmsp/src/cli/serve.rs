//! `nmsp serve`: a controller that publishes measurements from a file or from standard input.

use core::time::Duration;
use std::path::PathBuf;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};

use super::config::ServeConfig;
use super::failure::CliError;
use super::{print, reload};
use crate::server::{Publisher, Server, ServerHandle};
use crate::wire::message::Measurement;

/// How long to wait before measurements that could not be published again are tried once more.
const REPEAT_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
#[command(after_long_help = "The configuration file:\n\n  \
    listen = \"0.0.0.0:16113\"\n  \
    certificate = \"certificate.pem\"\n  \
    key = \"key.pem\"\n  \
    trust-anchors = [\"anchors/\"]      # for certificates that are not self-signed\n  \
    reload-on-change = true           # this file and those it names; SIGHUP does it, too\n\n  \
    [authlist]\n  \
    file = \"authlist.toml\"\n  \
    format = \"toml\"                   # recognised if not given\n\n  \
    [limits]                          # all optional; an IPv6 address counts by its /64\n  \
    max-connections = 100\n  \
    max-connections-per-address = 32\n  \
    max-new-connections-per-second = 100 # of one address\n  \
    max-handshakes = 32\n  \
    max-handshakes-per-address = 24\n  \
    handshake-timeout-seconds = 5\n  \
    idle-timeout-seconds = 60\n  \
    shutdown-timeout-seconds = 5\n  \
    max-message-length = 65536        # received, in bytes\n  \
    max-messages-per-second = 1000    # of one location server; not read from beyond that\n  \
    max-requests = 64                 # of one location server, unanswered\n  \
    queue-length = 65536              # records that wait for one slow location server\n  \
    queue-bytes = 4194304             # bytes of messages that wait for one\n  \
    max-stations = 65536              # records of one kind in the store\n\n  \
    [notification.intervals]          # seconds, 1 to 180\n  \
    clients = 2                       # rfid-tags, rogue-aps, rogue-clients, spectrum, handover: 2\n  \
    location = 30                     # attachment: 30\n\n  \
    [notification.thresholds]         # dB that the signal strength must move; 0 reports always\n  \
    clients = 0\n\n  \
    [access-point-groups]             # what AP groups in subscriptions mean\n  \
    north = [\"00:3a:7d:00:00:01\"]\n\n  \
    [admin]                           # RESTCONF, metrics, `nmsp show`; none if left out\n  \
    listen = \"127.0.0.1:16180\"        # no authentication: a loopback address, unless\n  \
    dangerous-accept-any-address = false\n\n  \
    [[dangerous-legacy-transport]]    # old devices, by OpenSSL (a build with the feature openssl)\n  \
    listen = \"0.0.0.0:16114\"\n  \
    oldest = \"1.0\"                    # TLS 1.0 to 1.2 if left out\n  \
    newest = \"1.2\"\n  \
    ciphers = \"AES128-SHA:AES256-SHA\" # static RSA; as `openssl ciphers` writes them\n  \
    dtls = false                      # true: DTLS 1.2 over UDP, without oldest and newest")]
pub(super) struct Arguments {
    /// The configuration file (TOML), shown below.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Measurements to publish, one JSON object a line, as `nmsp connect --json` prints them; "-" is standard input.
    #[arg(long, value_name = "FILE")]
    measurements: Option<PathBuf>,
    /// Publishes the file again and again.
    #[arg(long, requires = "measurements")]
    repeat: bool,
    /// Time between two measurements, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    interval: u64,
    /// Appends the TLS secrets of every connection to this file, for `nmsp decode --key-log` and Wireshark. Whoever has it
    /// can read the traffic.
    #[arg(long, value_name = "FILE")]
    dangerous_key_log: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let ending = Ending::watch()?;
    let config = ServeConfig::load(&arguments.config)?;
    let mut server_config = config.server_config()?;
    if let Some(path) = &arguments.dangerous_key_log {
        server_config.tls = server_config.tls.dangerous_key_log(super::link::key_log(path)?);
    }
    let mut server = Server::bind(config.listen, server_config).await?;
    let mut legacy = String::new();
    for table in &config.dangerous_legacy_transport {
        legacy.push_str(&table.listen(&mut server).await?);
    }
    let address = server.local_addr().map_err(crate::Error::Transport)?;
    let handle = server.handle();
    config.set_access_point_groups(handle.store());
    let admin = admin(&config, &handle).await?;
    let reloading = reload::watch(handle.clone(), config)?;
    print(&format!("listening on {address}\n{legacy}{}", admin.announcement))?;
    let running = tokio::spawn(server.run());
    let publishing = publish(handle.publisher(), &arguments);
    let outcome = tokio::select! {
        outcome = publishing => outcome,
        interrupted = ending.wait() => interrupted,
    };
    reloading.abort();
    handle.shutdown();
    // A task that panicked has said so on standard error.
    drop(running.await);
    if let Some(task) = admin.task {
        drop(task.await);
    }
    print(&crate::show::show_nmsp_status(&handle.status()))?;
    outcome
}

/// The admin listener, if there is to be one.
#[derive(Default)]
pub(super) struct Admin {
    pub(super) task: Option<tokio::task::JoinHandle<()>>,
    /// For standard output.
    pub(super) announcement: String,
}

pub(super) async fn admin(config: &ServeConfig, handle: &ServerHandle) -> Result<Admin, CliError> {
    let Some((address, config)) = config.admin() else {
        return Ok(Admin::default());
    };
    let listener = crate::admin::bind(address, &config)
        .await
        .map_err(|error| CliError::of(&error))?;
    let address = listener.local_addr().map_err(crate::Error::Transport)?;
    let serving = crate::admin::serve(listener, handle.clone(), config);
    let task = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the admin listener ended");
        }
    });
    Ok(Admin {
        task: Some(task),
        announcement: format!("admin listener on {address}\n"),
    })
}

/// Publishes until the end of time; without a file there is nothing to do but wait.
async fn publish(publisher: Publisher, arguments: &Arguments) -> Result<(), CliError> {
    let Some(path) = &arguments.measurements else {
        return std::future::pending().await;
    };
    let pause = Duration::from_millis(arguments.interval);
    publish_once(&publisher, path, pause).await?;
    if !arguments.repeat {
        tracing::info!("all measurements published; serving goes on");
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(pause).await;
        // The file was good once; what is in its way now, too many open files for instance, must not end the tunnels.
        if let Err(error) = publish_once(&publisher, path, pause).await {
            tracing::error!(%error, "the measurements cannot be published again for now; serving goes on");
            tokio::time::sleep(REPEAT_PAUSE).await;
        }
    }
}

async fn publish_once(
    publisher: &Publisher,
    path: &std::path::Path,
    pause: Duration,
) -> Result<(), CliError> {
    if path.as_os_str() == "-" {
        return publish_lines(BufReader::new(tokio::io::stdin()), path, pause, publisher).await;
    }
    // Reading a local file takes no time that matters beside the pauses.
    let text = std::fs::read(path).map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    })?;
    publish_lines(&text[..], path, pause, publisher).await
}

async fn publish_lines(
    mut input: impl AsyncBufRead + Unpin,
    path: &std::path::Path,
    pause: Duration,
    publisher: &Publisher,
) -> Result<(), CliError> {
    let (mut line, mut number) = (String::new(), 0_u64);
    loop {
        line.clear();
        let length = input
            .read_line(&mut line)
            .await
            .map_err(|source| CliError::File {
                path: path.to_owned(),
                source,
            })?;
        if length == 0 {
            return Ok(());
        }
        number += 1;
        if line.trim().is_empty() {
            continue;
        }
        let measurement: Measurement = serde_json::from_str(&line).map_err(|error| {
            let cause = format!(
                "{} line {number} column {}: {error}",
                path.display(),
                error.column()
            );
            CliError::usage(cause, "correct the line; `nmsp connect --json` prints examples")
        })?;
        publisher.publish(core::slice::from_ref(&measurement))?;
        tokio::time::sleep(pause).await;
    }
}

/// What ends the program from outside. Made before anybody can know that it runs, so that no signal is missed.
pub(super) struct Ending {
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl Ending {
    pub(super) fn watch() -> Result<Self, CliError> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};

            let watch = |kind| signal(kind).map_err(unwatchable);
            let signals = [watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?];
            Ok(Self { signals })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for an interrupt from the keyboard or a request to end.
    #[cfg(unix)]
    pub(super) async fn wait(mut self) -> Result<(), CliError> {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    }

    /// Waits for an interrupt from the keyboard.
    #[cfg(not(unix))]
    pub(super) async fn wait(self) -> Result<(), CliError> {
        tokio::signal::ctrl_c().await.map_err(unwatchable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature map_err wants")]
fn unwatchable(error: std::io::Error) -> CliError {
    CliError::usage(format!("signals: {error}"), "start it from another shell")
}
