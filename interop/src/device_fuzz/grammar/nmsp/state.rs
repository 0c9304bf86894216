//! What may be said when.

use nmsp::wire::MessageType;

use super::draft::{Draft, Values, draft};
use super::talk::Talk;
use crate::device_fuzz::case::Step;

/// A conversation that nothing was done to.
pub(super) fn valid(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let count = talk.random.usize(1..4);
    let mut names = Vec::new();
    for _ in 0..count {
        let (message, draft) = talk.own_message(Values::Ordinary);
        names.push(message.name());
        talk.say_draft(&draft);
    }
    talk.ask_for_life();
    names.join(", ")
}

/// Anything before the capability exchange.
pub(super) fn before_capability(talk: &mut Talk<'_>) -> String {
    talk.open();
    let (message, draft) = talk.own_message(Values::Ordinary);
    talk.say_draft(&draft);
    talk.ask_for_life();
    message.name().to_owned()
}

/// A notification before the capability exchange, and then that exchange as if nothing had been.
pub(super) fn notification_first(talk: &mut Talk<'_>) -> String {
    talk.open();
    let (message, draft) = talk.notification();
    talk.say_draft(&draft);
    let capability = talk.capability();
    talk.say(capability);
    talk.ask_for_life();
    message.name().to_owned()
}

/// An answer to a question that nobody asked.
pub(super) fn response_first(talk: &mut Talk<'_>) -> String {
    talk.greet();
    let (message, draft) = talk.response();
    talk.say_draft(&draft);
    talk.ask_for_life();
    message.name().to_owned()
}

/// Another subscription on top of the first, at once or after its answer.
pub(super) fn second_subscription(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let times = talk.random.usize(1..4);
    for _ in 0..times {
        let request = talk.subscription();
        talk.say(request);
        if talk.random.bool() {
            talk.wait(200);
        }
    }
    talk.ask_for_life();
    format!("{times} times")
}

/// The end of a subscription, or of parts of it, once and again.
pub(super) fn unsubscribe(talk: &mut Talk<'_>) -> String {
    if talk.random.bool() {
        talk.greet();
    } else {
        talk.begin();
    }
    let times = talk.random.usize(1..4);
    for _ in 0..times {
        let message = MessageType::ServiceUnsubscribeRequest;
        let request = draft(talk.profile, message, Values::Ordinary, &mut talk.random);
        if let Some(request) = request {
            talk.say_draft(&request);
        }
    }
    talk.ask_for_life();
    format!("{times} times")
}

/// Capabilities once more, others than before.
pub(super) fn second_capability(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let times = talk.random.usize(1..5);
    for _ in 0..times {
        let message = MessageType::CapabilityNotification;
        let values = if talk.random.bool() {
            Values::Limits
        } else {
            Values::Ordinary
        };
        let notification = draft(talk.profile, message, values, &mut talk.random);
        if let Some(notification) = notification {
            talk.say_draft(&notification);
        }
    }
    talk.ask_for_life();
    format!("{times} times")
}

/// A goodbye, and then messages as if it had not been said.
pub(super) fn after_goodbye(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let times = talk.random.usize(1..3);
    let goodbye = MessageType::DisconnectNotification;
    for _ in 0..times {
        if let Some(goodbye) = draft(talk.profile, goodbye, Values::Ordinary, &mut talk.random) {
            talk.say_draft(&goodbye);
        }
    }
    let (message, draft) = talk.own_message(Values::Ordinary);
    talk.say_draft(&draft);
    talk.ask_for_life();
    format!("{times} times, then {}", message.name())
}

/// A walk through messages of both sides, with pauses.
pub(super) fn any_order(talk: &mut Talk<'_>) -> String {
    talk.open();
    let count = talk.random.usize(5..20);
    for _ in 0..count {
        let bytes = match talk.random.u8(0..8) {
            0 => talk.capability(),
            1 => talk.subscription(),
            2 => talk.echo(),
            3 => talk.response().1.bytes(talk.profile),
            4 => Draft::new(talk.random.u16(0..160), talk.random.u32(0..4)).bytes(talk.profile),
            _ => talk.own_message(Values::Ordinary).1.bytes(talk.profile),
        };
        talk.say(bytes);
        if talk.random.u8(0..4) == 0 {
            talk.script.push(Step::Pause { milliseconds: 20 });
        }
    }
    talk.ask_for_life();
    format!("{count} of them")
}
