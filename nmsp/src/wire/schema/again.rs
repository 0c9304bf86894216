//! Encoding a body as it was received: known fields from their values, everything else in its place.

use super::{Child, ElementSchema};
use crate::wire::error::EncodeError;
use crate::wire::reader::Reader;
use crate::wire::tlv::Elements;
use crate::wire::writer::Writer;

/// Writes elements that [`check`](super::check) has accepted.
pub(crate) fn elements(
    elements: &Elements<'_>,
    children: &'static [Child],
    writer: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    let profile = elements.profile();
    elements.iter().try_for_each(|(meaning, tlv)| {
        let declared = meaning.filter(|element| children.iter().any(|child| child.element == *element));
        match declared {
            Some(element) => writer.tlv(element, |writer| {
                value(element.schema(), tlv.reader(profile), writer)
            }),
            None => writer.unchanged(&tlv),
        }
    })
}

fn value(
    schema: &'static ElementSchema,
    mut reader: Reader<'_>,
    writer: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    for field in schema.fields {
        field.kind.again(&mut reader, writer, field.name)?;
    }
    let profile = writer.profile();
    let offset = reader.offset();
    elements(
        &Elements::checked(reader.rest(), offset, profile),
        schema.children,
        writer,
    )
}
