//! The extensions of a certificate with the bytes they have there.

use pki_common::Certificate;

use crate::error::WireError;
use crate::wire::asn1::{Reader, Rules};
use crate::wire::csr::RequestedExtension;

/// `[3] EXPLICIT Extensions` of a TBSCertificate (RFC 5280, section 4.1).
const EXTENSIONS: u8 = 0xa3;

/// The extensions of a certificate, in its order. A certificate older than version 3 has none.
pub(crate) fn extensions(certificate: &Certificate) -> Result<Vec<RequestedExtension>, WireError> {
    let mut reader = Reader::new(certificate.der(), Rules::Ber);
    let mut reader = reader.sequence("Certificate")?.reader(Rules::Ber);
    let mut reader = reader.sequence("tbsCertificate")?.reader(Rules::Ber);
    let mut found = Vec::new();
    while !reader.is_empty() {
        if reader.peek() != Some(EXTENSIONS) {
            reader.any("tbsCertificate")?;
            continue;
        }
        let wrapper = reader.expect(EXTENSIONS, "[3]", "extensions")?;
        let mut list = wrapper
            .reader(Rules::Ber)
            .sequence("extensions")?
            .reader(Rules::Ber);
        while !list.is_empty() {
            found.push(RequestedExtension::parse(&list.sequence("extension")?)?);
        }
    }
    Ok(found)
}

/// The elements of a SEQUENCE, each with tag and length: the names of a subject alternative name, the purposes of an
/// extended key usage. `None` when the value is no SEQUENCE.
pub(crate) fn elements(value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader::new(value, Rules::Der);
    let list = reader.sequence("value").ok()?;
    reader.finish("value").ok()?;
    let mut reader = list.reader(Rules::Der);
    let mut found = Vec::new();
    while !reader.is_empty() {
        found.push(reader.any("element").ok()?.raw);
    }
    Some(found)
}
