//! Keys that are made from the seed, so that a request is the same bytes each time. They protect nothing.

use std::sync::OnceLock;

use fastrand::Rng;
use p256::elliptic_curve::ff::Field as _;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{ProjectivePoint, Scalar, U256};
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPrivateKey};
use sha2::{Digest as _, Sha256};

use super::der::{bit_string, integer, object_identifier, sequence};

/// `id-ecPublicKey`
pub(super) const EC_PUBLIC_KEY: &[u64] = &[1, 2, 840, 10045, 2, 1];
/// `prime256v1`
pub(super) const PRIME256V1: &[u64] = &[1, 2, 840, 10045, 3, 1, 7];
/// `ecdsa-with-SHA256`
pub(super) const ECDSA_WITH_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
/// `rsaEncryption`
pub(super) const RSA_ENCRYPTION: &[u64] = &[1, 2, 840, 113_549, 1, 1, 1];
/// `sha256WithRSAEncryption`
pub(super) const SHA256_WITH_RSA: &[u64] = &[1, 2, 840, 113_549, 1, 1, 11];

/// What a request is signed with.
pub(super) trait Key {
    /// The `SubjectPublicKeyInfo`.
    fn public_key_info(&self) -> Vec<u8>;
    /// The `AlgorithmIdentifier` of the signatures.
    fn algorithm(&self) -> Vec<u8>;
    /// A signature, as it stands in the BIT STRING. The same message has the same one.
    fn sign(&self, message: &[u8]) -> Vec<u8>;
}

/// P-256.
#[derive(Clone, Debug)]
pub(super) struct EcKey {
    secret: Scalar,
}

impl EcKey {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut octets = [0; 32];
        rng.fill(&mut octets);
        // Not zero: that has no public key.
        octets[31] |= 1;
        Self::of(&octets)
    }

    /// The key of these octets, as [`EcKey::octets`] gives them; what is missing is zero.
    pub(super) fn of(octets: &[u8]) -> Self {
        let mut all = [0; 32];
        all.iter_mut()
            .zip(octets)
            .for_each(|(place, octet)| *place = *octet);
        Self { secret: scalar(&all) }
    }

    /// The private key.
    pub(super) fn octets(&self) -> [u8; 32] {
        self.secret.to_bytes().into()
    }

    /// The point, uncompressed or compressed.
    pub(super) fn point(&self, compressed: bool) -> Vec<u8> {
        let point = ProjectivePoint::GENERATOR * self.secret;
        point.to_affine().to_encoded_point(compressed).as_bytes().to_vec()
    }

    /// The key information around any point.
    pub(super) fn info_of(point: &[u8]) -> Vec<u8> {
        let algorithm = sequence(&[&object_identifier(EC_PUBLIC_KEY), &object_identifier(PRIME256V1)]);
        sequence(&[&algorithm, &bit_string(point)])
    }
}

fn scalar(octets: &[u8; 32]) -> Scalar {
    <Scalar as Reduce<U256>>::reduce_bytes(&(*octets).into())
}

impl Key for EcKey {
    fn public_key_info(&self) -> Vec<u8> {
        Self::info_of(&self.point(false))
    }

    fn algorithm(&self) -> Vec<u8> {
        sequence(&[&object_identifier(ECDSA_WITH_SHA256)])
    }

    /// FIPS 186-5 section 6.4. The nonce is a hash of key and message: the signature depends on nothing else.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest: [u8; 32] = Sha256::digest(message).into();
        let secret: [u8; 32] = self.secret.to_bytes().into();
        let mut counter = 0_u8;
        loop {
            let nonce: [u8; 32] = Sha256::new()
                .chain_update(secret)
                .chain_update(digest)
                .chain_update([counter])
                .finalize()
                .into();
            counter = counter.wrapping_add(1);
            let nonce = scalar(&nonce);
            let point = (ProjectivePoint::GENERATOR * nonce).to_affine();
            let r = <Scalar as Reduce<U256>>::reduce_bytes(&point.x());
            let inverse: Option<Scalar> = nonce.invert().into();
            let Some(inverse) = inverse else { continue };
            let s = inverse * (scalar(&digest) + r * self.secret);
            if !bool::from(r.is_zero()) && !bool::from(s.is_zero()) {
                return sequence(&[&integer(&r.to_bytes()), &integer(&s.to_bytes())]);
            }
        }
    }
}

/// RSA.
#[derive(Clone, Debug)]
pub(super) struct RsaKey {
    key: RsaPrivateKey,
}

impl RsaKey {
    /// The parts of a public key as they are, sensible or not.
    pub(super) fn info_of(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        let key = sequence(&[&integer(modulus), &integer(exponent)]);
        let algorithm = sequence(&[&object_identifier(RSA_ENCRYPTION), &[5, 0]]);
        sequence(&[&algorithm, &bit_string(&key)])
    }

    pub(super) fn modulus(&self) -> Vec<u8> {
        self.key.n().to_bytes_be()
    }
}

impl Key for RsaKey {
    fn public_key_info(&self) -> Vec<u8> {
        Self::info_of(&self.modulus(), &self.key.e().to_bytes_be())
    }

    fn algorithm(&self) -> Vec<u8> {
        sequence(&[&object_identifier(SHA256_WITH_RSA), &[5, 0]])
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        // Without blinding, so that it is the same each time: the key protects nothing.
        SigningKey::<Sha256>::new(self.key.clone()).sign(message).to_vec()
    }
}

/// An RSA "key" with exponent 1, with which everybody signs: the signature is the padded hash itself.
#[derive(Clone, Debug)]
pub(super) struct ExponentOne {
    pub(super) modulus: Vec<u8>,
}

impl Key for ExponentOne {
    fn public_key_info(&self) -> Vec<u8> {
        RsaKey::info_of(&self.modulus, &[1])
    }

    fn algorithm(&self) -> Vec<u8> {
        sequence(&[&object_identifier(SHA256_WITH_RSA), &[5, 0]])
    }

    /// RFC 8017, section 9.2.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        const DIGEST_INFO: [u8; 19] = [
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
            0x00, 0x04, 0x20,
        ];
        let digest = Sha256::digest(message);
        let padding = self
            .modulus
            .len()
            .saturating_sub(3 + DIGEST_INFO.len() + digest.len());
        let mut block = vec![0, 1];
        block.resize(2 + padding, 0xff);
        block.push(0);
        block.extend(DIGEST_INFO);
        block.extend(digest);
        block
    }
}

/// RSA keys take long to make: each size once in a run.
#[derive(Debug)]
pub(super) struct RsaKeys {
    seed: u64,
    keys: [OnceLock<RsaKey>; 3],
}

impl RsaKeys {
    /// The sizes, in bits. The first two are too short for any use.
    pub(super) const SIZES: [usize; 3] = [512, 1024, 2048];

    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            keys: Default::default(),
        }
    }

    /// The key of the size with this number; `None` when the library does not make it.
    pub(super) fn of(&self, number: usize) -> Option<&RsaKey> {
        let (bits, key) = (Self::SIZES.get(number)?, self.keys.get(number)?);
        if key.get().is_none() {
            let mut random = Seeded(Rng::with_seed(
                self.seed ^ u64::try_from(*bits).unwrap_or_default(),
            ));
            let made = RsaPrivateKey::new_with_exp(&mut random, *bits, &BigUint::from(65_537_u32)).ok()?;
            return Some(key.get_or_init(|| RsaKey { key: made }));
        }
        key.get()
    }
}

/// Not random at all, and meant so.
struct Seeded(Rng);

impl rand_core::RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        self.0.u32(..)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.u64(..)
    }

    fn fill_bytes(&mut self, destination: &mut [u8]) {
        self.0.fill(destination);
    }

    fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(destination);
        Ok(())
    }
}

/// What the library asks of a source of keys that matter.
impl rand_core::CryptoRng for Seeded {}
