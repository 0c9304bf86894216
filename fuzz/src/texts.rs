//! Short things of peers, each with its own decoder: URLs, channel bindings, challenges, datagrams.

use est::adcs::ntlm::{self, Challenge, FileTime, Login, NtlmLogin};
use est::adcs::{CertsrvUrl, WindowsAccount};
use est::client::Proxy;
use est::exchange::ServerUrl;
use est::inspect::{Report, Value};
use est::operation::EstPath;
use pki_common::Diagnose as _;
use pki_common::channel_binding::{ChannelBindingType, ChannelBindings};

use crate::{dtls_hello, keys};

/// A URL as a person or a `Location` gives it, and the path of a request: what is read survives being written, and no
/// refusal repeats a password.
pub fn est_url(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    match text.parse::<ServerUrl>() {
        Ok(url) => {
            assert_eq!(url.to_string().parse(), Ok(url.clone()), "{url}");
            assert!(url.same_origin(&url) && !url.host().is_empty());
            assert!(!url.server_name().to_str().is_empty());
            let authority = url.authority();
            assert!(
                authority.ends_with(&url.port().to_string()) || url.port() == 443,
                "{authority}"
            );
        }
        Err(error) => check_refusal(text, &error.to_string(), &format!("{error:?}")),
    }
    match text.parse::<CertsrvUrl>() {
        Ok(url) => {
            assert_eq!(
                url.to_string().parse::<CertsrvUrl>().ok(),
                Some(url.clone()),
                "{url}"
            );
            assert!(url.path().starts_with('/') && !url.path().ends_with('/'));
            assert!(!url.host().is_empty() && !url.server_name().to_str().is_empty());
            assert!(url.host_header().ends_with(&url.port().to_string()) || url.port() == 443);
            assert!(url.page("certrqxt.asp").starts_with("https://"));
        }
        Err(error) => check_refusal(text, &error.to_string(), &format!("{error:?}")),
    }
    match text.parse::<Proxy>() {
        Ok(proxy) => assert!(!proxy.host().is_empty()),
        Err(error) => check_refusal(text, &error.to_string(), &format!("{error:?}")),
    }
    if let Some(path) = EstPath::parse(text) {
        assert_eq!(path.to_string(), text, "a path is taken literally");
        assert!(!path.operation.method().is_safe() || path.operation.segment().starts_with('c'));
        assert!(path.label.is_none_or(|label| text.contains(label.as_str())));
    }
}

/// What stands before an `@` may be a password.
fn check_refusal(text: &str, shown: &str, debug: &str) {
    assert!(!shown.is_empty());
    if let Some((_, rest)) = text.split_once("://")
        && let Some((user, place)) = rest.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
        // A shorter one may stand there for another reason.
        && password.len() >= 16
        && !place.contains(password)
    {
        assert!(!shown.contains(password) && !debug.contains(password), "{shown}");
    }
}

/// The text of a challengePassword as a channel binding: accepted is the base64 of the connection's own value, white
/// space apart, and nothing else.
pub fn pki_channel_binding(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (unique, exporter) = ([0x5a; 12], [0xa5; 32]);
    let both = ChannelBindings::new(Some(unique), Some(exporter));
    let verdict = both.check(&text);
    let bare: String = text.split_whitespace().collect();
    let is = |binding| {
        let own = both.to_base64(binding).expect("the connection has it");
        bare.trim_end_matches('=') == own.trim_end_matches('=')
    };
    match &verdict {
        Ok(binding) => assert!(is(*binding), "{text:?} was taken for {binding:?}"),
        Err(mismatch) => {
            let failure = mismatch.diagnose();
            assert!(!failure.cause.is_empty() && !failure.remedy.is_empty());
        }
    }
    assert!(
        ChannelBindings::default().check(&text).is_err(),
        "a connection without bindings"
    );
    let one = ChannelBindings::new(Some(unique), None);
    assert_eq!(
        one.check(&text).is_ok(),
        verdict == Ok(ChannelBindingType::TlsUnique)
    );
}

/// A challenge of NTLM, as a header or as its bytes: no bytes panic, the answer is bounded and does not hold the password.
pub fn est_ntlm(data: &[u8]) {
    const PASSWORD: &str = "Secret of the fuzz target";
    let from_header = core::str::from_utf8(data).ok().map(ntlm::from_header);
    let message = match from_header {
        Some(Ok(Some(message))) => message,
        Some(Err(error)) => {
            assert!(!error.diagnose().remedy.is_empty());
            data.to_vec()
        }
        _ => data.to_vec(),
    };
    let Ok(challenge) = Challenge::from_bytes(&message) else {
        return;
    };
    let _ = challenge.timestamp();
    let account = WindowsAccount::new("LAB\\phone", PASSWORD).expect("an account");
    let (login, _) = NtlmLogin::begin();
    let login_facts = Login {
        client_challenge: [4; 8],
        now: FileTime(133_000_000_000_000_000),
        host: "pki.example.com",
        channel_binding: None,
    };
    let answer = login
        .answer(&account, &message, &login_facts)
        .expect("a challenge that was read can be answered");
    assert!(answer.starts_with(b"NTLMSSP\0\x03"));
    assert!(answer.len() <= 2 * ntlm::MAX_CHALLENGE);
    let wide: Vec<u8> = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let holds = |bytes: &[u8]| bytes.windows(wide.len()).any(|window| window == wide);
    // What the challenge says of the server is a part of the answer.
    assert!(!holds(&answer) || holds(&message));
    let again = ntlm::from_header(&ntlm::to_header(&answer));
    assert!(again.is_err() || again == Ok(Some(answer)));
}

/// A file that `est inspect` is asked about: no bytes panic, and the report is bounded, says what it is, and can be shown.
pub fn est_inspect(data: &[u8]) {
    let report = est::inspect::inspect(data, keys::NOW);
    check_report(&report, 0);
    assert!(report.has_problems() == has_problems(&report));
    let text = report.to_string();
    let to_a_terminal = |character: char| character == '\n' || !character.is_control();
    assert!(text.chars().all(to_a_terminal), "{text:?}");
    let json = serde_json::to_string(&report).expect("a report can be written as JSON");
    let read: Result<serde_json::Value, _> = serde_json::from_str(&json);
    assert!(read.is_ok(), "{json}");
}

fn has_problems(report: &Report) -> bool {
    !report.problems.is_empty() || report.parts.iter().any(has_problems)
}

fn check_report(report: &Report, depth: usize) {
    assert!(depth <= 16, "reports nest without end");
    assert!(!report.kind.is_empty() && !report.encoding.is_empty());
    assert!(report.problems.iter().all(|problem| !problem.is_empty()));
    for fact in &report.facts {
        assert!(!fact.name.is_empty());
        if let Value::One(text) = &fact.value {
            assert!(
                report.fact(fact.name).is_some(),
                "{text} is said, and not found again"
            );
        }
    }
    for part in &report.parts {
        check_report(part, depth + 1);
    }
}

/// A datagram that a DTLS client begins with: no bytes panic, and what is sent to an address that nobody has proven is not
/// longer than what came from there.
pub fn nmsp_dtls_hello(data: &[u8]) {
    let Some(hello) = dtls_hello::ClientHello::parse(data) else {
        return;
    };
    assert!(
        !dtls_hello::is_hello_verify_request(data),
        "a hello of a client is none of a server"
    );
    // As long as the cookies of the listener (SHA-256).
    let answer = hello.hello_verify_request(&[0x77; 32]);
    assert!(dtls_hello::is_hello_verify_request(&answer));
    assert!(dtls_hello::ClientHello::parse(&answer).is_none());
    assert!(
        answer.len() <= data.len().max(60),
        "{} bytes for {}",
        answer.len(),
        data.len()
    );
    assert!(hello.parameters().len() <= data.len() && hello.cookie.len() <= data.len());
    if let Some(first) = hello.first_hello() {
        let parsed = dtls_hello::ClientHello::parse(&first).expect("a hello that was made can be read");
        assert!(parsed.cookie.is_empty());
        assert_eq!(parsed.random, hello.random);
        assert_eq!(parsed.parameters(), hello.parameters());
    }
}
