//! Changes DER as a tree, so that the lengths around a change stay right.
//!
//! A random change of bytes leaves the length of some enclosing element wrong, and every decoder refuses that at once.
//! Here the elements are taken apart, one of them is changed, and all is put together again. Every fourth time the bytes
//! are left to libFuzzer's own mutator: wrong lengths must be found too.

/// The tree, as the robustness tester reads it. `interop` stands on top of everything, so that nothing may depend on it; its
/// file is read here.
#[path = "../../interop/src/device_fuzz/grammar/est/der_tree.rs"]
#[allow(dead_code, reason = "the tester can make more lengths wrong")]
mod der_tree;

use der_tree::{Content, Element, Length, count, parse, place, written};

/// Changes the first `size` bytes of `data` at random, to at most `max_size`; the new size. That of libFuzzer.
pub type ByteMutator<'a> = &'a mut dyn FnMut(&mut [u8], usize, usize) -> usize;

/// Tags that the formats under test use.
const TAGS: [u8; 24] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x24, 0x30, 0x31, 0x80, 0x81,
    0x82, 0xa0, 0xa1, 0xa2, 0xa3, 0xa5, 0xa9,
];

/// Changes one element of `data[..size]`, or its bytes when it is no DER; the new size.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32, bytes: ByteMutator<'_>) -> usize {
    let mut random = Random(u64::from(seed) | 1 << 40);
    let Some(mut forest) = data.get(..size).and_then(parse) else {
        return bytes(data, size, max_size);
    };
    if forest.is_empty() || random.below(4) == 0 {
        return bytes(data, size, max_size);
    }
    for _ in 0..=random.below(3) {
        change(&mut forest, &mut random, bytes);
    }
    let output = written(&forest);
    match data.get_mut(..output.len()) {
        Some(place) if output.len() <= max_size => {
            place.copy_from_slice(&output);
            output.len()
        }
        _ => bytes(data, size, max_size),
    }
}

/// Changes one element of the forest, chosen at random.
fn change(forest: &mut Vec<Element>, random: &mut Random, bytes: ByteMutator<'_>) {
    let count = count(forest);
    if count == 0 {
        return;
    }
    let donor = place(forest, random.below(count)).and_then(|(siblings, index)| siblings.get(index).cloned());
    let Some((siblings, index)) = place(forest, random.below(count)) else {
        return;
    };
    let Some(chosen) = siblings.get_mut(index) else {
        return;
    };
    match random.below(12) {
        0 => drop(siblings.remove(index)),
        1 => {
            let copy = chosen.clone();
            siblings.insert(index, copy);
        }
        2 => siblings.extend(donor),
        3 => *chosen = donor.unwrap_or_else(|| chosen.clone()),
        4 => chosen.tag = vec![TAGS.get(random.below(TAGS.len())).copied().unwrap_or(0x30)],
        5 if chosen.first_tag() & 0x20 != 0 => chosen.length = Length::Indefinite,
        5 => chosen.length = Length::Der,
        6 => chosen.content = Content::Octets(Vec::new()),
        7 => {
            let other = random.below(siblings.len());
            siblings.swap(index, other);
        }
        _ => change_octets(chosen, random, bytes),
    }
}

fn change_octets(chosen: &mut Element, random: &mut Random, bytes: ByteMutator<'_>) {
    let mut octets = match &chosen.content {
        Content::Octets(octets) => octets.clone(),
        // The content of a constructed element changes by that of an element in it.
        Content::Elements(elements) if !elements.is_empty() => {
            let index = random.below(elements.len());
            if let Content::Elements(elements) = &mut chosen.content
                && let Some(inner) = elements.get_mut(index)
            {
                change_octets(inner, random, bytes);
            }
            return;
        }
        Content::Elements(_) => Vec::new(),
    };
    let size = octets.len();
    let room = size + 1 + random.below(24);
    octets.resize(room, 0);
    let size = bytes(&mut octets, size, room);
    octets.truncate(size);
    chosen.content = Content::Octets(octets);
    chosen.prefix.clear();
}

/// xorshift64: the same seed gives the same change.
struct Random(u64);

impl Random {
    /// A number below `limit`; 0 when there is none.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from((self.0 >> 8) % limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_written_as_it_was() {
        for name in [
            "est_signed_data/rsa.der",
            "est_csr/san.der",
            "est_cmc/pki-data.der",
        ] {
            let path = format!("{}/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
            let input = std::fs::read(path).unwrap();
            let forest = parse(&input).unwrap();
            assert!(count(&forest) > 11, "{name} is a tree");
            assert_eq!(written(&forest), input, "{name}");
        }
    }

    #[test]
    fn a_changed_tree_has_right_lengths_and_fits() {
        let path = format!("{}/corpus/est_csr/san.der", env!("CARGO_MANIFEST_DIR"));
        let input = std::fs::read(path).unwrap();
        let mut changed = 0;
        for seed in 0..2000 {
            let mut data = input.clone();
            let max_size = data.len() + 64;
            data.resize(max_size, 0);
            let mut left_to_bytes = false;
            let size = mutate(&mut data, input.len(), max_size, seed, &mut |part, size, room| {
                left_to_bytes |= part.len() == max_size;
                if let Some(first) = part.first_mut() {
                    *first ^= 1;
                }
                size.min(room)
            });
            assert!(size <= max_size);
            let output = &data[..size];
            // An indefinite length is not read back here; everything else is.
            if !left_to_bytes && !output.contains(&0x80) {
                assert!(parse(output).is_some(), "seed {seed}");
            }
            changed += usize::from(output != input);
        }
        assert!(changed > 1500, "{changed} of 2000");
    }
}
