//! A decoded body that borrows the bytes it was decoded from.

use core::fmt;
use core::marker::PhantomData;

use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::frame::Frame;
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::schema::{ElementValue, again, check};
use crate::wire::tlv::Elements;
use crate::wire::writer::Writer;

/// A body of the form `B`, checked and borrowed. [`read`](Self::read) makes a `B` of it.
pub struct View<'a, B> {
    elements: Elements<'a>,
    body: PhantomData<fn() -> B>,
}

impl<'a, B> View<'a, B> {
    /// Looks again at a body that [`decode`](super::Message::decode) has accepted before.
    pub(crate) const fn checked(body: &'a [u8], body_offset: usize, profile: &'a WireProfile) -> Self {
        Self {
            elements: Elements::checked(body, body_offset, profile),
            body: PhantomData,
        }
    }

    /// The elements of the body in the order of the wire, those without a meaning among them.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }
}

impl<'a, B: ElementValue> View<'a, B> {
    pub(super) fn decode(frame: &Frame<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let reader = Reader::new(frame.body, frame.body_offset, profile.byte_order());
        check::elements(reader, B::CHILDREN, profile)?;
        Ok(Self::checked(frame.body, frame.body_offset, profile))
    }

    /// The values of the body. Elements without a meaning are not part of them; see [`elements`](Self::elements).
    ///
    /// # Errors
    /// None for a body that [`Message::decode`](super::Message::decode) has accepted.
    pub fn read(&self) -> Result<B, DecodeError> {
        B::read_value(self.elements.reader(), self.elements.profile(), "body")
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        again::elements(&self.elements, B::CHILDREN, writer)
    }
}

impl<B> Clone for View<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for View<'_, B> {}

impl<B> PartialEq for View<'_, B> {
    fn eq(&self, other: &Self) -> bool {
        self.elements == other.elements
    }
}

impl<B> fmt::Debug for View<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.elements.fmt(f)
    }
}
