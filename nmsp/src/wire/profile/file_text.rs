//! A profile as a TOML file.

use core::fmt::{self, Write as _};

use super::file::{COUNTS, ORDERS};
use super::{ProfileDefinition, key_of};
use crate::wire::message::MessageType;
use crate::wire::schema::Element;

/// The profile as a file that reads as the same profile.
pub(super) fn write(profile: &ProfileDefinition) -> String {
    let mut out = String::from(
        "# A wire profile of nmsp. What a file does not mention stays as it is built in.\n\
         # A message or element with `false` in place of a number has none.\n\n",
    );
    let outcome = layout(profile, &mut out).and_then(|()| numbers(profile, &mut out));
    debug_assert!(outcome.is_ok(), "writing to a String cannot fail");
    out
}

/// The word that stands for a value.
fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    let found = words.iter().find(|(_, meaning)| meaning == value);
    found.map_or("", |(word, _)| word)
}

fn layout(profile: &ProfileDefinition, out: &mut String) -> fmt::Result {
    let (header, tlv) = (&profile.header, profile.tlv);
    writeln!(out, "name = {}", toml::Value::from(profile.name.as_str()))?;
    let order = word(&ORDERS, &profile.byte_order);
    writeln!(
        out,
        "byte-order = \"{order}\" # {}",
        profile.byte_order_provenance
    )?;
    writeln!(
        out,
        "\n[header]\nlength = {} # bytes; those of no field are kept as they come",
        header.length
    )?;
    for (name, field) in header.fields() {
        let more = match name {
            "version" => format!(", spoken = {}", header.version_spoken),
            "message length" => format!(", counts = \"{}\"", word(&COUNTS, &header.length_counts)),
            _ => String::new(),
        };
        writeln!(
            out,
            "{} = {{ offset = {}, width = {}{more} }} # width {}",
            key_of(name),
            field.offset,
            field.width,
            field.provenance
        )?;
    }
    writeln!(
        out,
        "\n[tlv] # {}\ntype-width = {}\nlength-width = {}\nlength-counts = \"{}\"",
        tlv.provenance,
        tlv.type_width,
        tlv.length_width,
        word(&COUNTS, &tlv.length_counts)
    )
}

fn numbers(profile: &ProfileDefinition, out: &mut String) -> fmt::Result {
    writeln!(out, "\n[messages]")?;
    for message in MessageType::ALL {
        let key = key_of(message.name());
        match profile.messages.iter().find(|entry| entry.message == *message) {
            Some(entry) => writeln!(out, "{key} = {} # {}", entry.number, entry.provenance)?,
            None => writeln!(out, "{key} = false")?,
        }
    }
    writeln!(out, "\n[elements]")?;
    for element in Element::ALL {
        let key = key_of(element.name());
        match profile.elements.iter().find(|entry| entry.element == *element) {
            Some(entry) => writeln!(out, "{key} = {:#04x} # {}", entry.number, entry.provenance)?,
            None => writeln!(out, "{key} = false")?,
        }
    }
    writeln!(out, "\n[services] # bits, 0 is the lowest")?;
    for entry in &profile.services {
        writeln!(out, "{} = {} # {}", entry.service, entry.bit, entry.provenance)?;
    }
    Ok(())
}
