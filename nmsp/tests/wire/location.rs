//! Civic addresses (RFC 4776) and geodetic locations (RFC 6225).

use nmsp::wire::elements::location::civic::{CivicType, CivicWhat, CountryCode};
use nmsp::wire::elements::location::geodetic::{AltitudeType, Datum};
use nmsp::wire::elements::{CivicAddress, CivicElement, GeodeticLocation};
use nmsp::wire::{Element, WireProfile, Writer};

/// An address like that of RFC 4776, section 5: the city hall of Munich.
fn munich() -> CivicAddress {
    let elements = [
        (CivicType::LANGUAGE, "de"),
        (CivicType::SCRIPT, "Latn"),
        (CivicType::A1, "Bayern"),
        (CivicType::A2, "Oberbayern"),
        (CivicType::A3, "München"),
        (CivicType::A6, "Marienplatz"),
        (CivicType::HNO, "8"),
        (CivicType::LMK, "Rathaus"),
        (CivicType::PC, "80331"),
    ];
    CivicAddress {
        what: CivicWhat::CLIENT,
        country: CountryCode(*b"DE"),
        elements: elements
            .into_iter()
            .map(|(kind, value)| CivicElement::new(kind, value))
            .collect(),
    }
}

#[test]
fn a_civic_address_has_the_form_of_rfc_4776() {
    let mut out = bytes::BytesMut::new();
    Writer::new(&mut out, WireProfile::built_in())
        .element(Element::CIVIC_ADDRESS, &munich())
        .unwrap();
    let expected = [
        &b"\x00\x61\x00\x4b\x02DE"[..],
        b"\x00\x02de",
        b"\x80\x04Latn",
        b"\x01\x06Bayern",
        b"\x02\x0aOberbayern",
        "\x03\x08München".as_bytes(),
        b"\x06\x0bMarienplatz",
        b"\x13\x018",
        b"\x15\x07Rathaus",
        b"\x18\x0580331",
    ]
    .concat();
    assert_eq!(out, expected);
}

#[test]
fn a_component_of_a_civic_address_longer_than_its_length_can_say_is_refused() {
    let mut address = munich();
    address.elements[0].value = "x".repeat(256).into();
    let mut out = bytes::BytesMut::new();
    let error = Writer::new(&mut out, WireProfile::built_in())
        .element(Element::CIVIC_ADDRESS, &address)
        .unwrap_err();
    assert!(error.to_string().contains("256 bytes"), "{error}");
    assert!(out.is_empty());
}

/// RFC 6225, appendix A (from RFC 3825): the White House at 38.89868 N, 77.03723 W, 15 m.
#[test]
fn a_geodetic_location_has_the_fixed_point_numbers_of_rfc_6225() {
    let place = GeodeticLocation::new(38.898_68, -77.037_23, 0.0)
        .unwrap()
        .with_altitude(AltitudeType::METRES, 15.0, 0.0)
        .unwrap();
    assert_eq!(place.latitude.raw, 0x0_4dcc_1fc8);
    assert_eq!(place.longitude.raw & 0x3_ffff_ffff, 0x3_65ec_f031);
    assert_eq!(place.altitude.raw, 0x0000_0f00);
    assert_eq!((place.version, place.datum), (1, Datum::WGS84));
}

/// The 128 bits of RFC 6225, section 2.2, put together by hand from the widths 6 34 6 34 4 6 30 2 3 3.
#[test]
fn a_geodetic_location_has_the_bit_layout_of_rfc_6225() {
    let bits = [
        "010010",                             // LatUnc 18
        "0001001101110011000001111111001000", // latitude 0x04dcc1fc8
        "010001",                             // LongUnc 17
        "1101100101111011001111000000110001", // longitude 0x365ecf031
        "0001",                               // AType 1, metres
        "010010",                             // AltUnc 18
        "000000000000000000111100000000",     // altitude 0xf00
        "01",                                 // Ver 1
        "000",                                // Res
        "010",                                // datum 2
    ]
    .concat();
    let bytes: [u8; 16] = u128::from_str_radix(&bits, 2).unwrap().to_be_bytes();
    let place = GeodeticLocation::from_bytes(bytes);
    assert_eq!(place.to_bytes(), bytes);
    assert_eq!(
        (place.latitude.uncertainty, place.longitude.uncertainty),
        (18, 17)
    );
    assert!((place.latitude_degrees() - 38.898_68).abs() < 1e-7);
    assert!((place.longitude_degrees() + 77.037_23).abs() < 1e-7);
    assert_eq!(place.altitude_value(), Some(15.0));
    assert_eq!(place.datum, Datum::NAD83_NAVD88);
    assert_eq!(
        place.to_string(),
        "latitude 38.8986800 ± 0.0009765625, longitude -77.0372300 ± 0.001953125, altitude 15 metres ± 8, NAD83/NAVD88, \
         version 1"
    );
}

/// RFC 6225, sections 2.3.2 and 2.4.5: LatUnc = 8 - ceil(log2(uncertainty)), AltUnc = 21 - ceil(log2(uncertainty)).
#[test]
fn uncertainties_are_rounded_up_to_a_power_of_two() {
    for (degrees, code, back) in [
        (0.000_695_5, 18, 0.000_976_562_5),
        (0.25, 10, 0.25),
        (0.26, 9, 0.5),
    ] {
        let place = GeodeticLocation::new(0.0, 0.0, degrees).unwrap();
        assert_eq!(place.latitude.uncertainty, code);
        assert_eq!(place.latitude_uncertainty(), Some(back));
    }
    let place = GeodeticLocation::default()
        .with_altitude(AltitudeType::METRES, 10.0, 0.5)
        .unwrap();
    assert_eq!(
        (place.altitude.uncertainty, place.altitude_uncertainty()),
        (22, Some(0.5))
    );
    assert_eq!(place.latitude_uncertainty(), None);
}

#[test]
fn places_that_do_not_exist_are_refused() {
    assert!(GeodeticLocation::new(90.1, 0.0, 0.0).is_err());
    assert!(GeodeticLocation::new(0.0, -180.1, 0.0).is_err());
    assert!(GeodeticLocation::new(f64::NAN, 0.0, 0.0).is_err());
    let sea = GeodeticLocation::default();
    assert!(sea.with_altitude(AltitudeType::METRES, 3e6, 0.0).is_err());
}
