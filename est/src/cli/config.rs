//! The configuration of `est serve`, a TOML file; `est serve --print-config` shows it with its defaults.
//!
//! ```toml
#![doc = include_str!("serve.toml")]
//! ```
//!
//! Relative paths start at the folder of the file. An unknown key is an error.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::CliError;
use super::config_place::{KeyLines, Place};
use super::label_config::{LabelConfig, Source, seconds};
use crate::auth::settings::{AccountsError, LoginFailureSettings};
use crate::ca::issuer::CrlSettings;
use crate::operation::LabelSettings;
use crate::server::ServerLimits;

/// The whole file.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub(crate) server: ServerKeys,
    /// The label without a name.
    pub(crate) top: LabelConfig,
    pub(crate) labels: Vec<LabelConfig>,
}

/// The names of [`ServerKeys`]: all other keys at the top are those of a label.
const SERVER_KEYS: [&str; 13] = [
    "listen",
    "certificate",
    "key",
    "login-failures",
    "client-revocation-lists",
    "dangerous-accept-missing-revocation-lists",
    "dangerous-accept-expired-revocation-lists",
    "crl-validity",
    "crl-overlap",
    "crl-listen",
    "metrics-listen",
    "dangerous-metrics-any-address",
    "limits",
];

/// What belongs to the process.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ServerKeys {
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    #[serde(default)]
    login_failures: LoginFailureSettings,
    #[serde(default)]
    pub(crate) client_revocation_lists: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) dangerous_accept_missing_revocation_lists: bool,
    #[serde(default)]
    pub(crate) dangerous_accept_expired_revocation_lists: bool,
    crl_validity: Option<f64>,
    crl_overlap: Option<f64>,
    pub(crate) crl_listen: Option<SocketAddr>,
    pub(crate) metrics_listen: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) dangerous_metrics_any_address: bool,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Limits {
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    handshakes: Option<usize>,
    handshakes_per_address: Option<usize>,
    handshake_time: Option<f64>,
    header_time: Option<f64>,
    header_size: Option<usize>,
    header_count: Option<usize>,
    body_time: Option<f64>,
    answer_time: Option<f64>,
    write_time: Option<f64>,
    enroll_body: Option<usize>,
    cmc_body: Option<usize>,
    requests_per_connection: Option<u32>,
    password_checks: Option<usize>,
    shutdown_time: Option<f64>,
}

/// The largest `enroll-body` and `cmc-body`, in bytes: a body is held in memory as a whole, in each connection.
const MOST_BODY: usize = 16 * 1024 * 1024;

/// What `--print-config` prints.
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
        let mut config = Self::parse(&shown.to_string(), &text)?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let server = &mut config.server;
        let single = [&mut server.certificate, &mut server.key];
        for path in single.into_iter().chain(&mut server.client_revocation_lists) {
            *path = folder.join(&path);
        }
        config.top.place_in(folder);
        for label in &mut config.labels {
            label.place_in(folder);
        }
        Ok(config)
    }

    pub(super) fn parse(file: &str, text: &str) -> Result<Self, CliError> {
        let wrong = |mut error: toml::de::Error| {
            error.set_input(Some(text));
            CliError::local(
                format!("the configuration {file} is wrong: {error}"),
                "Correct the line; `est serve --print-config` shows every key.",
            )
        };
        let root = DeTable::parse(text).map_err(wrong)?;
        let span = root.span();
        let lines = Arc::new(KeyLines::of(file.to_owned(), text, root.get_ref()));
        let (mut server, mut top, mut labels) = (DeTable::new(), DeTable::new(), None);
        for (key, value) in root.into_inner() {
            match key.get_ref().as_ref() {
                "label" => labels = Some(value),
                name if SERVER_KEYS.contains(&name) => drop(server.insert(key, value)),
                _ => drop(top.insert(key, value)),
            }
        }
        let part = |table| toml::Deserializer::from(Spanned::new(span.clone(), table));
        let labels = labels
            .unwrap_or_else(|| Spanned::new(span.clone(), DeValue::Array(Vec::new().into_iter().collect())));
        let labels = toml::de::ValueDeserializer::from(labels);
        let mut config = Self {
            server: ServerKeys::deserialize(part(server)).map_err(wrong)?,
            top: LabelConfig::deserialize(part(top)).map_err(wrong)?,
            labels: Vec::deserialize(labels).map_err(wrong)?,
        };
        config.top.place = Place::top(lines);
        let place = &config.top.place;
        if config.top.name.is_some() {
            return Err(place.wrong("name", "only a [[label]] has a name"));
        }
        for (number, label) in config.labels.iter_mut().enumerate() {
            label.place = place.label(number, label.name.as_deref().unwrap_or_default());
        }
        Ok(config)
    }

    /// Where the keys of the process stand.
    pub(crate) const fn place(&self) -> &Place {
        &self.top.place
    }

    /// The settings of the label without a name.
    pub(crate) fn settings(&self) -> Result<LabelSettings, CliError> {
        let mut base = LabelSettings::default();
        let limits = &self.server.limits;
        for (key, given, size) in [
            ("limits.enroll-body", limits.enroll_body, &mut base.enroll_body),
            ("limits.cmc-body", limits.cmc_body, &mut base.cmc_body),
        ] {
            self.count(key, given, 1..=MOST_BODY, size)?;
        }
        self.top.settings(base)
    }

    /// The authority of the label without a name.
    pub(crate) fn source(&self) -> Result<Source<'_>, CliError> {
        self.top.source()?.ok_or_else(|| {
            CliError::local(
                "neither ca-dir nor command nor certsrv says where certificates come from",
                "Give ca-dir, the folder that `est ca init` made, or a [command], or a [certsrv].",
            )
        })
    }

    /// The authority of a label: its own, or that of the file.
    pub(crate) fn source_of<'a>(&'a self, label: &'a LabelConfig) -> Result<Source<'a>, CliError> {
        label.source()?.map_or_else(|| self.source(), Ok)
    }

    /// When the authorities make revocation lists.
    pub(crate) fn crl_settings(&self) -> Result<CrlSettings, CliError> {
        let mut settings = CrlSettings::default();
        for (key, given, setting) in [
            ("crl-validity", self.server.crl_validity, &mut settings.validity),
            ("crl-overlap", self.server.crl_overlap, &mut settings.overlap),
        ] {
            let Some(hours) = given else { continue };
            *setting = Some(hours)
                .filter(|hours| (0.01..=8760.0).contains(hours))
                .and_then(|hours| Duration::try_from_secs_f64(hours * 3600.0).ok())
                .ok_or_else(|| {
                    let problem = format!("{hours} is no time; give hours from 0.01 to 8760");
                    self.place().wrong(key, problem)
                })?;
        }
        if self.server.crl_overlap.is_some() && settings.overlap >= settings.validity {
            let problem = "a new list would be due as soon as one is made; give less than crl-validity";
            return Err(self.place().wrong("crl-overlap", problem));
        }
        Ok(settings)
    }

    /// The label without a name and the others.
    pub(crate) fn all_labels(&self) -> impl Iterator<Item = &LabelConfig> {
        std::iter::once(&self.top).chain(&self.labels)
    }

    /// The settings of a label: realm, layout and sizes are those of the label without a name unless it has its own,
    /// all rules are its own.
    pub(crate) fn label_settings(&self, label: &LabelConfig) -> Result<LabelSettings, CliError> {
        let mut base = self.settings()?;
        if label.place.is_top() {
            return Ok(base);
        }
        base.csr_attributes = None;
        label.settings(base)
    }

    pub(crate) fn limits(&self) -> Result<ServerLimits, CliError> {
        let given = &self.server.limits;
        let mut limits = ServerLimits::default();
        for (key, given, limit) in [
            (
                "limits.handshake-time",
                given.handshake_time,
                &mut limits.handshake_time,
            ),
            ("limits.header-time", given.header_time, &mut limits.header_time),
            ("limits.body-time", given.body_time, &mut limits.body_time),
            ("limits.answer-time", given.answer_time, &mut limits.answer_time),
            ("limits.write-time", given.write_time, &mut limits.write_time),
            (
                "limits.shutdown-time",
                given.shutdown_time,
                &mut limits.shutdown_time,
            ),
        ] {
            if let Some(given) = given {
                *limit = seconds(self.place(), key, given)?;
            }
        }
        limits.login_failures = self.server.login_failures.limits().map_err(|error| match error {
            AccountsError::OutOfRange { key, possible } => {
                let key = format!("login-failures.{key}");
                self.place().wrong(&key, format!("it must be {possible}"))
            }
            other => other.into(),
        })?;
        self.counts(&mut limits)?;
        Ok(limits)
    }

    fn counts(&self, limits: &mut ServerLimits) -> Result<(), CliError> {
        let given = &self.server.limits;
        for (key, given, limit, possible) in [
            (
                "limits.connections",
                given.connections,
                &mut limits.connections,
                1..=ServerLimits::MAX_COUNT,
            ),
            (
                "limits.connections-per-address",
                given.connections_per_address,
                &mut limits.connections_per_address,
                1..=ServerLimits::MAX_COUNT,
            ),
            (
                "limits.handshakes",
                given.handshakes,
                &mut limits.handshakes,
                1..=ServerLimits::MAX_COUNT,
            ),
            (
                "limits.handshakes-per-address",
                given.handshakes_per_address,
                &mut limits.handshakes_per_address,
                1..=ServerLimits::MAX_COUNT,
            ),
            (
                "limits.header-size",
                given.header_size,
                &mut limits.header_size,
                ServerLimits::MIN_HEADER_SIZE..=ServerLimits::MAX_HEADER_SIZE,
            ),
            (
                "limits.header-count",
                given.header_count,
                &mut limits.header_count,
                1..=ServerLimits::MAX_HEADER_COUNT,
            ),
            (
                "limits.password-checks",
                given.password_checks,
                &mut limits.password_checks,
                1..=ServerLimits::MAX_COUNT,
            ),
        ] {
            self.count(key, given, possible, limit)?;
        }
        if given.requests_per_connection == Some(0) {
            let problem = "0 requests on a connection answer nobody; give at least 1";
            return Err(self.place().wrong("limits.requests-per-connection", problem));
        }
        limits.requests_per_connection = given
            .requests_per_connection
            .unwrap_or(limits.requests_per_connection);
        Ok(())
    }

    /// What is read at the start only, where `new` has another value: key, old value, new value. SIGHUP takes all the
    /// others.
    pub(crate) fn changed_since_the_start(
        &self,
        new: &Self,
    ) -> Result<Vec<(&'static str, String, String)>, CliError> {
        let (old_limits, new_limits) = (self.limits()?, new.limits()?);
        let shown =
            |address: Option<SocketAddr>| address.map_or_else(|| "none".to_owned(), |at| at.to_string());
        let mut changed = vec![
            (
                "listen",
                self.server.listen.to_string(),
                new.server.listen.to_string(),
            ),
            (
                "crl-listen",
                shown(self.server.crl_listen),
                shown(new.server.crl_listen),
            ),
            (
                "metrics-listen",
                shown(self.server.metrics_listen),
                shown(new.server.metrics_listen),
            ),
            (
                "limits.connections",
                old_limits.connections.to_string(),
                new_limits.connections.to_string(),
            ),
            (
                "limits.handshakes",
                old_limits.handshakes.to_string(),
                new_limits.handshakes.to_string(),
            ),
        ];
        changed.retain(|(_, old, new)| old != new);
        Ok(changed)
    }

    fn count(
        &self,
        key: &str,
        given: Option<usize>,
        possible: RangeInclusive<usize>,
        limit: &mut usize,
    ) -> Result<(), CliError> {
        match given {
            Some(given) if possible.contains(&given) => *limit = given,
            Some(given) => {
                let (least, most) = possible.into_inner();
                let problem = format!("{given} is not possible; give a number from {least} to {most}");
                return Err(self.place().wrong(key, problem));
            }
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AuthenticationMethod;
    use crate::ca::policy::IssuancePolicy;
    use crate::operation::ProofOfPossession;

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
        assert_eq!(config.top.policy().unwrap(), IssuancePolicy::default());
        assert_eq!(config.crl_settings().unwrap(), CrlSettings::default());
        let (settings, defaults) = (config.settings().unwrap(), LabelSettings::default());
        assert_eq!(settings.authentication, defaults.authentication);
        assert_eq!(settings.enroll_body, defaults.enroll_body);
        assert_eq!(settings.cmc_body, defaults.cmc_body);
        assert_eq!(settings.layout, defaults.layout);
        assert_eq!(settings.realm, defaults.realm);
        assert_eq!(settings.reenrollment, defaults.reenrollment);
        assert_eq!(settings.proof_of_possession, defaults.proof_of_possession);
    }

    #[test]
    fn every_key_that_is_documented_as_a_comment_is_known() {
        let is_config = |line: &str| {
            line.starts_with('[')
                || line
                    .split_once(" = ")
                    .is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
        };
        let text: Vec<&str> = EXAMPLE
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| is_config(rest))
                    .unwrap_or(line)
            })
            .collect();
        assert!(text.iter().filter(|line| line.starts_with('[')).count() > 12);
        let config = load(&text.join("\n")).unwrap();
        assert!(config.top.full_cmc.is_some() && config.top.command.is_some() && config.labels.len() == 1);
        let error = config.source().unwrap_err().to_string();
        assert!(error.contains("ca-dir and command"), "{error}");
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let config = load(SMALLEST).unwrap();
        assert!(config.server.key.is_absolute() && config.server.key.ends_with("s.key"));
    }

    #[test]
    fn a_label_has_rules_of_its_own_and_the_realm_of_the_file() {
        let config = load(&format!(
            "{SMALLEST}realm = \"Lab\"\nproof-of-possession = \"required\"\n\
             [[label]]\nname = \"phones\"\nusers = \"u\"\n[label.authentication]\nrequire = [\"basic\"]\n\
             [label.reenrollment]\nregistrars = true\n[label.policy]\nvalidity-days = 7\n"
        ))
        .unwrap();
        let label = &config.labels[0];
        let settings = config.label_settings(label).unwrap();
        assert_eq!(settings.realm, "Lab");
        assert_eq!(settings.proof_of_possession, ProofOfPossession::Off);
        assert!(settings.reenrollment.registrars && settings.reenrollment.certificate_required);
        assert!(
            !settings
                .authentication
                .mentions(AuthenticationMethod::Certificate)
        );
        assert_eq!(label.policy().unwrap().validity.validity.as_secs(), 7 * 86_400);
        assert!(label.users.as_ref().unwrap().is_absolute());
    }

    #[test]
    fn mistakes_in_a_label_are_told_with_its_name() {
        let with = |text: &str| load(&format!("{SMALLEST}[[label]]\nname = \"phones\"\n{text}"));
        let error = with("colour = 1\n").unwrap_err().to_string();
        assert!(error.contains("colour"), "{error}");
        let config = with("[label.authentication]\nrequire = [\"magic\"]\n").unwrap();
        let error = config.label_settings(&config.labels[0]).unwrap_err().to_string();
        assert!(error.contains("phones") && error.contains("magic"), "{error}");
        let config = with("[label.policy]\nvalidity-days = 0\n").unwrap();
        let error = config.labels[0].policy().unwrap_err().to_string();
        assert!(
            error.contains("phones") && error.contains("validity-days"),
            "{error}"
        );
        let config = load(&format!("{SMALLEST}[[label]]\nname = \"cacerts\"\n")).unwrap();
        let error = config.labels[0].path_label().unwrap_err().to_string();
        assert!(error.contains("cacerts"), "{error}");
    }

    #[test]
    fn require_and_the_two_switches_do_not_mix() {
        let text = "[authentication]\nrequire = [\"basic\"]\ncertificate = true\n";
        let error = load(&format!("{SMALLEST}{text}"))
            .unwrap()
            .settings()
            .unwrap_err()
            .to_string();
        assert!(error.contains("keep require alone"), "{error}");
    }

    #[test]
    fn a_validity_of_no_days_is_an_error() {
        let config = load(&format!("{SMALLEST}[policy]\nvalidity-days = 0\n")).unwrap();
        let error = config.top.policy().unwrap_err().to_string();
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
