//! `est cmc`

mod octets;
mod statuses;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use pki_common::identity::Identity;
use pki_common::tls::crypto_provider;
use rand_core::{OsRng, RngCore as _};
use rustls_pki_types::{PrivateKeyDer, UnixTime};
use serde_json::json;
use zeroize::Zeroizing;

use super::CliError;
use super::connection::{CredentialArguments, ServerArguments};
use super::csr::SubjectArguments;
use super::enroll::{Destination, kept_request, read_key};
use super::files::{print, print_error, read_password, write_public};
use super::report::{self, Output};
use crate::ca::RevocationReason;
use crate::client::{Client, ClientConfig, CmcOutcome};
use crate::request::KeyAndRequest;
use crate::request::cmc::{CmcAnswer, CmcRequest, CmcRequestBuilder, RANDOM_OCTETS};
use crate::wire::cmc::{Control, PendInfo, RevokeRequestControl};
use crate::wire::cms::signed_data::Signer;
use crate::wire::hexadecimal;
use octets::{Octets, octets, token};
use statuses::{granted, line, object};

#[derive(Debug, Args)]
pub(crate) struct CmcArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    credentials: CredentialArguments,
    #[command(flatten)]
    subject: SubjectArguments,
    /// Ask for a certificate for this key (PEM, PKCS #8) instead of a new one.
    #[arg(long)]
    existing_key: Option<PathBuf>,
    /// Send this PKCS #10 request again, which an earlier call kept because it waits for approval.
    #[arg(long, short = 'y', requires = "existing_key")]
    csr: Option<PathBuf>,
    /// Where to write the certificate and its chain, PEM.
    #[arg(long, short = 'o', required_unless_present = "revoke")]
    out_certificate: Option<PathBuf>,
    /// Where to write the new private key, PEM, readable by the owner only. It is on the disk before the request
    /// leaves.
    #[arg(
        long,
        required_unless_present_any = ["existing_key", "revoke"],
        conflicts_with_all = ["existing_key", "revoke"]
    )]
    out_key: Option<PathBuf>,
    #[command(flatten)]
    message: MessageArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "CMC message")]
struct MessageArguments {
    /// Send the PKCS #10 request alone (Simple PKI Request) instead of a Full PKI Request.
    #[arg(long, conflicts_with_all = ["crmf", "revoke", "query", "identification"])]
    simple: bool,
    /// Put the request in the syntax of CRMF (RFC 4211) instead of PKCS #10.
    #[arg(long, conflicts_with_all = ["revoke", "query"])]
    crmf: bool,
    /// Prove the identity by a shared secret that the server knows under this name.
    #[arg(long, value_name = "NAME", requires = "secret_file")]
    identification: Option<String>,
    /// A file whose first line is the shared secret; `-` for the standard input.
    #[arg(long, value_name = "FILE", requires = "identification")]
    secret_file: Option<PathBuf>,
    /// Ask for the outcome of a request that waits, by the token that an earlier call printed, or @FILE that it kept
    /// the token in; with --existing-key, and with the same subject or --csr.
    #[arg(long, value_name = "TOKEN", requires = "existing_key")]
    query: Option<String>,
    /// Revoke the certificate with this serial number (hexadecimal) instead of asking for one. The request is signed
    /// with --certificate, whose issuer must have issued it.
    #[arg(long, value_name = "SERIAL", requires = "certificate", value_parser = octets, conflicts_with_all = ["query", "existing_key", "out_certificate", "subject", "mac", "names"])]
    revoke: Option<Octets>,
    /// The reason of the revocation, as in `est ca revoke`.
    #[arg(long, default_value = "unspecified", requires = "revoke")]
    reason: RevocationReason,
}

/// What is sent.
enum Message {
    Simple,
    Full(CmcRequest),
}

pub(crate) async fn run(arguments: CmcArguments, output: Output) -> Result<ExitCode, CliError> {
    let CmcArguments {
        server,
        credentials,
        subject,
        existing_key,
        csr,
        out_certificate,
        out_key,
        message,
    } = arguments;
    let mut config = server.config()?;
    credentials.apply(&mut config)?;
    if let Some(serial) = message.revoke.clone() {
        let request = message.revocation(serial, &config)?;
        let work = async {
            let client = server.client(config).await?;
            match exchange(&client, &Message::Full(request), &[], output).await? {
                Exchanged::Answer(answer) => revoked(&answer, output),
                Exchanged::Pending(pending) => pending.tell(None, output),
            }
        };
        return server.in_time(work).await;
    }
    let destination = destination(out_certificate, out_key)?;
    let work = async {
        let client = server.client(config).await?;
        let request = match (existing_key, csr) {
            (Some(key), Some(csr)) => kept_request(&csr, &key)?,
            (Some(key), None) => {
                client
                    .prepare_with_key(subject.options()?, read_key(&key)?)
                    .await?
            }
            (None, _) => client.prepare(subject.options()?).await?,
        };
        let asked = message.request(&request, client.config())?;
        destination.keep_key(&request)?;
        let answer = exchange(&client, &asked, request.csr_der(), output).await;
        match answer {
            Ok(Exchanged::Answer(answer)) => issued(&client, &answer, &request, &destination, output).await,
            Ok(Exchanged::Pending(pending)) => {
                let kept = pending.keep(&destination, request.csr_der())?;
                pending.tell(Some(&kept), output)
            }
            Err(error) => {
                destination.key_stays();
                Err(error)
            }
        }
    };
    server.in_time(work).await
}

fn destination(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Destination, CliError> {
    let certificate = certificate.ok_or_else(|| {
        CliError::local(
            "there is no --out-certificate",
            "Give a file for the certificate.",
        )
    })?;
    let destination = Destination { certificate, key };
    destination.check()?;
    Ok(destination)
}

impl MessageArguments {
    fn builder(&self) -> Result<CmcRequestBuilder, CliError> {
        let mut random = [0; 2 * RANDOM_OCTETS];
        OsRng.fill_bytes(&mut random);
        let builder = CmcRequestBuilder::new(random);
        let (Some(name), Some(path)) = (&self.identification, &self.secret_file) else {
            return Ok(builder);
        };
        let secret: Zeroizing<String> = read_password(path)?;
        Ok(builder.identity_proof(name, secret.as_bytes()))
    }

    fn revocation(&self, serial: Octets, config: &ClientConfig) -> Result<CmcRequest, CliError> {
        let signer = identity(config)?;
        // A positive INTEGER: what begins with a set bit gets a zero before it.
        let mut content = serial.0;
        if content.first().is_some_and(|first| first & 0x80 != 0) {
            content.insert(0, 0);
        }
        let control = Control::RevokeRequest(RevokeRequestControl {
            issuer: signer.certificate().issuer_der().to_vec(),
            serial: content,
            reason: u32::from(self.reason.0),
            invalidity_date: None,
            shared_secret: None,
            comment: None,
        });
        let builder = self.builder()?.control(control);
        Ok(builder.sign(&Signer::with_identity(signer), signer.chain())?)
    }

    fn request(&self, request: &KeyAndRequest, config: &ClientConfig) -> Result<Message, CliError> {
        if self.simple {
            return Ok(Message::Simple);
        }
        let builder = self.builder()?;
        let builder = match &self.query {
            Some(text) => builder.control(Control::QueryPending(token(text)?.0)),
            None if self.crmf => builder.crmf(request.template(), request.key())?,
            None => builder.pkcs10(request.csr_der().to_vec()),
        };
        let signed = match &config.identity {
            Some(identity) => builder.sign(&Signer::with_identity(identity), identity.chain())?,
            // RFC 5272 section 4.2: who has no certificate yet signs with the key that is to have one.
            None => builder.sign(&signer_of(request)?, &[])?,
        };
        Ok(Message::Full(signed))
    }
}

fn identity(config: &ClientConfig) -> Result<&Arc<Identity>, CliError> {
    config.identity.as_ref().ok_or_else(|| {
        CliError::local(
            "there is no certificate to sign with",
            "Give --certificate and --key: of the certificate itself, or of a registrar.",
        )
    })
}

fn signer_of(request: &KeyAndRequest) -> Result<Signer, CliError> {
    let unusable = |error: &dyn core::fmt::Display| {
        CliError::local(
            format!("the key cannot sign a CMC request: {error}"),
            "Use a key of another kind.",
        )
    };
    let provider = crypto_provider().map_err(|error| unusable(&error))?;
    let key = provider
        .key_provider
        .load_private_key(PrivateKeyDer::Pkcs8(request.private_key().clone_key()))
        .map_err(|error| unusable(&error))?;
    Ok(Signer::without_certificate(key)?)
}

/// What came of an exchange.
enum Exchanged {
    Answer(CmcAnswer),
    Pending(Pending),
}

/// A request that waits.
struct Pending {
    seconds: u64,
    /// What the server says of it, when it says more than the HTTP status.
    answer: Option<CmcAnswer>,
}

/// The files of a request that waits.
struct Kept {
    key: Option<PathBuf>,
    request: PathBuf,
    token: Option<PathBuf>,
}

/// Sends the message and prints what the answer says of each body part.
async fn exchange(
    client: &Client,
    message: &Message,
    csr_der: &[u8],
    output: Output,
) -> Result<Exchanged, CliError> {
    let outcome = match message {
        Message::Full(request) => client.fullcmc(request).await?,
        Message::Simple => client.fullcmc_simple(csr_der).await?,
    };
    let exchanged = match outcome {
        // RFC 7030 section 4.2.3 has 202 for this; the message counts all the same.
        CmcOutcome::Answer(answer) if answer.pend_info().is_some() => {
            let time = answer.pend_info().map_or(0, |info| info.time);
            Exchanged::Pending(Pending {
                seconds: time.saturating_sub(UnixTime::now().as_secs()),
                answer: Some(answer),
            })
        }
        CmcOutcome::Answer(answer) => Exchanged::Answer(answer),
        CmcOutcome::Pending { retry_after, answer } => Exchanged::Pending(Pending {
            seconds: retry_after.as_secs(),
            answer,
        }),
    };
    let (Exchanged::Answer(answer)
    | Exchanged::Pending(Pending {
        answer: Some(answer), ..
    })) = &exchanged
    else {
        return Ok(exchanged);
    };
    if !output.is_json() {
        for status in &answer.statuses {
            print(&line(status))?;
        }
    }
    Ok(exchanged)
}

impl Pending {
    fn pend_info(&self) -> Option<&PendInfo> {
        self.answer.as_ref().and_then(CmcAnswer::pend_info)
    }

    /// Keeps the request, and the token when there is one, beside where the certificate will be.
    fn keep(&self, destination: &Destination, csr_der: &[u8]) -> Result<Kept, CliError> {
        let token = match self.pend_info() {
            None => None,
            Some(info) => {
                let mut name = destination.certificate.as_os_str().to_owned();
                name.push(".token");
                let path = PathBuf::from(name);
                write_public(&path, &format!("{}\n", hexadecimal::encode(&info.token)))?;
                Some(path)
            }
        };
        Ok(Kept {
            key: destination.key.clone(),
            request: destination.keep_request(csr_der)?,
            token,
        })
    }

    fn tell(&self, kept: Option<&Kept>, output: Output) -> Result<ExitCode, CliError> {
        let info = self.pend_info();
        if output.is_json() {
            let statuses = self.answer.iter().flat_map(|answer| &answer.statuses);
            let object = json!({
                "status": "pending",
                "retry_after_seconds": self.seconds,
                "token": info.map(|info| hexadecimal::encode(&info.token)),
                "pend_time": info.map(|info| info.time),
                "key": kept.and_then(|kept| kept.key.as_ref()),
                "request": kept.map(|kept| &kept.request),
                "token_file": kept.and_then(|kept| kept.token.as_ref()),
                "statuses": statuses.map(object).collect::<Vec<_>>(),
            });
            print(&object.to_string())?;
            return Ok(ExitCode::from(super::EXIT_PENDING));
        }
        let again = match kept {
            Some(Kept {
                request,
                token: Some(token),
                ..
            }) => format!(
                " with --existing-key, --csr {} and --query @{}",
                request.display(),
                token.display()
            ),
            Some(Kept { request, .. }) => format!(" with --existing-key and --csr {}", request.display()),
            None => String::new(),
        };
        print_error(&format!(
            "the request waits for approval; ask again in {} s{again}",
            self.seconds
        ));
        Ok(ExitCode::from(super::EXIT_PENDING))
    }
}

fn revoked(answer: &CmcAnswer, output: Output) -> Result<ExitCode, CliError> {
    granted(answer, output)?;
    let statuses: Vec<_> = answer.statuses.iter().map(object).collect();
    output.print("revoked", &json!({ "status": "revoked", "statuses": statuses }))?;
    Ok(ExitCode::SUCCESS)
}

async fn issued(
    client: &Client,
    answer: &CmcAnswer,
    request: &KeyAndRequest,
    destination: &Destination,
    output: Output,
) -> Result<ExitCode, CliError> {
    if let Err(error) = granted(answer, output) {
        destination.remove_key();
        return Err(error);
    }
    let found = client.issued_by_cmc(answer, request).await;
    match found {
        Ok(found) => {
            let statuses: Vec<_> = answer.statuses.iter().map(object).collect();
            destination.issued_with(&found, output, |value| report::with(value, "statuses", statuses))
        }
        Err(error) => {
            destination.key_stays();
            Err(error.into())
        }
    }
}
