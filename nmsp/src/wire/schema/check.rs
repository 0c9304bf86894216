//! The check of a body against its schema. It allocates nothing; what it accepts, the typed structs read without error.

use super::{Child, ElementSchema, Occurrence};
use crate::wire::error::{DecodeError, DecodeErrorKind};
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::tlv::Tlv;

/// Checks a run of elements to its end.
pub(crate) fn elements(
    mut reader: Reader<'_>,
    children: &'static [Child],
    profile: &WireProfile,
) -> Result<(), DecodeError> {
    // One bit per child; no declaration has more than 32, a test counts them.
    let mut seen = 0_u32;
    while !reader.is_empty() {
        let tlv = Tlv::read(&mut reader, profile)?;
        let Some(element) = profile.element(tlv.number) else {
            continue;
        };
        let Some((bit, child)) = (0_u32..)
            .zip(children)
            .find(|(_, child)| child.element == element)
        else {
            continue;
        };
        let bit = 1_u32.checked_shl(bit).unwrap_or_default();
        if child.occurrence != Occurrence::Many && seen & bit != 0 {
            let kind = DecodeErrorKind::DuplicateTlv(tlv.number);
            return Err(DecodeError::new(tlv.offset, element.name(), kind));
        }
        seen |= bit;
        value(element.schema(), tlv.reader(profile), profile)?;
    }
    let required = (0_u32..)
        .zip(children)
        .filter(|(_, child)| child.occurrence == Occurrence::Required);
    for (bit, child) in required {
        if seen & 1_u32.checked_shl(bit).unwrap_or_default() == 0 {
            return Err(super::missing(child.element, reader.offset(), profile));
        }
    }
    Ok(())
}

/// Checks the value of one element.
pub(crate) fn value(
    schema: &'static ElementSchema,
    mut reader: Reader<'_>,
    profile: &WireProfile,
) -> Result<(), DecodeError> {
    for field in schema.fields {
        field.kind.check(&mut reader, field.name)?;
    }
    if schema.exact {
        reader.finish(schema.name)
    } else {
        elements(reader, schema.children, profile)
    }
}
