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

use serde::Deserialize;

use super::CliError;
use super::label_config::{
    Authentication, CommandConfig, FullCmc, KeyGeneration, LabelConfig, LabelKeys, Layout, LayoutFor,
    PossessionKey, Reenrollment, Source, seconds,
};
use crate::auth::settings::{AccountSettings, LoginFailureSettings};
use crate::ca::issuer::CrlSettings;
use crate::ca::policy::PolicyConfig;
use crate::operation::LabelSettings;
use crate::server::ServerLimits;
use crate::wire::csr_attributes::CsrAttributesConfig;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ServeConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) ca_dir: Option<PathBuf>,
    pub(crate) ca_passphrase_file: Option<PathBuf>,
    pub(crate) command: Option<CommandConfig>,
    pub(crate) users: Option<PathBuf>,
    pub(crate) accounts: Option<AccountSettings>,
    #[serde(default)]
    login_failures: LoginFailureSettings,
    #[serde(default)]
    pub(crate) client_trust_anchors: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) client_revocation_lists: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) dangerous_accept_missing_revocation_lists: bool,
    #[serde(default)]
    pub(crate) dangerous_accept_expired_revocation_lists: bool,
    crl_validity: Option<f64>,
    crl_overlap: Option<f64>,
    pub(crate) crl_listen: Option<SocketAddr>,
    pub(crate) crl_path: Option<String>,
    realm: Option<String>,
    base64_layout: Option<Layout>,
    base64_layout_for: Option<Vec<LayoutFor>>,
    #[serde(default)]
    authentication: Authentication,
    #[serde(default)]
    proof_of_possession: PossessionKey,
    #[serde(default)]
    reenrollment: Reenrollment,
    csr_attributes: Option<CsrAttributesConfig>,
    pub(crate) full_cmc: Option<FullCmc>,
    pub(crate) server_key_generation: Option<KeyGeneration>,
    #[serde(default)]
    policy: PolicyConfig,
    #[serde(default)]
    limits: Limits,
    #[serde(default, rename = "label")]
    pub(crate) labels: Vec<LabelConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Limits {
    connections: Option<usize>,
    connections_per_address: Option<usize>,
    handshakes: Option<usize>,
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
        let single = [&mut config.certificate, &mut config.key];
        for path in single
            .into_iter()
            .chain(&mut config.users)
            .chain(&mut config.ca_dir)
            .chain(&mut config.ca_passphrase_file)
            .chain(&mut config.client_revocation_lists)
            .chain(&mut config.client_trust_anchors)
        {
            *path = folder.join(&path);
        }
        if let Some(command) = &mut config.command {
            command.place_in(folder);
        }
        if let Some(accounts) = &mut config.accounts {
            for path in accounts.paths_mut() {
                *path = folder.join(&path);
            }
        }
        if let Some(path) = config
            .server_key_generation
            .as_mut()
            .and_then(|keys| keys.shared_keys.as_mut())
        {
            *path = folder.join(&path);
        }
        if let Some(full_cmc) = &mut config.full_cmc {
            full_cmc.place_in(folder);
        }
        for label in &mut config.labels {
            label.place_in(folder);
        }
        Ok(config)
    }

    /// The settings of the label without a name.
    pub(crate) fn settings(&self) -> Result<LabelSettings, CliError> {
        let mut base = LabelSettings::default();
        base.enroll_body = self.limits.enroll_body.unwrap_or(base.enroll_body);
        base.cmc_body = self.limits.cmc_body.unwrap_or(base.cmc_body);
        self.keys().settings(base)
    }

    /// The authority of the label without a name.
    pub(crate) fn source(&self) -> Result<Source<'_>, CliError> {
        Source::of(
            "",
            self.ca_dir.as_ref(),
            self.ca_passphrase_file.as_ref(),
            self.command.as_ref(),
        )?
        .ok_or_else(|| {
            CliError::local(
                "neither ca-dir nor command says where certificates come from",
                "Give ca-dir, the folder that `est ca init` made, or a [command].",
            )
        })
    }

    /// The authority of a label: its own, or that of the file.
    pub(crate) fn source_of<'a>(&'a self, label: &'a LabelConfig) -> Result<Source<'a>, CliError> {
        let own = Source::of(
            &label.keys().place,
            label.ca_dir.as_ref(),
            label.ca_passphrase_file.as_ref(),
            label.command.as_ref(),
        )?;
        own.map_or_else(|| self.source(), Ok)
    }

    /// When the authorities make revocation lists.
    pub(crate) fn crl_settings(&self) -> Result<CrlSettings, CliError> {
        let mut settings = CrlSettings::default();
        for (key, given, setting) in [
            ("crl-validity", self.crl_validity, &mut settings.validity),
            ("crl-overlap", self.crl_overlap, &mut settings.overlap),
        ] {
            let Some(hours) = given else { continue };
            *setting = Some(hours)
                .filter(|hours| (0.01..=8760.0).contains(hours))
                .and_then(|hours| Duration::try_from_secs_f64(hours * 3600.0).ok())
                .ok_or_else(|| {
                    CliError::local(
                        format!("{key}: {hours} is no time"),
                        "Give hours from 0.01 to 8760.",
                    )
                })?;
        }
        Ok(settings)
    }

    pub(crate) fn keys(&self) -> LabelKeys<'_> {
        LabelKeys {
            place: String::new(),
            realm: self.realm.as_deref(),
            base64_layout: self.base64_layout,
            base64_layout_for: self.base64_layout_for.as_deref(),
            authentication: &self.authentication,
            proof_of_possession: self.proof_of_possession,
            reenrollment: &self.reenrollment,
            csr_attributes: self.csr_attributes.as_ref(),
            policy: &self.policy,
        }
    }

    /// The settings of a label: realm, layout and sizes are those of the label without a name unless it has its own,
    /// all rules are its own.
    pub(crate) fn label_settings(&self, label: &LabelConfig) -> Result<LabelSettings, CliError> {
        let mut base = self.settings()?;
        base.csr_attributes = None;
        label.keys().settings(base)
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
            if let Some(given) = given {
                *limit = seconds(&format!("limits.{name}"), given)?;
            }
        }
        limits.login_failures = self.login_failures.limits()?;
        limits.connections = given.connections.unwrap_or(limits.connections);
        limits.connections_per_address = given
            .connections_per_address
            .unwrap_or(limits.connections_per_address);
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
        assert_eq!(config.keys().policy().unwrap(), IssuancePolicy::default());
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
        assert!(config.full_cmc.is_some() && config.command.is_some() && config.labels.len() == 1);
        let error = config.source().unwrap_err().to_string();
        assert!(error.contains("ca-dir and command"), "{error}");
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let config = load(SMALLEST).unwrap();
        assert!(config.key.is_absolute() && config.key.ends_with("s.key"));
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
        assert_eq!(
            label.keys().policy().unwrap().validity.validity.as_secs(),
            7 * 86_400
        );
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
        let error = config.labels[0].keys().policy().unwrap_err().to_string();
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
        let error = config.keys().policy().unwrap_err().to_string();
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
