//! The authorities and accounts behind `est serve`, which stay open over a reload.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::CliError;
use super::authority::{open_to_serve, passphrase_for};
use super::label_config::{CommandConfig, LabelKeys, Source};
use crate::auth::Authenticator;
use crate::auth::digest::DigestVerifier;
use crate::auth::settings::AccountSettings;
use crate::ca::CertificateAuthority;
use crate::ca::command::CommandCertificateAuthority;
use crate::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, Passphrase};
use crate::ca::issuer::CrlSettings;
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
    /// One for all labels and over reloads, so that the bound on keys in the making is that of the process.
    pub(crate) generator: BlockingKeyGenerator,
}

impl Authorities {
    /// The next calls are for a new reading of the configuration.
    pub(crate) fn begin(&mut self) {
        self.current.clear();
    }

    /// Whoever may log in: by `users` alone, or by all that `[accounts]` names.
    pub(crate) fn accounts(
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
        let verifier = self.digest_verifier(&accounts)?;
        Ok(Arc::new(accounts.load(verifier)?))
    }

    fn digest_verifier(
        &mut self,
        accounts: &AccountSettings,
    ) -> Result<Option<Arc<DigestVerifier>>, CliError> {
        let settings = AccountSettings {
            users: None,
            bearer_tokens: None,
            ..accounts.clone()
        };
        if let Some((_, verifier)) = self.digest.iter().find(|(of, _)| *of == settings) {
            return Ok(Some(Arc::clone(verifier)));
        }
        let made = settings.digest_verifier()?;
        if let Some(verifier) = &made {
            self.digest.push((settings, Arc::clone(verifier)));
        }
        Ok(made)
    }

    /// Opens an authority, or reads its files again when it is open since an earlier configuration.
    pub(crate) fn open(&mut self, source: Source<'_>, crl: CrlSettings) -> Result<(), CliError> {
        let Source::Folder { dir, passphrase_file } = source else {
            return Ok(());
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
            Some(open) => open.reread(&files, passphrase.as_ref())?,
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
        keys: &LabelKeys<'_>,
    ) -> Result<Arc<dyn CertificateAuthority>, CliError> {
        match source {
            Source::Command(command) => {
                if keys.has_policy() {
                    return Err(CliError::local(
                        format!(
                            "{}policy: the program of command decides what is issued",
                            keys.place
                        ),
                        "Have the program apply the rules, and take the policy out.",
                    ));
                }
                by_command(command, &keys.place)
            }
            Source::Folder { dir, .. } => match self.open.get(dir) {
                Some(authority) => Ok(Arc::new(authority.with_policy(keys.policy()?))),
                None => Err(CliError::local(
                    format!("the authority in {} is not open", dir.display()),
                    "Start the server anew.",
                )),
            },
        }
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

fn by_command(given: &CommandConfig, place: &str) -> Result<Arc<dyn CertificateAuthority>, CliError> {
    let mut certificates = Vec::new();
    for path in &given.certificates {
        let wrong = |error: &dyn core::fmt::Display| {
            CliError::local(
                format!("{place}command.certificates: {}: {error}", path.display()),
                "Name PEM files with the certificates that cacerts answers with.",
            )
        };
        for found in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
            certificates.push(found.map_err(|error| wrong(&error))?);
        }
    }
    let settings = given.settings(place)?;
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
}
