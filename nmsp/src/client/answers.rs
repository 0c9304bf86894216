//! Who waits for which response, and answers that come in several messages.

use std::collections::HashMap;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::proto::MessageFrame;
use crate::wire::numbers::StatusCode;
use crate::wire::{OwnedMessage, Text};

/// Where an answer goes.
pub(super) type Reply = oneshot::Sender<Result<OwnedMessage, Error>>;

/// The requests of one connection that wait for their answers, by transaction.
#[derive(Debug)]
pub(super) struct Answers {
    waiting: HashMap<u32, Waiting>,
    /// The longest answer, all parts together.
    limit: usize,
}

#[derive(Debug)]
struct Waiting {
    reply: Reply,
    parts: Option<OwnedMessage>,
    length: usize,
}

impl Answers {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            waiting: HashMap::new(),
            limit,
        }
    }

    /// Whether somebody waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.values().any(|waiting| !waiting.reply.is_closed())
    }

    pub(super) fn wait(&mut self, transaction: u32, reply: Reply) {
        let waiting = Waiting {
            reply,
            parts: None,
            length: 0,
        };
        self.waiting.insert(transaction, waiting);
    }

    /// Takes a response, or a part of one.
    pub(super) fn take(&mut self, transaction: u32, frame: &MessageFrame, last: bool) {
        let Some(waiting) = self.waiting.get_mut(&transaction) else {
            return;
        };
        waiting.length = waiting.length.saturating_add(frame.length());
        if waiting.length > self.limit {
            let limit = self.limit;
            self.finish(transaction, Err(Error::ResponseTooLong { limit }));
            return;
        }
        // Nobody reads an answer whose caller went away; its parts still come.
        if waiting.reply.is_closed() {
            if last {
                self.waiting.remove(&transaction);
            }
            return;
        }
        let part = frame.to_owned();
        match &mut waiting.parts {
            Some(parts) => join(parts, part),
            None => waiting.parts = Some(part),
        }
        if last && let Some(answer) = waiting.parts.take() {
            self.finish(transaction, Ok(answer));
        }
    }

    /// No answer comes any more: callers find out why from the connection.
    pub(super) fn abandon(&mut self) {
        self.waiting.clear();
    }

    /// Ends the wait for an answer.
    pub(super) fn finish(&mut self, transaction: u32, answer: Result<OwnedMessage, Error>) {
        if let Some(waiting) = self.waiting.remove(&transaction) {
            // If the caller no longer waits, nobody needs the answer.
            drop(waiting.reply.send(answer));
        }
    }
}

/// Adds a part to those before it. The connection has checked that it is the next part of the same message.
fn join(whole: &mut OwnedMessage, part: OwnedMessage) {
    macro_rules! join {
        ($($message:ident { $($list:ident),+ })+) => {
            match (whole, part) {
                $((OwnedMessage::$message(whole), OwnedMessage::$message(part)) => {
                    $(whole.$list.extend(part.$list);)+
                    whole.part = None;
                    worst(&mut whole.status, part.status);
                    explain(&mut whole.explanation, part.explanation);
                })+
                (whole, part) => {
                    tracing::warn!(?whole, ?part, "a part of an answer that has no parts is left out");
                }
            }
        };
    }
    join! {
        MeasurementResponse { stations }
        InformationResponse { clients, tags, rogue_access_points, rogue_clients, handovers }
        StatisticsResponse { clients, tags, rogues }
        AttachmentResponse { attachments }
        LocationResponse { locations }
        ApDiscoveryResponse { access_points }
        SpectrumResponse { interferers, air_quality, aggregates }
        DeviceInfoResponse { devices }
    }
}

/// One part that failed makes the whole not complete.
fn worst(whole: &mut StatusCode, part: StatusCode) {
    if *whole == StatusCode::SUCCESS {
        *whole = part;
    }
}

fn explain(whole: &mut Option<Text>, part: Option<Text>) {
    if whole.is_none() {
        *whole = part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::elements::Part;
    use crate::wire::message::Measurement;
    use crate::wire::message::bodies::MeasurementResponse;

    fn part(number: u16, status: StatusCode, explanation: Option<&str>) -> OwnedMessage {
        OwnedMessage::MeasurementResponse(MeasurementResponse {
            status,
            part: Some(Part { number, total: 3 }),
            explanation: explanation.map(Into::into),
            stations: vec![Measurement::default(); usize::from(number)],
        })
    }

    #[test]
    fn parts_are_joined_in_order_and_one_that_failed_shows() {
        let mut whole = part(1, StatusCode::SUCCESS, None);
        join(
            &mut whole,
            part(2, StatusCode::PARTLY_DONE, Some("one access point is silent")),
        );
        join(&mut whole, part(3, StatusCode::SUCCESS, Some("unread")));
        let OwnedMessage::MeasurementResponse(whole) = whole else {
            panic!("{whole:?}")
        };
        assert_eq!(whole.stations.len(), 6);
        assert_eq!(whole.part, None);
        assert_eq!(whole.status, StatusCode::PARTLY_DONE);
        assert_eq!(
            whole.explanation.unwrap().to_string(),
            "one access point is silent"
        );
    }

    #[test]
    fn every_answer_that_may_come_in_parts_can_be_joined() {
        use crate::wire::{Element, MessageType};
        let mut in_parts: Vec<_> = MessageType::ALL
            .iter()
            .filter(|message| {
                let mut elements = message.elements().iter();
                elements.any(|child| child.element == Element::PART)
            })
            .map(|message| message.name())
            .collect();
        in_parts.sort_unstable();
        let mut joined = [
            "Measurement Response",
            "Information Response",
            "Statistics Response",
            "Attachment Response",
            "Location Response",
            "AP Discovery Response",
            "Spectrum Response",
            "Device Info Response",
        ];
        joined.sort_unstable();
        assert_eq!(in_parts, joined, "join() has an arm for each");
    }

    #[test]
    fn a_caller_that_went_away_is_not_waited_for() {
        let mut answers = Answers::new(1000);
        let (reply, response) = oneshot::channel();
        answers.wait(1, reply);
        assert!(answers.is_awaited());
        drop(response);
        assert!(!answers.is_awaited());
        answers.finish(1, Ok(part(1, StatusCode::SUCCESS, None)));
        assert!(answers.waiting.is_empty());
    }
}
