//! The configuration file of `nmsp serve`.

use core::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use pki_common::authlist::AuthListFormat;
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose, MacAddr};

use super::failure::CliError;
use super::legacy::LegacyTable;
use super::read_text;
use crate::admin::AdminConfig;
use crate::credentials::{CredentialError, CredentialFiles};
use crate::proto::ConnectionConfig;
use crate::proto::policy::{NotificationClass, NotificationPolicy, PolicyError};
use crate::server::{Limits, ServerConfig, ServerHandle, StationStore};
use crate::wire::Text;
use crate::wire::numbers::UnknownName;

/// Everything in the file; paths are relative to the file's folder.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ServeConfig {
    #[serde(skip)]
    source: Source,
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

/// Where it was read.
#[derive(Debug, Default)]
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// "FILE line N" of a value.
    fn place<T>(&self, value: &Spanned<T>) -> String {
        let before = self.text.get(..value.span().start).unwrap_or_default();
        format!(
            "{} line {}",
            self.path.display(),
            before.matches('\n').count() + 1
        )
    }
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
    format: Option<Spanned<String>>,
}

/// What is not given keeps its default.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct LimitsTable {
    max_connections: Option<NonZeroUsize>,
    max_connections_per_address: Option<NonZeroUsize>,
    max_new_connections_per_second: Option<NonZeroU32>,
    max_handshakes: Option<NonZeroUsize>,
    max_handshakes_per_address: Option<NonZeroUsize>,
    handshake_timeout_seconds: Option<NonZeroU64>,
    idle_timeout_seconds: Option<NonZeroU64>,
    shutdown_timeout_seconds: Option<u64>,
    max_message_length: Option<NonZeroUsize>,
    max_messages_per_second: Option<NonZeroU32>,
    max_requests: Option<NonZeroUsize>,
    queue_length: Option<NonZeroUsize>,
    queue_bytes: Option<NonZeroUsize>,
    max_stations: Option<NonZeroUsize>,
}

/// Values by the name of their class.
type ByClass = BTreeMap<String, Spanned<u64>>;

/// By class; a class that is not named keeps its default.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct NotificationTable {
    /// In seconds.
    #[serde(default)]
    intervals: ByClass,
    /// In dB.
    #[serde(default)]
    thresholds: ByClass,
}

const fn yes() -> bool {
    true
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], crate::client::DEFAULT_PORT))
}

impl ServeConfig {
    pub(super) fn load(path: &Path) -> Result<Self, CliError> {
        let text = read_text(path)?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            let cause = format!("{}: {}", path.display(), error.to_string().trim_end());
            CliError::usage(cause, "correct the line, or compare with `nmsp serve --help`")
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let authlist = config.authlist.as_mut().map(|authlist| &mut authlist.file);
        let own = [&mut config.certificate, &mut config.key];
        for path in own.into_iter().chain(authlist).chain(&mut config.trust_anchors) {
            *path = folder.join(&*path);
        }
        config.source = Source {
            path: path.to_owned(),
            text,
        };
        Ok(config)
    }

    /// Everything that is wrong with what the file names, not only the first of it.
    pub(super) fn problems(&self) -> Vec<CliError> {
        let policy = self.policy().err();
        let files = match self.credentials() {
            Ok(files) => files,
            Err(error) => return policy.into_iter().chain([error]).collect(),
        };
        let identity = files.identity().err().map(of_credentials);
        let peers = files.peers().err().map(of_credentials);
        [identity, peers, policy].into_iter().flatten().collect()
    }

    /// The files that can be read again while the controller runs.
    pub(super) fn credentials(&self) -> Result<CredentialFiles, CliError> {
        let authlist = match &self.authlist {
            None => None,
            Some(authlist) => {
                let read = |name: &Spanned<String>| {
                    name.get_ref().parse::<AuthListFormat>().map_err(|error| {
                        let cause = format!("{}, [authlist] format: {error}", self.source.place(name));
                        CliError::usage(cause, &error.diagnose().remedy)
                    })
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
        config.notification_policy = self.policy()?;
        self.limits.apply(&mut config.limits, &mut config.connection);
        Ok(config)
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.source.path
    }

    /// The text of the file.
    pub(super) fn text(&self) -> &str {
        &self.source.text
    }

    /// Has a running controller use what can be changed while it runs, instead of what `before` says.
    ///
    /// # Errors
    /// If a value is not possible; nothing changes then.
    pub(super) fn replace_live(&self, before: &Self, handle: &ServerHandle) -> Result<(), CliError> {
        let policy = self.policy()?;
        let (usual, mut limits) = (ConnectionConfig::default(), Limits::default());
        // What the file no longer says has its default again.
        let mut connection = ConnectionConfig {
            idle_timeout: usual.idle_timeout,
            max_message_length: usual.max_message_length,
            max_peer_requests: usual.max_peer_requests,
            ..(*handle.connection_config()).clone()
        };
        self.limits.apply(&mut limits, &mut connection);
        handle.set_connection_config(connection)?;
        handle.set_limits(limits);
        if policy != *handle.notification_policy() {
            handle.set_notification_policy(policy);
        }
        if self.access_point_groups != before.access_point_groups {
            for access_point in before.access_point_groups.values().flatten() {
                handle.store().set_access_point_group(*access_point, None);
            }
            self.set_access_point_groups(handle.store());
        }
        Ok(())
    }

    /// When stations are reported again.
    fn policy(&self) -> Result<NotificationPolicy, CliError> {
        type Set = fn(&mut NotificationPolicy, NotificationClass, u64) -> Result<(), PolicyError>;
        let mut policy = NotificationPolicy::default();
        let table = &self.notification;
        let tables: [(&str, &ByClass, Set); 2] = [
            ("intervals", &table.intervals, NotificationPolicy::set_interval),
            ("thresholds", &table.thresholds, NotificationPolicy::set_threshold),
        ];
        for (table, values, set) in tables {
            for (name, value) in values {
                let refuse = |error: &dyn Diagnose| {
                    let failure = error.diagnose();
                    let place = self.source.place(value);
                    let cause = format!("{place}, [notification.{table}] {name}: {}", failure.cause);
                    CliError::usage(cause, &failure.remedy)
                };
                let class: NotificationClass = name.parse().map_err(|error: UnknownName| refuse(&error))?;
                set(&mut policy, class, *value.get_ref()).map_err(|error| refuse(&error))?;
            }
        }
        Ok(policy)
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
    fn apply(&self, limits: &mut Limits, connection: &mut ConnectionConfig) {
        fn set<T>(to: &mut T, from: Option<impl Into<T>>) {
            if let Some(value) = from {
                *to = value.into();
            }
        }
        let seconds = |from: Option<NonZeroU64>| from.map(|seconds| Duration::from_secs(seconds.get()));
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
            &mut limits.max_handshakes_per_address,
            self.max_handshakes_per_address,
        );
        set(
            &mut limits.handshake_timeout,
            seconds(self.handshake_timeout_seconds),
        );
        set(
            &mut limits.shutdown_timeout,
            self.shutdown_timeout_seconds.map(Duration::from_secs),
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
