//! What is open of AD CS: a client, the authority on it, and the check of passwords. They stay open over a reload that
//! changes nothing of them, with their connections and what they remember.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pki_common::Diagnose as _;
use pki_common::identity::Identity;
use pki_common::trust_store::TrustStore;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::CliError;
use super::super::config_place::Place;
use super::super::files::read_password;
use super::config::Scheme;
use super::{CertsrvConfig, FirstContacts};
use crate::adcs::authenticator::CertsrvAuthenticator;
use crate::adcs::authority::CertsrvCertificateAuthority;
use crate::adcs::client::CertsrvClient;
use crate::adcs::login::CertsrvLogin;
use crate::adcs::{CertsrvAuthentication, CertsrvError, CertsrvSettings, CertsrvUrl, WindowsAccount};
use crate::auth::Authenticator;
use crate::ca::CertificateAuthority;

/// The environment variable with the password of the account, when neither a file nor another variable is named.
const PASSWORD_VARIABLE: &str = "EST_CERTSRV_PASSWORD";
/// Role of the anchors in messages.
const ROLE: &str = "AD CS trust anchors";

/// All that are open.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    open: Vec<Upstream>,
}

#[derive(Debug)]
struct Upstream {
    config: CertsrvConfig,
    /// Of the files and variables that the configuration names, so that a new password or a new root is taken.
    inputs: [u8; 32],
    answer_time: Duration,
    /// Where it stands, for messages.
    place: String,
    authority: Arc<CertsrvCertificateAuthority>,
    login: Arc<CertsrvLogin>,
    /// Whether the present configuration has it.
    current: bool,
    /// Whether it was tried.
    contacted: bool,
}

/// What is read from files and the environment.
struct Inputs {
    anchors: TrustStore,
    authentication: CertsrvAuthentication,
    digest: [u8; 32],
}

impl Upstreams {
    /// The next calls are for a new reading of the configuration.
    pub(crate) fn begin(&mut self) {
        for upstream in &mut self.open {
            upstream.current = false;
        }
    }

    /// Opens what the table describes, unless it is open.
    pub(crate) fn open(
        &mut self,
        given: &CertsrvConfig,
        place: &Place,
        answer_time: Duration,
    ) -> Result<(), CliError> {
        if self.find(given).is_some_and(|upstream| upstream.current) {
            return Ok(());
        }
        let inputs = given.read_inputs(place)?;
        let same = self.open.iter_mut().find(|upstream| {
            upstream.config == *given
                && upstream.inputs == inputs.digest
                && upstream.answer_time == answer_time
        });
        if let Some(same) = same {
            same.current = true;
            return Ok(());
        }
        let digest = inputs.digest;
        let (authority, login) = given.connect(inputs, place, answer_time)?;
        self.open.retain(|upstream| upstream.config != *given);
        self.open.push(Upstream {
            config: given.clone(),
            inputs: digest,
            answer_time,
            place: place.to("certsrv"),
            authority: Arc::new(authority),
            login: Arc::new(login),
            current: true,
            contacted: false,
        });
        Ok(())
    }

    fn find(&self, given: &CertsrvConfig) -> Option<&Upstream> {
        self.open.iter().find(|upstream| upstream.config == *given)
    }

    fn opened(&self, given: &CertsrvConfig, place: &Place) -> Result<&Upstream, CliError> {
        self.find(given).ok_or_else(|| {
            CliError::local(
                format!("{} is not open", place.to("certsrv")),
                "Start the server anew.",
            )
        })
    }

    /// The authority that the table describes.
    pub(crate) fn authority(
        &self,
        given: &CertsrvConfig,
        place: &Place,
    ) -> Result<Arc<dyn CertificateAuthority>, CliError> {
        let upstream = self.opened(given, place)?;
        Ok(Arc::<CertsrvCertificateAuthority>::clone(&upstream.authority))
    }

    /// Checks passwords by AD CS, and everything else as `others` does.
    pub(crate) fn authenticator(
        &self,
        given: &CertsrvConfig,
        place: &Place,
        others: Arc<dyn Authenticator>,
    ) -> Result<Arc<dyn Authenticator>, CliError> {
        let upstream = self.opened(given, place)?;
        let limits = given.wrong_logins(place)?;
        let login = Arc::clone(&upstream.login);
        Ok(Arc::new(CertsrvAuthenticator::new(login, others, limits)))
    }

    /// What the present configuration has and nobody has tried yet.
    pub(crate) fn first_contacts(&mut self) -> FirstContacts {
        self.open.retain(|upstream| upstream.current);
        let fresh = self.open.iter_mut().filter(|upstream| !upstream.contacted);
        let fresh = fresh.map(|upstream| {
            upstream.contacted = true;
            (upstream.place.clone(), Arc::clone(&upstream.authority))
        });
        FirstContacts::new(fresh.collect())
    }
}

impl CertsrvConfig {
    fn connect(
        &self,
        inputs: Inputs,
        place: &Place,
        answer_time: Duration,
    ) -> Result<(CertsrvCertificateAuthority, CertsrvLogin), CliError> {
        let at =
            |error: CertsrvError| place.wrong(&format!("certsrv.{}", key_of(&error)), error.diagnose().cause);
        let url: CertsrvUrl = self
            .url
            .parse()
            .map_err(|error: CertsrvError| place.wrong("certsrv.url", error))?;
        let mut settings = CertsrvSettings::new(
            url,
            Arc::new(inputs.anchors),
            inputs.authentication,
            self.template.clone(),
        );
        settings.attributes.clone_from(&self.attributes);
        settings.renewal = self.chain_renewal();
        settings.timeouts = self.timeouts(place)?;
        settings.circuit_breaker = self.circuit_breaker(place)?;
        settings.max_idle_time = self.idle_time(place, settings.max_idle_time)?;
        settings.max_connections =
            Self::count(place, "connections", self.connections, settings.max_connections)?;
        settings.max_idle_connections = self.idle_connections.unwrap_or(settings.max_idle_connections);
        if let Some(user_agent) = &self.user_agent {
            settings.user_agent.clone_from(user_agent);
        }
        let (authority, login) = self.waits(place, answer_time)?;
        let client = CertsrvClient::new(settings).map_err(at)?;
        let login = CertsrvLogin::new(client.clone(), login);
        let authority = CertsrvCertificateAuthority::open(client, authority).map_err(at)?;
        Ok((authority, login))
    }

    fn read_inputs(&self, place: &Place) -> Result<Inputs, CliError> {
        let mut digest = Sha256::new();
        let mut note = |bytes: &[u8]| {
            digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(bytes);
        };
        let anchors = TrustStore::from_paths(ROLE, &self.trust_anchors)?;
        for anchor in anchors.anchors() {
            note(anchor.der());
        }
        let authentication = match self.authentication {
            Scheme::Certificate => {
                // One alone is refused as a contradiction before.
                let none = Path::new("");
                let certificate = self.certificate.as_deref().unwrap_or(none);
                let identity = Identity::load(certificate, self.key.as_deref().unwrap_or(none))?;
                for certificate in identity.chain() {
                    note(certificate);
                }
                CertsrvAuthentication::Certificate(Arc::new(identity))
            }
            scheme => {
                let name = self.account.as_deref().unwrap_or_default();
                let password = self.password(place)?;
                note(password.as_bytes());
                let account = WindowsAccount::new(name, password.as_str())
                    .map_err(|error| place.wrong("certsrv.account", error))?;
                match scheme {
                    Scheme::Basic => CertsrvAuthentication::Basic(account),
                    _ => CertsrvAuthentication::Ntlm(account),
                }
            }
        };
        Ok(Inputs {
            anchors,
            authentication,
            digest: digest.finalize().into(),
        })
    }

    fn password(&self, place: &Place) -> Result<Zeroizing<String>, CliError> {
        if let Some(path) = &self.password_file {
            return read_password(path);
        }
        let variable = self.password_variable.as_deref().unwrap_or(PASSWORD_VARIABLE);
        match std::env::var(variable) {
            Ok(password) if !password.is_empty() => Ok(Zeroizing::new(password)),
            _ => {
                let problem = format!(
                    "there is no password for the account: neither password-file nor the environment variable {variable} \
                     has one"
                );
                Err(place.wrong("certsrv.password-file", problem))
            }
        }
    }
}

/// The key whose value an error is about.
const fn key_of(error: &CertsrvError) -> &'static str {
    match error {
        CertsrvError::Form(_) => "template",
        CertsrvError::Account(_) => "account",
        CertsrvError::OpenRequests { .. } => "open-requests",
        CertsrvError::TlsConfig(_) => "trust-anchors",
        _ => "url",
    }
}
