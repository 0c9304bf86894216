//! Where the server is and what to show it: the options that every client command has.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pki_common::HashAlgorithm;
use pki_common::identity::{Identity, IdentityError};
use pki_common::trust_store::TrustStore;
use zeroize::Zeroizing;

use super::CliError;
use super::files::read_password;
use super::passphrase::{KEY_PASSPHRASE_VARIABLE, given};
use crate::auth::BasicCredentials;
use crate::client::{
    BearerToken, Bootstrapped, CaFingerprint, Client, ClientConfig, ClientTimeouts, DifferenceKind,
    Fingerprint, FirstContact, PasswordUse, PendingPolicy, ProofOfPossession, Proxy, ServerUrl,
};
use crate::wire::label::PathLabel;

/// The environment variable that may have the password.
const PASSWORD_VARIABLE: &str = "EST_PASSWORD";

#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerArguments {
    /// The server, like https://est.example:8085.
    #[arg(long, short = 's', visible_alias = "server")]
    pub(crate) url: ServerUrl,
    /// The label, where the server has several: the part of the path behind /.well-known/est/.
    #[arg(long)]
    pub(crate) label: Option<PathLabel>,
    /// A file or folder of trust anchors, PEM or DER; may be repeated. There are no others unless asked for.
    #[arg(
        long = "trust-anchors",
        visible_alias = "cacert",
        required_unless_present_any = ["fingerprint", "ask", "system_anchors"]
    )]
    pub(crate) trust_anchors: Vec<PathBuf>,
    /// The server's certificate may also lead to an anchor of the operating system, or of SSL_CERT_FILE and SSL_CERT_DIR
    /// (implicit trust anchors, RFC 7030 section 3.6.2). An issued certificate leads to --trust-anchors or to a root of
    /// the server's cacerts.
    #[arg(long)]
    pub(crate) system_anchors: bool,
    /// First contact without anchors: trust the authority whose certificate has this SHA-256 fingerprint, which you got
    /// by another way; `est inspect ca.pem` prints it.
    #[arg(long, value_name = "SHA256", value_parser = sha256_fingerprint)]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// First contact without anchors and without a fingerprint: shows the fingerprints and asks on the terminal.
    #[arg(long, conflicts_with_all = ["fingerprint", "trust_anchors", "system_anchors"])]
    pub(crate) ask: bool,
    /// Seconds allowed for each step: connection, TLS handshake, response.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
    /// Seconds allowed for the connection.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) connect_timeout: Option<u64>,
    /// Seconds allowed for the whole command.
    #[arg(long, short = 'm', value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) max_time: Option<u64>,
    /// An HTTP proxy that connects to the server, like http://proxy.example:3128.
    #[arg(long, short = 'x')]
    pub(crate) proxy: Option<Proxy>,
    /// User name for the proxy, which gets it in the clear.
    #[arg(long, requires_all = ["proxy", "proxy_password_file"], value_parser = user_name)]
    pub(crate) proxy_user: Option<String>,
    /// A file whose first line is the password for the proxy.
    #[arg(long, requires = "proxy_user", value_name = "FILE")]
    pub(crate) proxy_password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Authentication")]
pub(crate) struct CredentialArguments {
    /// User name for HTTP Basic and Digest. The password comes from --password-file, from EST_PASSWORD, or is asked for
    /// on a terminal; never from the arguments, which others can read.
    #[arg(long, short = 'u', value_parser = user_name)]
    pub(crate) user: Option<String>,
    /// A file whose first line is the password; `-` for the standard input.
    #[arg(long, requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// Never send the password itself, only HTTP Digest.
    #[arg(long, requires = "user")]
    pub(crate) digest: bool,
    /// A file with a bearer token; `-` for the standard input.
    #[arg(long, conflicts_with = "user")]
    pub(crate) bearer_file: Option<PathBuf>,
    /// The certificate to authenticate by, PEM or DER; for `reenroll` the one that is renewed.
    #[arg(long, short = 'E', visible_alias = "cert", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The private key of that certificate.
    #[arg(long, requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// A file whose first line is the passphrase of that key, when it is encrypted; `-` for the standard input. Without
    /// it, EST_KEY_PASSPHRASE.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) key_passphrase_file: Option<PathBuf>,
    /// When the request is linked to its TLS connection (proof of possession, RFC 7030 section 3.5).
    #[arg(long, value_enum, default_value_t)]
    pub(crate) pop: Pop,
    /// Do not ask for the server's CSR attributes.
    #[arg(long)]
    pub(crate) no_csrattrs: bool,
    /// Wait for an approval for up to this many seconds (status 202) instead of ending with status 75.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) wait: u64,
    /// Take the certificate although it differs from what was asked for in this: subject, alternative-names,
    /// extended-key-usage, extension, validity or outlives-issuer; may be repeated.
    #[arg(long, value_name = "DIFFERENCE")]
    pub(crate) accept: Vec<DifferenceKind>,
}

/// When a request is linked to its connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pop {
    /// Never.
    Never,
    /// When the server's CSR attributes ask for it.
    #[default]
    WhenAsked,
    /// Always.
    Always,
}

impl From<Pop> for ProofOfPossession {
    fn from(pop: Pop) -> Self {
        match pop {
            Pop::Never => Self::Never,
            Pop::WhenAsked => Self::WhenAsked,
            Pop::Always => Self::Always,
        }
    }
}

fn user_name(text: &str) -> Result<String, String> {
    if text.contains(':') {
        return Err(format!(
            "give the name alone: a password in the arguments can be read by others; use --password-file or {PASSWORD_VARIABLE}"
        ));
    }
    Ok(text.to_owned())
}

impl ServerArguments {
    /// A configuration without credentials.
    pub(crate) fn config(&self) -> Result<ClientConfig, CliError> {
        let role = "EST trust anchors";
        let anchors = if self.trust_anchors.is_empty() {
            TrustStore::empty(role)
        } else {
            TrustStore::from_paths(role, &self.trust_anchors)?
        };
        let mut config = ClientConfig::new(self.url.clone(), Arc::new(anchors));
        config.label.clone_from(&self.label);
        if self.system_anchors {
            config.implicit_anchors = Some(Arc::new(TrustStore::system("implicit trust anchors")?));
        }
        config.timeouts = ClientTimeouts::per_step(Duration::from_secs(self.timeout));
        if let Some(seconds) = self.connect_timeout {
            config.timeouts.connect = Duration::from_secs(seconds);
        }
        config.proxy = self.proxy_with_credentials()?;
        Ok(config)
    }

    fn proxy_with_credentials(&self) -> Result<Option<Proxy>, CliError> {
        let mut proxy = self.proxy.clone();
        if let (Some(proxy), Some(user), Some(path)) =
            (&mut proxy, &self.proxy_user, &self.proxy_password_file)
        {
            proxy.credentials = Some(credentials(user, &read_password(path)?)?);
        }
        Ok(proxy)
    }

    /// A client; with `--fingerprint` or `--ask`, after a first contact.
    pub(crate) async fn client(&self, config: ClientConfig) -> Result<Client, CliError> {
        match self.first_contact()? {
            None => Ok(Client::new(config)?),
            Some(first) => Ok(Client::bootstrap(config, first).await?.client),
        }
    }

    /// A first contact, when one is asked for.
    pub(crate) async fn bootstrap(&self, config: ClientConfig) -> Result<Option<Bootstrapped>, CliError> {
        match self.first_contact()? {
            None => Ok(None),
            Some(first) => Ok(Some(Client::bootstrap(config, first).await?)),
        }
    }

    fn first_contact(&self) -> Result<Option<FirstContact>, CliError> {
        if let Some(fingerprint) = self.fingerprint {
            return Ok(Some(FirstContact::Expect(fingerprint)));
        }
        if !self.ask {
            return Ok(None);
        }
        if !std::io::stdin().is_terminal() {
            return Err(CliError::local(
                "there is no terminal to ask on",
                "Give --fingerprint with the authority's fingerprint.",
            ));
        }
        Ok(Some(FirstContact::Ask(Box::new(ask_on_terminal))))
    }

    /// Ends an exchange that takes longer than `--max-time`.
    pub(crate) async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        self.in_time_or(work, || {}).await
    }

    /// The same; `at_the_end` tells what is left behind.
    pub(crate) async fn in_time_or<T>(
        &self,
        work: impl Future<Output = Result<T, CliError>>,
        at_the_end: impl FnOnce(),
    ) -> Result<T, CliError> {
        let Some(seconds) = self.max_time else {
            return work.await;
        };
        let ended = tokio::time::timeout(Duration::from_secs(seconds), work).await;
        ended.unwrap_or_else(|_| {
            at_the_end();
            Err(CliError::local(
                format!("the command took longer than the {seconds} s of --max-time"),
                "Allow more time, or look why the server is slow.",
            ))
        })
    }
}

impl CredentialArguments {
    /// Adds the credentials to a configuration.
    pub(crate) fn apply(&self, config: &mut ClientConfig) -> Result<(), CliError> {
        if let Some(user) = &self.user {
            let password = self.password(user)?;
            config.basic = Some(credentials(user, &password)?);
            if self.digest {
                config.password_use = PasswordUse::DigestOnly;
            }
        }
        if let Some(path) = &self.bearer_file {
            config.bearer = Some(read_password(path)?.parse::<BearerToken>()?);
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            let passphrase = self.key_passphrase_file.as_deref();
            config.identity = Some(Arc::new(own_identity(certificate, key, passphrase)?));
        }
        config.proof_of_possession = self.pop.into();
        config.ask_csr_attributes = !self.no_csrattrs;
        config.pending = PendingPolicy::up_to(Duration::from_secs(self.wait));
        config.checks.accept.extend(self.accept.iter().copied());
        Ok(())
    }

    fn password(&self, user: &str) -> Result<Zeroizing<String>, CliError> {
        if let Some(path) = &self.password_file {
            return read_password(path);
        }
        if let Ok(password) = std::env::var(PASSWORD_VARIABLE) {
            return Ok(Zeroizing::new(password));
        }
        let nobody = || {
            CliError::local(
                format!("there is no password for {user:?}"),
                "Give --password-file or EST_PASSWORD, or use a terminal.",
            )
        };
        if !std::io::stderr().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(nobody());
        }
        super::files::print_error(&format!("Password for {user}:"));
        let read = console::Term::stderr().read_secure_line();
        read.map(Zeroizing::new).map_err(|_| nobody())
    }
}

pub(crate) fn credentials(user: &str, password: &str) -> Result<BasicCredentials, CliError> {
    BasicCredentials::new(user, password)
        .map_err(|error| CliError::local(error.to_string(), "Check user name and password."))
}

/// Our certificate, and its key that may be encrypted.
pub(crate) fn own_identity(
    certificate: &Path,
    key: &Path,
    passphrase_file: Option<&Path>,
) -> Result<Identity, CliError> {
    let loaded = match given(passphrase_file, KEY_PASSPHRASE_VARIABLE)? {
        None => Identity::load(certificate, key),
        Some(passphrase) => Identity::load_encrypted(certificate, key, passphrase.as_bytes()),
    };
    loaded.map_err(|error| match error {
        IdentityError::EncryptedPrivateKey { .. } => CliError::local(
            error.to_string(),
            format!(
                "Name a file with it: --key-passphrase-file, or key-passphrase-file in est.toml; or set {KEY_PASSPHRASE_VARIABLE}."
            ),
        ),
        error => error.into(),
    })
}

fn sha256_fingerprint(text: &str) -> Result<Fingerprint, String> {
    let read: Fingerprint = text.parse().map_err(|error| format!("{error}"))?;
    if read.algorithm() == HashAlgorithm::Sha256 {
        Ok(read)
    } else {
        Err("this is a SHA-1 fingerprint; ask for that of SHA-256".to_owned())
    }
}

fn ask_on_terminal(shown: &[CaFingerprint]) -> Option<usize> {
    super::files::print_error(
        "The server shows these certificates. Compare with a fingerprint that you got by another way.",
    );
    for (index, ca) in shown.iter().enumerate() {
        let subject = pki_common::Escaped::new(ca.certificate.subject()).to_string();
        super::files::print_error(&format!(
            "{}: {subject}\n   SHA-256 {}",
            index + 1,
            ca.fingerprint
        ));
    }
    super::files::print_error("Number of the one to trust (anything else: none):");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    let number: usize = line.trim().parse().ok()?;
    number.checked_sub(1).filter(|index| *index < shown.len())
}
