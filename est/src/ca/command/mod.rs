//! An authority behind an external command.
//!
//! The command gets the request (PKCS #10, PEM) on its standard input and prints the certificate (PEM; certificates
//! above it may follow and are ignored) on its standard output. It starts with the environment of this process,
//! without variables whose names begin with `EST_` (one may be the passphrase of another authority), and with
//!
//! | variable | value |
//! |---|---|
//! | `EST_OPERATION` | `simpleenroll`, `simplereenroll`, `serverkeygen` or `fullcmc` |
//! | `EST_LABEL` | the path label, empty for none |
//! | `EST_REQUESTER` | the user name, or the subject of the client certificate |
//! | `EST_AUTHENTICATION` | how that was proven, like `client-certificate+http-basic` |
//! | `EST_CHANNEL_BINDING` | `absent`, `tls-unique` or `tls-exporter` |
//! | `EST_ADDRESS` | the client's IP address, empty when unknown |
//! | `EST_SUBJECT` | the subject of the request as RFC 4514 writes it |
//! | `EST_PUBLIC_KEY_SHA256` | SHA-256 of the public key, in hexadecimal |
//!
//! | `EST_STEP`, `EST_SERVER_KEY_REQUEST` | for `serverkeygen` alone, see below |
//!
//! Control characters in the values are replaced by `?`. What the command's exit status means:
//!
//! | exit status | meaning |
//! |---|---|
//! | 0 | issued; the certificate is on the standard output |
//! | 75 (`EX_TEMPFAIL`) | not decided yet: the client shall ask again (HTTP status 202) |
//! | 77 (`EX_NOPERM`) | refused; the standard error has the reason, which the client gets to read |
//! | any other, or a signal | a failure; the standard error goes into the log, the client learns nothing of it |
//!
//! The certificate must be for the key of the request. The command keeps the records: what it prints with status 0
//! it has issued. It may be killed at any time, together with the processes that it started (its process group), and a client that got no answer asks again with the same request; it is
//! up to the command to recognise it by `EST_PUBLIC_KEY_SHA256` and the request.

//!
//! # Keys made by the server
//!
//! A private key does not wait for a decision. A command that wants to decide about `serverkeygen` later than at once is
//! asked before there is a key ([`CommandSettings::approves_server_keys`]): it gets the client's form, whose key and
//! signature mean nothing, with `EST_STEP` `approve` and without `EST_PUBLIC_KEY_SHA256`, prints nothing, and ends with
//! 0, 75 or 77 as above. After a 0 the server makes the key, and the command gets the request for it with `EST_STEP`
//! `issue`. `EST_SERVER_KEY_REQUEST` (64 hexadecimal digits) is the same in both steps and whenever the client asks again;
//! it is up to the command to issue once for one approval. In the step `issue`, 75 refuses the request.

mod run;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use der::pem::{LineEnding, encode_string};
use pki_common::Certificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::sync::Semaphore;

use super::serial::SerialNumber;
use super::{
    CaFuture, CertificateAuthority, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome,
    EnrollRequest, IssuedCertificate, PolicyRefusal, PolicyRule, Requester, ServerKeyDecision,
    ServerKeyRequest, server_key_identity,
};
use crate::wire::hexadecimal;
use crate::wire::label::PathLabel;
use run::Ran;

/// Exit status `EX_TEMPFAIL` of sysexits.h.
pub const EXIT_PENDING: i32 = 75;

/// Exit status `EX_NOPERM` of sysexits.h.
pub const EXIT_REFUSED: i32 = 77;

/// How long a command may take: a second less than the server gives an answer (`ServerLimits::ANSWER_TIME`), so that a
/// slow command is ended here, and the client told to come back, before the server gives up on both.
pub const DEFAULT_COMMAND_TIME: Duration = Duration::from_secs(8);

/// Most commands at the same time. Each is a process with its memory; more wait.
pub const DEFAULT_COMMANDS: usize = 16;

/// Most requests that wait for a command to end. At half a second a command, the last waits eight seconds.
pub const DEFAULT_WAITING: usize = 256;

/// Longest output of a command, in bytes: a certificate and its chain with large keys.
pub const DEFAULT_COMMAND_OUTPUT: usize = 256 * 1024;

/// How long a client is asked to wait when the command says "not yet".
pub const DEFAULT_COMMAND_RETRY: Duration = Duration::from_secs(60);

/// An external command and its bounds.
///
/// # Defaults
/// No arguments, [`DEFAULT_COMMAND_TIME`], [`DEFAULT_COMMANDS`], [`DEFAULT_WAITING`], [`DEFAULT_COMMAND_OUTPUT`],
/// [`DEFAULT_COMMAND_RETRY`]; not asked before the server makes a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSettings {
    /// The program. It is started directly, not by a shell.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How long it may take; it is killed then, and the client asked to come back.
    pub time: Duration,
    /// Most commands at the same time.
    pub concurrent: usize,
    /// Most requests that wait for a command to end; more are asked to come back.
    pub waiting: usize,
    /// Longest standard output, in bytes; of the standard error, the first 4 KiB are kept.
    pub output: usize,
    /// How long a client is asked to wait when the command says "not yet", or there is no room.
    pub retry_after: Duration,
    /// Whether the command is asked before the server makes a key; see [the module](self).
    pub approves_server_keys: bool,
}

impl CommandSettings {
    /// This program with the defaults.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            time: DEFAULT_COMMAND_TIME,
            concurrent: DEFAULT_COMMANDS,
            waiting: DEFAULT_WAITING,
            output: DEFAULT_COMMAND_OUTPUT,
            retry_after: DEFAULT_COMMAND_RETRY,
            approves_server_keys: false,
        }
    }
}

/// An authority behind an external command; see [the module](self) for what the command gets and returns. It needs a
/// tokio runtime with time and I/O, publishes no revocation list, and revokes nothing.
#[derive(Debug)]
pub struct CommandCertificateAuthority {
    settings: CommandSettings,
    certificates: Arc<[CertificateDer<'static>]>,
    running: Semaphore,
    /// Room for those that run and those that wait.
    admitted: Semaphore,
}

impl CommandCertificateAuthority {
    /// An authority whose `cacerts` are these certificates.
    ///
    /// # Errors
    /// [`EnrollError::Internal`] when there is no certificate among them: a client could not find its anchor.
    pub fn new(
        settings: CommandSettings,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Result<Self, EnrollError> {
        if certificates.is_empty() {
            return Err(internal(
                "an external authority needs its certificates for cacerts",
            ));
        }
        let concurrent = settings.concurrent.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = settings.waiting.min(Semaphore::MAX_PERMITS / 2);
        Ok(Self {
            running: Semaphore::new(concurrent),
            admitted: Semaphore::new(concurrent + waiting),
            certificates: certificates.into(),
            settings,
        })
    }

    async fn ask(&self, request: EnrollRequest) -> Result<EnrollOutcome, EnrollError> {
        match self.run(request.csr.der(), environment(&request)).await? {
            Answer::Done(output) => issued(&request, &output).map(EnrollOutcome::Issued),
            Answer::NotYet if request.operation == EnrollOperation::ServerKeyGen => {
                let text = "a key made by the server cannot wait for the external authority; enrol with a key of your \
                            own, or have approves-server-keys set";
                Err(PolicyRefusal::new(PolicyRule::ExternalAuthority, text).into())
            }
            Answer::NotYet => Ok(EnrollOutcome::Pending {
                retry_after: self.settings.retry_after,
            }),
        }
    }

    async fn ask_about_server_key(
        &self,
        request: ServerKeyRequest,
    ) -> Result<ServerKeyDecision, EnrollError> {
        if !self.settings.approves_server_keys {
            return Ok(ServerKeyDecision::MakeKey);
        }
        let environment = environment_of_form(&request);
        match self.run(request.form.der(), environment).await? {
            Answer::Done(_) => Ok(ServerKeyDecision::MakeKey),
            Answer::NotYet => Ok(ServerKeyDecision::Pending {
                retry_after: self.settings.retry_after,
            }),
        }
    }

    async fn run(&self, csr: &[u8], environment: Vec<(&'static str, String)>) -> Result<Answer, EnrollError> {
        let busy = || EnrollError::Unavailable {
            reason: "too many requests wait for the external authority".to_owned(),
            retry_after: self.settings.retry_after,
        };
        let _admitted = self.admitted.try_acquire().map_err(|_| busy())?;
        let _running = self.running.acquire().await.map_err(|_| busy())?;
        let csr = encode_string("CERTIFICATE REQUEST", LineEnding::LF, csr)
            .map_err(|error| internal(&error.to_string()))?;
        match run::run(&self.settings, environment, csr.into_bytes()).await? {
            Ran {
                code: Some(0),
                output,
                ..
            } => Ok(Answer::Done(output)),
            Ran {
                code: Some(EXIT_PENDING),
                ..
            } => Ok(Answer::NotYet),
            Ran {
                code: Some(EXIT_REFUSED),
                errors,
                ..
            } => {
                let text = if errors.is_empty() {
                    "the request was refused".to_owned()
                } else {
                    errors
                };
                Err(PolicyRefusal::new(PolicyRule::ExternalAuthority, text).into())
            }
            Ran { code, errors, .. } => {
                let ended =
                    code.map_or_else(|| "by a signal".to_owned(), |code| format!("with status {code}"));
                Err(internal(&format!("the command ended {ended}: {errors}")))
            }
        }
    }
}

/// What the command says, unless it refuses or fails.
enum Answer {
    /// Yes; what it printed.
    Done(Vec<u8>),
    NotYet,
}

impl CertificateAuthority for CommandCertificateAuthority {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.certificates))))
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        Box::pin(self.ask(request))
    }

    fn approve_server_key(&self, request: ServerKeyRequest) -> CaFuture<'_, ServerKeyDecision> {
        Box::pin(self.ask_about_server_key(request))
    }

    fn revocation_list(&self) -> CaFuture<'_, Option<Bytes>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

fn environment(request: &EnrollRequest) -> Vec<(&'static str, String)> {
    let mut values = common(
        request.operation,
        &request.requester,
        request.label.as_ref(),
        request.channel_binding,
        request.csr.subject_text(),
    );
    values.push((
        "EST_PUBLIC_KEY_SHA256",
        hexadecimal::encode(&request.csr.public_key().sha256()),
    ));
    if request.operation == EnrollOperation::ServerKeyGen {
        let identity = server_key_identity(&request.csr, &request.requester, request.label.as_ref());
        values.push(("EST_STEP", "issue".to_owned()));
        values.push(("EST_SERVER_KEY_REQUEST", hexadecimal::encode(&identity)));
    }
    printable(values)
}

fn environment_of_form(request: &ServerKeyRequest) -> Vec<(&'static str, String)> {
    let mut values = common(
        EnrollOperation::ServerKeyGen,
        &request.requester,
        request.label.as_ref(),
        request.channel_binding,
        request.form.subject_text(),
    );
    values.push(("EST_STEP", "approve".to_owned()));
    values.push(("EST_SERVER_KEY_REQUEST", hexadecimal::encode(&request.identity())));
    printable(values)
}

fn common(
    operation: EnrollOperation,
    requester: &Requester,
    label: Option<&PathLabel>,
    channel_binding: ChannelBindingState,
    subject: &str,
) -> Vec<(&'static str, String)> {
    let address = requester.address.map(|address| address.to_string());
    vec![
        ("EST_OPERATION", operation.to_string()),
        ("EST_LABEL", label.map(ToString::to_string).unwrap_or_default()),
        ("EST_REQUESTER", requester.name.clone()),
        ("EST_AUTHENTICATION", requester.authentication.to_string()),
        ("EST_CHANNEL_BINDING", channel_binding.to_string()),
        ("EST_ADDRESS", address.unwrap_or_default()),
        ("EST_SUBJECT", subject.to_owned()),
    ]
}

/// A NUL would end the value, and a line end fool a script that prints it.
fn printable(values: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    values
        .into_iter()
        .map(|(name, value)| (name, value.replace(char::is_control, "?")))
        .collect()
}

/// Reads the certificate and checks that it is for the key of the request.
fn issued(request: &EnrollRequest, output: &[u8]) -> Result<IssuedCertificate, EnrollError> {
    let wrong =
        |error: &dyn std::fmt::Display| internal(&format!("the command printed no certificate: {error}"));
    let certificate = CertificateDer::from_pem_slice(output).map_err(|error| wrong(&error))?;
    let parsed = Certificate::from_der(&certificate).map_err(|error| wrong(&error))?;
    if parsed.spki_der() != request.csr.public_key().spki_der() {
        return Err(internal("the command printed a certificate for another key"));
    }
    let serial = SerialNumber::from_unsigned(parsed.serial_number())
        .ok_or_else(|| internal("the certificate's serial number has more than 20 octets"))?;
    tracing::info!(%serial, subject = parsed.subject(), "the external authority issued a certificate");
    Ok(IssuedCertificate {
        serial,
        not_before: parsed.not_before().as_secs(),
        not_after: parsed.not_after().as_secs(),
        certificate,
    })
}

fn internal(reason: &str) -> EnrollError {
    EnrollError::Internal {
        reason: reason.to_owned(),
    }
}
