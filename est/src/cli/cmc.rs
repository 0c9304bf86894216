//! `est cmc`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use pki_common::Diagnose as _;
use pki_common::identity::Identity;
use pki_common::tls::crypto_provider;
use rand_core::{OsRng, RngCore as _};
use rustls_pki_types::{PrivateKeyDer, UnixTime};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::CliError;
use super::connection::{CredentialArguments, ServerArguments};
use super::csr::SubjectArguments;
use super::enroll::{Destination, kept_request, read_key};
use super::files::{print, print_error, read_password};
use super::report::{self, Output};
use crate::ca::RevocationReason;
use crate::client::{Client, ClientConfig, CmcOutcome};
use crate::request::KeyAndRequest;
use crate::request::cmc::{
    AnswerCheck, CmcAnswer, CmcAnswerError, CmcRequest, CmcRequestBuilder, RANDOM_OCTETS, read_simple,
};
use crate::wire::cmc::{BodyPartReference, CmcStatusInfo, Control, RevokeRequestControl};
use crate::wire::cms::signed_data::Signer;

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
    /// Ask for the outcome of a request that waits, by the token that an earlier call printed, with --existing-key and
    /// the same subject.
    #[arg(long, value_name = "TOKEN", requires = "existing_key", value_parser = octets)]
    query: Option<Octets>,
    /// Revoke the certificate with this serial number (hexadecimal) instead of asking for one. The request is signed
    /// with --certificate, whose issuer must have issued it.
    #[arg(long, value_name = "SERIAL", requires = "certificate", value_parser = octets, conflicts_with_all = ["query", "existing_key", "out_certificate", "subject", "mac", "names"])]
    revoke: Option<Octets>,
    /// The reason of the revocation, as in `est ca revoke`.
    #[arg(long, default_value = "unspecified", requires = "revoke")]
    reason: RevocationReason,
}

/// Octets in hexadecimal.
#[derive(Debug, Clone)]
struct Octets(Vec<u8>);

fn octets(text: &str) -> Result<Octets, String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits).to_owned();
    let digits = if digits.len().is_multiple_of(2) {
        digits
    } else {
        format!("0{digits}")
    };
    let mut found = Vec::new();
    let mut rest = digits.as_str();
    while let Some((pair, tail)) = rest.split_at_checked(2) {
        let octet = u8::from_str_radix(pair, 16)
            .ok()
            .filter(|_| !pair.starts_with('+'));
        found.push(octet.ok_or_else(|| format!("{pair:?} is not hexadecimal"))?);
        rest = tail;
    }
    if !rest.is_empty() || found.is_empty() {
        return Err("write it in hexadecimal digits".to_owned());
    }
    Ok(Octets(found))
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
            let answer = exchange(&client, &Message::Full(request), &[], output).await?;
            answer.map_or(Ok(ExitCode::from(super::EXIT_PENDING)), |answer| {
                revoked(&answer, output)
            })
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
            Ok(Some(answer)) => issued(&client, &answer, &request, &destination, output).await,
            Ok(None) => {
                let kept = destination.keep_request(request.csr_der())?;
                print_error(&format!("the request is kept in {}", kept.display()));
                Ok(ExitCode::from(super::EXIT_PENDING))
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
            Some(token) => builder.control(Control::QueryPending(token.0.clone())),
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

/// Sends the message and prints what the answer says of each body part; `None` when HTTP says to ask again.
async fn exchange(
    client: &Client,
    message: &Message,
    csr_der: &[u8],
    output: Output,
) -> Result<Option<CmcAnswer>, CliError> {
    let now = UnixTime::now();
    let outcome = match message {
        Message::Full(request) => client.fullcmc(request).await?,
        Message::Simple => match client.fullcmc_message(csr_der).await? {
            CmcOutcome::Answer(answer) => {
                let check = AnswerCheck::new(&client.config().anchors, now);
                CmcOutcome::Answer(read_simple(&answer, &check)?)
            }
            CmcOutcome::Pending { retry_after } => CmcOutcome::Pending { retry_after },
        },
    };
    let answer = match outcome {
        CmcOutcome::Answer(answer) => answer,
        CmcOutcome::Pending { retry_after } => {
            pending(&[], retry_after.as_secs(), output)?;
            return Ok(None);
        }
    };
    if !output.is_json() {
        for status in &answer.statuses {
            print(&line(status))?;
        }
    }
    let undecided = |status: &&CmcStatusInfo| status.pend_info().is_some();
    if let Some(info) = answer
        .statuses
        .iter()
        .find(undecided)
        .and_then(CmcStatusInfo::pend_info)
    {
        let wait = info.time.saturating_sub(now.as_secs());
        pending(&answer.statuses, wait, output)?;
        return Ok(None);
    }
    Ok(Some(answer))
}

fn pending(statuses: &[CmcStatusInfo], wait: u64, output: Output) -> Result<(), CliError> {
    let token = statuses
        .iter()
        .find_map(|status| status.pend_info())
        .map(|info| hex(&info.token));
    if output.is_json() {
        let object = json!({
            "status": "pending",
            "retry_after_seconds": wait,
            "token": token,
            "statuses": statuses.iter().map(object).collect::<Vec<_>>(),
        });
        return print(&object.to_string());
    }
    print_error(&match token {
        Some(token) => format!(
            "the request waits for approval; ask again in {wait} s with --query {token} and --existing-key"
        ),
        None => {
            format!("the request waits for approval; ask again in {wait} s with --csr and --existing-key")
        }
    });
    Ok(())
}

/// Refusals, with what the server said of each body part where programs look for it.
fn granted(answer: &CmcAnswer, output: Output) -> Result<(), CliError> {
    let outcome = if answer.certificates.is_empty() && !answer.statuses.is_empty() {
        // A revocation yields no certificate.
        match answer.granted() {
            Err(CmcAnswerError::NoCertificate) => Ok(()),
            other => other.map(|_| ()),
        }
    } else {
        answer.granted().map(|_| ())
    };
    if let Err(error) = &outcome
        && output.is_json()
    {
        let refused = json!({
            "status": "refused",
            "statuses": answer.statuses.iter().map(object).collect::<Vec<_>>(),
            "cause": error.diagnose().cause,
        });
        print(&refused.to_string())?;
    }
    Ok(outcome?)
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

/// `body part 1: failed (badRequest): text`
fn line(status: &CmcStatusInfo) -> String {
    let parts: Vec<_> = status
        .body_list
        .iter()
        .map(BodyPartReference::to_string)
        .collect();
    format!("body part {}: {status}", parts.join(", "))
}

fn object(status: &CmcStatusInfo) -> Value {
    let parts: Vec<_> = status
        .body_list
        .iter()
        .map(BodyPartReference::to_string)
        .collect();
    json!({
        "status": status.status.to_string(),
        "body_parts": parts,
        "fail_info": status.fail_info().map(|info| info.to_string()),
        "text": status.text,
        "token": status.pend_info().map(|info| hex(&info.token)),
    })
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_as_openssl_and_est_print_them() {
        for text in ["0a1b", "A1B", "0x0A1B", "0a:1b"] {
            assert_eq!(octets(text).unwrap().0, [0x0a, 0x1b], "{text}");
        }
        for text in ["", "0x", "xyz", "1+", "+1", "ä1"] {
            assert!(octets(text).is_err(), "{text}");
        }
    }
}
