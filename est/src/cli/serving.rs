//! From the configuration file to a server configuration, at the start and again at each reload.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;

use super::CliError;
use super::config::ServeConfig;
use super::label_config::FullCmc;
use crate::auth::{Authenticator, Users};
use crate::ca::CertificateAuthority;
use crate::ca::embedded::EmbeddedCertificateAuthority;
use crate::ca::policy::IssuancePolicy;
use crate::operation::{FullCmcSettings, LabelService, LabelSettings, Operations, SharedSecrets};
use crate::server::ServerConfig;

/// The authorities that are open. Their databases stay open over a reload; what changes is the policy.
#[derive(Debug, Default)]
pub(crate) struct Authorities(HashMap<PathBuf, EmbeddedCertificateAuthority>);

impl Authorities {
    fn with_policy(
        &mut self,
        dir: &Path,
        policy: IssuancePolicy,
    ) -> Result<Arc<dyn CertificateAuthority>, CliError> {
        if !self.0.contains_key(dir) {
            let opened = super::authority::open(dir, IssuancePolicy::default())?;
            self.0.insert(dir.to_owned(), opened);
        }
        match self.0.get(dir) {
            Some(authority) => Ok(Arc::new(authority.with_policy(policy))),
            None => Err(CliError::local(
                format!("the authority in {} is not open", dir.display()),
                "Start the server anew.",
            )),
        }
    }
}

/// Reads every file that the configuration names. Nothing is changed when one of them is wrong.
pub(crate) fn server_config(
    config: &ServeConfig,
    authorities: &mut Authorities,
) -> Result<ServerConfig, CliError> {
    let identity = Arc::new(Identity::load(&config.certificate, &config.key)?);
    let mut tls = ServerTls::new(Arc::clone(&identity));
    let anchors = trust_store("EST client trust anchors", &config.client_trust_anchors)?;
    if !anchors.anchors().is_empty() {
        tls.client_authentication =
            ClientAuthentication::Optional(PeerVerifier::trust_store(Arc::clone(&anchors)));
    }
    Ok(ServerConfig {
        tls,
        operations: operations(config, authorities, &identity, &anchors)?,
        authenticator: users(config.users.as_deref())?,
        limits: config.limits()?,
    })
}

fn operations(
    config: &ServeConfig,
    authorities: &mut Authorities,
    identity: &Arc<Identity>,
    anchors: &Arc<TrustStore>,
) -> Result<Operations, CliError> {
    let full_cmc = |given: &Option<FullCmc>, settings: &mut LabelSettings| -> Result<(), CliError> {
        if let Some(given) = given {
            settings.full_cmc = Some(full_cmc_settings(given, identity, anchors)?);
        }
        Ok(())
    };
    let authority = authorities.with_policy(&config.ca_dir, config.policy()?)?;
    let mut settings = config.settings()?;
    full_cmc(&config.full_cmc, &mut settings)?;
    let mut operations = Operations::new(Arc::clone(&authority), settings);
    if let Some(path) = &config.crl_path {
        operations = operations.with_revocation_list(checked_path(path)?, authority);
    }
    for label in &config.labels {
        let name = label.path_label()?;
        if operations.service(Some(&name)).is_some() {
            return Err(CliError::local(
                format!("label {name:?} stands twice in the configuration"),
                "Give each label a name of its own.",
            ));
        }
        let dir = label.ca_dir.as_deref().unwrap_or(&config.ca_dir);
        let authority = authorities.with_policy(dir, label.keys().policy()?)?;
        let mut settings = config.label_settings(label)?;
        full_cmc(&label.full_cmc, &mut settings)?;
        let mut service = LabelService::new(Arc::clone(&authority), settings);
        if label.users.is_some() {
            service = service.with_authenticator(users(label.users.as_deref())?);
        }
        operations = operations.with_label(name, service);
        if let Some(path) = &label.crl_path {
            operations = operations.with_revocation_list(checked_path(path)?, authority);
        }
    }
    Ok(operations)
}

fn users(path: Option<&Path>) -> Result<Arc<dyn Authenticator>, CliError> {
    Ok(Arc::new(match path {
        Some(path) => Users::load(path)?,
        None => Users::new(),
    }))
}

fn trust_store(role: &str, paths: &[PathBuf]) -> Result<Arc<TrustStore>, CliError> {
    Ok(Arc::new(if paths.is_empty() {
        TrustStore::empty(role)
    } else {
        TrustStore::from_paths(role, paths)?
    }))
}

fn checked_path(path: &str) -> Result<String, CliError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if path.starts_with('/') && path.len() > 1 && path.chars().all(plain) {
        return Ok(path.to_owned());
    }
    Err(CliError::local(
        format!("crl-path: {path:?} is no path of letters, digits, hyphens, dots, underscores and slashes"),
        "Write it like /crl/ca.crl, as it stands in the distribution point of the certificates.",
    ))
}

fn full_cmc_settings(
    given: &FullCmc,
    identity: &Arc<Identity>,
    anchors: &Arc<TrustStore>,
) -> Result<FullCmcSettings, CliError> {
    let signer = match (&given.certificate, &given.key) {
        (Some(certificate), Some(key)) => Arc::new(Identity::load(certificate, key)?),
        (None, None) => Arc::clone(identity),
        _ => {
            return Err(CliError::local(
                "full-cmc: certificate and key go together, and one is missing",
                "Give both, or neither to sign with the certificate of the server.",
            ));
        }
    };
    let anchors = if given.trust_anchors.is_empty() {
        Arc::clone(anchors)
    } else {
        trust_store("full CMC trust anchors", &given.trust_anchors)?
    };
    let mut settings = FullCmcSettings::new(signer, anchors);
    if let Some(path) = &given.secrets {
        settings.secrets = Arc::new(SharedSecrets::load(path)?);
    }
    let switches = [
        (
            given.identity_proof_required,
            &mut settings.identity_proof_required,
        ),
        (
            given.subject_must_match_signer,
            &mut settings.subject_must_match_signer,
        ),
        (given.registrars, &mut settings.accept_registrars),
        (given.revocation, &mut settings.allow_revocation),
    ];
    for (given, setting) in switches {
        *setting = given.unwrap_or(*setting);
    }
    Ok(settings)
}
