//! Full CMC requests (RFC 5272) that can be wrong in every part and still be signed.

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::der::{bit_string, context, element, integer, object_identifier, octet_string, sequence, set};
use super::key::Key;

/// `id-signedData`
pub(super) const SIGNED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 2];
/// `id-data`
pub(super) const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
/// `id-envelopedData`
pub(super) const ENVELOPED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 3];
/// `id-cct-PKIData` (RFC 5272 section 3.2.1)
pub(super) const PKI_DATA: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 12, 2];
/// `id-cmc-transactionId`
pub(super) const TRANSACTION_ID: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 5];
/// `id-cmc-senderNonce`
pub(super) const SENDER_NONCE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 6];
const CONTENT_TYPE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 4];
const SHA_256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];

/// The four lists of a `PKIData`.
#[derive(Clone, Debug, Default)]
pub(super) struct PkiData {
    pub(super) controls: Vec<Vec<u8>>,
    pub(super) requests: Vec<Vec<u8>>,
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) others: Vec<Vec<u8>>,
}

impl PkiData {
    /// Asks for a certificate for this PKCS #10 request.
    pub(super) fn asking(request: &[u8], nonce: &[u8]) -> Self {
        Self {
            controls: vec![
                control(2, TRANSACTION_ID, &[&integer(&[0x4d])]),
                control(3, SENDER_NONCE, &[&octet_string(nonce)]),
            ],
            requests: vec![pkcs10(1, request)],
            ..Self::default()
        }
    }

    pub(super) fn der(&self) -> Vec<u8> {
        let lists = [&self.controls, &self.requests, &self.messages, &self.others].map(|list| {
            let parts: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
            sequence(&parts)
        });
        sequence(&lists.each_ref().map(Vec::as_slice))
    }
}

/// A `TaggedAttribute`.
pub(super) fn control(id: u64, kind: &[u64], values: &[&[u8]]) -> Vec<u8> {
    sequence(&[
        &integer(&id.to_be_bytes()),
        &object_identifier(kind),
        &set(values),
    ])
}

/// A `TaggedCertificationRequest`.
pub(super) fn pkcs10(id: u64, request: &[u8]) -> Vec<u8> {
    context(0, &[&integer(&id.to_be_bytes()), request])
}

/// A `SignedData`, part by part.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) version: u8,
    pub(super) content_type: Vec<u64>,
    pub(super) content: Vec<u8>,
    /// Whether the content travels in it.
    pub(super) attached: bool,
    /// What the signer claims the hash of the content to be.
    pub(super) digest: Vec<u8>,
    /// How often the signer signs.
    pub(super) signers: usize,
    /// Changes the signature.
    pub(super) signature_off: bool,
}

impl Signed {
    pub(super) fn new(content: Vec<u8>) -> Self {
        Self {
            version: 3,
            content_type: PKI_DATA.to_vec(),
            digest: Sha256::digest(&content).to_vec(),
            content,
            attached: true,
            signers: 1,
            signature_off: false,
        }
    }

    /// The message, signed with the key of the request in it, which the key identifier names (RFC 5272 section 4.2).
    pub(super) fn der(&self, key: &dyn Key, point: &[u8]) -> Vec<u8> {
        let kind = object_identifier(&self.content_type);
        let digest_algorithm = sequence(&[&object_identifier(SHA_256)]);
        let encapsulated = if self.attached {
            sequence(&[&kind, &context(0, &[&octet_string(&self.content)])])
        } else {
            sequence(&[&kind])
        };
        let signer = self.signer(key, point, &kind, &digest_algorithm);
        let signers = vec![signer.as_slice(); self.signers];
        let signed = sequence(&[
            &integer(&[self.version]),
            &set(&[&digest_algorithm]),
            &encapsulated,
            &set(&signers),
        ]);
        content_info(SIGNED_DATA, &signed)
    }

    fn signer(&self, key: &dyn Key, point: &[u8], kind: &[u8], digest_algorithm: &[u8]) -> Vec<u8> {
        let attribute = |oid: &[u64], value: &[u8]| sequence(&[&object_identifier(oid), &set(&[value])]);
        let attributes = [
            attribute(CONTENT_TYPE, kind),
            attribute(MESSAGE_DIGEST, &octet_string(&self.digest)),
        ];
        let attributes = attributes.each_ref().map(Vec::as_slice);
        // Signed as a SET, sent as [0] (RFC 5652 section 5.4).
        let mut signature = key.sign(&set(&attributes));
        if self.signature_off
            && let Some(last) = signature.last_mut()
        {
            *last ^= 1;
        }
        sequence(&[
            &integer(&[3]),
            &element(0x80, &[&Sha1::digest(point)]),
            digest_algorithm,
            &context(0, &attributes),
            &key.algorithm(),
            &octet_string(&signature),
        ])
    }
}

/// A `ContentInfo`.
pub(super) fn content_info(kind: &[u64], content: &[u8]) -> Vec<u8> {
    sequence(&[&object_identifier(kind), &context(0, &[content])])
}

/// `EnvelopedData` for nobody, where a signed message is expected.
pub(super) fn enveloped(content: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[
        &object_identifier(&[2, 16, 840, 1, 101, 3, 4, 1, 2]),
        &octet_string(&[0; 16]),
    ]);
    let encrypted = sequence(&[&object_identifier(DATA), &algorithm, &element(0x80, &[content])]);
    content_info(
        ENVELOPED_DATA,
        &sequence(&[&integer(&[0]), &set(&[]), &encrypted]),
    )
}

/// A request in the syntax of RFC 4211 whose proof of possession is this.
pub(super) fn crmf(id: u64, public_key_info: &[u8], proof: &[u8]) -> Vec<u8> {
    // The content of the SEQUENCE, under [6] IMPLICIT.
    let key = super::der_tree::parse(public_key_info)
        .and_then(|forest| match forest.into_iter().next()?.content {
            super::der_tree::Content::Elements(elements) => Some(super::der_tree::written(&elements)),
            super::der_tree::Content::Octets(octets) => Some(octets),
        })
        .unwrap_or_default();
    let fields = sequence(&[&context(5, &[&sequence(&[])]), &context(6, &[&key])]);
    let request = sequence(&[&integer(&id.to_be_bytes()), &fields]);
    context(1, &[&request, proof])
}

/// A signature over nothing in particular, where RFC 4211 section 4.1 has one over the request.
pub(super) fn wrong_proof(key: &dyn Key) -> Vec<u8> {
    context(1, &[&key.algorithm(), &bit_string(&key.sign(b"another message"))])
}

#[cfg(test)]
mod tests {
    use est::wire::cmc::{CmcLimits, PkiData as OurPkiData};
    use est::wire::cms::CmsLimits;
    use est::wire::cms::signed_data::SignedData;
    use fastrand::Rng;
    use pki_common::signature::SignaturePolicy;

    use super::*;
    use crate::device_fuzz::grammar::est::certification_request::Parts;
    use crate::device_fuzz::grammar::est::key::EcKey;

    #[test]
    fn a_full_request_is_read_and_its_signature_is_good() {
        let key = EcKey::new(&mut Rng::with_seed(1));
        let request = Parts::new("fuzz", &key).sign(&key);
        let data = PkiData::asking(&request, b"nonce").der();
        let message = Signed::new(data).der(&key, &key.point(false));

        let signed = SignedData::parse(&message, &CmsLimits::default()).unwrap();
        let [signer] = signed.signers() else {
            panic!("{signed:?}")
        };
        signed
            .verify_signer(signer, &key.public_key_info(), SignaturePolicy::default())
            .unwrap();
        let data = OurPkiData::from_der(signed.content().unwrap(), &CmcLimits::default()).unwrap();
        assert_eq!((data.controls().len(), data.requests().len()), (2, 1));
        assert!(signer.identifier().names_key(&key.public_key_info()));
    }
}
