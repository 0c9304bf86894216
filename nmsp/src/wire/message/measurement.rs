//! Measurement Notification: what access points heard of stations.
//!
//! The body is a run of Station Measurement elements, one per station. Each begins with fixed fields and ends with
//! elements, among them one Access Point Reading per access point and antenna.

use core::fmt;

use serde::{Deserialize, Serialize};

use pki_common::MacAddr;

use super::value;
use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::numbers::{Band, StationClass};
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::tlv::{Element, Elements, Once, Tlv};
use crate::wire::writer::Writer;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    /// Seconds and milliseconds, `1792592434.309`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:03}", self.0 / 1000, self.0 % 1000))
    }
}

/// One station as several access points heard it. The form in which an application hands measurements to a server
/// and keeps received ones; the JSON form of `nmsp serve` and `nmsp connect` has the same fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// The station's MAC address.
    pub station: MacAddr,
    /// What kind of station it is.
    pub class: StationClass,
    /// When it was heard, milliseconds since 1970 UTC.
    pub timestamp: Timestamp,
    /// One reading per access point and antenna.
    pub access_points: Vec<AccessPointReading>,
}

impl Measurement {
    /// Appends the station as one Station Measurement element.
    ///
    /// # Errors
    /// If there are more readings than fit one element.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        write_measurement(
            writer,
            self.station,
            self.class,
            self.timestamp,
            &self.access_points,
        )
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
    writer.tlv(Element::StationMeasurement, |writer| {
        write_station(writer, station, class, timestamp);
        readings.iter().try_for_each(|reading| reading.encode(writer))
    })
}

fn write_station(writer: &mut Writer<'_>, station: MacAddr, class: StationClass, timestamp: Timestamp) {
    writer.mac(station);
    writer.u8(class.0);
    writer.u64(timestamp.0);
}

/// What one antenna of one access point heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPointReading {
    /// The access point's MAC address.
    pub access_point: MacAddr,
    /// Received signal strength in dBm, -128 to 127.
    pub rssi_dbm: i8,
    /// The radio band.
    pub band: Band,
    /// The channel number within the band.
    pub channel: u8,
    /// Signal-to-noise ratio in dB, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<i8>,
    /// The antenna, if the access point tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub antenna: Option<u8>,
}

impl AccessPointReading {
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.tlv(Element::AccessPointReading, |writer| {
            self.write_fixed(writer);
            self.snr_db.map_or(Ok(()), |snr| write_snr(writer, snr))?;
            self.antenna
                .map_or(Ok(()), |antenna| write_antenna(writer, antenna))
        })
    }

    fn write_fixed(&self, writer: &mut Writer<'_>) {
        writer.mac(self.access_point);
        writer.i8(self.rssi_dbm);
        writer.u8(self.band.0);
        writer.u8(self.channel);
    }
}

fn write_snr(writer: &mut Writer<'_>, snr_db: i8) -> Result<(), EncodeError> {
    writer.tlv(Element::SignalToNoise, |value| {
        value.i8(snr_db);
        Ok(())
    })
}

fn write_antenna(writer: &mut Writer<'_>, antenna: u8) -> Result<(), EncodeError> {
    writer.tlv(Element::Antenna, |value| {
        value.u8(antenna);
        Ok(())
    })
}

/// A received Measurement Notification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasurementNotification<'a> {
    elements: Elements<'a>,
}

impl<'a> MeasurementNotification<'a> {
    pub(super) fn decode(mut reader: Reader<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let elements = Elements::read(&mut reader, profile, |meaning, tlv| {
            if meaning == Some(Element::StationMeasurement) {
                StationMeasurementRef::decode(tlv, profile)?;
            }
            Ok(())
        })?;
        Ok(Self { elements })
    }

    /// Looks again at a body that [`decode`](super::Message::decode) has accepted before.
    pub(crate) const fn checked(body: &'a [u8], body_offset: usize, profile: &'a WireProfile) -> Self {
        Self {
            elements: Elements::checked(body, body_offset, profile),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let profile = self.elements.profile();
        self.elements.iter().try_for_each(|(meaning, tlv)| {
            let station = match meaning {
                Some(Element::StationMeasurement) => StationMeasurementRef::decode(&tlv, profile).ok(),
                _ => None,
            };
            match station {
                Some(station) => station.encode(writer),
                None => writer.unchanged(&tlv),
            }
        })
    }

    /// The measured stations, in the order of the wire.
    pub fn stations(&self) -> impl Iterator<Item = StationMeasurementRef<'a>> + use<'a> {
        let profile = self.elements.profile();
        self.elements
            .iter()
            .filter(|(meaning, _)| *meaning == Some(Element::StationMeasurement))
            .filter_map(move |(_, tlv)| StationMeasurementRef::fixed(&tlv, profile).ok())
            .map(|(station, _)| station)
    }

    /// The elements of the body.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
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
    elements: Elements<'a>,
}

impl<'a> StationMeasurementRef<'a> {
    /// Reads the fixed fields; the elements behind them are not looked at.
    fn fixed(tlv: &Tlv<'a>, profile: &'a WireProfile) -> Result<(Self, Reader<'a>), DecodeError> {
        let mut reader = tlv.reader(profile);
        let station = reader.mac("station MAC address")?;
        let class = StationClass(reader.u8("station class")?);
        let timestamp = Timestamp(reader.u64("timestamp")?);
        let rest = reader.clone();
        let offset = reader.offset();
        let elements = Elements::checked(reader.rest(), offset, profile);
        Ok((
            Self {
                station,
                class,
                timestamp,
                elements,
            },
            rest,
        ))
    }

    fn decode(tlv: &Tlv<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let (station, mut rest) = Self::fixed(tlv, profile)?;
        Elements::read(&mut rest, profile, |meaning, tlv| {
            if meaning == Some(Element::AccessPointReading) {
                AccessPointReadingRef::decode(tlv, profile)?;
            }
            Ok(())
        })?;
        Ok(station)
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let profile = self.elements.profile();
        writer.tlv(Element::StationMeasurement, |writer| {
            write_station(writer, self.station, self.class, self.timestamp);
            self.elements.iter().try_for_each(|(meaning, tlv)| {
                let reading = match meaning {
                    Some(Element::AccessPointReading) => AccessPointReadingRef::decode(&tlv, profile).ok(),
                    _ => None,
                };
                match reading {
                    Some(reading) => reading.encode(writer),
                    None => writer.unchanged(&tlv),
                }
            })
        })
    }

    /// What each access point heard, in the order of the wire.
    pub fn access_points(&self) -> impl Iterator<Item = AccessPointReadingRef<'a>> + use<'a> {
        let profile = self.elements.profile();
        self.elements
            .iter()
            .filter(|(meaning, _)| *meaning == Some(Element::AccessPointReading))
            .filter_map(move |(_, tlv)| AccessPointReadingRef::decode(&tlv, profile).ok())
    }

    /// The elements behind the fixed fields.
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
            access_points: self.access_points().map(|reading| reading.reading).collect(),
        }
    }
}

/// One reading of a received notification.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AccessPointReadingRef<'a> {
    /// The values.
    pub reading: AccessPointReading,
    elements: Elements<'a>,
}

impl<'a> AccessPointReadingRef<'a> {
    fn decode(tlv: &Tlv<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let mut reader = tlv.reader(profile);
        let access_point = reader.mac("access point MAC address")?;
        let rssi_dbm = reader.i8("RSSI")?;
        let band = Band(reader.u8("band")?);
        let channel = reader.u8("channel")?;
        let (mut snr_db, mut antenna, mut once) = (None, None, Once::default());
        let elements = Elements::read(&mut reader, profile, |meaning, tlv| {
            match meaning {
                Some(element @ Element::SignalToNoise) => {
                    once.note(element, tlv)?;
                    snr_db = Some(value(tlv, element, profile, Reader::i8)?);
                }
                Some(element @ Element::Antenna) => {
                    once.note(element, tlv)?;
                    antenna = Some(value(tlv, element, profile, Reader::u8)?);
                }
                _ => {}
            }
            Ok(())
        })?;
        let reading = AccessPointReading {
            access_point,
            rssi_dbm,
            band,
            channel,
            snr_db,
            antenna,
        };
        Ok(Self { reading, elements })
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.tlv(Element::AccessPointReading, |writer| {
            self.reading.write_fixed(writer);
            self.elements
                .iter()
                .try_for_each(|(meaning, tlv)| match (meaning, &self.reading) {
                    (
                        Some(Element::SignalToNoise),
                        AccessPointReading {
                            snr_db: Some(snr), ..
                        },
                    ) => write_snr(writer, *snr),
                    (
                        Some(Element::Antenna),
                        AccessPointReading {
                            antenna: Some(antenna),
                            ..
                        },
                    ) => write_antenna(writer, *antenna),
                    _ => writer.unchanged(&tlv),
                })
        })
    }

    /// The elements behind the fixed fields.
    #[must_use]
    pub const fn elements(&self) -> Elements<'a> {
        self.elements
    }
}
