//! The parts of X.509 that issuing needs and that must keep bytes as they are.

use const_oid::ObjectIdentifier;
use der::asn1::{GeneralizedTime, OctetString, UtcTime};
use der::{Decode as _, Encode as _, Sequence};
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::time::Time;

use super::serial::SerialNumber;
use crate::error::WireError;
use crate::wire::asn1::{self, Reader, Rules, tag};

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
pub(crate) struct TbsCertificate<'a> {
    pub(crate) serial_number: SerialNumber,
    /// The AlgorithmIdentifier in DER.
    pub(crate) signature: &'a [u8],
    /// A Name in DER.
    pub(crate) issuer: &'a [u8],
    /// In seconds since the Unix epoch, as `not_after`.
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    /// A Name in DER.
    pub(crate) subject: &'a [u8],
    /// In DER.
    pub(crate) subject_public_key_info: &'a [u8],
    pub(crate) extensions: &'a [Extension],
}

impl TbsCertificate<'_> {
    /// Writes it in DER, front to back: the derived encoder measures every part once a level, which took a tenth of
    /// an enrolment.
    pub(crate) fn to_der(&self) -> der::Result<Vec<u8>> {
        let version = asn1::encode(tag::CONTEXT_0, &[&V3]);
        let validity = [time(self.not_before)?.to_der()?, time(self.not_after)?.to_der()?];
        let [not_before, not_after] = &validity;
        let validity = asn1::encode(tag::SEQUENCE, &[not_before, not_after]);
        let extensions: Vec<Vec<u8>> = self.extensions.iter().map(Extension::encoded).collect();
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let extensions = asn1::encode(tag::SEQUENCE, &extensions);
        Ok(asn1::encode(
            tag::SEQUENCE,
            &[
                &version,
                &serial_der(self.serial_number),
                self.signature,
                self.issuer,
                &validity,
                self.subject,
                self.subject_public_key_info,
                &asn1::encode(tag::CONTEXT_3, &[&extensions]),
            ],
        ))
    }
}

/// A serial number as an INTEGER: without needless zeros in front, and positive.
fn serial_der(serial: SerialNumber) -> Vec<u8> {
    let octets = serial.as_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let significant = octets.get(zeros..).unwrap_or_default();
    match significant.first() {
        Some(first) if *first < 0x80 => asn1::encode(tag::INTEGER, &[significant]),
        _ => asn1::encode(tag::INTEGER, &[&[0], significant]),
    }
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

    /// The extension in DER.
    fn encoded(&self) -> Vec<u8> {
        let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[self.extn_id.as_bytes()]);
        // DEFAULT FALSE: what has its default value is not written (X.690 section 11.5).
        let critical: &[u8] = if self.critical {
            &[tag::BOOLEAN, 1, 0xff]
        } else {
            &[]
        };
        let value = asn1::encode(tag::OCTET_STRING, &[self.extn_value.as_bytes()]);
        asn1::encode(tag::SEQUENCE, &[&oid, critical, &value])
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
const V3: [u8; 3] = [tag::INTEGER, 1, 2];

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
    use der::asn1::{Any, Uint};
    use x509_cert::time::Validity;

    /// The same fields for the derived encoder of the `der` crate.
    #[derive(Sequence)]
    struct Derived {
        #[asn1(context_specific = "0")]
        version: u8,
        serial_number: Uint,
        signature: Any,
        issuer: Any,
        validity: Validity,
        subject: Any,
        subject_public_key_info: Any,
        #[asn1(context_specific = "3")]
        extensions: Vec<Extension>,
    }

    #[test]
    fn writes_what_the_derived_encoder_writes() {
        let algorithm = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
        let name = asn1::encode(tag::SEQUENCE, &[&[]]);
        let key = asn1::encode(tag::SEQUENCE, &[&[5, 0].repeat(200)]);
        let extensions = vec![
            Extension::from_value(BASIC_CONSTRAINTS, true, vec![0x30, 0]).unwrap(),
            Extension::from_value(SUBJECT_ALT_NAME, false, vec![7; 300]).unwrap(),
        ];
        let serials: [&[u8]; 5] = [&[], &[1], &[0x80], &[0x7f; 20], &[0xff; 20]];
        for octets in serials {
            let (not_before, not_after) = (2_524_607_999, 2_524_608_000);
            let serial_number = SerialNumber::from_unsigned(octets).unwrap();
            let ours = TbsCertificate {
                serial_number,
                signature: algorithm,
                issuer: &name,
                not_before,
                not_after,
                subject: &name,
                subject_public_key_info: &key,
                extensions: &extensions,
            };
            let any = |der: &[u8]| Any::from_der(der).unwrap();
            let significant = if octets.is_empty() { &[0] } else { octets };
            let derived = Derived {
                version: 2,
                serial_number: Uint::new(significant).unwrap(),
                signature: any(algorithm),
                issuer: any(&name),
                validity: Validity {
                    not_before: time(not_before).unwrap(),
                    not_after: time(not_after).unwrap(),
                },
                subject: any(&name),
                subject_public_key_info: any(&key),
                extensions: extensions.clone(),
            };
            assert_eq!(ours.to_der().unwrap(), derived.to_der().unwrap(), "{octets:x?}");
        }
    }

    #[test]
    fn changes_the_form_of_times_after_2049() {
        // 2049-12-31 23:59:59 and the second after it.
        assert!(matches!(time(2_524_607_999), Ok(Time::UtcTime(_))));
        assert!(matches!(time(2_524_608_000), Ok(Time::GeneralTime(_))));
        assert!(time(u64::MAX).is_err());
        assert_eq!(display_time(2_524_607_999), "2049-12-31 23:59:59 UTC");
    }
}
