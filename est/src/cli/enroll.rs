//! `est cacerts`, `est csr` and `est enroll`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use der::pem::{LineEnding, encode_string};
use pki_common::identity::{Identity, private_key_pem, write_private};
use pki_common::trust_store::TrustStore;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::CliError;
use super::arguments::{CacertsArguments, CsrCommand, EnrollArguments, ServerArguments};
use super::files::{must_not_exist, print, print_error, read_password, write_public};
use crate::auth::BasicCredentials;
use crate::client::{Client, ClientConfig, ClientTimeouts, EnrollOptions, EnrollOutcome};
use crate::request::KeyAndRequest;

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
            let options = EnrollOptions {
                subject,
                names: wanted.names,
                key: wanted.key_type.into(),
            };
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
