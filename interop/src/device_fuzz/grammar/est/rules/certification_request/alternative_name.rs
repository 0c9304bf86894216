//! Alternative names of the subject.

use super::signed;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::{
    COMMON_NAME, SUBJECT_ALT_NAME, UNKNOWN, attribute_value, dns_names, extension, name,
};
use crate::device_fuzz::grammar::est::der::{context, element, object_identifier, sequence, utf8};

pub(super) fn alternative_names(bench: &mut Bench<'_>) -> Made {
    let names = |names: &[&[u8]]| extension(SUBJECT_ALT_NAME, false, &sequence(names));
    let dns = |name: &[u8]| element(0x82, &[name]);
    let many: Vec<String> = (0..500).map(|number| format!("n{number}.example")).collect();
    let label = "l".repeat(64);
    let long = vec!["l".repeat(63); 40].join(".");
    let other = context(0, &[&object_identifier(UNKNOWN), &context(0, &[&utf8("x")])]);
    let own = name(&[&attribute_value(COMMON_NAME, &utf8("x"))]);
    let table: [(&str, Vec<u8>); 22] = [
        ("none at all", names(&[])),
        ("an empty one", names(&[&dns(b"")])),
        ("a NUL", names(&[&dns(b"good.example\0.evil.example")])),
        ("a wildcard", names(&[&dns(b"*.example")])),
        ("wildcards", names(&[&dns(b"*.*.*")])),
        ("a blank", names(&[&dns(b" ")])),
        ("letters above 127", names(&[&dns(b"\xc3\xa4.example")])),
        ("a label of 64 characters", dns_names([label.as_str()])),
        ("a name of 2559 characters", dns_names([long.as_str()])),
        ("500 names", dns_names(many.iter().map(String::as_str))),
        ("the same name twice", dns_names(["a.example", "a.example"])),
        (
            "an address of 3 octets",
            names(&[&element(0x87, &[&[127, 0, 0]])]),
        ),
        ("an address of 0 octets", names(&[&element(0x87, &[])])),
        ("an address of 400 octets", names(&[&element(0x87, &[&[1; 400]])])),
        (
            "a URI that is none",
            names(&[&element(0x86, &[b"::not a uri::\0"])]),
        ),
        (
            "a URI of 10,000 characters",
            names(&[&element(0x86, &[&[b'u'; 10_000]])]),
        ),
        (
            "a mail address that is none",
            names(&[&element(0x81, &[b"@@\r\nRCPT TO:x"])]),
        ),
        ("another name", names(&[&other])),
        ("an X.400 address", names(&[&context(3, &[&sequence(&[])])])),
        ("a directory name", names(&[&context(4, &[&own])])),
        ("an unknown choice", names(&[&element(0x9e, &[b"x"])])),
        ("a registered number that is none", names(&[&element(0x88, &[])])),
    ];
    let (what, extension) = bench.turn(&table).cloned().unwrap_or_default();
    signed(bench, &format!("with alternative names: {what}"), |parts| {
        parts.with_extensions(&[extension])
    })
}
