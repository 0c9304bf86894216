//! A Wireshark dissector in Lua, made from a profile and the schema.
//!
//! The script needs nothing but Wireshark's Lua (5.2 or later, Wireshark 3 or later). It registers the protocol for TLS on the
//! port of NMSP; Wireshark decrypts with the key log of the session.

use core::fmt::{self, Write as _};

use super::message::MessageType;
use super::profile::{ByteOrder, LengthCounts, WireProfile, key_of};
use super::schema::{Element, FieldSchema, Kind, RecordSchema};

/// The TCP port of NMSP (known).
const PORT: u16 = 16113;

/// The part of the script that is the same for every profile.
const ENGINE: &str = include_str!("dissector.lua");

/// The script for a profile.
#[must_use]
pub fn lua(profile: &WireProfile) -> String {
    let mut out = String::new();
    let outcome = write(profile, &mut out);
    debug_assert!(outcome.is_ok(), "writing to a String cannot fail");
    out
}

fn write(profile: &WireProfile, out: &mut String) -> fmt::Result {
    let definition = profile.definition();
    let header = profile.header();
    writeln!(
        out,
        "-- Network Mobility Services Protocol, profile {}. Made by `nmsp wireshark`.\n\
         -- The numbers are those of the profile; see PROTOCOL.md for which of them are known.\n",
        text(&definition.name)
    )?;
    let little_endian = definition.byte_order == ByteOrder::LittleEndian;
    let everything = |counts| counts == LengthCounts::Everything;
    writeln!(out, "local PORT = {PORT}")?;
    writeln!(out, "local LITTLE_ENDIAN = {little_endian}")?;
    writeln!(
        out,
        "local HEADER = {{ length = {}, counts_everything = {}, version_spoken = {},",
        header.length,
        everything(header.length_counts),
        header.version_spoken
    )?;
    for (name, field) in header.fields() {
        let key = key_of(name).replace('-', "_");
        writeln!(
            out,
            "  {key} = {{ offset = {}, width = {} }},",
            field.offset, field.width
        )?;
    }
    let tlv = profile.tlv();
    writeln!(
        out,
        "}}\nlocal TLV = {{ type_width = {}, length_width = {}, counts_everything = {} }}\n",
        tlv.type_width,
        tlv.length_width,
        everything(tlv.length_counts)
    )?;
    writeln!(out, "local MESSAGES = {{")?;
    for message in MessageType::ALL {
        if let Some(id) = profile.message_id(*message) {
            writeln!(out, "  [{id}] = {},", text(message.name()))?;
        }
    }
    writeln!(out, "}}\n\nlocal ELEMENTS = {{")?;
    for element in Element::ALL {
        if let Some(number) = profile.tlv_type(*element) {
            write_element(*element, number.0, out)?;
        }
    }
    writeln!(out, "}}\n")?;
    out.write_str(ENGINE)
}

fn write_element(element: Element, number: u16, out: &mut String) -> fmt::Result {
    let schema = element.schema();
    let key = abbreviation(schema.name);
    writeln!(
        out,
        "  [{number}] = {{ name = {}, key = {}, exact = {}, fields = {{",
        text(schema.name),
        text(&key),
        schema.exact
    )?;
    for field in schema.fields {
        write_field(&key, field, "    ", out)?;
    }
    writeln!(out, "  }} }},")
}

fn write_field(prefix: &str, field: &FieldSchema, indent: &str, out: &mut String) -> fmt::Result {
    let (kind, width) = form(&field.kind);
    let key = format!("{prefix}.{}", abbreviation(field.name));
    let name = match field.unit {
        "" => field.name.to_owned(),
        unit => format!("{} ({unit})", field.name),
    };
    write!(
        out,
        "{indent}{{ name = {}, key = {}, kind = {}, width = {width}",
        text(&name),
        text(&key),
        text(kind)
    )?;
    match field.kind {
        Kind::Number { names, .. } | Kind::Flags { names, .. } => {
            write!(out, ", names = {{")?;
            for (value, name) in names {
                write!(out, " [{value}] = {},", text(name))?;
            }
            write!(out, " }}")?;
        }
        Kind::Records(record) => write_records(&key, record, indent, out)?,
        _ => {}
    }
    writeln!(out, " }},")
}

fn write_records(prefix: &str, record: &RecordSchema, indent: &str, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        ", record = {}, record_length = {}, fields = {{",
        text(record.name),
        record.length
    )?;
    for field in record.fields {
        write_field(prefix, field, &format!("{indent}  "), out)?;
    }
    write!(out, "{indent}}}")
}

/// How the engine reads a field, and how many bytes it has; 0 for the rest of the value.
fn form(kind: &Kind) -> (&'static str, usize) {
    let width = kind.fixed_length().unwrap_or_default();
    let name = match kind {
        Kind::Mac => "mac",
        Kind::Unsigned(_) => "unsigned",
        Kind::Signed(_) => "signed",
        Kind::Timestamp => "time",
        Kind::Ipv4 => "ipv4",
        Kind::Ipv6 => "ipv6",
        Kind::Services | Kind::Flags { .. } => "flags",
        Kind::Number { .. } => "number",
        Kind::Text => "text",
        Kind::Records(_) => "records",
        Kind::Octets | Kind::Civic | Kind::Geodetic => "bytes",
    };
    (name, width)
}

/// A name as a part of a display filter: lower case letters, digits and underscores.
fn abbreviation(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect()
}

/// A text as Lua writes it.
fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
