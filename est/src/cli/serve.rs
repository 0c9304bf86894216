//! `est serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::CliError;
use super::authorities::Authorities;
use super::config::{EXAMPLE, ServeConfig, ServerKeys};
use super::report::Output;
use super::serving::{Prepared, prepare};
use crate::server::{RevocationFollower, Server, ServerHandle};

#[derive(Debug, Args)]
#[command(
    after_help = "The configuration: `est serve --print-config` prints all of it, each key with its default and what it \
                        means. `est serve --print-config > est.toml` is a place to begin.\n\
                        SIGHUP has the running server read it again; only listen, crl-listen, metrics-listen, \
                        limits.connections and limits.handshakes need a restart."
)]
pub(crate) struct ServeArguments {
    /// The configuration file (TOML).
    #[arg(long, required_unless_present = "print_config")]
    pub(crate) config: Option<PathBuf>,
    /// Print a complete configuration with comments, and end.
    #[arg(long, conflicts_with_all = ["config", "check"])]
    pub(crate) print_config: bool,
    /// Read the configuration and every file in it, say what is wrong with them, and end.
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) async fn run(arguments: &ServeArguments, output: Output) -> Result<ExitCode, CliError> {
    let Some(path) = arguments.config.as_ref().filter(|_| !arguments.print_config) else {
        output.print(EXAMPLE, &json!({ "config": EXAMPLE }))?;
        return Ok(ExitCode::SUCCESS);
    };
    let config = ServeConfig::load(path)?;
    let mut authorities = Authorities::default();
    let Prepared {
        server: server_config,
        mut follower,
        first_contacts,
    } = prepare(&config, &mut authorities)?;
    follower.refresh().await?;
    if arguments.check {
        let shown = path.display().to_string();
        output.print(
            &format!("{shown}: good"),
            &json!({ "config": shown, "good": true }),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    first_contacts.make().await?;
    let mut server = Server::bind(config.server.listen, server_config).await?;
    let beside = Beside::listen(&mut server, &config.server).await?;
    let handle = server.handle();
    // Before the first line is printed, so that whoever reads it may send a signal at once.
    let signals = Signals::catch()?;
    beside.announce(server.local_addr(), output)?;
    let reloader = Reloader {
        path: path.clone(),
        started_with: config,
        authorities,
        following: Following::start(follower),
    };
    let signals = tokio::spawn(signals.obey(handle.clone(), reloader));
    server.run().await;
    signals.abort();
    let done = handle.statistics();
    tracing::info!(
        connections = done.connections,
        handshakes = done.handshakes,
        "server ended"
    );
    Ok(ExitCode::SUCCESS)
}

/// What is served beside EST, over plain HTTP, and where.
struct Beside {
    revocation_lists: Option<String>,
    metrics: Option<String>,
}

impl Beside {
    async fn listen(server: &mut Server, keys: &ServerKeys) -> Result<Self, CliError> {
        let lists = match keys.crl_listen {
            Some(address) => Some(server.listen_for_revocation_lists(address).await?),
            None => None,
        };
        let metrics = match keys.metrics_listen {
            Some(address) if keys.dangerous_metrics_any_address => {
                Some(server.dangerous_listen_for_metrics_anywhere(address).await?)
            }
            Some(address) => Some(server.listen_for_metrics(address).await?),
            None => None,
        };
        Ok(Self {
            revocation_lists: lists.map(|address| format!("http://{address}")),
            metrics: metrics.map(|address| format!("http://{address}/metrics")),
        })
    }

    fn announce(&self, server: SocketAddr, output: Output) -> Result<(), CliError> {
        let listening = format!("https://{server}");
        let mut text = format!("listening on {listening}");
        for (what, place) in [
            ("revocation lists", &self.revocation_lists),
            ("metrics", &self.metrics),
        ] {
            if let Some(place) = place {
                text.push_str(&format!("\n{what} at {place}"));
            }
        }
        output.print(
            &text,
            &json!({
                "listening": listening,
                "revocation_lists": self.revocation_lists,
                "metrics": self.metrics,
            }),
        )
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn catch() -> Result<Self, CliError> {
        let catch = |kind| {
            signal(kind).map_err(|error| {
                CliError::local(
                    format!("signals cannot be caught: {error}"),
                    "Check the limits of the process.",
                )
            })
        };
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    async fn obey(mut self, server: ServerHandle, mut reloader: Reloader) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hang_up.recv() => match reloader.reload(&server).await {
                    Some(next) => reloader = next,
                    None => break,
                },
            }
        }
        tracing::info!("shutting down");
        server.shutdown();
    }
}

/// Reads the configuration and all files in it again.
struct Reloader {
    path: PathBuf,
    started_with: ServeConfig,
    authorities: Authorities,
    following: Following,
}

/// The task that keeps the revocation lists for client certificates current; ended when dropped.
struct Following(JoinHandle<()>);

impl Following {
    fn start(follower: RevocationFollower) -> Self {
        Self(tokio::spawn(follower.follow()))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reloader {
    /// `None` when the thread that reads the files has failed; that is no state to go on in.
    async fn reload(self, server: &ServerHandle) -> Option<Self> {
        // Files, and a password hash that is expensive by design: not on the threads that serve.
        let read = tokio::task::spawn_blocking(move || {
            let mut this = self;
            let config = this.read();
            (this, config)
        });
        let (mut this, prepared) = read.await.ok()?;
        let outcome = match prepared {
            Ok(prepared) => this.take(prepared, server).await,
            Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "the new configuration cannot be used; the old one stays in force");
        }
        Some(this)
    }

    async fn take(&mut self, prepared: Prepared, server: &ServerHandle) -> Result<(), CliError> {
        let Prepared {
            server: config,
            mut follower,
            first_contacts,
        } = prepared;
        follower.refresh().await?;
        first_contacts.make().await?;
        server.reload(config)?;
        self.following = Following::start(follower);
        Ok(())
    }

    fn read(&mut self) -> Result<Prepared, CliError> {
        let config = ServeConfig::load(&self.path)?;
        let prepared = prepare(&config, &mut self.authorities)?;
        for (key, old, new) in self.started_with.changed_since_the_start(&config)? {
            tracing::warn!(
                key,
                old,
                new,
                "this key needs a restart; the server goes on with the old value"
            );
        }
        Ok(prepared)
    }
}
