//! Civic addresses in the form of RFC 4776.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::numbers::macros::wire_number;
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::schema::{FieldType, Kind};
use crate::wire::text::Text;
use crate::wire::writer::Writer;

wire_number! {
    /// Whose place the address is (RFC 4776, section 3.1, `what`).
    CivicWhat(u8, 1), "civic what" {
        /// The DHCP server's. (Here: the sender's.)
        SERVER = 0, "server";
        /// The network element's that is believed to be closest.
        NETWORK_ELEMENT = 1, "network element";
        /// The client's.
        CLIENT = 2, "client";
    }

    /// A component of a civic address (RFC 4776, section 3.4, CAtype).
    CivicType(u8, 1), "civic address type" {
        /// Language, as in RFC 4646.
        LANGUAGE = 0, "language";
        /// National subdivision: state, region, province.
        A1 = 1, "A1";
        /// County, parish, district.
        A2 = 2, "A2";
        /// City, township.
        A3 = 3, "A3";
        /// City division, borough.
        A4 = 4, "A4";
        /// Neighbourhood, block.
        A5 = 5, "A5";
        /// Street group or road.
        A6 = 6, "A6";
        /// Leading street direction.
        PRD = 16, "PRD";
        /// Trailing street suffix.
        POD = 17, "POD";
        /// Street suffix or type.
        STS = 18, "STS";
        /// House number.
        HNO = 19, "HNO";
        /// House number suffix.
        HNS = 20, "HNS";
        /// Landmark or vanity address.
        LMK = 21, "LMK";
        /// Additional location information.
        LOC = 22, "LOC";
        /// Name (residence or office occupant).
        NAM = 23, "NAM";
        /// Postal or zip code.
        PC = 24, "PC";
        /// Building.
        BLD = 25, "BLD";
        /// Unit (apartment, suite).
        UNIT = 26, "UNIT";
        /// Floor.
        FLR = 27, "FLR";
        /// Room.
        ROOM = 28, "ROOM";
        /// Type of place.
        PLC = 29, "PLC";
        /// Postal community name.
        PCN = 30, "PCN";
        /// Post office box.
        POBOX = 31, "POBOX";
        /// Additional code.
        ADDCODE = 32, "ADDCODE";
        /// Seat (desk, cubicle).
        SEAT = 33, "SEAT";
        /// Primary road name.
        RD = 34, "RD";
        /// Road section.
        RDSEC = 35, "RDSEC";
        /// Branch road name.
        RDBR = 36, "RDBR";
        /// Sub-branch road name.
        RDSUBBR = 37, "RDSUBBR";
        /// Road pre-modifier.
        PRM = 38, "PRM";
        /// Road post-modifier.
        POM = 39, "POM";
        /// Script, as in ISO 15924.
        SCRIPT = 128, "script";
    }
}

/// A civic address: what stands in the GEOCONF_CIVIC option of RFC 4776 behind its length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CivicAddress {
    /// Whose place it is.
    pub what: CivicWhat,
    /// The country, two capital letters of ISO 3166.
    pub country: CountryCode,
    /// The components, in the order of the wire.
    pub elements: Vec<CivicElement>,
}

/// A country code of ISO 3166 as it stands on the wire, two bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CountryCode(pub [u8; 2]);

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text::from(&self.0[..]).fmt(f)
    }
}

impl From<CountryCode> for String {
    fn from(code: CountryCode) -> Self {
        // Every byte is one character, so that any two bytes survive.
        code.0.into_iter().map(char::from).collect()
    }
}

impl TryFrom<String> for CountryCode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes: Option<Vec<u8>> = text.chars().map(|letter| u8::try_from(letter).ok()).collect();
        bytes
            .and_then(|bytes| <[u8; 2]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a country code of two letters"))
    }
}

/// One component of a civic address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CivicElement {
    /// What it says.
    pub kind: CivicType,
    /// The text; at most 255 bytes of UTF-8.
    pub value: Text,
}

impl CivicElement {
    /// A component.
    #[must_use]
    pub fn new(kind: CivicType, value: &str) -> Self {
        Self {
            kind,
            value: value.into(),
        }
    }
}

impl FieldType for CivicAddress {
    const KIND: Kind = Kind::Civic;

    fn read(reader: &mut Reader<'_>, profile: &WireProfile, _: &'static str) -> Result<Self, DecodeError> {
        let what = CivicWhat::read(reader, profile, "civic what")?;
        let country = CountryCode(reader.array("country code")?);
        let mut elements = Vec::new();
        while !reader.is_empty() {
            let kind = CivicType::read(reader, profile, "civic address type")?;
            let length = reader.u8("civic address length")?;
            let value = Text::from(reader.take(length.into(), "civic address value")?);
            elements.push(CivicElement { kind, value });
        }
        Ok(Self {
            what,
            country,
            elements,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.what.0);
        writer.bytes(&self.country.0);
        for element in &self.elements {
            let value = element.value.as_bytes();
            let length = u8::try_from(value.len()).map_err(|_| EncodeError::TooLong {
                what: "civic address value",
                length: value.len(),
                width: 1,
            })?;
            writer.u8(element.kind.0);
            writer.u8(length);
            writer.bytes(value);
        }
        Ok(())
    }
}

/// Steps over a civic address after checking it.
pub(in crate::wire) fn check(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.u8("civic what")?;
    reader.take(2, "country code")?;
    while !reader.is_empty() {
        reader.u8("civic address type")?;
        let length = reader.u8("civic address length")?;
        reader.take(length.into(), "civic address value")?;
    }
    Ok(())
}

/// `client, DE, A3 "München", ...`
pub(in crate::wire) fn display(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(([what, country @ ..], mut rest)) = bytes.split_first_chunk::<3>() else {
        return Ok(());
    };
    write!(f, "{}, {}", CivicWhat(*what), Text::from(&country[..]))?;
    while let Some(([kind, length], behind)) = rest.split_first_chunk::<2>() {
        let (value, next) = behind
            .split_at_checked(usize::from(*length))
            .unwrap_or((behind, &[]));
        write!(f, ", {} \"{}\"", CivicType(*kind), Text::from(value))?;
        rest = next;
    }
    Ok(())
}
