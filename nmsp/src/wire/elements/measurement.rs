//! Measurements: what access points heard of a station. The bulk of all traffic, so the readings are records of a fixed
//! length in one block.

use pki_common::MacAddr;
use serde::{Deserialize, Serialize};

use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::numbers::macros::wire_flags;
use crate::wire::numbers::{Band, StationClass, StationState};
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::schema::{FieldSchema, FieldType, FixedRecord, RecordSchema, records, values};
use crate::wire::timestamp::Timestamp;
use crate::wire::writer::Writer;

wire_flags! {
    /// Which fields of a reading have a value (ours).
    ReadingFlags(u8, 1), "reading flags" {
        /// The signal-to-noise ratio is known.
        SNR = 0x01, "SNR known";
        /// The antenna is known.
        ANTENNA = 0x02, "antenna known";
    }
}

/// What one antenna of one access point heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The length of a reading on the wire.
    pub const LENGTH: usize = 12;

    /// From the wire. Any 12 bytes are a reading.
    #[must_use]
    #[inline]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        let [a, b, c, d, e, f, rssi, band, channel, snr, antenna, flags] = bytes;
        let flags = ReadingFlags(flags);
        Self {
            access_point: MacAddr::new([a, b, c, d, e, f]),
            rssi_dbm: i8::from_be_bytes([rssi]),
            band: Band(band),
            channel,
            snr_db: if flags.contains(ReadingFlags::SNR) {
                Some(i8::from_be_bytes([snr]))
            } else {
                None
            },
            antenna: if flags.contains(ReadingFlags::ANTENNA) {
                Some(antenna)
            } else {
                None
            },
        }
    }

    /// To the wire. What is not known is sent as zero.
    #[must_use]
    #[inline]
    pub const fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let [a, b, c, d, e, f] = self.access_point.octets();
        let [rssi] = self.rssi_dbm.to_be_bytes();
        let (snr, snr_flag) = match self.snr_db {
            Some(snr) => (snr.to_be_bytes(), ReadingFlags::SNR.0),
            None => ([0], 0),
        };
        let (antenna, antenna_flag) = match self.antenna {
            Some(antenna) => (antenna, ReadingFlags::ANTENNA.0),
            None => (0, 0),
        };
        let [snr] = snr;
        let flags = snr_flag | antenna_flag;
        [
            a,
            b,
            c,
            d,
            e,
            f,
            rssi,
            self.band.0,
            self.channel,
            snr,
            antenna,
            flags,
        ]
    }
}

impl FixedRecord for AccessPointReading {
    const SCHEMA: RecordSchema = RecordSchema {
        name: "reading",
        length: Self::LENGTH,
        fields: &[
            FieldSchema::new("access point MAC address", MacAddr::KIND, "", " Who heard it."),
            FieldSchema::new("RSSI", i8::KIND, "dBm", " The signal strength."),
            FieldSchema::new("band", Band::KIND, "", " The radio band."),
            FieldSchema::new("channel", u8::KIND, "", " The channel number within the band."),
            FieldSchema::new(
                "SNR",
                i8::KIND,
                "dB",
                " The signal-to-noise ratio; nothing unless its flag is set.",
            ),
            FieldSchema::new(
                "antenna",
                u8::KIND,
                "",
                " The antenna that heard it; nothing unless its flag is set.",
            ),
            FieldSchema::new(
                "reading flags",
                ReadingFlags::KIND,
                "",
                " Which fields have a value.",
            ),
        ],
    };

    fn read_record(reader: &mut Reader<'_>, _: &WireProfile) -> Result<Self, DecodeError> {
        reader.array(Self::SCHEMA.name).map(Self::from_bytes)
    }

    fn write_record(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.to_bytes());
        Ok(())
    }
}

values! {
    /// How far a station has come in the 802.11 state machine and behind it.
    STATION_STATE = 0x11, "Station State", StationState, "";
}

records! {
    /// What access points heard of one station, services `rssi-...`. In JSON, `nmsp serve` and `nmsp connect` use the same
    /// fields.
    Measurement, STATION_MEASUREMENT = 0x10, "Station Measurement" {
        fields {
            /// The station's MAC address.
            station: MacAddr, "station MAC address", "";
            /// What kind of station it is.
            class: StationClass, "station class", "";
            /// When it was heard.
            timestamp: Timestamp, "timestamp", "ms since 1970 UTC";
            /// One reading per access point and antenna.
            access_points: Vec<AccessPointReading>, "readings", "";
        }
        optional {
            /// How far the station has come; the subscription `rssi-ms-associated-only` selects by it.
            state: StationState = STATION_STATE;
        }
    }
}
