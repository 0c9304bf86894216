//! The configuration file of `nmsp serve`.

use core::time::Duration;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use pki_common::authlist::{AuthListFormat, SharedAuthList};
use pki_common::identity::Identity;
use pki_common::tls::PeerVerifier;
use pki_common::trust_store::TrustStore;

use super::failure::CliError;
use super::legacy::LegacyTable;
use super::{authlist, read_text};
use crate::admin::AdminConfig;
use crate::server::ServerConfig;

/// Everything in the file; paths are relative to the file's folder.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ServeConfig {
    #[serde(default = "default_listen")]
    pub(super) listen: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    authlist: Option<AuthListFile>,
    /// PEM or DER files and folders. Beside an authlist: for certificates that are not self-signed. Without one: whoever
    /// holds a certificate of these authorities is admitted.
    #[serde(default)]
    trust_anchors: Vec<PathBuf>,
    #[serde(default)]
    limits: LimitsTable,
    /// Listeners for old devices.
    #[serde(default)]
    pub(super) dangerous_legacy_transport: Vec<LegacyTable>,
    /// The listener for people and monitoring; there is none without this table.
    admin: Option<AdminTable>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AdminTable {
    listen: SocketAddr,
    #[serde(default)]
    dangerous_accept_any_address: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AuthListFile {
    file: PathBuf,
    format: Option<String>,
}

/// What is not given keeps its default.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LimitsTable {
    max_connections: Option<usize>,
    max_handshakes: Option<usize>,
    handshake_timeout_seconds: Option<u64>,
    idle_timeout_seconds: Option<u64>,
    shutdown_timeout_seconds: Option<u64>,
    queue_length: Option<usize>,
    max_message_length: Option<usize>,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], crate::client::DEFAULT_PORT))
}

impl ServeConfig {
    pub(super) fn load(path: &Path) -> Result<Self, CliError> {
        let mut config: Self = toml::from_str(&read_text(path)?).map_err(|error| {
            let cause = format!("{}: {}", path.display(), error.to_string().trim_end());
            CliError::usage(cause, "correct the line, or compare with `nmsp serve --help`")
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let authlist = config.authlist.as_mut().map(|authlist| &mut authlist.file);
        let own = [&mut config.certificate, &mut config.key];
        for path in own.into_iter().chain(authlist).chain(&mut config.trust_anchors) {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    /// Everything that is wrong with what the file names, not only the first of it.
    pub(super) fn problems(&self) -> Vec<CliError> {
        let identity = Identity::load(&self.certificate, &self.key).map_err(|error| CliError::of(&error));
        let peers = self.location_servers();
        [identity.err(), peers.err()].into_iter().flatten().collect()
    }

    pub(super) fn server_config(&self) -> Result<ServerConfig, CliError> {
        let identity = Identity::load(&self.certificate, &self.key).map_err(|error| CliError::of(&error))?;
        let mut config = ServerConfig::new(Arc::new(identity), self.location_servers()?);
        let seconds = |to: &mut Duration, from: Option<u64>| *to = from.map_or(*to, Duration::from_secs);
        let number = |to: &mut usize, from: Option<usize>| *to = from.unwrap_or(*to);
        let limits = &self.limits;
        number(&mut config.limits.max_connections, limits.max_connections);
        number(&mut config.limits.max_handshakes, limits.max_handshakes);
        number(&mut config.limits.queue_length, limits.queue_length);
        number(
            &mut config.connection.max_message_length,
            limits.max_message_length,
        );
        seconds(
            &mut config.limits.handshake_timeout,
            limits.handshake_timeout_seconds,
        );
        seconds(
            &mut config.limits.shutdown_timeout,
            limits.shutdown_timeout_seconds,
        );
        seconds(&mut config.connection.idle_timeout, limits.idle_timeout_seconds);
        Ok(config)
    }

    /// Where the admin listener listens, and how it behaves.
    pub(super) fn admin(&self) -> Option<(SocketAddr, AdminConfig)> {
        let table = self.admin.as_ref()?;
        let config = AdminConfig {
            dangerous_accept_any_address: table.dangerous_accept_any_address,
            ..AdminConfig::default()
        };
        Some((table.listen, config))
    }

    fn location_servers(&self) -> Result<PeerVerifier, CliError> {
        let anchors = trust_store("NMSP location servers", &self.trust_anchors)?;
        let Some(file) = &self.authlist else {
            return anchors.map(PeerVerifier::trust_store).ok_or_else(|| {
                let cause = "neither an authlist nor trust anchors: nobody could be admitted".to_owned();
                CliError::usage(
                    cause,
                    "add [authlist] file = \"…\" or trust-anchors = [\"…\"] to the configuration",
                )
            });
        };
        let read = |name: &String| {
            name.parse::<AuthListFormat>()
                .map_err(|error| CliError::of(&error))
        };
        let format = file.format.as_ref().map(read).transpose()?;
        let verifier = PeerVerifier::authlist(SharedAuthList::new(authlist::load(&file.file, format)?));
        Ok(match anchors {
            Some(store) => verifier.with_trust_store(store),
            None => verifier,
        })
    }
}

/// The anchors of files and folders; `None` if no path is given.
pub(super) fn trust_store(role: &str, paths: &[PathBuf]) -> Result<Option<Arc<TrustStore>>, CliError> {
    if paths.is_empty() {
        return Ok(None);
    }
    let store = TrustStore::from_paths(role, paths).map_err(|error| CliError::of(&error))?;
    Ok(Some(Arc::new(store)))
}
