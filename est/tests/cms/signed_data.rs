//! Signed data.

use const_oid::ObjectIdentifier;
use est::wire::cms::signed_data::{SignedData, Signer, sign, sign_by_all};
use est::wire::cms::{CmsError, CmsLimits, ID_DATA};
use pki_common::signature::{SignatureError, SignaturePolicy};
use rustls_pki_types::CertificateDer;

use crate::support::{ED25519, Lab, P256, P384, P521, RSA, certificate, has_key, signing_key};

/// `id-cct-PKIData` (RFC 5272), as content that is not plain data.
const PKI_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.12.2");

const CONTENT: &[u8] = b"what is signed\r\n";

fn parse(message: &[u8]) -> SignedData {
    SignedData::parse(message, &CmsLimits::default()).unwrap()
}

fn strict() -> SignaturePolicy {
    SignaturePolicy::strict()
}

#[test]
fn openssl_verifies_what_rsa_and_ec_keys_sign() {
    let Some(lab) = Lab::open() else { return };
    for (name, kind) in [("rsa", RSA), ("p256", P256), ("p384", P384), ("p521", P521)] {
        if !has_key(kind) {
            continue;
        }
        let identity = lab.identity(name, kind);
        let by_number = Signer::with_identity(&identity);
        let by_key = Signer::without_certificate(signing_key(&identity)).unwrap();
        for signer in [by_number, by_key] {
            for content_type in [ID_DATA, PKI_DATA] {
                let message = sign(content_type, CONTENT, &signer, identity.chain()).unwrap();
                lab.write("message.der", &message);
                let verify = format!("cms -verify -binary -inform DER -in message.der -CAfile {name}.pem");
                assert_eq!(lab.openssl(&verify), CONTENT, "{name} {content_type}");
            }
        }
    }
}

#[test]
fn verifies_what_openssl_signs_in_every_form() {
    let Some(lab) = Lab::open() else { return };
    lab.write("content", CONTENT);
    for (name, kind) in [("rsa", RSA), ("p256", P256), ("p384", P384)] {
        let identity = lab.identity(name, kind);
        for options in [
            "",
            "-keyid",
            "-stream",
            "-indef -keyid",
            "-noattr",
            "-noattr -stream",
            "-md sha384",
            "-md sha512 -noattr",
            "-econtent_type 1.3.6.1.5.5.7.12.2 -md sha256",
        ] {
            // ring has no ECDSA with SHA-512.
            if options.contains("sha512") && kind != RSA && !cfg!(feature = "aws-lc-rs") {
                continue;
            }
            lab.openssl(&format!(
                "cms -sign -binary -nodetach -in content -signer {name}.pem -inkey {name}.key -outform DER \
                 -out message.der {options}"
            ));
            let signed = parse(&lab.read("message.der"));
            assert_eq!(signed.content(), Some(CONTENT), "{name} {options}");
            let signers = signed.verify(&[], strict()).unwrap();
            assert_eq!(signers.len(), 1);
            assert_eq!(signers[0].certificate, certificate(&identity), "{name} {options}");
        }
    }
}

#[test]
fn rsa_pss_signatures_verify() {
    let Some(lab) = Lab::open() else { return };
    lab.write("content", CONTENT);
    lab.identity("rsa", RSA);
    lab.openssl(
        "cms -sign -binary -nodetach -in content -signer rsa.pem -inkey rsa.key -outform DER -out message.der \
         -keyopt rsa_padding_mode:pss -md sha256",
    );
    assert!(parse(&lab.read("message.der")).verify(&[], strict()).is_ok());
}

#[test]
fn every_kind_of_key_signs_what_we_verify() {
    let Some(lab) = Lab::open() else { return };
    for (name, kind) in [("rsa", RSA), ("p256", P256), ("p384", P384), ("ed25519", ED25519)] {
        let identity = lab.identity(name, kind);
        let message = sign(
            PKI_DATA,
            CONTENT,
            &Signer::with_identity(&identity),
            identity.chain(),
        )
        .unwrap();
        let signed = parse(&message);
        assert_eq!(signed.content_type(), PKI_DATA);
        let signers = signed.verify(&[], strict()).unwrap();
        assert_eq!(signers[0].certificate, certificate(&identity), "{name}");
    }
}

#[test]
fn every_one_of_several_signers_is_verified() {
    let Some(lab) = Lab::open() else { return };
    let (first, second) = (lab.identity("first", P256), lab.identity("second", RSA));
    let signers = [Signer::with_identity(&first), Signer::with_identity(&second)];
    let certificates = [first.chain()[0].clone(), second.chain()[0].clone()];
    let message = sign_by_all(ID_DATA, CONTENT, &[&signers[0], &signers[1]], &certificates).unwrap();
    assert_eq!(parse(&message).verify(&[], strict()).unwrap().len(), 2);
    lab.write("message.der", &message);
    let both = [certificates[0].clone(), certificates[1].clone()]
        .map(|der| pem(&der))
        .concat();
    lab.write("both.pem", both.as_bytes());
    let verified = lab.openssl("cms -verify -binary -inform DER -in message.der -CAfile both.pem");
    assert_eq!(verified, CONTENT);
    // One wrong signature spoils the message.
    let mut tampered = message.clone();
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    assert!(matches!(
        parse(&tampered).verify(&[], strict()),
        Err(CmsError::Signature { .. })
    ));
}

fn pem(der: &[u8]) -> String {
    der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der).unwrap()
}

/// Changes the one place in the message where `from` stands.
fn replace(message: &[u8], from: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let places: Vec<usize> = (0..=message.len() - from.len())
        .filter(|start| message[*start..].starts_with(from))
        .collect();
    assert_eq!(places.len(), 1, "the bytes to change stand in one place");
    let mut changed = message.to_vec();
    change(&mut changed[places[0]..places[0] + from.len()]);
    changed
}

#[test]
fn names_what_was_tampered_with() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("p256", P256);
    let message = sign(
        PKI_DATA,
        CONTENT,
        &Signer::with_identity(&identity),
        identity.chain(),
    )
    .unwrap();
    let signed = parse(&message);

    let content = replace(&message, CONTENT, |bytes| bytes[0] ^= 1);
    assert_eq!(
        parse(&content).verify(&[], strict()),
        Err(CmsError::MessageDigest)
    );

    let digest = &signed.signers()[0].signed_attributes()[1].values[0];
    let attribute = replace(&message, digest, |bytes| bytes[9] ^= 1);
    assert_eq!(
        parse(&attribute).verify(&[], strict()),
        Err(CmsError::MessageDigest)
    );

    let signature = replace(&message, signed.signers()[0].signature(), |bytes| bytes[20] ^= 1);
    let Err(error @ CmsError::Signature { .. }) = parse(&signature).verify(&[], strict()) else {
        panic!("a tampered signature is accepted");
    };
    assert!(error.to_string().contains("does not verify"), "{error}");
    assert!(error.to_string().contains("CN=p256"), "{error}");
}

#[test]
fn a_digest_and_content_that_fit_each_other_do_not_replace_the_signature() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("p256", P256);
    let signer = Signer::with_identity(&identity);
    let one = sign(ID_DATA, b"content one", &signer, identity.chain()).unwrap();
    let other = sign(ID_DATA, b"content two", &signer, identity.chain()).unwrap();
    let digests = |message: &[u8]| parse(message).signers()[0].signed_attributes()[1].values[0].clone();
    let (from, to) = (digests(&one), digests(&other));
    let forged = replace(&one, &from, |bytes| bytes.copy_from_slice(&to));
    let forged = replace(&forged, b"content one", |bytes| {
        bytes.copy_from_slice(b"content two");
    });
    let outcome = parse(&forged).verify(&[], strict());
    let Err(CmsError::Signature { cause, .. }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(cause, SignatureError::Invalid);
}

#[test]
fn content_relabelled_as_another_type_is_refused() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("p256", P256);
    let message = sign(
        PKI_DATA,
        CONTENT,
        &Signer::with_identity(&identity),
        identity.chain(),
    )
    .unwrap();
    // The first of the two places is encapContentInfo, the second the signed attribute.
    let place = (0..message.len())
        .find(|start| message[*start..].starts_with(PKI_DATA.as_bytes()))
        .unwrap();
    let mut relabelled = message;
    relabelled[place + PKI_DATA.as_bytes().len() - 1] = 3;
    assert!(matches!(
        parse(&relabelled).verify(&[], strict()),
        Err(CmsError::ContentTypeAttribute { .. })
    ));
}

#[test]
fn content_that_is_not_plain_data_needs_signed_attributes() {
    let Some(lab) = Lab::open() else { return };
    lab.write("content", CONTENT);
    lab.identity("p256", P256);
    lab.openssl(
        "cms -sign -binary -nodetach -noattr -econtent_type 1.3.6.1.5.5.7.12.2 -in content -signer p256.pem \
         -inkey p256.key -outform DER -out message.der",
    );
    let error = parse(&lab.read("message.der")).verify(&[], strict()).unwrap_err();
    assert_eq!(error, CmsError::NoSignedAttributes(PKI_DATA));
}

#[test]
fn a_signer_without_certificate_is_verified_by_its_key_alone() {
    let Some(lab) = Lab::open() else { return };
    let (identity, other) = (lab.identity("p256", P256), lab.identity("other", P256));
    let signer = Signer::without_certificate(signing_key(&identity)).unwrap();
    let signed = parse(&sign(PKI_DATA, CONTENT, &signer, &[]).unwrap());
    assert!(signed.certificates().is_empty());
    let info = &signed.signers()[0];
    let (own_key, other_key) = (certificate(&identity), certificate(&other));
    assert!(info.identifier().names_key(own_key.spki_der()));
    assert_eq!(signed.verify_signer(info, own_key.spki_der(), strict()), Ok(()));
    assert!(
        signed
            .verify_signer(info, other_key.spki_der(), strict())
            .is_err()
    );
    let Err(CmsError::NoSignerCertificate { signer }) = signed.verify(&[], strict()) else {
        panic!("there is no certificate to verify with");
    };
    assert!(signer.starts_with("key identifier "), "{signer}");
    // A certificate that the caller knows serves as well as one in the message.
    assert_eq!(signed.verify(identity.chain(), strict()).unwrap().len(), 1);
}

#[test]
fn certificates_that_pose_as_the_signers_do_not_make_verification_expensive() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("p256", P256);
    let der = identity.chain()[0].to_vec();
    let key = identity.certificate().spki_der();
    let end = der.windows(key.len()).position(|part| part == key).unwrap() + key.len();
    // The same issuer and serial number, other keys.
    let posing = |count: u8| -> Vec<CertificateDer<'static>> {
        (1..=count)
            .map(|change| {
                let mut der = der.clone();
                der[end - 1] ^= change;
                CertificateDer::from(der)
            })
            .collect()
    };
    let signer = Signer::with_identity(&identity);
    let verify = |certificates: &[CertificateDer<'_>]| {
        let message = sign(PKI_DATA, CONTENT, &signer, certificates).unwrap();
        parse(&message).verify(&[], strict())
    };
    let few = [posing(3), identity.chain().to_vec()].concat();
    assert_eq!(verify(&few).unwrap()[0].certificate, certificate(&identity));
    // Without the right one: the set is sorted, and by chance it may be among the first.
    let error = verify(&posing(100)).unwrap_err().to_string();
    assert!(error.contains("the name of one signer"), "{error}");
}

#[test]
fn a_message_that_nobody_signed_says_so() {
    let message = sign_by_all(PKI_DATA, CONTENT, &[], &[]).unwrap();
    let signed = parse(&message);
    assert_eq!(signed.content(), Some(CONTENT));
    assert_eq!(signed.verify(&[], strict()), Err(CmsError::NotSigned));
}

#[test]
fn sha1_is_accepted_only_when_told() {
    let Some(lab) = Lab::open() else { return };
    lab.write("content", CONTENT);
    lab.identity("rsa", RSA);
    lab.openssl(
        "cms -sign -binary -nodetach -in content -signer rsa.pem -inkey rsa.key -md sha1 -outform DER \
         -out message.der",
    );
    let signed = parse(&lab.read("message.der"));
    let Err(CmsError::Signature { cause, .. }) = signed.verify(&[], strict()) else {
        panic!("SHA-1 is accepted");
    };
    assert_eq!(cause, SignatureError::Sha1Refused);
    let old = strict().dangerous_accept_sha1();
    assert!(signed.verify(&[], old).is_ok());
}

#[test]
fn a_detached_signature_has_no_content_to_verify() {
    let Some(lab) = Lab::open() else { return };
    lab.write("content", CONTENT);
    lab.identity("p256", P256);
    lab.openssl(
        "cms -sign -binary -in content -signer p256.pem -inkey p256.key -outform DER -out message.der",
    );
    let signed = parse(&lab.read("message.der"));
    assert_eq!(signed.content(), None);
    assert_eq!(signed.verify(&[], strict()), Err(CmsError::NoContent));
}

#[test]
fn other_messages_and_damaged_ones_are_errors_with_a_place() {
    let Some(lab) = Lab::open() else { return };
    let identity = lab.identity("p256", P256);
    let message = sign(
        ID_DATA,
        CONTENT,
        &Signer::with_identity(&identity),
        identity.chain(),
    )
    .unwrap();
    let limits = CmsLimits::default();
    for length in 0..message.len() {
        assert!(
            SignedData::parse(&message[..length], &limits).is_err(),
            "{length}"
        );
    }
    let longer = [message.as_slice(), &[0]].concat();
    let error = SignedData::parse(&longer, &limits).unwrap_err();
    assert!(error.to_string().contains("1 bytes follow"), "{error}");
    let tight = CmsLimits {
        length: 100,
        ..limits
    };
    assert!(SignedData::parse(&message, &tight).is_err());
    let none = CmsLimits { signers: 0, ..limits };
    let error = SignedData::parse(&message, &none).unwrap_err();
    assert!(error.to_string().contains("more than 0 signers"), "{error}");
}
