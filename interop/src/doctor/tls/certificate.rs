//! The chain as a server presents it, looked at without being trusted.

use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use pki_common::certificate::SubjectAlternativeName;
use pki_common::clock::{SystemClock, distance, human_duration, rfc3339};
use pki_common::tls::{HandshakeContext, MAX_PRESENTED_CERTIFICATES, crypto_provider};
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, Diagnose as _, Failure, HashAlgorithm, KnownCause, Rung};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::time_provider::TimeProvider as _;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::client_certificate::Resolver;
use crate::doctor::road::Road;
use crate::doctor::walk::Findings;

/// A certificate that ends sooner is worth a warning: time to renew it.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// Takes any certificate and any signature: the connection that it is for ends as soon as the chain was seen, and nothing
/// is sent over it.
#[derive(Debug, Default)]
struct Onlooker {
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = core::iter::once(end_entity)
            .chain(intermediates)
            .take(MAX_PRESENTED_CERTIFICATES)
            .map(|der| der.clone().into_owned())
            .collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
        ]
    }
}

/// Fetches the chain.
///
/// # Errors
/// When the handshake fails before there is one. What happens afterwards is of no interest here.
pub(in crate::doctor) async fn look(
    road: &Road,
    name: &ServerName<'static>,
    alpn: &[Vec<u8>],
    context: &HandshakeContext,
) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let onlooker = Arc::new(Onlooker::default());
    let provider = crypto_provider().map_err(|error| error.diagnose())?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| context.diagnose_tls(&error, None))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Onlooker>::clone(&onlooker))
        .with_client_cert_resolver(Resolver::new(None));
    config.alpn_protocols = alpn.to_vec();
    let stream = road.open().await?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream);
    let outcome = timeout(road.limit, handshake).await;
    let chain = core::mem::take(&mut *onlooker.chain.lock().unwrap_or_else(PoisonError::into_inner));
    match outcome {
        _ if !chain.is_empty() => Ok(chain),
        Ok(Ok(_)) => Err(KnownCause::AnswerNotUnderstood.failure("The server presents no certificate.")),
        Ok(Err(error)) => Err(context.diagnose_io(&error, None)),
        Err(_) => {
            let cause = format!(
                "{} showed no certificate within {} s.",
                context.peer,
                road.limit.as_secs_f32()
            );
            let mut failure = KnownCause::AnswerTimedOut.failure(cause);
            failure.rung = KnownCause::NotTls.rung();
            Err(failure)
        }
    }
}

/// Tells what is in a chain, and what is missing. Nothing here is a verdict: the handshake gives that.
pub(in crate::doctor) fn describe(
    chain: &[CertificateDer<'_>],
    anchors: Option<&TrustStore>,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let now = SystemClock.current_time().ok_or_else(|| {
        Failure::new(
            Rung::Local,
            "The clock of this machine stands before 1970.",
            "Set the clock.",
        )
    })?;
    let mut certificates = Vec::new();
    let mut facts = Vec::new();
    for (place, der) in chain.iter().enumerate() {
        match Certificate::from_der(der) {
            Ok(certificate) => {
                note_certificate(place, &certificate, now, findings);
                facts.push(facts_of(&certificate));
                certificates.push(certificate);
            }
            Err(error) => findings.note(format!("{place}: cannot be read: {error}")),
        }
    }
    findings.fact("chain", facts);
    note_gaps(&certificates, anchors, findings);
    if let Some(own) = certificates.first() {
        warn_of_end(own, now, findings);
    }
    Ok(())
}

fn note_certificate(place: usize, certificate: &Certificate, now: UnixTime, findings: &mut Findings) {
    findings.note(format!("{place}: {}", certificate.subject()));
    if certificate.is_self_signed() {
        findings.note("   self-signed");
    } else {
        findings.note(format!("   issuer {}", certificate.issuer()));
    }
    note_validity(certificate, now, findings);
    if place > 0 {
        return;
    }
    let names = names(certificate);
    findings.note(format!(
        "   names {}",
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    ));
    findings.note(format!(
        "   key {}, signed with {}",
        certificate.key_type(),
        certificate.signature_algorithm()
    ));
    findings.note(format!(
        "   SHA-1 key hash   {}",
        certificate.key_hash(HashAlgorithm::Sha1)
    ));
    findings.note(format!(
        "   SHA-256 key hash {}",
        certificate.key_hash(HashAlgorithm::Sha256)
    ));
    findings.note(format!("   certificate type {}", certificate.certificate_type()));
}

/// When a certificate is valid, and how far that is from now.
pub(in crate::doctor) fn note_validity(certificate: &Certificate, now: UnixTime, findings: &mut Findings) {
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let remark = if now < from {
        format!(
            "not yet valid: it becomes valid in {}",
            human_duration(distance(now, from))
        )
    } else if now > until {
        format!("expired {} ago", human_duration(distance(until, now)))
    } else {
        format!("{} left", human_duration(distance(now, until)))
    };
    findings.note(format!(
        "   valid {} to {} ({remark})",
        rfc3339(from),
        rfc3339(until)
    ));
}

fn warn_of_end(certificate: &Certificate, now: UnixTime, findings: &mut Findings) {
    let until = certificate.not_after();
    let left = distance(now, until);
    if now <= until && left < RENEW_BEFORE && now >= certificate.not_before() {
        let cause = format!(
            "The certificate {} ends in {}.",
            certificate.subject(),
            human_duration(left)
        );
        findings.warn(Failure::new(
            KnownCause::Expired.rung(),
            cause,
            "Renew it, and look why that has not happened by itself.",
        ));
    }
}

fn names(certificate: &Certificate) -> Vec<String> {
    let names = certificate.subject_alternative_names();
    names.iter().map(SubjectAlternativeName::to_string).collect()
}

fn facts_of(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject(),
        "issuer": certificate.issuer(),
        "self-signed": certificate.is_self_signed(),
        "not-before": rfc3339(certificate.not_before()),
        "not-after": rfc3339(certificate.not_after()),
        "names": names(certificate),
        "key": certificate.key_type().to_string(),
        "signature": certificate.signature_algorithm().to_string(),
        "sha1-key-hash": certificate.key_hash(HashAlgorithm::Sha1).to_string(),
        "sha256-key-hash": certificate.key_hash(HashAlgorithm::Sha256).to_string(),
        "certificate-type": certificate.certificate_type().to_string(),
    })
}

/// Where the chain breaks off: the issuer of its last certificate should be known to whoever verifies it.
fn note_gaps(chain: &[Certificate], anchors: Option<&TrustStore>, findings: &mut Findings) {
    for (certificate, next) in chain.iter().zip(chain.iter().skip(1)) {
        if certificate.issuer_der() != next.subject_der() {
            findings.note(format!(
                "out of order: {} is not the issuer of {}",
                next.subject(),
                certificate.subject()
            ));
        }
    }
    let Some(last) = chain.last() else { return };
    if last.is_self_issued() {
        return;
    }
    let known = anchors.is_some_and(|anchors| {
        let mut anchors = anchors.anchors().iter();
        anchors.any(|anchor| anchor.subject_der() == last.issuer_der())
    });
    if !known {
        findings.note(format!("the certificate of {} is not sent", last.issuer()));
        findings.fact("missing-issuer", last.issuer());
    }
}
