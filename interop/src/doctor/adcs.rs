//! Web enrolment of AD CS: what its pages say to this account, without submitting anything.

use core::time::Duration;
use std::sync::Arc;

use est::adcs::client::{CertsrvClient, Session};
use est::adcs::page::{Retrieved, TemplateSubject, Verdict};
use est::adcs::{
    CertsrvAuthentication, CertsrvError, CertsrvSettings, CertsrvTimeouts, CertsrvUrl, WindowsAccount,
};
use pki_common::clock::SystemClock;
use pki_common::identity::Identity;
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, Failure, KnownCause, Rung, Side};
use rustls::time_provider::TimeProvider as _;

use super::est::note_authority;
use super::ground::{Place, climb, plan};
use super::http::Answer;
use super::tls::{Terms, note_validity};
use super::walk::{Findings, Stopped, Walk};
use super::{Report, clock, http};

const HTTP: &str = "HTTP";
const CLOCK: &str = "clock";
const LOGIN: &str = "login";
const TEMPLATES: &str = "templates";
const RENEWALS: &str = "renewals";
const CHAIN: &str = "chain";
const ENROLMENT: &str = "enrolment";

/// How to log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// NTLM where it is offered, else Basic.
    #[default]
    Offered,
    /// NTLM.
    Ntlm,
    /// Basic, within TLS.
    Basic,
}

/// What is to be looked at, and what we bring along.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where web enrolment is.
    pub url: CertsrvUrl,
    /// What the server's certificate must lead to.
    pub anchors: Arc<TrustStore>,
    /// The account to log in with.
    pub account: Option<WindowsAccount>,
    /// How to log in with it.
    pub scheme: Scheme,
    /// A certificate that IIS maps to an account.
    pub identity: Option<Arc<Identity>>,
    /// A template that must be offered.
    pub template: Option<String>,
    /// How long one step may take.
    pub timeout: Duration,
    /// Submits this request, DER. Without it, nothing is asked that the CA keeps.
    pub submit: Option<Vec<u8>>,
}

impl Settings {
    /// Looks at this server, trusts these anchors, and brings nothing along.
    #[must_use]
    pub const fn new(url: CertsrvUrl, anchors: Arc<TrustStore>) -> Self {
        Self {
            url,
            anchors,
            account: None,
            scheme: Scheme::Offered,
            identity: None,
            template: None,
            timeout: super::DEFAULT_TIMEOUT,
            submit: None,
        }
    }

    /// How to log in to a server that offers these challenges; `None` with nothing to log in with.
    fn authentication(&self, offered: &[String]) -> Option<CertsrvAuthentication> {
        let offers = |scheme: &str| {
            let mut names = offered
                .iter()
                .filter_map(|challenge| challenge.split_whitespace().next());
            names.any(|name| name.trim_end_matches(',').eq_ignore_ascii_case(scheme))
        };
        let Some(account) = self.account.clone() else {
            return self.identity.clone().map(CertsrvAuthentication::Certificate);
        };
        let basic = match self.scheme {
            Scheme::Ntlm => false,
            Scheme::Basic => true,
            Scheme::Offered => !offers("NTLM") && !offers("Negotiate") && offers("Basic"),
        };
        Some(if basic {
            CertsrvAuthentication::Basic(account)
        } else {
            CertsrvAuthentication::Ntlm(account)
        })
    }

    fn client(&self, authentication: CertsrvAuthentication) -> Result<CertsrvClient, Failure> {
        // Without a template nothing is submitted, and its name is not looked at.
        let template = self.template.as_deref().unwrap_or("none");
        let anchors = Arc::clone(&self.anchors);
        let mut settings = CertsrvSettings::new(self.url.clone(), anchors, authentication, template);
        settings.timeouts = CertsrvTimeouts {
            connect: self.timeout,
            handshake: self.timeout,
            answer: self.timeout,
            submission: self.timeout,
        };
        CertsrvClient::new(settings).map_err(|error| error.diagnose())
    }
}

/// Climbs from the name of the server to the CA's chain.
pub async fn diagnose(settings: &Settings) -> Report {
    let mut walk = Walk::new("adcs", settings.url.to_string(), settings.timeout);
    // Where it stopped is in the report.
    let _: Result<(), Stopped> = climb_to_pages(&mut walk, settings).await;
    walk.end(&plan(
        false,
        &[HTTP, CLOCK, LOGIN, TEMPLATES, RENEWALS, CHAIN, ENROLMENT],
    ))
}

async fn climb_to_pages(walk: &mut Walk, settings: &Settings) -> Result<(), Stopped> {
    let url = &settings.url;
    let identity = settings.identity.as_ref();
    let terms = Terms::http(url.server_name(), &settings.anchors, identity, "the AD CS server");
    let place = Place {
        host: url.host(),
        port: url.port(),
        proxy: None,
    };
    let (_, handshake) = climb(walk, place, &terms, Some(&settings.anchors)).await?;
    let (path, limit) = (format!("{}/", url.path()), walk.limit);
    let answer = walk
        .rung(HTTP, async |findings| {
            let question = http::Question {
                method: "GET",
                host: &url.host_header(),
                path: &path,
                content_type: None,
            };
            let answer = http::ask(handshake, &terms, question, limit).await?;
            answer.note(&path, findings);
            front_door(&answer, findings)?;
            Ok(answer)
        })
        .await?;
    walk.rung(CLOCK, async |findings| clock::compare(&answer, findings))
        .await?;
    let Some(authentication) = settings.authentication(&answer.challenges()) else {
        return walk
            .rung(LOGIN, async |findings| {
                findings.skip("--user and --password-file log in, and what follows is looked at");
                Ok(())
            })
            .await;
    };
    pages(walk, settings, authentication).await
}

/// What the server says to somebody who has not logged in.
fn front_door(answer: &Answer, findings: &mut Findings) -> Result<(), Failure> {
    let offered = answer.challenges();
    for challenge in &offered {
        findings.note(format!("offers {challenge}"));
    }
    findings.fact("offered", offered.clone());
    let status = answer.status;
    let refused =
        |known_cause: KnownCause, cause: String| Err(known_cause.failure(cause).refused_by(Side::Peer));
    match status.as_u16() {
        401 if offered.is_empty() => refused(
            KnownCause::LoginNotOffered,
            "The server answers 401 and offers no way to log in.".to_owned(),
        ),
        404 => refused(
            KnownCause::PageNotFound,
            "There is no web enrolment under this path: 404.".to_owned(),
        ),
        500.. => refused(KnownCause::ServerFailed, format!("The server answers {status}.")),
        200..=399 => {
            findings.note("no login is asked for");
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn pages(
    walk: &mut Walk,
    settings: &Settings,
    authentication: CertsrvAuthentication,
) -> Result<(), Stopped> {
    let (client, mut session) = walk
        .rung(LOGIN, async |findings| {
            let (account, scheme) = (authentication.account_name(), authentication.scheme());
            findings.note(format!("{account} by {scheme}"));
            findings.fact("account", account);
            findings.fact("scheme", scheme);
            let client = settings.client(authentication)?;
            let mut session = client.session().await.map_err(explained)?;
            session.log_in().await.map_err(explained)?;
            Ok((client, session))
        })
        .await?;
    walk.rung(TEMPLATES, async |findings| {
        templates(&client, &mut session, settings, findings).await
    })
    .await?;
    walk.rung(RENEWALS, async |findings| renewals(&mut session, findings).await)
        .await?;
    walk.rung(CHAIN, async |findings| chain(&mut session, findings).await)
        .await?;
    walk.rung(ENROLMENT, async |findings| {
        let Some(csr) = &settings.submit else {
            findings.skip("--template NAME --submit CSR submits a request, which the CA then keeps");
            return Ok(());
        };
        enrol(&mut session, csr, findings).await
    })
    .await?;
    session.finish().await;
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the signature map_err wants")]
fn explained(error: CertsrvError) -> Failure {
    error.diagnose()
}

async fn templates(
    client: &CertsrvClient,
    session: &mut Session,
    settings: &Settings,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let offered = session.templates().await.map_err(explained)?;
    for template in &offered {
        let subject = match template.subject {
            TemplateSubject::Request => "subject from the request",
            TemplateSubject::ActiveDirectory => "subject from Active Directory",
            _ => "subject unknown",
        };
        findings.note(format!(
            "{} ({:?}), {subject}",
            template.name, template.display_name
        ));
    }
    let names: Vec<&str> = offered.iter().map(|template| template.name.as_str()).collect();
    findings.fact("templates", names);
    match &settings.template {
        Some(_) => client.require_template(&offered).map_err(explained),
        None => {
            findings.note("--template NAME says whether a certain one is among them");
            Ok(())
        }
    }
}

async fn renewals(session: &mut Session, findings: &mut Findings) -> Result<(), Failure> {
    let newest = session.renewals().await.map_err(explained)?;
    findings.fact("renewals", newest);
    if newest == 0 {
        findings.note("the CA was never renewed");
    } else {
        findings.note(format!("the CA was renewed {newest} times"));
        findings.warn(KnownCause::OldChain.failure(format!(
            "The CA was renewed {newest} times: a registration authority with a fixed Renewal=0, as the vendor's has it, \
             hands out the first chain, which certificates of today do not lead to."
        )));
    }
    Ok(())
}

async fn chain(session: &mut Session, findings: &mut Findings) -> Result<(), Failure> {
    let chain = session.chain().await.map_err(explained)?;
    findings.note(format!("renewal {}", chain.renewal));
    note_authority(&chain.certificates, findings);
    if chain.certificates.is_empty() {
        return Err(KnownCause::AnswerNotUnderstood.failure("The chain of the CA is empty."));
    }
    Ok(())
}

async fn enrol(session: &mut Session, csr: &[u8], findings: &mut Findings) -> Result<(), Failure> {
    match session.submit(csr).await.map_err(explained)? {
        Verdict::Issued { request } => {
            findings.note(format!("request {request} was issued"));
            let retrieved = session.certificate(request).await.map_err(explained)?;
            if let Retrieved::Certificates(certificates) = retrieved
                && let Some(certificate) = certificates.first()
            {
                findings.note(certificate.subject());
                if let Some(now) = SystemClock.current_time() {
                    note_validity(certificate, now, findings);
                }
                return Ok(());
            }
            let cause = format!("Request {request} was issued, but its certificate is not handed out.");
            Err(KnownCause::AnswerNotUnderstood.failure(cause))
        }
        Verdict::Pending { request } => {
            let cause = format!("Request {request} waits for an administrator of the CA.");
            findings.warn(KnownCause::RequestPending.failure(cause));
            Ok(())
        }
        Verdict::Denied { message, .. } => Err(KnownCause::RequestDenied
            .failure(format!("The CA has denied the request: {message}."))
            .refused_by(Side::Peer)),
        Verdict::Failed { message, .. } => {
            Err(KnownCause::ServerFailed.failure(format!("The CA could not work on the request: {message}.")))
        }
        Verdict::Unclear { request, message } => Err(Failure::new(
            Rung::Body,
            format!("What became of request {request} is not clear: {message}."),
            "Look the request up on the CA.",
        )),
        _ => Err(KnownCause::AnswerNotUnderstood.failure("The page says nothing that is known.")),
    }
}
