//! OpenSSL's reasons for refusing a certificate, one for each alert that a refusal needs.
//!
//! OpenSSL derives the alert from the reason that a verify callback leaves (`ssl_x509err2alert`). Its safe interface can
//! hand a reason on but not make one, so each is taken once from a verification that fails with it.

use std::sync::LazyLock;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::extension::ExtendedKeyUsage;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Name, X509NameRef, X509PurposeId, X509StoreContext, X509VerifyResult};

use pki_common::Alert;

/// When the certificates here are valid, in seconds since 1970: any two moments do.
const NOT_BEFORE: i64 = 1_000_000_000;
const NOT_AFTER: i64 = 2_000_000_000;
const BETWEEN: i64 = 1_500_000_000;

/// A reason for each alert.
#[derive(Debug)]
pub(super) struct ReasonCodes {
    bad_certificate: X509VerifyResult,
    unsupported_certificate: X509VerifyResult,
    certificate_expired: X509VerifyResult,
    certificate_unknown: X509VerifyResult,
    unknown_ca: X509VerifyResult,
    decrypt_error: X509VerifyResult,
}

impl ReasonCodes {
    /// Made once in a process.
    pub(super) fn load() -> Result<&'static Self, ErrorStack> {
        static CODES: LazyLock<Result<ReasonCodes, ErrorStack>> = LazyLock::new(ReasonCodes::collect);
        CODES.as_ref().map_err(Clone::clone)
    }

    /// The reason whose alert is `wanted`, and the alert that OpenSSL sends for it.
    pub(super) fn for_alert(&self, wanted: Alert) -> (X509VerifyResult, Alert) {
        let reason = match wanted {
            Alert::UNSUPPORTED_CERTIFICATE => self.unsupported_certificate,
            Alert::CERTIFICATE_EXPIRED => self.certificate_expired,
            Alert::CERTIFICATE_UNKNOWN => self.certificate_unknown,
            Alert::UNKNOWN_CA => self.unknown_ca,
            Alert::DECRYPT_ERROR => self.decrypt_error,
            // Of a revoked certificate too: that reason cannot be had without a file of revocations.
            _ => return (self.bad_certificate, Alert::BAD_CERTIFICATE),
        };
        (reason, wanted)
    }

    fn collect() -> Result<Self, ErrorStack> {
        let issuer = Specimen::new("issuer")?;
        let other = Specimen::new("other")?;
        let at = |moment| {
            let mut parameters = X509VerifyParam::new()?;
            parameters.set_time(moment);
            Ok::<_, ErrorStack>(parameters)
        };
        let mut for_another_name = at(BETWEEN)?;
        for_another_name.set_host("another.name.invalid")?;
        let mut for_clients = at(BETWEEN)?;
        for_clients.set_purpose(X509PurposeId::SSL_CLIENT)?;
        let mut with_signature = at(BETWEEN)?;
        with_signature.set_flags(X509VerifyFlags::CHECK_SS_SIGNATURE)?;
        Ok(Self {
            bad_certificate: reason(&issuer.certificate, true, &for_another_name)?,
            unsupported_certificate: reason(&issuer.certificate, true, &for_clients)?,
            certificate_expired: reason(&issuer.certificate, true, &at(NOT_AFTER + 1)?)?,
            certificate_unknown: issuer.certificate.issued(&other.certificate),
            unknown_ca: reason(&issuer.certificate, false, &at(BETWEEN)?)?,
            decrypt_error: reason(&issuer.with_broken_signature()?, true, &with_signature)?,
        })
    }
}

/// A self-signed certificate for signing code.
struct Specimen {
    certificate: X509,
}

impl Specimen {
    fn new(name: &str) -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let mut subject = X509Name::builder()?;
        subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
        let certificate = self_signed(&subject.build(), &key)?;
        Ok(Self { certificate })
    }

    /// The last byte belongs to the signature.
    fn with_broken_signature(&self) -> Result<X509, ErrorStack> {
        let mut der = self.certificate.to_der()?;
        if let Some(last) = der.last_mut() {
            *last ^= 1;
        }
        X509::from_der(&der)
    }
}

fn self_signed(name: &X509NameRef, key: &PKey<Private>) -> Result<X509, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = BigNum::from_u32(1)?.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(name)?;
    builder.set_issuer_name(name)?;
    builder.set_not_before(&*Asn1Time::from_unix(NOT_BEFORE)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(NOT_AFTER)?)?;
    builder.set_pubkey(key)?;
    builder.append_extension(ExtendedKeyUsage::new().code_signing().build()?)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

/// Verifies, and returns why that failed.
fn reason(
    certificate: &X509,
    trusted: bool,
    parameters: &X509VerifyParam,
) -> Result<X509VerifyResult, ErrorStack> {
    let store = store(certificate, trusted, parameters)?;
    let mut context = X509StoreContext::new()?;
    context.init(&store, certificate, &*Stack::new()?, |context| {
        // Whether it verified is in the reason.
        let _verified = context.verify_cert()?;
        Ok(context.error())
    })
}

fn store(certificate: &X509, trusted: bool, parameters: &X509VerifyParam) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    if trusted {
        store.add_cert(certificate.clone())?;
    }
    store.set_param(parameters)?;
    Ok(store.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_the_one_whose_alert_is_wanted() {
        let codes = ReasonCodes::load().unwrap();
        // X509_V_ERR_HOSTNAME_MISMATCH, INVALID_PURPOSE, CERT_HAS_EXPIRED, SUBJECT_ISSUER_MISMATCH,
        // DEPTH_ZERO_SELF_SIGNED_CERT and CERT_SIGNATURE_FAILURE of <openssl/x509_vfy.h>.
        let expected = [
            (codes.bad_certificate, 62),
            (codes.unsupported_certificate, 26),
            (codes.certificate_expired, 10),
            (codes.certificate_unknown, 29),
            (codes.unknown_ca, 18),
            (codes.decrypt_error, 7),
        ];
        for (code, number) in expected {
            assert_eq!(code.as_raw(), number, "{code}");
        }
    }

    #[test]
    fn a_revoked_certificate_leaves_as_a_bad_one() {
        let codes = ReasonCodes::load().unwrap();
        assert_eq!(
            codes.for_alert(Alert::CERTIFICATE_REVOKED).1,
            Alert::BAD_CERTIFICATE
        );
        assert_eq!(codes.for_alert(Alert::UNKNOWN_CA).1, Alert::UNKNOWN_CA);
    }
}
