//! What the client accepts as an answer.

use est::request::cmc::{AnswerCheck, CmcAnswerError, CmcRequestBuilder};
use est::wire::cmc::{BodyPartId, CmcFailInfo, CmcStatus, ID_CCT_PKI_RESPONSE};
use est::wire::cms::CmsLimits;
use est::wire::cms::signed_data::{SignedData, Signer, sign};
use pki_common::Diagnose as _;
use pki_common::trust_store::TrustStore;

use crate::support::{Mood, NAME, SECRET, World, builder, der_of, now, pkcs10};

fn request() -> est::request::cmc::CmcRequest {
    builder()
        .pkcs10(pkcs10("CN=x"))
        .identity_proof(NAME, SECRET.as_bytes())
        .unsigned()
        .unwrap()
}

#[test]
fn an_answer_to_another_request_is_refused() {
    let world = World::new();
    let asked = request();
    let message = der_of(&world.post(asked.der()));
    assert!(asked.read(&message, &world.check()).is_ok());
    for (random, what) in [([8; 32], "transaction identifier"), ([7; 32], "")] {
        let mut random = random;
        if what.is_empty() {
            random[31] = 0;
        }
        let other = CmcRequestBuilder::new(random)
            .pkcs10(pkcs10("CN=x"))
            .unsigned()
            .unwrap();
        let expected = if what.is_empty() { "nonce" } else { what };
        assert_eq!(
            other.read(&message, &world.check()),
            Err(CmcAnswerError::OtherExchange(expected))
        );
    }
}

#[test]
fn an_answer_that_was_changed_or_comes_from_a_stranger_is_refused() {
    let world = World::new();
    let asked = request();
    let message = der_of(&world.post(asked.der()));
    let status = message
        .windows(5)
        .position(|octets| octets == [2, 1, 0, 0x30, 3])
        .unwrap();
    let mut changed = message.clone();
    changed[status + 2] = 2;
    let error = asked.read(&changed, &world.check()).unwrap_err();
    assert!(matches!(error, CmcAnswerError::Message(_)), "{error}");
    assert!(error.to_string().contains("content was changed"), "{error}");

    let elsewhere = World::new();
    let error = asked.read(&message, &elsewhere.check()).unwrap_err();
    assert!(matches!(error, CmcAnswerError::Signer(_)), "{error}");
    let nobody = TrustStore::empty("nobody");
    assert!(asked.read(&message, &AnswerCheck::new(&nobody, now())).is_err());
}

/// Signs what the server has answered anew, with a certificate for these extended key usages.
fn signed_again(world: &World, message: &[u8], usages: Option<&[&str]>) -> Vec<u8> {
    let signed = SignedData::parse(message, &CmsLimits::default()).unwrap();
    let responder = world.responder(usages);
    let mut certificates = signed.certificates().to_vec();
    certificates.extend(responder.chain().iter().cloned());
    sign(
        ID_CCT_PKI_RESPONSE,
        signed.content().unwrap(),
        &Signer::with_identity(&responder),
        &certificates,
    )
    .unwrap()
}

#[test]
fn an_answer_is_signed_by_who_is_certified_to_speak_for_the_authority() {
    const CMC_CA: &str = "1.3.6.1.5.5.7.3.27";
    const CMC_RA: &str = "1.3.6.1.5.5.7.3.28";
    const SERVER: &str = "1.3.6.1.5.5.7.3.1";
    const CLIENT: &str = "1.3.6.1.5.5.7.3.2";
    let world = World::new();
    let asked = request();
    let message = der_of(&world.post(asked.der()));
    for usages in [&[CMC_CA][..], &[CMC_RA], &[SERVER], &[CLIENT, CMC_CA]] {
        let again = signed_again(&world, &message, Some(usages));
        let answer = asked.read(&again, &world.check());
        assert!(answer.is_ok_and(|answer| answer.granted().is_ok()), "{usages:?}");
    }
    let again = signed_again(&world, &message, Some(&[CLIENT, "1.3.6.1.5.5.7.3.9"]));
    let error = asked.read(&again, &world.check()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, CmcAnswerError::Signer(_)), "{text}");
    assert!(
        text.contains("id-kp-cmcCA") && text.contains("clientAuth"),
        "{text}"
    );
    let again = signed_again(&world, &message, None);
    let error = asked.read(&again, &world.check()).unwrap_err();
    assert!(matches!(error, CmcAnswerError::NotAuthorized { .. }), "{error}");
    assert!(error.diagnose().to_string().contains("id-kp-cmcCA"));
}

#[test]
fn a_refusal_names_status_code_text_and_body_part() {
    let world = World::new();
    let mut broken = pkcs10("CN=x");
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let asked = builder()
        .pkcs10(pkcs10("CN=good"))
        .pkcs10(broken)
        .identity_proof(NAME, SECRET.as_bytes())
        .unsigned()
        .unwrap();
    let answer = world.ask(&asked);
    assert_eq!(answer.done(BodyPartId(1)), Ok(()));
    let error = answer.granted().unwrap_err();
    let CmcAnswerError::Refused { statuses } = &error else {
        panic!("{error}");
    };
    assert_eq!(statuses[0].status, CmcStatus::FAILED);
    assert_eq!(statuses[0].fail_info(), Some(CmcFailInfo::POP_FAILED));
    let text = error.to_string();
    assert!(
        text.starts_with("the server answers failed (popFailed): the signature"),
        "{text}"
    );
    assert!(text.ends_with("[body part 2]"), "{text}");
    let told = error.diagnose().to_string();
    assert!(told.contains("popFailed"), "{told}");
}

/// A server that cannot read the request cannot repeat its transaction identifier; the refusal is believed, nothing
/// else.
#[test]
fn a_refusal_of_the_whole_needs_no_transaction() {
    let world = World::new();
    let message = der_of(&world.post_text("no base64!".to_owned()));
    let answer = request().read(&message, &world.check()).unwrap();
    let text = answer.granted().unwrap_err().to_string();
    assert!(
        text.contains("failed (badRequest)") && text.ends_with("[body part 0]"),
        "{text}"
    );
}

#[test]
fn a_pending_answer_says_when_to_ask_again() {
    let world = World::new();
    world.set_mood(Mood::Waits);
    let error = world.ask(&request()).granted().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("not decided yet: the request waits for approval"),
        "{error}"
    );
}

#[test]
fn debug_shows_no_secret() {
    let shown = format!("{:?}", builder().identity_proof(NAME, SECRET.as_bytes()));
    assert!(
        shown.contains(NAME) && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
}
