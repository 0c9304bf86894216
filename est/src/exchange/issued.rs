//! The certificate of an answer: found by its key, verified against the anchors, compared with what was asked for.

use core::time::Duration;

use const_oid::ObjectIdentifier;
use pki_common::Certificate;
use pki_common::signature::SignaturePolicy;
use pki_common::trust_store::{TrustError, TrustStore, Usage};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::difference::{Difference, DifferenceKind};
use super::error::ClientError;
use crate::error::CsrError;
use crate::operation::certificate_names::same_subject;
use crate::request::issued::{elements, extensions};
use crate::request::template::{SUBJECT_ALTERNATIVE_NAME, names_of};
use crate::request::{KeyAndRequest, Subject};
use crate::wire::csr::{RequestedExtension, VerifiedCsr, name_with_oid};

const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

/// What may be otherwise than it was asked for, and how long the certificate must last.
///
/// # Defaults
/// Every difference is an error, but for a certificate that outlives its issuer: that is not this client's to mend,
/// and is reported with the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedChecks {
    /// The differences that are reported and not refused.
    pub accept: Vec<DifferenceKind>,
    /// How long the certificate must be valid from now on, if that matters.
    pub validity: Option<Duration>,
}

impl Default for IssuedChecks {
    fn default() -> Self {
        Self {
            accept: vec![DifferenceKind::OutlivesIssuer],
            validity: None,
        }
    }
}

/// What the issued certificate is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The SubjectPublicKeyInfo in DER.
    pub spki_der: Vec<u8>,
    /// The subject, `None` when the authority is to choose it.
    pub subject: Option<Subject>,
    /// The extensions asked for.
    pub extensions: Vec<RequestedExtension>,
}

impl Expectation {
    /// What this request asks for.
    #[must_use]
    pub fn of_request(request: &KeyAndRequest) -> Self {
        Self::new(
            request.spki_der(),
            request.subject().clone(),
            &request.template().extensions,
        )
    }

    /// What a request of somebody else asks for.
    ///
    /// # Errors
    /// [`CsrError`] when the subject cannot be read.
    pub fn of_csr(csr: &VerifiedCsr) -> Result<Self, CsrError> {
        let subject =
            Subject::from_der(csr.subject_der()).map_err(|error| CsrError::BadKey(error.to_string()))?;
        Ok(Self::new(
            csr.public_key().spki_der(),
            subject,
            csr.requested_extensions(),
        ))
    }

    fn new(spki_der: &[u8], subject: Subject, extensions: &[RequestedExtension]) -> Self {
        let empty = subject.as_rdn_sequence().0.is_empty();
        Self {
            spki_der: spki_der.to_vec(),
            subject: (!empty).then_some(subject),
            extensions: extensions.to_vec(),
        }
    }
}

/// A certificate that was issued for a request and found to be what was asked for.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// Certificates between it and the anchors, and whatever else the server sent.
    pub others: Vec<Certificate>,
    /// Differences from what was asked for that the settings accept.
    pub accepted: Vec<Difference>,
    /// The length of the answer's body in bytes, which libest's clients log as the length of the PKCS #7; `None` when the
    /// certificate came as a part of something else.
    pub answer_length: Option<usize>,
}

impl Issued {
    /// The certificate and those above it, each certified by the next (RFC 5246, section 7.4.2, and RFC 8446, section
    /// 4.4.2), whatever order the server sent them in. A root is known to the peer or of no use to it, and neither is
    /// a certificate that does not belong to the chain.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        chain(&self.certificate, &self.others)
    }
}

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
pub(super) fn certified(certificate: &Certificate, issuer: &Certificate) -> bool {
    certificate.issuer_der() == issuer.subject_der()
        && certificate
            .verify_signed_by(issuer.spki_der(), SignaturePolicy::strict())
            .is_ok()
}

/// The certificate for the key, and the rest. Position means nothing: DER sorts the set, and servers do not.
///
/// # Errors
/// [`ClientError::NoCertificateForKey`].
pub fn find_by_key(
    mut certificates: Vec<Certificate>,
    spki_der: &[u8],
) -> Result<(Certificate, Vec<Certificate>), ClientError> {
    let found = certificates.len();
    // A renewal with the same key may come with the old certificate: the newest is the answer.
    let index = certificates
        .iter()
        .enumerate()
        .filter(|(_, certificate)| certificate.spki_der() == spki_der)
        .max_by_key(|(_, certificate)| {
            (
                certificate.not_before().as_secs(),
                certificate.not_after().as_secs(),
            )
        })
        .map(|(index, _)| index);
    let index = index.ok_or(ClientError::NoCertificateForKey { found })?;
    let certificate = certificates.swap_remove(index);
    Ok((certificate, certificates))
}

/// Whether the certificate leads to an anchor. What it may be used for is the authority's choice; a client or a
/// server certificate will do.
///
/// # Errors
/// The [`TrustError`] that says what is wrong with the path.
pub fn validate(
    anchors: &TrustStore,
    certificate: &Certificate,
    others: &[Certificate],
    now: UnixTime,
) -> Result<(), TrustError> {
    let others: Vec<CertificateDer<'_>> = others.iter().map(|other| other.der().clone()).collect();
    anchors
        .validate(certificate, &others, Usage::Client, now)
        .or_else(|error| {
            anchors
                .validate(certificate, &others, Usage::Server, now)
                .map_err(|_| error)
        })
}

/// Compares the certificate with what was asked for; `above` are the certificates one of which issued it.
///
/// # Errors
/// [`ClientError::Differs`] with every difference that is not accepted. Those that are come back.
pub fn compare(
    certificate: &Certificate,
    expected: &Expectation,
    above: &[&Certificate],
    checks: &IssuedChecks,
    now: UnixTime,
) -> Result<Vec<Difference>, ClientError> {
    let mut found = Vec::new();
    if let Some(subject) = &expected.subject
        && !is_subject(certificate, subject)
    {
        found.push(Difference::Subject {
            asked: subject.to_string(),
            issued: certificate.subject().to_owned(),
        });
    }
    let issued = extensions(certificate).map_err(ClientError::Body)?;
    found.extend(alternative_names(expected, &issued));
    for asked in &expected.extensions {
        found.extend(extension(asked, &issued));
    }
    if let Some(asked) = checks.validity {
        let left = certificate.not_after().as_secs().saturating_sub(now.as_secs());
        let left = Duration::from_secs(left);
        if left < asked {
            found.push(Difference::Validity { asked, left });
        }
    }
    let issuer = above.iter().find(|issuer| certified(certificate, issuer));
    if let Some(issuer) = issuer
        && certificate.not_after().as_secs() > issuer.not_after().as_secs()
    {
        found.push(Difference::OutlivesIssuer {
            issuer: issuer.subject().to_owned(),
        });
    }
    let (accepted, refused): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|difference| checks.accept.contains(&difference.kind()));
    for difference in &accepted {
        tracing::warn!(%difference, "the issued certificate differs from what was asked for");
    }
    if refused.is_empty() {
        Ok(accepted)
    } else {
        Err(ClientError::Differs(refused))
    }
}

/// Letter for letter the same, but an authority may write the letters in another string type (RFC 5280, section 7.1).
fn is_subject(certificate: &Certificate, asked: &Subject) -> bool {
    let issued = certificate.subject_der();
    let same_letters = || {
        let issued = Subject::from_der(issued);
        issued.is_ok_and(|issued| issued.to_string() == asked.to_string())
    };
    let der = asked.to_der();
    issued == der || (same_subject(issued, &der) && same_letters())
}

fn value(extensions: &[RequestedExtension], oid: ObjectIdentifier) -> Option<&RequestedExtension> {
    extensions.iter().find(|extension| extension.oid == oid)
}

/// In any order, but neither fewer nor more: also names that nobody asked for are a difference.
fn alternative_names(expected: &Expectation, issued: &[RequestedExtension]) -> Option<Difference> {
    let asked = value(&expected.extensions, SUBJECT_ALTERNATIVE_NAME);
    let issued = value(issued, SUBJECT_ALTERNATIVE_NAME);
    let asked = asked.map(|extension| extension.value.as_slice());
    let issued = issued.map(|extension| extension.value.as_slice());
    let show = |names: Vec<Vec<u8>>| names.iter().map(|name| names_of(name)).collect();
    let (missing, added) = set_difference(asked, issued)?;
    Some(Difference::AlternativeNames {
        missing: show(missing),
        added: show(added),
    })
}

/// Elements of a SEQUENCE OF, each in DER.
type Elements = Vec<Vec<u8>>;

/// The elements that only one of two SEQUENCE OF has; `None` when they have the same.
fn set_difference(asked: Option<&[u8]>, issued: Option<&[u8]>) -> Option<(Elements, Elements)> {
    if asked == issued {
        return None;
    }
    let parts = |value: Option<&[u8]>| match value {
        None => Vec::new(),
        Some(value) => elements(value).map_or_else(
            || vec![value.to_vec()],
            |parts| parts.into_iter().map(<[u8]>::to_vec).collect(),
        ),
    };
    let (asked, issued) = (parts(asked), parts(issued));
    let only = |these: &[Vec<u8>], those: &[Vec<u8>]| {
        these
            .iter()
            .filter(|part| !those.contains(part))
            .cloned()
            .collect::<Vec<_>>()
    };
    let (missing, added) = (only(&asked, &issued), only(&issued, &asked));
    (!missing.is_empty() || !added.is_empty()).then_some((missing, added))
}

fn extension(asked: &RequestedExtension, issued: &[RequestedExtension]) -> Option<Difference> {
    if asked.oid == SUBJECT_ALTERNATIVE_NAME {
        return None;
    }
    let found = value(issued, asked.oid);
    if asked.oid == EXTENDED_KEY_USAGE
        && let Some(found) = found
    {
        let (missing, added) = set_difference(Some(&asked.value), Some(&found.value))?;
        let show = |purposes: Vec<Vec<u8>>| purposes.iter().map(|purpose| purpose_name(purpose)).collect();
        return Some(Difference::ExtendedKeyUsage {
            missing: show(missing),
            added: show(added),
        });
    }
    let same = found.is_some_and(|found| found.value == asked.value);
    (!same).then(|| Difference::Extension {
        name: asked.display_name(),
        present: found.is_some(),
    })
}

/// The name of an extended key usage: an OBJECT IDENTIFIER of at most 127 bytes.
fn purpose_name(der: &[u8]) -> String {
    let oid = der
        .get(2..)
        .and_then(|content| ObjectIdentifier::from_bytes(content).ok());
    oid.map_or_else(|| "an unreadable purpose".to_owned(), |oid| name_with_oid(&oid))
}
