//! Changes DER as a tree, so that the lengths around a change stay right.
//!
//! A random change of bytes leaves the length of some enclosing element wrong, and every decoder refuses that at once.
//! Here the elements are taken apart, one of them is changed, and all is put together again. Every fourth time the bytes
//! are left to libFuzzer's own mutator: wrong lengths must be found too.

/// Changes the first `size` bytes of `data` at random, to at most `max_size`; the new size. That of libFuzzer.
pub type ByteMutator<'a> = &'a mut dyn FnMut(&mut [u8], usize, usize) -> usize;

/// Deepest nesting that is taken apart: a certificate in enveloped data is at about 20.
const MAX_DEPTH: usize = 40;

/// Tags that the formats under test use.
const TAGS: [u8; 24] = [
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x24, 0x30, 0x31, 0x80, 0x81,
    0x82, 0xa0, 0xa1, 0xa2, 0xa3, 0xa5, 0xa9,
];

/// Changes one element of `data[..size]`, or its bytes when it is no DER; the new size.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32, bytes: ByteMutator<'_>) -> usize {
    let mut random = Random(u64::from(seed) | 1 << 40);
    let Some(mut forest) = data.get(..size).and_then(|input| parse(input, 0)) else {
        return bytes(data, size, max_size);
    };
    if forest.is_empty() || random.below(4) == 0 {
        return bytes(data, size, max_size);
    }
    for _ in 0..=random.below(3) {
        change(&mut forest, &mut random, bytes);
    }
    let mut output = Vec::with_capacity(size);
    forest.iter().for_each(|element| element.write(&mut output));
    match data.get_mut(..output.len()) {
        Some(place) if output.len() <= max_size => {
            place.copy_from_slice(&output);
            output.len()
        }
        _ => bytes(data, size, max_size),
    }
}

/// An element with its content, which is other elements where it can be read as such.
#[derive(Clone, Debug)]
struct Element {
    tag: u8,
    /// What a BIT STRING has before the elements in it.
    prefix: Vec<u8>,
    content: Content,
    indefinite: bool,
}

#[derive(Clone, Debug)]
enum Content {
    Octets(Vec<u8>),
    Elements(Vec<Element>),
}

impl Element {
    fn write(&self, output: &mut Vec<u8>) {
        let mut content = self.prefix.clone();
        match &self.content {
            Content::Octets(octets) => content.extend_from_slice(octets),
            Content::Elements(elements) => elements.iter().for_each(|element| element.write(&mut content)),
        }
        output.push(self.tag);
        if self.indefinite {
            output.push(0x80);
            output.append(&mut content);
            output.extend([0, 0]);
            return;
        }
        let length = content.len().to_be_bytes();
        match u8::try_from(content.len()) {
            Ok(short) if short < 0x80 => output.push(short),
            _ => {
                let significant = length.iter().copied().skip_while(|octet| *octet == 0);
                output.push(0x80 | u8::try_from(significant.clone().count()).unwrap_or(8));
                output.extend(significant);
            }
        }
        output.append(&mut content);
    }

    fn count(&self) -> usize {
        match &self.content {
            Content::Octets(_) => 1,
            Content::Elements(elements) => 1 + elements.iter().map(Self::count).sum::<usize>(),
        }
    }
}

/// The elements that `input` consists of; `None` when it does not.
fn parse(input: &[u8], depth: usize) -> Option<Vec<Element>> {
    let mut rest = input;
    let mut elements = Vec::new();
    while let [tag, behind @ ..] = rest {
        let (length, behind) = length_of(behind)?;
        let (content, behind) = behind.split_at_checked(length)?;
        elements.push(element(*tag, content, depth));
        rest = behind;
    }
    Some(elements)
}

fn length_of(input: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = input.split_first()?;
    if *first < 0x80 {
        return Some((usize::from(*first), rest));
    }
    let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    if octets.is_empty() || octets.len() > 3 {
        return None;
    }
    let length = octets
        .iter()
        .fold(0, |length, octet| length << 8 | usize::from(*octet));
    Some((length, rest))
}

fn element(tag: u8, content: &[u8], depth: usize) -> Element {
    let (prefix, inner) = match (tag, content) {
        (0x03, [0, inner @ ..]) => (vec![0], inner),
        _ => (Vec::new(), content),
    };
    // Octet strings and bit strings often hold DER; two octets at least, so that chance does not make a tree of text.
    let may_hold = tag & 0x20 != 0 || (matches!(tag, 0x03 | 0x04) && inner.len() >= 2);
    let parsed = if may_hold && depth < MAX_DEPTH {
        parse(inner, depth + 1)
    } else {
        None
    };
    let (prefix, content) = match parsed {
        Some(elements) => (prefix, Content::Elements(elements)),
        None => (Vec::new(), Content::Octets(content.to_vec())),
    };
    Element {
        tag,
        prefix,
        content,
        indefinite: false,
    }
}

/// Changes one element of the forest, chosen at random.
fn change(forest: &mut Vec<Element>, random: &mut Random, bytes: ByteMutator<'_>) {
    let count: usize = forest.iter().map(Element::count).sum();
    if count == 0 {
        return;
    }
    let donor = nth(forest, random.below(count)).cloned();
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
        4 => chosen.tag = TAGS.get(random.below(TAGS.len())).copied().unwrap_or(0x30),
        5 => chosen.indefinite = chosen.tag & 0x20 != 0,
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

/// The element with this number, counted as they begin.
fn nth(forest: &[Element], mut number: usize) -> Option<&Element> {
    for element in forest {
        if number == 0 {
            return Some(element);
        }
        let count = element.count();
        if number < count {
            return match &element.content {
                Content::Octets(_) => None,
                Content::Elements(elements) => nth(elements, number - 1),
            };
        }
        number -= count;
    }
    None
}

/// The list that holds the element with this number, and where in it.
fn place(forest: &mut Vec<Element>, mut number: usize) -> Option<(&mut Vec<Element>, usize)> {
    let mut index = 0;
    for element in forest.iter() {
        let count = element.count();
        if number < count {
            break;
        }
        number -= count;
        index += 1;
    }
    if number == 0 {
        return Some((forest, index));
    }
    match &mut forest.get_mut(index)?.content {
        Content::Octets(_) => None,
        Content::Elements(elements) => place(elements, number - 1),
    }
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

    fn written(forest: &[Element]) -> Vec<u8> {
        let mut output = Vec::new();
        forest.iter().for_each(|element| element.write(&mut output));
        output
    }

    #[test]
    fn what_is_not_changed_is_written_as_it_was() {
        for name in [
            "est_signed_data/rsa.der",
            "est_csr/san.der",
            "est_cmc/pki-data.der",
        ] {
            let path = format!("{}/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
            let input = std::fs::read(path).unwrap();
            let forest = parse(&input, 0).unwrap();
            assert!(forest[0].count() > 10, "{name} is a tree");
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
                assert!(parse(output, 0).is_some(), "seed {seed}");
            }
            changed += usize::from(output != input);
        }
        assert!(changed > 1500, "{changed} of 2000");
    }
}
