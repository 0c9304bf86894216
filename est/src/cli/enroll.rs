//! `est cacerts`, `est csr` and `est enroll`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use der::pem::{LineEnding, encode_string};
use pki_common::MacAddr;
use pki_common::identity::{Identity, private_key_pem, write_private};
use pki_common::trust_store::TrustStore;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::CliError;
use super::arguments::KeyKind;
use super::files::{must_not_exist, print, print_error, read_password, write_public};
use crate::auth::BasicCredentials;
use crate::client::{Client, ClientConfig, ClientTimeouts, EnrollOptions, EnrollOutcome, ServerUrl};
use crate::request::{KeyAndRequest, RequestedName, Subject};
use crate::wire::label::PathLabel;

#[derive(Debug, Subcommand)]
pub(crate) enum CsrCommand {
    /// Make a key and a PKCS #10 request for it.
    New {
        #[command(flatten)]
        subject: SubjectArguments,
        /// Where to write the request, PEM; the standard output by default.
        #[arg(long)]
        out_csr: Option<PathBuf>,
        /// Where to write the private key, PEM, readable by the owner only.
        #[arg(long)]
        out_key: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    /// The server, like https://est.example:8085.
    #[arg(long)]
    pub(crate) url: ServerUrl,
    /// The label of one of several authorities of the server.
    #[arg(long)]
    pub(crate) label: Option<PathLabel>,
    /// A file or folder of trust anchors, PEM or DER; may be repeated. There are no others.
    #[arg(long = "trust-anchors", required = true)]
    pub(crate) trust_anchors: Vec<PathBuf>,
    /// Seconds allowed for each step: connection, TLS handshake, response.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CacertsArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Where to write the certificates; the standard output by default.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// User name for HTTP Basic.
    #[arg(long, requires = "password_file")]
    pub(crate) user: Option<String>,
    /// A file whose first line is the password; `-` for the standard input.
    #[arg(long, requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// Our own certificate to authenticate by, PEM or DER.
    #[arg(long, requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The private key of that certificate.
    #[arg(long, requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// Ask for a certificate for this key (PEM, PKCS #8) instead of a new one, for instance the one that an earlier
    /// call left whose request waits for approval.
    #[arg(long)]
    pub(crate) existing_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// Where to write the certificate and its chain, PEM.
    #[arg(long)]
    pub(crate) out_certificate: PathBuf,
    /// Where to write the new private key, PEM, readable by the owner only.
    #[arg(
        long,
        required_unless_present = "existing_key",
        conflicts_with = "existing_key"
    )]
    pub(crate) out_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SubjectArguments {
    /// The subject, most general name first: DC=com,DC=example,OU=lab,CN=name.
    #[arg(long, required_unless_present = "mac", conflicts_with = "mac")]
    pub(crate) subject: Option<Subject>,
    /// The MAC address of a device; the subject becomes CN=<prefix>-<12 hexadecimal digits>.
    #[arg(long)]
    pub(crate) mac: Option<MacAddr>,
    /// What stands before the MAC address.
    #[arg(long, default_value = "Device")]
    pub(crate) mac_prefix: String,
    /// A subject alternative name, like DNS:name, IP:address, email:address or URI:uri; may be repeated.
    #[arg(long = "name")]
    pub(crate) names: Vec<RequestedName>,
    /// The kind of the new key.
    #[arg(long = "key-type", value_enum, default_value_t)]
    pub(crate) key_type: KeyKind,
}

impl SubjectArguments {
    /// The subject asked for, one way or the other.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match (&self.subject, self.mac) {
            (Some(subject), _) => Some(subject.clone()),
            (None, Some(mac)) => Some(Subject::for_mac(&self.mac_prefix, mac)),
            (None, None) => None,
        }
    }
}

pub(crate) async fn cacerts(arguments: CacertsArguments) -> Result<ExitCode, CliError> {
    let client = Client::new(config(&arguments.server)?)?;
    let mut text = String::new();
    for certificate in client.cacerts().await? {
        text.push_str(&pem("CERTIFICATE", certificate.der())?);
    }
    put(arguments.out, &text)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn csr(command: CsrCommand) -> Result<ExitCode, CliError> {
    let CsrCommand::New {
        subject: wanted,
        out_csr,
        out_key,
    } = command;
    must_not_exist(&out_key)?;
    let subject = wanted.subject().ok_or_else(no_subject)?;
    let made = KeyAndRequest::generate(subject, wanted.names, wanted.key_type.into())?;
    write_key(&out_key, &made)?;
    put(out_csr, &pem("CERTIFICATE REQUEST", made.csr_der())?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn enroll(arguments: EnrollArguments) -> Result<ExitCode, CliError> {
    must_not_exist(&arguments.out_certificate)?;
    if let Some(path) = &arguments.out_key {
        must_not_exist(path)?;
    }
    let client = Client::new(enroll_config(&arguments)?)?;
    let EnrollArguments {
        subject: wanted,
        existing_key,
        out_certificate,
        out_key,
        ..
    } = arguments;
    let subject = wanted.subject().ok_or_else(no_subject)?;
    let outcome = match existing_key {
        Some(path) => {
            client
                .enroll_with(KeyAndRequest::for_key(subject, wanted.names, read_key(&path)?)?)
                .await?
        }
        None => {
            let mut options = EnrollOptions::new(subject);
            options.names = wanted.names;
            options.key = wanted.key_type.into();
            client.enroll(options).await?
        }
    };
    let request = match &outcome {
        EnrollOutcome::Enrolled(enrolled) => &enrolled.request,
        EnrollOutcome::Pending { request, .. } => &**request,
    };
    // The key first: a certificate without its key is of no use.
    if let Some(path) = out_key {
        write_key(&path, request)?;
    }
    match outcome {
        EnrollOutcome::Enrolled(enrolled) => {
            let identity = enrolled.identity()?;
            write_public(&out_certificate, &identity.certificate_chain_pem())?;
            let (subject, path) = (enrolled.certificate.subject(), out_certificate.display());
            print(&format!("{subject} enrolled, certificate in {path}"))?;
            Ok(ExitCode::SUCCESS)
        }
        EnrollOutcome::Pending { retry_after, .. } => {
            let wait = retry_after.as_secs();
            print_error(&format!(
                "the request waits for approval; ask again in {wait} s with --existing-key"
            ));
            Ok(ExitCode::from(super::EXIT_PENDING))
        }
    }
}

fn enroll_config(arguments: &EnrollArguments) -> Result<ClientConfig, CliError> {
    let mut config = config(&arguments.server)?;
    if let (Some(user), Some(path)) = (&arguments.user, &arguments.password_file) {
        let password = read_password(path)?;
        let basic = BasicCredentials::new(user, password.as_str())
            .map_err(|error| CliError::local(error.to_string(), "Check user name and password."))?;
        config.basic = Some(basic);
    }
    if let (Some(certificate), Some(key)) = (&arguments.certificate, &arguments.key) {
        config.identity = Some(Arc::new(Identity::load(certificate, key)?));
    }
    Ok(config)
}

fn read_key(path: &Path) -> Result<PrivatePkcs8KeyDer<'static>, CliError> {
    PrivatePkcs8KeyDer::from_pem_file(path).map_err(|error| {
        CliError::local(
            format!("no private key can be read from {}: {error}", path.display()),
            "Give a file in PEM with a PRIVATE KEY (PKCS #8); `openssl pkcs8 -topk8 -nodes` converts others.",
        )
    })
}

fn config(arguments: &ServerArguments) -> Result<ClientConfig, CliError> {
    let anchors = TrustStore::from_paths("EST trust anchors", &arguments.trust_anchors)?;
    let mut config = ClientConfig::new(arguments.url.clone(), Arc::new(anchors));
    config.label.clone_from(&arguments.label);
    let step = Duration::from_secs(arguments.timeout);
    config.timeouts = ClientTimeouts {
        connect: step,
        handshake: step,
        response: step,
    };
    Ok(config)
}

/// PEM with LF line ends.
pub(crate) fn pem(label: &str, der: &[u8]) -> Result<String, CliError> {
    encode_string(label, LineEnding::LF, der)
        .map_err(|error| CliError::local(format!("PEM cannot be written: {error}"), "Report this defect."))
}

fn write_key(path: &Path, made: &KeyAndRequest) -> Result<(), CliError> {
    let key = PrivateKeyDer::Pkcs8(made.private_key().clone_key());
    Ok(write_private(path, private_key_pem(&key).as_bytes())?)
}

fn put(path: Option<PathBuf>, text: &str) -> Result<(), CliError> {
    match path {
        Some(path) => write_public(&path, text),
        None => print(text),
    }
}

fn no_subject() -> CliError {
    CliError::local("neither --subject nor --mac is given", "Give one of them.")
}
