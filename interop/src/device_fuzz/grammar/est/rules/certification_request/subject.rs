//! Subjects.

use super::signed;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::{
    COMMON_NAME, Parts, UNKNOWN, attribute_value, name,
};
use crate::device_fuzz::grammar::est::der::{element, integer, sequence, set, tag, utf8};

pub(super) fn subjects(bench: &mut Bench<'_>) -> Made {
    let named = |value: &[u8]| name(&[&attribute_value(COMMON_NAME, value)]);
    let text = |text: &str| named(&utf8(text));
    let of = |tag: u8, octets: &[u8]| named(&element(tag, &[octets]));
    let one = attribute_value(COMMON_NAME, &utf8("a"));
    let unit = attribute_value(&[2, 5, 4, 11], &utf8("unit"));
    let domain = attribute_value(
        &[0, 9, 2342, 19_200_300, 100, 1, 25],
        &element(tag::IA5_STRING, &[b"com"]),
    );
    let country = attribute_value(&[2, 5, 4, 6], &element(tag::PRINTABLE_STRING, &[b"Nowhere"]));
    let several = sequence(&[&set(&[&one, &unit])]);
    let same: Vec<&[u8]> = vec![&unit; 300];
    let table: [(&str, Vec<u8>); 27] = [
        ("an empty subject", sequence(&[])),
        ("an empty relative name", sequence(&[&set(&[])])),
        ("an empty common name", text("")),
        ("a common name of 65 characters", text(&"c".repeat(65))),
        ("a common name of 20,000 characters", text(&"c".repeat(20_000))),
        ("300 relative names", name(&same)),
        (
            "the same relative name twice",
            name(&[&unit, &unit, &domain, &domain]),
        ),
        ("a relative name of two values", several),
        ("two common names", name(&[&one, &one])),
        ("a country of seven letters", name(&[&country])),
        (
            "an attribute that nobody knows",
            name(&[&attribute_value(UNKNOWN, &utf8("x"))]),
        ),
        ("a SEQUENCE for a value", named(&sequence(&[&utf8("x")]))),
        ("an INTEGER for a value", named(&integer(&[7]))),
        ("a NULL for a value", named(&[5, 0])),
        ("a BMPString of an odd length", of(0x1e, &[0, b'a', 0])),
        ("a BMPString with half a pair", of(0x1e, &[0xd8, 0])),
        ("a UniversalString", of(0x1c, &[0, 0x11, 0, 0])),
        ("a TeletexString", of(0x14, &[0xff, 0x1b, 0x24])),
        (
            "a PrintableString that is not printable",
            of(tag::PRINTABLE_STRING, b"a@b*\0"),
        ),
        ("an IA5String above 127", of(tag::IA5_STRING, &[0xe4])),
        ("a NUL", text("good.example\0.evil.example")),
        ("line ends", text("a\r\nb\nc")),
        ("commands of a terminal", text("\u{1b}[2J\u{1b}]0;x\u{7}")),
        ("text that runs from right to left", text("\u{202e}moc.elpmaxe")),
        ("separators of a name", text("x,CN=admin/CN=root+OU=a\\,b")),
        ("a command", text("$(reboot); `reboot`; | reboot && x")),
        ("a path", text("../../../../../../etc/cron.d/x")),
    ];
    let (what, subject) = bench.turn(&table).cloned().unwrap_or_default();
    signed(bench, &format!("with {what}"), |parts| Parts { subject, ..parts })
}
