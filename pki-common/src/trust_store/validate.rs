//! Path validation by rustls-webpki, and what its errors mean for a person.

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use super::legacy_path::LegacyPath;
use super::name::{ExpectedName, presented_names};
use super::purpose::{check_purpose, presented_purposes};
use super::{TrustError, TrustStore, Usage, check_extensions_known};
use crate::HashAlgorithm;
use crate::certificate::{Certificate, KeyType};
use crate::revocation::RevocationCheck;
use crate::signature::{MIN_RSA_BITS, SignaturePolicy};
use crate::tls::crypto_provider;

/// Smallest RSA key that is accepted even when old certificates are: such keys are in devices that
/// cannot be given another one. Below it a key can be broken on one machine.
pub(crate) const MIN_LEGACY_RSA_BITS: u32 = 1024;

/// Whether old certificates are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    /// X.509 v3, SHA-2, RSA from 2048 bits.
    Current,
    /// X.509 v1 too, and the signatures and RSA keys of the policy.
    Legacy(SignaturePolicy),
}

impl TrustStore {
    pub(crate) fn validate_with(
        &self,
        end_entity: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
        strength: Strength,
        revocation: Option<&RevocationCheck>,
    ) -> Result<(), TrustError> {
        check_strength(end_entity, strength)?;
        if self.known.contains(end_entity.der().as_ref()) {
            check_window(end_entity, now)?;
            check_extensions_known(end_entity)?;
            return check_purpose(end_entity.der(), end_entity.subject(), usage);
        }
        if end_entity.is_self_signed() {
            // The window first: a wrong clock is the likelier trouble, and the alert names it.
            check_window(end_entity, now)?;
            return Err(self.self_signed_not_trusted(end_entity));
        }
        let (path, policy) = match (
            self.validate_path(end_entity, intermediates, usage, now, revocation.is_some()),
            strength,
        ) {
            (Err(TrustError::Legacy { .. }), Strength::Legacy(policy)) => {
                let search = LegacyPath {
                    anchors: &self.authorities,
                    usage,
                    now,
                    policy,
                };
                let path = search
                    .validate(end_entity, intermediates)
                    .unwrap_or_else(|| Err(self.unknown_issuer(end_entity, intermediates)))?;
                (path, policy)
            }
            (path, Strength::Legacy(policy)) => (path?, policy),
            (path, Strength::Current) => (path?, SignaturePolicy::strict()),
        };
        revocation.map_or(Ok(()), |check| {
            check.check_path(&path, &self.authorities, now, policy)
        })
    }

    /// Gives the path from the peer's certificate to the anchor, both included, when it is `wanted`.
    fn validate_path(
        &self,
        end_entity: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
        wanted: bool,
    ) -> Result<Vec<Certificate>, TrustError> {
        let provider = crypto_provider().map_err(|error| TrustError::CannotVerify {
            detail: error.to_string(),
        })?;
        let explain = |error: webpki::Error| self.explain(&error, end_entity, intermediates, usage);
        let parsed = EndEntityCert::try_from(end_entity.der()).map_err(explain)?;
        let verified = parsed
            .verify_for_usage(
                provider.signature_verification_algorithms.all,
                &self.webpki_anchors,
                intermediates,
                now,
                usage,
                None,
                None,
            )
            .map_err(explain)?;
        if !wanted {
            return Ok(Vec::new());
        }
        let anchor = self
            .webpki_anchors
            .iter()
            .position(|anchor| anchor == verified.anchor())
            .and_then(|position| self.authorities.get(position));
        let mut path = vec![end_entity.clone()];
        for issuer in verified.intermediate_certificates() {
            let issuer = Certificate::from_der(&issuer.der()).map_err(|error| TrustError::Malformed {
                detail: error.to_string(),
            })?;
            path.push(issuer);
        }
        path.extend(anchor.cloned());
        Ok(path)
    }

    fn explain(
        &self,
        error: &webpki::Error,
        end_entity: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
    ) -> TrustError {
        let subject = end_entity.subject().to_owned();
        match error {
            webpki::Error::CertNotValidYet { time, not_before } => TrustError::NotYetValid {
                subject: whose(end_entity, end_entity.not_before() == *not_before),
                not_before: *not_before,
                now: *time,
            },
            webpki::Error::CertExpired { time, not_after } => TrustError::Expired {
                subject: whose(end_entity, end_entity.not_after() == *not_after),
                not_after: *not_after,
                now: *time,
            },
            webpki::Error::UnknownIssuer => self.unknown_issuer(end_entity, intermediates),
            webpki::Error::RequiredEkuNotFoundContext(_) => TrustError::WrongPurpose {
                subject,
                required: usage,
                presented: presented_purposes(end_entity.der()),
            },
            webpki::Error::InvalidSignatureForPublicKey => self.bad_signature(end_entity, intermediates),
            webpki::Error::UnsupportedSignatureAlgorithmContext(_)
            | webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
            | webpki::Error::UnsupportedCertVersion => TrustError::Legacy {
                subject,
                weakness: self.chain_weakness(end_entity, intermediates).unwrap_or_else(|| {
                    format!("a signature or version in its chain is not supported ({error})")
                }),
            },
            webpki::Error::BadDer
            | webpki::Error::BadDerTime
            | webpki::Error::TrailingData(_)
            | webpki::Error::MalformedExtensions
            | webpki::Error::ExtensionValueInvalid => TrustError::Malformed {
                detail: format!("{subject}: {error}"),
            },
            other => TrustError::Path {
                subject,
                detail: path_rule(other),
            },
        }
    }

    fn self_signed_not_trusted(&self, end_entity: &Certificate) -> TrustError {
        TrustError::SelfSignedNotTrusted {
            role: self.role.clone(),
            subject: end_entity.subject().to_owned(),
            key_hash: end_entity.key_hash(HashAlgorithm::Sha256),
            anchors: self.anchors.len(),
        }
    }

    /// Follows the issuer names up to the first that nobody presented.
    fn unknown_issuer(&self, end_entity: &Certificate, intermediates: &[CertificateDer<'_>]) -> TrustError {
        let top = top_of_chain(end_entity, intermediates);
        let named = |anchor: &&Certificate| anchor.subject_der() == top.issuer_der();
        if let Some(anchor) = self.anchors.iter().find(named)
            && !self.authorities.iter().any(|authority| named(&authority))
        {
            return TrustError::Path {
                subject: end_entity.subject().to_owned(),
                detail: format!(
                    "its issuer {} is in the trust store of role \"{}\", but is no authority (CA:FALSE) and vouches for \
                     itself only",
                    anchor.subject(),
                    self.role
                ),
            };
        }
        TrustError::UnknownIssuer {
            role: self.role.clone(),
            subject: end_entity.subject().to_owned(),
            missing_issuer: top.issuer().to_owned(),
            anchors: self.anchors.len(),
        }
    }

    /// webpki says "invalid signature" also when the issuer's RSA key is too short for it.
    fn bad_signature(&self, end_entity: &Certificate, intermediates: &[CertificateDer<'_>]) -> TrustError {
        let subject = end_entity.subject().to_owned();
        match self.chain_weakness(end_entity, intermediates) {
            Some(weakness) => TrustError::Legacy { subject, weakness },
            None => {
                let top = top_of_chain(end_entity, intermediates);
                let named = |anchor: &&Certificate| anchor.subject_der() == top.issuer_der();
                match self.authorities.iter().find(named) {
                    Some(anchor) => TrustError::AnchorHasAnotherKey {
                        role: self.role.clone(),
                        subject,
                        issuer: anchor.subject().to_owned(),
                        anchor_key: anchor.key_hash(HashAlgorithm::Sha256),
                    },
                    None => TrustError::BadSignature {
                        subject,
                        detail: format!(
                            "a certificate named {} is at hand, but its key did not make the signature",
                            top.issuer()
                        ),
                    },
                }
            }
        }
    }

    /// The first weakness of the end entity, the intermediates and the anchor's key.
    fn chain_weakness(
        &self,
        end_entity: &Certificate,
        intermediates: &[CertificateDer<'_>],
    ) -> Option<String> {
        if let Some(own) = weakness(end_entity) {
            return Some(own);
        }
        let parsed: Vec<Certificate> = intermediates
            .iter()
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect();
        let issuer = parsed.iter().find_map(|issuer| {
            weakness(issuer).map(|weakness| format!("of its issuer {}, {weakness}", issuer.subject()))
        });
        let top = top_of_chain(end_entity, intermediates);
        issuer.or_else(|| {
            let anchor = self
                .anchors
                .iter()
                .find(|anchor| anchor.subject_der() == top.issuer_der())?;
            small_rsa_key(anchor, MIN_RSA_BITS)
                .map(|weakness| format!("of its trust anchor {}, {weakness}", anchor.subject()))
        })
    }
}

fn whose(end_entity: &Certificate, is_end_entity: bool) -> String {
    if is_end_entity {
        end_entity.subject().to_owned()
    } else {
        format!("of an issuer in the chain of {}", end_entity.subject())
    }
}

/// The last certificate that is reached from `end_entity` by issuer names alone.
fn top_of_chain(end_entity: &Certificate, intermediates: &[CertificateDer<'_>]) -> Certificate {
    let mut remaining: Vec<Certificate> = intermediates
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let mut top = end_entity.clone();
    // Each step takes one certificate away, so a loop of names ends.
    while let Some(position) = remaining
        .iter()
        .position(|issuer| issuer.subject_der() == top.issuer_der())
    {
        top = remaining.swap_remove(position);
    }
    top
}

fn path_rule(error: &webpki::Error) -> String {
    let rule = match error {
        webpki::Error::CaUsedAsEndEntity => {
            "the certificate of an authority (CA:TRUE) is used as a peer's own"
        }
        webpki::Error::EndEntityUsedAsCa => "a certificate that is no authority (CA:FALSE) signed another",
        webpki::Error::NameConstraintViolation => "a name is outside the name constraints of an issuer",
        webpki::Error::PathLenConstraintViolated => "the chain is longer than an issuer's path length allows",
        webpki::Error::UnsupportedCriticalExtension => "it has a critical extension that is not known here",
        webpki::Error::SignatureAlgorithmMismatch => "its two signature algorithm fields differ",
        webpki::Error::InvalidCertValidity => "its validity ends before it begins",
        other => return format!("{other}"),
    };
    rule.to_owned()
}

/// Refuses a certificate that is older than `strength` allows.
pub(crate) fn check_strength(certificate: &Certificate, strength: Strength) -> Result<(), TrustError> {
    let found = match strength {
        Strength::Current => weakness(certificate),
        Strength::Legacy(policy) => small_rsa_key(certificate, policy.min_rsa_bits()),
    };
    match found {
        Some(weakness) => Err(TrustError::Legacy {
            subject: certificate.subject().to_owned(),
            weakness,
        }),
        None => Ok(()),
    }
}

fn weakness(certificate: &Certificate) -> Option<String> {
    if certificate.version() < 3 {
        return Some(format!("it is X.509 version {}", certificate.version()));
    }
    if certificate.signature_algorithm().is_weak() {
        return Some(format!("it is signed with {}", certificate.signature_algorithm()));
    }
    small_rsa_key(certificate, MIN_RSA_BITS)
}

fn small_rsa_key(certificate: &Certificate, minimum: u32) -> Option<String> {
    match certificate.key_type() {
        KeyType::Rsa { bits } if *bits < minimum => {
            Some(format!("its RSA key has {bits} bits, fewer than {minimum}"))
        }
        _ => None,
    }
}

/// Refuses a certificate outside its validity.
pub(crate) fn check_window(certificate: &Certificate, now: UnixTime) -> Result<(), TrustError> {
    if now < certificate.not_before() {
        return Err(TrustError::NotYetValid {
            subject: certificate.subject().to_owned(),
            not_before: certificate.not_before(),
            now,
        });
    }
    if now > certificate.not_after() {
        return Err(TrustError::Expired {
            subject: certificate.subject().to_owned(),
            not_after: certificate.not_after(),
            now,
        });
    }
    Ok(())
}

impl ExpectedName {
    /// Checks that `certificate` is for this name.
    ///
    /// # Errors
    /// [`TrustError::WrongName`] with every name the certificate presents.
    pub fn check(&self, certificate: &Certificate) -> Result<(), TrustError> {
        let matches = match self {
            Self::Server(name) => is_for_server_name(certificate, name)?,
            Self::CommonName(name) => certificate.common_name() == Some(name.as_str()),
            Self::Mac(mac) => certificate.subject_mac() == Some(*mac),
        };
        if matches {
            return Ok(());
        }
        Err(TrustError::WrongName {
            expected: self.clone(),
            presented: presented_names(certificate),
        })
    }
}

fn is_for_server_name(certificate: &Certificate, name: &ServerName<'_>) -> Result<bool, TrustError> {
    // A version 1 certificate has no alternative names, so it is for no server name.
    if certificate.version() < 3 {
        return Ok(false);
    }
    match EndEntityCert::try_from(certificate.der())
        .and_then(|parsed| parsed.verify_is_valid_for_subject_name(name))
    {
        Ok(()) => Ok(true),
        Err(webpki::Error::CertNotValidForName(_)) => Ok(false),
        Err(error) => Err(TrustError::Malformed {
            detail: format!("{}: {error}", certificate.subject()),
        }),
    }
}
