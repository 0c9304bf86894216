//! The parts of X.509 that issuing needs and that must keep bytes as they are.

use const_oid::ObjectIdentifier;
use der::asn1::{Any, GeneralizedTime, OctetString, UtcTime};
use der::{Decode as _, Sequence};
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::time::{Time, Validity};

use crate::error::WireError;
use crate::wire::asn1::{Reader, Rules, tag};

pub(crate) const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(crate) const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
pub(crate) const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
pub(crate) const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");
pub(crate) const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
pub(crate) const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
pub(crate) const AUTHORITY_INFORMATION_ACCESS: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(crate) const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

/// A TBSCertificate (RFC 5280 section 4.1), version 3.
///
/// Unlike the type of `x509-cert`, this one holds the names and the key as the bytes they were sent in:
/// decoding a Name and encoding it again may sort or re-tag it, and the subject must arrive exactly as requested.
#[derive(Sequence)]
pub(crate) struct TbsCertificate {
    #[asn1(context_specific = "0")]
    pub(crate) version: u8,
    pub(crate) serial_number: x509_cert::serial_number::SerialNumber,
    pub(crate) signature: Any,
    pub(crate) issuer: Any,
    pub(crate) validity: Validity,
    pub(crate) subject: Any,
    pub(crate) subject_public_key_info: Any,
    #[asn1(context_specific = "3")]
    pub(crate) extensions: Vec<Extension>,
}

/// An Extension (RFC 5280 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(crate) struct Extension {
    pub(crate) extn_id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub(crate) critical: bool,
    pub(crate) extn_value: OctetString,
}

impl Extension {
    /// An extension with a typed value.
    pub(crate) fn new(
        extn_id: ObjectIdentifier,
        critical: bool,
        value: &impl der::Encode,
    ) -> der::Result<Self> {
        Self::from_value(extn_id, critical, value.to_der()?)
    }

    /// An extension whose value is copied byte for byte.
    pub(crate) fn from_value(extn_id: ObjectIdentifier, critical: bool, value: Vec<u8>) -> der::Result<Self> {
        Ok(Self {
            extn_id,
            critical,
            extn_value: OctetString::new(value)?,
        })
    }
}

/// Version v3 as it stands in a certificate.
pub(crate) const V3: u8 = 2;

/// A point in time in the form that RFC 5280 section 4.1.2.5 demands: UTCTime through 2049, GeneralizedTime after.
pub(crate) fn time(seconds: u64) -> der::Result<Time> {
    let since_epoch = core::time::Duration::from_secs(seconds);
    match UtcTime::from_unix_duration(since_epoch) {
        Ok(time) => Ok(Time::UtcTime(time)),
        Err(_) => GeneralizedTime::from_unix_duration(since_epoch).map(Time::GeneralTime),
    }
}

/// A point in time for people: `2026-11-21 20:00:00 UTC`.
pub(crate) fn display_time(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map_or_else(
            || format!("{seconds} seconds after 1970"),
            |moment| {
                format!(
                    "{} {:02}:{:02}:{:02} UTC",
                    moment.date(),
                    moment.hour(),
                    moment.minute(),
                    moment.second()
                )
            },
        )
}

pub(crate) fn seconds(time: UnixTime) -> u64 {
    time.as_secs()
}

/// What issuing needs to know of a CA certificate.
#[derive(Clone, Debug)]
pub(crate) struct CaFields {
    pub(crate) subject_der: Vec<u8>,
    pub(crate) subject_text: String,
    pub(crate) spki_der: Vec<u8>,
    pub(crate) key_identifier: Option<Vec<u8>>,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) is_ca: bool,
    pub(crate) may_sign_certificates: bool,
    pub(crate) may_sign_crls: bool,
    pub(crate) is_self_issued: bool,
}

impl CaFields {
    pub(crate) fn parse(certificate: &[u8]) -> Result<Self, String> {
        let (subject_der, spki_der) = raw_subject_and_key(certificate).map_err(|error| error.to_string())?;
        let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let tbs = &parsed.tbs_certificate;
        let unreadable = |error: der::Error| format!("an extension cannot be read: {error}");
        let key_identifier = tbs.get::<SubjectKeyIdentifier>().map_err(unreadable)?;
        let basic_constraints = tbs.get::<BasicConstraints>().map_err(unreadable)?;
        let key_usage = tbs.get::<KeyUsage>().map_err(unreadable)?;
        // RFC 5280 section 4.2.1.3: without the extension the key may be used for anything.
        let may = |bit| key_usage.as_ref().is_none_or(|(_, usage)| usage.0.contains(bit));
        Ok(Self {
            may_sign_certificates: may(KeyUsages::KeyCertSign),
            may_sign_crls: may(KeyUsages::CRLSign),
            is_self_issued: tbs.issuer == tbs.subject,
            subject_der,
            subject_text: tbs.subject.to_string(),
            spki_der,
            key_identifier: key_identifier.map(|(_, identifier)| identifier.0.into_bytes()),
            not_before: tbs.validity.not_before.to_unix_duration().as_secs(),
            not_after: tbs.validity.not_after.to_unix_duration().as_secs(),
            is_ca: basic_constraints.is_some_and(|(_, constraints)| constraints.ca),
        })
    }
}

/// The subject and the SubjectPublicKeyInfo of a certificate, as they stand there.
fn raw_subject_and_key(certificate: &[u8]) -> Result<(Vec<u8>, Vec<u8>), WireError> {
    let certificate = Reader::new(certificate, Rules::Der).sequence("Certificate")?;
    let tbs = certificate.reader(Rules::Der).sequence("tbsCertificate")?;
    let mut fields = tbs.reader(Rules::Der);
    fields.optional(tag::CONTEXT_0, "version")?;
    fields.expect(tag::INTEGER, "an INTEGER", "serialNumber")?;
    fields.sequence("signature")?;
    fields.sequence("issuer")?;
    fields.sequence("validity")?;
    let subject = fields.sequence("subject")?.raw.to_vec();
    let key = fields.sequence("subjectPublicKeyInfo")?.raw.to_vec();
    Ok((subject, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_the_form_of_times_after_2049() {
        // 2049-12-31 23:59:59 and the second after it.
        assert!(matches!(time(2_524_607_999), Ok(Time::UtcTime(_))));
        assert!(matches!(time(2_524_608_000), Ok(Time::GeneralTime(_))));
        assert!(time(u64::MAX).is_err());
        assert_eq!(display_time(2_524_607_999), "2049-12-31 23:59:59 UTC");
    }
}
