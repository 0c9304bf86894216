//! Values of fields.

use super::draft::{Values, bytes as noise};
use super::talk::Talk;

/// Every field at an end of its range; texts that are empty, long or no text.
pub(super) fn limits(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, draft) = talk.message_with_elements(Values::Limits);
    talk.say_draft(&draft);
    talk.ask_for_life();
    message.name().to_owned()
}

/// One bit of a valid message flipped, anywhere.
pub(super) fn bit(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, draft) = talk.own_message(Values::Ordinary);
    let mut whole = draft.bytes(talk.profile);
    let place = talk.random.usize(0..whole.len().max(1));
    let bit = talk.random.u8(0..8);
    if let Some(byte) = whole.get_mut(place) {
        *byte ^= 1 << bit;
    }
    talk.say(whole);
    talk.ask_for_life();
    format!("bit {bit} of byte {place} of {}", message.name())
}

/// Some bytes of a valid message replaced.
pub(super) fn bytes(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, draft) = talk.own_message(Values::Ordinary);
    let mut whole = draft.bytes(talk.profile);
    let header = usize::from(talk.profile.definition().header.length).min(whole.len());
    let count = talk.random.usize(1..5);
    for _ in 0..count {
        let place = talk.random.usize(header..whole.len().max(header + 1));
        if let Some(byte) = whole.get_mut(place) {
            *byte = talk.random.choice([0, 1, 0x7f, 0x80, 0xfe, 0xff]).unwrap_or(0);
        }
    }
    talk.say(whole);
    talk.ask_for_life();
    format!("{count} in {}", message.name())
}

/// Two bytes of an element's fields replaced by a number that may be a count: of more than there is, or of nothing.
pub(super) fn count(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.message_with_elements(Values::Ordinary);
    let said: u16 = talk.random.choice([0, 1, 0x7fff, 0x8000, 0xffff]).unwrap_or(0);
    let chosen = talk.random.usize(0..draft.nodes.len().max(1));
    if let Some(node) = draft.nodes.get_mut(chosen) {
        if node.fields.len() < 2 {
            node.fields = noise(&mut talk.random, 2);
        }
        let end = node.fields.len();
        let place = if talk.random.bool() {
            end - 2
        } else {
            talk.random.usize(0..end - 1)
        };
        if let Some(place) = node.fields.get_mut(place..place + 2) {
            place.copy_from_slice(&said.to_be_bytes());
        }
    }
    talk.say_draft(&draft);
    talk.ask_for_life();
    format!("{said} in {}", message.name())
}
