//! Which versions of TLS a server accepts, and which cipher suite it chooses for each.

use core::time::Duration;

use pki_common::{Alert, Escaped, Failure, KnownCause, Side};
use rand_core::{OsRng, RngCore as _};
use rustls::{CipherSuite, ProtocolVersion};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::hello::{Answer, AnswerReader, FORWARD_SECRET, Question, suites_of};
use crate::doctor::road::Road;
use crate::doctor::walk::Findings;

const VERSIONS: [ProtocolVersion; 4] = [
    ProtocolVersion::TLSv1_3,
    ProtocolVersion::TLSv1_2,
    ProtocolVersion::TLSv1_1,
    ProtocolVersion::TLSv1_0,
];

/// How many bytes of an answer that is not TLS are shown.
const SHOWN: usize = 40;

/// What came of one hello.
enum Outcome {
    Answered(Answer),
    /// Nothing came in time.
    Silent,
    /// The connection broke.
    Broken(std::io::Error),
}

/// Asks for each version by itself.
pub(in crate::doctor) async fn probe(
    road: &Road,
    name: &ServerName<'_>,
    alpn: &[Vec<u8>],
    findings: &mut Findings,
) -> Result<(), Failure> {
    let server_name = match name {
        ServerName::DnsName(name) => Some(name.as_ref()),
        _ => None,
    };
    let question = |version, suites| Question {
        version,
        suites,
        server_name,
        alpn,
    };
    let mut found = Vec::new();
    for version in VERSIONS {
        let outcome = ask(road, &question(version, suites_of(version))).await?;
        // Silence would repeat itself for as long again with every version.
        let hopeless = matches!(outcome, Outcome::Silent | Outcome::Answered(Answer::NotTls(_)));
        found.push((version, outcome));
        if hopeless {
            break;
        }
    }
    // A server may prefer what this side does not have, and have better: asked for nothing else, it must show it.
    let prefers_other = found.iter().any(|(version, outcome)| {
        *version == ProtocolVersion::TLSv1_2
            && accepted(*version, outcome).is_some_and(|suite| !is_ours(suite))
    });
    let forward_secret_12 = if prefers_other {
        let outcome = ask(road, &question(ProtocolVersion::TLSv1_2, FORWARD_SECRET.into())).await?;
        accepted(ProtocolVersion::TLSv1_2, &outcome)
    } else {
        None
    };
    report(&found, forward_secret_12, findings);
    judge(&found, forward_secret_12, road.limit, findings)
}

async fn ask(road: &Road, question: &Question<'_>) -> Result<Outcome, Failure> {
    let mut stream = road.open().await?;
    let mut random = [0; 64];
    OsRng.fill_bytes(&mut random);
    let exchange = exchange(&mut stream, question.encode(&random));
    Ok(match timeout(road.limit, exchange).await {
        Ok(Ok(answer)) => Outcome::Answered(answer),
        Ok(Err(error)) => Outcome::Broken(error),
        Err(_) => Outcome::Silent,
    })
}

async fn exchange(stream: &mut TcpStream, hello: Vec<u8>) -> std::io::Result<Answer> {
    stream.write_all(&hello).await?;
    let mut reader = AnswerReader::default();
    let mut buffer = [0; 2048];
    // The reader gives an answer at the latest when more has come than a ServerHello may have.
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(reader.closed());
        }
        reader.add(buffer.get(..count).unwrap_or_default());
        if let Some(answer) = reader.answer() {
            return Ok(answer);
        }
    }
}

/// The suite, if this very version was accepted. A server may answer with a lower one.
fn accepted(version: ProtocolVersion, outcome: &Outcome) -> Option<CipherSuite> {
    match outcome {
        Outcome::Answered(Answer::Accepted {
            version: chosen,
            suite,
        }) if *chosen == version => Some(*suite),
        _ => None,
    }
}

fn is_ours(suite: CipherSuite) -> bool {
    FORWARD_SECRET.contains(&u16::from(suite))
}

fn is_static_rsa(suite: CipherSuite) -> bool {
    suite_name(suite).starts_with("TLS_RSA_WITH_")
}

/// As IANA has it.
pub(super) fn suite_name(suite: CipherSuite) -> String {
    match suite.as_str() {
        Some(name) => name.replacen("TLS13_", "TLS_", 1),
        None => format!("{:#06x}", u16::from(suite)),
    }
}

pub(super) fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::SSLv3 => "SSL 3.0".to_owned(),
        ProtocolVersion::TLSv1_0 => "TLS 1.0".to_owned(),
        ProtocolVersion::TLSv1_1 => "TLS 1.1".to_owned(),
        ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        other => format!("version {:#06x}", u16::from(other)),
    }
}

fn report(
    found: &[(ProtocolVersion, Outcome)],
    forward_secret: Option<CipherSuite>,
    findings: &mut Findings,
) {
    let mut facts = serde_json::Map::new();
    for (version, outcome) in found {
        let (text, fact) = describe(*version, outcome);
        findings.note(format!("{} {text}", version_name(*version)));
        facts.insert(version_name(*version), fact);
    }
    if let Some(suite) = forward_secret {
        let suite = suite_name(suite);
        findings.note(format!("TLS 1.2 {suite} when nothing else is offered"));
        facts.insert(
            "TLS 1.2 with forward secrecy".to_owned(),
            json!({ "accepted": true, "suite": suite }),
        );
    }
    findings.fact("versions", facts);
}

fn describe(asked: ProtocolVersion, outcome: &Outcome) -> (String, Value) {
    let no = |text: String| {
        let fact = json!({ "accepted": false, "answer": text });
        (format!("not accepted: {text}"), fact)
    };
    match outcome {
        Outcome::Answered(Answer::Accepted { version, suite }) if *version == asked => {
            let suite = suite_name(*suite);
            let fact = json!({ "accepted": true, "suite": suite });
            (format!("chooses {suite}"), fact)
        }
        Outcome::Answered(Answer::Accepted { version, .. }) => {
            no(format!("the server answers with {}", version_name(*version)))
        }
        Outcome::Answered(Answer::Alert(alert)) => no(format!("the server sends {}", Alert(*alert))),
        Outcome::Answered(Answer::NotTls(bytes)) => no(format!("the answer is not TLS: {}", shown(bytes))),
        Outcome::Answered(Answer::Closed) => no("the server closes the connection".to_owned()),
        Outcome::Silent => no("the server says nothing".to_owned()),
        Outcome::Broken(error) => no(format!("the connection breaks: {error}")),
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    format!("{:?}", Escaped::new(&text).at_most(SHOWN).to_string())
}

fn judge(
    found: &[(ProtocolVersion, Outcome)],
    forward_secret: Option<CipherSuite>,
    limit: Duration,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let suite = |wanted| {
        found
            .iter()
            .find(|(version, _)| *version == wanted)
            .and_then(|(version, outcome)| accepted(*version, outcome))
    };
    let old: Vec<String> = [ProtocolVersion::TLSv1_1, ProtocolVersion::TLSv1_0]
        .into_iter()
        .filter(|version| suite(*version).is_some())
        .map(version_name)
        .collect();
    let tls_12 = suite(ProtocolVersion::TLSv1_2);
    let usable_12 = forward_secret.or(tls_12.filter(|suite| is_ours(*suite)));
    if suite(ProtocolVersion::TLSv1_3).is_some() || usable_12.is_some() {
        if !old.is_empty() {
            let cause = format!(
                "The server still accepts {}, which RFC 8996 forbids.",
                old.join(" and ")
            );
            let mut warning = Failure::new(KnownCause::TlsNotCommon.rung(), cause, "");
            warning.remedy =
                "Switch these versions off on the server, once no old device needs them.".to_owned();
            findings.warn(warning);
        }
        return Ok(());
    }
    Err(match tls_12 {
        Some(suite) if is_static_rsa(suite) => not_common(format!(
            "The server offers TLS 1.2 with static RSA only ({}), as devices of before 2015 do; this side needs forward \
             secrecy (ECDHE) or TLS 1.3.",
            suite_name(suite)
        )),
        Some(suite) => not_common(format!(
            "For TLS 1.2 the server chooses {}, which this side does not have.",
            suite_name(suite)
        )),
        None if !old.is_empty() => not_common(format!(
            "The server accepts {} and nothing newer.",
            old.join(" and ")
        )),
        None => nothing(found, limit),
    })
}

fn not_common(cause: String) -> Failure {
    KnownCause::TlsNotCommon.failure(cause).refused_by(Side::Local)
}

/// No version was accepted: by the answer to the first question.
fn nothing(found: &[(ProtocolVersion, Outcome)], limit: Duration) -> Failure {
    let protocol = KnownCause::NotTls.rung();
    let on_tls = |mut failure: Failure| {
        failure.rung = protocol;
        failure
    };
    match found.first().map(|(_, outcome)| outcome) {
        Some(Outcome::Silent) => on_tls(KnownCause::AnswerTimedOut.failure(format!(
            "The connection is up, but the server said nothing to a ClientHello for {} s.",
            limit.as_secs_f32()
        ))),
        Some(Outcome::Answered(Answer::NotTls(bytes))) => KnownCause::NotTls.failure(format!(
            "The server does not speak TLS on this port: {}.",
            shown(bytes)
        )),
        Some(Outcome::Answered(Answer::Alert(alert))) => KnownCause::TlsNotCommon
            .failure("The server refuses every version of TLS and every suite that it was offered.")
            .refused_by(Side::Peer)
            .with_alert(Alert(*alert)),
        Some(Outcome::Broken(error)) => on_tls(
            KnownCause::ConnectionLost
                .failure(format!("The connection broke when the handshake began: {error}.")),
        ),
        _ => on_tls(
            KnownCause::ConnectionLost
                .failure("The server closes the connection when the handshake begins, without an alert.")
                .refused_by(Side::Peer),
        ),
    }
}
