//! The schema of every body as data: one declaration of an element gives its struct, its decoder, its encoder, the tables
//! of `PROTOCOL.md`, the output of `nmsp decode` and the Wireshark dissector.
//!
//! The declarations are in [`elements`](super::elements) and [`message`](super::message). This module says what a
//! declaration consists of, and holds what works on any of them: the check that decoding does (`check`) and the encoder
//! for bodies as they were received (`again`).

pub(crate) mod again;
pub(crate) mod check;
mod element;
mod field;
mod kind;
mod macros;

pub use element::{Child, Element, ElementSchema, FieldSchema, Occurrence};
pub use field::{ElementValue, FieldType, FixedRecord};
pub use kind::{Kind, RecordSchema, Value};

pub(crate) use macros::{bodies, fixed_records, record_struct, records, values};

pub(crate) use field::{missing, once};
