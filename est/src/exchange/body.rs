//! The bytes that servers put into their answers where base64 of DER belongs.

use rustls_pki_types::CertificateDer;

use crate::error::WireError;
use crate::wire::asn1::{Reader, Rules, tag};
use crate::wire::base64;
use crate::wire::certs_only::{self, CertsOnlyLimits};

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";

/// The binary of a body: base64 in any layout (RFC 8951), the same with NUL bytes behind it (libest ends its csrattrs
/// so), PEM armour, or the DER itself.
pub(super) fn binary(body: &[u8], limit: usize) -> Result<Vec<u8>, WireError> {
    let body = body.trim_ascii_start();
    // A SEQUENCE, which may well end in NUL octets. In base64 this octet is the digit 0, with which no base64 of a SEQUENCE begins.
    if body.first() == Some(&tag::SEQUENCE) {
        if body.len() > limit {
            return Err(WireError::TooLong { what: "body", limit });
        }
        return Ok(body.to_vec());
    }
    let body = without_padding(body);
    if let Some(start) = find(body, BEGIN) {
        let section = body.get(start..).unwrap_or_default();
        let (content, _) = pem_section(section, start)?;
        return base64::decode(content, limit);
    }
    base64::decode(body, limit)
}

/// The certificates of a body: a certs-only message, or, as some servers have it, certificates in PEM or one in DER.
pub(super) fn certificates(
    body: &[u8],
    limits: &CertsOnlyLimits,
) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let body = body.trim_ascii_start();
    let mut found: Vec<CertificateDer<'static>> = Vec::new();
    let mut add = |more: Vec<CertificateDer<'static>>| {
        for certificate in more {
            if found.len() >= limits.certificates {
                let limit = limits.certificates;
                return Err(WireError::TooMany {
                    what: "certificates",
                    limit,
                });
            }
            if !found.contains(&certificate) {
                found.push(certificate);
            }
        }
        Ok(())
    };
    let armoured = if body.starts_with(&[tag::SEQUENCE]) {
        None
    } else {
        find(body, BEGIN)
    };
    let Some(mut start) = armoured else {
        add(from_binary(&binary(body, limits.length)?, limits)?)?;
        return Ok(found);
    };
    loop {
        let section = body.get(start..).unwrap_or_default();
        let (content, length) = pem_section(section, start)?;
        add(from_binary(&base64::decode(content, limits.length)?, limits)?)?;
        start = start.saturating_add(length);
        match find(body.get(start..).unwrap_or_default(), BEGIN) {
            Some(next) => start = start.saturating_add(next),
            None => return Ok(found),
        }
    }
}

fn from_binary(der: &[u8], limits: &CertsOnlyLimits) -> Result<Vec<CertificateDer<'static>>, WireError> {
    if is_bare_certificate(der) {
        return Ok(vec![CertificateDer::from(der.to_vec())]);
    }
    certs_only::decode(der, limits)
}

/// A ContentInfo begins with an object identifier, a certificate with a SEQUENCE.
fn is_bare_certificate(der: &[u8]) -> bool {
    let mut reader = Reader::new(der, Rules::Ber);
    let first = reader
        .sequence("message")
        .ok()
        .and_then(|outer| outer.reader(Rules::Ber).peek());
    first == Some(tag::SEQUENCE)
}

/// The base64 of the PEM section that `text` begins with, and the section's length. `start` is for messages.
fn pem_section(text: &[u8], start: usize) -> Result<(&[u8], usize), WireError> {
    let wrong = |problem: &str| WireError::Pem {
        position: start,
        problem: problem.to_owned(),
    };
    let label = text.get(BEGIN.len()..).unwrap_or_default();
    let label_end = find(label, DASHES).ok_or_else(|| wrong("the BEGIN line has no end"))?;
    let content_start = BEGIN.len() + label_end + DASHES.len();
    let content = text.get(content_start..).unwrap_or_default();
    let content_end = find(content, DASHES).ok_or_else(|| wrong("there is no END line"))?;
    let end = content.get(content_end..).unwrap_or_default();
    let end_length = DASHES.len()
        + find(end.get(DASHES.len()..).unwrap_or_default(), DASHES)
            .ok_or_else(|| wrong("the END line has no end"))?
        + DASHES.len();
    let length = content_start + content_end + end_length;
    Ok((content.get(..content_end).unwrap_or_default(), length))
}

fn without_padding(body: &[u8]) -> &[u8] {
    let padding = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    let end = body
        .iter()
        .rposition(|byte| !padding(byte))
        .map_or(0, |last| last + 1);
    body.get(..end).unwrap_or_default()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::base64::{Base64Layout, encode};

    const MESSAGE: &[u8] = include_bytes!("../../testdata/certs_only/three-certificates.der");

    fn found(body: &[u8]) -> Vec<CertificateDer<'static>> {
        certificates(body, &CertsOnlyLimits::default()).unwrap()
    }

    #[test]
    fn reads_the_same_certificates_out_of_every_wrapping() {
        let expected = found(MESSAGE);
        assert_eq!(expected.len(), 3);
        let line = encode(MESSAGE, Base64Layout::SingleLine);
        let pem = |label: &str, der: &[u8]| {
            let text = encode(der, Base64Layout::Columns64Lf);
            format!("-----BEGIN {label}-----\n{text}-----END {label}-----\n")
        };
        let each: String = expected
            .iter()
            .map(|certificate| pem("CERTIFICATE", certificate))
            .collect();
        for body in [
            line.trim_end().as_bytes().to_vec(),
            encode(MESSAGE, Base64Layout::Columns76CrLf).into_bytes(),
            format!("\r\n{line}\n\0\0").into_bytes(),
            pem("PKCS7", MESSAGE).into_bytes(),
            format!("subject=/CN=x\n{}", pem("CMS", MESSAGE)).into_bytes(),
            each.clone().into_bytes(),
            format!("{each}{each}").into_bytes(),
        ] {
            assert_eq!(found(&body), expected, "{}", String::from_utf8_lossy(&body));
        }
        assert_eq!(found(&expected[0]), expected[..1], "one certificate in DER");
    }

    #[test]
    fn says_where_armour_is_broken() {
        for body in [
            &b"-----BEGIN PKCS7"[..],
            b"-----BEGIN PKCS7-----\nMII=",
            b"x\n-----BEGIN PKCS7-----\nMII=\n-----END",
        ] {
            let error = certificates(body, &CertsOnlyLimits::default()).unwrap_err();
            assert!(matches!(error, WireError::Pem { .. }), "{error}");
        }
    }

    #[test]
    fn a_nul_is_padding_at_the_end_only() {
        assert_eq!(binary(b"aGVsbG8=\n\0", 100).unwrap(), b"hello");
        assert!(binary(b"aGVs\0bG8=", 100).is_err());
        assert!(binary(b"\0aGVsbG8=", 100).is_err());
        let ends_in_nul = [0x30, 0x80, 4, 1, 9, 0, 0];
        assert_eq!(binary(&ends_in_nul, 100).unwrap(), ends_in_nul);
    }
}
