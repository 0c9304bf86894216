//! CSR attributes: the examples of the RFCs, what they mean, and which requests live up to them.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails fails the test, as it should"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use est::request::{RequestKey, RequestTemplate};
use est::wire::csr::{
    Attribute, CsrLimits, RequestedExtension, UnverifiedCsr, VerificationPolicy, VerifiedCsr,
};
use est::wire::csr_attributes::{
    CsrAttribute, CsrAttributes, CsrAttributesConfig, CsrAttributesLimits, KeyRequirement, enforce, oracle,
};
use pki_common::identity::NewKey;

const EXAMPLES: [&str; 7] = [
    "rfc7030-4.5.2",
    "rfc9908-3.4",
    "rfc9908-5.1",
    "rfc9908-5.2",
    "rfc9908-5.3",
    "rfc9908-5.4",
    "rfc9908-5.5",
];

fn example_text(name: &str) -> String {
    let path = format!(
        "{}/testdata/csr_attributes/{name}.b64",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

fn example_der(name: &str) -> Vec<u8> {
    STANDARD.decode(example_text(name).trim()).unwrap()
}

fn example(name: &str) -> CsrAttributes {
    CsrAttributes::from_body(example_text(name).as_bytes(), &CsrAttributesLimits::default()).unwrap()
}

fn config(text: &str) -> CsrAttributesConfig {
    toml::from_str(text).unwrap()
}

fn oid(dotted: &str) -> const_oid::ObjectIdentifier {
    const_oid::ObjectIdentifier::new(dotted).unwrap()
}

fn template(subject: &str) -> RequestTemplate {
    RequestTemplate::new(subject.parse().unwrap(), &[]).unwrap()
}

fn request(template: &RequestTemplate, kind: NewKey) -> VerifiedCsr {
    let key = RequestKey::generate(kind).unwrap();
    UnverifiedCsr::from_der(&template.sign(&key, None).unwrap(), &CsrLimits::default())
        .unwrap()
        .verify(&VerificationPolicy::default())
        .unwrap()
}

fn extension(dotted: &str, critical: bool, value: &[u8]) -> RequestedExtension {
    RequestedExtension {
        oid: oid(dotted),
        critical,
        value: value.to_vec(),
    }
}

fn missing(attributes: &CsrAttributes, request: &VerifiedCsr) -> String {
    enforce(attributes, request).unwrap_err().to_string()
}

#[test]
fn gives_every_example_of_the_rfcs_back_byte_for_byte() {
    for name in EXAMPLES {
        assert_eq!(example(name).to_der(), example_der(name), "{name}");
        oracle::oracle(example_text(name).as_bytes());
    }
}

#[test]
fn reads_the_example_of_rfc_7030_in_its_order() {
    let attributes = example("rfc7030-4.5.2");
    let oids: Vec<String> = attributes
        .entries()
        .iter()
        .map(|entry| entry.oid().to_string())
        .collect();
    let expected = [
        "1.2.840.113549.1.9.7",
        "1.2.840.10045.2.1",
        "1.2.840.113549.1.9.14",
        "1.2.840.10045.4.3.3",
    ];
    assert_eq!(oids, expected);
    let found = attributes.requirements();
    let p384 = KeyRequirement::Ec {
        curve: Some(oid("1.3.132.0.34")),
    };
    assert_eq!(found.keys, [p384]);
    assert!(found.challenge_password);
    assert_eq!(found.signature_algorithms, [oid("1.2.840.10045.4.3.3")]);
    // The extension request holds the number of the MAC address where an extension belongs.
    assert_eq!(found.attributes[0].oid, oid("1.3.6.1.1.1.1.22"));
}

/// Of each example, how the lines of its meaning begin.
const MEANINGS: [(&str, &[&str]); 6] = [
    (
        "rfc9908-3.4",
        &[
            "key: EC P-256",
            "subject: commonName (2.5.4.3)",
            "subject: organizationalUnitName (2.5.4.11) = \"myDept\"",
            "subject: organizationalUnitName (2.5.4.11) = \"myGroup\"",
            "extension: subjectAltName (2.5.29.17), value 301482107777772e6d795365727665722e636f6d8700",
            "extension: keyUsage (2.5.29.15), critical, value 03020388",
            "extension: extKeyUsage (2.5.29.37)",
        ],
    ),
    (
        "rfc9908-5.1",
        &["extension: subjectAltName (2.5.29.17), critical, value 3049a047"],
    ),
    (
        "rfc9908-5.2",
        &[
            "key: EC P-384",
            "signature: ecdsa-with-SHA384",
            "proof of possession",
            "attribute: macAddress",
        ],
    ),
    (
        "rfc9908-5.3",
        &[
            "key: EC P-521",
            "signature: ecdsa-with-SHA512",
            "proof of possession",
            "subject: favouriteDrink",
            "subject: serialNumber (2.5.4.5)",
            "attribute: friendlyName",
        ],
    ),
    (
        "rfc9908-5.4",
        &[
            "key: RSA-4096",
            "signature: sha256WithRSAEncryption",
            "proof of possession",
        ],
    ),
    (
        "rfc9908-5.5",
        &[
            "key: EC P-384",
            "signature: ecdsa-with-SHA384",
            "proof of possession",
            "subject: serialNumber (2.5.4.5)",
        ],
    ),
];

#[test]
fn reads_what_the_examples_of_rfc_9908_mean() {
    for (name, expected) in MEANINGS {
        let lines = example(name).requirements().lines();
        assert_eq!(lines.len(), expected.len(), "{name}: {lines:#?}");
        for (line, expected) in lines.iter().zip(expected) {
            let same = |text: &str| text.to_lowercase();
            // Names of the registry differ in their short forms; the number settles it.
            let start = same(expected);
            let fits = same(line).starts_with(&start)
                || (line.contains("(2.5.4.3)") && expected.contains("(2.5.4.3)"))
                || (expected.contains("2.5.4.11") && line.ends_with(expected.rsplit(' ').next().unwrap()))
                || (expected.contains("favouriteDrink") && line.contains("0.9.2342.19200300.100.1.5"));
            assert!(fits, "{name}: {line:?} is not {expected:?}");
        }
    }
}

/// The template with its values, made here out of a configuration, is the one that pyasn1 made.
#[test]
fn makes_the_template_of_rfc_9908_from_a_configuration() {
    let made = config(
        r#"
        [template]
        key = "P-256"
        subject = [{ type = "CN" }, { type = "OU", value = "myDept" }, { type = "OU", value = "myGroup" }]
        extensions = [
            { oid = "subjectAltName", names = ["DNS:www.myServer.com", "IP:"] },
            { oid = "keyUsage", critical = true, usages = ["digitalSignature", "keyAgreement"] },
            { oid = "extKeyUsage" },
        ]
        "#,
    );
    assert_eq!(made.to_attributes().unwrap().to_der(), example_der("rfc9908-3.4"));
}

#[test]
fn makes_the_other_examples_from_a_configuration() {
    let table = [
        (
            "rfc9908-5.2",
            r#"entries = [{ oid = "challengePassword" }, { key = "P-384" }, { oid = "macAddress" },
                          { oid = "ecdsa-with-SHA384" }]"#,
        ),
        (
            "rfc9908-5.3",
            r#"entries = [{ oid = "challengePassword" }, { key = "P-521" }, { oid = "friendlyName" },
                          { oid = "favouriteDrink" }, { oid = "serialNumber" }, { oid = "ecdsa-with-SHA512" }]"#,
        ),
        (
            "rfc9908-5.4",
            r#"entries = [{ oid = "challengePassword" }, { key = "RSA-4096" }, { oid = "sha256WithRSAEncryption" }]"#,
        ),
        (
            "rfc7030-4.5.2",
            r#"entries = [{ oid = "challengePassword" }, { key = "P-384" },
                          { oid = "extensionRequest", values = ["oid:macAddress"] }, { oid = "ecdsa-with-SHA384" }]"#,
        ),
    ];
    for (name, text) in table {
        assert_eq!(
            config(text).to_attributes().unwrap().to_der(),
            example_der(name),
            "{name}"
        );
    }
    let verbatim = format!("base64 = \"{}\"", example_text("rfc9908-5.1").trim());
    assert_eq!(
        config(&verbatim).to_attributes().unwrap().to_der(),
        example_der("rfc9908-5.1")
    );
}

#[test]
fn a_configuration_that_makes_no_sense_is_told_where() {
    let table = [
        (r#"entries = [{ oid = "x" }]"#, "entry 1: \"x\" is neither"),
        (
            r#"entries = [{ oid = "CN" }, { key = "DSA" }]"#,
            "entry 2: \"DSA\" is no kind of key",
        ),
        (r#"entries = [{ oid = "CN", key = "RSA" }]"#, "exactly one of"),
        (
            r#"entries = [{ key = "RSA", values = [] }]"#,
            "values belong to an oid",
        ),
        (
            r#"entries = [{ oid = "CN", values = ["text"] }]"#,
            "\"text\" is no value",
        ),
        (r#"entries = [{ oid = "CN", values = ["der:0"] }]"#, "hexadecimal"),
        (
            r#"entries = [{ extensions = [{ oid = "keyUsage" }] }]"#,
            "only be asked for in a template",
        ),
        (r#"entries = [{ key = "RSA-1023" }]"#, "is no kind of key"),
        (
            r#"template = { extensions = [{ oid = "keyUsage", usages = ["sing"] }] }"#,
            "\"sing\" is no key usage",
        ),
        (
            r#"template = { extensions = [{ oid = "subjectAltName", names = ["host"] }] }"#,
            "\"host\" is no name",
        ),
        (
            r#"template = { extensions = [{ oid = "keyUsage" }, { oid = "2.5.29.15" }] }"#,
            "twice",
        ),
        (
            r#"base64 = "MAA=" 
             entries = [{ oid = "CN" }]"#,
            "leave out entries",
        ),
    ];
    for (text, expected) in table {
        let error = config(text).to_attributes().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(toml::from_str::<CsrAttributesConfig>("entires = []").is_err());
}

#[test]
fn lives_with_what_old_servers_send() {
    let limits = CsrAttributesLimits::default();
    let read = |body: &[u8]| CsrAttributes::from_body(body, &limits);
    let plain = example("rfc9908-5.2");
    let text = example_text("rfc9908-5.2");
    // libest ends its body with a NUL byte.
    assert_eq!(read(format!("{text}\0").as_bytes()).as_ref(), Ok(&plain));
    let broken_lines: String = text.chars().flat_map(|letter| [letter, '\n']).collect();
    assert_eq!(read(broken_lines.as_bytes()).as_ref(), Ok(&plain));
    let mut der = example_der("rfc9908-5.2");
    assert_eq!(read(&der).as_ref(), Ok(&plain));
    der.extend([0, 0]);
    assert_eq!(read(&der).as_ref(), Ok(&plain));
    let indefinite = [&[0x30, 0x80][..], &example_der("rfc9908-5.2")[2..], &[0, 0]].concat();
    assert_eq!(read(&indefinite).as_ref(), Ok(&plain));
    for empty in [&b""[..], b"\r\n", b"\0", b"MAA=\n"] {
        assert_eq!(read(empty), Ok(CsrAttributes::default()), "{empty:?}");
    }
    // RFC 9908 section 3.2: a key of a type without more about it.
    let any_rsa = read(&[
        0x30, 15, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 0x31, 0,
    ])
    .unwrap();
    assert_eq!(any_rsa.requirements().keys, [KeyRequirement::Rsa { bits: None }]);
}

#[test]
fn says_what_is_wrong_and_where() {
    let limits = CsrAttributesLimits {
        length: 200,
        entries: 2,
    };
    let table: [(&[u8], &str); 7] = [
        (&[0x31, 0], "CsrAttrs, byte 0: expected a SEQUENCE"),
        (&[0x30, 0, 1], "CsrAttrs, byte 2: 1 bytes follow"),
        (
            &[0x30, 3, 2, 1, 0],
            "AttrOrOID, byte 2: expected an OBJECT IDENTIFIER or a SEQUENCE",
        ),
        (&[0x30, 4, 0x30, 2, 6, 0], "not an object identifier"),
        (
            &[0x30, 15, 6, 3, 0x2a, 3, 4, 6, 3, 0x2a, 3, 4, 6, 3, 0x2a, 3, 4],
            "more than 2 CSR attributes",
        ),
        (&[0x30, 5, 6], "more bytes than there are"),
        (&[0x30; 201], "longer than the limit of 200 bytes"),
    ];
    for (der, expected) in table {
        let error = CsrAttributes::from_der(der, &limits).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let twice = [
        &[0x30, 0x82, 1, 0x52][..],
        &example_der("rfc9908-3.4")[3..],
        &example_der("rfc9908-3.4")[3..],
    ]
    .concat();
    let error = CsrAttributes::from_der(&twice, &CsrAttributesLimits::default()).unwrap_err();
    assert!(error.to_string().contains("occurs twice"), "{error}");
}

#[test]
fn a_request_that_has_everything_passes_and_each_thing_it_lacks_is_named() {
    let wanted = config(
        r#"entries = [
            { oid = "challengePassword" }, { key = "P-256" }, { oid = "ecdsa-with-SHA256" },
            { oid = "serialNumber" }, { oid = "macAddress" }, { oid = "keyUsage" },
        ]"#,
    )
    .to_attributes()
    .unwrap();
    let mut template = template("serialNumber=7,CN=device");
    template
        .extensions
        .push(extension("2.5.29.15", true, &[3, 2, 7, 0x80]));
    let attribute = |dotted: &str, value: &[u8]| Attribute {
        oid: oid(dotted),
        values: vec![value.to_vec()],
    };
    template
        .attributes
        .push(attribute("1.2.840.113549.1.9.7", &[0x13, 1, b'x']));
    template
        .attributes
        .push(attribute("1.3.6.1.1.1.1.22", &[0x16, 1, b'y']));
    assert_eq!(enforce(&wanted, &request(&template, NewKey::EcP256)), Ok(()));

    let text = missing(&wanted, &request(&template, NewKey::EcP384));
    assert!(text.contains("the key is EC P-384, wanted is EC P-256"), "{text}");
    assert!(
        text.contains("signed with ecdsa-with-SHA384 (1.2.840.10045.4.3.3), wanted is ecdsa-with-SHA256"),
        "{text}"
    );

    let bare = RequestTemplate::new("CN=device".parse().unwrap(), &[]).unwrap();
    let found = enforce(&wanted, &request(&bare, NewKey::EcP256)).unwrap_err();
    assert_eq!(found.missing.len(), 4, "{found}");
    let text = found.to_string();
    for expected in [
        "challengePassword (1.2.840.113549.1.9.7) is missing",
        "the subject has no serialNumber (2.5.4.5)",
        "the extension keyUsage (2.5.29.15) is missing",
        "the attribute macAddress (1.3.6.1.1.1.1.22) is missing",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_template_is_enforced_with_its_values_and_leaves_the_open_ones_to_the_client() {
    let wanted = example("rfc9908-3.4");
    let names = |ip: &[u8]| {
        let dns = [&[0x82, 16][..], b"www.myServer.com"].concat();
        let mut value = vec![0x30, u8::try_from(dns.len() + ip.len() + 2).unwrap()];
        value.extend(dns);
        value.extend([0x87, u8::try_from(ip.len()).unwrap()]);
        value.extend(ip);
        value
    };
    let mut right = template("CN=any,OU=myDept,OU=myGroup");
    right.extensions = vec![
        extension("2.5.29.17", false, &names(&[10, 0, 0, 1])),
        extension("2.5.29.15", true, &[3, 2, 3, 0x88]),
        extension("2.5.29.37", false, &[0x30, 0]),
    ];
    assert_eq!(enforce(&wanted, &request(&right, NewKey::EcP256)), Ok(()));

    let mut wrong = right.clone();
    wrong.subject = "CN=any,OU=myDept,OU=other".parse().unwrap();
    let text = missing(&wanted, &request(&wrong, NewKey::EcP256));
    assert!(text.contains("(2.5.4.11) = \"myGroup\""), "{text}");

    let mut wrong = right.clone();
    wrong.extensions[0] = extension("2.5.29.17", false, &names(&[]));
    let text = missing(&wanted, &request(&wrong, NewKey::EcP256));
    assert!(
        text.contains("subjectAltName (2.5.29.17) has another value"),
        "{text}"
    );

    let mut wrong = right.clone();
    wrong.extensions[1].critical = false;
    let text = missing(&wanted, &request(&wrong, NewKey::EcP256));
    assert!(
        text.contains("keyUsage (2.5.29.15) is not marked critical"),
        "{text}"
    );

    wrong.extensions.truncate(1);
    let found = enforce(&wanted, &request(&wrong, NewKey::EcP256)).unwrap_err();
    assert_eq!(found.missing.len(), 2, "{found}");
}

/// RFC 9908 section 4: a client that understands templates ignores all other entries.
#[test]
fn beside_a_template_the_other_entries_mean_nothing() {
    let both = config(
        r#"entries = [{ oid = "challengePassword" }, { key = "RSA-4096" }]
           template = { key = "P-384" }"#,
    )
    .to_attributes()
    .unwrap();
    let found = both.requirements();
    assert_eq!(found.lines(), ["key: EC P-384"]);
    assert!(!found.challenge_password);
    assert_eq!(
        enforce(&both, &request(&template("CN=x"), NewKey::EcP384)),
        Ok(())
    );
}

#[test]
fn an_rsa_template_says_the_length_by_a_placeholder_key() {
    let made = config(r#"template = { key = "RSA-2048" }"#)
        .to_attributes()
        .unwrap();
    assert_eq!(
        made.requirements().keys,
        [KeyRequirement::Rsa { bits: Some(2048) }]
    );
    let again = CsrAttributes::from_der(&made.to_der(), &CsrAttributesLimits::default()).unwrap();
    assert_eq!(again, made);
}

/// A list in the style of old servers: the algorithm and the curve as two entries.
#[test]
fn any_of_several_keys_will_do() {
    let bare = |dotted: &str| CsrAttribute::Oid(oid(dotted));
    let attributes = CsrAttributes::new(vec![
        bare("1.2.840.10045.2.1"),
        bare("1.3.132.0.34"),
        bare("1.2.840.113549.1.1.1"),
    ])
    .unwrap();
    assert_eq!(attributes.requirements().lines(), ["key: EC P-384 or RSA"]);
    assert_eq!(
        enforce(&attributes, &request(&template("CN=x"), NewKey::EcP384)),
        Ok(())
    );
    assert!(enforce(&attributes, &request(&template("CN=x"), NewKey::EcP256)).is_err());
}

#[test]
fn is_written_as_json_with_names_and_values() {
    let json = serde_json::to_value(example("rfc9908-5.4")).unwrap();
    assert_eq!(json[0]["name"], "challengePassword (1.2.840.113549.1.9.7)");
    assert_eq!(json[1]["oid"], "1.2.840.113549.1.1.1");
    assert_eq!(json[1]["values"][0], "02021000");
    assert_eq!(json.as_array().unwrap().len(), 3);
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_decoder(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        oracle::oracle(&body);
    }

    #[test]
    fn no_damage_to_an_example_breaks_the_decoder(at in 0_usize..172, to in proptest::num::u8::ANY) {
        let mut der = example_der("rfc9908-3.4");
        if let Some(byte) = der.get_mut(at) {
            *byte = to;
        }
        oracle::oracle(&der);
    }
}
