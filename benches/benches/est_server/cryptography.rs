//! What the cryptography of a request costs by itself, by the provider that the server uses.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use est::request::{KeyAndRequest, Subject};
use est::wire::csr::{CsrLimits, UnverifiedCsr};
use pki_common::identity::{NewKey, generate_key};
use pki_common::tls::crypto_provider;
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::sign::Signer;
use rustls::{NamedGroup, SignatureScheme};
use rustls_pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm};

use super::Rates;

/// How long one kind of operation is repeated for a rate.
const SAMPLE: Duration = Duration::from_millis(400);

/// The operations of one enrolment, ECDSA P-256 with SHA-256 and X25519.
pub(crate) struct Cryptography {
    group: &'static dyn SupportedKxGroup,
    peer_share: Vec<u8>,
    signer: Box<dyn Signer>,
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    public_key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Cryptography {
    /// Takes a real request apart.
    pub(crate) fn new() -> Self {
        let provider: Arc<CryptoProvider> = crypto_provider().expect("the feature aws-lc-rs is on");
        let key = PrivateKeyDer::from(generate_key(NewKey::EcP256).expect("the provider makes P-256 keys"));
        let signer = provider
            .key_provider
            .load_private_key(key)
            .expect("the key was just made")
            .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
            .expect("a P-256 key signs with SHA-256");
        let group = provider
            .kx_groups
            .iter()
            .copied()
            .find(|group| group.name() == NamedGroup::X25519)
            .expect("every provider has X25519");
        let peer_share = group.start().expect("the provider makes keys").pub_key().to_vec();
        let subject: Subject = "CN=bench".parse().expect("a valid subject");
        let request = KeyAndRequest::generate(subject, Vec::new(), NewKey::EcP256).expect("a valid request");
        let csr = UnverifiedCsr::from_der(request.csr_der(), &CsrLimits::default()).expect("our own request");
        let contents = csr.unverified_contents();
        // The point of a P-256 key is the last 65 bytes of its SubjectPublicKeyInfo.
        let spki = contents.public_key().spki_der();
        let public_key = spki.get(spki.len() - 65..).expect("a P-256 key").to_vec();
        let (message, signature) = (contents.info_der().to_vec(), contents.signature().to_vec());
        let algorithm = provider
            .signature_verification_algorithms
            .all
            .iter()
            .copied()
            .find(|algorithm| {
                algorithm
                    .verify_signature(&public_key, &message, &signature)
                    .is_ok()
            })
            .expect("the provider verifies P-256 with SHA-256");
        Self {
            group,
            peer_share,
            signer,
            algorithm,
            public_key,
            message,
            signature,
        }
    }

    /// One verification of a request and one signature of a certificate.
    pub(crate) fn enrolment(&self) {
        self.algorithm
            .verify_signature(
                black_box(&self.public_key),
                black_box(&self.message),
                &self.signature,
            )
            .expect("a good signature");
        self.sign();
    }

    /// What a server does in a full TLS 1.3 handshake: an ephemeral key, the agreement, a signature.
    pub(crate) fn handshake(&self) {
        let ephemeral = self.group.start().expect("the provider makes keys");
        let secret = ephemeral
            .complete(black_box(&self.peer_share))
            .expect("a good share");
        black_box(secret.secret_bytes().len());
        self.sign();
    }

    fn sign(&self) {
        black_box(
            self.signer
                .sign(black_box(&self.message))
                .expect("the provider signs"),
        );
    }
}

/// Operations a second, on one core: of time, and of this thread's processor time.
pub(crate) fn rate(operation: impl Fn()) -> Rates {
    let (started, before) = (Instant::now(), processor_seconds());
    let mut done = 0_u32;
    while started.elapsed() < SAMPLE {
        for _ in 0..16 {
            operation();
        }
        done += 16;
    }
    Rates {
        seen: f64::from(done) / started.elapsed().as_secs_f64(),
        per_processor_second: f64::from(done) / (processor_seconds() - before),
    }
}

fn processor_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used)
        .expect("time that was used is not negative")
        .as_secs_f64()
}
