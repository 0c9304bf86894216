//! Each failure code of RFC 5272 that this server answers with, and what makes it do so.

use std::sync::Arc;
use std::time::Duration;

use est::ca::EnrollError;
use est::operation::{CsrAttributesPolicy, SharedSecrets};
use est::wire::cmc::{
    BodyPartId, BodyPartReference, CertificateRequestMessage, Control, ID_CCT_PKI_DATA, LraPopWitness,
    OtherRequest, PkiData, TaggedAttribute, TaggedRequest,
};
use est::wire::cms::signed_data::sign_by_all;
use est::wire::csr_attributes::CsrAttributesConfig;
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::support::{Mood, NAME, SECRET, World, builder, pkcs10, signed, test_data, words};

/// A PKIData without a signature, with an identity proof that is right.
fn unsigned(controls: Vec<Control>, requests: Vec<TaggedRequest>) -> Vec<u8> {
    let proof = est::wire::cmc::identity_proof::prove(
        PkiData::new(Vec::new(), requests.clone()).requests_der(),
        SECRET.as_bytes(),
        Some(NAME),
    );
    let all = [
        Control::Identification(NAME.to_owned()),
        Control::IdentityProofV2(proof),
    ]
    .into_iter()
    .chain(controls);
    let controls = all
        .zip(100..)
        .map(|(control, number)| TaggedAttribute::new(BodyPartId(number), &control))
        .collect();
    message(&PkiData::new(controls, requests))
}

fn message(data: &PkiData) -> Vec<u8> {
    sign_by_all(ID_CCT_PKI_DATA, &data.to_der(), &[], &[]).unwrap()
}

fn tagged(csr: Vec<u8>) -> TaggedRequest {
    TaggedRequest::Pkcs10 {
        id: BodyPartId(1),
        request: csr,
    }
}

/// A CRMF request of `openssl cmp`, under the number 1 instead of 0.
fn crmf(name: &str) -> TaggedRequest {
    let mut der = test_data(&format!("cmc/openssl-crmf-{name}.der"));
    let position = der.windows(3).position(|octets| octets == [2, 1, 0]).unwrap();
    der[position + 2] = 1;
    TaggedRequest::Crmf(CertificateRequestMessage::from_der(&der).unwrap())
}

fn expect(world: &World, der: &[u8], status: StatusCode, expected: &str) {
    let response = world.post(der);
    let text = words(&response, world);
    assert!(
        text.starts_with(expected),
        "expected {expected:?}, found {text:?}"
    );
    assert_eq!(response.status, status, "{text}");
    assert!(response.log_cause.is_some_and(|cause| cause.contains(expected)));
}

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;

#[test]
fn a_body_that_is_no_message_is_a_bad_request() {
    let world = World::new();
    let response = world.post_text("no base64!".to_owned());
    assert_eq!(response.status, BAD_REQUEST);
    assert!(words(&response, &world).starts_with("failed (badRequest): base64, byte"));
    expect(
        &world,
        &[4, 0],
        BAD_REQUEST,
        "failed (badRequest): ContentInfo, byte 0: expected a SEQUENCE",
    );
    let certs_only = test_data("certs_only/three-certificates.der");
    expect(
        &world,
        &certs_only,
        BAD_REQUEST,
        "failed (badRequest): the content is 1.2.840.113549.1.7.1, not PKIData",
    );
    let other = sign_by_all(ID_CCT_PKI_DATA, &[0x30, 0], &[], &[]).unwrap();
    expect(
        &world,
        &other,
        BAD_REQUEST,
        "failed (badRequest): controlSequence, byte 2",
    );
    let asked = world.authority.asked.lock().unwrap();
    assert!(asked.is_empty());
}

#[test]
fn an_unknown_control_fails_everything_and_is_named_by_its_number() {
    let world = World::new();
    let unknown = Control::Other {
        oid: const_oid::ObjectIdentifier::new("1.2.3.4").unwrap(),
        values: vec![vec![5, 0]],
    };
    let der = unsigned(vec![unknown.clone()], vec![tagged(pkcs10("CN=x"))]);
    expect(
        &world,
        &der,
        BAD_REQUEST,
        "failed (badRequest): unknown control: 1.2.3.4; nothing was done",
    );
    assert!(world.authority.asked.lock().unwrap().is_empty());
    let answer =
        est::request::cmc::read_simple(&crate::support::der_of(&world.post(&der)), &world.check()).unwrap();
    assert_eq!(
        answer.statuses[0].body_list,
        [BodyPartReference::Id(BodyPartId(102))]
    );

    // One that a registration authority has processed already is none of our business.
    let processed = Control::ControlProcessed(vec![BodyPartReference::Id(BodyPartId(102))]);
    let der = unsigned(vec![unknown, processed], vec![tagged(pkcs10("CN=x"))]);
    assert_eq!(world.post(&der).status, StatusCode::OK);
}

#[test]
fn a_known_control_that_is_not_supported_is_answered_so_and_the_rest_is_done() {
    let world = World::new();
    let batch = Control::BatchRequests(vec![BodyPartId(1)]);
    let der = unsigned(vec![batch], vec![tagged(pkcs10("CN=x"))]);
    let response = world.post(&der);
    assert_eq!(response.status, StatusCode::OK);
    let text = words(&response, &world);
    assert_eq!(
        text,
        "noSupport: the control id-cmc-batchRequests (1.3.6.1.5.5.7.7.28) is not supported here\nsuccess"
    );
}

#[test]
fn a_request_of_an_unknown_kind_stops_the_others() {
    let world = World::new();
    let other = TaggedRequest::Other(OtherRequest {
        id: BodyPartId(2),
        oid: const_oid::ObjectIdentifier::new("1.2.3.4").unwrap(),
        value: vec![5, 0],
    });
    let der = unsigned(Vec::new(), vec![tagged(pkcs10("CN=x")), other]);
    expect(
        &world,
        &der,
        BAD_REQUEST,
        "noSupport: requests of this kind are not understood here",
    );
    assert!(world.authority.asked.lock().unwrap().is_empty());
}

#[test]
fn without_a_certificate_or_the_secret_there_is_no_identity() {
    let world = World::new();
    let forbidden = StatusCode::FORBIDDEN;
    let bare = message(&PkiData::new(Vec::new(), vec![tagged(pkcs10("CN=x"))]));
    expect(
        &world,
        &bare,
        forbidden,
        "failed (badIdentity): neither a certified key",
    );
    let by = |name: &str, secret: &[u8]| {
        let builder = builder().pkcs10(pkcs10("CN=x")).identity_proof(name, secret);
        builder.unsigned().unwrap().der().to_vec()
    };
    let text = "failed (badIdentity): identification and identity proof do not belong together";
    expect(&world, &by(NAME, b"fedcba9876543210"), forbidden, text);
    expect(&world, &by("nobody", SECRET.as_bytes()), forbidden, text);
    expect(&world, &by("nobody", b""), forbidden, text);
    let open = World::with(|cmc, _| cmc.identity_proof_required = false);
    assert_eq!(open.post(&bare).status, StatusCode::OK);
}

#[test]
fn a_secret_for_one_subject_is_good_for_no_other() {
    let secrets = format!("{NAME}:{SECRET}:CN=device-7,DC=example\n");
    let world = World::with(|cmc, _| cmc.secrets = Arc::new(SharedSecrets::parse(&secrets).unwrap()));
    let der = unsigned(Vec::new(), vec![tagged(pkcs10("DC=example,CN=device-7"))]);
    assert_eq!(world.post(&der).status, StatusCode::OK);
    let der = unsigned(Vec::new(), vec![tagged(pkcs10("CN=device-7"))]);
    let text = "failed (badIdentity): the shared secret is for the subject CN=device-7,DC=example, not for CN=device-7";
    expect(&world, &der, StatusCode::FORBIDDEN, text);
}

#[test]
fn a_signer_from_elsewhere_is_not_accepted() {
    let (world, elsewhere) = (World::new(), World::new());
    let stranger = elsewhere.identity("CN=x");
    let request = signed(builder().pkcs10(pkcs10("CN=x")), &stranger);
    let text = "failed (badIdentity): the signer's certificate is not accepted";
    expect(&world, request.der(), StatusCode::FORBIDDEN, text);
}

#[test]
fn every_changed_byte_of_a_signed_request_is_noticed() {
    let world = World::new();
    let identity = world.identity("CN=x");
    let request = signed(builder().pkcs10(pkcs10("CN=x")), &identity);
    let der = request.der().to_vec();
    let subject = der
        .windows(3)
        .position(|octets| octets == [0x0c, 1, b'x'])
        .unwrap();
    let mut changed = der.clone();
    changed[subject + 2] = b'y';
    expect(
        &world,
        &changed,
        BAD_REQUEST,
        "failed (badMessageCheck): the content was changed",
    );
    let mut changed = der.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    expect(&world, &changed, BAD_REQUEST, "failed (badMessageCheck)");
    assert!(world.authority.asked.lock().unwrap().is_empty());
}

#[test]
fn proofs_of_possession_that_fail_are_told_apart() {
    let world = World::new();
    let mut broken = pkcs10("CN=x");
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let check = |request: TaggedRequest, expected: &str| {
        expect(
            &world,
            &unsigned(Vec::new(), vec![request]),
            BAD_REQUEST,
            expected,
        );
    };
    check(
        tagged(broken.clone()),
        "failed (popFailed): the signature of the certification request is wrong",
    );
    check(
        crmf("noproof"),
        "failed (popRequired): the request has no proof of possession",
    );
    check(
        crmf("raverified"),
        "failed (popFailed): proof of possession by a registration authority's word",
    );
    // A simple request is told the same, about body part 1.
    expect(&world, &broken, BAD_REQUEST, "failed (popFailed)");
    let witness = Control::LraPopWitness(LraPopWitness {
        message: BodyPartId::WHOLE,
        requests: vec![BodyPartId(1)],
    });
    let der = unsigned(vec![witness], vec![tagged(pkcs10("CN=x"))]);
    expect(&world, &der, BAD_REQUEST, "failed (popFailed)");
    // The proof is over the number of the request too, which is no longer the one of `openssl cmp`.
    for name in ["p256", "rsa"] {
        check(crmf(name), "failed (popFailed): the signature");
    }
}

#[test]
fn weak_and_unknown_algorithms_are_bad_algorithms() {
    let world = World::new();
    for name in ["rsa1024", "rsa2048-sha1"] {
        let csr = test_data(&format!("csr/{name}.der"));
        expect(
            &world,
            &unsigned(Vec::new(), vec![tagged(csr)]),
            BAD_REQUEST,
            "failed (badAlg)",
        );
    }
    let der = unsigned(Vec::new(), vec![tagged(vec![0x30, 0])]);
    expect(
        &world,
        &der,
        BAD_REQUEST,
        "failed (badRequest): not a certification request",
    );
}

#[test]
fn what_the_policy_forbids_is_told_with_its_rule() {
    let world = World::new();
    let csr = test_data("csr/unknown-extension.der");
    let text = "failed (unsupportedExt): refused by the issuance policy, rule extension";
    expect(
        &world,
        &unsigned(Vec::new(), vec![tagged(csr)]),
        BAD_REQUEST,
        text,
    );
    let csr = test_data("csr/ca.der");
    expect(
        &world,
        &unsigned(Vec::new(), vec![tagged(csr)]),
        BAD_REQUEST,
        "failed (unsupportedExt)",
    );
}

#[test]
fn the_csr_attributes_of_the_label_are_enforced() {
    let wanted: CsrAttributesConfig = CsrAttributesConfig {
        entries: vec![est::wire::csr_attributes::EntryConfig {
            key: Some("RSA-4096".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let world = World::with(|_, settings| {
        settings.csr_attributes = Some(CsrAttributesPolicy {
            attributes: wanted.to_attributes().unwrap(),
            enforce: true,
        });
    });
    let der = unsigned(Vec::new(), vec![tagged(pkcs10("CN=x"))]);
    let text = "failed (badRequest): the certificate authority's policy refuses the request: rule csr-attributes: the request is not what the CSR attributes of this server ask for: the key is EC P-256, wanted is RSA-4096";
    expect(&world, &der, BAD_REQUEST, text);
}

#[test]
fn trouble_of_the_authority_is_told_without_its_secrets() {
    let world = World::new();
    let der = unsigned(Vec::new(), vec![tagged(pkcs10("CN=x"))]);
    world.set_mood(Mood::Fails(EnrollError::Internal {
        reason: "disk full on /secret".to_owned(),
    }));
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    expect(
        &world,
        &der,
        status,
        "failed (internalCAError): the authority failed",
    );
    assert!(!world.words(&der).contains("secret"));
    world.set_mood(Mood::Fails(EnrollError::Unavailable {
        reason: "locked".to_owned(),
        retry_after: Duration::from_secs(5),
    }));
    expect(&world, &der, StatusCode::SERVICE_UNAVAILABLE, "failed (tryLater)");
    assert!(world.post(&der).headers.contains_key(RETRY_AFTER));
}

#[test]
fn a_control_that_cannot_be_read_or_stands_there_twice_is_a_bad_request() {
    let world = World::new();
    let control = |number, oid, value: &[u8]| TaggedAttribute {
        id: BodyPartId(number),
        oid,
        values: vec![value.to_vec()],
    };
    let query = est::wire::cmc::oid::QUERY_PENDING;
    let der = message(&PkiData::new(vec![control(9, query, &[5, 0])], Vec::new()));
    let text = "failed (badRequest): the control id-cmc-queryPending (1.3.6.1.5.5.7.7.21): queryPending, byte 0: expected an OCTET STRING";
    expect(&world, &der, BAD_REQUEST, text);
    let name = est::wire::cmc::oid::IDENTIFICATION;
    let twice = vec![control(8, name, &[12, 1, b'a']), control(9, name, &[12, 1, b'b'])];
    let der = message(&PkiData::new(twice, Vec::new()));
    expect(
        &world,
        &der,
        BAD_REQUEST,
        "failed (badRequest): the control id-cmc-identification",
    );
    let same = vec![control(8, name, &[12, 1, b'a']), control(8, query, &[4, 0])];
    let der = message(&PkiData::new(same, Vec::new()));
    expect(&world, &der, BAD_REQUEST, "failed (badRequest): bodyPartID, byte");
}
