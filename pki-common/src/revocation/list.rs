//! One revocation list, read and made ready for look-ups.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::OnceLock;

use der::{Decode as _, Reader as _, SliceReader};
use rustls_pki_types::UnixTime;
use x509_parser::extensions::{DistributionPointName, GeneralName, ParsedExtension};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate, X509Extension};
use x509_parser::time::ASN1Time;

use crate::certificate::{Certificate, oneline};
use crate::signature::{SignatureError, SignaturePolicy, verify_signature};

/// Why a certificate was revoked: the CRLReason number (RFC 5280 section 5.3.1). Any number can be held.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevocationReason(pub u8);

impl RevocationReason {
    /// No reason was given.
    pub const UNSPECIFIED: Self = Self(0);

    /// The standard's name, or `None` for a number that is not assigned.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "unspecified",
            1 => "keyCompromise",
            2 => "cACompromise",
            3 => "affiliationChanged",
            4 => "superseded",
            5 => "cessationOfOperation",
            6 => "certificateHold",
            8 => "removeFromCRL",
            9 => "privilegeWithdrawn",
            10 => "aACompromise",
            _ => return None,
        })
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "reason {}", self.0),
        }
    }
}

impl fmt::Debug for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationReason({} {self})", self.0)
    }
}

/// What a list says of a certificate that is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// When the issuer revoked it.
    pub since: UnixTime,
    /// Why.
    pub reason: RevocationReason,
}

/// Which certificates of the issuer a list is about (RFC 5280 section 5.2.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Scope {
    only_end_entities: bool,
    only_authorities: bool,
    /// URIs of the distribution point; the certificate must name one of them. Empty: not partitioned.
    distribution_points: Vec<String>,
    /// Key identifier of the issuer, where the list gives it: an issuer with two keys has two lists.
    authority_key: Option<Vec<u8>>,
}

/// A full list of one issuer.
pub struct RevocationList {
    issuer: String,
    issuer_der: Vec<u8>,
    scope: Scope,
    this_update: UnixTime,
    next_update: UnixTime,
    revoked: HashMap<Box<[u8]>, RevokedCertificate>,
    signed: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    /// The public key that the signature verified with.
    verified_with: OnceLock<Vec<u8>>,
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("issuer", &self.issuer)
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .field("entries", &self.revoked.len())
            .finish_non_exhaustive()
    }
}

/// Why a list was not taken.
pub(super) enum Rejected {
    Damaged(String),
    Unusable(String),
}

fn damaged(error: impl fmt::Display) -> Rejected {
    Rejected::Damaged(error.to_string())
}

fn unusable(reason: impl Into<String>) -> Rejected {
    Rejected::Unusable(reason.into())
}

impl RevocationList {
    pub(super) fn from_der(der: &[u8]) -> Result<Self, Rejected> {
        let (rest, parsed) = CertificateRevocationList::from_der(der).map_err(damaged)?;
        if !rest.is_empty() {
            return Err(damaged(format_args!("{} bytes after its end", rest.len())));
        }
        let Elements {
            signed,
            algorithm,
            signature,
        } = Elements::of(der).map_err(damaged)?;
        if signed_algorithm(signed).map_err(damaged)? != algorithm {
            return Err(damaged("its two signature algorithm fields differ"));
        }
        let next_update = parsed
            .next_update()
            .ok_or_else(|| unusable("it does not say when the next one comes (nextUpdate)"))?;
        let mut revoked = HashMap::with_capacity(parsed.tbs_cert_list.revoked_certificates.len());
        for entry in parsed.iter_revoked_certificates() {
            let reason = entry_reason(entry.extensions())?;
            let revoked_certificate = RevokedCertificate {
                since: unix_time(entry.revocation_date),
                reason,
            };
            revoked.insert(entry.raw_serial().into(), revoked_certificate);
        }
        Ok(Self {
            issuer: oneline(parsed.issuer()),
            issuer_der: parsed.issuer().as_raw().to_vec(),
            scope: Scope::of(parsed.extensions())?,
            this_update: unix_time(parsed.last_update()),
            next_update: unix_time(next_update),
            revoked,
            signed: signed.to_vec(),
            algorithm: algorithm.to_vec(),
            signature: signature.to_vec(),
            verified_with: OnceLock::new(),
        })
    }

    /// The issuer in OpenSSL's one-line form, as [`Certificate::issuer`].
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The issuer's DER `Name`.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer_der
    }

    /// When the list was made.
    #[must_use]
    pub const fn this_update(&self) -> UnixTime {
        self.this_update
    }

    /// By when the next one comes; afterwards this one is expired.
    #[must_use]
    pub const fn next_update(&self) -> UnixTime {
        self.next_update
    }

    /// Number of revoked certificates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether no certificate is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }

    /// What the list says of a serial number (its content octets), when it is on the list.
    #[must_use]
    pub fn entry(&self, serial_number: &[u8]) -> Option<RevokedCertificate> {
        self.revoked.get(serial_number).copied()
    }

    /// Whether one of the two replaces the other.
    pub(super) fn same_scope(&self, other: &Self) -> bool {
        self.scope == other.scope
    }

    /// Whether the list is about certificates like this one. The issuer's name is compared by the caller.
    pub(super) fn covers(&self, certificate: &Certificate) -> bool {
        let scope = &self.scope;
        if !scope.only_end_entities && !scope.only_authorities && scope.distribution_points.is_empty() {
            return true;
        }
        let Ok((_, parsed)) = X509Certificate::from_der(certificate.der()) else {
            return false;
        };
        let is_authority =
            matches!(parsed.basic_constraints(), Ok(Some(constraints)) if constraints.value.ca);
        if (self.scope.only_end_entities && is_authority) || (self.scope.only_authorities && !is_authority) {
            return false;
        }
        self.scope.distribution_points.is_empty()
            || distribution_points(&parsed)
                .iter()
                .any(|uri| self.scope.distribution_points.contains(uri))
    }

    /// Verifies the list's signature with an issuer's DER SubjectPublicKeyInfo; once per key.
    pub(super) fn verify(&self, spki_der: &[u8], policy: SignaturePolicy) -> Result<(), SignatureError> {
        if self.verified_with.get().is_some_and(|known| known == spki_der) {
            return Ok(());
        }
        verify_signature(spki_der, &self.algorithm, &self.signed, &self.signature, policy)?;
        // Another key may have come first: then this one is verified each time.
        let _kept: Result<(), Vec<u8>> = self.verified_with.set(spki_der.to_vec());
        Ok(())
    }
}

/// The three parts of the outermost SEQUENCE, as they were signed.
struct Elements<'a> {
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Elements<'a> {
    fn of(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        reader.sequence(|inner| {
            let signed = inner.tlv_bytes()?;
            let algorithm = inner.tlv_bytes()?;
            let signature = der::asn1::BitStringRef::decode(inner)?;
            Ok(Self {
                signed,
                algorithm,
                signature: signature.as_bytes().unwrap_or_default(),
            })
        })
    }
}

/// The algorithm inside what is signed, which must be the one outside (RFC 5280 section 5.1.1.2).
fn signed_algorithm(signed: &[u8]) -> der::Result<&[u8]> {
    let mut list = SliceReader::new(signed)?;
    list.sequence(|inner| {
        let first = inner.tlv_bytes()?;
        let is_version = first.first() == Some(&u8::from(der::Tag::Integer));
        let algorithm = if is_version { inner.tlv_bytes()? } else { first };
        // What follows is read elsewhere.
        inner.read_slice(inner.remaining_len())?;
        Ok(algorithm)
    })
}

impl Scope {
    fn of(extensions: &[X509Extension<'_>]) -> Result<Self, Rejected> {
        let mut scope = Self::default();
        for extension in extensions {
            match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                    scope.authority_key = identifier.key_identifier.as_ref().map(|key| key.0.to_vec());
                }
                ParsedExtension::IssuingDistributionPoint(point) => {
                    if point.indirect_crl {
                        return Err(unusable(
                            "it is an indirect list, of another issuer's certificates",
                        ));
                    }
                    if point.only_contains_attribute_certs {
                        return Err(unusable("it is a list of attribute certificates"));
                    }
                    if point.only_some_reasons.is_some() {
                        return Err(unusable("it is a list for some reasons only"));
                    }
                    scope.only_end_entities = point.only_contains_user_certs;
                    scope.only_authorities = point.only_contains_ca_certs;
                    if let Some(name) = &point.distribution_point {
                        scope.distribution_points = uris(name);
                        if scope.distribution_points.is_empty() {
                            return Err(unusable("its distribution point has no URI"));
                        }
                    }
                }
                ParsedExtension::CRLNumber(_) => {}
                _ if extension.critical => {
                    return Err(unusable(format!(
                        "it has a critical extension that is not known here ({}); a delta list has 2.5.29.27",
                        extension.oid
                    )));
                }
                _ => {}
            }
        }
        Ok(scope)
    }
}

fn entry_reason(extensions: &[X509Extension<'_>]) -> Result<RevocationReason, Rejected> {
    let mut reason = RevocationReason::UNSPECIFIED;
    for extension in extensions {
        match extension.parsed_extension() {
            ParsedExtension::ReasonCode(code) => reason = RevocationReason(code.0),
            ParsedExtension::InvalidityDate(_) => {}
            // A critical one that is not understood makes the whole list useless (RFC 5280 section 5.3).
            _ if extension.critical => {
                return Err(unusable(format!(
                    "an entry has a critical extension that is not known here ({})",
                    extension.oid
                )));
            }
            _ => {}
        }
    }
    Ok(reason)
}

/// The URIs of the CRL distribution points of a certificate.
fn distribution_points(certificate: &X509Certificate<'_>) -> Vec<String> {
    certificate
        .extensions()
        .iter()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLDistributionPoints(points) => Some(points),
            _ => None,
        })
        .flat_map(|points| &points.points)
        .filter_map(|point| point.distribution_point.as_ref())
        .flat_map(uris)
        .collect()
}

fn uris(name: &DistributionPointName<'_>) -> Vec<String> {
    let DistributionPointName::FullName(names) = name else {
        return Vec::new();
    };
    names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        })
        .collect()
}

/// A time before 1970 reads as 1970.
fn unix_time(time: ASN1Time) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        u64::try_from(time.timestamp()).unwrap_or_default(),
    ))
}
