//! What must hold for a client that does what a server's CSR attributes ask for.

use std::sync::OnceLock;

use est::request::{RequestKey, RequestTemplate, honour};
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
use est::wire::csr_attributes::{CsrAttributes, CsrAttributesLimits, enforce};
use pki_common::identity::NewKey;

/// The body of a `csrattrs` answer: no bytes panic, what is read survives a second trip, and the request that a client
/// makes of it is one: it can be read, its signature is right, and it is for the client's key.
pub fn est_csr_attributes(data: &[u8]) {
    est::wire::csr_attributes::oracle::oracle(data);
    let limits = CsrAttributesLimits::default();
    let accepted = [
        CsrAttributes::from_body(data, &limits),
        CsrAttributes::from_der(data, &limits),
    ];
    for attributes in accepted.into_iter().flatten() {
        check_request(&attributes);
    }
}

fn check_request(attributes: &CsrAttributes) {
    let requirements = attributes.requirements();
    // Must not panic, whatever is wanted.
    drop(honour::key(&requirements, NewKey::EcP256));
    let subject = "CN=x".parse().expect("a subject");
    let mut template = RequestTemplate::new(subject, &[]).expect("no names to be wrong");
    honour::template(&requirements, &mut template);
    let Ok(der) = template.sign(key(), None) else {
        return;
    };
    // What a server may ask for is bounded by other limits than what a server takes.
    let limits = CsrLimits {
        length: usize::MAX,
        attributes: usize::MAX,
        extensions: usize::MAX,
    };
    let csr = UnverifiedCsr::from_der(&der, &limits).expect("a request that was made can be read");
    let csr = csr
        .verify(&VerificationPolicy::default())
        .expect("and its signature is right");
    assert_eq!(csr.public_key().spki_der(), key().spki_der());
    // Must not panic; some wishes only a person can fulfil.
    drop(enforce(attributes, &csr));
}

fn key() -> &'static RequestKey {
    static KEY: OnceLock<RequestKey> = OnceLock::new();
    KEY.get_or_init(|| RequestKey::generate(NewKey::EcP256).expect("the provider makes P-256 keys"))
}
