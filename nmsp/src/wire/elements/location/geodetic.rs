//! Geodetic locations in the form of the GeoLoc option of RFC 6225.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::numbers::macros::wire_number;
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::schema::{FieldType, Kind};
use crate::wire::writer::Writer;

wire_number! {
    /// What an altitude is measured in (RFC 6225, section 2.4, AType).
    AltitudeType(u8, 1), "altitude type" {
        /// No altitude is given.
        NONE = 0, "none";
        /// Metres above the datum.
        METRES = 1, "metres";
        /// Floors above the main level of the building.
        FLOORS = 2, "floors";
    }

    /// What the coordinates refer to (RFC 6225, section 2.5, Datum).
    Datum(u8, 1), "datum" {
        /// WGS 84.
        WGS84 = 1, "WGS84";
        /// NAD83, with the vertical datum NAVD88.
        NAD83_NAVD88 = 2, "NAD83/NAVD88";
        /// NAD83, with the mean lower low water as vertical datum.
        NAD83_MLLW = 3, "NAD83/MLLW";
    }
}

/// A number with its uncertainty, both as they stand on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity {
    /// Six bits: how uncertain the number is; 0 if that is unknown.
    pub uncertainty: u8,
    /// The number in two's complement: 34 bits with 25 behind the point for degrees, 30 bits with 8 behind the point for
    /// an altitude.
    pub raw: i64,
}

/// A geodetic location: what stands in the GeoLoc option of RFC 6225 behind its length, 128 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeodeticLocation {
    /// Degrees north of the equator.
    pub latitude: Quantity,
    /// Degrees east of the prime meridian.
    pub longitude: Quantity,
    /// What the altitude is measured in, 4 bits.
    pub altitude_type: AltitudeType,
    /// The altitude.
    pub altitude: Quantity,
    /// The version of the option, 2 bits: 0 is the older form whose uncertainties are resolutions (RFC 3825), 1 is the
    /// present one.
    pub version: u8,
    /// 3 bits that are reserved.
    pub reserved: u8,
    /// What the coordinates refer to, 3 bits.
    pub datum: Datum,
}

/// Bits behind the point of degrees.
const DEGREE_FRACTION_BITS: i32 = 25;
/// Bits of degrees.
const DEGREE_BITS: u32 = 34;
/// Bits behind the point of an altitude.
const ALTITUDE_FRACTION_BITS: i32 = 8;
/// Bits of an altitude.
const ALTITUDE_BITS: u32 = 30;

impl GeodeticLocation {
    /// A place in degrees, with the radius of uncertainty in degrees (0: unknown), WGS 84, without an altitude.
    ///
    /// # Errors
    /// If the latitude is not within 90 degrees or the longitude not within 180.
    pub fn new(
        latitude_degrees: f64,
        longitude_degrees: f64,
        uncertainty_degrees: f64,
    ) -> Result<Self, EncodeError> {
        let degrees = |value: f64, limit: f64, field| {
            if !(-limit..=limit).contains(&value) {
                return Err(EncodeError::NotWithin { field, limit: 180 });
            }
            Ok(Quantity {
                uncertainty: uncertainty_code(uncertainty_degrees, 8, 34),
                raw: to_fixed(value, DEGREE_FRACTION_BITS),
            })
        };
        Ok(Self {
            latitude: degrees(latitude_degrees, 90.0, "latitude")?,
            longitude: degrees(longitude_degrees, 180.0, "longitude")?,
            version: 1,
            datum: Datum::WGS84,
            ..Self::default()
        })
    }

    /// The same place with an altitude and its uncertainty (0: unknown), both in the unit of the type.
    ///
    /// # Errors
    /// If the altitude does not fit 22 bits.
    pub fn with_altitude(
        mut self,
        altitude_type: AltitudeType,
        altitude: f64,
        uncertainty: f64,
    ) -> Result<Self, EncodeError> {
        const LIMIT: f64 = 2_097_151.0;
        if !(-LIMIT..=LIMIT).contains(&altitude) {
            return Err(EncodeError::NotWithin {
                field: "altitude",
                limit: 2_097_151,
            });
        }
        self.altitude_type = altitude_type;
        self.altitude = Quantity {
            uncertainty: uncertainty_code(uncertainty, 21, 30),
            raw: to_fixed(altitude, ALTITUDE_FRACTION_BITS),
        };
        Ok(self)
    }

    /// Degrees north of the equator.
    #[must_use]
    pub fn latitude_degrees(&self) -> f64 {
        from_fixed(self.latitude.raw, DEGREE_FRACTION_BITS)
    }

    /// Degrees east of the prime meridian.
    #[must_use]
    pub fn longitude_degrees(&self) -> f64 {
        from_fixed(self.longitude.raw, DEGREE_FRACTION_BITS)
    }

    /// The altitude in the unit of its type; `None` if there is none.
    #[must_use]
    pub fn altitude_value(&self) -> Option<f64> {
        (self.altitude_type != AltitudeType::NONE)
            .then(|| from_fixed(self.altitude.raw, ALTITUDE_FRACTION_BITS))
    }

    /// The uncertainty of the latitude in degrees; `None` if unknown.
    #[must_use]
    pub fn latitude_uncertainty(&self) -> Option<f64> {
        uncertainty(self.latitude.uncertainty, 8)
    }

    /// The uncertainty of the longitude in degrees; `None` if unknown.
    #[must_use]
    pub fn longitude_uncertainty(&self) -> Option<f64> {
        uncertainty(self.longitude.uncertainty, 8)
    }

    /// The uncertainty of the altitude in its unit; `None` if unknown.
    #[must_use]
    pub fn altitude_uncertainty(&self) -> Option<f64> {
        uncertainty(self.altitude.uncertainty, 21)
    }

    /// From the wire. Any 16 bytes are a location.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(bytes);
        let field = |lowest: u32, width: u32| {
            // At most 34 bits are left after the mask.
            u64::try_from((bits >> lowest) & ((1 << width) - 1)).unwrap_or_default()
        };
        let small = |lowest, width| u8::try_from(field(lowest, width)).unwrap_or_default();
        let quantity = |uncertainty_lowest, lowest, width| Quantity {
            uncertainty: small(uncertainty_lowest, 6),
            raw: sign_extended(field(lowest, width), width),
        };
        Self {
            latitude: quantity(122, 88, DEGREE_BITS),
            longitude: quantity(82, 48, DEGREE_BITS),
            altitude_type: AltitudeType(small(44, 4)),
            altitude: quantity(38, 8, ALTITUDE_BITS),
            version: small(6, 2),
            reserved: small(3, 3),
            datum: Datum(small(0, 3)),
        }
    }

    /// To the wire. Bits beyond the width of a field are cut off.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 16] {
        let place = |value: u64, lowest: u32, width: u32| (u128::from(value) & ((1 << width) - 1)) << lowest;
        let unsigned = |raw: i64| u64::from_be_bytes(raw.to_be_bytes());
        let bits = place(self.latitude.uncertainty.into(), 122, 6)
            | place(unsigned(self.latitude.raw), 88, DEGREE_BITS)
            | place(self.longitude.uncertainty.into(), 82, 6)
            | place(unsigned(self.longitude.raw), 48, DEGREE_BITS)
            | place(self.altitude_type.0.into(), 44, 4)
            | place(self.altitude.uncertainty.into(), 38, 6)
            | place(unsigned(self.altitude.raw), 8, ALTITUDE_BITS)
            | place(self.version.into(), 6, 2)
            | place(self.reserved.into(), 3, 3)
            | place(self.datum.0.into(), 0, 3);
        bits.to_be_bytes()
    }
}

/// The lowest `width` bits as a number in two's complement.
fn sign_extended(value: u64, width: u32) -> i64 {
    let unused = u64::BITS.saturating_sub(width);
    i64::from_be_bytes(value.checked_shl(unused).unwrap_or_default().to_be_bytes()) >> unused
}

#[expect(
    clippy::as_conversions,
    reason = "the value is at most 2^31 with 25 bits behind the point, or 2^22 with 8"
)]
fn to_fixed(value: f64, fraction_bits: i32) -> i64 {
    // Cut off, not rounded, as the examples of RFC 3825 and RFC 6225 are.
    (value * 2_f64.powi(fraction_bits)).trunc() as i64
}

#[expect(clippy::as_conversions, reason = "34 bits are exact in a float of 53")]
fn from_fixed(raw: i64, fraction_bits: i32) -> f64 {
    raw as f64 / 2_f64.powi(fraction_bits)
}

/// RFC 6225, section 2.3.2: the smallest power of two that is not below the uncertainty, as a distance from `base`.
#[expect(clippy::as_conversions, reason = "clamped to the range of the field")]
fn uncertainty_code(uncertainty: f64, base: i32, greatest: u8) -> u8 {
    if uncertainty.is_nan() || uncertainty <= 0.0 {
        return 0;
    }
    (f64::from(base) - uncertainty.log2().ceil()).clamp(1.0, f64::from(greatest)) as u8
}

fn uncertainty(code: u8, base: i32) -> Option<f64> {
    (code != 0).then(|| 2_f64.powi(base - i32::from(code)))
}

impl fmt::Display for GeodeticLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plus_minus = |f: &mut fmt::Formatter<'_>, uncertainty: Option<f64>| match uncertainty {
            Some(uncertainty) => write!(f, " ± {uncertainty}"),
            None => Ok(()),
        };
        write!(f, "latitude {:.7}", self.latitude_degrees())?;
        plus_minus(f, self.latitude_uncertainty())?;
        write!(f, ", longitude {:.7}", self.longitude_degrees())?;
        plus_minus(f, self.longitude_uncertainty())?;
        if let Some(altitude) = self.altitude_value() {
            write!(f, ", altitude {altitude} {}", self.altitude_type)?;
            plus_minus(f, self.altitude_uncertainty())?;
        }
        write!(f, ", {}, version {}", self.datum, self.version)
    }
}

impl FieldType for GeodeticLocation {
    const KIND: Kind = Kind::Geodetic;

    fn read(reader: &mut Reader<'_>, _: &WireProfile, field: &'static str) -> Result<Self, DecodeError> {
        reader.array(field).map(Self::from_bytes)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.to_bytes());
        Ok(())
    }
}
