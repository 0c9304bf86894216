//! `est serve`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;
use tokio::signal::unix::{SignalKind, signal};

use super::CliError;
use super::config::ServeConfig;
use super::files::print;
use crate::auth::Users;
use crate::operation::Operations;
use crate::server::{Server, ServerConfig};

#[derive(Debug, Args)]
#[command(after_long_help = super::config::EXAMPLE)]
pub(crate) struct ServeArguments {
    /// The configuration file (TOML), shown below with its defaults.
    #[arg(long)]
    pub(crate) config: PathBuf,
}

pub(crate) async fn run(arguments: &ServeArguments) -> Result<ExitCode, CliError> {
    let config = ServeConfig::load(&arguments.config)?;
    let mut tls = ServerTls::new(Arc::new(Identity::load(&config.certificate, &config.key)?));
    if !config.client_trust_anchors.is_empty() {
        let anchors = TrustStore::from_paths("EST client trust anchors", &config.client_trust_anchors)?;
        tls.client_authentication =
            ClientAuthentication::Optional(PeerVerifier::trust_store(Arc::new(anchors)));
    }
    let users = match &config.users {
        Some(path) => Users::load(path)?,
        None => Users::new(),
    };
    let authority = super::authority::open(&config.ca_dir, config.policy()?)?;
    let server_config = ServerConfig {
        tls,
        operations: Operations::new(Arc::new(authority), config.operations()),
        authenticator: Arc::new(users),
        limits: config.limits()?,
    };
    let server = Server::bind(config.listen, server_config).await?;
    let handle = server.handle();
    // Before the first line is printed, so that whoever reads it may send a signal at once.
    let no_signals = |error| {
        CliError::local(
            format!("signals cannot be caught: {error}"),
            "Check the limits of the process.",
        )
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    print(&format!("listening on https://{}", server.local_addr()))?;
    let stop = handle.clone();
    let signals = tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
        stop.shutdown();
    });
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
