//! An enrolment in one call: key, request, exchange, and the checks on what comes back.

use std::time::Duration;

use pki_common::Certificate;
use pki_common::certificate::SubjectAlternativeName;
use pki_common::identity::{Identity, NewKey};
use pki_common::signature::SignaturePolicy;
use pki_common::trust_store::{TrustError, TrustStore, Usage};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use super::error::ClientError;
use super::{Client, SimpleEnrollResponse};
use crate::request::{KeyAndRequest, RequestError, RequestedName, Subject};

/// What to ask for.
#[derive(Debug, Clone)]
pub struct EnrollOptions {
    /// The subject of the certificate.
    pub subject: Subject,
    /// Its subject alternative names.
    pub names: Vec<RequestedName>,
    /// The kind of the new key.
    pub key: NewKey,
}

impl EnrollOptions {
    /// Asks for this subject with a new EC P-256 key and no alternative names.
    #[must_use]
    pub const fn new(subject: Subject) -> Self {
        Self {
            subject,
            names: Vec::new(),
            key: NewKey::EcP256,
        }
    }
}

/// The outcome of an enrolment.
#[derive(Debug)]
pub enum EnrollOutcome {
    /// The certificate is there, verified against anchors, key and request.
    Enrolled(Box<Enrolled>),
    /// The request waits for approval. Hand `request` to [`Client::enroll_with`] again after `retry_after`.
    Pending {
        /// The key and the request, to be sent again unchanged.
        request: Box<KeyAndRequest>,
        /// The time to wait.
        retry_after: Duration,
    },
}

/// A certificate that was issued for our request and found to be what was asked for.
#[derive(Debug)]
pub struct Enrolled {
    /// The certificate.
    pub certificate: Certificate,
    /// Certificates between it and the anchors, and whatever else the server sent.
    pub others: Vec<Certificate>,
    /// The key and the request.
    pub request: KeyAndRequest,
}

impl Enrolled {
    /// Certificate, chain and key as an identity for TLS.
    ///
    /// # Errors
    /// [`RequestError::Key`] when certificate and key do not make an identity.
    pub fn identity(&self) -> Result<Identity, RequestError> {
        let chain = chain(&self.certificate, &self.others);
        let key = PrivateKeyDer::Pkcs8(self.request.private_key().clone_key());
        Identity::from_parts(chain, key).map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })
    }
}

/// The certificate and those above it, each certified by the next (RFC 5246, section 7.4.2, and RFC 8446, section
/// 4.4.2), whatever order the server sent them in. A root is known to the peer or of no use to it, and neither is a
/// certificate that does not belong to the chain.
fn chain(certificate: &Certificate, others: &[Certificate]) -> Vec<CertificateDer<'static>> {
    let mut chain = vec![certificate.der().clone()];
    let mut top = certificate;
    let mut rest: Vec<&Certificate> = others.iter().filter(|other| !other.is_self_issued()).collect();
    // Each step takes one away, so a loop of names ends.
    while let Some(position) = rest.iter().position(|other| certified(top, other)) {
        top = rest.swap_remove(position);
        chain.push(top.der().clone());
    }
    chain
}

/// Names alone do not decide: an authority may have several keys under one name.
fn certified(certificate: &Certificate, issuer: &Certificate) -> bool {
    certificate.issuer_der() == issuer.subject_der()
        && certificate
            .verify_signed_by(issuer.spki_der(), SignaturePolicy::strict())
            .is_ok()
}

impl Client {
    /// Makes a key, asks for a certificate for it, and checks what comes back: it must be for the key, lead to the
    /// anchors, and have the subject and the names that were asked for.
    ///
    /// # Errors
    /// [`ClientError`]; any difference from what was asked for is one.
    pub async fn enroll(&self, options: EnrollOptions) -> Result<EnrollOutcome, ClientError> {
        let EnrollOptions { subject, names, key } = options;
        // An RSA key takes seconds to find; the runtime has other things to do meanwhile.
        let made = tokio::task::spawn_blocking(move || KeyAndRequest::generate(subject, names, key)).await;
        let request = made.map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })??;
        self.enroll_with(request).await
    }

    /// Like [`Client::enroll`], with a key and a request made before.
    ///
    /// # Errors
    /// [`ClientError`]; any difference from what was asked for is one.
    pub async fn enroll_with(&self, request: KeyAndRequest) -> Result<EnrollOutcome, ClientError> {
        let certificates = match self.simpleenroll(request.csr_der()).await? {
            SimpleEnrollResponse::Certificates(certificates) => certificates,
            SimpleEnrollResponse::Pending { retry_after } => {
                return Ok(EnrollOutcome::Pending {
                    request: Box::new(request),
                    retry_after,
                });
            }
        };
        let (certificate, others) = find_by_key(certificates, request.spki_der())?;
        let others = self.complete(&certificate, others).await?;
        check_contents(&certificate, &request)?;
        Ok(EnrollOutcome::Enrolled(Box::new(Enrolled {
            certificate,
            others,
            request,
        })))
    }

    /// Checks that the certificate leads to an anchor, if need be with the help of what `cacerts` has.
    async fn complete(
        &self,
        certificate: &Certificate,
        mut others: Vec<Certificate>,
    ) -> Result<Vec<Certificate>, ClientError> {
        let anchors = &self.config().anchors;
        let untrusted = |error| ClientError::Untrusted(Box::new(error));
        let Err(error) = validate(anchors, certificate, &others) else {
            return Ok(others);
        };
        if !matches!(error, TrustError::UnknownIssuer { .. }) {
            return Err(untrusted(error));
        }
        others.extend(self.cacerts().await?);
        validate(anchors, certificate, &others).map_err(untrusted)?;
        Ok(others)
    }
}

/// The certificate for the key, and the rest. Position means nothing: DER sorts the set.
fn find_by_key(
    mut certificates: Vec<Certificate>,
    spki_der: &[u8],
) -> Result<(Certificate, Vec<Certificate>), ClientError> {
    let found = certificates.len();
    let index = certificates
        .iter()
        .position(|certificate| certificate.spki_der() == spki_der);
    let index = index.ok_or(ClientError::NoCertificateForKey { found })?;
    let certificate = certificates.swap_remove(index);
    Ok((certificate, certificates))
}

/// What a certificate may be used for is the authority's choice; a client or a server certificate will do.
fn validate(
    anchors: &TrustStore,
    certificate: &Certificate,
    others: &[Certificate],
) -> Result<(), TrustError> {
    let others: Vec<CertificateDer<'_>> = others.iter().map(|other| other.der().clone()).collect();
    let now = UnixTime::now();
    anchors
        .validate(certificate, &others, Usage::Client, now)
        .or_else(|error| {
            anchors
                .validate(certificate, &others, Usage::Server, now)
                .map_err(|_| error)
        })
}

fn check_contents(certificate: &Certificate, request: &KeyAndRequest) -> Result<(), ClientError> {
    if certificate.subject_der() != request.subject().to_der() {
        let issued = certificate.subject().to_owned();
        return Err(ClientError::SubjectDiffers {
            asked: request.subject().to_string(),
            issued,
        });
    }
    let (asked, issued) = (request.names(), certificate.subject_alternative_names());
    if !same_names(asked, issued) {
        return Err(ClientError::NamesDiffer {
            asked: asked.iter().map(ToString::to_string).collect(),
            issued: issued.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(())
}

/// In any order, but neither fewer nor more.
fn same_names(asked: &[RequestedName], issued: &[SubjectAlternativeName]) -> bool {
    asked.iter().all(|name| issued.iter().any(|other| name.is(other)))
        && issued.iter().all(|other| asked.iter().any(|name| name.is(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_regard_to_order() {
        let asked = [
            RequestedName::Dns("a".into()),
            RequestedName::Ip([10, 0, 0, 1].into()),
        ];
        let mut issued = vec![
            SubjectAlternativeName::Ip([10, 0, 0, 1].into()),
            SubjectAlternativeName::Dns("a".into()),
        ];
        assert!(same_names(&asked, &issued));
        assert!(!same_names(&asked[..1], &issued));
        issued.pop();
        assert!(!same_names(&asked, &issued));
        assert!(same_names(&[], &[]));
    }

    #[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
    #[test]
    fn the_chain_goes_upwards_whatever_the_order_of_the_answer() {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
        let parameters = |name: &str| {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters
        };
        let certificate = |made: rcgen::Certificate| Certificate::from_der(made.der()).unwrap();
        let authority = |name: &str, above: &Issuer<'static, KeyPair>| {
            let key = KeyPair::generate().unwrap();
            let made = parameters(name).signed_by(&key, above).unwrap();
            (certificate(made), Issuer::new(parameters(name), key))
        };
        let root_key = KeyPair::generate().unwrap();
        let root = certificate(parameters("root").self_signed(&root_key).unwrap());
        let root_issuer = Issuer::new(parameters("root"), root_key);
        let (upper, upper_issuer) = authority("upper", &root_issuer);
        let (lower, lower_issuer) = authority("lower", &upper_issuer);
        // The same name, another key: it did not issue the certificate.
        let (namesake, _) = authority("lower", &upper_issuer);
        let (unrelated, _) = authority("unrelated", &root_issuer);
        let (leaf, _) = authority("leaf", &lower_issuer);

        let others = [unrelated, root, upper.clone(), namesake, lower.clone()];
        let expected = [&leaf, &lower, &upper].map(|certificate| certificate.der().clone());
        assert_eq!(chain(&leaf, &others), expected);
    }
}
