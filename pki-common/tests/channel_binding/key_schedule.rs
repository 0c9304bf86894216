//! The tls-exporter on TLS 1.2, computed a second time from the master secret as RFC 5705 section 4 says.

use std::sync::{Arc, Mutex};

use hmac::{Hmac, Mac as _};
use pki_common::tls::TlsVersions;
use rustls::KeyLog;
use sha2::Sha384;

use crate::in_memory::{Pair, client_of, server};
use crate::tls_support::self_signed;

/// Client random and master secret.
#[derive(Debug, Default)]
struct Secrets(Mutex<Option<(Vec<u8>, Vec<u8>)>>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        assert_eq!(label, "CLIENT_RANDOM");
        *self.0.lock().unwrap() = Some((client_random.to_vec(), secret.to_vec()));
    }
}

#[test]
fn the_exporter_on_tls_12_has_an_empty_context_and_not_none() {
    let secrets = Arc::new(Secrets::default());
    let server = server(self_signed(), TlsVersions::Tls12);
    let client = client_of(&server).dangerous_key_log(Arc::<Secrets>::clone(&secrets));
    let pair = Pair::connect(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
    let suite = pair.client.negotiated_cipher_suite().unwrap().suite();
    assert!(format!("{suite:?}").ends_with("SHA384"), "{suite:?}");

    let (client_random, master_secret) = secrets.0.lock().unwrap().take().unwrap();
    // Record header 5, handshake header 4, version 2: then the server's random.
    let server_random = &pair.from_server[11..43];
    let mut seed = b"EXPORTER-Channel-Binding".to_vec();
    seed.extend_from_slice(&client_random);
    seed.extend_from_slice(server_random);
    // The context's length; the context itself is empty.
    seed.extend_from_slice(&[0, 0]);
    assert_eq!(
        pair.agreed().1.unwrap().as_slice(),
        &p_hash(&master_secret, &seed)[..32]
    );
}

/// The first block of P_SHA384 (RFC 5246 section 5).
fn p_hash(secret: &[u8], seed: &[u8]) -> Vec<u8> {
    let hmac = |parts: &[&[u8]]| {
        let mut hmac = Hmac::<Sha384>::new_from_slice(secret).unwrap();
        parts.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into_bytes()
    };
    let a1 = hmac(&[seed]);
    hmac(&[&a1, seed]).to_vec()
}
