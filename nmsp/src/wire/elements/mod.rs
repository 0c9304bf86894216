//! The elements, one file per family. Each is declared once: constant, number, name, fields with their units, and what
//! may stand inside it.
//!
//! All numbers and bodies are ours: nobody outside the vendor has published them. They are below 256, so that a profile
//! with one-byte types can keep them.

pub mod access_point;
pub mod attachment;
pub mod common;
pub mod device;
pub mod ids;
pub mod location;
pub mod measurement;
pub mod spectrum;
pub mod station;
pub mod statistics;

pub use access_point::{AccessPointInformation, MonitorParameters, MonitorReport, PathLossParameters, Radio};
pub use attachment::{Attachment, Port};
pub use common::{HeardBy, Part, ServiceParameters};
pub use device::DeviceInformation;
pub use ids::{IdsAlarm, IdsParameters};
pub use location::{CivicAddress, CivicElement, FloorPosition, GeodeticLocation, Location, LocationTarget};
pub use measurement::{AccessPointReading, Measurement};
pub use spectrum::{AffectedChannel, AggregateInterference, AirQuality, Interferer, InterfererShare};
pub use station::{
    Association, Battery, Chokepoint, ClientInformation, Handover, RogueAccessPoint, RogueClient, Security,
    TagInformation, Telemetry,
};
pub use statistics::{ClientStatistics, Link, RogueStatistics, TagStatistics, Traffic};

use super::schema::{Element, ElementSchema};

/// Every declaration.
const FAMILIES: &[&[ElementSchema]] = &[
    common::VALUES,
    common::RECORDS,
    measurement::VALUES,
    measurement::RECORDS,
    station::VALUES,
    station::RECORDS,
    statistics::RECORDS,
    attachment::RECORDS,
    location::VALUES,
    location::RECORDS,
    access_point::RECORDS,
    spectrum::RECORDS,
    ids::VALUES,
    ids::RECORDS,
    device::RECORDS,
];

/// The declarations by number. Two with the same number do not compile.
#[expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "evaluated by the compiler, where `get` and `From` are not const"
)]
const TABLE: [Option<&ElementSchema>; 256] = {
    let mut table: [Option<&ElementSchema>; 256] = [None; 256];
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut position = 0;
        while position < FAMILIES[family].len() {
            let schema = &FAMILIES[family][position];
            let number = schema.element.built_in_number() as usize;
            assert!(table[number].is_none(), "two elements have the same number");
            table[number] = Some(schema);
            position += 1;
        }
        family += 1;
    }
    table
};

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].len();
        family += 1;
    }
    count
};

/// Every element in the order of the numbers.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
pub(in crate::wire) const ALL: &[Element] = &{
    let mut all = [Element::PROTOCOL_VERSION; COUNT];
    let (mut number, mut position) = (0, 0);
    while number < TABLE.len() {
        if let Some(schema) = TABLE[number] {
            all[position] = schema.element;
            position += 1;
        }
        number += 1;
    }
    all
};

static SCHEMAS: [Option<&ElementSchema>; 256] = TABLE;

/// What is declared about an element.
pub(in crate::wire) fn schema(element: Element) -> &'static ElementSchema {
    SCHEMAS
        .get(usize::from(element.built_in_number()))
        .copied()
        .flatten()
        .expect("only the declarations make elements, and the table has all of them")
}
