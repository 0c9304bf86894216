//! A certification request that is linked to a connection, signed when the binding is known.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use est::wire::base64::{Base64Layout, encode};

use super::{BindingForm, Part};
use crate::device_fuzz::grammar::est::{der_element, signed_by};

/// The request of HTTP around the certification request with this information, signed by this key.
pub(super) fn request(
    head: &[u8],
    info: &Part,
    key: &[u8],
    binding: &impl Fn(Option<usize>) -> Option<Vec<u8>>,
) -> Vec<u8> {
    let body = encode(&signed_by(key, &write(info, binding)), Base64Layout::Columns64Lf);
    let length = format!("Content-Length: {}\r\n\r\n", body.len());
    [head, length.as_bytes(), body.as_bytes()].concat()
}

fn write(part: &Part, binding: &impl Fn(Option<usize>) -> Option<Vec<u8>>) -> Vec<u8> {
    match part {
        Part::Bytes(bytes) => bytes.0.clone(),
        Part::Binding {
            connection,
            form,
            skip,
            take,
        } => {
            let octets = binding(*connection).unwrap_or_default();
            let written = match form {
                BindingForm::Base64 => STANDARD.encode(octets).into_bytes(),
                BindingForm::Base64Url => URL_SAFE.encode(octets).into_bytes(),
                BindingForm::Hexadecimal => hex::encode(octets).into_bytes(),
                BindingForm::Octets => octets,
            };
            let taken = written.into_iter().skip(*skip);
            taken.take(take.unwrap_or(usize::MAX)).collect()
        }
        Part::Element { tag, parts } => {
            let parts: Vec<Vec<u8>> = parts.iter().map(|part| write(part, binding)).collect();
            der_element(*tag, &parts.concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

    use super::*;

    fn public_key_info(key: &[u8]) -> Vec<u8> {
        let key = p256::SecretKey::from_slice(key).unwrap();
        let point = key.public_key().to_sec1_bytes();
        let algorithm =
            b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
        let bits = der_element(3, &[&[0], &*point].concat());
        der_element(0x30, &[algorithm.as_slice(), &bits].concat())
    }

    fn binding(form: BindingForm, skip: usize, take: Option<usize>) -> Part {
        Part::Binding {
            connection: None,
            form,
            skip,
            take,
        }
    }

    #[test]
    fn writes_a_binding_in_each_form_and_in_parts() {
        let own = |_| Some(vec![0xfb, 0xff, 1, 2]);
        for (form, skip, take, expected) in [
            (BindingForm::Base64, 0, None, b"+/8BAg==".to_vec()),
            (BindingForm::Base64, 1, Some(3), b"/8B".to_vec()),
            (BindingForm::Base64Url, 0, None, b"-_8BAg==".to_vec()),
            (BindingForm::Hexadecimal, 0, None, b"fbff0102".to_vec()),
            (BindingForm::Octets, 0, None, vec![0xfb, 0xff, 1, 2]),
        ] {
            let part = binding(form, skip, take);
            assert_eq!(write(&part, &own), expected, "{form:?}");
        }
        let part = Part::element(
            0x0c,
            vec![binding(BindingForm::Base64, 0, None), Part::bytes(*b"x")],
        );
        assert_eq!(write(&part, &own), b"\x0c\x09+/8BAg==x");
        assert_eq!(write(&part, &|_| None), b"\x0c\x01x");
    }

    #[test]
    fn the_request_is_signed_with_the_binding_in_it() {
        // version 0, no relative names, a key on P-256, and the challengePassword.
        let key = [7; 32];
        let password = Part::element(0x0c, vec![binding(BindingForm::Base64, 0, None)]);
        let kind = Part::bytes(*b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07");
        let attribute = Part::element(0x30, vec![kind, Part::element(0x31, vec![password])]);
        let start = [b"\x02\x01\x00\x30\x00".as_slice(), &public_key_info(&key)].concat();
        let info = Part::element(
            0x30,
            vec![Part::bytes(start), Part::element(0xa0, vec![attribute])],
        );
        let sent = request(b"POST /x HTTP/1.1\r\n", &info, &key, &|_| Some(vec![7; 12]));
        let body = sent.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let request = UnverifiedCsr::from_body(&sent[body..], &CsrLimits::default()).unwrap();
        let request = request.verify(&VerificationPolicy::default()).unwrap();
        assert_eq!(request.challenge_password().unwrap().expose(), "BwcHBwcHBwcHBwcH");
        let head = format!("Content-Length: {}\r\n", sent.len() - body);
        assert!(String::from_utf8_lossy(&sent).contains(&head));
    }
}
