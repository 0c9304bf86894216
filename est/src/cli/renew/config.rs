//! The `est.toml` of a renewed identity.
//!
//! ```toml
#![doc = include_str!("est.toml")]
//! ```
//!
//! Relative paths start at the folder of the file. An unknown key is an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pki_common::identity::Passphrase;
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, Failure, Rung};
use serde::Deserialize;

use crate::cli::CliError;
use crate::cli::arguments::KeyKind;
use crate::cli::connection::{Pop, credentials, own_identity};
use crate::cli::files::read_password;
use crate::cli::passphrase::{KEY_PASSPHRASE_VARIABLE, given};
use crate::client::{
    BearerToken, ClientConfig, ClientTimeouts, EnrollOptions, PasswordUse, Proxy, ServerUrl,
};
use crate::renewal::RenewalSettings;
use crate::renewal::daemon::{CONFIGURATION, ClientEnroller, Configurer, ManagedIdentity};
use crate::request::{RequestedName, Subject};
use crate::wire::label::PathLabel;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct IdentityFile {
    url: String,
    label: Option<String>,
    trust_anchors: Vec<PathBuf>,
    proxy: Option<String>,
    timeout: Option<u64>,
    subject: String,
    #[serde(default)]
    names: Vec<String>,
    key_type: Option<String>,
    #[serde(default)]
    reuse_key: bool,
    user: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(default)]
    digest: bool,
    bearer_file: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    key_passphrase_file: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    #[serde(default)]
    pop: Pop,
    csrattrs: Option<bool>,
    keep: Option<usize>,
    #[serde(default)]
    renewal: RenewalTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RenewalTable {
    fraction: Option<f64>,
    jitter: Option<f64>,
    retry_initial: Option<u64>,
    retry_max: Option<u64>,
    last_attempt: Option<u64>,
    look_again: Option<u64>,
}

/// Reads `est.toml` files.
#[derive(Debug)]
pub(super) struct TomlConfigurer;

impl Configurer for TomlConfigurer {
    fn configure(&self, folder: &Path) -> Result<ManagedIdentity, Failure> {
        let path = folder.join(CONFIGURATION);
        let wrong = |cause: String| {
            Failure::new(
                Rung::Local,
                format!("{}: {cause}", path.display()),
                "Correct the file; `est renew --help` shows one.",
            )
        };
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let file: IdentityFile = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let settings = file.renewal.settings();
        settings.check().map_err(|error| wrong(error.diagnose().cause))?;
        let (keep, inputs) = (file.keep, file.inputs(folder));
        let named = |error: &CliError| Failure {
            cause: format!("{}: {}", path.display(), error.failure().cause),
            ..error.failure().clone()
        };
        let passphrase = file.passphrase(folder).map_err(|error| named(&error))?;
        let enroller = file.enroller(folder).map_err(|error| named(&error))?;
        Ok(ManagedIdentity {
            settings,
            enroller: Arc::new(enroller),
            keep,
            passphrase,
            inputs,
        })
    }
}

impl RenewalTable {
    fn settings(&self) -> RenewalSettings {
        let default = RenewalSettings::default();
        let seconds = |value: Option<u64>, default| value.map_or(default, Duration::from_secs);
        RenewalSettings {
            fraction: self.fraction.unwrap_or(default.fraction),
            jitter: self.jitter.unwrap_or(default.jitter),
            retry_initial: seconds(self.retry_initial, default.retry_initial),
            retry_max: seconds(self.retry_max, default.retry_max),
            last_attempt: seconds(self.last_attempt, default.last_attempt),
            look_again: seconds(self.look_again, default.look_again),
        }
    }
}

/// A value that cannot be read, with its key.
fn bad(key: &str, error: &dyn core::fmt::Display) -> CliError {
    CliError::local(
        format!("{key}: {error}"),
        "Correct the file; `est renew --help` shows one.",
    )
}

impl IdentityFile {
    fn enroller(self, folder: &Path) -> Result<ClientEnroller, CliError> {
        let first = self.first()?;
        let url: ServerUrl = self.url.parse().map_err(|error| bad("url", &error))?;
        let anchors: Vec<_> = self.trust_anchors.iter().map(|path| folder.join(path)).collect();
        let anchors = TrustStore::from_paths("EST trust anchors", &anchors)?;
        let mut config = ClientConfig::new(url, Arc::new(anchors));
        if let Some(label) = &self.label {
            let label: PathLabel = label.parse().map_err(|error| bad("label", &error))?;
            config.label = Some(label);
        }
        if let Some(proxy) = &self.proxy {
            let proxy: Proxy = proxy.parse().map_err(|error| bad("proxy", &error))?;
            config.proxy = Some(proxy);
        }
        if let Some(seconds) = self.timeout {
            config.timeouts = ClientTimeouts::per_step(Duration::from_secs(seconds.max(1)));
        }
        config.proof_of_possession = self.pop.into();
        config.ask_csr_attributes = self.csrattrs.unwrap_or(true);
        self.credentials(folder, &mut config)?;
        Ok(ClientEnroller {
            config,
            first,
            reuse_key: self.reuse_key,
        })
    }

    /// What private keys are written encrypted by.
    fn passphrase(&self, folder: &Path) -> Result<Option<Passphrase>, CliError> {
        let file = self.passphrase_file.as_ref().map(|path| folder.join(path));
        given(file.as_deref(), KEY_PASSPHRASE_VARIABLE)
    }

    /// The files that are read beside `est.toml`.
    fn inputs(&self, folder: &Path) -> Vec<PathBuf> {
        let single = [
            &self.password_file,
            &self.bearer_file,
            &self.certificate,
            &self.key,
            &self.key_passphrase_file,
            &self.passphrase_file,
        ];
        let named = self.trust_anchors.iter().chain(single.into_iter().flatten());
        named.map(|path| folder.join(path)).collect()
    }

    fn first(&self) -> Result<EnrollOptions, CliError> {
        let subject: Subject = self.subject.parse().map_err(|error| bad("subject", &error))?;
        let mut options = EnrollOptions::new(subject);
        for name in &self.names {
            let name: RequestedName = name.parse().map_err(|error| bad("names", &error))?;
            options.names.push(name);
        }
        if let Some(kind) = &self.key_type {
            let kind = <KeyKind as clap::ValueEnum>::from_str(kind, false).map_err(|_| {
                bad(
                    "key-type",
                    &format!("{kind:?} is none of ec-p256, ec-p384, rsa-2048"),
                )
            })?;
            options.key = kind.into();
        }
        Ok(options)
    }

    fn credentials(&self, folder: &Path, config: &mut ClientConfig) -> Result<(), CliError> {
        match (&self.user, &self.password_file) {
            (Some(user), Some(path)) => {
                let password = read_password(&folder.join(path))?;
                config.basic = Some(credentials(user, &password)?);
                if self.digest {
                    config.password_use = PasswordUse::DigestOnly;
                }
            }
            (None, None) => {}
            _ => return Err(bad("user", &"user and password-file belong together")),
        }
        if let Some(path) = &self.bearer_file {
            let token: BearerToken = read_password(&folder.join(path))?
                .parse()
                .map_err(|error| bad("bearer-file", &error))?;
            config.bearer = Some(token);
        }
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let passphrase = self
                    .key_passphrase_file
                    .as_ref()
                    .or(self.passphrase_file.as_ref());
                let passphrase = passphrase.map(|path| folder.join(path));
                let identity = own_identity(
                    &folder.join(certificate),
                    &folder.join(key),
                    passphrase.as_deref(),
                )?;
                config.identity = Some(Arc::new(identity));
            }
            (None, None) => {}
            _ => return Err(bad("certificate", &"certificate and key belong together")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read() {
        let file: IdentityFile = toml::from_str(include_str!("est.toml")).unwrap();
        assert_eq!(file.first().unwrap().names.len(), 1);
        file.renewal.settings().check().unwrap();
        assert_eq!(
            file.renewal.settings().retry_max,
            RenewalSettings::default().retry_max
        );
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let text = format!("colour = 1\n{}", include_str!("est.toml"));
        let error = toml::from_str::<IdentityFile>(&text).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }
}
