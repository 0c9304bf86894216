//! What a certificate request says. All of it is well-formed DER, and signed, unless that is what is wrong.
//!
//! | file | what is changed |
//! |---|---|
//! | `signature.rs` | the signature |
//! | `public_key.rs` | the public key: points of EC, numbers of RSA |
//! | `algorithm.rs` | the algorithms of key and signature |
//! | `subject.rs` | the subject |
//! | `attribute.rs` | the attributes, and how many there are |
//! | `challenge_password.rs` | the `challengePassword`, where the proof of possession stands |
//! | `extension.rs` | the extensions that are asked for |
//! | `alternative_name.rs` | the subject's alternative names |
//! | `version.rs` | the version |

mod algorithm;
mod alternative_name;
mod attribute;
mod challenge_password;
mod extension;
mod public_key;
mod signature;
mod subject;
mod version;

use super::super::bench::{Bench, Made};
use super::super::certification_request::Parts;
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "bad signature",
        signature::bad_signature,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "ec keys",
        public_key::ec_keys,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "rsa keys",
        public_key::rsa_keys,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "rsa numbers",
        public_key::rsa_numbers,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "algorithms",
        algorithm::algorithms,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "subjects",
        subject::subjects,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "attributes",
        attribute::attributes,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "challenge passwords",
        challenge_password::challenge_passwords,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "extensions",
        extension::extensions,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "alternative names",
        alternative_name::alternative_names,
    ),
    rule(
        Layer::CertificateRequest,
        Needs::Enrolment,
        "versions",
        version::versions,
    ),
];

fn made(bench: &mut Bench<'_>, what: &str, request: &[u8]) -> Made {
    Made::sent(
        format!("a certificate request {what}"),
        bench.enrol_with(request).bytes(),
    )
}

fn signed(bench: &mut Bench<'_>, what: &str, change: impl FnOnce(Parts) -> Parts) -> Made {
    let key = bench.key();
    let request = change(bench.parts(&key)).sign(&key);
    made(bench, what, &request)
}
