//! Why AD CS gave no certificate, each with its known cause.

use core::fmt;
use std::time::Duration;

use pki_common::{Diagnose, Failure, KnownCause, Rung, Side};

use super::account::AccountError;
use super::form::{FormError, RequestId};
use super::ntlm::NtlmError;
use super::page::{Disposition, HResult, PageError};

/// A page or file of web enrolment (B-01). `Display` gives its name in the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Page {
    /// The folder itself without its slash: whether the login is good.
    Login,
    /// The list of templates.
    RequestForm,
    /// Where a request is submitted.
    Submit,
    /// One certificate.
    Certificate,
    /// The CA's certificates.
    Chain,
    /// How often the CA was renewed.
    Renewals,
    /// The CA's revocation list.
    RevocationList,
}

impl Page {
    /// Its name in the folder; empty for the folder itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "",
            Self::RequestForm => "certrqxt.asp",
            Self::Submit => "certfnsh.asp",
            Self::Certificate => "certnew.cer",
            Self::Chain => "certnew.p7b",
            Self::Renewals => "certcarc.asp",
            Self::RevocationList => "certcrl.crl",
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Login => "/certsrv",
            other => other.name(),
        })
    }
}

/// A step that has a time-out of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Name resolution and TCP connection.
    Connect,
    /// TLS handshake.
    Handshake,
    /// From a request to the end of its answer.
    Answer(Page),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("the TCP connection"),
            Self::Handshake => f.write_str("the TLS handshake"),
            Self::Answer(page) => write!(f, "the answer of {page}"),
        }
    }
}

/// Why an exchange with web enrolment failed, or what it said instead of a certificate. Never repeats a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertsrvError {
    /// The settings cannot work.
    #[error("{problem}")]
    Settings {
        /// What is wrong with them.
        problem: String,
    },
    /// The form cannot be filled in.
    #[error("{0}")]
    Form(#[from] FormError),
    /// Name or password cannot be used.
    #[error("{0}")]
    Account(#[from] AccountError),
    /// The TLS configuration cannot be used.
    #[error("the TLS configuration for AD CS cannot be used: {}", .0.cause)]
    TlsConfig(Box<Failure>),
    /// The file with the requests that are open cannot be read or written.
    #[error("the file of open requests {path:?} cannot be used: {problem}")]
    OpenRequests {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The host name has no address.
    #[error("the name {host:?} of the AD CS server cannot be resolved: {cause}")]
    NameResolution {
        /// The name.
        host: String,
        /// What the resolver says.
        cause: String,
    },
    /// The host answers, and accepts no connection.
    #[error("no connection to AD CS at {host}: {cause}")]
    ConnectionRefused {
        /// Host and port.
        host: String,
        /// What the operating system says, per address tried.
        cause: String,
    },
    /// No address of the host can be reached: there is no way to it, or nothing answers.
    #[error("AD CS at {host} cannot be reached: {cause}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the operating system says, per address tried.
        cause: String,
    },
    /// A step took too long.
    #[error("AD CS: {step} took longer than {} s", time.as_secs_f32())]
    TimedOut {
        /// Which step.
        step: Step,
        /// The time allowed.
        time: Duration,
    },
    /// The TLS handshake failed, or the server ended it with an alert afterwards.
    #[error("TLS with AD CS: {}", .0.cause)]
    Tls(Box<Failure>),
    /// The connection broke before the answer was complete; the server did nothing that matters.
    #[error("the connection to AD CS broke before the answer of {page} was complete: {cause}")]
    ConnectionLost {
        /// The page that was asked for.
        page: Page,
        /// What the HTTP layer says.
        cause: String,
    },
    /// A request was submitted and no answer came: the CA may have it or not.
    #[error(
        "no answer to the submitted request: whether AD CS has it, and under which number, is not known: {cause}"
    )]
    SubmissionUnanswered {
        /// What happened to the answer.
        cause: String,
        /// The time was over, as opposed to the connection.
        timed_out: bool,
    },
    /// Name or password are wrong, or the account may not do this.
    #[error("AD CS refuses the login of {account} with status {status}")]
    CredentialsRefused {
        /// The account.
        account: String,
        /// The HTTP status, 401 or 403.
        status: u16,
    },
    /// The server offers another way to log in than the one configured.
    #[error("AD CS offers no login by {wanted}; it offers {offered}")]
    LoginNotOffered {
        /// What this client was told to use.
        wanted: &'static str,
        /// The schemes of its answer.
        offered: String,
    },
    /// A message of NTLM cannot be read.
    #[error("AD CS: {0}")]
    Ntlm(#[from] NtlmError),
    /// The page is not there.
    #[error("AD CS has no page {url}")]
    PageNotFound {
        /// The URL.
        url: String,
    },
    /// A status that means failure.
    #[error("AD CS answers {page} with status {status}")]
    Status {
        /// The page.
        page: Page,
        /// The HTTP status.
        status: u16,
    },
    /// An answer over the bound.
    #[error("the answer of {page} is larger than {limit} bytes")]
    AnswerTooLarge {
        /// The page.
        page: Page,
        /// The bound, in bytes.
        limit: usize,
    },
    /// A page that says nothing this client understands.
    #[error("AD CS, {page}: {problem}")]
    Page {
        /// The page.
        page: Page,
        /// What is wrong with it.
        problem: PageError,
    },
    /// The CA does not offer the template to this account.
    #[error(
        "AD CS does not offer the certificate template {template:?} to this account; it offers {}",
        list(offered)
    )]
    TemplateNotOffered {
        /// The template.
        template: String,
        /// The names of those it offers; empty when it did not say.
        offered: Vec<String>,
    },
    /// The CA has denied the request.
    #[error(
        "AD CS has denied the request{}, disposition {disposition}: {message}",
        number(*request)
    )]
    Denied {
        /// The number of the request.
        request: Option<RequestId>,
        /// The state of the request on the CA.
        disposition: Disposition,
        /// The disposition message, in the language of the server.
        message: String,
        /// The code in it.
        code: Option<HResult>,
    },
    /// The CA could not work on the request.
    #[error("AD CS could not work on the request{}: {message}", number(*request))]
    RequestFailed {
        /// The number of the request.
        request: Option<RequestId>,
        /// What it says.
        message: String,
        /// The code in it.
        code: Option<HResult>,
    },
    /// The certificate is for another key.
    #[error("AD CS answers request {request} with a certificate for another key")]
    OtherKey {
        /// The number of the request.
        request: RequestId,
    },
    /// The server failed so often that it is left alone for a while.
    #[error(
        "AD CS is left alone for another {} s after {failures} failures, the last one: {}",
        again_in.as_secs().max(1),
        last.cause
    )]
    LeftAlone {
        /// How often it failed.
        failures: u32,
        /// When it is tried again.
        again_in: Duration,
        /// The last failure.
        last: Box<Failure>,
    },
    /// Too many exchanges wait for a connection.
    #[error("all {limit} connections to AD CS are in use")]
    Busy {
        /// How many there may be.
        limit: usize,
    },
}

fn number(request: Option<RequestId>) -> String {
    request.map(|number| format!(" {number}")).unwrap_or_default()
}

fn list(offered: &[String]) -> String {
    /// More names than that help nobody.
    const SHOWN: usize = 20;
    if offered.is_empty() {
        return "none that it tells".to_owned();
    }
    let mut names = offered.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if offered.len() > SHOWN {
        names.push_str(", ...");
    }
    names
}

impl CertsrvError {
    /// The cause by its stable name, as the diagnosis and the logs have it.
    #[must_use]
    pub fn known_cause(&self) -> Option<KnownCause> {
        Some(match self {
            Self::Settings { .. }
            | Self::Form(_)
            | Self::Account(_)
            | Self::OpenRequests { .. }
            | Self::Busy { .. } => return None,
            Self::TlsConfig(failure) | Self::Tls(failure) => return failure.known_cause,
            Self::LeftAlone { last, .. } => return last.known_cause,
            Self::NameResolution { .. } => KnownCause::NameNotResolved,
            Self::ConnectionRefused { .. } => KnownCause::ConnectionRefused,
            Self::Unreachable { .. } => KnownCause::ConnectionTimedOut,
            Self::SubmissionUnanswered { timed_out: true, .. } => KnownCause::AnswerTimedOut,
            Self::TimedOut { step, .. } => match step {
                Step::Connect => KnownCause::ConnectionTimedOut,
                Step::Handshake | Step::Answer(_) => KnownCause::AnswerTimedOut,
            },
            Self::ConnectionLost { .. } | Self::SubmissionUnanswered { .. } => KnownCause::ConnectionLost,
            Self::CredentialsRefused { .. } => KnownCause::CredentialsRefused,
            Self::LoginNotOffered { .. } => KnownCause::LoginNotOffered,
            Self::PageNotFound { .. } => KnownCause::PageNotFound,
            Self::Status { status, .. } if *status >= 500 => KnownCause::ServerFailed,
            Self::RequestFailed { .. } => KnownCause::ServerFailed,
            Self::TemplateNotOffered { .. } => KnownCause::TemplateNotOffered,
            Self::Denied { .. } => KnownCause::RequestDenied,
            Self::Ntlm(_)
            | Self::Status { .. }
            | Self::AnswerTooLarge { .. }
            | Self::Page { .. }
            | Self::OtherKey { .. } => KnownCause::AnswerNotUnderstood,
        })
    }

    /// Whether the same may succeed later although nobody changes anything: something was slow, away or busy.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NameResolution { .. }
            | Self::ConnectionRefused { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::ConnectionLost { .. }
            | Self::SubmissionUnanswered { .. }
            | Self::LeftAlone { .. }
            | Self::Busy { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            // A clock that is wrong gets set, and a certificate gets replaced, without a change here.
            Self::Tls(_) => true,
            _ => false,
        }
    }

    /// The failure as an EST client is told of it: the server's upstream failed, by the same known cause.
    #[must_use]
    pub fn upstream_failure(&self) -> Failure {
        let seen = self.diagnose();
        Failure {
            rung: Rung::Upstream,
            refused_by: Some(Side::Peer),
            alert: None,
            known_cause: seen.known_cause,
            cause: self.to_string(),
            remedy: seen.remedy,
        }
    }

    /// Name or password are wrong, as opposed to everything that says nothing of them.
    #[must_use]
    pub const fn is_refused_login(&self) -> bool {
        matches!(self, Self::CredentialsRefused { .. })
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Settings { .. } | Self::Form(_) => "Correct the settings of the label.",
            Self::Account(_) => "Correct the name and the password of the account.",
            Self::OpenRequests { .. } => "Let this program read and write the file, or name another one.",
            Self::Busy { .. } => "Ask again in a moment; allow more connections if that happens often.",
            Self::SubmissionUnanswered { .. } => {
                "Ask again later; if two certificates are issued in the end, have the one that is not used revoked."
            }
            Self::Ntlm(_) => {
                "Check that the server is IIS with Windows authentication; a proxy in between breaks NTLM."
            }
            Self::OtherKey { .. } => "Look up the request on the CA; its number was not ours.",
            _ => self
                .known_cause()
                .map_or("Report this defect.", KnownCause::remedy),
        }
    }
}

impl Diagnose for CertsrvError {
    fn diagnose(&self) -> Failure {
        if let Self::TlsConfig(failure) | Self::Tls(failure) = self {
            return (**failure).clone();
        }
        let known_cause = self.known_cause();
        let rung = match self {
            Self::LeftAlone { last, .. } => last.rung,
            Self::Busy { .. } => Rung::Upstream,
            _ => known_cause.map_or(Rung::Local, KnownCause::rung),
        };
        Failure {
            known_cause,
            refused_by: self.refused_by(),
            ..Failure::new(rung, format!("{self}."), self.remedy())
        }
    }
}

impl CertsrvError {
    const fn refused_by(&self) -> Option<Side> {
        match self {
            Self::CredentialsRefused { .. }
            | Self::LoginNotOffered { .. }
            | Self::PageNotFound { .. }
            | Self::Status { .. }
            | Self::TemplateNotOffered { .. }
            | Self::Denied { .. } => Some(Side::Peer),
            Self::Ntlm(_) | Self::AnswerTooLarge { .. } | Self::Page { .. } | Self::OtherKey { .. } => {
                Some(Side::Local)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_of_the_other_side_has_a_known_cause_and_a_remedy() {
        let time = Duration::from_secs(10);
        let message = "Denied by Policy Module".to_owned();
        for (error, cause) in [
            (
                CertsrvError::TimedOut {
                    step: Step::Answer(Page::Login),
                    time,
                },
                KnownCause::AnswerTimedOut,
            ),
            (
                CertsrvError::TimedOut {
                    step: Step::Connect,
                    time,
                },
                KnownCause::ConnectionTimedOut,
            ),
            (
                CertsrvError::Denied {
                    request: Some(RequestId(12)),
                    disposition: Disposition::DENIED,
                    message,
                    code: None,
                },
                KnownCause::RequestDenied,
            ),
            (
                CertsrvError::TemplateNotOffered {
                    template: "CiscoRa".to_owned(),
                    offered: vec!["CiscoRA".to_owned()],
                },
                KnownCause::TemplateNotOffered,
            ),
        ] {
            let seen = error.diagnose();
            assert_eq!(seen.known_cause, Some(cause), "{error}");
            assert_eq!(seen.rung, cause.rung());
            let told = error.upstream_failure();
            assert_eq!((told.rung, told.known_cause), (Rung::Upstream, Some(cause)));
            assert!(told.remedy.ends_with('.'));
        }
    }

    #[test]
    fn a_server_that_is_left_alone_keeps_the_cause_of_its_last_failure() {
        let last = KnownCause::NotYetValid.failure("The certificate is not valid yet.");
        let error = CertsrvError::LeftAlone {
            failures: 5,
            again_in: Duration::from_secs(12),
            last: Box::new(last.clone()),
        };
        assert_eq!(error.known_cause(), Some(KnownCause::NotYetValid));
        assert_eq!(error.diagnose().rung, last.rung);
        assert!(error.to_string().contains("12 s") && error.to_string().contains("not valid yet"));
    }
}
