//! What a server may not answer, whatever it was sent.
//!
//! Only violations that are certain count: where a standard leaves a choice to the receiver, each choice is right. What was
//! forbidden is read from the bytes that were sent, not from the intention of a rule.
//!
//! A complaint begins with what it is about, and what differs from case to case stands behind a colon.

mod answer;
mod certificate_request;
mod digest;
mod forbidden;
mod host;
mod linking;
mod request;

use est::operation::Operation;

use self::answer::{Answer, Answers};
use self::forbidden::{Forbidden, Prohibition};
use self::linking::Bindings;
use self::request::{Request, Requests};
use super::Settings;
use crate::device_fuzz::case::{Case, Step, Transport};
use crate::device_fuzz::play::{End, Observation, Seen};
use crate::device_fuzz::verdict::{Judgement, Verdict};

pub(super) fn judge(settings: &Settings, case: &Case, observation: &Observation) -> Judgement {
    let over_tls = case.script.iter().filter_map(|step| match step {
        Step::Open { transport } => Some(*transport == Transport::Tls),
        _ => None,
    });
    let mut statuses = Vec::new();
    let mut wrong_answer = None;
    let made: Vec<&[Vec<u8>]> = observation
        .connections
        .iter()
        .map(|seen| seen.made.as_slice())
        .collect();
    let sent = case.sent_with(&made);
    for (number, ((seen, sent), over_tls)) in
        observation.connections.iter().zip(sent).zip(over_tls).enumerate()
    {
        if !over_tls {
            // What comes back is TLS, or nothing.
            continue;
        }
        let requests = Requests::read(&sent);
        let answers = Answers::read(&seen.received, seen.end == End::Closed, &requests);
        statuses.extend(answers.all.iter().map(|answer| answer.status));
        if wrong_answer.is_none() {
            wrong_answer = wrong(
                settings,
                seen,
                &requests,
                &answers,
                &bindings(observation, number),
            );
        }
    }
    Judgement {
        verdict: verdict(&statuses, observation),
        wrong_answer,
    }
}

/// The channel bindings of the connection of this number, and those of the others.
fn bindings(observation: &Observation, number: usize) -> Bindings<'_> {
    let mut bindings = Bindings::default();
    for (place, seen) in observation.connections.iter().enumerate() {
        let found = seen.bindings.iter().map(Vec::as_slice);
        if place == number {
            bindings.own.extend(found);
        } else {
            bindings.others.extend(found);
        }
    }
    bindings
}

fn verdict(statuses: &[u16], observation: &Observation) -> Verdict {
    match Verdict::of(observation) {
        Verdict::Reset => Verdict::Reset,
        _ if statuses.iter().any(|status| (200..400).contains(status)) => Verdict::Accepted,
        _ if !statuses.is_empty() => Verdict::RefusedCleanly,
        other => other,
    }
}

fn wrong(
    settings: &Settings,
    seen: &Seen,
    requests: &Requests,
    answers: &Answers,
    bindings: &Bindings<'_>,
) -> Option<String> {
    // Not all of it was kept: what is missing is not the device's fault.
    if seen.received_total > u64::try_from(seen.received.len()).unwrap_or(u64::MAX) {
        return None;
    }
    if let Some(complaint) = &answers.malformed {
        return Some(complaint.clone());
    }
    let each = requests
        .all
        .iter()
        .zip(&answers.all)
        .find_map(|(request, answer)| {
            forbidden_answer(settings, request, answer, bindings)
                .or_else(|| wrong_in_itself(settings, request, answer))
        });
    each.or_else(|| too_many(requests, answers))
}

/// Whether the answer grants what may not be granted.
fn forbidden_answer(
    settings: &Settings,
    request: &Request,
    answer: &Answer,
    bindings: &Bindings<'_>,
) -> Option<String> {
    let line = request.line();
    let status = answer.status;
    let prohibitions = forbidden::of(settings, request, bindings);
    prohibitions
        .into_iter()
        .find_map(|Prohibition { what, reason }| match what {
            Forbidden::Success if (200..300).contains(&status) => Some(format!(
                "a request was granted that must be refused ({reason}): {status} for {line}"
            )),
            Forbidden::Certificate if answer.certificates() > 0 => Some(format!(
                "a certificate was issued where none may be ({reason}): {status} for {line}"
            )),
            _ => None,
        })
}

/// Whether the answer is wrong for every request of its kind.
fn wrong_in_itself(settings: &Settings, request: &Request, answer: &Answer) -> Option<String> {
    let line = request.line();
    let lacks = |field: &str, reason: &str| {
        let status = answer.status;
        Some(format!("{status} without {field} ({reason}): for {line}"))
    };
    match answer.status {
        401 if !answer.has("www-authenticate") => lacks("WWW-Authenticate", "RFC 9110 section 15.5.2"),
        405 if !answer.has("allow") => lacks("Allow", "RFC 9110 section 15.5.6"),
        202 if request.operation(settings).is_some() && !answer.has("retry-after") => {
            lacks("Retry-After", "RFC 7030 section 4.2.3")
        }
        200 => unreadable(settings, request, answer),
        _ => None,
    }
}

/// Whether an answer that should hold certificates does not.
fn unreadable(settings: &Settings, request: &Request, answer: &Answer) -> Option<String> {
    let operation = request.operation(settings)?;
    let holds_certificates = matches!(
        operation,
        Operation::CaCerts | Operation::SimpleEnroll | Operation::SimpleReenroll
    );
    let right_method = request.method == operation.method().as_str().as_bytes();
    if !holds_certificates || !right_method || answer.certificates() > 0 {
        return None;
    }
    Some(format!(
        "200 without a certs-only message (RFC 7030 section 4.1.3): for {operation}, {} bytes",
        answer.body.len()
    ))
}

fn too_many(requests: &Requests, answers: &Answers) -> Option<String> {
    let limit = requests.most_answers?;
    let surplus = answers.all.get(limit.number..).unwrap_or_default();
    // A server may say by itself that it closes the connection, and why.
    let granted = surplus
        .iter()
        .find(|answer| (200..300).contains(&answer.status))?;
    Some(format!(
        "more answers than requests ({}): one more than {} is {}",
        limit.reason, limit.number, granted.status
    ))
}
