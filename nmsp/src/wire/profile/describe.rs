//! A profile as tables for people. `PROTOCOL.md` contains them word for word, and a test keeps it so.

use super::{LengthCounts, ProfileDefinition, Provenance};
use crate::wire::numbers::{Band, StationClass, SubscribeStatus};

pub(super) fn tables(profile: &ProfileDefinition) -> String {
    let mut out = String::new();
    header(profile, &mut out);
    tlv(profile, &mut out);
    messages(profile, &mut out);
    elements(profile, &mut out);
    services(profile, &mut out);
    values(&mut out);
    out
}

fn table(out: &mut String, title: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    out.push_str(&format!("### {title}\n\n"));
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
            if entry.message.has_body() {
                "decoded"
            } else {
                "kept as bytes"
            }
            .to_owned(),
            entry.provenance.to_string(),
        ]
    };
    let columns = ["id", "message", "sent by", "body", "id is"];
    table(out, "Messages", &columns, profile.messages.iter().map(row));
}

fn elements(profile: &ProfileDefinition, out: &mut String) {
    let row = |entry: &super::ElementNumber| {
        vec![
            format!("{:#04x}", entry.number),
            entry.element.name().to_owned(),
            entry.provenance.to_string(),
        ]
    };
    table(
        out,
        "TLVs",
        &["type", "element", "type is"],
        profile.elements.iter().map(row),
    );
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

fn values(out: &mut String) {
    let named = |what: &'static str, value: u16, name: Option<&'static str>| {
        vec![
            what.to_owned(),
            value.to_string(),
            name.unwrap_or_default().to_owned(),
            Provenance::Ours.to_string(),
        ]
    };
    let bands = Band::NAMED
        .iter()
        .map(|band| named("band", u16::from(band.0), band.name()));
    let classes = StationClass::NAMED
        .iter()
        .map(|class| named("station class", u16::from(class.0), class.name()));
    let statuses = SubscribeStatus::NAMED
        .iter()
        .map(|status| named("subscribe status", status.0, status.name()));
    table(
        out,
        "Values",
        &["field", "value", "meaning", "value is"],
        bands.chain(classes).chain(statuses),
    );
}
