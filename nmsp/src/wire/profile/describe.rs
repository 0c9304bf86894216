//! A profile as tables for people. `PROTOCOL.md` contains them word for word, and a test keeps it so.

use super::{LengthCounts, ProfileDefinition, Provenance};
use crate::wire::message::MessageType;
use crate::wire::schema::{Child, Element, FieldSchema, Kind};

pub(super) fn tables(profile: &ProfileDefinition) -> String {
    let mut out = String::new();
    header(profile, &mut out);
    tlv(profile, &mut out);
    messages(profile, &mut out);
    elements(profile, &mut out);
    services(profile, &mut out);
    bodies(&mut out);
    values_of_elements(&mut out);
    values(&mut out);
    out
}

fn table(out: &mut String, title: &str, columns: &[&str], lines: impl IntoIterator<Item = Vec<String>>) {
    section(out, title, "");
    rows(out, columns, lines);
}

fn section(out: &mut String, title: &str, meaning: &str) {
    out.push_str(&format!("### {title}\n\n"));
    if !meaning.is_empty() {
        out.push_str(&format!("{}\n\n", meaning.trim()));
    }
}

fn rows(out: &mut String, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    out.push_str(&line(
        &columns
            .iter()
            .map(|&column| column.to_owned())
            .collect::<Vec<_>>(),
    ));
    out.push_str(&line(&vec!["---".to_owned(); columns.len()]));
    for row in rows {
        out.push_str(&line(&row));
    }
    out.push('\n');
}

fn header(profile: &ProfileDefinition, out: &mut String) {
    let layout = &profile.header;
    let field = |(name, field): (&str, super::FieldLayout)| {
        vec![
            name.to_owned(),
            field.offset.to_string(),
            field.width.to_string(),
            field.provenance.to_string(),
        ]
    };
    table(
        out,
        &format!("Header ({} bytes)", layout.length),
        &["field", "offset", "width", "width is"],
        layout.fields().into_iter().map(field),
    );
    let order = match profile.byte_order {
        super::ByteOrder::BigEndian => "big-endian",
        super::ByteOrder::LittleEndian => "little-endian",
    };
    let rows = [
        ("byte order", order.to_owned(), profile.byte_order_provenance),
        (
            "version spoken",
            layout.version_spoken.to_string(),
            Provenance::Ours,
        ),
        (
            "message length counts",
            counts(layout.length_counts).to_owned(),
            Provenance::Ours,
        ),
    ];
    let rows = rows
        .into_iter()
        .map(|(what, value, provenance)| vec![what.to_owned(), value, provenance.to_string()]);
    table(out, "Header conventions", &["what", "value", "is"], rows);
}

fn tlv(profile: &ProfileDefinition, out: &mut String) {
    let layout = profile.tlv;
    let rows = [
        ("type width", layout.type_width.to_string()),
        ("length width", layout.length_width.to_string()),
        ("length counts", counts(layout.length_counts).to_owned()),
    ];
    let rows = rows
        .into_iter()
        .map(|(what, value)| vec![what.to_owned(), value, layout.provenance.to_string()]);
    table(out, "TLV layout", &["what", "value", "is"], rows);
}

const fn counts(counts: LengthCounts) -> &'static str {
    match counts {
        LengthCounts::Everything => "header and payload",
        LengthCounts::Payload => "payload",
    }
}

fn messages(profile: &ProfileDefinition, out: &mut String) {
    let row = |entry: &super::MessageNumber| {
        vec![
            entry.number.to_string(),
            entry.message.name().to_owned(),
            entry.message.sender().to_string(),
            entry.message.body_name().to_owned(),
            entry.provenance.to_string(),
        ]
    };
    let columns = ["id", "message", "sent by", "body", "id is"];
    table(out, "Messages", &columns, profile.messages.iter().map(row));
}

fn elements(profile: &ProfileDefinition, out: &mut String) {
    let row = |entry: &super::ElementNumber| {
        let schema = entry.element.schema();
        let value = match schema.fields {
            [field] if schema.exact => form(&field.kind),
            _ => "see below".to_owned(),
        };
        let unit = match schema.fields {
            [field] if schema.exact => field.unit.to_owned(),
            _ => String::new(),
        };
        vec![
            format!("{:#04x}", entry.number),
            schema.name.to_owned(),
            value,
            unit,
            schema.meaning.trim().to_owned(),
            entry.provenance.to_string(),
        ]
    };
    let columns = ["type", "element", "value", "unit, range", "meaning", "type is"];
    table(out, "TLVs", &columns, profile.elements.iter().map(row));
}

fn services(profile: &ProfileDefinition, out: &mut String) {
    let row = |entry: &super::ServiceBit| {
        vec![
            entry.bit.to_string(),
            entry.service.name().to_owned(),
            entry.provenance.to_string(),
        ]
    };
    table(
        out,
        "Service bits",
        &["bit", "sub-service", "bit is"],
        profile.services.iter().map(row),
    );
}

/// One table for each kind of number and flags, in the order of their first use.
fn values(out: &mut String) {
    let mut done = Vec::new();
    for field in all_fields() {
        let (what, names, bits) = match field.kind {
            Kind::Number { what, names, .. } => (what, names, false),
            Kind::Flags { what, names, .. } => (what, names, true),
            _ => continue,
        };
        if done.contains(&what) {
            continue;
        }
        done.push(what);
        let row = |(value, name): &(u16, &str)| {
            let value = if bits {
                format!("{value:#06x}")
            } else {
                value.to_string()
            };
            vec![value, (*name).to_owned(), Provenance::Ours.to_string()]
        };
        let columns = [if bits { "mask" } else { "value" }, "meaning", "value is"];
        table(out, &capitalised(what), &columns, names.iter().map(row));
    }
}

/// Every field of every element, those of records too.
fn all_fields() -> impl Iterator<Item = &'static FieldSchema> {
    Element::ALL
        .iter()
        .flat_map(|element| element.schema().fields)
        .flat_map(|field| {
            let inner = match field.kind {
                Kind::Records(record) => record.fields,
                _ => &[],
            };
            core::iter::once(field).chain(inner)
        })
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// One section for each body.
fn bodies(out: &mut String) {
    let mut done = Vec::new();
    for message in MessageType::ALL {
        if !done.contains(&message.body_name()) {
            done.push(message.body_name());
            children(
                out,
                &format!("Body {}", message.body_name()),
                "",
                message.elements(),
            );
        }
    }
}

/// One section for each element that has more than one field, and for each record.
fn values_of_elements(out: &mut String) {
    let mut records = Vec::new();
    for element in Element::ALL {
        let schema = element.schema();
        for field in schema.fields {
            if let Kind::Records(record) = field.kind
                && !records.iter().any(|(name, _)| *name == record.name)
            {
                records.push((record.name, record));
            }
        }
        if schema.exact {
            continue;
        }
        fields(out, schema.name, schema.meaning, schema.fields);
        if !schema.children.is_empty() {
            children_table(out, schema.children);
        }
    }
    for (_, record) in records {
        let title = format!("{} ({} bytes)", capitalised(record.name), record.length);
        fields(out, &title, "", record.fields);
    }
}

fn fields(out: &mut String, title: &str, meaning: &str, fields: &[FieldSchema]) {
    let row = |field: &FieldSchema| {
        vec![
            field.name.to_owned(),
            form(&field.kind),
            field.unit.to_owned(),
            field.meaning.trim().to_owned(),
        ]
    };
    section(out, title, meaning);
    rows(
        out,
        &["field", "form", "unit, range", "meaning"],
        fields.iter().map(row),
    );
}

fn children(out: &mut String, title: &str, meaning: &str, children: &[Child]) {
    section(out, title, meaning);
    if children.is_empty() {
        out.push_str("No element is defined.\n\n");
    } else {
        children_table(out, children);
    }
}

fn children_table(out: &mut String, children: &[Child]) {
    let row = |child: &Child| {
        vec![
            child.element.name().to_owned(),
            child.occurrence.to_string(),
            child.meaning.trim().to_owned(),
        ]
    };
    rows(out, &["element", "occurs", "meaning"], children.iter().map(row));
}

/// The form of a field, for people.
fn form(kind: &Kind) -> String {
    let bits = |width: u8| 8 * u16::from(width);
    match kind {
        Kind::Mac => "MAC address, 6 bytes".to_owned(),
        Kind::Unsigned(width) => format!("unsigned {} bits", bits(*width)),
        Kind::Signed(width) => format!("signed {} bits", bits(*width)),
        Kind::Timestamp => "time, unsigned 64 bits".to_owned(),
        Kind::Ipv4 => "IPv4 address, 4 bytes".to_owned(),
        Kind::Ipv6 => "IPv6 address, 16 bytes".to_owned(),
        Kind::Services => "service mask, 64 bits".to_owned(),
        Kind::Number { width, what, .. } => format!("{what}, {} bits", bits(*width)),
        Kind::Flags { width, what, .. } => format!("{what}, {} flags", bits(*width)),
        Kind::Text => "text to the end".to_owned(),
        Kind::Octets => "bytes to the end".to_owned(),
        Kind::Records(record) => format!(
            "count (16 bits), then {} records of {} bytes",
            record.name, record.length
        ),
        Kind::Civic => "civic address, RFC 4776".to_owned(),
        Kind::Geodetic => "geodetic location, RFC 6225, 16 bytes".to_owned(),
    }
}
