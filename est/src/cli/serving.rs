//! From the configuration file to a server configuration, at the start and again at each reload.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;

use super::CliError;
use super::config::ServeConfig;
use super::label_config::{FullCmc, KeyEncryptionKey, KeyGeneration};
use crate::auth::Authenticator;
use crate::auth::digest::DigestVerifier;
use crate::auth::settings::AccountSettings;
use crate::ca::CertificateAuthority;
use crate::ca::embedded::{AuthorityError, EmbeddedCertificateAuthority};
use crate::ca::issuer::CrlSettings;
use crate::ca::policy::IssuancePolicy;
use crate::operation::{
    FullCmcSettings, KeyEncryption, KeyPackageSigner, LabelService, LabelSettings, Operations,
    ServerKeyGenerationSettings, SharedSecrets, parse_shared_keys,
};
use crate::server::{BlockingKeyGenerator, ServerConfig};

/// The authorities that are open. Their databases stay open over a reload; what changes is the policy.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    open: HashMap<PathBuf, EmbeddedCertificateAuthority>,
    /// By the file of secrets: the nonces that clients hold stay good over a reload.
    digest: HashMap<PathBuf, Arc<DigestVerifier>>,
}

impl Authorities {
    /// Whoever may log in: by `users` alone, or by all that `[accounts]` names.
    fn accounts(
        &mut self,
        users: Option<&PathBuf>,
        accounts: Option<&AccountSettings>,
    ) -> Result<Arc<dyn Authenticator>, CliError> {
        let mut accounts = accounts.cloned().unwrap_or_default();
        if let Some(users) = users {
            if accounts.users.is_some() {
                return Err(CliError::local(
                    "users stands at the top and in accounts",
                    "Keep one of the two.",
                ));
            }
            accounts.users = Some(users.clone());
        }
        let verifier = match &accounts.digest_secrets {
            None => None,
            Some(path) => match self.digest.get(path) {
                Some(verifier) => Some(Arc::clone(verifier)),
                None => {
                    let verifier = accounts.digest_verifier()?;
                    if let Some(verifier) = &verifier {
                        self.digest.insert(path.clone(), Arc::clone(verifier));
                    }
                    verifier
                }
            },
        };
        Ok(Arc::new(accounts.load(verifier)?))
    }

    fn open(&mut self, dir: &Path) -> Result<(), CliError> {
        if !self.open.contains_key(dir) {
            let opened = super::authority::open(dir, IssuancePolicy::default())?;
            // Costs a thread that sleeps; the list is there when a label is given a path for it.
            let publishing = opened
                .with_revocation_list(CrlSettings::default())
                .map_err(AuthorityError::from)?;
            self.open.insert(dir.to_owned(), publishing);
        }
        Ok(())
    }

    fn with_policy(
        &mut self,
        dir: &Path,
        policy: IssuancePolicy,
    ) -> Result<Arc<dyn CertificateAuthority>, CliError> {
        self.open(dir)?;
        match self.open.get(dir) {
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
        authenticator: authorities.accounts(config.users.as_ref(), config.accounts.as_ref())?,
        limits: config.limits()?,
    })
}

fn operations(
    config: &ServeConfig,
    authorities: &mut Authorities,
    identity: &Arc<Identity>,
    anchors: &Arc<TrustStore>,
) -> Result<Operations, CliError> {
    let offer = |cmc: &Option<FullCmc>, keys: &Option<KeyGeneration>, settings: &mut LabelSettings| {
        if let Some(given) = cmc {
            settings.full_cmc = Some(full_cmc_settings(given, identity, anchors)?);
        }
        if let Some(given) = keys {
            settings.server_key_generation = Some(key_generation(given, identity)?);
        }
        Ok::<(), CliError>(())
    };
    let authority = authorities.with_policy(&config.ca_dir, config.policy()?)?;
    let mut settings = config.settings()?;
    offer(&config.full_cmc, &config.server_key_generation, &mut settings)?;
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
        offer(&label.full_cmc, &label.server_key_generation, &mut settings)?;
        let mut service = LabelService::new(Arc::clone(&authority), settings);
        if label.users.is_some() || label.accounts.is_some() {
            let accounts = authorities.accounts(label.users.as_ref(), label.accounts.as_ref())?;
            service = service.with_authenticator(accounts);
        }
        operations = operations.with_label(name, service);
        if let Some(path) = &label.crl_path {
            operations = operations.with_revocation_list(checked_path(path)?, authority);
        }
    }
    Ok(operations)
}

/// Makes keys on threads of their own, signs the packages with the certificate of the server.
fn key_generation(
    given: &KeyGeneration,
    identity: &Identity,
) -> Result<ServerKeyGenerationSettings, CliError> {
    let signer = KeyPackageSigner::with_identity(identity);
    let mut settings = ServerKeyGenerationSettings::new(Arc::new(BlockingKeyGenerator::default()), signer);
    if let Some(kinds) = &given.kinds {
        settings.kinds = kinds.iter().map(|kind| kind.parse()).collect::<Result<_, _>>()?;
    }
    settings.fixed_kind = given.fixed_kind.as_ref().map(|kind| kind.parse()).transpose()?;
    settings.encryption = match given.encryption {
        KeyEncryptionKey::WhenAsked => KeyEncryption::WhenAsked,
        KeyEncryptionKey::Required => KeyEncryption::Required,
    };
    if let Some(path) = &given.shared_keys {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            CliError::local(
                format!("the shared keys {shown} cannot be read: {error}"),
                "Check the path.",
            )
        })?;
        settings.shared_keys = parse_shared_keys(&text, &shown)?;
    }
    Ok(settings)
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
