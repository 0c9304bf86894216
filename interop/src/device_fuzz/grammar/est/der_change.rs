//! What is done to DER: each change has a name, and is made at a place that the random numbers choose.

use fastrand::Rng;

use super::der::tag;
use super::der_tree::{Content, Element, Length, count, numbers, parse, place, written};

/// A change of a tree. It returns whether there was a place for it.
type Change = fn(&mut Vec<Element>, &mut Rng, usize) -> bool;

/// All changes by name. Each gets the number of bytes that it may add.
pub(super) const CHANGES: &[(&str, Change)] = &[
    ("an indefinite length", indefinite),
    ("indefinite lengths everywhere", indefinite_everywhere),
    ("an indefinite length that does not end", never_ending),
    ("a length with a leading zero", |forest, rng, _| {
        let octets = 2 + rng.usize(..3);
        set_length(forest, rng, Length::Padded(octets))
    }),
    ("a length of 126 octets", |forest, rng, _| {
        set_length(forest, rng, Length::Padded(126))
    }),
    ("the reserved length 0xff", |forest, rng, _| {
        set_length(forest, rng, Length::Octets(vec![0xff]))
    }),
    ("a length of 2^31 - 1", |forest, rng, _| {
        set_length(forest, rng, Length::Octets(vec![0x84, 0x7f, 0xff, 0xff, 0xff]))
    }),
    ("a length of 2^32 - 1", |forest, rng, _| {
        set_length(forest, rng, Length::Octets(vec![0x84, 0xff, 0xff, 0xff, 0xff]))
    }),
    ("a length of 2^64 - 1", |forest, rng, _| {
        let octets = vec![0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        set_length(forest, rng, Length::Octets(octets))
    }),
    ("a length that is right modulo 2^32", |forest, rng, _| {
        wrapped(forest, rng, 4)
    }),
    ("a length that is right modulo 2^64", |forest, rng, _| {
        wrapped(forest, rng, 8)
    }),
    ("a length too long by one", |forest, rng, _| {
        set_length(forest, rng, Length::Off(1))
    }),
    ("a length too long by 127", |forest, rng, _| {
        set_length(forest, rng, Length::Off(127))
    }),
    ("a length too short by one", |forest, rng, _| {
        set_length(forest, rng, Length::Off(-1))
    }),
    ("a length of nothing before a content", |forest, rng, _| {
        set_length(forest, rng, Length::Octets(vec![0]))
    }),
    ("an element without content", |forest, rng, _| {
        at_any(forest, rng, |element, _| {
            element.prefix.clear();
            element.content = Content::Octets(Vec::new());
        })
    }),
    ("an element left out", remove),
    ("an element twice", duplicate),
    ("an element among its own siblings once more", transplant),
    ("two elements that have changed places", swap),
    ("another tag", |forest, rng, _| {
        at_any(forest, rng, |element, rng| element.tag = vec![rng.u8(..)])
    }),
    ("another class of the tag", |forest, rng, _| {
        at_any(forest, rng, |element, rng| {
            let class = 1 + rng.u8(..3);
            element.tag = vec![element.first_tag() ^ (class << 6)];
        })
    }),
    ("primitive for constructed, or the reverse", |forest, rng, _| {
        at_any(forest, rng, |element, _| {
            element.tag = vec![element.first_tag() ^ 0x20];
        })
    }),
    ("a tag in the long form", |forest, rng, _| {
        at_any(forest, rng, |element, _| {
            let first = element.first_tag();
            element.tag = vec![first | 0x1f, first & 0x1f];
        })
    }),
    ("a tag number of 70 bits", |forest, rng, _| {
        at_any(forest, rng, |element, _| {
            let mut tag = vec![element.first_tag() | 0x1f];
            tag.resize(10, 0xff);
            tag.push(0x7f);
            element.tag = tag;
        })
    }),
    ("a tag number that does not end", |forest, rng, room| {
        at_any(forest, rng, |element, _| element.tag = vec![0xff; room.min(4096)])
    }),
    ("an empty INTEGER", |forest, rng, _| {
        integer(forest, rng, Vec::new())
    }),
    ("a negative INTEGER", |forest, rng, _| {
        integer(forest, rng, vec![0x80])
    }),
    ("an INTEGER of 2^31", |forest, rng, _| {
        integer(forest, rng, vec![0, 0x80, 0, 0, 0])
    }),
    ("an INTEGER of -2^63", |forest, rng, _| {
        integer(forest, rng, vec![0x80, 0, 0, 0, 0, 0, 0, 0])
    }),
    ("an INTEGER of 2^64", |forest, rng, _| {
        integer(forest, rng, vec![1, 0, 0, 0, 0, 0, 0, 0, 0])
    }),
    ("an INTEGER with leading zeros", |forest, rng, _| {
        integer(forest, rng, vec![0, 0, 0, 0, 0])
    }),
    ("a very long INTEGER", |forest, rng, room| {
        integer(forest, rng, vec![0x7f; room])
    }),
    ("an empty OBJECT IDENTIFIER", |forest, rng, _| {
        oid(forest, rng, Vec::new())
    }),
    ("an OBJECT IDENTIFIER that breaks off", |forest, rng, _| {
        oid(forest, rng, vec![0x2a, 0x86])
    }),
    ("an arc with a leading zero", |forest, rng, _| {
        oid(forest, rng, vec![0x2a, 0x80, 0x01])
    }),
    ("an arc of 70 bits", |forest, rng, _| {
        let mut octets = vec![0x2a];
        octets.resize(10, 0xff);
        octets.push(0x7f);
        oid(forest, rng, octets)
    }),
    ("an OBJECT IDENTIFIER of very many arcs", |forest, rng, room| {
        oid(forest, rng, vec![0x01; room])
    }),
    ("a BIT STRING without its first octet", |forest, rng, _| {
        bits(forest, rng, Vec::new())
    }),
    ("a BIT STRING with 8 unused bits", |forest, rng, _| {
        bits(forest, rng, vec![8, 0xff])
    }),
    ("a BIT STRING with 255 unused bits", |forest, rng, _| {
        bits(forest, rng, vec![0xff, 0xff])
    }),
    ("a BIT STRING of unused bits alone", |forest, rng, _| {
        bits(forest, rng, vec![7])
    }),
    ("text that is not UTF-8", |forest, rng, _| {
        text(forest, rng, vec![0xc0, 0x80, 0xff])
    }),
    ("text with a NUL in it", |forest, rng, _| {
        text(forest, rng, b"good\0bad".to_vec())
    }),
    ("text with control characters", |forest, rng, _| {
        text(forest, rng, b"\x1b[2J\r\n%s%n\x7f".to_vec())
    }),
    ("very long text", |forest, rng, room| {
        text(forest, rng, vec![b'A'; room])
    }),
    ("nesting of a hundred levels", |forest, rng, _| {
        nest(forest, rng, 100)
    }),
    ("nesting as deep as there is room", |forest, rng, room| {
        nest(forest, rng, room / 4)
    }),
    ("a thousand empty elements", |forest, rng, room| {
        let many = room.min(2000) / 2;
        at_constructed(forest, rng, |elements, rng| {
            let position = rng.usize(..=elements.len());
            let empty = Element::octets(tag::SEQUENCE, []);
            elements.splice(position..position, vec![empty; many]);
        })
    }),
    ("an element of the end of contents", |forest, rng, _| {
        at_constructed(forest, rng, |elements, rng| {
            let position = rng.usize(..=elements.len());
            elements.insert(position, Element::octets(0, []));
        })
    }),
    ("random octets in place of a content", |forest, rng, _| {
        at_any(forest, rng, |element, rng| {
            let octets: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
            element.content = Content::Octets(octets);
        })
    }),
];

/// A change of bytes.
type ByteChange = fn(&mut Vec<u8>, &mut Rng);

/// Changes of the bytes as a whole.
pub(super) const BYTE_CHANGES: &[(&str, ByteChange)] = &[
    ("cut off", |bytes, rng| {
        bytes.truncate(rng.usize(..bytes.len().max(1)));
    }),
    ("one bit changed", |bytes, rng| {
        let position = rng.usize(..bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(position) {
            *byte ^= 1 << rng.u8(..8);
        }
    }),
    ("several octets changed", |bytes, rng| {
        for _ in 0..rng.usize(2..16) {
            let position = rng.usize(..bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(position) {
                *byte = rng.u8(..);
            }
        }
    }),
    ("an octet behind", |bytes, _| bytes.push(0)),
    ("itself behind", |bytes, _| bytes.extend(bytes.clone())),
    ("a part of it left out", |bytes, rng| {
        let start = rng.usize(..bytes.len().max(1));
        let end = (start + rng.usize(1..32)).min(bytes.len());
        bytes.drain(start..end);
    }),
    ("a part of it twice", |bytes, rng| {
        let start = rng.usize(..bytes.len().max(1));
        let end = (start + rng.usize(1..32)).min(bytes.len());
        let part = bytes.get(start..end).unwrap_or_default().to_vec();
        bytes.splice(start..start, part);
    }),
    ("nothing", |bytes, _| bytes.clear()),
    ("zeros", |bytes, _| bytes.fill(0)),
    ("ones", |bytes, _| bytes.fill(0xff)),
];

/// The change with this number, made to `der`; its name and what came of it. The first place that fits is taken when the
/// random one does not.
pub(super) fn change(der: &[u8], number: usize, rng: &mut Rng, room: usize) -> (&'static str, Vec<u8>) {
    let all = CHANGES.len() + BYTE_CHANGES.len();
    let number = number % all;
    if let Some((name, change)) = CHANGES.get(number)
        && let Some(mut forest) = parse(der)
        && change(&mut forest, rng, room)
    {
        return (name, written(&forest));
    }
    let mut bytes = der.to_vec();
    let number = number.wrapping_sub(CHANGES.len()) % BYTE_CHANGES.len();
    let Some((name, change)) = BYTE_CHANGES.get(number) else {
        return ("unchanged", bytes);
    };
    change(&mut bytes, rng);
    (name, bytes)
}

fn at(forest: &mut Vec<Element>, number: usize, change: impl FnOnce(&mut Element)) -> bool {
    let Some((siblings, index)) = place(forest, number) else {
        return false;
    };
    siblings.get_mut(index).map(change).is_some()
}

fn at_any(forest: &mut Vec<Element>, rng: &mut Rng, change: impl FnOnce(&mut Element, &mut Rng)) -> bool {
    let number = rng.usize(..count(forest).max(1));
    at(forest, number, |element| change(element, rng))
}

/// At an element that fits.
fn at_one(
    forest: &mut Vec<Element>,
    rng: &mut Rng,
    fits: impl Fn(&Element) -> bool,
    change: impl FnOnce(&mut Element),
) -> bool {
    let candidates = numbers(forest, fits);
    match rng.choice(candidates) {
        Some(number) => at(forest, number, change),
        None => false,
    }
}

fn at_constructed(
    forest: &mut Vec<Element>,
    rng: &mut Rng,
    change: impl FnOnce(&mut Vec<Element>, &mut Rng),
) -> bool {
    let mut inner = rng.fork();
    let holds = |element: &Element| matches!(element.content, Content::Elements(_));
    at_one(forest, rng, holds, |element| {
        if let Content::Elements(elements) = &mut element.content {
            change(elements, &mut inner);
        }
    })
}

fn is_constructed(element: &Element) -> bool {
    element.first_tag() & 0x20 != 0
}

fn set_length(forest: &mut Vec<Element>, rng: &mut Rng, length: Length) -> bool {
    at_any(forest, rng, |element, _| element.length = length)
}

/// So many octets, of which all but the lowest are cut off when a length is kept in 32 or 64 bits.
fn wrapped(forest: &mut Vec<Element>, rng: &mut Rng, octets: usize) -> bool {
    at_any(forest, rng, |element, _| {
        let actual = written(core::slice::from_ref(element));
        let header = 1 + if actual.get(1).is_some_and(|first| *first >= 0x80) {
            1 + usize::from(actual.get(1).copied().unwrap_or_default() & 0x7f)
        } else {
            1
        };
        let content = u64::try_from(actual.len().saturating_sub(header)).unwrap_or_default();
        let mut length = vec![0x80 | u8::try_from(octets + 1).unwrap_or(9), 1];
        length.extend_from_slice(content.to_be_bytes().get(8 - octets..).unwrap_or_default());
        element.length = Length::Octets(length);
    })
}

fn indefinite(forest: &mut Vec<Element>, rng: &mut Rng, _room: usize) -> bool {
    at_one(forest, rng, is_constructed, |element| {
        element.length = Length::Indefinite;
    })
}

fn never_ending(forest: &mut Vec<Element>, rng: &mut Rng, _room: usize) -> bool {
    at_one(forest, rng, is_constructed, |element| {
        element.length = Length::NeverEnding;
    })
}

fn indefinite_everywhere(forest: &mut Vec<Element>, _rng: &mut Rng, _room: usize) -> bool {
    for number in numbers(forest, is_constructed) {
        at(forest, number, |element| element.length = Length::Indefinite);
    }
    true
}

fn remove(forest: &mut Vec<Element>, rng: &mut Rng, _room: usize) -> bool {
    // Not the whole.
    let number = rng.usize(..count(forest).max(2)).max(1);
    match place(forest, number) {
        Some((siblings, index)) => {
            siblings.remove(index);
            true
        }
        None => false,
    }
}

fn duplicate(forest: &mut Vec<Element>, rng: &mut Rng, _room: usize) -> bool {
    let number = rng.usize(..count(forest).max(1));
    let Some((siblings, index)) = place(forest, number) else {
        return false;
    };
    let Some(copy) = siblings.get(index).cloned() else {
        return false;
    };
    siblings.insert(index, copy);
    true
}

fn transplant(forest: &mut Vec<Element>, rng: &mut Rng, _room: usize) -> bool {
    let all = count(forest).max(1);
    let donor = place(forest, rng.usize(..all)).and_then(|(siblings, index)| siblings.get(index).cloned());
    match (donor, place(forest, rng.usize(..all))) {
        (Some(donor), Some((siblings, index))) => {
            siblings.insert(index, donor);
            true
        }
        _ => false,
    }
}

fn swap(forest: &mut Vec<Element>, rng: &mut Rng, _room: usize) -> bool {
    at_constructed(forest, rng, |elements, rng| {
        if elements.len() > 1 {
            let first = rng.usize(..elements.len() - 1);
            elements.swap(first, first + 1);
        }
    })
}

fn replace_octets(forest: &mut Vec<Element>, rng: &mut Rng, tags: &[u8], octets: Vec<u8>) -> bool {
    let fits = |element: &Element| tags.contains(&element.first_tag());
    at_one(forest, rng, fits, |element| {
        element.prefix.clear();
        element.content = Content::Octets(octets);
    })
}

fn integer(forest: &mut Vec<Element>, rng: &mut Rng, octets: Vec<u8>) -> bool {
    replace_octets(forest, rng, &[tag::INTEGER], octets)
}

fn oid(forest: &mut Vec<Element>, rng: &mut Rng, octets: Vec<u8>) -> bool {
    replace_octets(forest, rng, &[tag::OBJECT_IDENTIFIER], octets)
}

fn bits(forest: &mut Vec<Element>, rng: &mut Rng, octets: Vec<u8>) -> bool {
    replace_octets(forest, rng, &[tag::BIT_STRING], octets)
}

fn text(forest: &mut Vec<Element>, rng: &mut Rng, octets: Vec<u8>) -> bool {
    let tags = [tag::UTF8_STRING, tag::PRINTABLE_STRING, tag::IA5_STRING, 0x82];
    replace_octets(forest, rng, &tags, octets)
}

/// Puts an element into so many SEQUENCEs. As octets: a tree that deep would have to be written by recursion.
fn nest(forest: &mut Vec<Element>, rng: &mut Rng, levels: usize) -> bool {
    at_any(forest, rng, |element, _| {
        let inner = written(core::slice::from_ref(element));
        let mut total = inner.len();
        // From the inside out, each header from its end.
        let mut headers = Vec::new();
        for _ in 1..levels {
            let octets = super::der_tree::length(total);
            total += 1 + octets.len();
            headers.extend(octets.into_iter().rev());
            headers.push(tag::SEQUENCE);
        }
        headers.reverse();
        headers.extend(inner);
        *element = Element::octets(tag::SEQUENCE, headers);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_fuzz::grammar::est::certification_request::{Parts, dns_names};
    use crate::device_fuzz::grammar::est::key::EcKey;

    fn request() -> Vec<u8> {
        let key = EcKey::new(&mut Rng::with_seed(1));
        Parts::new("fuzz", &key)
            .with_extensions(&[dns_names(["a.example", "b.example"])])
            .sign(&key)
    }

    #[test]
    fn each_change_has_a_place_in_a_request_and_changes_it() {
        let request = request();
        for number in 0..CHANGES.len() + BYTE_CHANGES.len() {
            let changed = (0..20).any(|seed| {
                let (name, changed) = change(&request, number, &mut Rng::with_seed(seed), 1000);
                let expected = CHANGES
                    .get(number)
                    .map(|(name, _)| *name)
                    .or_else(|| BYTE_CHANGES.get(number - CHANGES.len()).map(|(name, _)| *name));
                changed != request && Some(name) == expected
            });
            assert!(changed, "change {number}");
        }
    }

    #[test]
    fn nesting_is_as_deep_as_it_says() {
        let mut forest = parse(&[5, 0]).unwrap();
        assert!(nest(&mut forest, &mut Rng::with_seed(1), 4));
        assert_eq!(written(&forest), [0x30, 8, 0x30, 6, 0x30, 4, 0x30, 2, 5, 0]);
    }

    #[test]
    fn a_length_that_wraps_is_the_right_one_in_its_low_octets() {
        let mut forest = parse(&[4, 3, 1, 2, 3]).unwrap();
        assert!(wrapped(&mut forest, &mut Rng::with_seed(1), 4));
        assert_eq!(written(&forest), [4, 0x85, 1, 0, 0, 0, 3, 1, 2, 3]);
    }
}
