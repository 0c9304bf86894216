//! The lengths that cut the stream into messages, and what stands where no message ends.

use super::draft::{Node, UNKNOWN, Values, bytes};
use super::talk::Talk;
use crate::device_fuzz::case::{Hex, Step};

/// A message whose header announces another length than it has.
pub(super) fn length(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.own_message(Values::Ordinary);
    let header = u32::from(talk.profile.definition().header.length);
    let is = u32::try_from(draft.bytes(talk.profile).len()).unwrap_or(u32::MAX);
    let lengths = [
        0,
        1,
        header - 1,
        header,
        is.wrapping_sub(1),
        is.wrapping_add(1),
        is.wrapping_add(talk.random.u32(2..200)),
        0x7fff,
        0xffff,
        0x1_0000,
        is.wrapping_add(0x1_0000),
        is.wrapping_add(0x100_0000),
        0x7fff_ffff,
        0x8000_0000,
        // The length of the body, reckoned in 32 bits, wraps around.
        u32::MAX - header + 1,
        u32::MAX - header + 2,
        u32::MAX - 1,
        u32::MAX,
    ];
    let announced = talk.random.choice(lengths).unwrap_or(0);
    draft.announced = Some(announced);
    talk.say_draft(&draft);
    talk.ask_for_life();
    format!("{} of {is} bytes announces {announced}", message.name())
}

/// A message that ends too soon, and then nothing, or the end of the connection.
pub(super) fn cut_off(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, draft) = talk.own_message(Values::Ordinary);
    let mut whole = draft.bytes(talk.profile);
    let is = whole.len();
    let kept = talk.random.usize(1..is.max(2));
    whole.truncate(kept);
    talk.say(whole);
    if talk.random.bool() {
        talk.script.push(Step::HalfClose);
    }
    format!("{kept} of {is} bytes of {}", message.name())
}

/// A version that the profile does not have.
pub(super) fn version(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.own_message(Values::Ordinary);
    let version = talk.random.choice([0, 2, 3, 0x7f, 0x80, 0xff]).unwrap_or(0);
    draft.version = Some(version);
    draft.opaque = talk.random.u8(..);
    talk.say_draft(&draft);
    talk.ask_for_life();
    format!("{} with version {version}", message.name())
}

/// Bytes that mean nothing.
pub(super) fn chance(talk: &mut Talk<'_>) -> String {
    if talk.random.bool() {
        talk.begin();
    } else {
        talk.open();
    }
    let length = talk.random.choice([1, 3, 12, 13, 64, 500, 20_000]).unwrap_or(1);
    let noise = bytes(&mut talk.random, length);
    talk.say(noise);
    format!("{length} bytes")
}

/// Bytes behind the last element, within the length of the message.
pub(super) fn behind(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.own_message(Values::Ordinary);
    let length = talk.random.usize(1..9);
    draft.tail.extend(bytes(&mut talk.random, length));
    talk.say_draft(&draft);
    talk.ask_for_life();
    format!("{length} after {}", message.name())
}

/// A message that is as long as a receiver may take, or a little longer, all of it sent.
pub(super) fn long(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.own_message(Values::Ordinary);
    let most = usize::try_from(talk.budget.bytes).unwrap_or(usize::MAX);
    let lengths = [4095, 16_384, 32_768, 65_535, 65_536, 65_537, 262_144, most];
    let wanted = talk.random.choice(lengths).unwrap_or(4095).min(most);
    let is = draft.bytes(talk.profile).len();
    // Unknown elements fill it up, so that it is valid but for its length.
    let mut left = wanted.saturating_sub(is);
    while left > 0 {
        let value = left.saturating_sub(4).min(60_000);
        draft.nodes.push(Node::leaf(UNKNOWN, vec![0x55; value]));
        left = left.saturating_sub(value + 4);
    }
    let whole = draft.bytes(talk.profile);
    let length = whole.len();
    talk.script.push(Step::Send {
        records: whole.chunks(16_384).map(|chunk| Hex(chunk.to_vec())).collect(),
        segments: Vec::new(),
        stall_milliseconds: 0,
    });
    talk.ask_for_life();
    format!("{} of {length} bytes", message.name())
}
