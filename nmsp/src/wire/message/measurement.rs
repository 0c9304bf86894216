//! Measurement Notification, the bulk of all traffic: what decoding, visiting and encoding do without the general code.
//!
//! The shortcuts give the same results as the general code, tests compare them. They apply when the profile has TLVs of
//! two big-endian bytes each, and a station has nothing behind its readings.

use pki_common::MacAddr;

use super::bodies::Measurements;
use super::view::View;
use crate::wire::elements::{AccessPointReading, Measurement};
use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::frame::Frame;
use crate::wire::numbers::{StationClass, StationState};
use crate::wire::profile::WireProfile;
use crate::wire::schema::{Element, FieldType};
use crate::wire::timestamp::Timestamp;
use crate::wire::tlv::{Elements, ElementsIter, Tlv};
use crate::wire::writer::Writer;

/// A received Measurement Notification.
pub type MeasurementNotification<'a> = View<'a, Measurements>;

/// Station MAC address, class, timestamp and count.
const FIXED: usize = 17;
/// Type and length in the common layout.
const TLV_HEADER: usize = 4;
const READING: usize = AccessPointReading::LENGTH;

impl<'a> View<'a, Measurements> {
    pub(super) fn of_measurements(frame: &Frame<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        match profile.common_tlv_type(Element::STATION_MEASUREMENT) {
            Some(number) if is_common(frame.body, number) => {
                Ok(Self::checked(frame.body, frame.body_offset, profile))
            }
            _ => Self::decode(frame, profile),
        }
    }

    /// The measured stations, in the order of the wire. Nothing is copied or allocated.
    #[must_use]
    pub fn stations(&self) -> Stations<'a> {
        Stations {
            profile: self.elements().profile(),
            elements: self.elements().iter(),
        }
    }
}

/// Whether a body consists of Station Measurements with nothing behind their readings, all complete. Anything else is for
/// the general check to judge.
fn is_common(mut body: &[u8], number: u16) -> bool {
    while let Some((head, rest)) = body.split_first_chunk::<{ TLV_HEADER + FIXED }>() {
        let [type_0, type_1, length_0, length_1, .., count_0, count_1] = *head;
        let length = usize::from(u16::from_be_bytes([length_0, length_1]));
        let readings = usize::from(u16::from_be_bytes([count_0, count_1])) * READING;
        if u16::from_be_bytes([type_0, type_1]) != number || length != FIXED + readings {
            return false;
        }
        let Some((_, next)) = rest.split_at_checked(readings) else {
            return false;
        };
        body = next;
    }
    body.is_empty()
}

/// The stations of a received notification.
#[derive(Clone, Debug)]
pub struct Stations<'a> {
    profile: &'a WireProfile,
    elements: ElementsIter<'a>,
}

impl<'a> Iterator for Stations<'a> {
    type Item = StationMeasurementRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (meaning, tlv) = self.elements.next()?;
            if meaning == Some(Element::STATION_MEASUREMENT) {
                // It was checked, so this is always a station.
                return StationMeasurementRef::read(&tlv, self.profile);
            }
        }
    }
}

/// One station of a received notification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StationMeasurementRef<'a> {
    /// The station's MAC address.
    pub station: MacAddr,
    /// What kind of station it is.
    pub class: StationClass,
    /// When it was heard.
    pub timestamp: Timestamp,
    readings: &'a [[u8; READING]],
    elements: Elements<'a>,
}

impl<'a> StationMeasurementRef<'a> {
    #[inline]
    fn read(tlv: &Tlv<'a>, profile: &'a WireProfile) -> Option<Self> {
        let (head, rest) = tlv.value.split_first_chunk::<FIXED>()?;
        let [a, b, c, d, e, f, class, time @ .., count_0, count_1] = *head;
        let order = profile.byte_order();
        let count = usize::from(order.u16([count_0, count_1]));
        let (readings, behind) = rest.split_at_checked(count * READING)?;
        let (readings, _) = readings.as_chunks();
        let offset = tlv.value_offset + FIXED + count * READING;
        Some(Self {
            station: MacAddr::new([a, b, c, d, e, f]),
            class: StationClass(class),
            timestamp: Timestamp(order.u64(time)),
            readings,
            elements: Elements::checked(behind, offset, profile),
        })
    }

    /// What each access point heard, in the order of the wire. Each is read when it is asked for.
    #[inline]
    pub fn access_points(&self) -> impl ExactSizeIterator<Item = AccessPointReading> + use<'a> {
        self.readings
            .iter()
            .map(|bytes| AccessPointReading::from_bytes(*bytes))
    }

    /// The readings in the form of the wire.
    #[must_use]
    pub const fn encoded_readings(&self) -> &'a [[u8; READING]] {
        self.readings
    }

    /// How far the station has come, if the controller says.
    #[must_use]
    pub fn state(&self) -> Option<StationState> {
        let profile = self.elements.profile();
        let (_, tlv) = self
            .elements
            .iter()
            .find(|(meaning, _)| *meaning == Some(Element::STATION_STATE))?;
        StationState::read(&mut tlv.reader(profile), profile, "station state").ok()
    }

    /// The elements behind the readings.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }

    /// A copy that does not borrow. Elements without a meaning are not part of it.
    #[must_use]
    pub fn to_owned(&self) -> Measurement {
        Measurement {
            station: self.station,
            class: self.class,
            timestamp: self.timestamp,
            access_points: self.access_points().collect(),
            state: self.state(),
        }
    }
}

impl Measurement {
    /// Appends the station as one Station Measurement element.
    ///
    /// # Errors
    /// If there are more readings than fit one element.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.state {
            None => write_measurement(
                writer,
                self.station,
                self.class,
                self.timestamp,
                &self.access_points,
            ),
            Some(_) => writer.element(Element::STATION_MEASUREMENT, self),
        }
    }
}

/// Appends one Station Measurement element without an owned [`Measurement`].
///
/// # Errors
/// If there are more readings than fit one element.
pub fn write_measurement(
    writer: &mut Writer<'_>,
    station: MacAddr,
    class: StationClass,
    timestamp: Timestamp,
    readings: &[AccessPointReading],
) -> Result<(), EncodeError> {
    let number = writer.profile().common_tlv_type(Element::STATION_MEASUREMENT);
    let head = number.and_then(|number| common_head(number, station, class, timestamp, readings.len()));
    if let Some(head) = head {
        writer.records(&head, readings.iter().map(AccessPointReading::to_bytes));
        return Ok(());
    }
    writer.tlv(Element::STATION_MEASUREMENT, |writer| {
        write_fixed(writer, station, class, timestamp, readings.len())?;
        for reading in readings {
            writer.bytes(&reading.to_bytes());
        }
        Ok(())
    })
}

/// A station whose readings are in the form of the wire already ([`AccessPointReading::to_bytes`]), as a store keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedMeasurement<'a> {
    /// The station's MAC address.
    pub station: MacAddr,
    /// What kind of station it is.
    pub class: StationClass,
    /// When it was heard.
    pub timestamp: Timestamp,
    /// One reading per access point and antenna.
    pub readings: &'a [[u8; READING]],
}

/// Appends many stations, each as one Station Measurement element. Room is made once, and readings are copied in one piece.
///
/// # Errors
/// If a station has more readings than fit one element; nothing is appended then.
#[expect(
    single_use_lifetimes,
    reason = "anonymous lifetimes in `impl Trait` are unstable"
)]
pub fn write_encoded_measurements<'m>(
    writer: &mut Writer<'_>,
    stations: impl Iterator<Item = EncodedMeasurement<'m>> + Clone,
) -> Result<(), EncodeError> {
    let element = |each: &EncodedMeasurement<'_>| TLV_HEADER + FIXED + each.readings.len() * READING;
    let (longest, total) = stations.clone().fold((0, 0_usize), |(longest, total), each| {
        let length = element(&each);
        (length.max(longest), total.saturating_add(length))
    });
    let number = writer.profile().common_tlv_type(Element::STATION_MEASUREMENT);
    if let Some(number) = number
        && longest <= TLV_HEADER + usize::from(u16::MAX)
    {
        writer.block(total, |mut block| {
            for each in stations {
                let count = each.readings.len();
                let head = common_head(number, each.station, each.class, each.timestamp, count);
                // The block has the length that was added up above.
                let (Some(head), Some((place, rest))) = (head, block.split_first_chunk_mut()) else {
                    return;
                };
                *place = head;
                let Some((place, rest)) = rest.split_at_mut_checked(count * READING) else {
                    return;
                };
                place.copy_from_slice(each.readings.as_flattened());
                block = rest;
            }
        });
        return Ok(());
    }
    let start = writer.position();
    let mut stations = stations;
    let outcome = stations.try_for_each(|each| {
        writer.tlv(Element::STATION_MEASUREMENT, |writer| {
            write_fixed(
                writer,
                each.station,
                each.class,
                each.timestamp,
                each.readings.len(),
            )?;
            writer.bytes(each.readings.as_flattened());
            Ok(())
        })
    });
    if outcome.is_err() {
        writer.truncate(start);
    }
    outcome
}

/// Makes Station Measurements where they are to stay: in the common layout their length is known before.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommonMeasurements {
    number: u16,
}

/// A Station Measurement that [`CommonMeasurements`] makes.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommonMeasurement<'a> {
    head: [u8; TLV_HEADER + FIXED],
    readings: &'a [AccessPointReading],
}

#[cfg(feature = "tokio")]
impl CommonMeasurements {
    /// `None` if the profile has another layout.
    pub(crate) fn of(profile: &WireProfile) -> Option<Self> {
        let number = profile.common_tlv_type(Element::STATION_MEASUREMENT)?;
        Some(Self { number })
    }

    /// `None` leaves it to [`Measurement::encode`]: there is something behind the readings, or there are too many.
    #[inline]
    pub(crate) fn element(self, measurement: &Measurement) -> Option<CommonMeasurement<'_>> {
        if measurement.state.is_some() {
            return None;
        }
        let readings = measurement.access_points.as_slice();
        let (station, class) = (measurement.station, measurement.class);
        let head = common_head(self.number, station, class, measurement.timestamp, readings.len())?;
        Some(CommonMeasurement { head, readings })
    }
}

#[cfg(feature = "tokio")]
impl CommonMeasurement<'_> {
    /// Of the whole element.
    #[inline]
    pub(crate) const fn length(&self) -> usize {
        TLV_HEADER + FIXED + self.readings.len() * READING
    }

    /// Fills a place of its length.
    #[inline]
    pub(crate) fn fill(&self, place: &mut [u8]) {
        if let Some((head, rest)) = place.split_first_chunk_mut() {
            *head = self.head;
            let (places, _) = rest.as_chunks_mut();
            for (place, reading) in places.iter_mut().zip(self.readings) {
                *place = reading.to_bytes();
            }
        }
    }
}

/// What stands in front of the readings in the common layout, TLV header included; `None` if there are too many.
#[inline]
fn common_head(
    number: u16,
    station: MacAddr,
    class: StationClass,
    timestamp: Timestamp,
    readings: usize,
) -> Option<[u8; TLV_HEADER + FIXED]> {
    let length = u16::try_from(FIXED + readings.saturating_mul(READING)).ok()?;
    let count = u16::try_from(readings).ok()?;
    let ([t, u], [l, m], [n, o]) = (number.to_be_bytes(), length.to_be_bytes(), count.to_be_bytes());
    let [a, b, c, d, e, f] = station.octets();
    let [p, q, r, s, v, w, x, y] = timestamp.0.to_be_bytes();
    Some([
        t, u, l, m, a, b, c, d, e, f, class.0, p, q, r, s, v, w, x, y, n, o,
    ])
}

fn write_fixed(
    writer: &mut Writer<'_>,
    station: MacAddr,
    class: StationClass,
    timestamp: Timestamp,
    readings: usize,
) -> Result<(), EncodeError> {
    let count = u16::try_from(readings).map_err(|_| EncodeError::TooLong {
        what: "readings",
        length: readings.saturating_mul(READING),
        width: 2,
    })?;
    writer.mac(station);
    writer.u8(class.0);
    writer.u64(timestamp.0);
    writer.u16(count);
    Ok(())
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;
    use crate::wire::numbers::Band;
    use bytes::BytesMut;

    #[test]
    fn a_measurement_made_in_its_place_is_the_one_that_is_encoded() {
        let profile = WireProfile::built_in();
        let common = CommonMeasurements::of(profile).unwrap();
        let reading = |number: u8| AccessPointReading {
            access_point: MacAddr::from([2, 0, 0, 0, 0, number]),
            rssi_dbm: -30 - i8::try_from(number).unwrap(),
            band: Band::GHZ_5,
            channel: 36 + number,
            snr_db: number.is_multiple_of(2).then_some(-1),
            antenna: number.is_multiple_of(3).then_some(number),
        };
        let mut measurement = Measurement {
            station: MacAddr::from([2, 0, 0, 0, 0, 1]),
            class: StationClass::RFID_TAG,
            timestamp: Timestamp(1_792_592_434_309),
            ..Measurement::default()
        };
        for readings in [0, 1, 4, 40] {
            measurement.access_points = (0..readings).map(reading).collect();
            let mut encoded = BytesMut::new();
            measurement
                .encode(&mut Writer::new(&mut encoded, profile))
                .unwrap();
            let element = common.element(&measurement).unwrap();
            let mut place = vec![0xff; element.length()];
            element.fill(&mut place);
            assert_eq!(place, encoded);
        }
        measurement.state = Some(StationState::ASSOCIATED);
        assert!(common.element(&measurement).is_none());
        measurement.state = None;
        measurement.access_points = vec![reading(1); 5461];
        assert!(common.element(&measurement).is_none(), "more than a length says");
    }
}
