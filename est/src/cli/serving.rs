//! From the configuration file to a server configuration, at the start and again at each reload.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pki_common::Certificate;
use pki_common::identity::Identity;
use pki_common::revocation::{RevocationCheck, RevocationDepth, RevocationLists};
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;

use super::CliError;
use super::authorities::Authorities;
use super::certsrv::FirstContacts;
use super::config::ServeConfig;
use super::config_check::contradictions;
use super::label_config::{FullCmc, KeyEncryptionKey, KeyGeneration, LabelConfig};
use crate::ca::CertificateAuthority;
use crate::ca::policy::KEY_PLACE;
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
    /// To be made before the server starts with it.
    pub(crate) first_contacts: FirstContacts,
}

/// Reads every file that the configuration names. The running server is not touched when one of them is wrong.
pub(crate) fn prepare(config: &ServeConfig, authorities: &mut Authorities) -> Result<Prepared, CliError> {
    // What can be told from the file alone comes first.
    contradictions(config)?;
    let limits = config.limits()?;
    let identity = Arc::new(Identity::load(&config.server.certificate, &config.server.key)?);
    let mut tls = ServerTls::new(Arc::clone(&identity));
    let anchors = trust_store("EST client trust anchors", &config.top.client_trust_anchors)?;
    authorities.begin();
    let crl = config.crl_settings()?;
    for label in config.all_labels() {
        authorities.open(config.source_of(label)?, crl, limits.answer_time)?;
    }
    let revocation = ClientRevocation::new(config, authorities)?;
    // A handshake comes before the label is known, so it accepts what any of them accepts.
    let of_labels = config.labels.iter().flat_map(|label| &label.client_trust_anchors);
    let accepted: Vec<PathBuf> = config
        .top
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
        operations: operations(config, authorities, &signing, limits.answer_time)?,
        authenticator: authorities.accounts(&config.top)?,
        limits,
    };
    let follower = revocation.follower;
    Ok(Prepared {
        server,
        follower,
        first_contacts: authorities.upstreams.first_contacts(),
    })
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
        let paths = &config.server.client_revocation_lists;
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
            accept_missing: config.server.dangerous_accept_missing_revocation_lists,
            accept_expired: config.server.dangerous_accept_expired_revocation_lists,
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
    /// The anchors of a label, where it has other ones than the handshake.
    fn client_anchors(&self, label: &LabelConfig) -> Result<Option<Arc<TrustStore>>, CliError> {
        match label.client_trust_anchors.as_slice() {
            own @ [_, ..] if !label.place.is_top() => {
                trust_store("client trust anchors of the label", own).map(Some)
            }
            _ => Ok(self.labels_differ.then(|| Arc::clone(self.anchors))),
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
    answer_time: Duration,
) -> Result<Operations, CliError> {
    let mut operations = Operations::none();
    for label in config.all_labels() {
        let authority = authorities.authority(config.source_of(label)?, label, answer_time)?;
        let mut settings = config.label_settings(label)?;
        settings.client_anchors = signing.client_anchors(label)?;
        let (cmc, keys) = (label.full_cmc.as_ref(), label.server_key_generation.as_ref());
        signing.offer(cmc, keys, &mut settings)?;
        let mut service = LabelService::new(authority, settings);
        if label.place.is_top() {
            operations = operations.with_default(service);
        } else {
            let name = label.path_label()?;
            if operations.service(Some(&name)).is_some() {
                let problem = format!("{name:?} stands twice; give each label a name of its own");
                return Err(label.place.wrong("name", problem));
            }
            if label.has_accounts() {
                service = service.with_authenticator(authorities.accounts(label)?);
            }
            operations = operations.with_label(name, service);
        }
        if let Some(path) = &label.crl_path {
            let path = checked_path(path, label)?;
            for (path, authority) in authorities.revocation_lists(config.source_of(label)?, &path) {
                operations = operations.with_revocation_list(path, authority);
            }
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

fn checked_path(path: &str, label: &LabelConfig) -> Result<String, CliError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    let without_key = path.replacen(KEY_PLACE, "", 1);
    if path.starts_with('/') && path.len() > 1 && without_key.chars().all(plain) {
        return Ok(path.to_owned());
    }
    let problem = format!(
        "{path:?} is no path of letters, digits, hyphens, dots, underscores and slashes, with {{key}} at most once; write it like /crl/ca.crl, as \
         it stands in the distribution point of the certificates"
    );
    Err(label.place.wrong("crl-path", problem))
}

fn full_cmc_settings(
    given: &FullCmc,
    signing: &Signing<'_>,
    anchors: &Arc<TrustStore>,
) -> Result<FullCmcSettings, CliError> {
    let signer = match (&given.certificate, &given.key) {
        (Some(certificate), Some(key)) => Arc::new(Identity::load(certificate, key)?),
        // One alone is refused as a contradiction before.
        _ => Arc::clone(signing.identity),
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
