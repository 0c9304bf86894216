//! CMS and CMC: the body of `fullcmc`. Each message is signed, unless its signature is what is wrong.

use est::operation::Operation;

use super::super::bench::{Bench, Made, base64};
use super::super::cms::{
    DATA, PkiData, SENDER_NONCE, SIGNED_DATA, Signed, TRANSACTION_ID, content_info, control, crmf, enveloped,
    pkcs10, wrong_proof,
};
use super::super::der::{
    bit_string, context, element, integer, object_identifier, octet_string, sequence, set, utf8,
};
use super::super::der_change::{BYTE_CHANGES, CHANGES, change};
use super::super::key::{EcKey, Key as _};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Cms, Needs::Cmc, "changed message", changed_message),
    rule(Layer::Cms, Needs::Cmc, "changed content", changed_content),
    rule(Layer::Cms, Needs::Cmc, "signatures", signatures),
    rule(Layer::Cms, Needs::Cmc, "other cms messages", other_messages),
    rule(Layer::Cms, Needs::Cmc, "controls", controls),
    rule(Layer::Cms, Needs::Cmc, "requests", requests),
    rule(Layer::Cms, Needs::Cmc, "numbers", numbers),
    rule(
        Layer::Cms,
        Needs::Enrolment,
        "cms for a request",
        cms_for_a_request,
    ),
    rule(Layer::Cms, Needs::Enrolment, "asymmetric keys", asymmetric_keys),
];

/// Bytes that one element may take.
const ROOM: usize = 20_000;

const QUERY_PENDING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 21];
const REVOKE_REQUEST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 17];
const IDENTIFICATION: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 2];
const IDENTITY_PROOF_V2: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 34];
const LRA_POP_WITNESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 11];
const CONFIRM_ACCEPTANCE: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 24];
const BATCH_REQUESTS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 28];
const UNKNOWN_CONTROL: &[u64] = &[2, 999, 7];

fn made(bench: &Bench<'_>, what: &str, message: &[u8]) -> Made {
    Made::sent(format!("a CMC request {what}"), bench.cmc_with(message).bytes())
}

/// The content, signed as it should be.
fn signed(bench: &Bench<'_>, what: &str, key: &EcKey, content: Vec<u8>) -> Made {
    made(bench, what, &Signed::new(content).der(key, &key.point(false)))
}

fn changed_message(bench: &mut Bench<'_>) -> Made {
    let (message, key) = bench.cmc();
    let der = message.der(&key, &key.point(false));
    let number = bench.number(CHANGES.len() + BYTE_CHANGES.len());
    let (what, der) = change(&der, number, &mut bench.rng, ROOM);
    made(bench, &format!("with {what}"), &der)
}

fn changed_content(bench: &mut Bench<'_>) -> Made {
    let (message, key) = bench.cmc();
    let number = bench.number(CHANGES.len());
    let (what, content) = change(&message.content, number, &mut bench.rng, ROOM);
    signed(bench, &format!("with {what}, signed as it is"), &key, content)
}

/// A change of a message that is to be signed.
type Change = fn(&mut Signed);

fn signatures(bench: &mut Bench<'_>) -> Made {
    let (message, key) = bench.cmc();
    let (other, point) = (bench.key(), key.point(false));
    let table: [(&str, Change); 8] = [
        ("with one bit of its signature changed", |message| {
            message.signature_off = true;
        }),
        ("with the hash of another content", |message| {
            message.digest = vec![7; 32];
        }),
        ("with an empty hash", |message| message.digest.clear()),
        ("without a signer", |message| message.signers = 0),
        ("signed three times", |message| message.signers = 3),
        ("without its content", |message| message.attached = false),
        ("of version 255", |message| message.version = 0xff),
        ("that says it is data", |message| {
            message.content_type = DATA.to_vec();
        }),
    ];
    if bench.lap(table.len()) % 3 == 2 {
        let der = message.der(&other, &point);
        return made(bench, "signed by another key than it names", &der);
    }
    let mut message = message;
    let Some((what, change)) = bench.turn(&table) else {
        return made(bench, "as it is", &message.der(&key, &point));
    };
    change(&mut message);
    let der = message.der(&key, &point);
    made(bench, what, &der)
}

/// Other CMS messages in the place of a signed one.
fn other_messages(bench: &mut Bench<'_>) -> Made {
    let (message, key) = bench.cmc();
    let whole = message.der(&key, &key.point(false));
    let point = key.point(false);
    let mut nested = whole.clone();
    for _ in 0..30 {
        let mut outer = Signed::new(nested);
        outer.content_type = SIGNED_DATA.to_vec();
        nested = outer.der(&key, &point);
    }
    let certificate = [0x30, 0x03, 2, 1, 7];
    let certs_only = |certificates: &[&[u8]]| {
        let data = sequence(&[&object_identifier(DATA)]);
        let parts = [
            &integer(&[1]),
            &set(&[]),
            &data,
            &context(0, certificates),
            &set(&[]),
        ];
        content_info(SIGNED_DATA, &sequence(&parts.map(Vec::as_slice)))
    };
    let many: Vec<&[u8]> = vec![&certificate; 4000];
    let digested = content_info(&[1, 2, 840, 113_549, 1, 7, 5], &sequence(&[&integer(&[0])]));
    let encrypted = content_info(&[1, 2, 840, 113_549, 1, 7, 6], &sequence(&[&integer(&[0])]));
    let compressed = content_info(
        &[1, 2, 840, 113_549, 1, 9, 16, 1, 9],
        &sequence(&[&integer(&[0]), &sequence(&[]), &octet_string(&[0x78, 0x9c])]),
    );
    let table: [(&str, Vec<u8>); 12] = [
        ("encrypted for nobody", enveloped(&whole)),
        ("in 30 messages", nested),
        ("that holds no certificate", certs_only(&[])),
        (
            "that holds something like a certificate",
            certs_only(&[&certificate]),
        ),
        ("that holds 4000 of them", certs_only(&many)),
        (
            "that is data",
            content_info(DATA, &octet_string(&message.content)),
        ),
        ("that is a digest", digested),
        ("that is encrypted", encrypted),
        ("that is compressed", compressed),
        (
            "of an unknown content type",
            content_info(UNKNOWN_CONTROL, &sequence(&[])),
        ),
        ("without content", sequence(&[&object_identifier(SIGNED_DATA)])),
        ("that is its content alone", message.content),
    ];
    let (what, der) = bench.turn(&table).cloned().unwrap_or_default();
    made(bench, what, &der)
}

fn controls(bench: &mut Bench<'_>) -> Made {
    let key = bench.key();
    let request = bench.parts(&key).sign(&key);
    let nonce = bench.octets(16);
    let table = [
        transactions_and_queries(&request, &nonce),
        identities_and_others(),
    ]
    .concat();
    let (what, more) = bench.turn(&table).cloned().unwrap_or_default();
    let mut data = PkiData::asking(&request, &nonce);
    data.controls.extend(more);
    signed(bench, &format!("with controls: {what}"), &key, data.der())
}

/// What a control adds, and in which words.
type Controls = (&'static str, Vec<Vec<u8>>);

fn transactions_and_queries(request: &[u8], nonce: &[u8]) -> Vec<Controls> {
    let long = octet_string(&[7; ROOM]);
    vec![
        ("an unknown one", vec![control(4, UNKNOWN_CONTROL, &[&utf8("x")])]),
        ("one without a value", vec![control(4, IDENTIFICATION, &[])]),
        (
            "one with two values",
            vec![control(4, IDENTIFICATION, &[&utf8("a"), &utf8("b")])],
        ),
        (
            "a second transaction",
            vec![control(4, TRANSACTION_ID, &[&integer(&[9])])],
        ),
        (
            "a second nonce",
            vec![control(4, SENDER_NONCE, &[&octet_string(nonce)])],
        ),
        (
            "a nonce of 20,000 octets",
            vec![control(4, SENDER_NONCE, &[&long])],
        ),
        (
            "a query for an empty token",
            vec![control(4, QUERY_PENDING, &[&octet_string(&[])])],
        ),
        (
            "a query for any token",
            vec![control(4, QUERY_PENDING, &[&octet_string(nonce)])],
        ),
        (
            "a query for a token that is a request",
            vec![control(4, QUERY_PENDING, &[&octet_string(&pkcs10(1, request))])],
        ),
    ]
}

fn identities_and_others() -> Vec<Controls> {
    let proof = |hash: &[u8]| {
        sequence(&[
            &sequence(&[&object_identifier(UNKNOWN_CONTROL)]),
            &sequence(&[]),
            &octet_string(hash),
        ])
    };
    let ids = sequence(&[&integer(&[1]), &integer(&[1]), &integer(&[9])]);
    let revocation = sequence(&[&sequence(&[]), &integer(&[7]), &[10, 1, 1]]);
    let many: Vec<Vec<u8>> = (4..1004)
        .map(|id| control(id, UNKNOWN_CONTROL, &[&[5, 0]]))
        .collect();
    vec![
        (
            "a revocation of nothing",
            vec![control(4, REVOKE_REQUEST, &[&sequence(&[])])],
        ),
        (
            "a revocation of somebody's certificate",
            vec![control(4, REVOKE_REQUEST, &[&revocation])],
        ),
        (
            "a name that nobody has",
            vec![control(4, IDENTIFICATION, &[&utf8("nobody-of-this-name")])],
        ),
        (
            "a proof without a name",
            vec![control(4, IDENTITY_PROOF_V2, &[&proof(&[7; 32])])],
        ),
        (
            "a proof of an unknown algorithm",
            vec![
                control(4, IDENTIFICATION, &[&utf8("x")]),
                control(5, IDENTITY_PROOF_V2, &[&proof(&[])]),
            ],
        ),
        (
            "a witness for requests that are not there",
            vec![control(4, LRA_POP_WITNESS, &[&sequence(&[&integer(&[1]), &ids])])],
        ),
        (
            "a confirmation of nothing",
            vec![control(
                4,
                CONFIRM_ACCEPTANCE,
                &[&sequence(&[&sequence(&[]), &integer(&[1])])],
            )],
        ),
        (
            "a batch of itself",
            vec![control(4, BATCH_REQUESTS, &[&sequence(&[&integer(&[4])])])],
        ),
        ("a thousand unknown ones", many),
        ("one that is no SEQUENCE", vec![integer(&[4])]),
    ]
}

fn requests(bench: &mut Bench<'_>) -> Made {
    let (key, other) = (bench.key(), bench.key());
    let request = bench.parts(&key).sign(&key);
    let nonce = bench.octets(16);
    let table = [
        pkcs10_requests(&request, &nonce),
        crmf_requests(&other, &nonce),
        other_requests(&request, &nonce),
    ]
    .concat();
    let (what, data) = bench.turn(&table).cloned().unwrap_or_default();
    signed(bench, &format!("with {what}"), &key, data.der())
}

fn pkcs10_requests(request: &[u8], nonce: &[u8]) -> Vec<(&'static str, PkiData)> {
    let unsigned = {
        let mut changed = request.to_vec();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        changed
    };
    let many: Vec<Vec<u8>> = (1..200).map(|id| pkcs10(id, request)).collect();
    vec![
        ("no requests", PkiData::default()),
        (
            "a request whose signature is wrong",
            PkiData::asking(&unsigned, nonce),
        ),
        ("a request that is none", PkiData::asking(&sequence(&[]), nonce)),
        ("200 requests", requesting(many, nonce)),
    ]
}

fn crmf_requests(other: &EcKey, nonce: &[u8]) -> Vec<(&'static str, PkiData)> {
    let info = other.public_key_info();
    vec![
        (
            "a request of RFC 4211 without a proof",
            requesting(vec![crmf(1, &info, &[])], nonce),
        ),
        (
            "a request of RFC 4211 with a proof of another one",
            requesting(vec![crmf(1, &info, &wrong_proof(other))], nonce),
        ),
        (
            "a request of RFC 4211 that an authority is said to have verified",
            requesting(vec![crmf(1, &info, &[0x80, 0])], nonce),
        ),
        (
            "a request of RFC 4211 with an encrypted proof",
            requesting(vec![crmf(1, &info, &context(2, &[&[0x81, 1, 0]]))], nonce),
        ),
        (
            "a request of RFC 4211 for a key that is none",
            requesting(vec![crmf(1, &bit_string(&[]), &[])], nonce),
        ),
    ]
}

/// Requests that are neither, and what may stand beside requests.
fn other_requests(request: &[u8], nonce: &[u8]) -> Vec<(&'static str, PkiData)> {
    let good = pkcs10(1, request);
    let message = sequence(&[&integer(&[7]), &content_info(DATA, &octet_string(b"x"))]);
    vec![
        (
            "a request of another syntax",
            requesting(
                vec![context(
                    2,
                    &[&integer(&[1]), &object_identifier(UNKNOWN_CONTROL), &[5, 0]],
                )],
                nonce,
            ),
        ),
        (
            "a request of an unknown choice",
            requesting(vec![context(9, &[&integer(&[1]), request])], nonce),
        ),
        (
            "other cms messages",
            PkiData {
                messages: vec![message; 50],
                ..requesting(vec![good.clone()], nonce)
            },
        ),
        (
            "other contents",
            PkiData {
                others: vec![sequence(&[
                    &integer(&[8]),
                    &object_identifier(UNKNOWN_CONTROL),
                    &[5, 0],
                ])],
                ..requesting(vec![good], nonce)
            },
        ),
    ]
}

fn requesting(requests: Vec<Vec<u8>>, nonce: &[u8]) -> PkiData {
    PkiData {
        requests,
        ..PkiData::asking(&[], nonce)
    }
}

/// Numbers of body parts.
fn numbers(bench: &mut Bench<'_>) -> Made {
    let key = bench.key();
    let request = bench.parts(&key).sign(&key);
    let nonce = bench.octets(16);
    let numbered = |number: &[u8]| context(0, &[number, &request]);
    let table: [(&str, Vec<Vec<u8>>); 8] = [
        ("0", vec![numbered(&integer(&[0]))]),
        ("2^32 - 1", vec![numbered(&integer(&[0xff; 4]))]),
        ("2^32", vec![numbered(&integer(&[1, 0, 0, 0, 0]))]),
        ("-1", vec![numbered(&[2, 1, 0xff])]),
        ("nothing", vec![numbered(&[2, 0])]),
        ("a text", vec![numbered(&utf8("1"))]),
        (
            "the same for two requests",
            vec![numbered(&integer(&[1])), numbered(&integer(&[1]))],
        ),
        ("that of a control", vec![numbered(&integer(&[2]))]),
    ];
    let (what, list) = bench.turn(&table).cloned().unwrap_or_default();
    let data = requesting(list, &nonce);
    signed(bench, &format!("whose number is {what}"), &key, data.der())
}

/// CMS where PKCS #10 is expected.
fn cms_for_a_request(bench: &mut Bench<'_>) -> Made {
    let (message, key) = bench.cmc();
    let der = message.der(&key, &key.point(false));
    let media_types = [
        "application/pkcs10",
        "application/pkcs7-mime",
        "application/pkcs7-mime; smime-type=CMC-request",
    ];
    let media_type = bench.turn(&media_types).copied().unwrap_or("application/pkcs10");
    let operation = bench.enrolment();
    let draft = bench.post(operation, media_type, base64(&der));
    Made::sent(
        format!("a CMC request for {operation}, as {media_type}"),
        draft.bytes(),
    )
}

/// How the key of `serverkeygen` is to be encrypted (RFC 7030 section 4.4.1).
fn asymmetric_keys(bench: &mut Bench<'_>) -> Made {
    const SMIME_CAPABILITIES: &[u64] = &[1, 2, 840, 113_549, 1, 9, 15];
    const DECRYPT_KEY_ID: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 37];
    const ASYMMETRIC_DECRYPT_KEY_ID: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 54];
    use super::super::certification_request::attribute;
    let key = bench.key();
    let octets = |octets: &[u8]| element(4, &[octets]);
    let capability = |arcs: &[u64]| sequence(&[&sequence(&[&object_identifier(arcs)])]);
    let aes: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 1, 42];
    let table: [(&str, Vec<Vec<u8>>); 9] = [
        (
            "a key that nobody knows",
            vec![attribute(DECRYPT_KEY_ID, &[&octets(b"nobody")])],
        ),
        (
            "an empty key identifier",
            vec![attribute(DECRYPT_KEY_ID, &[&octets(b"")])],
        ),
        (
            "a key identifier of 10,000 octets",
            vec![attribute(DECRYPT_KEY_ID, &[&octets(&[7; 10_000])])],
        ),
        (
            "a key identifier that is a path",
            vec![attribute(DECRYPT_KEY_ID, &[&octets(b"../../key")])],
        ),
        (
            "a certificate that nobody knows",
            vec![attribute(ASYMMETRIC_DECRYPT_KEY_ID, &[&octets(&[7; 20])])],
        ),
        (
            "both",
            vec![
                attribute(DECRYPT_KEY_ID, &[&octets(b"x")]),
                attribute(ASYMMETRIC_DECRYPT_KEY_ID, &[&octets(b"y")]),
            ],
        ),
        (
            "an unknown cipher",
            vec![attribute(SMIME_CAPABILITIES, &[&capability(UNKNOWN_CONTROL)])],
        ),
        (
            "a cipher and no key",
            vec![attribute(SMIME_CAPABILITIES, &[&capability(aes)])],
        ),
        (
            "ciphers that are none",
            vec![attribute(SMIME_CAPABILITIES, &[&utf8("AES")])],
        ),
    ];
    let (what, attributes) = bench.turn(&table).cloned().unwrap_or_default();
    let request = bench.parts(&key).with(&attributes).sign(&key);
    let operation = if bench.may(Operation::ServerKeyGen) {
        Operation::ServerKeyGen
    } else {
        bench.enrolment()
    };
    let draft = bench.post(operation, "application/pkcs10", base64(&request));
    Made::sent(format!("a key encrypted for {what}"), draft.bytes())
}
