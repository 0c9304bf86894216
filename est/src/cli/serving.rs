//! From the configuration file to a server configuration, at the start and again at each reload.

use std::path::PathBuf;
use std::sync::Arc;

use pki_common::Certificate;
use pki_common::identity::Identity;
use pki_common::revocation::{RevocationCheck, RevocationDepth, RevocationLists};
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;

use super::CliError;
use super::authorities::Authorities;
use super::config::ServeConfig;
use super::label_config::{FullCmc, KeyEncryptionKey, KeyGeneration, Source};
use crate::ca::CertificateAuthority;
use crate::operation::{
    FullCmcSettings, KeyEncryption, KeyPackageSigner, LabelService, LabelSettings, Operations,
    ServerKeyGenerationSettings, SharedSecrets, parse_shared_keys,
};
use crate::server::{BlockingKeyGenerator, RevocationFollower, ServerConfig};

/// What the configuration file makes of a server.
pub(crate) struct Prepared {
    pub(crate) server: ServerConfig,
    /// To be refreshed before the server starts with it.
    pub(crate) follower: RevocationFollower,
}

/// Reads every file that the configuration names. The running server is not touched when one of them is wrong.
pub(crate) fn prepare(config: &ServeConfig, authorities: &mut Authorities) -> Result<Prepared, CliError> {
    let identity = Arc::new(Identity::load(&config.certificate, &config.key)?);
    let mut tls = ServerTls::new(Arc::clone(&identity));
    let anchors = trust_store("EST client trust anchors", &config.client_trust_anchors)?;
    authorities.begin();
    let crl = config.crl_settings()?;
    authorities.open(config.source()?, crl)?;
    for label in &config.labels {
        authorities.open(config.source_of(label)?, crl)?;
    }
    let revocation = ClientRevocation::new(config, authorities)?;
    // A handshake comes before the label is known, so it accepts what any of them accepts.
    let of_labels = config.labels.iter().flat_map(|label| &label.client_trust_anchors);
    let accepted: Vec<PathBuf> = config
        .client_trust_anchors
        .iter()
        .chain(of_labels)
        .cloned()
        .collect();
    let accepted = trust_store("EST client trust anchors", &accepted)?;
    if !accepted.anchors().is_empty() {
        let check = revocation.check(&accepted);
        let mut verifier = PeerVerifier::trust_store(accepted);
        if let Some(check) = check {
            verifier = verifier.with_revocation(check);
        }
        tls.client_authentication = ClientAuthentication::Optional(verifier);
    }
    let signing = Signing {
        identity: &identity,
        anchors: &anchors,
        labels_differ: config
            .labels
            .iter()
            .any(|label| !label.client_trust_anchors.is_empty()),
        revocation: &revocation,
        generator: authorities.generator.clone(),
    };
    let server = ServerConfig {
        tls,
        operations: operations(config, authorities, &signing)?,
        authenticator: authorities.accounts(config.users.as_ref(), config.accounts.as_ref())?,
        limits: config.limits()?,
    };
    let follower = revocation.follower;
    Ok(Prepared { server, follower })
}

/// How certificates of clients are checked for revocation: by the lists of the authorities behind the server, as they
/// are at any moment, and by lists from files.
struct ClientRevocation {
    follower: RevocationFollower,
    /// Subjects of the authorities behind the server that publish lists.
    own: Vec<Vec<u8>>,
    /// Whether there are lists from files. Then each issuer needs one; else only the own authorities are sure to have
    /// any.
    given: bool,
    accept_missing: bool,
    accept_expired: bool,
}

impl ClientRevocation {
    fn new(config: &ServeConfig, authorities: &Authorities) -> Result<Self, CliError> {
        const ROLE: &str = "EST client certificates";
        let paths = &config.client_revocation_lists;
        let mut own = Vec::new();
        let mut followed: Vec<Arc<dyn CertificateAuthority>> = Vec::new();
        for authority in authorities.publishing() {
            let certificate = Certificate::from_der(authority.ca_certificate())?;
            own.push(certificate.subject_der().to_vec());
            followed.push(Arc::new(authority.clone()));
        }
        Ok(Self {
            follower: RevocationFollower::new(RevocationLists::from_paths(ROLE, paths)?, followed),
            own,
            given: !paths.is_empty(),
            accept_missing: config.dangerous_accept_missing_revocation_lists,
            accept_expired: config.dangerous_accept_expired_revocation_lists,
        })
    }

    /// `None` when there are no lists at all.
    fn check(&self, anchors: &TrustStore) -> Option<RevocationCheck> {
        if !self.given && self.own.is_empty() {
            return None;
        }
        let mut check = RevocationCheck::by(self.follower.lists());
        let is_own = |anchor: &Certificate| self.own.iter().any(|own| own == anchor.subject_der());
        if !self.given {
            check = check.with_depth(RevocationDepth::EndEntity);
        }
        if self.accept_missing || !self.given && !anchors.anchors().iter().all(is_own) {
            check = check.dangerous_accept_missing_list();
        }
        if self.accept_expired {
            check = check.dangerous_accept_expired_list();
        }
        Some(check)
    }
}

/// What signs answers, and whose signatures are accepted.
struct Signing<'a> {
    identity: &'a Arc<Identity>,
    anchors: &'a Arc<TrustStore>,
    /// Whether the handshake accepts certificates that some label does not.
    labels_differ: bool,
    revocation: &'a ClientRevocation,
    generator: BlockingKeyGenerator,
}

impl Signing<'_> {
    /// The anchors of a label that names these files, or none.
    fn client_anchors(&self, own: &[PathBuf]) -> Result<Option<Arc<TrustStore>>, CliError> {
        match own {
            [] => Ok(self.labels_differ.then(|| Arc::clone(self.anchors))),
            own => trust_store("client trust anchors of the label", own).map(Some),
        }
    }

    fn offer(
        &self,
        cmc: Option<&FullCmc>,
        keys: Option<&KeyGeneration>,
        settings: &mut LabelSettings,
    ) -> Result<(), CliError> {
        if let Some(given) = cmc {
            let anchors = settings.client_anchors.as_ref().unwrap_or(self.anchors);
            settings.full_cmc = Some(full_cmc_settings(given, self, anchors)?);
        }
        if let Some(given) = keys {
            settings.server_key_generation = Some(key_generation(given, self)?);
        }
        Ok(())
    }
}

fn operations(
    config: &ServeConfig,
    authorities: &mut Authorities,
    signing: &Signing<'_>,
) -> Result<Operations, CliError> {
    let source = config.source()?;
    let authority = authorities.authority(source, &config.keys())?;
    let mut settings = config.settings()?;
    settings.client_anchors = signing.client_anchors(&[])?;
    signing.offer(
        config.full_cmc.as_ref(),
        config.server_key_generation.as_ref(),
        &mut settings,
    )?;
    let mut operations = Operations::new(Arc::clone(&authority), settings);
    if let Some(path) = &config.crl_path {
        operations = operations.with_revocation_list(checked_path(path, "", source)?, authority);
    }
    for label in &config.labels {
        let name = label.path_label()?;
        if operations.service(Some(&name)).is_some() {
            return Err(CliError::local(
                format!("label {name:?} stands twice in the configuration"),
                "Give each label a name of its own.",
            ));
        }
        let source = config.source_of(label)?;
        let keys = label.keys();
        let authority = authorities.authority(source, &keys)?;
        let mut settings = config.label_settings(label)?;
        settings.client_anchors = signing.client_anchors(&label.client_trust_anchors)?;
        signing.offer(
            label.full_cmc.as_ref(),
            label.server_key_generation.as_ref(),
            &mut settings,
        )?;
        let mut service = LabelService::new(Arc::clone(&authority), settings);
        if label.users.is_some() || label.accounts.is_some() {
            let accounts = authorities.accounts(label.users.as_ref(), label.accounts.as_ref())?;
            service = service.with_authenticator(accounts);
        }
        operations = operations.with_label(name, service);
        if let Some(path) = &label.crl_path {
            operations = operations.with_revocation_list(checked_path(path, &keys.place, source)?, authority);
        }
    }
    Ok(operations)
}

/// Makes keys on threads of their own, signs the packages with the certificate of the server.
fn key_generation(
    given: &KeyGeneration,
    signing: &Signing<'_>,
) -> Result<ServerKeyGenerationSettings, CliError> {
    let signer = KeyPackageSigner::with_identity(signing.identity);
    let mut settings = ServerKeyGenerationSettings::new(Arc::new(signing.generator.clone()), signer);
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

fn checked_path(path: &str, place: &str, source: Source<'_>) -> Result<String, CliError> {
    if matches!(source, Source::Command(_)) {
        return Err(CliError::local(
            format!("{place}crl-path: an authority behind a command has no revocation list here"),
            "Publish the list where the program makes it.",
        ));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if path.starts_with('/') && path.len() > 1 && path.chars().all(plain) {
        return Ok(path.to_owned());
    }
    Err(CliError::local(
        format!(
            "{place}crl-path: {path:?} is no path of letters, digits, hyphens, dots, underscores and slashes"
        ),
        "Write it like /crl/ca.crl, as it stands in the distribution point of the certificates.",
    ))
}

fn full_cmc_settings(
    given: &FullCmc,
    signing: &Signing<'_>,
    anchors: &Arc<TrustStore>,
) -> Result<FullCmcSettings, CliError> {
    let signer = match (&given.certificate, &given.key) {
        (Some(certificate), Some(key)) => Arc::new(Identity::load(certificate, key)?),
        (None, None) => Arc::clone(signing.identity),
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
    let revocation = signing.revocation.check(&anchors);
    let mut settings = FullCmcSettings::new(signer, anchors);
    settings.revocation = revocation;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_its_own_anchors_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let load = |label: &str| {
            let text = format!(
                "listen = \"127.0.0.1:0\"\ncertificate = \"s.pem\"\nkey = \"s.key\"\nca-dir = \"ca\"\n\
                 [[label]]\nname = \"staff\"\n{label}"
            );
            let path = folder.path().join("est.toml");
            std::fs::write(&path, text).unwrap();
            ServeConfig::load(&path).unwrap()
        };
        let own = load("client-trust-anchors = [\"staff.pem\"]\n");
        let [label] = own.labels.as_slice() else {
            panic!("one label")
        };
        assert_eq!(label.client_trust_anchors, [folder.path().join("staff.pem")]);
        assert!(
            load("")
                .labels
                .iter()
                .all(|label| label.client_trust_anchors.is_empty())
        );
    }
}
