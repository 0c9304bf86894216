//! Whether the body of an enrolment can lead to a certificate at all.

use est::CsrError;
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
use p256::PublicKey;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as ParsedKey;

/// The shortest request: a key of 32 octets, a signature of 64, and what is around them.
const SHORTEST: usize = 110;

/// Why nobody can issue a certificate for this body; `None` when somebody may.
///
/// A request that is no DER may still be read by a lenient server; then nothing is said about it.
pub(super) fn why_no_certificate(body: &[u8]) -> Option<&'static str> {
    if body.len() < SHORTEST {
        return Some("there is no certificate request in the body, RFC 7030 section 4.2.1");
    }
    let limits = CsrLimits {
        length: usize::MAX / 8,
        attributes: usize::MAX,
        extensions: usize::MAX,
    };
    let request = UnverifiedCsr::from_body(body, &limits).ok()?;
    let no_key = why_no_key(request.unverified_contents().der());
    if no_key.is_some() {
        return no_key;
    }
    // The key may be of any size; only the signature counts.
    let policy = VerificationPolicy::default();
    matches!(request.verify(&policy), Err(CsrError::BadSignature))
        .then_some("the signature of the request is wrong, RFC 2986 section 3")
}

/// Why the public key is none.
fn why_no_key(der: &[u8]) -> Option<&'static str> {
    const P_256: &str = "1.2.840.10045.3.1.7";
    const ARC_FOR_EXAMPLES: &str = "2.999.";
    let (_, request) = X509CertificationRequest::from_der(der).ok()?;
    let info = &request.certification_request_info.subject_pki;
    let algorithms = [&info.algorithm.algorithm, &request.signature_algorithm.algorithm];
    let nobodys = algorithms
        .iter()
        .any(|algorithm| algorithm.to_id_string().starts_with(ARC_FOR_EXAMPLES));
    if nobodys {
        return Some("its algorithm is nobody's, so its signature cannot be checked, RFC 2986 section 3");
    }
    match info.parsed().ok()? {
        ParsedKey::EC(_) => {
            let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            let point = info.subject_public_key.data.as_ref();
            let is_plain = point.len() == 65 && point.first() == Some(&4);
            (curve == P_256 && is_plain && PublicKey::from_sec1_bytes(point).is_err())
                .then_some("the point is not on the curve, SEC 1 section 3.2.2")
        }
        ParsedKey::RSA(key) => {
            let exponent = key.try_exponent().ok();
            let bad = exponent.is_some_and(|exponent| exponent < 3 || exponent % 2 == 0);
            bad.then_some("the exponent is none of an RSA key, RFC 8017 section 3.1")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::device_fuzz::grammar::est::bench::base64;
    use crate::device_fuzz::grammar::est::certification_request::{Parts, assemble};
    use crate::device_fuzz::grammar::est::key::{EcKey, ExponentOne, Key as _, RsaKey};

    #[test]
    fn lets_pass_what_is_signed_well_and_what_cannot_be_read() {
        let key = EcKey::new(&mut Rng::with_seed(1));
        let good = Parts::new("x", &key).sign(&key);
        assert_eq!(why_no_certificate(base64(&good).as_bytes()), None);
        let mut broken = good;
        broken[1] = 0x80;
        assert_eq!(why_no_certificate(base64(&broken).as_bytes()), None);
        assert_eq!(why_no_certificate(&[b'*'; 500]), None);
    }

    #[test]
    fn knows_a_signature_that_is_wrong_and_keys_that_are_none() {
        let mut rng = Rng::with_seed(1);
        let (key, other) = (EcKey::new(&mut rng), EcKey::new(&mut rng));
        let parts = Parts::new("x", &key);
        let why = |der: &[u8]| why_no_certificate(base64(der).as_bytes()).unwrap_or("nothing");
        let wrong = assemble(&parts.info(), &key.algorithm(), &other.sign(&parts.info()));
        assert!(why(&wrong).contains("signature"), "{}", why(&wrong));

        let mut point = key.point(false);
        point[64] ^= 1;
        let off = Parts {
            public_key_info: EcKey::info_of(&point),
            ..parts.clone()
        };
        let off = off.sign(&key);
        assert!(why(&off).contains("curve"), "{}", why(&off));

        let one = ExponentOne {
            modulus: vec![0xc5; 256],
        };
        let request = Parts::new("x", &one).sign(&one);
        assert!(why(&request).contains("exponent"), "{}", why(&request));
        let even = Parts {
            public_key_info: RsaKey::info_of(&[0xc5; 256], &[1, 0, 0]),
            ..parts
        };
        let even = even.sign(&key);
        assert!(why(&even).contains("exponent"), "{}", why(&even));
        assert!(why(b"x").contains("no certificate request"));
    }
}
