//! What the server grants.

use est::request::RequestKey;
use est::request::cmc::{CmcAnswerError, read_simple};
use est::wire::cmc::{CmcStatus, Control, RevokeRequestControl, oid};
use est::wire::cms::signed_data::Signer;
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use pki_common::tls::crypto_provider;
use rustls_pki_types::PrivateKeyDer;
use std::sync::Arc;

use crate::support::{Mood, NAME, SECRET, World, builder, der_of, device, named, pkcs10, signed};

fn signer_of(key: &RequestKey) -> Signer {
    let provider = crypto_provider().unwrap();
    let key = provider
        .key_provider
        .load_private_key(PrivateKeyDer::Pkcs8(key.pkcs8().clone_key()))
        .unwrap();
    Signer::without_certificate(Arc::clone(&key)).unwrap()
}

#[test]
fn a_simple_request_gets_the_certificate_alone() {
    let world = World::new();
    let response = world.post(&pkcs10("CN=simple"));
    assert_eq!(response.status, StatusCode::OK);
    let kind = response.headers.get(CONTENT_TYPE).unwrap();
    assert_eq!(kind, "application/pkcs7-mime; smime-type=certs-only");
    let answer = read_simple(&der_of(&response), &world.check()).unwrap();
    assert!(answer.statuses.is_empty() && answer.signer.is_none());
    assert_eq!(answer.granted().unwrap().len(), 1);
    assert_eq!(named(&answer, "simple").subject(), "/CN=simple");
}

#[test]
fn a_shared_secret_proves_the_identity_of_an_unsigned_request() {
    let world = World::new();
    let request = builder()
        .pkcs10(pkcs10("CN=device-7"))
        .identity_proof(NAME, SECRET.as_bytes())
        .unsigned()
        .unwrap();
    let response = world.post(request.der());
    assert_eq!(response.status, StatusCode::OK);
    let kind = response.headers.get(CONTENT_TYPE).unwrap();
    assert_eq!(kind, "application/pkcs7-mime; smime-type=CMC-response");
    let answer = request.read(&der_of(&response), &world.check()).unwrap();
    assert_eq!(named(&answer, "device-7").issuer(), world.root.subject());
    assert_eq!(answer.granted().unwrap().len(), 3, "issued, responder, root");
    assert!(answer.nonce.is_some());
    let asked = world.authority.asked.lock().unwrap();
    assert_eq!(asked[0].requester.name, NAME);
    assert_eq!(asked[0].operation.to_string(), "fullcmc");
}

#[test]
fn a_request_signed_with_its_own_key_is_granted_with_the_secret() {
    let world = World::new();
    let (template, key) = device("CN=own");
    let request = builder()
        .pkcs10(template.sign(&key, None).unwrap())
        .identity_proof(NAME, SECRET.as_bytes())
        .sign(&signer_of(&key), &[])
        .unwrap();
    assert!(world.ask(&request).granted().is_ok());
}

#[test]
fn several_requests_in_both_syntaxes_are_granted_one_by_one() {
    let world = World::new();
    let (template, key) = device("CN=second");
    let request = builder()
        .pkcs10(pkcs10("CN=first"))
        .crmf(&template, &key)
        .unwrap()
        .identity_proof(NAME, SECRET.as_bytes())
        .unsigned()
        .unwrap();
    let answer = world.ask(&request);
    answer.granted().unwrap();
    assert_eq!(named(&answer, "first").subject(), "/CN=first");
    assert_eq!(named(&answer, "second").spki_der(), key.spki_der());
    for part in request.requests() {
        assert_eq!(answer.done(*part), Ok(()));
    }
}

#[test]
fn a_certificate_renews_itself_and_nobody_else() {
    let world = World::new();
    let identity = world.identity("CN=renewed");
    let request = signed(builder().pkcs10(pkcs10("CN=renewed")), &identity);
    assert!(world.ask(&request).granted().is_ok());
    let asked = world.authority.asked.lock().unwrap().clone();
    assert_eq!(asked[0].requester.name, "/CN=renewed");
    assert!(asked[0].requester.authentication.certificate);

    let request = signed(builder().pkcs10(pkcs10("CN=another")), &identity);
    let text = world.ask(&request).granted().unwrap_err().to_string();
    assert!(
        text.contains("failed (badIdentity): the subject CN=another is not that"),
        "{text}"
    );

    let world = World::with(|cmc, _| cmc.subject_must_match_signer = false);
    let identity = world.identity("CN=renewed");
    let request = signed(builder().pkcs10(pkcs10("CN=another")), &identity);
    assert!(world.ask(&request).granted().is_ok());
}

#[test]
fn gives_back_transaction_nonce_and_data() {
    let world = World::new();
    let request = builder()
        .pkcs10(pkcs10("CN=x"))
        .control(Control::DataReturn(b"state of the client".to_vec()))
        .identity_proof(NAME, SECRET.as_bytes())
        .unsigned()
        .unwrap();
    // `ask` fails unless transaction and nonce are the right ones.
    let answer = world.ask(&request);
    assert_eq!(answer.statuses[0].status, CmcStatus::SUCCESS);
    let response = world.post(request.der());
    let signed =
        est::wire::cms::signed_data::SignedData::parse(&der_of(&response), &Default::default()).unwrap();
    let content =
        est::wire::cmc::PkiResponse::from_der(signed.content().unwrap(), &Default::default()).unwrap();
    let data = content.control(oid::DATA_RETURN).unwrap();
    assert_eq!(data, Some(Control::DataReturn(b"state of the client".to_vec())));
}

#[test]
fn a_pending_request_is_asked_for_again_by_its_token() {
    let world = World::new();
    world.set_mood(Mood::Waits);
    let (template, key) = device("CN=late");
    let signer = signer_of(&key);
    let first = builder()
        .pkcs10(template.sign(&key, None).unwrap())
        .identity_proof(NAME, SECRET.as_bytes())
        .sign(&signer, &[])
        .unwrap();
    let response = world.post(first.der());
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(response.headers.get(RETRY_AFTER).unwrap(), "30");
    let answer = first.read(&der_of(&response), &world.check()).unwrap();
    let Err(CmcAnswerError::Pending { pend_info, .. }) = answer.granted() else {
        panic!("{answer:?}");
    };
    let pend_info = pend_info.unwrap();
    assert_eq!(pend_info.time, crate::support::now().as_secs() + 30);

    let query = || {
        builder()
            .control(Control::QueryPending(pend_info.token.clone()))
            .identity_proof(NAME, SECRET.as_bytes())
    };
    let again = query().sign(&signer, &[]).unwrap();
    assert_eq!(world.post(again.der()).status, StatusCode::ACCEPTED);
    world.set_mood(Mood::Issues);
    let answer = world.ask(&again);
    answer.granted().unwrap();
    assert_eq!(named(&answer, "late").spki_der(), key.spki_der());
    assert_eq!(answer.done(again.control(oid::QUERY_PENDING).unwrap()), Ok(()));

    // The token is public; only the holder of the key may use it.
    let text = world.words(query().unsigned().unwrap().der());
    assert!(
        text.contains("failed (badIdentity): a query for a pending request must be signed"),
        "{text}"
    );
    let (_, stranger) = device("CN=stranger");
    let text = world.words(query().sign(&signer_of(&stranger), &[]).unwrap().der());
    assert!(text.contains("failed (badMessageCheck)"), "{text}");
}

fn revocation(of: &pki_common::Certificate, reason: u32) -> Control {
    Control::RevokeRequest(RevokeRequestControl {
        issuer: of.issuer_der().to_vec(),
        serial: of.serial_number().to_vec(),
        reason,
        invalidity_date: Some(1_795_000_000),
        shared_secret: None,
        comment: Some("lost".to_owned()),
    })
}

#[test]
fn a_certificate_revokes_itself_where_that_is_allowed() {
    let world = World::with(|cmc, _| cmc.allow_revocation = true);
    let identity = world.identity("CN=lost");
    let other = world.identity("CN=other");
    let request = signed(
        builder().control(revocation(identity.certificate(), 1)),
        &identity,
    );
    let answer = world.ask(&request);
    assert_eq!(answer.done(request.control(oid::REVOKE_REQUEST).unwrap()), Ok(()));
    let revoked = world.authority.revoked.lock().unwrap().clone();
    assert_eq!(
        revoked[0].serial.as_bytes()[..],
        *identity.certificate().serial_number()
    );
    assert_eq!(revoked[0].reason.to_string(), "keyCompromise");
    assert_eq!(revoked[0].invalidity_date, Some(1_795_000_000));

    let table = [
        (
            signed(builder().control(revocation(other.certificate(), 1)), &identity),
            "failed (badIdentity)",
        ),
        (
            signed(
                builder().control(revocation(identity.certificate(), 8)),
                &identity,
            ),
            "failed (badRequest)",
        ),
        (
            builder()
                .control(revocation(identity.certificate(), 1))
                .identity_proof(NAME, SECRET.as_bytes())
                .unsigned()
                .unwrap(),
            "failed (badIdentity)",
        ),
    ];
    for (request, expected) in table {
        let text = world.words(request.der());
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(world.authority.revoked.lock().unwrap().len(), 1);

    let world = World::new();
    let identity = world.identity("CN=lost");
    let text = world.words(
        signed(
            builder().control(revocation(identity.certificate(), 1)),
            &identity,
        )
        .der(),
    );
    assert!(
        text.contains("noSupport: revocation by CMC is not enabled"),
        "{text}"
    );
}

/// Serial numbers are unique within one issuer only: what stands above the authority, or beside it after a rollover, has
/// issued other certificates under the same numbers.
#[test]
fn what_another_authority_of_cacerts_has_issued_is_not_revoked() {
    let world = World::with(|cmc, _| {
        cmc.allow_revocation = true;
        cmc.accept_registrars = true;
    });
    let registrar = world.responder(Some(&["1.3.6.1.5.5.7.3.28", "1.3.6.1.5.5.7.3.2"]));
    let lost = world.identity("CN=lost");
    let above = world.identity("CN=Above");
    *world.authority.above.lock().unwrap() = vec![above.certificate().der().clone()];
    let ask = |issuer: &[u8]| {
        let control = RevokeRequestControl {
            issuer: issuer.to_vec(),
            serial: lost.certificate().serial_number().to_vec(),
            reason: 1,
            invalidity_date: None,
            shared_secret: None,
            comment: None,
        };
        let request = signed(builder().control(Control::RevokeRequest(control)), &registrar);
        world.words(request.der())
    };
    let text = ask(above.certificate().subject_der());
    assert!(
        text.contains("failed (badCertId): the certificate was not issued by this authority"),
        "{text}"
    );
    assert_eq!(world.authority.revoked.lock().unwrap().len(), 0);
    assert_eq!(ask(lost.certificate().issuer_der()), "success");
    assert_eq!(world.authority.revoked.lock().unwrap().len(), 1);
}

#[test]
fn links_possession_to_the_secret_when_the_client_asks_for_it() {
    let world = World::new();
    let random = vec![9; 64];
    let with_witness = |secret: &[u8]| {
        let (mut template, key) = device("CN=linked");
        let witness = est::wire::cmc::identity_proof::link(&random, secret).encode();
        template.attributes.push(est::wire::csr::Attribute {
            oid: oid::POP_LINK_WITNESS_V2,
            values: vec![witness],
        });
        template.sign(&key, None).unwrap()
    };
    let request = |csr| {
        builder()
            .pkcs10(csr)
            .control(Control::PopLinkRandom(random.clone()))
            .identity_proof(NAME, SECRET.as_bytes())
            .unsigned()
            .unwrap()
    };
    assert!(
        world
            .ask(&request(with_witness(SECRET.as_bytes())))
            .granted()
            .is_ok()
    );
    let text = world.words(request(with_witness(b"another")).der());
    assert!(
        text.contains("failed (popFailed): popLinkWitness: the proof does not fit"),
        "{text}"
    );
    let text = world.words(request(pkcs10("CN=linked")).der());
    assert!(
        text.contains("failed (popFailed): the request has no popLinkWitness"),
        "{text}"
    );
}
