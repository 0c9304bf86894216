//! Capability Notification: what the sender can do.

use super::{missing, value, write_services};
use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::services::Services;
use crate::wire::tlv::{Element, Elements, Once};
use crate::wire::writer::Writer;

/// What a peer says it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// The protocol version the peer implements, for information; it does not decide anything yet.
    pub version: u16,
    /// The services the controller offers, or the location server can use.
    pub services: Services,
}

impl Capability {
    /// Writes the body of a Capability Notification.
    ///
    /// # Errors
    /// If something does not fit the profile's fields.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.write_version(writer)?;
        write_services(writer, Element::Services, self.services)
    }

    fn write_version(self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.tlv(Element::ProtocolVersion, |value| {
            value.u16(self.version);
            Ok(())
        })
    }
}

/// A received Capability Notification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CapabilityNotification<'a> {
    /// What the peer says.
    pub capability: Capability,
    elements: Elements<'a>,
}

impl<'a> CapabilityNotification<'a> {
    pub(super) fn decode(mut reader: Reader<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let (mut version, mut services, mut once) = (None, None, Once::default());
        let elements = Elements::read(&mut reader, profile, |meaning, tlv| {
            match meaning {
                Some(element @ Element::ProtocolVersion) => {
                    once.note(element, tlv)?;
                    version = Some(value(tlv, element, profile, Reader::u16)?);
                }
                Some(element @ Element::Services) => {
                    once.note(element, tlv)?;
                    services = Some(profile.services_from_wire(value(tlv, element, profile, Reader::u64)?));
                }
                _ => {}
            }
            Ok(())
        })?;
        let end = reader.offset();
        let version = version.ok_or_else(|| missing(Element::ProtocolVersion, end, profile))?;
        let services = services.ok_or_else(|| missing(Element::Services, end, profile))?;
        Ok(Self {
            capability: Capability { version, services },
            elements,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.elements.iter().try_for_each(|(meaning, tlv)| match meaning {
            Some(Element::ProtocolVersion) => self.capability.write_version(writer),
            Some(element @ Element::Services) => write_services(writer, element, self.capability.services),
            _ => writer.unchanged(&tlv),
        })
    }

    /// The elements of the body.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }
}
