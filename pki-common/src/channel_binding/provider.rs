//! The crypto provider whose TLS 1.2 cipher suites tell the recorder of Finished messages.

use std::sync::{Arc, OnceLock};

use rustls::crypto::tls12::Prf;
use rustls::crypto::{ActiveKeyExchange, CipherSuiteCommon, CryptoProvider};
use rustls::{SupportedCipherSuite, Tls12CipherSuite};

use super::recorder::{note_extended_master_secret, note_finished};
use crate::tls::{TlsConfigError, crypto_provider};

/// The crypto provider of this build with recording cipher suites.
///
/// # Errors
/// As [`crypto_provider`].
pub(crate) fn recording_provider() -> Result<Arc<CryptoProvider>, TlsConfigError> {
    static RECORDING: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    if let Some(made) = RECORDING.get() {
        return Ok(Arc::clone(made));
    }
    let plain = crypto_provider()?;
    Ok(Arc::clone(RECORDING.get_or_init(|| Arc::new(recording(&plain)))))
}

fn recording(plain: &CryptoProvider) -> CryptoProvider {
    CryptoProvider {
        cipher_suites: plain.cipher_suites.iter().copied().map(recording_suite).collect(),
        ..plain.clone()
    }
}

fn recording_suite(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let SupportedCipherSuite::Tls12(plain) = suite else {
        return suite;
    };
    // rustls wants a suite for the life of the process. It is made once, because the provider is.
    let prf_provider: &'static RecordingPrf = Box::leak(Box::new(RecordingPrf(plain.prf_provider)));
    SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: plain.common.suite,
            hash_provider: plain.common.hash_provider,
            confidentiality_limit: plain.common.confidentiality_limit,
        },
        prf_provider,
        kx: plain.kx,
        sign: plain.sign,
        aead_alg: plain.aead_alg,
    })))
}

/// A pseudo-random function that tells what it made, and leaves making it to another.
struct RecordingPrf(&'static dyn Prf);

impl Prf for RecordingPrf {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), rustls::Error> {
        self.0.for_key_exchange(output, kx, peer_pub_key, label, seed)?;
        if label == b"extended master secret" {
            note_extended_master_secret();
        }
        Ok(())
    }

    fn for_secret(&self, output: &mut [u8], secret: &[u8], label: &[u8], seed: &[u8]) {
        self.0.for_secret(output, secret, label, seed);
        if label == b"client finished" || label == b"server finished" {
            note_finished(output);
        }
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}
