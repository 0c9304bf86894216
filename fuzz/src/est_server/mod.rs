//! Sequences of requests to an EST server: the real service over a real authority, and a second opinion on what each
//! request may lead to.

mod allowed;
mod answer;
mod authority;
mod framing;
mod full_cmc;
mod material;
mod server_key;
mod world;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use est::auth::BasicCredentials;
use est::auth::digest::{DigestAnswer, DigestChallenge};
use est::operation::{ConnectionFacts, EstPath, Operation};
use est::server::EstService;
use est::wire::base64::{self, Base64Layout};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::BodyExt as _;
use pki_common::Certificate;
use rustls_pki_types::CertificateDer;
use tower::ServiceExt as _;

use crate::script::Steps;
use allowed::{Allowed, Label, Shown};
use authority::{Mood, Said};
use full_cmc::Token;
use material::{End, Pieces};
use server_key::Wish;
use world::World;

pub use framing::est_http;
pub(crate) use world::run;

/// Requests of one script: more bring nothing new and take time.
const MAX_REQUESTS: usize = 64;

/// The place of `serverkeygen` in [`Operation::ALL`], with a body that is announced.
const SERVER_KEY_GENERATION: u8 = 4;

/// What a script has made happen; tests of the corpus ask for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Every status that was answered, with the operation, if there was one.
    pub answers: Vec<(Option<Operation>, u16)>,
}

/// Runs a script against an EST server. Each byte is a step, and its lower five bits say which or how much:
///
/// | upper three bits | step |
/// |---|---|
/// | 0 | a request with a certification request as its body; the next four bytes say under which label, with what credentials, for which key and binding, with what headers |
/// | 1 | the same with a body that is the next bytes; how many: the two bytes behind the four |
/// | 2 | the same with a certification request in which one byte is another: a position, and what it is changed by |
/// | 3 | time passes: as many minutes |
/// | 4 | the operator says yes or no to a request that waits |
/// | 5 | the authority is well, slow, unavailable, broken or refused by its own; the label without a name is closed (and the strict one stricter) or opened by a reload; or, with 10, a Full PKI Request: label, credentials and headers as above, and what is told at `full_cmc`; with 11, a request for a key that the server makes: label, credentials, request and headers as above, and how it is to be encrypted |
/// | 6 | another connection: which bindings and which certificate |
/// | 7 | the last request again, with an answer to the Digest challenge that it got |
///
/// Whatever the script is: nothing is issued for a request that does not show what its label demands, nor without the
/// operator where there is one; no serial number is given twice; what is issued has the key that was asked for; each
/// answer is one that EST allows and says what its status has to say.
#[must_use]
pub fn script(data: &[u8]) -> Reached {
    run(async {
        let mut subject = Subject::new(World::new().await);
        let mut steps = Steps::new(data);
        while let Some(step) = steps.next() {
            subject.step(step, &mut steps).await;
            if subject.reached.answers.len() >= MAX_REQUESTS {
                break;
            }
        }
        subject.reached
    })
}

/// A request as the script puts it, so that it can be put again.
#[derive(Clone)]
struct Asked {
    operation: Option<Operation>,
    label: Label,
    method: Method,
    path: String,
    headers: HeaderMap,
    shown: Shown,
    body: Bytes,
    /// The key that the body asks a certificate for, when the script knows it.
    spki: Option<&'static [u8]>,
    /// The connection that the body is bound to, when the script knows it.
    bound_to: Option<u8>,
    /// What the body says, if it is a Full PKI Request.
    message: Option<full_cmc::Message>,
    /// How the key that is asked for is to be encrypted, when the script knows it.
    wish: Option<Wish>,
    end: End,
    announced: bool,
}

struct Subject {
    world: World,
    service: EstService,
    connection: u8,
    /// The certificate of the handshake: whose it is.
    certificate: Option<Certificate>,
    own_certificate: bool,
    other_certificate: bool,
    shut: bool,
    last: Option<(Asked, Response<Bytes>)>,
    digest_requests: u32,
    /// The last request that was told to ask again in CMC.
    waiting: Option<Token>,
    messages: u8,
    reached: Reached,
}

impl Subject {
    fn new(world: World) -> Self {
        let service = world.service();
        let mut subject = Self {
            world,
            service,
            connection: 0,
            certificate: None,
            own_certificate: false,
            other_certificate: false,
            shut: false,
            last: None,
            digest_requests: 0,
            waiting: None,
            messages: 0,
            reached: Reached::default(),
        };
        subject.connect(0);
        subject
    }

    async fn step(&mut self, step: u8, steps: &mut Steps<'_>) {
        let (kind, detail) = (step >> 5, step & 0x1f);
        match kind {
            0..=2 => {
                let asked = self.asked(kind, detail, steps);
                self.send(asked).await;
            }
            3 => tokio::time::advance(Duration::from_secs(60 * u64::from(detail))).await,
            4 => {
                let said = if detail & 1 == 0 { Said::Yes } else { Said::No };
                self.world.authority.decide(usize::from(detail >> 1), said);
            }
            5 => match detail & 15 {
                1 => self.world.authority.set_mood(Mood::Slow),
                2 => self.world.authority.set_mood(Mood::Unavailable),
                3 => self.world.authority.set_mood(Mood::Broken),
                shut @ 4..=5 => {
                    self.shut = shut == 4;
                    self.world.reload(self.shut);
                }
                6 => self.world.authority.set_mood(Mood::Upstream),
                7 => self.world.authority.set_mood(Mood::Denied),
                8 => self.world.authority.set_mood(Mood::Unsupported),
                9 => self.world.authority.set_mood(Mood::Busy),
                10 => {
                    let asked = self.asked_in_cmc(steps);
                    self.send(asked).await;
                }
                11 => {
                    let asked = self.asked_for_key(steps);
                    self.send(asked).await;
                }
                _ => self.world.authority.set_mood(Mood::Well),
            },
            6 => self.connect(detail),
            _ => self.answer_challenge(detail).await,
        }
    }

    /// The lowest two bits say which bindings, the others which certificate: none, another authority's, or the one that
    /// was issued so many requests ago.
    fn connect(&mut self, detail: u8) {
        self.connection = (detail & 3) % material::CONNECTIONS;
        let issued = self.world.authority.issued();
        let certificate = match detail >> 2 {
            0 => None,
            1 => Some(CertificateDer::from(crate::keys::LEAF)),
            back => issued.iter().rev().nth(usize::from(back) - 2).cloned(),
        };
        self.other_certificate = detail >> 2 == 1;
        self.own_certificate = certificate.is_some() && !self.other_certificate;
        self.certificate = certificate.map(|der| Certificate::from_der(&der).expect("a certificate"));
        let facts = ConnectionFacts {
            address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, detail))),
            certificate: self.certificate.clone(),
            intermediates: Vec::new(),
            channel_bindings: material::bindings(self.connection),
        };
        self.service = self.world.service().for_connection(facts);
    }

    fn asked(&self, kind: u8, detail: u8, steps: &mut Steps<'_>) -> Asked {
        let operation = Operation::ALL.get(usize::from(detail & 7)).copied();
        let label = label(steps.byte());
        let (authorization, mut shown) = credentials(steps.byte());
        shown.own_certificate = self.own_certificate;
        shown.other_certificate = self.other_certificate;
        shown.simple = true;
        let request = material::Request::new(steps.byte());
        let header_choice = steps.byte();
        let mut body = request.body();
        let (mut spki, mut bound_to) = (Some(request.spki()), request.connection());
        if kind == 1 {
            let length = steps.number();
            body = Bytes::copy_from_slice(steps.take(length.into()));
            (spki, bound_to) = (None, None);
        } else if kind == 2 {
            let (position, change) = (usize::from(steps.number()), steps.byte());
            let mut changed = body.to_vec();
            let length = changed.len();
            if let Some(byte) = changed.get_mut(position % length) {
                *byte ^= change;
            }
            body = changed.into();
            // A change within base64 or a signature may leave it as good as it was; which it is, is not known here.
            (spki, bound_to) = (None, None);
        }
        let mut headers = headers(operation, header_choice);
        headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
        Asked {
            operation,
            label,
            method: method(operation, header_choice),
            path: path(operation, label),
            headers,
            shown,
            body,
            spki,
            bound_to,
            message: None,
            wish: (kind == 0).then_some(Wish::none()),
            end: match detail >> 3 {
                2 => End::Broken,
                3 => End::Never,
                _ => End::Whole,
            },
            announced: detail >> 3 == 0,
        }
    }

    fn asked_in_cmc(&mut self, steps: &mut Steps<'_>) -> Asked {
        let operation = Some(Operation::FullCmc);
        let label = label(steps.byte());
        let (authorization, mut shown) = credentials(steps.byte());
        let header_choice = steps.byte();
        self.messages = self.messages.wrapping_add(1);
        let issued = self.world.authority.issued();
        let (body, message) = full_cmc::message(steps, self.messages, &issued, self.waiting.as_ref());
        shown.own_certificate = self.own_certificate;
        shown.other_certificate = self.other_certificate;
        shown.signed = message.signer.is_some();
        shown.proven = message.proven;
        let mut headers = headers(operation, header_choice);
        headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
        Asked {
            operation,
            label,
            method: method(operation, header_choice),
            path: path(operation, label),
            headers,
            shown,
            body,
            spki: None,
            bound_to: None,
            message: Some(message),
            wish: None,
            end: End::Whole,
            announced: true,
        }
    }

    fn asked_for_key(&self, steps: &mut Steps<'_>) -> Asked {
        // The request is made as any other, and its body anew.
        let number = steps.byte_at(2);
        let asked = self.asked(0, SERVER_KEY_GENERATION, steps);
        let wish = Wish::new(steps.byte());
        let request = material::Request::new(number);
        let der = request.der(&wish.attributes(self.certificate.as_ref()));
        Asked {
            body: base64::encode(&der, Base64Layout::SingleLine).into(),
            wish: Some(wish),
            ..asked
        }
    }

    /// Sends a request, and judges the answer.
    async fn send(&mut self, asked: Asked) {
        let allowed = Allowed {
            label: Some(asked.label),
            operation: asked.operation,
            shown: asked.shown,
            shut: self.shut,
            revokes: asked.message.as_ref().and_then(|message| message.revokes),
        };
        self.world.authority.allow(allowed);
        let before = self.world.authority.issued().len();
        let mut request = Request::new(Pieces::new(asked.body.clone(), asked.end, asked.announced));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = asked.path.parse().expect("a path");
        *request.headers_mut() = asked.headers.clone();
        let answered = self.service.clone().oneshot(request).await;
        let (head, body) = answered.expect("the service has no other answer").into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes();
        let response = Response::from_parts(head, body);
        answer::check(&asked.method, asked.operation, &response);
        self.check_issued(&asked, &response, before);
        self.check_message(&asked, &response, before);
        let status = response.status().as_u16();
        self.reached.answers.push((asked.operation, status));
        self.last = Some((asked, response));
    }

    fn check_issued(&self, asked: &Asked, response: &Response<Bytes>, before: usize) {
        let all = self.world.authority.issued();
        let new = all.get(before..).unwrap_or_default();
        let Some(operation) = asked
            .operation
            .filter(|operation| operation.method() == Method::POST)
        else {
            return assert!(new.is_empty(), "a certificate that nobody asked for");
        };
        if operation == Operation::FullCmc {
            return;
        }
        assert!(new.len() <= 1, "two certificates for one request");
        if response.status() != 200 {
            return assert!(
                new.is_empty(),
                "{} for a request that a certificate was issued for",
                response.status()
            );
        }
        assert!(
            operation == Operation::ServerKeyGen || asked.label == Label::Approved || new.len() == 1,
            "an answer without a certificate"
        );
        if asked.label == Label::Bound && asked.spki.is_some() {
            assert_eq!(
                asked.bound_to,
                Some(self.connection),
                "bound to another connection"
            );
        }
        if operation == Operation::ServerKeyGen {
            if let Some(wish) = asked.wish {
                wish.check(response, self.certificate.as_ref());
            }
            return;
        }
        let issued = answer::certificate(response.body());
        assert!(
            all.contains(&issued),
            "the answer is a certificate that was never issued"
        );
        let issued = Certificate::from_der(&issued).expect("a certificate");
        if let Some(spki) = asked.spki {
            assert_eq!(issued.spki_der(), spki, "a certificate for another key");
        }
    }

    /// The same for a Full PKI Request, in which several certificates can be asked for.
    fn check_message(&mut self, asked: &Asked, response: &Response<Bytes>, before: usize) {
        let Some(message) = &asked.message else { return };
        let all = self.world.authority.issued();
        let new = all.get(before..).unwrap_or_default();
        let own_names_only = asked.label != Label::Approved;
        let Some(answer) = message.check(new, response, own_names_only) else {
            return;
        };
        // What an operator has approved is issued once and given again.
        if answer.granted().is_ok() && asked.label != Label::Approved {
            assert_eq!(
                new.len(),
                message.asked(),
                "granted, and another number of certificates issued"
            );
        }
        self.waiting = message.token(&answer).or_else(|| self.waiting.take());
    }

    async fn answer_challenge(&mut self, detail: u8) {
        let Some((mut asked, response)) = self.last.take() else {
            return;
        };
        let Ok(Some(challenge)) = DigestChallenge::strongest(response.headers()) else {
            return;
        };
        // A count that was used before is told to try again.
        if detail & 1 == 0 {
            self.digest_requests += 1;
        }
        let right = detail & 2 == 0;
        let answer = challenge.answer(&DigestAnswer {
            method: asked.method.as_str(),
            uri: &asked.path,
            user: world::USER,
            password: if right { world::PASSWORD } else { "wrong" },
            cnonce: "0123456789abcdef",
            count: self.digest_requests.max(1),
        });
        let Ok(value) = answer else { return };
        asked.headers.insert(AUTHORIZATION, value);
        asked.shown.basic = false;
        asked.shown.bearer = false;
        asked.shown.digest = right;
        self.send(asked).await;
    }
}

fn label(choice: u8) -> Label {
    let label = Label::ALL.iter().cycle().nth(choice.into());
    *label.expect("a cycle has no end")
}

/// What stands in `Authorization`, and what it truly shows. With the fourth bit it is another server that is asked about
/// it, or the file of tokens.
fn credentials(choice: u8) -> (Option<HeaderValue>, Shown) {
    let basic = |user: &str, password: &str| {
        let credentials = BasicCredentials::new(user, password).expect("they can be sent");
        HeaderValue::try_from(credentials.to_header().as_str()).ok()
    };
    let mut shown = Shown::default();
    let bearer = |token: &str| HeaderValue::try_from(format!("Bearer {token}")).ok();
    let value = match choice & 15 {
        0 => None,
        1 => {
            shown.basic = true;
            basic(world::USER, world::PASSWORD)
        }
        2 => {
            shown.basic = true;
            basic(world::OTHER_USER, world::PASSWORD)
        }
        3 => basic(world::USER, "wrong"),
        4 => basic("nobody", world::PASSWORD),
        5 => {
            shown.bearer = true;
            bearer(world::TOKEN)
        }
        8 => {
            shown.basic = true;
            basic(world::FAR_USER, world::PASSWORD)
        }
        9 => basic(world::FAR_USER, "wrong"),
        10 => basic(world::FAR_USER, world::NOT_ASKED),
        11 => basic(world::FAR_USER, world::NOT_REACHED),
        12 => {
            shown.bearer = true;
            bearer(world::OTHER_TOKEN)
        }
        13 => bearer(world::ENDED_TOKEN),
        14 => basic(world::OTHER_USER, world::NOT_REACHED),
        6 => Some(HeaderValue::from_static("Bearer d3JvbmcgdG9rZW4gb2YgdGhlIGZ1eno")),
        _ => Some(HeaderValue::from_static("Basic !")),
    };
    (value, shown)
}

/// The lowest three bits choose among media types, the next two do what else can be wrong.
fn headers(operation: Option<Operation>, choice: u8) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("est.example.com"));
    let right = match operation {
        Some(Operation::FullCmc) => "application/pkcs7-mime; smime-type=CMC-request",
        _ => "application/pkcs10",
    };
    let media_type = match choice & 7 {
        0..=3 => Some(right),
        4 => Some("Application/PKCS10; charset=\"utf-8\""),
        5 => Some("text/plain"),
        6 => Some("application/pkcs7-mime; smime-type=CMC-request"),
        _ => None,
    };
    headers.extend(media_type.map(|value| (CONTENT_TYPE, HeaderValue::from_static(value))));
    match choice >> 3 & 3 {
        1 => drop(headers.insert(USER_AGENT, HeaderValue::from_static("libest 3.2.0"))),
        2 => drop(headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"))),
        3 if choice & 7 == 0 => drop(headers.append(CONTENT_TYPE, HeaderValue::from_static("text/html"))),
        3 if choice & 7 == 1 => drop(headers.remove(HOST)),
        _ => {}
    }
    headers
}

/// The method of the operation, unless the upper bits say otherwise.
fn method(operation: Option<Operation>, choice: u8) -> Method {
    match choice >> 5 {
        5 => Method::HEAD,
        6 => Method::OPTIONS,
        7 => Method::PUT,
        _ => operation.map_or(Method::GET, Operation::method),
    }
}

fn path(operation: Option<Operation>, label: Label) -> String {
    let Some(operation) = operation else {
        let path = match label {
            Label::Open => world::LIST,
            _ => "/.well-known/est/../cacerts",
        };
        return path.to_owned();
    };
    let label = label.text().map(|text| text.parse().expect("a label"));
    EstPath { label, operation }.to_string()
}

/// See [`script`].
pub fn est_server(data: &[u8]) {
    let _reached = script(data);
}
