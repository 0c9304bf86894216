//! `est enroll` and `est reenroll`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use pki_common::identity::Identity;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;

use super::CliError;
use super::batch::{self, BatchArguments};
use super::connection::{CredentialArguments, ServerArguments};
use super::csr::SubjectArguments;
use super::files::{must_not_exist, pem, print_error, write_new_key, write_public};
use super::report::{self, Output};
use crate::client::{
    ClientConfig, ClientError, CsrOutcome, EnrollOutcome, Issued, ReenrollKey, ReenrollOptions,
};
use crate::request::{KeyAndRequest, RequestKey};
use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

#[derive(Debug, Args)]
pub(crate) struct EnrollArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    credentials: CredentialArguments,
    /// Ask for a certificate for this key (PEM, PKCS #8) instead of a new one, for instance the one that an earlier
    /// call left behind that lost its connection.
    #[arg(long)]
    existing_key: Option<PathBuf>,
    /// Send this request (PEM, DER or base64) as it is, instead of making one; for instance the one that an earlier
    /// call kept because it waits for approval.
    #[arg(long, short = 'y', conflicts_with_all = ["existing_key", "subject", "mac", "names", "out_key", "batch"])]
    csr: Option<PathBuf>,
    #[command(flatten)]
    subject: SubjectArguments,
    /// Where to write the certificate and its chain, PEM.
    #[arg(long, short = 'o', required_unless_present = "batch")]
    out_certificate: Option<PathBuf>,
    /// Where to write the new private key, PEM, readable by the owner only. It is on the disk before the request
    /// leaves.
    #[arg(
        long,
        required_unless_present_any = ["existing_key", "csr", "batch"],
        conflicts_with = "existing_key"
    )]
    out_key: Option<PathBuf>,
    #[command(flatten)]
    batch: BatchArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ReenrollArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    credentials: CredentialArguments,
    /// Keep the key of the certificate instead of making a new one.
    #[arg(long)]
    reuse_key: bool,
    /// The kind of the new key.
    #[arg(long = "key-type", value_enum, default_value_t)]
    key_type: super::arguments::KeyKind,
    /// Where to write the new certificate and its chain, PEM.
    #[arg(long, short = 'o')]
    out_certificate: PathBuf,
    /// Where to write the new private key, PEM, readable by the owner only. It is on the disk before the request
    /// leaves.
    #[arg(
        long,
        required_unless_present_any = ["reuse_key", "csr"],
        conflicts_with_all = ["reuse_key", "csr"]
    )]
    out_key: Option<PathBuf>,
    /// Send this request again, which an earlier call kept because it waits for approval.
    #[arg(long, short = 'y', requires = "existing_key", conflicts_with = "reuse_key")]
    csr: Option<PathBuf>,
    /// The private key of that request (PEM, PKCS #8).
    #[arg(long, requires = "csr")]
    existing_key: Option<PathBuf>,
}

/// Where the results go.
pub(super) struct Destination {
    pub(super) certificate: PathBuf,
    pub(super) key: Option<PathBuf>,
}

impl Destination {
    pub(super) fn check(&self) -> Result<(), CliError> {
        must_not_exist(&self.certificate)?;
        self.key.as_deref().map_or(Ok(()), must_not_exist)
    }

    /// Keeps the key before anything is sent.
    pub(super) fn keep_key(&self, request: &KeyAndRequest) -> Result<(), CliError> {
        match &self.key {
            Some(path) => write_new_key(path, request.private_key()),
            None => Ok(()),
        }
    }

    fn issued(&self, issued: &Issued, output: Output) -> Result<ExitCode, CliError> {
        self.issued_with(issued, output, |object| object)
    }

    /// Writes the certificate and says so; `more` adds to the object that `--json` prints.
    pub(super) fn issued_with(
        &self,
        issued: &Issued,
        output: Output,
        more: impl FnOnce(serde_json::Value) -> serde_json::Value,
    ) -> Result<ExitCode, CliError> {
        let mut text = String::new();
        for certificate in issued.chain() {
            text.push_str(&pem("CERTIFICATE", &certificate)?);
        }
        write_public(&self.certificate, &text)?;
        let accepted: Vec<_> = issued.accepted.iter().map(ToString::to_string).collect();
        for difference in &accepted {
            tracing::warn!(difference, "accepted as told");
        }
        output.print(
            &format!(
                "{} enrolled, certificate in {}",
                pki_common::Escaped::new(issued.certificate.subject()),
                self.certificate.display()
            ),
            &more(json!({
                "status": "issued",
                "certificate": report::certificate(&issued.certificate),
                "file": self.certificate,
                "key": self.key,
                "accepted": accepted,
            })),
        )?;
        Ok(ExitCode::SUCCESS)
    }

    /// Keeps the request: an authority's queue knows it by its bytes, and most signatures come out differently each
    /// time.
    pub(super) fn pending(&self, wait: u64, csr_der: &[u8], output: Output) -> Result<ExitCode, CliError> {
        let kept = self.keep_request(csr_der)?;
        if output.is_json() {
            let object = json!({
                "status": "pending",
                "retry_after_seconds": wait,
                "key": self.key,
                "request": kept,
            });
            super::files::print(&object.to_string())?;
        } else {
            print_error(&format!(
                "the request waits for approval and is kept in {}; ask again in {wait} s with --csr",
                kept.display()
            ));
        }
        Ok(ExitCode::from(super::EXIT_PENDING))
    }

    /// The file beside the certificate's, with the same request in it.
    pub(super) fn keep_request(&self, csr_der: &[u8]) -> Result<PathBuf, CliError> {
        let mut name = self.certificate.as_os_str().to_owned();
        name.push(".csr");
        let path = PathBuf::from(name);
        write_public(&path, &pem("CERTIFICATE REQUEST", csr_der)?)?;
        Ok(path)
    }

    fn finish(
        &self,
        outcome: Result<EnrollOutcome, ClientError>,
        output: Output,
    ) -> Result<ExitCode, CliError> {
        match outcome {
            Ok(EnrollOutcome::Enrolled(enrolled)) => self.issued(&enrolled.issued, output),
            Ok(EnrollOutcome::Pending { request, retry_after }) => {
                self.pending(retry_after.as_secs(), request.csr_der(), output)
            }
            Err(error) => {
                self.drop_key(&error);
                Err(error.into())
            }
        }
    }

    /// A key for which there is certainly no certificate is of no use and would be in the way of the next call. Any
    /// other stays, for the certificate may have been issued.
    fn drop_key(&self, error: &ClientError) {
        let refused = match error {
            ClientError::Status { status, .. } => status.is_client_error(),
            ClientError::NameResolution { .. } | ClientError::Tcp { .. } | ClientError::Tls(_) => true,
            _ => false,
        };
        if refused {
            self.remove_key();
        } else {
            self.key_stays();
        }
    }

    /// For a command that was ended on its way: whether the key was made by then, its file tells.
    fn key_may_stay(&self) {
        if self.key.as_ref().is_some_and(|path| path.exists()) {
            self.key_stays();
        }
    }

    /// Says that the certificate may have been issued for the key.
    pub(super) fn key_stays(&self) {
        if let Some(path) = &self.key {
            print_error(&format!(
                "the new key stays in {}; ask again with --existing-key",
                path.display()
            ));
        }
    }

    /// For a request that was certainly refused.
    pub(super) fn remove_key(&self) {
        if let Some(path) = &self.key
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(%error, path = %path.display(), "the unused key cannot be removed");
        }
    }
}

pub(crate) async fn enroll(arguments: EnrollArguments, output: Output) -> Result<ExitCode, CliError> {
    let EnrollArguments {
        server,
        credentials,
        existing_key,
        csr,
        subject,
        out_certificate,
        out_key,
        batch,
    } = arguments;
    if batch.is_wanted() {
        let mut config = server.config()?;
        credentials.apply(&mut config)?;
        return server.in_time(batch::run(batch, &server, config, output)).await;
    }
    let destination = Destination {
        certificate: out_certificate.ok_or_else(|| {
            CliError::local(
                "there is no --out-certificate",
                "Give a file for the certificate.",
            )
        })?,
        key: out_key,
    };
    destination.check()?;
    let mut config = server.config()?;
    credentials.apply(&mut config)?;
    let work = async {
        let client = server.client(config).await?;
        if let Some(path) = csr {
            let csr = read_csr(&path)?;
            return match client.enroll_csr(&csr).await? {
                CsrOutcome::Issued(issued) => destination.issued(&issued, output),
                CsrOutcome::Pending { retry_after } => {
                    destination.pending(retry_after.as_secs(), &csr, output)
                }
            };
        }
        let options = subject.options()?;
        let request = match existing_key {
            Some(path) => client.prepare_with_key(options, read_key(&path)?).await?,
            None => client.prepare(options).await?,
        };
        destination.keep_key(&request)?;
        let outcome = client.enroll_with(request).await;
        destination.finish(outcome, output)
    };
    server.in_time_or(work, || destination.key_may_stay()).await
}

pub(crate) async fn reenroll(arguments: ReenrollArguments, output: Output) -> Result<ExitCode, CliError> {
    let ReenrollArguments {
        server,
        credentials,
        reuse_key,
        key_type,
        out_certificate,
        out_key,
        csr,
        existing_key,
    } = arguments;
    let destination = Destination {
        certificate: out_certificate,
        key: out_key,
    };
    destination.check()?;
    let mut config = server.config()?;
    credentials.apply(&mut config)?;
    let identity = current(&config)?;
    let key = if reuse_key {
        ReenrollKey::Existing(pkcs8_of(&identity)?)
    } else {
        ReenrollKey::New(key_type.into())
    };
    let options = ReenrollOptions {
        certificate: identity.certificate().clone(),
        key,
    };
    let work = async {
        let client = server.client(config).await?;
        let request = match (csr, existing_key) {
            (Some(csr), Some(key)) => kept_request(&csr, &key)?,
            _ => client.prepare_reenroll(options).await?,
        };
        destination.keep_key(&request)?;
        let outcome = client.reenroll_with(request).await;
        destination.finish(outcome, output)
    };
    server.in_time_or(work, || destination.key_may_stay()).await
}

fn current(config: &ClientConfig) -> Result<Arc<Identity>, CliError> {
    config.identity.clone().ok_or_else(|| {
        CliError::local(
            "there is no certificate to renew",
            "Give --certificate and --key: they say what is renewed, and authenticate.",
        )
    })
}

fn pkcs8_of(identity: &Identity) -> Result<PrivatePkcs8KeyDer<'static>, CliError> {
    match identity.private_key() {
        PrivateKeyDer::Pkcs8(key) => Ok(key.clone_key()),
        _ => Err(CliError::local(
            "the key is not in PKCS #8",
            "Convert it with `openssl pkcs8 -topk8 -nodes`.",
        )),
    }
}

/// A request that an earlier call kept, and its key.
pub(super) fn kept_request(csr: &Path, key: &Path) -> Result<KeyAndRequest, CliError> {
    let unusable = |cause: &dyn core::fmt::Display| {
        CliError::local(
            format!("the request in {} cannot be used: {cause}", csr.display()),
            "Make a new request.",
        )
    };
    let read = UnverifiedCsr::from_der(&read_csr(csr)?, &CsrLimits::default())
        .map_err(|error| unusable(&error))?
        .verify(&VerificationPolicy::default())
        .map_err(|error| unusable(&error))?;
    Ok(KeyAndRequest::from_csr(
        &read,
        RequestKey::from_pkcs8(read_key(key)?)?,
    )?)
}

/// Of a PEM file the part that is the request: a key may stand before or behind it. Any other file as it is.
fn request_block(file: &[u8]) -> &[u8] {
    const END: &str = "CERTIFICATE REQUEST-----";
    let Ok(text) = core::str::from_utf8(file) else {
        return file;
    };
    let begin = [
        "-----BEGIN CERTIFICATE REQUEST-----",
        "-----BEGIN NEW CERTIFICATE REQUEST-----",
    ]
    .iter()
    .filter_map(|line| text.find(line))
    .min();
    let block = begin.and_then(|begin| text.get(begin..)).and_then(|rest| {
        let end = rest.find("-----END ")?;
        let length = end + rest.get(end..)?.find(END)? + END.len();
        rest.get(..length)
    });
    block.map_or(file, str::as_bytes)
}

/// A request from a file, in any form a server would take, in DER.
pub(super) fn read_csr(path: &Path) -> Result<Vec<u8>, CliError> {
    let bytes = super::files::read_limited(path, crate::inspect::MAX_FILE)?;
    let csr = UnverifiedCsr::from_body(request_block(&bytes), &CsrLimits::default())
        .or_else(|error| UnverifiedCsr::from_der(&bytes, &CsrLimits::default()).map_err(|_| error))
        .map_err(|error| {
            CliError::local(
                format!("{}: {error}", path.display()),
                "Look at it with `est inspect`, and make it anew.",
            )
        })?;
    Ok(csr.unverified_contents().der().to_vec())
}

pub(super) fn read_key(path: &Path) -> Result<PrivatePkcs8KeyDer<'static>, CliError> {
    PrivatePkcs8KeyDer::from_pem_file(path).map_err(|error| {
        CliError::local(
            format!("no private key can be read from {}: {error}", path.display()),
            "Give a file in PEM with a PRIVATE KEY (PKCS #8); `openssl pkcs8 -topk8 -nodes` converts others.",
        )
    })
}
