//! Where something is: civic addresses, geodetic locations, positions on a floor.

pub mod civic;
pub mod geodetic;

use pki_common::MacAddr;

pub use civic::{CivicAddress, CivicElement};
pub use geodetic::{GeodeticLocation, Quantity};

use super::attachment::Port;
use crate::wire::numbers::{LocationCapabilities, LocationMethod, LocationSubject};
use crate::wire::schema::{records, values};
use crate::wire::text::Text;
use crate::wire::timestamp::Timestamp;

values! {
    /// A civic address: `what`, country code and elements, as the DHCP option of RFC 4776 has them behind its length.
    CIVIC_ADDRESS = 0x61, "Civic Address", CivicAddress, "";
    /// Latitude, longitude and altitude with their uncertainties: the 16 bytes of the GeoLoc option of RFC 6225.
    GEODETIC_LOCATION = 0x62, "Geodetic Location", GeodeticLocation, "";
    /// The name or identifier of a floor plan.
    FLOOR = 0x64, "Floor", Text, "";
    /// The emergency location identification number (ELIN) of the place, digits.
    EMERGENCY_NUMBER = 0x65, "Emergency Number", Text, "10 to 25 digits";
    /// The forms of location that the sender can use.
    LOCATION_CAPABILITIES = 0x66, "Location Capabilities", LocationCapabilities, "";
}

records! {
    /// Where something is.
    Location, LOCATION = 0x60, "Location" {
        fields {
            /// Where this comes from.
            method: LocationMethod, "location method", "";
            /// With which probability the place is right.
            confidence_percent: u8, "confidence", "%, 0 to 100";
            /// When it was there.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
        }
        required {
            /// What it is about.
            target: LocationTarget = LOCATION_TARGET;
        }
        optional {
            /// On the globe.
            geodetic: GeodeticLocation = GEODETIC_LOCATION;
            /// On a floor plan.
            floor_position: FloorPosition = FLOOR_POSITION;
            /// The emergency location identification number.
            emergency_number: Text = EMERGENCY_NUMBER;
        }
        many {
            /// As addresses; more than one gives the same place in several languages or scripts.
            civic: CivicAddress = CIVIC_ADDRESS;
        }
    }

    /// What a location is about.
    LocationTarget, LOCATION_TARGET = 0x67, "Location Target" {
        fields {
            /// What kind of thing.
            subject: LocationSubject, "location subject", "";
            /// Its MAC address.
            address: MacAddr, "MAC address", "";
        }
        optional {
            /// The port, if it is one.
            port: Port = PORT;
        }
    }

    /// A position on a floor plan, from its corner at the upper left.
    FloorPosition, FLOOR_POSITION = 0x63, "Floor Position" {
        fields {
            /// To the right.
            x_cm: i32, "x", "cm";
            /// Downwards on the plan.
            y_cm: i32, "y", "cm";
            /// Above the floor.
            z_cm: i32, "z", "cm";
            /// The radius of the circle in which it is with the stated confidence.
            radius_cm: u32, "radius", "cm";
        }
        optional {
            /// The floor plan.
            floor: Text = FLOOR;
        }
    }
}
