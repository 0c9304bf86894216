//! Identifiers and transactions.

use nmsp::wire::{MessageId, MessageType};

use super::draft::{Draft, Values, bytes};
use super::talk::Talk;

fn an_unknown_id(talk: &mut Talk<'_>) -> u16 {
    let reserved = [0, 0x7fff, 0x8000, 0xffff, 0x00ff, 0x0100];
    loop {
        let id = match talk.random.u8(0..3) {
            0 => talk.random.choice(reserved).unwrap_or(0),
            1 => talk.random.u16(0..256),
            _ => talk.random.u16(..),
        };
        if talk.profile.message_type(MessageId(id)).is_none() {
            return id;
        }
    }
}

/// A message whose identifier nobody has given a meaning to.
pub(super) fn unknown(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let id = an_unknown_id(talk);
    let mut draft = match talk.random.u8(0..3) {
        0 => Draft::new(id, 1),
        1 => Draft {
            tail: bytes(&mut talk.random, 40),
            ..Draft::new(id, 1)
        },
        _ => talk.message_with_elements(Values::Ordinary).1,
    };
    draft.id = id;
    draft.transaction = talk.random.u32(..);
    talk.say_draft(&draft);
    talk.ask_for_life();
    format!("{id}")
}

/// A message that only the side under test may send.
pub(super) fn foreign(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, draft) = talk.foreign_message(Values::Ordinary);
    talk.say_draft(&draft);
    talk.ask_for_life();
    message.name().to_owned()
}

/// A run of identifiers, known or not, with empty bodies.
pub(super) fn many(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let first = talk
        .random
        .choice([0, 64, 128, 192, 256, 0x7fe0, 0xffc0])
        .unwrap_or(0_u16);
    for id in first..=first.saturating_add(63) {
        talk.say_draft(&Draft::new(id, u32::from(id)));
    }
    talk.ask_for_life();
    format!("{first} to {}", first.saturating_add(63))
}

/// A transaction of zero, of all ones, or one that is in use.
pub(super) fn transaction(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.own_message(Values::Ordinary);
    let transactions = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
    draft.transaction = talk.random.choice(transactions).unwrap_or(0);
    let times = talk.random.usize(1..4);
    for _ in 0..times {
        talk.say_draft(&draft);
    }
    if let Some(id) = talk.profile.message_id(MessageType::EchoRequest) {
        // Another request under the same number while the first may still be open.
        talk.say_draft(&Draft::new(id.0, draft.transaction));
    }
    format!("{times} times {} with {}", message.name(), draft.transaction)
}
