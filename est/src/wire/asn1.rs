//! One reader for the ASN.1 structures of this crate. It borrows, keeps raw bytes, and knows where it is.
//!
//! The `der` crate decodes into types whose re-encoding may differ from the input (it sorts a SET OF, for example),
//! and a certificate must carry its subject byte for byte. This reader only finds the elements.

use const_oid::ObjectIdentifier;

use crate::error::{DerProblem, WireError};

/// How strictly lengths are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Shortest definite lengths only (X.690 section 10.1).
    Der,
    /// Any length form of X.690 section 8.1.3, for what old servers send.
    Ber,
}

/// Deepest nesting walked while looking for the end of an element of indefinite length. A certs-only message holds
/// about five levels of them; the limit only bounds the recursion.
const MAX_DEPTH: usize = 32;

/// Tag octets, class and constructed bit included.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    /// `[0] IMPLICIT` of a primitive type.
    pub(crate) const IMPLICIT_0: u8 = 0x80;
    pub(crate) const CONTEXT_0: u8 = 0xa0;
    pub(crate) const CONTEXT_1: u8 = 0xa1;
    pub(crate) const CONTEXT_3: u8 = 0xa3;
}

/// An element: tag, all of its bytes, and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    /// Tag, length, content (and end-of-contents octets).
    pub(crate) raw: &'a [u8],
    pub(crate) content: &'a [u8],
    /// Offset of `raw` in the whole input.
    pub(crate) position: usize,
    /// Offset of `content` in the whole input.
    content_position: usize,
    /// Whether the length was indefinite.
    pub(crate) indefinite: bool,
}

impl<'a> Element<'a> {
    /// A reader over the content.
    pub(crate) fn reader(&self, rules: Rules) -> Reader<'a> {
        Reader {
            rest: self.content,
            position: self.content_position,
            rules,
        }
    }

    /// The content as an OBJECT IDENTIFIER.
    pub(crate) fn object_identifier(&self, field: &'static str) -> Result<ObjectIdentifier, WireError> {
        ObjectIdentifier::from_bytes(self.content).map_err(|error| {
            self.problem(
                field,
                DerProblem::Value(format!("not an object identifier: {error}")),
            )
        })
    }

    /// The content of a BIT STRING that consists of whole octets.
    pub(crate) fn octet_aligned_bits(&self, field: &'static str) -> Result<&'a [u8], WireError> {
        match self.content.split_first() {
            Some((0, octets)) => Ok(octets),
            _ => Err(self.problem(
                field,
                DerProblem::Value("the bit string is not a whole number of octets".into()),
            )),
        }
    }

    pub(crate) fn problem(&self, field: &'static str, problem: DerProblem) -> WireError {
        WireError::Der {
            position: self.position,
            field,
            problem,
        }
    }
}

/// Reads one element after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    position: usize,
    rules: Rules,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8], rules: Rules) -> Self {
        Self {
            rest: input,
            position: 0,
            rules,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next tag octet, without taking it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes the next element, which must have this tag.
    pub(crate) fn expect(
        &mut self,
        expected_tag: u8,
        expected: &'static str,
        field: &'static str,
    ) -> Result<Element<'a>, WireError> {
        match self.peek() {
            Some(found) if found == expected_tag => self.any(field),
            Some(found) => Err(self.problem(field, DerProblem::WrongTag { expected, found })),
            None => Err(self.problem(field, DerProblem::Truncated { needed: 2 })),
        }
    }

    pub(crate) fn sequence(&mut self, field: &'static str) -> Result<Element<'a>, WireError> {
        self.expect(tag::SEQUENCE, "a SEQUENCE", field)
    }

    /// Takes the next element if it has this tag.
    pub(crate) fn optional(
        &mut self,
        tag: u8,
        field: &'static str,
    ) -> Result<Option<Element<'a>>, WireError> {
        if self.peek() == Some(tag) {
            self.any(field).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Takes the next element, whatever it is.
    pub(crate) fn any(&mut self, field: &'static str) -> Result<Element<'a>, WireError> {
        let (start, position) = (self.rest, self.position);
        let tag = self.octet(field)?;
        if tag & 0x1f == 0x1f {
            return Err(self.problem(field, DerProblem::MultiByteTag));
        }
        let length = self.length(field)?;
        let content_position = self.position;
        let content = match length {
            Some(length) => self.take(length, field)?,
            None if tag & 0x20 == 0 => return Err(self.problem(field, DerProblem::Length)),
            None => {
                let content = self.rest;
                let length = self.skip_to_end_of_contents(field, 1)?;
                content.get(..length).unwrap_or(content)
            }
        };
        let raw = start.get(..self.position - position).unwrap_or(start);
        Ok(Element {
            tag,
            raw,
            content,
            position,
            content_position,
            indefinite: length.is_none(),
        })
    }

    /// Refuses bytes that are left over.
    pub(crate) fn finish(&self, field: &'static str) -> Result<(), WireError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.problem(field, DerProblem::TrailingBytes(self.rest.len())))
    }

    pub(crate) fn problem(&self, field: &'static str, problem: DerProblem) -> WireError {
        WireError::Der {
            position: self.position,
            field,
            problem,
        }
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, WireError> {
        match self.take(1, field)? {
            [octet] => Ok(*octet),
            _ => Err(self.problem(field, DerProblem::Truncated { needed: 1 })),
        }
    }

    fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], WireError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            let needed = length - self.rest.len();
            return Err(self.problem(field, DerProblem::Truncated { needed }));
        };
        self.rest = rest;
        self.position += length;
        Ok(taken)
    }

    /// The length octets; `None` for the indefinite form.
    fn length(&mut self, field: &'static str) -> Result<Option<usize>, WireError> {
        let position = self.position;
        let wrong = move || WireError::Der {
            position,
            field,
            problem: DerProblem::Length,
        };
        let first = self.octet(field)?;
        if first < 0x80 {
            return Ok(Some(usize::from(first)));
        }
        if first == 0x80 {
            return if self.rules == Rules::Ber {
                Ok(None)
            } else {
                Err(wrong())
            };
        }
        let octets = self.take(usize::from(first & 0x7f), field)?;
        let significant = octets.iter().copied().skip_while(|octet| *octet == 0);
        let mut length = 0_usize;
        for octet in significant {
            length = length.checked_mul(256).ok_or_else(wrong)? | usize::from(octet);
        }
        let shortest = length >= 0x80 && octets.first() != Some(&0);
        if self.rules == Rules::Der && !shortest {
            return Err(wrong());
        }
        Ok(Some(length))
    }

    /// Walks elements up to the end-of-contents octets and takes those too; the length of what came before them.
    fn skip_to_end_of_contents(&mut self, field: &'static str, depth: usize) -> Result<usize, WireError> {
        if depth > MAX_DEPTH {
            return Err(self.problem(field, DerProblem::TooDeep(MAX_DEPTH)));
        }
        let start = self.position;
        loop {
            if self.rest.starts_with(&[0, 0]) {
                let length = self.position - start;
                self.take(2, field)?;
                return Ok(length);
            }
            let tag = self.octet(field)?;
            if tag & 0x1f == 0x1f {
                return Err(self.problem(field, DerProblem::MultiByteTag));
            }
            match self.length(field)? {
                Some(length) => {
                    self.take(length, field)?;
                }
                None if tag & 0x20 == 0 => return Err(self.problem(field, DerProblem::Length)),
                None => {
                    self.skip_to_end_of_contents(field, depth + 1)?;
                }
            }
        }
    }
}

/// Encodes one element in DER: tag, shortest definite length, and the parts as its content.
pub(crate) fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    let octets = length.to_be_bytes();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let significant = octets.iter().copied().skip_while(|octet| *octet == 0);
            // At most eight octets, so the sum stays below 0x89.
            out.push(0x80 | u8::try_from(significant.clone().count()).unwrap_or(8));
            out.extend(significant);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Whether an element of indefinite length may be in the input: for oracles, which compare lengths of encodings.
pub(crate) fn may_hold_indefinite_lengths(input: &[u8]) -> bool {
    input
        .windows(2)
        .any(|pair| matches!(pair, [tag, 0x80] if tag & 0x20 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_every_length_form_and_reads_it_back() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000] {
            let content = vec![7; length];
            let encoded = encode(tag::OCTET_STRING, &[&content]);
            let mut reader = Reader::new(&encoded, Rules::Der);
            let element = reader.any("test").unwrap();
            assert_eq!(element.content, content);
            assert_eq!(element.raw, encoded);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn demands_the_shortest_definite_length_in_der_only() {
        let inputs: [&[u8]; 4] = [
            &[4, 0x81, 1, 9],
            &[4, 0x82, 0, 1, 9],
            &[0x30, 0x80, 4, 1, 9, 0, 0],
            &[4, 0x83, 0, 0, 1, 9],
        ];
        for input in inputs {
            let strict = Reader::new(input, Rules::Der).any("test").unwrap_err();
            assert_eq!(
                strict,
                WireError::Der {
                    position: 1,
                    field: "test",
                    problem: DerProblem::Length
                }
            );
            let mut reader = Reader::new(input, Rules::Ber);
            assert_eq!(reader.any("test").unwrap().raw, input);
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn finds_the_end_of_nested_indefinite_lengths() {
        let input = [0x30, 0x80, 0x31, 0x80, 4, 2, 0, 0, 0, 0, 5, 0, 0, 0, 0xaa];
        let mut reader = Reader::new(&input, Rules::Ber);
        let element = reader.any("test").unwrap();
        assert_eq!(element.content, &input[2..12]);
        assert_eq!(element.raw, &input[..14]);
        let trailing = WireError::Der {
            position: 14,
            field: "test",
            problem: DerProblem::TrailingBytes(1),
        };
        assert_eq!(reader.finish("test"), Err(trailing));
    }

    #[test]
    fn bounds_the_nesting() {
        let input = [0x30, 0x80].repeat(100_000);
        let error = Reader::new(&input, Rules::Ber).any("test").unwrap_err();
        assert!(
            matches!(
                error,
                WireError::Der {
                    problem: DerProblem::TooDeep(MAX_DEPTH),
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn survives_lengths_that_no_machine_holds() {
        let input = [
            0x30, 0x8a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ];
        assert!(Reader::new(&input, Rules::Ber).any("test").is_err());
        let input = [0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(Reader::new(&input, Rules::Ber).any("test").is_err());
    }
}
