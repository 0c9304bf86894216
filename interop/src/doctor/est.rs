//! An EST server (RFC 7030): what it answers to each operation that changes nothing.

use core::time::Duration;
use std::sync::Arc;

use est::auth::BasicCredentials;
use est::client::{
    Client, ClientConfig, ClientError, ClientTimeouts, EnrollOptions, EnrollOutcome, Proxy, ServerUrl,
};
use est::operation::WELL_KNOWN_EST;
use est::request::Subject;
use est::wire::label::PathLabel;
use http::StatusCode;
use pki_common::clock::SystemClock;
use pki_common::identity::Identity;
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, Diagnose as _, Failure, KnownCause};
use rustls::time_provider::TimeProvider as _;
use rustls_pki_types::UnixTime;

use super::ground::{Place, climb, plan};
use super::road::Road;
use super::tls::{Terms, note_validity, shake};
use super::walk::{Findings, Stopped, Walk};
use super::{Report, clock, http as page};

const HTTP: &str = "HTTP";
const CLOCK: &str = "clock";
const CACERTS: &str = "cacerts";
const CSRATTRS: &str = "csrattrs";
const AUTHENTICATION: &str = "authentication";
const SIMPLEENROLL: &str = "simpleenroll";

/// What is to be looked at, and what we bring along.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where the server is.
    pub url: ServerUrl,
    /// One of several authorities of the server.
    pub label: Option<PathLabel>,
    /// What the server's certificate must lead to.
    pub anchors: Arc<TrustStore>,
    /// A certificate to authenticate by.
    pub identity: Option<Arc<Identity>>,
    /// Name and password to authenticate by. They are sent within TLS, to a server whose certificate was verified.
    pub credentials: Option<BasicCredentials>,
    /// A proxy in between.
    pub proxy: Option<Proxy>,
    /// How long one step may take.
    pub timeout: Duration,
    /// Asks for a certificate with this subject. Without it, nothing is asked that the server keeps.
    pub enroll: Option<Subject>,
}

impl Settings {
    /// Looks at this server, trusts these anchors, and brings nothing along.
    #[must_use]
    pub const fn new(url: ServerUrl, anchors: Arc<TrustStore>) -> Self {
        Self {
            url,
            label: None,
            anchors,
            identity: None,
            credentials: None,
            proxy: None,
            timeout: super::DEFAULT_TIMEOUT,
            enroll: None,
        }
    }

    fn path(&self, operation: &str) -> String {
        match &self.label {
            Some(label) => format!("{WELL_KNOWN_EST}/{label}/{operation}"),
            None => format!("{WELL_KNOWN_EST}/{operation}"),
        }
    }

    fn client(&self, with_credentials: bool) -> Result<Client, Failure> {
        let mut config = ClientConfig::new(self.url.clone(), Arc::clone(&self.anchors));
        config.label.clone_from(&self.label);
        config.identity.clone_from(&self.identity);
        config.proxy.clone_from(&self.proxy);
        config.timeouts = ClientTimeouts::per_step(self.timeout);
        if with_credentials {
            config.basic.clone_from(&self.credentials);
        }
        Client::new(config).map_err(|error| error.diagnose())
    }
}

/// Climbs from the name of the server to its operations.
pub async fn diagnose(settings: &Settings) -> Report {
    let mut walk = Walk::new("est", settings.url.to_string(), settings.timeout);
    // Where it stopped is in the report.
    let _: Result<(), Stopped> = climb_to_operations(&mut walk, settings).await;
    let top = [HTTP, CLOCK, CACERTS, CSRATTRS, AUTHENTICATION, SIMPLEENROLL];
    walk.end(&plan(settings.proxy.is_some(), &top))
}

async fn climb_to_operations(walk: &mut Walk, settings: &Settings) -> Result<(), Stopped> {
    let url = &settings.url;
    let identity = settings.identity.as_ref();
    let terms = Terms::http(url.server_name(), &settings.anchors, identity, "the EST server");
    let place = Place {
        host: url.host(),
        port: url.port(),
        proxy: settings.proxy.as_ref(),
    };
    let (road, handshake) = climb(walk, place, &terms, Some(&settings.anchors)).await?;
    let (path, limit) = (settings.path(CACERTS), walk.limit);
    let answer = walk
        .rung(HTTP, async |findings| {
            let question = page::Question {
                method: "GET",
                host: &url.authority(),
                path: &path,
                content_type: None,
            };
            let answer = page::ask(handshake, &terms, question, limit).await?;
            answer.note(&path, findings);
            Ok(answer)
        })
        .await?;
    walk.rung(CLOCK, async |findings| clock::compare(&answer, findings))
        .await?;
    operations(walk, settings, &road, &terms).await
}

async fn operations(walk: &mut Walk, settings: &Settings, road: &Road, terms: &Terms) -> Result<(), Stopped> {
    walk.rung(CACERTS, async |findings| {
        cacerts(&settings.client(false)?, findings).await
    })
    .await?;
    walk.rung(CSRATTRS, async |findings| {
        csrattrs(&settings.client(true)?, findings).await
    })
    .await?;
    walk.rung(AUTHENTICATION, async |findings| {
        authentication(settings, road, terms, findings).await
    })
    .await?;
    walk.rung(SIMPLEENROLL, async |findings| {
        let Some(subject) = &settings.enroll else {
            findings.skip(
                "--enroll SUBJECT asks for a certificate, which the server then issues or keeps waiting",
            );
            return Ok(());
        };
        enroll(&settings.client(true)?, subject, findings).await
    })
    .await
}

async fn cacerts(client: &Client, findings: &mut Findings) -> Result<(), Failure> {
    let certificates = client.cacerts().await.map_err(|error| error.diagnose())?;
    note_authority(&certificates, findings);
    Ok(())
}

/// The certificates of the authority, and which of them are not valid now.
pub(super) fn note_authority(certificates: &[Certificate], findings: &mut Findings) {
    let now = SystemClock.current_time();
    let subjects: Vec<&str> = certificates.iter().map(Certificate::subject).collect();
    findings.fact("subjects", subjects);
    for certificate in certificates {
        findings.note(certificate.subject());
        if let Some(now) = now {
            note_validity(certificate, now, findings);
            warn_of_time("The certificate of the authority", certificate, now, findings);
        }
    }
}

/// A certificate that is not valid now, whatever else is right.
pub(super) fn warn_of_time(whose: &str, certificate: &Certificate, now: UnixTime, findings: &mut Findings) {
    let subject = certificate.subject();
    if now > certificate.not_after() {
        findings.warn(KnownCause::Expired.failure(format!("{whose} {subject} is expired.")));
    } else if now < certificate.not_before() {
        let cause = format!("{whose} {subject} is not yet valid.");
        findings.warn(KnownCause::NotYetValid.failure(cause));
    }
}

async fn csrattrs(client: &Client, findings: &mut Findings) -> Result<(), Failure> {
    match client.csrattrs().await {
        Ok(None) => findings.note("the server asks for nothing in particular"),
        Ok(Some(attributes)) => {
            for line in attributes.describe() {
                findings.note(&line);
            }
            findings.fact("attributes", attributes.describe());
        }
        // Servers may ask for a login here (RFC 7030, section 4.5.1); whether ours is good comes next.
        Err(error @ (ClientError::Challenge { .. } | ClientError::Status { .. })) => {
            findings.note(format!("{error}"));
            let mut warning = error.diagnose();
            warning.remedy =
                "Give --user and --password-file, or a certificate, if it wants a login for this.".to_owned();
            findings.warn(warning);
        }
        Err(error) => return Err(error.diagnose()),
    }
    Ok(())
}

/// Sends an empty request, once as nobody and once as we are: whoever is not let in hears so before anybody looks at the
/// body, and out of an empty body no certificate can be made.
async fn authentication(
    settings: &Settings,
    road: &Road,
    terms: &Terms,
    findings: &mut Findings,
) -> Result<(), Failure> {
    // What the handshake shows stands in the report already.
    let handshake = shake(road, terms, &mut Findings::default()).await?;
    let question = page::Question {
        method: "POST",
        host: &settings.url.authority(),
        path: &settings.path(SIMPLEENROLL),
        content_type: Some("application/pkcs10"),
    };
    let answer = page::ask(handshake, terms, question, road.limit).await?;
    let offered = answer.challenges();
    findings.fact("offered", offered.clone());
    if answer.status != StatusCode::UNAUTHORIZED {
        return let_in(answer.status, settings, "without a password", findings);
    }
    if offered.is_empty() {
        findings.note("401, and no way to log in is offered");
    }
    for challenge in offered {
        findings.note(format!("401: offers {challenge}"));
    }
    let Some(credentials) = &settings.credentials else {
        findings.note("not tried: give --user and --password-file");
        return Ok(());
    };
    findings.fact("user", credentials.user());
    match settings.client(true)?.simpleenroll(&[]).await {
        Err(ClientError::Status { status, .. }) => {
            let_in(status, settings, &format!("as {}", credentials.user()), findings)
        }
        Err(error) => Err(error.diagnose()),
        Ok(_) => {
            Err(KnownCause::AnswerNotUnderstood
                .failure("The server answers an empty request as if it were one."))
        }
    }
}

/// Whether the answer to an empty request shows that we were let in.
fn let_in(
    status: StatusCode,
    settings: &Settings,
    how: &str,
    findings: &mut Findings,
) -> Result<(), Failure> {
    // It was the request that was refused, and not who sent it.
    let is_about_the_request = matches!(status.as_u16(), 400 | 411 | 413 | 415 | 422 | 500);
    findings.fact("let-in", is_about_the_request);
    if is_about_the_request {
        findings.note(format!(
            "let in {how}: the empty request was answered with {status}"
        ));
        return Ok(());
    }
    if status == StatusCode::FORBIDDEN && settings.identity.is_none() {
        findings.note("403: the server wants a client certificate for this; give --certificate and --key");
        return Ok(());
    }
    let error = ClientError::Status {
        status,
        text: "in answer to an empty request".to_owned(),
        retry_after: None,
    };
    Err(error.diagnose())
}

async fn enroll(client: &Client, subject: &Subject, findings: &mut Findings) -> Result<(), Failure> {
    let options = EnrollOptions::new(subject.clone());
    match client.enroll(options).await.map_err(|error| error.diagnose())? {
        EnrollOutcome::Enrolled(enrolled) => {
            let certificate = &enrolled.certificate;
            findings.note(format!(
                "issued {} by {}",
                certificate.subject(),
                certificate.issuer()
            ));
            if let Some(now) = SystemClock.current_time() {
                note_validity(certificate, now, findings);
            }
            findings.note("its key was made for this look only, and is gone");
            findings.fact("issued", certificate.subject());
        }
        EnrollOutcome::Pending { retry_after, .. } => {
            findings.fact("pending", true);
            let cause = format!(
                "The request waits for an approval; the server asks to come back in {} s.",
                retry_after.as_secs()
            );
            findings.warn(KnownCause::RequestPending.failure(cause));
        }
    }
    Ok(())
}
