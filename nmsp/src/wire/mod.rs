//! Bytes to types and back, without I/O.
//!
//! NMSP has no published wire specification. Every number and every place in the header is therefore data of a
//! [`WireProfile`], marked with how well it is known ([`Provenance`]); decoding and encoding take the profile as an
//! argument. What a profile does not know (message ids, TLVs, service bits, header bytes) survives decoding and
//! re-encoding byte for byte. `PROTOCOL.md` of this crate prints the default profile.
//!
//! From the outside in: [`frame`] cuts a byte stream into messages, [`message`] gives each message its type,
//! [`tlv`] walks the elements of a body. Decoding borrows from the input and allocates nothing.

pub mod describe;
pub mod dissector;
pub mod elements;
pub mod frame;
pub mod message;
pub mod numbers;
pub mod oracle;
pub mod profile;
pub mod schema;
pub mod services;
pub mod tlv;

mod error;
mod reader;
pub(crate) mod text;
mod timestamp;
mod writer;

pub use elements::{AccessPointReading, Measurement};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use frame::{DEFAULT_MAX_MESSAGE_LENGTH, Frame, FrameBuffer, Header};
pub use message::{Message, MessageType, OwnedMessage};
pub use numbers::{Band, MessageId, StationClass, StationState, SubscribeStatus, TlvType};
pub use profile::{Provenance, WireProfile};
pub use reader::Reader;
pub use schema::Element;
pub use services::{Service, Services};
pub use text::{Octets, Text};
pub use timestamp::Timestamp;
pub use tlv::Tlv;
pub use writer::Writer;
