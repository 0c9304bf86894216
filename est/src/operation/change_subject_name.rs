//! The `ChangeSubjectName` attribute of a re-enrolment (RFC 6402, section 2.8).

use const_oid::ObjectIdentifier;

use super::Refusal;
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::csr::{CertificationRequest, VerifiedCsr};

/// `id-cmc-changeSubjectName`.
pub const CHANGE_SUBJECT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.7.36");

/// Whether the request asks for other names than it carries itself.
pub(super) fn is_present(request: &CertificationRequest) -> bool {
    request
        .attributes()
        .iter()
        .any(|attribute| attribute.oid == CHANGE_SUBJECT_NAME)
}

/// The request with the names that its attribute asks for: what the attribute leaves out stays as it is.
pub(super) fn apply(request: VerifiedCsr) -> Result<VerifiedCsr, Refusal> {
    let Some(attribute) = request
        .attributes()
        .iter()
        .find(|attribute| attribute.oid == CHANGE_SUBJECT_NAME)
    else {
        return Ok(request);
    };
    let wrong = |cause: String| Refusal::BadRequest {
        cause: format!("ChangeSubjectName (RFC 6402, section 2.8): {cause}"),
    };
    let [value] = attribute.values.as_slice() else {
        return Err(wrong("the attribute has not exactly one value".to_owned()));
    };
    let names = NewNames::parse(value).map_err(|error| wrong(error.to_string()))?;
    if names.subject.is_none() && names.alternative_names.is_none() {
        return Err(wrong("neither subject nor subjectAlt is present".to_owned()));
    }
    request
        .with_names(names.subject, names.alternative_names)
        .map_err(|error| wrong(error.to_string()))
}

/// ```text
/// ChangeSubjectName ::= SEQUENCE {
///     subject    Name OPTIONAL,
///     subjectAlt [1] SubjectAltName OPTIONAL }
/// ```
/// The tag comes from erratum 3943; before it both fields were untagged SEQUENCEs, and their content tells them
/// apart: a Name holds SETs, a SubjectAltName holds context tags.
struct NewNames {
    subject: Option<Vec<u8>>,
    alternative_names: Option<Vec<u8>>,
}

impl NewNames {
    fn parse(value: &[u8]) -> Result<Self, WireError> {
        const FIELD: &str = "ChangeSubjectName";
        let mut outer = Reader::new(value, Rules::Der);
        let mut fields = outer.sequence(FIELD)?.reader(Rules::Der);
        outer.finish(FIELD)?;
        let mut found = Self {
            subject: None,
            alternative_names: None,
        };
        while !fields.is_empty() {
            let field = fields.any(FIELD)?;
            let repeated = match (field.tag, is_name(&field)) {
                (tag::SEQUENCE, true) if found.alternative_names.is_none() => {
                    found.subject.replace(field.raw.to_vec())
                }
                (tag::SEQUENCE, false) => found.alternative_names.replace(field.raw.to_vec()),
                (tag::CONTEXT_1, _) => found.alternative_names.replace(tagged_names(&field)),
                _ => return Err(unexpected(&field)),
            };
            if repeated.is_some() {
                return Err(unexpected(&field));
            }
        }
        Ok(found)
    }
}

fn unexpected(field: &Element<'_>) -> WireError {
    let expected = "a Name, then a SubjectAltName";
    let found = field.tag;
    field.problem("ChangeSubjectName", DerProblem::WrongTag { expected, found })
}

/// An empty SEQUENCE is the empty Name: a SubjectAltName has at least one entry.
fn is_name(field: &Element<'_>) -> bool {
    matches!(field.content.first(), None | Some(&tag::SET))
}

/// The content of `[1]`, implicit or explicit, as a SEQUENCE.
fn tagged_names(field: &Element<'_>) -> Vec<u8> {
    let mut inside = field.reader(Rules::Der);
    match inside.sequence("subjectAlt") {
        Ok(names) if inside.is_empty() => names.raw.to_vec(),
        _ => asn1::encode(tag::SEQUENCE, &[field.content]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &[u8] = &[0x30, 12, 0x31, 10, 0x30, 8, 6, 3, 85, 4, 3, 0x0c, 1, b'x'];
    const NAMES: &[u8] = &[0x30, 3, 0x82, 1, b'h'];

    type Names = (Option<Vec<u8>>, Option<Vec<u8>>);

    fn parse(fields: &[&[u8]]) -> Result<Names, WireError> {
        NewNames::parse(&asn1::encode(tag::SEQUENCE, fields))
            .map(|found| (found.subject, found.alternative_names))
    }

    #[test]
    fn reads_both_fields_with_and_without_the_tag_of_the_erratum() {
        let (name, names) = (Some(NAME.to_vec()), Some(NAMES.to_vec()));
        let implicit = [&[0xa1, 3][..], &NAMES[2..]].concat();
        let explicit = asn1::encode(tag::CONTEXT_1, &[NAMES]);
        for alternative in [NAMES, &implicit, &explicit] {
            assert_eq!(parse(&[NAME, alternative]), Ok((name.clone(), names.clone())));
            assert_eq!(parse(&[alternative]), Ok((None, names.clone())));
        }
        assert_eq!(parse(&[NAME]), Ok((name, None)));
        assert_eq!(parse(&[&[0x30, 0]]), Ok((Some(vec![0x30, 0]), None)));
    }

    #[test]
    fn refuses_fields_twice_or_in_the_wrong_order() {
        assert!(parse(&[NAME, NAME]).is_err());
        assert!(parse(&[NAMES, NAMES]).is_err());
        assert!(parse(&[NAMES, NAME]).is_err());
        assert!(parse(&[&[5, 0]]).is_err());
    }
}
