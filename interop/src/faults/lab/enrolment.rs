//! What an honest EST client does: a new connection, a request, and a look at what comes back.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use est::request::{RequestKey, RequestTemplate};
use est::wire::certs_only::{self, CertsOnlyLimits};
use pki_common::identity::NewKey;
use pki_common::{Certificate, Failure};

use super::doors::HONEST;
use super::est_server::USER_AND_PASSWORD;
use super::http::{Answer, Reply, exchange};
use super::{Door, Doors};
use crate::faults::trouble;

/// Enrols under one key, for one subject after the other.
#[derive(Debug)]
pub(in crate::faults) struct Enrolment {
    key: RequestKey,
    number: AtomicU64,
    /// The value of the `Authorization` header.
    authorization: String,
}

impl Enrolment {
    pub(super) fn new() -> Result<Self, Failure> {
        let (user, password) = USER_AND_PASSWORD;
        Ok(Self {
            key: RequestKey::generate(NewKey::EcP256).map_err(trouble)?,
            number: AtomicU64::new(0),
            authorization: format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))),
        })
    }

    /// The head of an enrolment with a body of this length, but for its last, empty line.
    pub(in crate::faults) fn head(&self, length: &str) -> String {
        format!(
            "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\
             Content-Type: application/pkcs10\r\nConnection: close\r\n{length}\r\n",
            self.authorization
        )
    }

    /// The body of a request for a subject that nobody has asked for, with its common name.
    fn body(&self) -> Result<(String, String), Failure> {
        let name = format!("device {}", self.number.fetch_add(1, Ordering::Relaxed));
        let subject = format!("CN={name}").parse().map_err(trouble)?;
        let template = RequestTemplate::new(subject, &[]).map_err(trouble)?;
        let csr = template.sign(&self.key, None).map_err(trouble)?;
        Ok((STANDARD.encode(csr), name))
    }

    /// Asks for a certificate; it in DER.
    pub(in crate::faults) async fn enroll(&self, doors: &Doors) -> Reply<Vec<u8>> {
        let (body, name) = match self.body() {
            Ok(made) => made,
            Err(failure) => return Reply::Wrong(failure.to_string()),
        };
        let stream = match doors.dial(Door::EstTls, HONEST).await {
            Ok(stream) => stream,
            Err(error) => return Reply::None(format!("no connection: {error}")),
        };
        let head = self.head(&format!("Content-Length: {}\r\n", body.len()));
        match exchange(stream, format!("{head}{body}").as_bytes()).await {
            Reply::Whole(Answer { status: 200, body }) => self.check(&body, &name),
            Reply::Whole(Answer { status, .. }) | Reply::Refused(status) => Reply::Refused(status),
            Reply::CutOff(why) => Reply::CutOff(why),
            Reply::Wrong(why) => Reply::Wrong(why),
            Reply::None(why) => Reply::None(why),
        }
    }

    /// The one certificate of an answer, if it has our key and the name that was asked for.
    fn check(&self, body: &[u8], name: &str) -> Reply<Vec<u8>> {
        let read = || {
            let message = est::wire::base64::decode(body, body.len()).map_err(|error| error.to_string())?;
            let decoded = certs_only::decode(&message, &CertsOnlyLimits::default());
            let certificates = decoded.map_err(|error| error.to_string())?;
            let [certificate] = certificates.as_slice() else {
                return Err(format!("{} certificates in an answer", certificates.len()));
            };
            let certificate = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
            if certificate.spki_der() != self.key.spki_der() || certificate.subject() != format!("/CN={name}")
            {
                return Err(format!(
                    "a certificate for {} and not {name}",
                    certificate.subject()
                ));
            }
            Ok(certificate.der().to_vec())
        };
        read().map_or_else(Reply::Wrong, Reply::Whole)
    }
}
