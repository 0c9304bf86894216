//! The configuration file of `nmsp serve`.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use pki_common::MacAddr;
use pki_common::authlist::AuthListFormat;
use pki_common::trust_store::TrustStore;

use super::failure::CliError;
use super::legacy::LegacyTable;
use super::read_text;
use crate::admin::AdminConfig;
use crate::proto::policy::{NotificationClass, NotificationPolicy, PolicyError};
use crate::server::{CredentialError, CredentialFiles, ServerConfig, StationStore};
use crate::wire::Text;

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
    /// Whether the files above are read again when they change.
    #[serde(default = "yes")]
    pub(super) reload_on_change: bool,
    #[serde(default)]
    limits: LimitsTable,
    /// Listeners for old devices.
    #[serde(default)]
    pub(super) dangerous_legacy_transport: Vec<LegacyTable>,
    #[serde(default)]
    notification: NotificationTable,
    /// Groups of access points by name, beside what AP Information says.
    #[serde(default)]
    access_point_groups: BTreeMap<String, Vec<MacAddr>>,
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
    max_connections_per_address: Option<usize>,
    max_new_connections_per_second: Option<u32>,
    max_handshakes: Option<usize>,
    handshake_timeout_seconds: Option<u64>,
    idle_timeout_seconds: Option<u64>,
    shutdown_timeout_seconds: Option<u64>,
    max_message_length: Option<usize>,
    max_messages_per_second: Option<u32>,
    max_requests: Option<usize>,
    queue_length: Option<usize>,
    queue_bytes: Option<usize>,
    max_stations: Option<usize>,
}

/// By class; a class that is not named keeps its default.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct NotificationTable {
    /// In seconds.
    #[serde(default)]
    intervals: BTreeMap<String, u64>,
    /// In dB.
    #[serde(default)]
    thresholds: BTreeMap<String, u64>,
}

const fn yes() -> bool {
    true
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
        let policy = self.notification.policy().err();
        let files = match self.credentials() {
            Ok(files) => files,
            Err(error) => return policy.into_iter().chain([error]).collect(),
        };
        let identity = files.identity().err().map(of_credentials);
        let peers = files.location_servers().err().map(of_credentials);
        [identity, peers, policy].into_iter().flatten().collect()
    }

    /// The files that can be read again while the controller runs.
    pub(super) fn credentials(&self) -> Result<CredentialFiles, CliError> {
        let authlist = match &self.authlist {
            None => None,
            Some(authlist) => {
                let read = |name: &String| {
                    name.parse::<AuthListFormat>()
                        .map_err(|error| CliError::of(&error))
                };
                let format = authlist.format.as_ref().map(read).transpose()?;
                Some((authlist.file.clone(), format))
            }
        };
        Ok(CredentialFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            authlist,
            trust_anchors: self.trust_anchors.clone(),
        })
    }

    pub(super) fn server_config(&self) -> Result<ServerConfig, CliError> {
        let (identity, location_servers) = self.credentials()?.load().map_err(of_credentials)?;
        let mut config = ServerConfig::new(identity, location_servers);
        config.notification_policy = self.notification.policy()?;
        self.limits.apply(&mut config);
        Ok(config)
    }

    /// Tells the store which access point is in which group.
    pub(super) fn set_access_point_groups(&self, store: &StationStore) {
        for (name, access_points) in &self.access_point_groups {
            let group = Text::from(name.as_str());
            for access_point in access_points {
                store.set_access_point_group(*access_point, Some(&group));
            }
        }
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
}

impl LimitsTable {
    fn apply(&self, config: &mut ServerConfig) {
        fn set<T>(to: &mut T, from: Option<T>) {
            if let Some(value) = from {
                *to = value;
            }
        }
        let seconds = |from: Option<u64>| from.map(Duration::from_secs);
        let (limits, connection) = (&mut config.limits, &mut config.connection);
        set(&mut limits.max_connections, self.max_connections);
        set(
            &mut limits.max_connections_per_address,
            self.max_connections_per_address,
        );
        set(
            &mut limits.max_new_connections_per_second,
            self.max_new_connections_per_second,
        );
        set(&mut limits.max_handshakes, self.max_handshakes);
        set(
            &mut limits.handshake_timeout,
            seconds(self.handshake_timeout_seconds),
        );
        set(
            &mut limits.shutdown_timeout,
            seconds(self.shutdown_timeout_seconds),
        );
        set(&mut limits.max_messages_per_second, self.max_messages_per_second);
        set(&mut limits.queue_length, self.queue_length);
        set(&mut limits.queue_bytes, self.queue_bytes);
        set(&mut limits.max_stations, self.max_stations);
        set(&mut connection.idle_timeout, seconds(self.idle_timeout_seconds));
        set(&mut connection.max_message_length, self.max_message_length);
        set(&mut connection.max_peer_requests, self.max_requests);
    }
}

impl NotificationTable {
    fn policy(&self) -> Result<NotificationPolicy, CliError> {
        type Set = fn(&mut NotificationPolicy, NotificationClass, u64) -> Result<(), PolicyError>;
        let mut policy = NotificationPolicy::default();
        let tables: [(&str, &BTreeMap<String, u64>, Set); 2] = [
            ("intervals", &self.intervals, NotificationPolicy::set_interval),
            ("thresholds", &self.thresholds, NotificationPolicy::set_threshold),
        ];
        for (table, values, set) in tables {
            for (name, value) in values {
                let class = name.parse().map_err(|error| CliError::of(&error))?;
                set(&mut policy, class, *value).map_err(|error| {
                    let cause = format!("[notification.{table}] {name}: {error}");
                    CliError::usage(cause, &pki_common::Diagnose::diagnose(&error).remedy)
                })?;
            }
        }
        Ok(policy)
    }
}

fn of_credentials(error: CredentialError) -> CliError {
    match error {
        CredentialError::AuthList { path, error } => CliError::AuthList { path, error },
        other => CliError::of(&other),
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
