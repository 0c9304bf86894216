//! From a certification request to a certificate, against the bare cost of the cryptography in it: one verification of
//! the request's signature and one signature of the authority, both ECDSA P-256, by the same provider.

#![allow(
    missing_docs,
    reason = "criterion's macro-free main needs no documentation of its own"
)]

use std::hint::black_box;
use std::time::Duration;

use benches::Comparison;
use est::ca::issue::issue;
use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::request::{KeyAndRequest, Subject};
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
use pki_common::identity::{NewKey, generate_key};
use pki_common::tls::crypto_provider;
use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm, UnixTime};

fn main() {
    let provider = crypto_provider().expect("the feature aws-lc-rs is on");
    let ca_key = PrivateKeyDer::from(generate_key(NewKey::EcP256).expect("the provider makes P-256 keys"));
    let bare_key = provider
        .key_provider
        .load_private_key(ca_key.clone_key())
        .expect("the key was just made");
    let year = Duration::from_secs(365 * 24 * 3600);
    let now = UnixTime::now();
    let issuer = Issuer::self_signed(
        "CN=Bench Root,DC=example,DC=com",
        ca_key,
        year,
        now,
        provider.clone(),
    )
    .expect("a valid subject");
    let subject: Subject = "DC=com,DC=example,OU=eng,OU=lab,CN=bench"
        .parse()
        .expect("a valid subject");
    let request = KeyAndRequest::generate(subject, Vec::new(), NewKey::EcP256).expect("a valid request");
    let csr = request.csr_der();

    let bare = BareCryptography::of(csr, &*bare_key, provider.signature_verification_algorithms.all);
    let mut criterion = benches::criterion();
    let mut group = criterion.benchmark_group("est-issuance");
    group.bench_function("csr-to-certificate", |b| {
        b.iter(|| issue_one(black_box(csr), &issuer, now));
    });
    group.bench_function("one verify and one sign", |b| {
        b.iter(|| bare.run());
    });
    group.finish();
    criterion.final_summary();
    Comparison {
        group: "est-issuance",
        ours: "csr-to-certificate",
        baseline: "one verify and one sign",
        what: "CSR to certificate, no log",
    }
    .report();
}

/// All of an enrolment but transport and log.
fn issue_one(csr: &[u8], issuer: &Issuer, now: UnixTime) -> Vec<u8> {
    let csr = UnverifiedCsr::from_der(csr, &CsrLimits::default())
        .and_then(|csr| csr.verify(&VerificationPolicy::default()))
        .expect("our own request");
    let serial = issuer.random_serial().expect("the provider gives random bytes");
    let issued = issue(issuer, &csr, &IssuancePolicy::default(), serial, now).expect("the policy allows it");
    issued.certificate.to_vec()
}

struct BareCryptography<'a> {
    key: &'a dyn SigningKey,
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    public_key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> BareCryptography<'a> {
    /// The parts of a real request, and the algorithm of the provider that verifies it.
    fn of(
        csr: &[u8],
        key: &'a dyn SigningKey,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Self {
        let csr = UnverifiedCsr::from_der(csr, &CsrLimits::default()).expect("our own request");
        let contents = csr.unverified_contents();
        // The point of a P-256 key is the last 65 bytes of its SubjectPublicKeyInfo.
        let spki = contents.public_key().spki_der();
        let public_key = spki.get(spki.len() - 65..).expect("a P-256 key").to_vec();
        let (message, signature) = (contents.info_der().to_vec(), contents.signature().to_vec());
        let algorithm = algorithms
            .iter()
            .copied()
            .find(|algorithm| {
                algorithm
                    .verify_signature(&public_key, &message, &signature)
                    .is_ok()
            })
            .expect("the provider verifies P-256 with SHA-256");
        Self {
            key,
            algorithm,
            public_key,
            message,
            signature,
        }
    }

    fn run(&self) -> Vec<u8> {
        self.algorithm
            .verify_signature(
                black_box(&self.public_key),
                black_box(&self.message),
                &self.signature,
            )
            .expect("a good signature");
        let signer = self
            .key
            .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
            .expect("a P-256 key signs with SHA-256");
        signer.sign(black_box(&self.message)).expect("the provider signs")
    }
}
