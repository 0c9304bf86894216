//! BER as a tree whose elements know how their lengths are written. A file that needs no other: `fuzz` reads it too, which
//! may not depend on this crate.

/// Deepest nesting that is taken apart: a certificate in enveloped data is at about twenty.
const MAX_DEPTH: usize = 40;

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;

/// The length octets of DER (X.690 section 10.1).
pub(super) fn length(length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![short],
        _ => {
            let octets = length.to_be_bytes();
            let significant: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
            let mut written = vec![0x80 | u8::try_from(significant.len()).unwrap_or(8)];
            written.extend(significant);
            written
        }
    }
}

/// How the length of an element is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// As DER has it.
    Der,
    /// These octets, whatever the content is.
    Octets(Vec<u8>),
    /// With zeros before it, so many octets in all.
    Padded(usize),
    /// That of the content and this many more or fewer octets, as DER has it.
    Off(isize),
    /// Indefinite, with the end-of-contents octets.
    Indefinite,
    /// Indefinite, without them.
    NeverEnding,
}

/// An element with its content, which is other elements where it can be read as such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Identifier octets.
    pub(super) tag: Vec<u8>,
    pub(super) length: Length,
    /// What a BIT STRING has before the elements in it.
    pub(super) prefix: Vec<u8>,
    pub(super) content: Content,
}

/// See [`Element`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Octets(Vec<u8>),
    Elements(Vec<Element>),
}

impl Element {
    /// Of octets, in DER.
    pub(super) fn octets(tag: u8, octets: impl Into<Vec<u8>>) -> Self {
        Self {
            tag: vec![tag],
            length: Length::Der,
            prefix: Vec::new(),
            content: Content::Octets(octets.into()),
        }
    }

    /// The first identifier octet.
    pub(super) fn first_tag(&self) -> u8 {
        self.tag.first().copied().unwrap_or_default()
    }

    fn write(&self, output: &mut Vec<u8>) {
        let mut content = self.prefix.clone();
        match &self.content {
            Content::Octets(octets) => content.extend_from_slice(octets),
            Content::Elements(elements) => elements.iter().for_each(|element| element.write(&mut content)),
        }
        output.extend_from_slice(&self.tag);
        output.extend(self.length.octets(content.len()));
        output.append(&mut content);
        if self.length == Length::Indefinite {
            output.extend([0, 0]);
        }
    }

    fn count(&self) -> usize {
        match &self.content {
            Content::Octets(_) => 1,
            Content::Elements(elements) => 1 + elements.iter().map(Self::count).sum::<usize>(),
        }
    }
}

impl Length {
    fn octets(&self, actual: usize) -> Vec<u8> {
        match self {
            Self::Der => length(actual),
            Self::Octets(octets) => octets.clone(),
            Self::Padded(count) => {
                let mut octets = vec![0x80 | u8::try_from(*count).unwrap_or(0x7e)];
                let significant: Vec<u8> = actual
                    .to_be_bytes()
                    .into_iter()
                    .skip_while(|octet| *octet == 0)
                    .collect();
                octets.resize(1 + count.saturating_sub(significant.len()), 0);
                octets.extend(significant);
                octets
            }
            Self::Off(difference) => length(actual.saturating_add_signed(*difference)),
            Self::Indefinite | Self::NeverEnding => vec![0x80],
        }
    }
}

/// The bytes of a forest.
pub(super) fn written(forest: &[Element]) -> Vec<u8> {
    let mut output = Vec::new();
    forest.iter().for_each(|element| element.write(&mut output));
    output
}

/// The elements that `input` consists of; `None` when it does not.
pub(super) fn parse(input: &[u8]) -> Option<Vec<Element>> {
    parse_at(input, 0)
}

fn parse_at(input: &[u8], depth: usize) -> Option<Vec<Element>> {
    let mut rest = input;
    let mut elements = Vec::new();
    while let [tag, behind @ ..] = rest {
        let (length, behind) = length_of(behind)?;
        let (content, behind) = behind.split_at_checked(length)?;
        elements.push(element_of(*tag, content, depth));
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
    let fold = |length, octet: &u8| length << 8 | usize::from(*octet);
    Some((octets.iter().fold(0, fold), rest))
}

fn element_of(tag: u8, content: &[u8], depth: usize) -> Element {
    let (prefix, inner) = match (tag, content) {
        (BIT_STRING, [0, inner @ ..]) => (vec![0], inner),
        _ => (Vec::new(), content),
    };
    // Octet strings and bit strings often hold DER; two octets at least, so that chance does not make a tree of text.
    let may_hold = tag & 0x20 != 0 || (matches!(tag, BIT_STRING | OCTET_STRING) && inner.len() >= 2);
    let parsed = if may_hold && depth < MAX_DEPTH {
        parse_at(inner, depth + 1)
    } else {
        None
    };
    let (prefix, content) = match parsed {
        Some(elements) => (prefix, Content::Elements(elements)),
        None => (Vec::new(), Content::Octets(content.to_vec())),
    };
    Element {
        tag: vec![tag],
        length: Length::Der,
        prefix,
        content,
    }
}

/// How many elements there are.
pub(super) fn count(forest: &[Element]) -> usize {
    forest.iter().map(Element::count).sum()
}

/// The element with this number, counted as they begin, in the list that it stands in.
pub(super) fn place(forest: &mut Vec<Element>, mut number: usize) -> Option<(&mut Vec<Element>, usize)> {
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
        return (index < forest.len()).then_some((forest, index));
    }
    match &mut forest.get_mut(index)?.content {
        Content::Octets(_) => None,
        Content::Elements(elements) => place(elements, number - 1),
    }
}

/// The numbers of the elements that fit.
pub(super) fn numbers(forest: &[Element], fits: impl Fn(&Element) -> bool) -> Vec<usize> {
    fn walk(forest: &[Element], next: &mut usize, found: &mut Vec<usize>, fits: &dyn Fn(&Element) -> bool) {
        for element in forest {
            if fits(element) {
                found.push(*next);
            }
            *next += 1;
            if let Content::Elements(elements) = &element.content {
                walk(elements, next, found, fits);
            }
        }
    }
    let mut found = Vec::new();
    walk(forest, &mut 0, &mut found, &fits);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_changed_is_written_as_it_was() {
        let request = include_bytes!("../../../../../est/testdata/csr/p256.pem");
        let text: String = core::str::from_utf8(request)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect();
        let der = est::wire::base64::decode(text.as_bytes(), 4096).unwrap();
        let mut forest = parse(&der).unwrap();
        assert!(count(&forest) > 20, "{forest:?}");
        assert_eq!(written(&forest), der);
        for number in 0..count(&forest) {
            assert!(place(&mut forest, number).is_some(), "{number}");
        }
        assert!(place(&mut forest, count(&der_forest(&der))).is_none());
    }

    fn der_forest(der: &[u8]) -> Vec<Element> {
        parse(der).unwrap()
    }

    #[test]
    fn writes_lengths_as_they_are_wanted() {
        assert_eq!(length(0x1234), [0x82, 0x12, 0x34]);
        assert_eq!(Length::Padded(4).octets(5), [0x84, 0, 0, 0, 5]);
    }
}
