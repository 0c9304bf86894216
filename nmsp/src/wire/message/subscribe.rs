//! Service Subscribe Request and Response.

use super::{missing, value, write_services};
use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::numbers::SubscribeStatus;
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::services::Services;
use crate::wire::tlv::{Element, Elements, Once};
use crate::wire::writer::Writer;

/// A received Service Subscribe Request: the services that the location server wants from now on. It replaces whatever
/// was subscribed before; the empty set unsubscribes from everything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServiceSubscribeRequest<'a> {
    /// What is wanted.
    pub services: Services,
    elements: Elements<'a>,
}

impl<'a> ServiceSubscribeRequest<'a> {
    /// Writes the body of a request for these services.
    ///
    /// # Errors
    /// If something does not fit the profile's fields.
    pub fn write(services: Services, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        write_services(writer, Element::Services, services)
    }

    pub(super) fn decode(mut reader: Reader<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let (mut services, mut once) = (None, Once::default());
        let elements = Elements::read(&mut reader, profile, |meaning, tlv| {
            if let Some(element @ Element::Services) = meaning {
                once.note(element, tlv)?;
                services = Some(profile.services_from_wire(value(tlv, element, profile, Reader::u64)?));
            }
            Ok(())
        })?;
        let services = services.ok_or_else(|| missing(Element::Services, reader.offset(), profile))?;
        Ok(Self { services, elements })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.elements.iter().try_for_each(|(meaning, tlv)| match meaning {
            Some(Element::Services) => Self::write(self.services, writer),
            _ => writer.unchanged(&tlv),
        })
    }

    /// The elements of the body.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeOutcome {
    /// The summary.
    pub status: SubscribeStatus,
    /// What is subscribed now.
    pub accepted: Services,
    /// What was asked for and is not offered.
    pub rejected: Services,
}

impl SubscribeOutcome {
    /// The answer of a controller that offers `offered` to a request for `wanted`.
    #[must_use]
    pub fn of(wanted: Services, offered: Services) -> Self {
        let (accepted, rejected) = (wanted & offered, wanted.without(offered));
        let status = match (accepted.is_empty(), rejected.is_empty()) {
            (_, true) => SubscribeStatus::ACCEPTED,
            (false, false) => SubscribeStatus::PARTLY_ACCEPTED,
            (true, false) => SubscribeStatus::REJECTED,
        };
        Self {
            status,
            accepted,
            rejected,
        }
    }

    /// Writes the body of a response.
    ///
    /// # Errors
    /// If something does not fit the profile's fields.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.write_status(writer)?;
        write_services(writer, Element::Services, self.accepted)?;
        write_services(writer, Element::ServicesRejected, self.rejected)
    }

    fn write_status(self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.tlv(Element::SubscribeStatus, |value| {
            value.u16(self.status.0);
            Ok(())
        })
    }
}

/// A received Service Subscribe Response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServiceSubscribeResponse<'a> {
    /// What became of the subscription. `rejected` is empty if the element is absent.
    pub outcome: SubscribeOutcome,
    elements: Elements<'a>,
}

impl<'a> ServiceSubscribeResponse<'a> {
    pub(super) fn decode(mut reader: Reader<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let (mut status, mut accepted, mut rejected, mut once) =
            (None, None, Services::NONE, Once::default());
        let elements = Elements::read(&mut reader, profile, |meaning, tlv| {
            match meaning {
                Some(element @ Element::SubscribeStatus) => {
                    once.note(element, tlv)?;
                    status = Some(SubscribeStatus(value(tlv, element, profile, Reader::u16)?));
                }
                Some(element @ Element::Services) => {
                    once.note(element, tlv)?;
                    accepted = Some(profile.services_from_wire(value(tlv, element, profile, Reader::u64)?));
                }
                Some(element @ Element::ServicesRejected) => {
                    once.note(element, tlv)?;
                    rejected = profile.services_from_wire(value(tlv, element, profile, Reader::u64)?);
                }
                _ => {}
            }
            Ok(())
        })?;
        let end = reader.offset();
        let status = status.ok_or_else(|| missing(Element::SubscribeStatus, end, profile))?;
        let accepted = accepted.ok_or_else(|| missing(Element::Services, end, profile))?;
        Ok(Self {
            outcome: SubscribeOutcome {
                status,
                accepted,
                rejected,
            },
            elements,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.elements.iter().try_for_each(|(meaning, tlv)| match meaning {
            Some(Element::SubscribeStatus) => self.outcome.write_status(writer),
            Some(element @ Element::Services) => write_services(writer, element, self.outcome.accepted),
            Some(element @ Element::ServicesRejected) => {
                write_services(writer, element, self.outcome.rejected)
            }
            _ => writer.unchanged(&tlv),
        })
    }

    /// The elements of the body.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_is_offered_and_lists_the_rest() {
        let offered = Services::MEASUREMENTS;
        let outcome = SubscribeOutcome::of(Services::RSSI_MS | Services::WIPS, offered);
        assert_eq!(outcome.status, SubscribeStatus::PARTLY_ACCEPTED);
        assert_eq!(
            (outcome.accepted, outcome.rejected),
            (Services::RSSI_MS, Services::WIPS)
        );
        assert_eq!(
            SubscribeOutcome::of(Services::WIPS, offered).status,
            SubscribeStatus::REJECTED
        );
        assert_eq!(
            SubscribeOutcome::of(Services::NONE, offered).status,
            SubscribeStatus::ACCEPTED
        );
    }
}
