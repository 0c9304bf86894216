//! Proofs by a shared secret: of identity (RFC 5272 section 6.2) and of the link between identity and possession
//! (section 6.3.1).

use const_oid::ObjectIdentifier;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use pki_common::{Diagnose, Failure, KnownCause, Rung, Side};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::MacProof;
use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::csr::name_with_oid;

const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
/// `id-hmacWithSHA1` (RFC 8018 appendix B.1.1), and the number that RFC 2797 gave the same algorithm.
const HMAC_SHA_1: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.113549.2.7"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.8.1.2"),
];
const HMAC_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");

/// Why a proof is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityProofError {
    /// An algorithm is not one of SHA-1, SHA-256, SHA-384 and SHA-512 with HMAC.
    #[error("the proof uses the algorithm {0}, which is not supported")]
    Algorithm(String),
    /// Another secret, or another message.
    #[error("the proof does not fit the secret and the message")]
    Wrong,
}

impl Diagnose for IdentityProofError {
    fn diagnose(&self) -> Failure {
        match self {
            Self::Algorithm(_) => Failure::new(
                Rung::Body,
                format!("{self}."),
                "Make the proof with SHA-256 and HMAC-SHA256.",
            ),
            Self::Wrong => KnownCause::CredentialsRefused.failure(format!("{self}.")),
        }
        .refused_by(Side::Local)
    }
}

/// Makes the value of an `identityProofV2` over the reqSequence (its whole encoding), with SHA-256 and HMAC-SHA256.
/// The identification is the text of the control of that name, when the message has one.
pub fn prove(requests_der: &[u8], secret: &[u8], identification: Option<&str>) -> MacProof {
    let key = Sha256::new_with_prefix(secret)
        .chain_update(identification.unwrap_or_default())
        .finalize();
    MacProof {
        key_algorithm: algorithm(&SHA_256),
        mac_algorithm: algorithm(&HMAC_SHA_256),
        witness: code::<Hmac<Sha256>>(&key, requests_der),
    }
}

/// Makes the value of a `popLinkWitnessV2` over the octets of `popLinkRandom`, with SHA-256 and HMAC-SHA256.
pub fn link(random: &[u8], secret: &[u8]) -> MacProof {
    prove(random, secret, None)
}

/// Checks the value of an `identityProofV2` over the reqSequence, or that of a `popLinkWitnessV2` over the octets of
/// `popLinkRandom` (without an identification, which does not enter that one).
///
/// # Errors
/// [`IdentityProofError`]. The comparison takes the same time wherever the codes differ.
pub fn verify(
    proof: &MacProof,
    message: &[u8],
    secret: &[u8],
    identification: Option<&str>,
) -> Result<(), IdentityProofError> {
    let hash = oid_of(&proof.key_algorithm)?;
    let identification = identification.unwrap_or_default().as_bytes();
    let key = match hash {
        SHA_1 => key::<Sha1>(secret, identification),
        SHA_256 => key::<Sha256>(secret, identification),
        SHA_384 => key::<Sha384>(secret, identification),
        SHA_512 => key::<Sha512>(secret, identification),
        other => return Err(IdentityProofError::Algorithm(name_with_oid(&other))),
    };
    let mac = oid_of(&proof.mac_algorithm)?;
    let witness = &proof.witness;
    let fits = match mac {
        mac if HMAC_SHA_1.contains(&mac) => fits::<Hmac<Sha1>>(&key, message, witness),
        HMAC_SHA_256 => fits::<Hmac<Sha256>>(&key, message, witness),
        HMAC_SHA_384 => fits::<Hmac<Sha384>>(&key, message, witness),
        HMAC_SHA_512 => fits::<Hmac<Sha512>>(&key, message, witness),
        other => return Err(IdentityProofError::Algorithm(name_with_oid(&other))),
    };
    fits.then_some(()).ok_or(IdentityProofError::Wrong)
}

/// Checks the value of an `identityProof` (or `popLinkWitness`), which has SHA-1 and HMAC-SHA1 fixed. HMAC does not
/// depend on what SHA-1 no longer gives; the message is protected all the same.
///
/// # Errors
/// [`IdentityProofError::Wrong`].
pub fn verify_sha1(
    witness: &[u8],
    message: &[u8],
    secret: &[u8],
    identification: Option<&str>,
) -> Result<(), IdentityProofError> {
    let key = key::<Sha1>(secret, identification.unwrap_or_default().as_bytes());
    fits::<Hmac<Sha1>>(&key, message, witness)
        .then_some(())
        .ok_or(IdentityProofError::Wrong)
}

fn key<D: sha2::Digest>(secret: &[u8], identification: &[u8]) -> Vec<u8> {
    D::new()
        .chain_update(secret)
        .chain_update(identification)
        .finalize()
        .to_vec()
}

fn keyed<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Option<M> {
    // HMAC takes a key of any length, so this always yields one.
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac)
}

fn code<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    keyed::<M>(key, message).map_or_else(Vec::new, |mac| mac.finalize().into_bytes().to_vec())
}

fn fits<M: Mac + KeyInit>(key: &[u8], message: &[u8], witness: &[u8]) -> bool {
    keyed::<M>(key, message).is_some_and(|mac| mac.verify_slice(witness).is_ok())
}

/// An AlgorithmIdentifier without parameters.
fn algorithm(oid: &ObjectIdentifier) -> Vec<u8> {
    let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
    asn1::encode(tag::SEQUENCE, &[&oid])
}

/// The algorithm of an AlgorithmIdentifier; the parameters of all that are supported say nothing.
fn oid_of(algorithm: &[u8]) -> Result<ObjectIdentifier, IdentityProofError> {
    let oid = || {
        let mut reader = Reader::new(algorithm, Rules::Ber)
            .sequence("algorithm")?
            .reader(Rules::Ber);
        reader.any("algorithm")?.object_identifier("algorithm")
    };
    oid().map_err(|error: crate::WireError| IdentityProofError::Algorithm(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef";

    fn with_algorithms(hash: &str, mac: &str, witness: &str) -> MacProof {
        let oid = |dotted| algorithm(&ObjectIdentifier::new(dotted).unwrap());
        let digits: Vec<u8> = witness.bytes().collect();
        MacProof {
            key_algorithm: oid(hash),
            mac_algorithm: oid(mac),
            witness: digits
                .chunks(2)
                .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
                .collect(),
        }
    }

    /// Made with `openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '%s' 0123456789abcdefdevice-7 | openssl dgst
    /// -sha256 -r | cut -d' ' -f1)` over the octets 30 00.
    #[test]
    fn agrees_with_openssl_on_known_secrets() {
        let table = include_str!("../../../testdata/cmc/identity-proof.txt");
        let mut count = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split(' ').collect();
            let [hash, mac, identification, witness] = fields[..] else {
                panic!("{line}")
            };
            let proof = with_algorithms(hash, mac, witness);
            let identification = (identification != "-").then_some(identification);
            assert_eq!(
                verify(&proof, &[0x30, 0], SECRET, identification),
                Ok(()),
                "{line}"
            );
            let wrong = Err(IdentityProofError::Wrong);
            assert_eq!(
                verify(&proof, &[0x30, 1], SECRET, identification),
                wrong,
                "{line}"
            );
            assert_eq!(verify(&proof, &[0x30, 0], b"another", identification), wrong);
            assert_eq!(verify(&proof, &[0x30, 0], SECRET, Some("x")), wrong);
            count += 1;
        }
        assert_eq!(count, 6);
    }

    #[test]
    fn what_is_proven_here_is_accepted_here() {
        let proof = prove(b"requests", SECRET, Some("device-7"));
        assert_eq!(verify(&proof, b"requests", SECRET, Some("device-7")), Ok(()));
        assert!(verify(&proof, b"requests", SECRET, None).is_err());
        let proof = link(b"random", SECRET);
        assert_eq!(verify(&proof, b"random", SECRET, None), Ok(()));
    }

    #[test]
    fn names_an_algorithm_that_is_not_supported() {
        let proof = with_algorithms("1.2.3.4", "1.2.840.113549.2.9", "00");
        let error = verify(&proof, b"", SECRET, None).unwrap_err();
        assert!(error.to_string().contains("1.2.3.4"), "{error}");
        let proof = with_algorithms("1.3.14.3.2.26", "1.2.840.113549.2.99", "00");
        assert!(matches!(
            verify(&proof, b"", SECRET, None),
            Err(IdentityProofError::Algorithm(_))
        ));
    }
}
