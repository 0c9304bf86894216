//! What the configuration of `est serve` says about one label. The top of the file has the same keys and is the label
//! without a name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::CliError;
use super::certsrv::CertsrvConfig;
use super::config_place::Place;
use crate::auth::settings::AccountSettings;
use crate::auth::{AuthenticationMethod, AuthenticationRequirement};
use crate::ca::command::CommandSettings;
use crate::ca::policy::{IssuancePolicy, PolicyConfig};
use crate::operation::{
    CsrAttributesPolicy, LabelSettings, LayoutException, ProofOfPossession, ReenrollmentPolicy,
    ResponseLayout,
};
use crate::wire::base64::Base64Layout;
use crate::wire::csr_attributes::CsrAttributesConfig;
use crate::wire::label::PathLabel;

/// A `[[label]]`, or what the top of the file has of the same keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LabelConfig {
    #[serde(skip)]
    pub(crate) place: Place,
    /// Of a `[[label]]` only.
    pub(crate) name: Option<String>,
    pub(crate) ca_dir: Option<PathBuf>,
    pub(crate) ca_passphrase_file: Option<PathBuf>,
    pub(crate) command: Option<CommandConfig>,
    pub(crate) certsrv: Option<CertsrvConfig>,
    #[serde(default)]
    pub(crate) client_trust_anchors: Vec<PathBuf>,
    pub(crate) users: Option<PathBuf>,
    pub(crate) accounts: Option<AccountSettings>,
    pub(crate) crl_path: Option<String>,
    pub(crate) realm: Option<String>,
    base64_layout: Option<Layout>,
    pub(crate) base64_layout_for: Option<Vec<LayoutFor>>,
    #[serde(default)]
    pub(crate) authentication: Authentication,
    #[serde(default)]
    proof_of_possession: PossessionKey,
    #[serde(default)]
    reenrollment: Reenrollment,
    pub(crate) csr_attributes: Option<CsrAttributesConfig>,
    pub(crate) full_cmc: Option<FullCmc>,
    pub(crate) server_key_generation: Option<KeyGeneration>,
    #[serde(default)]
    policy: PolicyConfig,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    #[default]
    SingleLine,
    #[serde(rename = "columns-64-lf")]
    Columns64Lf,
    #[serde(rename = "columns-76-crlf")]
    Columns76CrLf,
}

impl From<Layout> for Base64Layout {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::SingleLine => Self::SingleLine,
            Layout::Columns64Lf => Self::Columns64Lf,
            Layout::Columns76CrLf => Self::Columns76CrLf,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LayoutFor {
    pub(crate) user_agent: String,
    layout: Layout,
}

/// `require`, or the two switches of which any one suffices.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Authentication {
    pub(crate) require: Option<Vec<String>>,
    certificate: Option<bool>,
    basic: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PossessionKey {
    #[default]
    Off,
    Accepted,
    Required,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Reenrollment {
    certificate_required: Option<bool>,
    registrars: Option<bool>,
    change_subject_name: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FullCmc {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    #[serde(default)]
    pub(crate) trust_anchors: Vec<PathBuf>,
    pub(crate) secrets: Option<PathBuf>,
    pub(crate) identity_proof_required: Option<bool>,
    pub(crate) subject_must_match_signer: Option<bool>,
    pub(crate) registrars: Option<bool>,
    pub(crate) revocation: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KeyGeneration {
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) fixed_kind: Option<String>,
    #[serde(default)]
    pub(crate) encryption: KeyEncryptionKey,
    pub(crate) shared_keys: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyEncryptionKey {
    #[default]
    WhenAsked,
    Required,
}

/// An authority behind a program.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CommandConfig {
    pub(crate) program: PathBuf,
    #[serde(default)]
    arguments: Vec<String>,
    pub(crate) certificates: Vec<PathBuf>,
    time: Option<f64>,
    concurrent: Option<usize>,
    waiting: Option<usize>,
    retry_after: Option<u32>,
    #[serde(default)]
    approves_server_keys: bool,
}

impl CommandConfig {
    /// The settings of the program, which has to answer before the server does.
    pub(crate) fn settings(&self, place: &Place, answer_time: Duration) -> Result<CommandSettings, CliError> {
        let mut settings = CommandSettings::new(&self.program);
        settings.arguments.clone_from(&self.arguments);
        settings.approves_server_keys = self.approves_server_keys;
        settings.time = match self.time {
            Some(time) => seconds(place, "command.time", time)?,
            None => settings.time.min(time_before(answer_time)),
        };
        if settings.time >= answer_time {
            let answer = answer_time.as_secs_f64();
            let problem = format!(
                "{} s is not less than limits.answer-time, {answer} s, after which the client is told to come back and \
                 the program is ended",
                settings.time.as_secs_f64()
            );
            return Err(place.wrong("command.time", problem));
        }
        if self.concurrent == Some(0) {
            return Err(place.wrong(
                "command.concurrent",
                "0 programs at a time issue nothing; give at least 1",
            ));
        }
        settings.concurrent = self.concurrent.unwrap_or(settings.concurrent);
        settings.waiting = self.waiting.unwrap_or(settings.waiting);
        if let Some(retry_after) = self.retry_after {
            settings.retry_after = Duration::from_secs(retry_after.into());
            if retry_after == 0 {
                let problem = "with 0 s, clients ask again without pause; give at least 1";
                return Err(place.wrong("command.retry-after", problem));
            }
        }
        Ok(settings)
    }

    /// A program named without a folder is looked for where the system has its programs.
    pub(crate) fn place_in(&mut self, folder: &Path) {
        if self.program.components().count() > 1 {
            self.program = folder.join(&self.program);
        }
        for path in &mut self.certificates {
            *path = folder.join(&path);
        }
    }
}

/// Where the certificates of a label come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Folder {
        dir: &'a Path,
        passphrase_file: Option<&'a Path>,
    },
    /// With the place that says so, which may be the top of the file.
    Command(&'a CommandConfig, &'a Place),
    /// Likewise.
    Certsrv(&'a CertsrvConfig, &'a Place),
}

/// How long a program may take that nobody gave a time: a second is left to tell the client to come back.
fn time_before(answer_time: Duration) -> Duration {
    let margin = Duration::from_secs(1).min(answer_time / 2);
    answer_time.saturating_sub(margin)
}

/// A time in seconds.
pub(crate) fn seconds(place: &Place, key: &str, seconds: f64) -> Result<Duration, CliError> {
    let possible = (0.001..=86_400.0).contains(&seconds);
    possible
        .then(|| Duration::try_from_secs_f64(seconds).ok())
        .flatten()
        .ok_or_else(|| {
            place.wrong(
                key,
                format!("{seconds} is no time; give seconds from 0.001 to 86400"),
            )
        })
}

impl LabelConfig {
    pub(crate) fn path_label(&self) -> Result<PathLabel, CliError> {
        let name = self.name.as_deref().unwrap_or_default();
        name.parse().map_err(|error| {
            let problem = format!("{name:?}: {error}; clients use the name as a segment of the path");
            self.place.wrong("name", problem)
        })
    }

    /// Where the certificates come from; `None` when this label does not say it.
    pub(crate) fn source(&self) -> Result<Option<Source<'_>>, CliError> {
        let given = [
            ("ca-dir", self.ca_dir.is_some()),
            ("command", self.command.is_some()),
            ("certsrv", self.certsrv.is_some()),
        ];
        let given: Vec<&str> = given
            .iter()
            .filter_map(|(key, given)| given.then_some(*key))
            .collect();
        if let [_, second, ..] = given.as_slice() {
            let problem = format!(
                "{} are {} given; keep one of them",
                given.join(" and "),
                if given.len() == 2 { "both" } else { "all" }
            );
            return Err(self.place.wrong(second, problem));
        }
        Ok(match (&self.ca_dir, &self.command, &self.certsrv) {
            (Some(dir), ..) => Some(Source::Folder {
                dir,
                passphrase_file: self.ca_passphrase_file.as_deref(),
            }),
            (None, Some(command), _) => Some(Source::Command(command, &self.place)),
            (None, None, Some(certsrv)) => Some(Source::Certsrv(certsrv, &self.place)),
            (None, None, None) => None,
        })
    }

    /// Makes the paths start at the folder of the file.
    pub(crate) fn place_in(&mut self, folder: &Path) {
        for path in [&mut self.ca_dir, &mut self.ca_passphrase_file, &mut self.users]
            .into_iter()
            .flatten()
            .chain(&mut self.client_trust_anchors)
        {
            *path = folder.join(&path);
        }
        if let Some(command) = &mut self.command {
            command.place_in(folder);
        }
        if let Some(certsrv) = &mut self.certsrv {
            certsrv.place_in(folder);
        }
        if let Some(accounts) = &mut self.accounts {
            for path in accounts.paths_mut() {
                *path = folder.join(&path);
            }
        }
        if let Some(path) = self
            .server_key_generation
            .as_mut()
            .and_then(|keys| keys.shared_keys.as_mut())
        {
            *path = folder.join(&path);
        }
        if let Some(full_cmc) = &mut self.full_cmc {
            full_cmc.place_in(folder);
        }
    }
}

impl FullCmc {
    pub(crate) fn place_in(&mut self, folder: &Path) {
        let Self {
            certificate,
            key,
            trust_anchors,
            secrets,
            ..
        } = self;
        for path in certificate
            .iter_mut()
            .chain(key)
            .chain(trust_anchors)
            .chain(secrets)
        {
            *path = folder.join(&path);
        }
    }
}

impl LabelConfig {
    /// The settings; what the file leaves out is as `base` has it.
    pub(crate) fn settings(&self, base: LabelSettings) -> Result<LabelSettings, CliError> {
        let mut settings = base;
        settings.authentication = self.requirement()?;
        settings.proof_of_possession = match self.proof_of_possession {
            PossessionKey::Off => ProofOfPossession::Off,
            PossessionKey::Accepted => ProofOfPossession::Accepted,
            PossessionKey::Required => ProofOfPossession::Required,
        };
        let rules = ReenrollmentPolicy::default();
        let given = &self.reenrollment;
        settings.reenrollment = ReenrollmentPolicy {
            certificate_required: given.certificate_required.unwrap_or(rules.certificate_required),
            registrars: given.registrars.unwrap_or(rules.registrars),
            change_subject_name: given.change_subject_name.unwrap_or(rules.change_subject_name),
        };
        self.apply_layout(&mut settings.layout);
        if let Some(realm) = &self.realm {
            settings.realm.clone_from(realm);
        }
        if let Some(config) = &self.csr_attributes {
            settings.csr_attributes = Some(CsrAttributesPolicy {
                attributes: config
                    .to_attributes()
                    .map_err(|error| self.place.wrong("csr-attributes", error))?,
                enforce: config.enforce,
            });
        }
        Ok(settings)
    }

    /// Whether this label says itself who knows passwords.
    pub(crate) fn has_accounts(&self) -> bool {
        self.users.is_some() || self.accounts.is_some() || self.certsrv_checks_passwords()
    }

    /// Whether passwords are checked by the AD CS of this label.
    pub(crate) fn certsrv_checks_passwords(&self) -> bool {
        self.certsrv.as_ref().is_some_and(CertsrvConfig::checks_passwords)
    }

    /// Whether the file says anything about the policy.
    pub(crate) fn has_policy(&self) -> bool {
        self.policy != PolicyConfig::default()
    }

    pub(crate) fn policy(&self) -> Result<IssuancePolicy, CliError> {
        let policy = self.policy.policy();
        policy.map_err(|error| self.place.wrong(&format!("policy.{}", error.key), error.problem))
    }

    fn apply_layout(&self, layout: &mut ResponseLayout) {
        if let Some(given) = self.base64_layout {
            layout.layout = given.into();
        }
        if let Some(given) = &self.base64_layout_for {
            layout.exceptions = given
                .iter()
                .map(|exception| LayoutException {
                    user_agent: exception.user_agent.clone(),
                    layout: exception.layout.into(),
                })
                .collect();
        }
    }

    pub(crate) fn requirement(&self) -> Result<AuthenticationRequirement, CliError> {
        let given = &self.authentication;
        if let Some(combinations) = &given.require {
            if given.certificate.is_some() || given.basic.is_some() {
                let error = "require stands beside certificate or basic; keep require alone";
                return Err(self.place.wrong("authentication.require", error));
            }
            return AuthenticationRequirement::parse(combinations)
                .map_err(|error| self.place.wrong("authentication.require", error));
        }
        let switches = [
            (AuthenticationMethod::Certificate, given.certificate),
            (AuthenticationMethod::Basic, given.basic),
        ];
        let accepted = switches.into_iter().filter(|(_, given)| given.unwrap_or(true));
        AuthenticationRequirement::any_of(accepted.map(|(method, _)| method))
            .map_err(|error| self.place.wrong("authentication", error))
    }
}
