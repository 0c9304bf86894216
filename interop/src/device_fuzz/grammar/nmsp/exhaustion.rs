//! As much as the budget of a case allows.

use super::draft::{Draft, Values};
use super::talk::Talk;
use crate::device_fuzz::case::{Hex, Step};

/// Sends messages in records of many.
fn say_all(talk: &mut Talk<'_>, messages: &[Vec<u8>]) {
    let most = usize::try_from(talk.budget.bytes).unwrap_or(usize::MAX);
    let mut whole: Vec<u8> = messages.concat();
    whole.truncate(most);
    talk.script.push(Step::Send {
        records: whole.chunks(16_000).map(|chunk| Hex(chunk.to_vec())).collect(),
        segments: Vec::new(),
        stall_milliseconds: 0,
    });
}

/// Echo requests one after the other.
pub(super) fn echoes(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let echoes: Vec<Vec<u8>> = (0..talk.budget.requests).map(|_| talk.echo()).collect();
    say_all(talk, &echoes);
    format!("{} of them", echoes.len())
}

/// Requests of all kinds, the answers of which nobody waits for.
pub(super) fn requests(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let requests: Vec<Vec<u8>> = (0..talk.budget.requests)
        .map(|_| talk.own_message(Values::Ordinary).1.bytes(talk.profile))
        .collect();
    say_all(talk, &requests);
    talk.ask_for_life();
    format!("{} of them", requests.len())
}

/// Subscriptions, each of which takes the place of the one before.
pub(super) fn subscriptions(talk: &mut Talk<'_>) -> String {
    talk.greet();
    let requests: Vec<Vec<u8>> = (0..talk.budget.requests).map(|_| talk.subscription()).collect();
    say_all(talk, &requests);
    talk.ask_for_life();
    format!("{} of them", requests.len())
}

/// As many connections as the budget allows, each with capabilities and a subscription.
pub(super) fn connections(talk: &mut Talk<'_>) -> String {
    let count = talk.budget.connections.max(1);
    for _ in 0..count {
        talk.open();
        let capability = talk.capability();
        talk.say(capability);
        let request = talk.subscription();
        talk.say(request);
    }
    let pause = talk.stall();
    talk.pause(pause);
    if talk.random.bool() {
        for connection in 0..usize::try_from(count).unwrap_or_default() {
            talk.script.extend([Step::Use { connection }, Step::Reset]);
        }
    }
    format!("{count} of them")
}

/// As many connections as the budget allows, on none of which a handshake begins.
pub(super) fn half_open(talk: &mut Talk<'_>) -> String {
    let count = talk.budget.connections.max(1);
    for _ in 0..count {
        talk.open_tcp();
    }
    let pause = talk.stall();
    talk.pause(pause);
    format!("{count} of them")
}

/// A message that announces as much as a length can say, and goes on as long as the budget allows.
pub(super) fn endless(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, draft) = talk.own_message(Values::Ordinary);
    let announced = talk
        .random
        .choice([0x7fff_ffff, 0xffff_fff0, u32::MAX, 0x1000_0000])
        .unwrap_or(u32::MAX);
    talk.say_draft(&Draft {
        announced: Some(announced),
        ..draft
    });
    talk.script.push(Step::SendRepeated {
        bytes: Hex(vec![0x41; 64]),
        times: talk.budget.bytes / 64,
    });
    format!("{} announces {announced} bytes", message.name())
}
