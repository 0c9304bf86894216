//! The authorities and accounts behind `est serve`, which stay open over a reload.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::CliError;
use super::authority::{open_to_serve, passphrase_for};
use super::certsrv::Upstreams;
use super::config_place::Place;
use super::label_config::{CommandConfig, LabelConfig, Source};
use crate::auth::Authenticator;
use crate::auth::digest::DigestVerifier;
use crate::auth::settings::{AccountSettings, AccountsError};
use crate::ca::CertificateAuthority;
use crate::ca::command::CommandCertificateAuthority;
use crate::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, Passphrase};
use crate::ca::issuer::CrlSettings;
use crate::ca::policy::KEY_PLACE;
use crate::server::BlockingKeyGenerator;

/// What is open. A reload reads certificate and key of each authority again; its database stays open.
#[derive(Debug, Default)]
pub(crate) struct Authorities {
    open: HashMap<PathBuf, EmbeddedCertificateAuthority>,
    /// Those whose files were read for the present configuration.
    current: HashSet<PathBuf>,
    /// Given at the start, for instance at a terminal; nobody is there to type them at a reload.
    passphrases: HashMap<PathBuf, Passphrase>,
    /// By everything that Digest is configured with: the nonces that clients hold stay good over a reload that changes
    /// none of it, and no label gets the algorithms that another one allows.
    digest: Vec<(AccountSettings, Arc<DigestVerifier>)>,
    /// AD CS behind this server.
    pub(crate) upstreams: Upstreams,
    /// One for all labels and over reloads, so that the bound on keys in the making is that of the process.
    pub(crate) generator: BlockingKeyGenerator,
}

impl Authorities {
    /// The next calls are for a new reading of the configuration.
    pub(crate) fn begin(&mut self) {
        self.current.clear();
        self.upstreams.begin();
    }

    /// Whoever may log in at a label: by `users` alone, or by all that `[accounts]` names.
    pub(crate) fn accounts(&mut self, label: &LabelConfig) -> Result<Arc<dyn Authenticator>, CliError> {
        let mut accounts = label.accounts.clone().unwrap_or_default();
        if label.users.is_some() {
            accounts.users.clone_from(&label.users);
        }
        let loaded = self
            .digest_verifier(&accounts)
            .and_then(|verifier| accounts.load(verifier));
        match loaded {
            Ok(accounts) => match &label.certsrv {
                Some(given) if given.checks_passwords() => {
                    let others = Arc::new(accounts);
                    self.upstreams.authenticator(given, &label.place, others)
                }
                _ => Ok(Arc::new(accounts)),
            },
            Err(AccountsError::OutOfRange { key, possible }) => {
                let problem = format!("it must be {possible}");
                Err(label.place.wrong(&format!("accounts.{key}"), problem))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn digest_verifier(
        &mut self,
        accounts: &AccountSettings,
    ) -> Result<Option<Arc<DigestVerifier>>, AccountsError> {
        let settings = AccountSettings {
            users: None,
            bearer_tokens: None,
            ..accounts.clone()
        };
        let known = self.digest.iter().position(|(of, _)| *of == settings);
        let before = known
            .and_then(|at| self.digest.get(at))
            .map(|(_, verifier)| verifier);
        let verifier = settings.digest_verifier_after(before)?;
        if let Some(verifier) = &verifier {
            if let Some(at) = known {
                self.digest.swap_remove(at);
            }
            self.digest.push((settings, Arc::clone(verifier)));
        }
        Ok(verifier)
    }

    /// Opens an authority, or reads its files again when it is open since an earlier configuration.
    pub(crate) fn open(
        &mut self,
        source: Source<'_>,
        crl: CrlSettings,
        answer_time: Duration,
    ) -> Result<(), CliError> {
        let (dir, passphrase_file) = match source {
            Source::Folder { dir, passphrase_file } => (dir, passphrase_file),
            Source::Command(..) => return Ok(()),
            Source::Certsrv(given, place) => return self.upstreams.open(given, place, answer_time),
        };
        if !self.current.insert(dir.to_owned()) {
            return Ok(());
        }
        let files = AuthorityFiles::in_folder(dir);
        let passphrase = match (passphrase_file, self.passphrases.get(dir)) {
            (None, Some(known)) => Some(known.clone()),
            _ => passphrase_for(&files, passphrase_file)?,
        };
        let authority = match self.open.get(dir) {
            Some(open) => open
                .reread(&files, passphrase.as_ref())?
                .with_revocation_list_times(crl)?,
            None => open_to_serve(&files, passphrase.as_ref(), crl)?,
        };
        if let Some(passphrase) = passphrase {
            self.passphrases.insert(dir.to_owned(), passphrase);
        }
        self.open.insert(dir.to_owned(), authority);
        Ok(())
    }

    /// The authority of a label, under the policy of the label.
    pub(crate) fn authority(
        &self,
        source: Source<'_>,
        label: &LabelConfig,
        answer_time: Duration,
    ) -> Result<Arc<dyn CertificateAuthority>, CliError> {
        match source {
            Source::Command(command, place) => {
                if label.has_policy() {
                    let problem = "the program of command decides what is issued; have it apply the rules, and take \
                                   the policy out";
                    return Err(label.place.wrong("policy", problem));
                }
                by_command(command, place, answer_time)
            }
            Source::Certsrv(given, place) => {
                if label.has_policy() {
                    let problem = "AD CS decides what is issued, by its template and its policy module; take the policy out";
                    return Err(label.place.wrong("policy", problem));
                }
                self.upstreams.authority(given, place)
            }
            Source::Folder { dir, .. } => match self.open.get(dir) {
                Some(authority) => Ok(Arc::new(authority.with_policy(label.policy()?))),
                None => Err(CliError::local(
                    format!("the authority in {} is not open", dir.display()),
                    "Start the server anew.",
                )),
            },
        }
    }

    /// Where which revocation list is served: with `{key}` in the path, one for each key of the authority.
    pub(crate) fn revocation_lists(
        &self,
        source: Source<'_>,
        path: &str,
    ) -> Vec<(String, Arc<dyn CertificateAuthority>)> {
        let Source::Folder { dir, .. } = source else {
            return Vec::new();
        };
        let Some(authority) = self.open.get(dir) else {
            return Vec::new();
        };
        let mut keys = authority.by_list_key();
        if !path.contains(KEY_PLACE) {
            keys.truncate(1);
        }
        let served = keys.into_iter().map(|(key, authority)| {
            let authority: Arc<dyn CertificateAuthority> = Arc::new(authority);
            (path.replace(KEY_PLACE, &key), authority)
        });
        served.collect()
    }

    /// Those of the present configuration that publish a revocation list.
    pub(crate) fn publishing(&self) -> impl Iterator<Item = &EmbeddedCertificateAuthority> {
        self.open
            .iter()
            .filter(|(dir, authority)| self.is_current(dir) && authority.publishes_revocation_list())
            .map(|(_, authority)| authority)
    }

    fn is_current(&self, dir: &Path) -> bool {
        self.current.contains(dir)
    }
}

fn by_command(
    given: &CommandConfig,
    place: &Place,
    answer_time: Duration,
) -> Result<Arc<dyn CertificateAuthority>, CliError> {
    const KEY: &str = "command.certificates";
    let settings = given.settings(place, answer_time)?;
    if given.certificates.is_empty() {
        return Err(place.wrong(KEY, "cacerts would be empty; name PEM files"));
    }
    let mut certificates = Vec::new();
    for path in &given.certificates {
        let wrong = |error: &dyn core::fmt::Display| {
            let problem = format!(
                "{}: {error}; name PEM files with the certificates that cacerts answers with",
                path.display()
            );
            place.wrong(KEY, problem)
        };
        for found in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
            certificates.push(found.map_err(|error| wrong(&error))?);
        }
    }
    Ok(Arc::new(CommandCertificateAuthority::new(
        settings,
        certificates,
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::digest::DigestAlgorithm;

    #[test]
    fn digest_is_as_the_label_has_it_now_and_its_nonces_outlive_a_reload() {
        let settings = |dangerous_md5| AccountSettings {
            digest_secrets: Some(PathBuf::from("users.digest")),
            dangerous_md5,
            ..AccountSettings::default()
        };
        let mut authorities = Authorities::default();
        let mut verifier = |md5| authorities.digest_verifier(&settings(md5)).unwrap().unwrap();
        let (weak, strict) = (verifier(true), verifier(false));
        assert!(weak.accepts(DigestAlgorithm::Md5) && !strict.accepts(DigestAlgorithm::Md5));
        assert!(Arc::ptr_eq(&strict, &verifier(false)));
    }

    #[test]
    fn a_new_nonce_key_in_the_same_file_is_taken_and_the_same_one_ends_no_nonce() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nonce.key");
        let settings = AccountSettings {
            digest_secrets: Some(PathBuf::from("users.digest")),
            nonce_key: Some(path.clone()),
            ..AccountSettings::default()
        };
        let mut authorities = Authorities::default();
        let mut with_key = |digits: &str| {
            std::fs::write(&path, digits.repeat(32)).unwrap();
            authorities.digest_verifier(&settings).unwrap().unwrap()
        };
        let first = with_key("ab");
        assert!(Arc::ptr_eq(&first, &with_key("ab")));
        let second = with_key("cd");
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &with_key("cd")));
        assert_eq!(authorities.digest.len(), 1, "the old one is forgotten");
    }
}
