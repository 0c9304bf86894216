//! Full PKI Requests (RFC 5272) as a script puts them together, and what is true of each, whatever the server makes of it.

use std::sync::Arc;

use bytes::Bytes;
use est::ca::serial::SerialNumber;
use est::operation::CHANGE_SUBJECT_NAME;
use est::request::cmc::{AnswerCheck, CmcAnswer, CmcRequest, CmcRequestBuilder};
use est::wire::base64::{self, Base64Layout};
use est::wire::cmc::{
    BodyPartId, Control, IssuerAndSerialNumber, LraPopWitness, RevokeRequestControl, identity_proof,
};
use est::wire::cms::signed_data::Signer;
use est::wire::media_type::PKCS7_MIME_CMC_RESPONSE;
use http::Response;
use http::header::CONTENT_TYPE;
use pki_common::Certificate;
use pki_common::identity::Identity;
use pki_common::trust_store::TrustStore;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::material::{Link, Request};
use super::world::{IDENTIFICATION, IDENTIFICATION_OF_ONE, SECRET};
use crate::script::Steps;

/// By which the server knows a request again that waits, and whose key it is for.
#[derive(Clone, Debug)]
pub(super) struct Token {
    token: Vec<u8>,
    keys: Vec<Vec<u8>>,
}

/// What is true of a message. A byte of it may be changed afterwards, and then this is the most that can be true: nobody
/// signs or proves by accident.
#[derive(Clone, Debug)]
pub(super) struct Message {
    request: CmcRequest,
    /// As it was made.
    pub(super) whole: bool,
    /// The keys that a certificate is asked for, by somebody who has them.
    keys: Vec<Vec<u8>>,
    /// Requests and queries.
    asked: usize,
    /// Signed by the holder of this certificate of the authority.
    pub(super) signer: Option<Certificate>,
    /// The secret is known.
    pub(super) proven: bool,
    /// And it is good for one subject alone.
    of_one: bool,
    /// The signer asks that its own certificate be revoked.
    pub(super) revokes: Option<SerialNumber>,
}

/// What a script says of a message, read from five bytes and one for each request:
///
/// | byte | bits |
/// |---|---|
/// | who | 0 to 2: signed by nobody, the first request's key, the holder of an issued certificate (6 and 7: which), another authority's, a key that is not in the message; 3 to 5: the identity proof |
/// | what | 0 and 1: how many requests; 2: in CRMF; 3 and 4: linked to the secret, wrongly, not at all; 5: the first one's signature is broken |
/// | controls | a query, a revocation of the signer's certificate and of another, and others that are ignored, refused or unknown |
/// | change | the place of a byte and by what it is changed, unless 0 |
struct Recipe {
    who: u8,
    what: u8,
    controls: u8,
    requests: Vec<Request>,
}

impl Recipe {
    fn read(steps: &mut Steps<'_>) -> Self {
        let (who, what, controls) = (steps.byte(), steps.byte(), steps.byte());
        let requests = (0..what & 3).map(|_| Request::new(steps.byte())).collect();
        Self {
            who,
            what,
            controls,
            requests,
        }
    }

    fn has(&self, control: u8) -> bool {
        self.controls >> control & 1 == 1
    }
}

/// The next message of a script, in base64.
pub(super) fn message(
    steps: &mut Steps<'_>,
    number: u8,
    issued: &[CertificateDer<'static>],
    waiting: Option<&Token>,
) -> (Bytes, Message) {
    let recipe = Recipe::read(steps);
    let (change, position) = (steps.byte(), usize::from(steps.number()));
    let message = make(&recipe, number, issued, waiting);
    let mut der = message.request.der().to_vec();
    let length = der.len();
    if let Some(byte) = der.get_mut(position % length) {
        *byte ^= change;
    }
    let body = base64::encode(&der, Base64Layout::SingleLine).into();
    let whole = change == 0;
    (body, Message { whole, ..message })
}

fn make(recipe: &Recipe, number: u8, issued: &[CertificateDer<'static>], waiting: Option<&Token>) -> Message {
    let mut builder = CmcRequestBuilder::new([number; 32]);
    let (mut keys, mut asked) = (Vec::new(), recipe.requests.len());
    builder = with_requests(builder, recipe, &mut keys);
    let own = (recipe.who & 7 == 2)
        .then(|| holder(issued, recipe.who >> 6))
        .flatten();
    let mut revokes = None;
    if recipe.has(0) {
        let unknown = || (vec![0x30, 0], Vec::new());
        let (token, of) =
            waiting.map_or_else(unknown, |waiting| (waiting.token.clone(), waiting.keys.clone()));
        builder = builder.control(Control::QueryPending(token));
        keys.extend(of);
        asked += 1;
    }
    if let Some((_, certificate)) = own.as_ref().filter(|_| recipe.has(1)) {
        builder = builder.control(revocation(certificate));
        revokes = SerialNumber::from_bytes(certificate.serial_number());
    }
    if let Some(other) = issued.first().filter(|_| recipe.has(2)) {
        let other = Certificate::from_der(other).expect("it was issued");
        let is_own = own.as_ref().is_some_and(|(_, own)| own.der() == other.der());
        if is_own {
            revokes = SerialNumber::from_bytes(other.serial_number());
        }
        builder = builder.control(revocation(&other));
    }
    builder = with_other_controls(builder, recipe, own.as_ref().map(|(_, certificate)| certificate));
    let (builder, proven) = with_proof(builder, recipe.who >> 3 & 7);
    let (request, signer) = signed(builder, recipe, own);
    Message {
        request,
        whole: true,
        keys,
        asked,
        signer,
        proven,
        of_one: recipe.who >> 3 & 7 == 7,
        revokes,
    }
}

fn with_requests(
    mut builder: CmcRequestBuilder,
    recipe: &Recipe,
    keys: &mut Vec<Vec<u8>>,
) -> CmcRequestBuilder {
    let link = match recipe.what >> 3 & 3 {
        0 => None,
        1 => Some(Link::new(SECRET)),
        2 => Some(Link::new("another secret, as long")),
        _ => Some(Link::absent()),
    };
    if let Some(link) = &link {
        builder = builder.control(Control::PopLinkRandom(link.random().to_vec()));
    }
    let witness: Vec<_> = link.as_ref().and_then(Link::witness).into_iter().collect();
    for (index, request) in recipe.requests.iter().enumerate() {
        let broken = index == 0 && recipe.what & 0x20 != 0;
        if recipe.what & 4 != 0 && !broken {
            builder = builder
                .crmf(&request.template(&witness), request.key())
                .expect("a P-256 key signs");
        } else {
            let mut der = request.der(&witness);
            if let Some(last) = der.last_mut().filter(|_| broken) {
                *last ^= 1;
            }
            builder = builder.pkcs10(der);
        }
        if !broken {
            keys.push(request.spki().to_vec());
        }
    }
    builder
}

/// One of the certificates that were issued for a key of these scripts, and the key.
fn holder(issued: &[CertificateDer<'static>], back: u8) -> Option<(Identity, Certificate)> {
    let held = |der: &CertificateDer<'static>| {
        let certificate = Certificate::from_der(der).ok()?;
        let key = Request::key_of(certificate.spki_der())?;
        let key = PrivateKeyDer::Pkcs8(key.pkcs8().clone_key());
        let identity = Identity::from_parts(vec![der.clone()], key).ok()?;
        Some((identity, certificate))
    };
    issued.iter().rev().filter_map(held).nth(back.into())
}

fn revocation(certificate: &Certificate) -> Control {
    Control::RevokeRequest(RevokeRequestControl {
        issuer: certificate.issuer_der().to_vec(),
        serial: certificate.serial_number().to_vec(),
        reason: 4,
        invalidity_date: None,
        shared_secret: None,
        comment: None,
    })
}

fn with_other_controls(
    mut builder: CmcRequestBuilder,
    recipe: &Recipe,
    own: Option<&Certificate>,
) -> CmcRequestBuilder {
    if let Some(own) = own.filter(|_| recipe.has(3)) {
        builder = builder.control(Control::ConfirmCertAcceptance(IssuerAndSerialNumber {
            issuer: own.issuer_der().to_vec(),
            serial: own.serial_number().to_vec(),
        }));
    }
    if recipe.has(4) {
        builder = builder.control(Control::LraPopWitness(LraPopWitness {
            message: BodyPartId::WHOLE,
            requests: vec![BodyPartId(1)],
        }));
    }
    if recipe.has(5) {
        builder = builder.control(Control::Other {
            // Of attributes, not of controls.
            oid: CHANGE_SUBJECT_NAME,
            values: vec![vec![5, 0]],
        });
    }
    if recipe.has(6) {
        builder = builder
            .control(Control::DataReturn(b"give it back".to_vec()))
            .control(Control::RegInfo(b"as agreed".to_vec()));
    }
    if recipe.has(7) {
        builder = builder.control(Control::BatchRequests(Vec::new()));
    }
    builder
}

/// And whether the secret is known.
fn with_proof(builder: CmcRequestBuilder, kind: u8) -> (CmcRequestBuilder, bool) {
    let secret = SECRET.as_bytes();
    let name = || Control::Identification(IDENTIFICATION.to_owned());
    match kind {
        0 => (builder, false),
        1 => (builder.identity_proof(IDENTIFICATION, secret), true),
        2 => {
            let wrong = b"another secret, as long";
            (builder.identity_proof(IDENTIFICATION, wrong), false)
        }
        3 => (builder.identity_proof("device-2", secret), false),
        4 => {
            let older = Control::IdentityProof(vec![1; 20]);
            (builder.control(name()).control(older), false)
        }
        5 => {
            let over_nothing = identity_proof::prove(&[0x30, 0], secret, None);
            (builder.control(Control::IdentityProofV2(over_nothing)), false)
        }
        6 => (builder.control(name()).control(name()), false),
        _ => (builder.identity_proof(IDENTIFICATION_OF_ONE, secret), true),
    }
}

fn signed(
    builder: CmcRequestBuilder,
    recipe: &Recipe,
    own: Option<(Identity, Certificate)>,
) -> (CmcRequest, Option<Certificate>) {
    let by_key = |request: &Request| {
        let key = PrivateKeyDer::Pkcs8(request.key().pkcs8().clone_key());
        let provider = pki_common::tls::crypto_provider().expect("the feature aws-lc-rs is on");
        let key = provider.key_provider.load_private_key(key).expect("a P-256 key");
        Signer::without_certificate(key).expect("its public half is known")
    };
    let signing = "a P-256 key signs";
    if let Some((identity, certificate)) = own {
        let request = builder.sign(&Signer::with_identity(&identity), identity.chain());
        return (request.expect(signing), Some(certificate));
    }
    let request = match (recipe.who & 7, recipe.requests.first()) {
        (1, Some(first)) => builder.sign(&by_key(first), &[]),
        (3, _) => {
            let other: &Arc<Identity> = crate::keys::signer();
            builder.sign(&Signer::with_identity(other), other.chain())
        }
        (4, _) => builder.sign(&by_key(&Request::new(3)), &[]),
        _ => builder.unsigned(),
    };
    (request.expect(signing), None)
}

impl Message {
    /// What was issued and answered keeps within what is true.
    pub(super) fn check(
        &self,
        new: &[CertificateDer<'static>],
        response: &Response<Bytes>,
        own_names_only: bool,
    ) -> Option<CmcAnswer> {
        assert!(new.len() <= self.asked, "more certificates than requests");
        for der in new {
            let certificate = Certificate::from_der(der).expect("a certificate");
            assert!(
                self.keys.iter().any(|key| key == certificate.spki_der()),
                "a certificate for a key that nobody has shown"
            );
            assert!(
                !self.of_one || certificate.subject() == "/CN=device-1",
                "the secret is not good for {}",
                certificate.subject()
            );
            if let Some(signer) = self.signer.as_ref().filter(|_| own_names_only) {
                assert_eq!(
                    certificate.subject_der(),
                    signer.subject_der(),
                    "the holder of a certificate got one under another name"
                );
            }
        }
        let media_type = response.headers().get(CONTENT_TYPE)?.as_bytes();
        if !self.whole || media_type != PKCS7_MIME_CMC_RESPONSE.as_bytes() {
            return None;
        }
        let answer = self.read(response.body());
        for der in new {
            let told = answer.certificates.contains(der);
            assert!(told, "a certificate was issued and not given");
        }
        Some(answer)
    }

    fn read(&self, body: &[u8]) -> CmcAnswer {
        let der = base64::decode(body, body.len()).expect("base64");
        let mut anchors = TrustStore::empty("the one who signs the answers");
        anchors.add(crate::keys::signer().certificate()).expect("a root");
        let check = AnswerCheck::new(&anchors, crate::keys::NOW);
        self.request
            .read(&der, &check)
            .expect("a signed answer to this request")
    }

    /// How many requests and queries there are.
    pub(super) const fn asked(&self) -> usize {
        self.asked
    }

    /// What the answer gives to ask by later.
    pub(super) fn token(&self, answer: &CmcAnswer) -> Option<Token> {
        let token = answer.pend_info()?.token.clone();
        Some(Token {
            token,
            keys: self.keys.clone(),
        })
    }
}
