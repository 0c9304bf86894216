//! What a device may not answer, whatever it was sent.

use nmsp::proto::Exchange;
use nmsp::wire::message::OwnedMessage;
use nmsp::wire::numbers::{StatusCode, SubscribeStatus};
use nmsp::wire::{Frame, MessageType, WireProfile};

use crate::device_fuzz::case::Case;
use crate::device_fuzz::play::{End, Observation, Seen};
use crate::device_fuzz::verdict::{Judgement, Verdict};

/// The longest message of a device that is read: as long as a length of four bytes can say without being nonsense.
const LONGEST: usize = 64 * 1024 * 1024;

/// What was seen of one connection.
#[derive(Default)]
struct Answer {
    refused: bool,
    complaint: Option<String>,
}

pub(super) fn judge(profile: &WireProfile, case: &Case, observation: &Observation) -> Judgement {
    let sent = case.sent();
    let mut judgement = Judgement {
        verdict: Verdict::of(observation),
        wrong_answer: None,
    };
    for (number, seen) in observation.connections.iter().enumerate() {
        let sent = sent.get(number).map(Vec::as_slice).unwrap_or_default();
        let answer = answer(profile, sent, seen);
        if answer.refused && judgement.verdict == Verdict::Accepted {
            judgement.verdict = Verdict::RefusedCleanly;
        }
        let complaint = answer
            .complaint
            .map(|text| format!("on connection {}, {text}", number + 1));
        judgement.wrong_answer = judgement.wrong_answer.or(complaint);
    }
    judgement
}

fn answer(profile: &WireProfile, sent: &[u8], seen: &Seen) -> Answer {
    let mut answer = Answer::default();
    // What is not TLS is not NMSP either: an alert, or the answer of something else.
    if matches!(seen.end, End::NotOpened(_)) || sent.is_empty() {
        return answer;
    }
    let mut rest = seen.received.as_slice();
    while !rest.is_empty() {
        let (frame, length) = match Frame::cut(profile, LONGEST, rest) {
            Ok(Some(cut)) => cut,
            Ok(None) => return answer,
            Err(error) => {
                answer.complaint = Some(format!("the device sent what is no message: {error}"));
                return answer;
            }
        };
        answer.refused |= is_refusal(profile, &frame);
        if answer.complaint.is_none() {
            answer.complaint = complaint(profile, sent, &frame);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    answer
}

fn is_refusal(profile: &WireProfile, frame: &Frame<'_>) -> bool {
    match OwnedMessage::decode(frame, profile) {
        Ok(OwnedMessage::DisconnectNotification(_)) => true,
        Ok(OwnedMessage::ServiceSubscribeResponse(response)) => response.status == SubscribeStatus::REJECTED,
        Ok(OwnedMessage::MeasurementResponse(response)) => response.status != StatusCode::SUCCESS,
        Ok(OwnedMessage::InformationResponse(response)) => response.status != StatusCode::SUCCESS,
        Ok(OwnedMessage::StatisticsResponse(response)) => response.status != StatusCode::SUCCESS,
        _ => false,
    }
}

/// An echo gives back what was sent, and a response has the transaction of a request: neither can hold bytes that we have
/// not sent. A device that gives out others reads where it should not.
fn complaint(profile: &WireProfile, sent: &[u8], frame: &Frame<'_>) -> Option<String> {
    let message = profile.message_type(frame.header.id)?;
    if message == MessageType::EchoResponse && memchr::memmem::find(sent, frame.body).is_none() {
        let length = frame.body.len();
        return Some(format!(
            "an echo of {length} bytes holds what was not sent: {}",
            shown(frame.body)
        ));
    }
    if matches!(Exchange::of(message), Exchange::Response) {
        let transaction = frame.header.transaction;
        let known = [transaction.to_be_bytes(), transaction.to_le_bytes()];
        if !known
            .iter()
            .any(|bytes| memchr::memmem::find(sent, bytes).is_some())
        {
            return Some(format!(
                "{} has transaction {transaction}, which nobody has used",
                message.name()
            ));
        }
    }
    None
}

/// The first bytes, in hexadecimal digits.
fn shown(bytes: &[u8]) -> String {
    let first = bytes.get(..32.min(bytes.len())).unwrap_or_default();
    let more = if bytes.len() > first.len() {
        " and more"
    } else {
        ""
    };
    format!("{}{more}", hex::encode(first))
}
