//! The state machine of one exchange, every branch, without a socket.

use std::time::Duration;

use bytes::Bytes;
use est::auth::BasicCredentials;
use est::client::ClientError;
use est::exchange::{
    Action, Connected, Credentials, Event, Exchange, ExchangeSettings, FingerprintCheck, HttpRequest,
    Outcome, PasswordUse, PendingPolicy, Progress, RequestBody,
};
use est::operation::Operation;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Response};
use pki_common::channel_binding::ChannelBindings;
use pki_common::{Fingerprint, HashAlgorithm};
use rustls_pki_types::UnixTime;

use crate::authority::Authority;

const NOW: u64 = 1_800_000_000;

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW))
}

fn exchange<'a>(operation: Operation, body: RequestBody<'a>, settings: ExchangeSettings) -> Exchange<'a> {
    let server = "https://est.example:8085".parse().unwrap();
    Exchange::new(server, None, operation, body, settings)
}

fn get(operation: Operation) -> Exchange<'static> {
    exchange(operation, RequestBody::Empty, ExchangeSettings::default())
}

fn post(settings: ExchangeSettings) -> Exchange<'static> {
    exchange(
        Operation::SimpleEnroll,
        RequestBody::Fixed(b"request".to_vec()),
        settings,
    )
}

fn with_password(password_use: PasswordUse) -> ExchangeSettings {
    ExchangeSettings {
        credentials: Credentials {
            password: Some(BasicCredentials::new("phone", "secret").unwrap()),
            bearer: None,
            password_use,
        },
        client_nonce: 7,
        ..ExchangeSettings::default()
    }
}

fn connected(id: u64) -> Event {
    let bindings = ChannelBindings::new(Some([u8::try_from(id).unwrap(); 12]), None);
    Event::Connected(Connected { id, bindings })
}

fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Event {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    Event::Response(builder.body(Bytes::copy_from_slice(body)).unwrap())
}

fn lost(progress: Progress) -> Event {
    let cause = "gone".to_owned();
    Event::Lost {
        error: ClientError::Http { cause, lost: true },
        progress,
    }
}

#[track_caller]
fn asked_to_connect(action: &Action) -> bool {
    match action {
        Action::Connect { fresh, .. } => *fresh,
        other => panic!("expected Connect, found {other:?}"),
    }
}

#[track_caller]
fn sent(action: Action) -> HttpRequest {
    match action {
        Action::Send(request) => *request,
        other => panic!("expected Send, found {other:?}"),
    }
}

#[track_caller]
fn failed(action: Action) -> ClientError {
    match action {
        Action::Failed(error) => error,
        other => panic!("expected Failed, found {other:?}"),
    }
}

/// Connects and gives the request that goes out.
fn first_request(exchange: &mut Exchange<'_>) -> HttpRequest {
    asked_to_connect(&exchange.start());
    sent(exchange.handle(connected(1), now()))
}

/// Answers the request in flight, reconnects on connection `id`, and gives the next request.
fn next_request(exchange: &mut Exchange<'_>, answer: Event, id: u64) -> HttpRequest {
    asked_to_connect(&exchange.handle(answer, now()));
    sent(exchange.handle(connected(id), now()))
}

fn authorization(request: &HttpRequest) -> Option<&str> {
    request
        .headers
        .get(AUTHORIZATION)
        .map(|value| value.to_str().unwrap())
}

#[test]
fn a_get_is_sent_without_body_and_credentials() {
    let mut exchange = exchange(
        Operation::CaCerts,
        RequestBody::Empty,
        with_password(PasswordUse::Preemptive),
    );
    let request = first_request(&mut exchange);
    assert_eq!(
        (request.method.clone(), request.target.as_str()),
        (Method::GET, "/.well-known/est/cacerts")
    );
    assert_eq!(request.headers[HOST], "est.example:8085");
    assert!(request.body.is_empty());
    assert_eq!(authorization(&request), None);
    let done = exchange.handle(response(200, &[], b"body"), now());
    assert!(matches!(done, Action::Done(Outcome::Answer(answer)) if answer.body() == "body"));
}

#[test]
fn a_post_ends_its_base64_with_a_newline_and_names_its_type() {
    let mut exchange = post(with_password(PasswordUse::Preemptive));
    let request = first_request(&mut exchange);
    assert_eq!(request.method, Method::POST);
    assert_eq!(request.headers[CONTENT_TYPE], "application/pkcs10");
    assert_eq!(request.headers["content-transfer-encoding"], "base64");
    assert_eq!(request.body, "cmVxdWVzdA==\n");
    assert_eq!(authorization(&request), Some("Basic cGhvbmU6c2VjcmV0"));
    assert!(request.headers[AUTHORIZATION].is_sensitive());
}

#[test]
fn each_operation_sends_and_accepts_its_media_types() {
    for operation in Operation::ALL {
        let body = match operation.method() {
            Method::GET => RequestBody::Empty,
            _ => RequestBody::Fixed(vec![1]),
        };
        let request = first_request(&mut exchange(operation, body, ExchangeSettings::default()));
        let accepts = request.headers["accept"].to_str().unwrap();
        let expected = match operation {
            Operation::CsrAttrs => "application/csrattrs",
            Operation::ServerKeyGen => "multipart/mixed",
            _ => "application/pkcs7-mime",
        };
        assert!(accepts.starts_with(expected), "{operation}: {accepts}");
        let sends = request
            .headers
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap());
        let expected = match operation {
            Operation::CaCerts | Operation::CsrAttrs => None,
            Operation::FullCmc => Some("application/pkcs7-mime; smime-type=CMC-request"),
            _ => Some("application/pkcs10"),
        };
        assert_eq!(sends, expected, "{operation}");
    }
}

#[test]
fn a_basic_challenge_is_answered_once() {
    let mut exchange = post(with_password(PasswordUse::AfterChallenge));
    let request = first_request(&mut exchange);
    assert_eq!(authorization(&request), None, "nothing before a challenge");
    let challenge = || {
        response(
            401,
            &[("WWW-Authenticate", "Basic realm=\"est\"")],
            b"who are you?",
        )
    };
    let request = next_request(&mut exchange, challenge(), 1);
    assert_eq!(authorization(&request), Some("Basic cGhvbmU6c2VjcmV0"));
    let error = failed(exchange.handle(challenge(), now()));
    assert_eq!(
        error.to_string(),
        "the server answers 401 Unauthorized: who are you?"
    );
}

#[test]
fn a_password_that_was_refused_is_not_sent_again() {
    let mut exchange = post(with_password(PasswordUse::Preemptive));
    first_request(&mut exchange);
    let answer = response(401, &[("WWW-Authenticate", "Basic realm=\"est\"")], b"");
    assert!(matches!(
        failed(exchange.handle(answer, now())),
        ClientError::Status { status, .. } if status == 401
    ));
}

#[test]
fn a_401_without_a_challenge_is_taken_for_basic() {
    let mut exchange = post(with_password(PasswordUse::AfterChallenge));
    first_request(&mut exchange);
    let request = next_request(&mut exchange, response(401, &[], b""), 1);
    assert!(authorization(&request).unwrap().starts_with("Basic "));
}

#[test]
fn digest_is_preferred_and_counts_its_requests() {
    let mut exchange = post(with_password(PasswordUse::AfterChallenge));
    first_request(&mut exchange);
    let offers = [
        ("WWW-Authenticate", "Basic realm=\"est\""),
        (
            "WWW-Authenticate",
            "Digest realm=\"est\", nonce=\"m\", qop=\"auth\"",
        ),
        (
            "WWW-Authenticate",
            "Digest realm=\"est\", nonce=\"s\", qop=\"auth\", algorithm=SHA-256",
        ),
    ];
    let request = next_request(&mut exchange, response(401, &offers, b""), 1);
    let value = authorization(&request).unwrap();
    assert!(
        value.starts_with("Digest username=\"phone\", realm=\"est\", nonce=\"s\""),
        "{value}"
    );
    assert!(
        value.contains("nc=00000001, cnonce=\"00000000000000000000000000000007\""),
        "{value}"
    );
    assert!(value.contains("uri=\"/.well-known/est/simpleenroll\""), "{value}");
    assert!(!value.contains("secret"));
}

#[test]
fn a_stale_nonce_is_answered_once_more_and_then_no_more() {
    let mut exchange = post(with_password(PasswordUse::DigestOnly));
    first_request(&mut exchange);
    let challenge = |nonce: &str, stale: &str| {
        let value = format!("Digest realm=\"est\", nonce=\"{nonce}\", stale={stale}");
        response(401, &[("WWW-Authenticate", &value)], b"")
    };
    next_request(&mut exchange, challenge("a", "false"), 1);
    let request = next_request(&mut exchange, challenge("b", "TRUE"), 1);
    assert!(authorization(&request).unwrap().contains("nonce=\"b\""));
    failed(exchange.handle(challenge("c", "true"), now()));
}

#[test]
fn a_wrong_digest_password_is_not_tried_again() {
    let mut exchange = post(with_password(PasswordUse::DigestOnly));
    first_request(&mut exchange);
    let challenge = || {
        response(
            401,
            &[("WWW-Authenticate", "Digest realm=\"est\", nonce=\"a\"")],
            b"",
        )
    };
    next_request(&mut exchange, challenge(), 1);
    failed(exchange.handle(challenge(), now()));
}

#[test]
fn a_password_that_may_only_be_used_for_digest_does_not_leave_for_basic() {
    let mut exchange = post(with_password(PasswordUse::DigestOnly));
    assert_eq!(authorization(&first_request(&mut exchange)), None);
    let answer = response(401, &[("WWW-Authenticate", "Basic realm=\"est\"")], b"");
    let error = failed(exchange.handle(answer, now()));
    assert!(
        matches!(&error, ClientError::Challenge { offered, .. } if offered == "Basic"),
        "{error}"
    );
}

#[test]
fn a_bearer_token_goes_out_at_once_and_not_twice() {
    let mut settings = with_password(PasswordUse::Preemptive);
    settings.credentials.bearer = Some("token".parse().unwrap());
    let mut exchange = post(settings);
    let request = first_request(&mut exchange);
    assert_eq!(authorization(&request), Some("Bearer token"));
    let answer = response(
        401,
        &[("WWW-Authenticate", "Bearer error=\"invalid_token\"")],
        b"",
    );
    failed(exchange.handle(answer, now()));
}

#[test]
fn a_202_is_waited_for_within_its_bounds_and_then_handed_back() {
    let settings = ExchangeSettings {
        pending: PendingPolicy {
            attempts: 2,
            total: Duration::from_secs(100),
        },
        ..ExchangeSettings::default()
    };
    let pending = |seconds: &str| response(202, &[("Retry-After", seconds)], b"");
    let mut exchange = post(settings.clone());
    let before = first_request(&mut exchange);
    for _ in 0..2 {
        let action = exchange.handle(pending("30"), now());
        assert!(
            matches!(action, Action::Wait(time) if time.as_secs() == 30),
            "{action:?}"
        );
        asked_to_connect(&exchange.handle(Event::Woke, now()));
        assert_eq!(
            sent(exchange.handle(connected(2), now())),
            before,
            "the same request"
        );
    }
    let action = exchange.handle(pending("30"), now());
    assert!(
        matches!(action, Action::Done(Outcome::Pending { retry_after, .. }) if retry_after.as_secs() == 30)
    );

    // The sum of the waits is bounded too, and a server that names no time is asked again after a minute.
    let mut exchange = post(settings);
    first_request(&mut exchange);
    let action = exchange.handle(response(202, &[], b""), now());
    assert!(
        matches!(action, Action::Wait(time) if time.as_secs() == 60),
        "{action:?}"
    );
    asked_to_connect(&exchange.handle(Event::Woke, now()));
    sent(exchange.handle(connected(2), now()));
    let action = exchange.handle(pending("41"), now());
    assert!(
        matches!(action, Action::Done(Outcome::Pending { .. })),
        "{action:?}"
    );
}

#[test]
fn a_202_that_says_at_once_is_not_asked_again_at_once() {
    let settings = ExchangeSettings {
        pending: PendingPolicy::up_to(Duration::from_secs(5)),
        ..ExchangeSettings::default()
    };
    let mut exchange = post(settings);
    first_request(&mut exchange);
    let mut waits = 0;
    loop {
        match exchange.handle(response(202, &[("Retry-After", "0")], b""), now()) {
            Action::Wait(time) => assert_eq!(time.as_secs(), 1),
            Action::Done(Outcome::Pending { .. }) => break,
            other => panic!("{other:?}"),
        }
        waits += 1;
        exchange.handle(Event::Woke, now());
        sent(exchange.handle(connected(1), now()));
    }
    assert_eq!(waits, 5);
}

#[test]
fn a_202_to_a_get_is_no_answer() {
    let mut exchange = get(Operation::CaCerts);
    first_request(&mut exchange);
    failed(exchange.handle(response(202, &[], b""), now()));
}

#[test]
fn redirects_within_the_origin_are_followed_up_to_a_number() {
    let mut exchange = get(Operation::CaCerts);
    first_request(&mut exchange);
    for hop in 0..5 {
        let location = format!("/moved/{hop}");
        let request = next_request(&mut exchange, response(302, &[("Location", &location)], b""), 1);
        assert_eq!(request.target, location);
    }
    let error = failed(exchange.handle(response(302, &[("Location", "/again")], b""), now()));
    assert_eq!(error, ClientError::TooManyRedirects { limit: 5 });
}

#[test]
fn a_redirected_enrolment_keeps_method_body_and_credentials() {
    let mut exchange = post(with_password(PasswordUse::Preemptive));
    let first = first_request(&mut exchange);
    let location = "https://est.example:8085/.well-known/est/phones/simpleenroll";
    let request = next_request(&mut exchange, response(307, &[("Location", location)], b""), 1);
    assert_eq!(request.target, "/.well-known/est/phones/simpleenroll");
    assert_eq!((&request.method, &request.body), (&first.method, &first.body));
    assert_eq!(authorization(&request), authorization(&first));
}

#[test]
fn another_origin_is_reported_by_its_name_and_gets_nothing() {
    let mut exchange = post(with_password(PasswordUse::Preemptive));
    first_request(&mut exchange);
    let location = "https://elsewhere.example/.well-known/est/simpleenroll";
    let error = failed(exchange.handle(response(307, &[("Location", location)], b""), now()));
    assert!(
        matches!(&error, ClientError::Redirect { location: named, .. } if named == location),
        "{error}"
    );
}

#[test]
fn a_bound_body_is_made_for_each_connection_and_kept_on_the_same() {
    let mut made = Vec::new();
    let body = RequestBody::Bound(Box::new(|bindings: &ChannelBindings| {
        let unique = bindings.tls_unique().unwrap().to_vec();
        made.push(unique[0]);
        Ok(unique)
    }));
    let mut exchange = exchange(
        Operation::SimpleEnroll,
        body,
        with_password(PasswordUse::AfterChallenge),
    );
    let first = first_request(&mut exchange);
    let challenge = |nonce: &str| {
        let value = format!("Digest realm=\"est\", nonce=\"{nonce}\", stale=true");
        response(401, &[("WWW-Authenticate", &value)], b"")
    };
    let same = next_request(&mut exchange, challenge("a"), 1);
    assert_eq!(
        same.body, first.body,
        "the server kept the connection: the same request"
    );
    let other = next_request(&mut exchange, challenge("b"), 2);
    assert_ne!(
        other.body, first.body,
        "the server closed: another connection, another request"
    );
    drop(exchange);
    assert_eq!(made, [1, 2]);
}

#[test]
fn a_request_that_cannot_be_bound_is_not_sent() {
    let body = RequestBody::Bound(Box::new(|bindings: &ChannelBindings| {
        bindings
            .preferred()
            .map(|(_, text)| text.into_bytes())
            .ok_or(ClientError::NoChannelBinding)
    }));
    let mut exchange = exchange(Operation::SimpleEnroll, body, ExchangeSettings::default());
    exchange.start();
    let bare = Event::Connected(Connected::default());
    assert_eq!(
        failed(exchange.handle(bare, now())),
        ClientError::NoChannelBinding
    );
}

#[test]
fn a_question_on_a_kept_connection_that_was_dead_is_asked_again_once() {
    for progress in [Progress::Unsent, Progress::Unanswered] {
        let mut exchange = get(Operation::CaCerts);
        let first = first_request(&mut exchange);
        let action = exchange.handle(lost(progress), now());
        assert!(asked_to_connect(&action), "a fresh one");
        assert_eq!(sent(exchange.handle(connected(2), now())), first);
        failed(exchange.handle(lost(progress), now()));
    }
}

#[test]
fn an_enrolment_is_repeated_only_when_nothing_of_it_has_left() {
    let mut exchange = post(ExchangeSettings::default());
    let first = first_request(&mut exchange);
    assert!(asked_to_connect(&exchange.handle(lost(Progress::Unsent), now())));
    assert_eq!(sent(exchange.handle(connected(2), now())), first);

    let mut exchange = post(ExchangeSettings::default());
    first_request(&mut exchange);
    let error = failed(exchange.handle(lost(Progress::Unanswered), now()));
    assert!(matches!(error, ClientError::Unanswered { .. }), "{error}");
    assert!(error.is_transient(), "the caller may decide to try again");

    let mut exchange = post(ExchangeSettings {
        repeat_unanswered: true,
        ..ExchangeSettings::default()
    });
    let first = first_request(&mut exchange);
    assert!(asked_to_connect(
        &exchange.handle(lost(Progress::Unanswered), now())
    ));
    assert_eq!(sent(exchange.handle(connected(2), now())), first);
    failed(exchange.handle(lost(Progress::Unanswered), now()));
}

#[test]
fn after_a_challenge_or_a_redirect_an_enrolment_goes_out_on_a_new_connection() {
    let challenge = || response(401, &[("WWW-Authenticate", "Basic realm=\"est\"")], b"");
    let redirect = || response(307, &[("Location", "/other")], b"");
    for answer in [challenge(), redirect()] {
        let mut exchange = post(with_password(PasswordUse::AfterChallenge));
        first_request(&mut exchange);
        assert!(asked_to_connect(&exchange.handle(answer, now())));
    }
    let settings = with_password(PasswordUse::AfterChallenge);
    for answer in [challenge(), redirect()] {
        let mut exchange = exchange(Operation::CaCerts, RequestBody::Empty, settings.clone());
        first_request(&mut exchange);
        assert!(!asked_to_connect(&exchange.handle(answer, now())));
    }
}

#[test]
fn a_password_that_went_out_as_digest_does_not_follow_as_basic() {
    let mut settings = with_password(PasswordUse::AfterChallenge);
    settings.pending = PendingPolicy::up_to(Duration::from_secs(100));
    let mut exchange = post(settings);
    first_request(&mut exchange);
    let digest = [(
        "WWW-Authenticate",
        "Digest realm=\"est\", nonce=\"a\", stale=true",
    )];
    next_request(&mut exchange, response(401, &digest, b""), 2);
    // Accepted, and after the wait the server has forgotten Digest.
    exchange.handle(response(202, &[("Retry-After", "1")], b""), now());
    let request = next_request(&mut exchange, Event::Woke, 3);
    assert!(authorization(&request).unwrap().starts_with("Digest "));
    let basic = response(401, &[("WWW-Authenticate", "Basic realm=\"est\"")], b"");
    failed(exchange.handle(basic, now()));
}

#[test]
fn a_new_connection_that_breaks_and_an_answer_that_breaks_off_are_errors() {
    let mut exchange = get(Operation::CaCerts);
    first_request(&mut exchange);
    failed(exchange.handle(lost(Progress::Begun), now()));
    let mut exchange = post(ExchangeSettings::default());
    exchange.start();
    failed(exchange.handle(lost(Progress::Begun), now()));
}

#[test]
fn a_fingerprint_of_sha_1_is_not_believed() {
    let root = Authority::root("root");
    let weak = Fingerprint::of(HashAlgorithm::Sha1, &root.certificate);
    let mut exchange = first_contact(FingerprintCheck::Expect(weak));
    assert_eq!(failed(exchange.start()), ClientError::WeakFingerprint);
}

#[test]
fn no_csr_attributes_are_no_error_but_no_cacerts_are() {
    for status in [204, 404] {
        let mut exchange = get(Operation::CsrAttrs);
        first_request(&mut exchange);
        let action = exchange.handle(response(status, &[], b""), now());
        assert!(matches!(action, Action::Done(Outcome::Nothing)), "{action:?}");
        let mut exchange = get(Operation::CaCerts);
        first_request(&mut exchange);
        failed(exchange.handle(response(status, &[], b""), now()));
    }
}

#[test]
fn a_refusal_brings_its_text_and_the_time_to_come_back() {
    let mut exchange = post(ExchangeSettings::default());
    first_request(&mut exchange);
    let date = "Fri, 15 Jan 2027 08:01:40 GMT"; // 100 s after NOW
    let error = failed(exchange.handle(response(503, &[("Retry-After", date)], b"busy\n"), now()));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(100)));
    assert!(error.is_transient());
    assert_eq!(
        error.to_string(),
        "the server answers 503 Service Unavailable: busy"
    );
}

#[test]
fn a_cmc_refusal_in_a_message_is_an_answer() {
    let cmc = || {
        exchange(
            Operation::FullCmc,
            RequestBody::Fixed(vec![1]),
            ExchangeSettings::default(),
        )
    };
    let label = "application/pkcs7-mime; smime-type=CMC-response";
    let mut exchange = cmc();
    first_request(&mut exchange);
    let action = exchange.handle(response(400, &[("Content-Type", label)], b"MAA="), now());
    assert!(
        matches!(&action, Action::Done(Outcome::Answer(answer)) if answer.status() == 400),
        "{action:?}"
    );
    let mut exchange = cmc();
    first_request(&mut exchange);
    failed(exchange.handle(response(400, &[("Content-Type", "text/plain")], b"no"), now()));
}

#[test]
fn an_event_out_of_order_is_an_error_and_ends_the_exchange() {
    let mut exchange = post(ExchangeSettings::default());
    exchange.start();
    let error = failed(exchange.handle(Event::Woke, now()));
    assert!(matches!(error, ClientError::Sequence { .. }), "{error}");
    failed(exchange.handle(connected(1), now()));
    let mut exchange = get(Operation::CaCerts);
    first_request(&mut exchange);
    exchange.handle(response(200, &[], b""), now());
    failed(exchange.handle(response(200, &[], b""), now()));
}

fn first_contact(check: FingerprintCheck) -> Exchange<'static> {
    Exchange::first_contact("https://est.example:8085".parse().unwrap(), None, check, 5)
}

#[test]
fn first_contact_believes_the_certificate_with_the_fingerprint_alone() {
    let (wanted, other) = (Authority::root("wanted"), Authority::root("other"));
    let body = crate::authority::certs_only(&[&other.certificate, &wanted.certificate]);
    let expected = Fingerprint::of(HashAlgorithm::Sha256, &wanted.certificate);
    let mut exchange = first_contact(FingerprintCheck::Expect(expected));
    let action = exchange.start();
    assert!(
        matches!(
            action,
            Action::Connect {
                provisional: true,
                ..
            }
        ),
        "{action:?}"
    );
    let request = sent(exchange.handle(connected(1), now()));
    assert_eq!(authorization(&request), None);
    match exchange.handle(response(200, &[], &body), now()) {
        Action::Done(Outcome::Trusted { anchor, certificates }) => {
            assert_eq!(anchor, wanted.certificate);
            assert_eq!(certificates.len(), 2);
        }
        other => panic!("{other:?}"),
    }

    let stranger = Authority::root("stranger");
    let expected = Fingerprint::of(HashAlgorithm::Sha256, &stranger.certificate);
    let mut exchange = first_contact(FingerprintCheck::Expect(expected));
    first_request(&mut exchange);
    let error = failed(exchange.handle(response(200, &[], &body), now()));
    assert!(matches!(error, ClientError::FingerprintDiffers { .. }), "{error}");
}

#[test]
fn first_contact_asks_a_person_about_authorities_only() {
    let root = Authority::root("root");
    let leaf = root.leaf("leaf");
    let body = crate::authority::certs_only(&[&leaf.certificate, &root.certificate]);
    for (choice, accepted) in [(Some(0), true), (None, false), (Some(1), false)] {
        let mut exchange = first_contact(FingerprintCheck::Ask);
        first_request(&mut exchange);
        let action = exchange.handle(response(200, &[], &body), now());
        let Action::AskFingerprint(shown) = action else {
            panic!("{action:?}")
        };
        assert_eq!(shown.len(), 1, "a leaf is no authority");
        assert_eq!(shown[0].certificate, root.certificate);
        match exchange.handle(Event::Confirmed(choice), now()) {
            Action::Done(Outcome::Trusted { .. }) => assert!(accepted),
            Action::Failed(ClientError::FingerprintRejected) => assert!(!accepted),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn first_contact_answers_no_challenge() {
    let mut exchange = first_contact(FingerprintCheck::Ask);
    first_request(&mut exchange);
    let answer = response(401, &[("WWW-Authenticate", "Basic realm=\"est\"")], b"");
    failed(exchange.handle(answer, now()));
}

#[test]
fn debug_shows_no_body() {
    let event = response(200, &[], b"a private key");
    let shown = format!("{event:?}");
    assert!(
        shown.contains("length: 13") && !shown.contains("private"),
        "{shown}"
    );
    let mut exchange = get(Operation::CaCerts);
    first_request(&mut exchange);
    let shown = format!("{:?}", exchange.handle(event, now()));
    assert!(shown.contains("Answer") && !shown.contains("private"), "{shown}");
}
