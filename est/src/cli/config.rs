//! The configuration of `est serve`, a TOML file; `est serve --help` shows it with its defaults.
//!
//! ```toml
#![doc = include_str!("serve.toml")]
//! ```
//!
//! Relative paths start at the folder of the file. An unknown key is an error.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use const_oid::ObjectIdentifier;
use serde::Deserialize;

use super::CliError;
use crate::auth::{AuthenticationMethod, AuthenticationRequirement};
use crate::ca::policy::{IssuancePolicy, UnlistedExtensions};
use crate::operation::LabelSettings;
use crate::server::ServerLimits;
use crate::wire::base64::Base64Layout;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ServeConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca_dir: PathBuf,
    pub(crate) users: Option<PathBuf>,
    #[serde(default)]
    pub(crate) client_trust_anchors: Vec<PathBuf>,
    realm: Option<String>,
    #[serde(default)]
    base64_layout: Layout,
    #[serde(default)]
    authentication: Authentication,
    #[serde(default)]
    policy: Policy,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Layout {
    #[default]
    SingleLine,
    #[serde(rename = "columns-64-lf")]
    Columns64Lf,
    #[serde(rename = "columns-76-crlf")]
    Columns76CrLf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Authentication {
    certificate: Option<bool>,
    basic: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Policy {
    validity_days: Option<u32>,
    #[serde(default)]
    copied_extensions: Vec<String>,
    #[serde(default)]
    drop_unlisted_extensions: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Limits {
    connections: Option<usize>,
    handshakes: Option<usize>,
    handshake_time: Option<f64>,
    header_time: Option<f64>,
    header_size: Option<usize>,
    header_count: Option<usize>,
    body_time: Option<f64>,
    answer_time: Option<f64>,
    write_time: Option<f64>,
    enroll_body: Option<usize>,
    requests_per_connection: Option<u32>,
    password_checks: Option<usize>,
    shutdown_time: Option<f64>,
}

/// The file that the help shows.
pub(crate) const EXAMPLE: &str = include_str!("serve.toml");

impl ServeConfig {
    /// Reads the file and makes its paths absolute or relative to the current folder.
    pub(crate) fn load(path: &Path) -> Result<Self, CliError> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::local(
                format!("the configuration {shown} cannot be read: {error}"),
                "Check the path.",
            )
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|error| {
            CliError::local(
                format!("the configuration {shown} is wrong: {error}"),
                "Correct the line; `est serve --help` lists the keys.",
            )
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let single = [&mut config.certificate, &mut config.key, &mut config.ca_dir];
        for path in single
            .into_iter()
            .chain(&mut config.users)
            .chain(&mut config.client_trust_anchors)
        {
            *path = folder.join(&path);
        }
        Ok(config)
    }

    pub(crate) fn operations(&self) -> LabelSettings {
        let mut settings = LabelSettings::default();
        let ways = &self.authentication;
        let accepted = [
            (AuthenticationMethod::Certificate, ways.certificate),
            (AuthenticationMethod::Basic, ways.basic),
        ];
        let accepted = accepted.into_iter().filter(|(_, given)| given.unwrap_or(true));
        settings.authentication = AuthenticationRequirement::any_of(accepted.map(|(method, _)| method))
            .expect("two different single methods make sense");
        settings.layout.layout = match self.base64_layout {
            Layout::SingleLine => Base64Layout::SingleLine,
            Layout::Columns64Lf => Base64Layout::Columns64Lf,
            Layout::Columns76CrLf => Base64Layout::Columns76CrLf,
        };
        if let Some(realm) = &self.realm {
            settings.realm.clone_from(realm);
        }
        settings.enroll_body = self.limits.enroll_body.unwrap_or(settings.enroll_body);
        settings
    }

    pub(crate) fn policy(&self) -> Result<IssuancePolicy, CliError> {
        let mut policy = IssuancePolicy::default();
        if let Some(days) = self.policy.validity_days {
            if days == 0 {
                return Err(CliError::local(
                    "policy.validity-days: 0 makes certificates that are over when they arrive",
                    "Give at least 1 day.",
                ));
            }
            policy.validity.validity = Duration::from_secs(u64::from(days) * 86_400);
        }
        for text in &self.policy.copied_extensions {
            let oid = ObjectIdentifier::new(text).map_err(|error| {
                CliError::local(
                    format!("policy.copied-extensions: {text:?} is no object identifier: {error}"),
                    "Write dotted numbers like 1.3.6.1.4.1.311.20.2.",
                )
            })?;
            policy.extensions.copied.push(oid);
        }
        if self.policy.drop_unlisted_extensions {
            policy.extensions.unlisted = UnlistedExtensions::Drop;
        }
        Ok(policy)
    }

    pub(crate) fn limits(&self) -> Result<ServerLimits, CliError> {
        let given = &self.limits;
        let mut limits = ServerLimits::default();
        for (name, given, limit) in [
            ("handshake-time", given.handshake_time, &mut limits.handshake_time),
            ("header-time", given.header_time, &mut limits.header_time),
            ("body-time", given.body_time, &mut limits.body_time),
            ("answer-time", given.answer_time, &mut limits.answer_time),
            ("write-time", given.write_time, &mut limits.write_time),
            ("shutdown-time", given.shutdown_time, &mut limits.shutdown_time),
        ] {
            let Some(seconds) = given else { continue };
            let fault = || {
                CliError::local(
                    format!("limits.{name}: {seconds} is no time"),
                    "Give seconds from 0.001 to 86400.",
                )
            };
            if !(0.001..=86_400.0).contains(&seconds) {
                return Err(fault());
            }
            *limit = Duration::try_from_secs_f64(seconds).map_err(|_| fault())?;
        }
        limits.connections = given.connections.unwrap_or(limits.connections);
        limits.handshakes = given.handshakes.unwrap_or(limits.handshakes);
        limits.header_size = given.header_size.unwrap_or(limits.header_size);
        limits.header_count = given.header_count.unwrap_or(limits.header_count);
        limits.requests_per_connection = given
            .requests_per_connection
            .unwrap_or(limits.requests_per_connection);
        limits.password_checks = given.password_checks.unwrap_or(limits.password_checks);
        Ok(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str =
        "listen = \"127.0.0.1:0\"\ncertificate = \"s.pem\"\nkey = \"s.key\"\nca-dir = \"ca\"\n";

    fn load(text: &str) -> Result<ServeConfig, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("est.toml");
        std::fs::write(&path, text).unwrap();
        ServeConfig::load(&path)
    }

    #[test]
    fn the_documented_example_says_the_defaults() {
        let config = load(EXAMPLE).unwrap();
        assert_eq!(config.limits().unwrap(), ServerLimits::default());
        assert_eq!(config.policy().unwrap(), IssuancePolicy::default());
        let settings = config.operations();
        assert_eq!(settings.authentication, AuthenticationRequirement::default());
        assert_eq!(settings.enroll_body, LabelSettings::default().enroll_body);
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let config = load(SMALLEST).unwrap();
        assert!(config.key.is_absolute() && config.key.ends_with("s.key"));
    }

    #[test]
    fn a_validity_of_no_days_is_an_error() {
        let config = load(&format!("{SMALLEST}[policy]\nvalidity-days = 0\n")).unwrap();
        let error = config.policy().unwrap_err().to_string();
        assert!(error.contains("policy.validity-days"), "{error}");
    }

    #[test]
    fn an_unknown_key_and_a_bad_time_are_errors_that_name_them() {
        let error = load(&format!("{SMALLEST}portt = 1\n")).unwrap_err().to_string();
        assert!(error.contains("portt"), "{error}");
        let config = load(&format!("{SMALLEST}[limits]\nbody-time = -1.0\n")).unwrap();
        let error = config.limits().unwrap_err().to_string();
        assert!(error.contains("limits.body-time"), "{error}");
    }
}
