//! Octet strings in one piece (DER) or in many (BER, X.690 section 8.7.3).

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{Element, Rules, tag};

/// An OCTET STRING that consists of OCTET STRINGs.
const CONSTRUCTED_OCTET_STRING: u8 = 0x24;

/// `openssl cms -stream` nests one level; more only cost time.
const MAX_NESTING: usize = 4;

/// The octets of an OCTET STRING, or of an IMPLICIT one under `primitive_tag`.
pub(super) fn octets(
    element: &Element<'_>,
    primitive_tag: u8,
    field: &'static str,
) -> Result<Vec<u8>, WireError> {
    if element.tag == primitive_tag {
        return Ok(element.content.to_vec());
    }
    if element.tag != primitive_tag | 0x20 {
        let problem = DerProblem::WrongTag {
            expected: "an OCTET STRING",
            found: element.tag,
        };
        return Err(element.problem(field, problem));
    }
    let mut all = Vec::with_capacity(element.content.len());
    collect(element, field, MAX_NESTING, &mut all)?;
    Ok(all)
}

fn collect(
    element: &Element<'_>,
    field: &'static str,
    levels: usize,
    all: &mut Vec<u8>,
) -> Result<(), WireError> {
    let Some(levels) = levels.checked_sub(1) else {
        return Err(element.problem(field, DerProblem::TooDeep(MAX_NESTING)));
    };
    let mut pieces = element.reader(Rules::Ber);
    while !pieces.is_empty() {
        let piece = pieces.any(field)?;
        match piece.tag {
            tag::OCTET_STRING => all.extend_from_slice(piece.content),
            CONSTRUCTED_OCTET_STRING => collect(&piece, field, levels, all)?,
            found => {
                let expected = "a piece of an OCTET STRING";
                return Err(piece.problem(field, DerProblem::WrongTag { expected, found }));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::asn1::Reader;

    fn read(input: &[u8]) -> Result<Vec<u8>, WireError> {
        let element = Reader::new(input, Rules::Ber).any("test").unwrap();
        octets(&element, tag::OCTET_STRING, "test")
    }

    #[test]
    fn joins_the_pieces() {
        assert_eq!(read(&[4, 2, 1, 2]).unwrap(), [1, 2]);
        let pieces = [0x24, 0x80, 4, 1, 1, 0x24, 3, 4, 1, 2, 4, 0, 0, 0];
        assert_eq!(read(&pieces).unwrap(), [1, 2]);
    }

    #[test]
    fn refuses_other_pieces_and_endless_nesting() {
        assert!(read(&[0x24, 3, 2, 1, 1]).is_err());
        let mut nested = vec![4, 1, 1];
        for _ in 0..MAX_NESTING {
            nested = crate::wire::asn1::encode(CONSTRUCTED_OCTET_STRING, &[&nested]);
        }
        assert_eq!(read(&nested).unwrap(), [1]);
        nested = crate::wire::asn1::encode(CONSTRUCTED_OCTET_STRING, &[&nested]);
        assert!(read(&nested).is_err());
    }
}
