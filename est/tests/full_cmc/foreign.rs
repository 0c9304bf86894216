//! Messages of other encoders read here, and ours read by them.

use std::path::Path;
use std::process::Command;

use est::wire::cmc::{
    BodyPartId, BodyPartReference, CertificateRequestMessage, CmcFailInfo, CmcLimits, CmcStatus, Control,
    OtherStatusInfo, PkiData, PkiResponse, ProofOfPossession, TaggedRequest, oracle,
};
use est::wire::csr::{CsrLimits, VerificationPolicy};
use http::StatusCode;

use crate::peers;
use crate::support::{NAME, SECRET, World, builder, der_of, device, pkcs10, signed, test_data};

/// Made by the Python package pyasn1-alt-modules: every kind of control.
#[test]
fn reads_every_control_of_another_encoder_and_writes_it_the_same() {
    let der = test_data("cmc/pki-data.der");
    let data = PkiData::from_der(&der, &CmcLimits::default()).unwrap();
    assert_eq!(data.to_der(), der);
    oracle::oracle(&der);
    let controls: Vec<Control> = data
        .controls()
        .iter()
        .map(|control| control.control().unwrap())
        .collect();
    assert_eq!(controls.len(), 15);
    for (control, read) in data.controls().iter().zip(&controls) {
        let again = est::wire::cmc::TaggedAttribute::new(control.id, read);
        assert_eq!(&again, control, "{read:?}");
    }
    assert_eq!(controls[0], Control::Identification("Gerät-7".to_owned()));
    assert_eq!(controls[4], Control::TransactionId(vec![77]));
    let Control::RevokeRequest(revocation) = &controls[7] else {
        panic!("{:?}", controls[7]);
    };
    assert_eq!(revocation.serial, [0x40, 0xaa, 0xbb]);
    assert_eq!(
        (revocation.reason, revocation.invalidity_date),
        (4, Some(1_795_291_200))
    );
    assert_eq!(revocation.shared_secret.as_deref(), Some(&b"geheim"[..]));
    assert_eq!(revocation.comment.as_deref(), Some("verloren"));
    assert!(
        !format!("{revocation:?}").contains("103, 101, 104"),
        "the secret is shown"
    );
    let path = vec![BodyPartId(40), BodyPartId(3)];
    let processed = vec![
        BodyPartReference::Id(BodyPartId(10)),
        BodyPartReference::Path(path),
    ];
    assert_eq!(controls[13], Control::ControlProcessed(processed));
    assert!(matches!(&controls[14], Control::Other { oid, .. } if oid.to_string() == "1.2.3.4.5"));
    let TaggedRequest::Pkcs10 { id, request } = &data.requests()[0] else {
        panic!("not PKCS #10");
    };
    assert_eq!((*id, request), (BodyPartId(1), &test_data("csr/p256.der")));
    assert_eq!(data.messages()[0].id, BodyPartId(40));
    assert_eq!(data.others()[0].id, BodyPartId(41));
}

#[test]
fn reads_every_status_of_another_encoder_and_writes_it_the_same() {
    let der = test_data("cmc/pki-response.der");
    let response = PkiResponse::from_der(&der, &CmcLimits::default()).unwrap();
    assert_eq!(response.to_der(), der);
    oracle::oracle(&der);
    let statuses = response.statuses().unwrap();
    assert_eq!(statuses[0].to_string(), "failed (popFailed): kein Schlüssel");
    assert_eq!(statuses[0].fail_info(), Some(CmcFailInfo::POP_FAILED));
    assert_eq!(statuses[0].body_list[1].to_string(), "2.7");
    assert_eq!(statuses[1].status, CmcStatus::PENDING);
    let pend_info = statuses[1].pend_info().unwrap();
    assert_eq!(
        (&pend_info.token[..], pend_info.time),
        (&b"token"[..], 1_795_291_200)
    );
    assert!(
        matches!(&statuses[2].other, Some(OtherStatusInfo::ExtendedFail { value, .. }) if *value == [2, 1, 5])
    );
    assert_eq!(statuses[3].status, CmcStatus::SUCCESS);
}

#[test]
fn limits_hold() {
    let der = test_data("cmc/pki-data.der");
    let small = |length, body_parts| PkiData::from_der(&der, &CmcLimits { length, body_parts });
    assert!(small(der.len(), 19).is_ok());
    let error = small(der.len(), 18).unwrap_err().to_string();
    assert!(error.contains("more than 18 body parts"), "{error}");
    let error = small(der.len() - 1, 19).unwrap_err().to_string();
    assert!(error.contains("longer than the limit"), "{error}");
}

/// Made by `openssl cmp`.
#[test]
fn reads_crmf_requests_of_openssl_and_checks_their_proofs() {
    let read = |name: &str| {
        CertificateRequestMessage::from_der(&test_data(&format!("cmc/openssl-crmf-{name}.der"))).unwrap()
    };
    for name in ["p256", "rsa"] {
        let message = read(name);
        assert_eq!(message.der(), test_data(&format!("cmc/openssl-crmf-{name}.der")));
        assert_eq!(message.proof_of_possession(), ProofOfPossession::Signature);
        let request = message.to_request(&CsrLimits::default()).unwrap();
        let request = request.verify(&VerificationPolicy::default()).unwrap();
        assert_eq!(request.subject_text(), "CN=device-7,DC=example,DC=com");
        let [extension] = request.requested_extensions() else {
            panic!("{:?}", request.requested_extensions());
        };
        assert_eq!(extension.value, b"\x30\x16\x82\x14device-7.example.com");
    }
    assert_eq!(read("noproof").proof_of_possession(), ProofOfPossession::Absent);
    assert_eq!(
        read("raverified").proof_of_possession(),
        ProofOfPossession::RaVerified
    );
    assert!(read("noproof").to_request(&CsrLimits::default()).is_err());
}

#[test]
fn no_damage_to_a_message_breaks_a_decoder() {
    for name in ["pki-data", "pki-response", "openssl-crmf-p256"] {
        let der = test_data(&format!("cmc/{name}.der"));
        for position in 0..der.len() {
            for value in [0, 0x30, 0x7f, 0x80, 0xff] {
                let mut damaged = der.clone();
                damaged[position] = value;
                oracle::oracle(&damaged);
            }
            oracle::oracle(&der[..position]);
        }
    }
}

fn openssl(arguments: &[&str]) -> Option<(bool, String)> {
    let program = peers::find_or_skip("openssl")?;
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn openssl_verifies_our_request_and_our_response() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| path(folder.path(), name);
    let (_, key) = device("CN=x");
    let identity = world.identity("CN=x");
    let (template, _) = device("CN=x");
    let request = signed(
        builder().pkcs10(pkcs10("CN=x")).crmf(&template, &key).unwrap(),
        &identity,
    );
    let response = world.post(request.der());
    assert_eq!(response.status, StatusCode::OK);
    for (name, message, kind) in [
        ("request", request.der().to_vec(), "id-cct-PKIData"),
        ("response", der_of(&response), "id-cct-PKIResponse"),
    ] {
        std::fs::write(file(name), message).unwrap();
        let content = file("content");
        let verify = [
            "cms",
            "-verify",
            "-noverify",
            "-inform",
            "DER",
            "-in",
            &file(name),
            "-out",
            &content,
        ];
        let Some((fine, text)) = openssl(&verify) else {
            return;
        };
        assert!(fine, "{name}: {text}");
        let (fine, text) = openssl(&["asn1parse", "-inform", "DER", "-in", &content]).unwrap();
        assert!(fine && text.contains("SEQUENCE"), "{name}: {text}");
        let (fine, text) =
            openssl(&["cms", "-cmsout", "-print", "-inform", "DER", "-in", &file(name)]).unwrap();
        assert!(fine && text.contains(kind), "{name}: {text}");
    }
}

/// `key`, `certificate` and `csr` by OpenSSL, if it is there.
fn key_certificate_and_request(folder: &Path) -> bool {
    let file = |name: &str| path(folder, name);
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        &file("key"),
        "-out",
        &file("certificate"),
        "-subj",
        "/CN=made by openssl",
        "-days",
        "3",
    ];
    let Some((fine, text)) = openssl(&make) else {
        return false;
    };
    assert!(fine, "{text}");
    let csr = [
        "req",
        "-new",
        "-key",
        &file("key"),
        "-subj",
        "/CN=made by openssl",
        "-outform",
        "DER",
        "-out",
        &file("csr"),
    ];
    let (fine, text) = openssl(&csr).unwrap();
    assert!(fine, "{text}");
    true
}

/// The request is signed by `openssl cms` with the key that it is for, named by its key identifier.
#[test]
fn accepts_a_request_that_openssl_has_signed_with_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| path(folder.path(), name);
    if !key_certificate_and_request(folder.path()) {
        return;
    }
    let csr = std::fs::read(file("csr")).unwrap();
    let requests = vec![TaggedRequest::Pkcs10 {
        id: BodyPartId(1),
        request: csr,
    }];
    let proof = est::wire::cmc::identity_proof::prove(
        PkiData::new(Vec::new(), requests.clone()).requests_der(),
        SECRET.as_bytes(),
        Some(NAME),
    );
    let controls = [
        Control::Identification(NAME.to_owned()),
        Control::IdentityProofV2(proof),
    ];
    let controls = controls
        .iter()
        .zip(2..)
        .map(|(control, number)| est::wire::cmc::TaggedAttribute::new(BodyPartId(number), control))
        .collect();
    std::fs::write(file("data"), PkiData::new(controls, requests).to_der()).unwrap();
    let sign = [
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-nocerts",
        "-keyid",
        "-econtent_type",
        "1.3.6.1.5.5.7.12.2",
        "-signer",
        &file("certificate"),
        "-inkey",
        &file("key"),
        "-in",
        &file("data"),
        "-outform",
        "DER",
        "-out",
        &file("message"),
    ];
    let (fine, text) = openssl(&sign).unwrap();
    assert!(fine, "{text}");
    let world = World::new();
    let message = std::fs::read(file("message")).unwrap();
    assert_eq!(world.words(&message), "success");
}
