//! Elements: order, duplication, nesting, truncation.

use nmsp::wire::profile::LengthCounts;
use nmsp::wire::schema::Element;

use super::draft::{Draft, Node, Values, bytes, node};
use super::talk::Talk;

/// How deep elements are put into each other; each costs the length of its header. The smallest that hurts is easier to
/// read than the largest.
const DEEP: [usize; 4] = [64, 256, 1000, 4000];

fn finish(talk: &mut Talk<'_>, draft: &Draft) {
    talk.say_draft(draft);
    talk.ask_for_life();
}

/// All elements of a message, those inside others too.
fn count(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| 1 + count(&node.children)).sum()
}

/// Does something to the element that is the `place`th in depth-first order.
fn at(nodes: &mut [Node], place: &mut usize, act: &mut impl FnMut(&mut Node)) {
    for node in nodes {
        if *place == 0 {
            act(node);
        }
        *place = place.wrapping_sub(1);
        at(&mut node.children, place, act);
    }
}

fn at_random(talk: &mut Talk<'_>, draft: &mut Draft, mut act: impl FnMut(&mut Node)) {
    let mut place = talk.random.usize(0..count(&draft.nodes).max(1));
    at(&mut draft.nodes, &mut place, &mut act);
}

/// An element that announces another length than it has.
pub(super) fn length(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.message_with_elements(Values::Ordinary);
    let choice = talk.random.u8(0..8);
    let more = talk.random.u32(2..2000);
    let mut said = 0;
    at_random(talk, &mut draft, |node| {
        let is = u32::try_from(node.fields.len()).unwrap_or(u32::MAX);
        said = match choice {
            0 => 0,
            1 => is.saturating_sub(1),
            2 => is + 1,
            3 => is + more,
            4 => 0x7fff,
            5 => 0x8000,
            6 => 0xfffc,
            _ => 0xffff,
        };
        node.announced = Some(said);
    });
    finish(talk, &draft);
    format!("{said} in {}", message.name())
}

/// The elements of a message, turned around or shuffled.
pub(super) fn order(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.message_with_elements(Values::Ordinary);
    draft.nodes.reverse();
    talk.random.shuffle(&mut draft.nodes);
    finish(talk, &draft);
    message.name().to_owned()
}

/// An element that may occur once, twice or more often.
pub(super) fn twice(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.message_with_elements(Values::Ordinary);
    let times = talk.random.choice([1, 2, 50, 500]).unwrap_or(1);
    let chosen = talk.random.choice(draft.nodes.clone());
    draft
        .nodes
        .extend(chosen.into_iter().flat_map(|node| vec![node; times]));
    finish(talk, &draft);
    format!("{} times more in {}", times, message.name())
}

/// An element inside one of its own kind.
pub(super) fn nested(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.message_with_elements(Values::Ordinary);
    at_random(talk, &mut draft, |node| {
        let inner = node.clone();
        node.children.push(inner);
    });
    finish(talk, &draft);
    message.name().to_owned()
}

/// Elements in elements in elements, as far as a length can say.
pub(super) fn deep(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.message_with_elements(Values::Ordinary);
    let layout = talk.profile.definition().tlv;
    let head = usize::from(layout.type_width) + usize::from(layout.length_width);
    let number = draft.nodes.first().map_or(1, |node| node.number);
    // From the inside out; the tree itself would be as deep.
    let depth = talk.random.choice(DEEP).unwrap_or(64).min(60_000 / head.max(1));
    let counted = match layout.length_counts {
        LengthCounts::Payload => 0,
        LengthCounts::Everything => head,
    };
    let mut value = Vec::new();
    let layers = (0..depth).map(|level| {
        let mut header = Vec::new();
        Node {
            announced: Some(u32::try_from((depth - level - 1) * head + counted).unwrap_or(u32::MAX)),
            ..Node::leaf(number, Vec::new())
        }
        .write(talk.profile, &mut header);
        header
    });
    value.extend(layers.flatten());
    draft.nodes = vec![Node::leaf(number, value)];
    finish(talk, &draft);
    format!("{depth} in {}", message.name())
}

/// A message without one of its elements.
pub(super) fn missing(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.message_with_elements(Values::Ordinary);
    if !draft.nodes.is_empty() {
        let place = talk.random.usize(0..draft.nodes.len());
        draft.nodes.remove(place);
    }
    finish(talk, &draft);
    message.name().to_owned()
}

/// An element that has no place in this message.
pub(super) fn other(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.own_message(Values::Ordinary);
    let element = talk.random.choice(Element::ALL.iter().copied());
    let element = element.unwrap_or(Element::SERVICES);
    let stranger = node(talk.profile, element, Values::Ordinary, &mut talk.random, 0);
    let place = talk.random.usize(0..=draft.nodes.len());
    if let Some(stranger) = stranger {
        draft.nodes.insert(place, stranger);
    }
    finish(talk, &draft);
    format!("{element} in {}", message.name())
}

/// An element without a meaning.
pub(super) fn unknown(talk: &mut Talk<'_>) -> String {
    talk.begin();
    let (message, mut draft) = talk.own_message(Values::Ordinary);
    let number = talk
        .random
        .choice([0, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff])
        .unwrap_or(0);
    let length = talk.random.choice([0, 1, 8, 255, 4000]).unwrap_or(0);
    let value = bytes(&mut talk.random, length);
    let place = talk.random.usize(0..=draft.nodes.len());
    draft.nodes.insert(place, Node::leaf(number, value));
    finish(talk, &draft);
    format!("{number:#06x} of {length} bytes in {}", message.name())
}
