//! Echo Request and Echo Response: the keepalive.

use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::tlv::Elements;
use crate::wire::writer::Writer;

/// The body of both echo messages. The profile defines no element for it; a controller returns what it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Echo<'a> {
    elements: Elements<'a>,
}

impl<'a> Echo<'a> {
    pub(super) fn decode(mut reader: Reader<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        Ok(Self {
            elements: Elements::read(&mut reader, profile, |_, _| Ok(()))?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.elements
            .iter()
            .try_for_each(|(_, tlv)| writer.unchanged(&tlv))
    }

    /// The elements of the body.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }
}
