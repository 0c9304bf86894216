//! `est serve`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::CliError;
use super::authorities::Authorities;
use super::config::ServeConfig;
use super::report::Output;
use super::serving::{Prepared, prepare};
use crate::server::{RevocationFollower, Server, ServerHandle};

#[derive(Debug, Args)]
#[command(after_long_help = super::config::EXAMPLE)]
pub(crate) struct ServeArguments {
    /// The configuration file (TOML), shown below with its defaults.
    #[arg(long)]
    pub(crate) config: PathBuf,
}

pub(crate) async fn run(arguments: &ServeArguments, output: Output) -> Result<ExitCode, CliError> {
    let config = ServeConfig::load(&arguments.config)?;
    let mut authorities = Authorities::default();
    let Prepared {
        server: server_config,
        mut follower,
    } = prepare(&config, &mut authorities)?;
    follower.refresh().await?;
    let mut server = Server::bind(config.listen, server_config).await?;
    let crl_address = match config.crl_listen {
        Some(address) => Some(server.listen_for_revocation_lists(address).await?),
        None => None,
    };
    let handle = server.handle();
    // Before the first line is printed, so that whoever reads it may send a signal at once.
    let signals = Signals::catch()?;
    let listening = format!("https://{}", server.local_addr());
    let lists = crl_address.map(|address| format!("http://{address}"));
    let mut text = format!("listening on {listening}");
    if let Some(lists) = &lists {
        text.push_str(&format!("\nrevocation lists at {lists}"));
    }
    output.print(
        &text,
        &json!({ "listening": listening, "revocation_lists": lists }),
    )?;
    let reloader = Reloader {
        path: arguments.config.clone(),
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
        } = prepared;
        follower.refresh().await?;
        server.reload(config)?;
        self.following = Following::start(follower);
        Ok(())
    }

    fn read(&mut self) -> Result<Prepared, CliError> {
        let config = ServeConfig::load(&self.path)?;
        for (name, old, new) in [
            ("listen", Some(self.started_with.listen), Some(config.listen)),
            ("crl-listen", self.started_with.crl_listen, config.crl_listen),
        ] {
            if old != new {
                tracing::warn!(
                    name,
                    ?old,
                    ?new,
                    "this key is read at the start only; start the server anew"
                );
            }
        }
        prepare(&config, &mut self.authorities)
    }
}
