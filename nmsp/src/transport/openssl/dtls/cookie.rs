//! Cookies that only the receiver of a HelloVerifyRequest can know (RFC 6347 section 4.2.1).

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::sign::Signer;
use tokio::time::Instant;

use super::hello::ClientHello;

/// How long a key makes cookies; it verifies them for as long again. A client answers within seconds.
const KEY_LIFE: Duration = Duration::from_secs(60);

/// The keys of a listener. A cookie is an HMAC over the client's address and the unchanging beginning of its hello.
#[derive(Debug)]
pub(super) struct Cookies {
    current: PKey<Private>,
    previous: PKey<Private>,
    renewed: Instant,
}

fn random_key() -> Result<PKey<Private>, ErrorStack> {
    let mut key = [0; 32];
    rand_bytes(&mut key)?;
    PKey::hmac(&key)
}

impl Cookies {
    pub(super) fn new() -> Result<Self, ErrorStack> {
        Ok(Self {
            current: random_key()?,
            previous: random_key()?,
            renewed: Instant::now(),
        })
    }

    /// The cookie to ask for.
    pub(super) fn make(&mut self, peer: SocketAddr, hello: &ClientHello<'_>) -> Result<Vec<u8>, ErrorStack> {
        if self.renewed.elapsed() > KEY_LIFE {
            self.previous = core::mem::replace(&mut self.current, random_key()?);
            self.renewed = Instant::now();
        }
        sign(&self.current, peer, hello)
    }

    /// Whether the hello's cookie was made for this client.
    pub(super) fn verify(&self, peer: SocketAddr, hello: &ClientHello<'_>) -> Result<bool, ErrorStack> {
        for key in [&self.current, &self.previous] {
            let expected = sign(key, peer, hello)?;
            if expected.len() == hello.cookie.len() && memcmp::eq(&expected, hello.cookie) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn sign(key: &PKey<Private>, peer: SocketAddr, hello: &ClientHello<'_>) -> Result<Vec<u8>, ErrorStack> {
    let mut signer = Signer::new(MessageDigest::sha256(), key)?;
    match peer.ip() {
        IpAddr::V4(ip) => signer.update(&ip.octets())?,
        IpAddr::V6(ip) => signer.update(&ip.octets())?,
    }
    signer.update(&peer.port().to_be_bytes())?;
    signer.update(hello.parameters())?;
    signer.sign_to_vec()
}
