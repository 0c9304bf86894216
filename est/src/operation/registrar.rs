//! Who may ask for others: a registration authority (RFC 6402, section 2.10).

use const_oid::ObjectIdentifier;
use pki_common::Certificate;

use super::certificate_names::extension;
use crate::wire::asn1::{Reader, Rules, tag};

const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");

/// `id-kp-cmcRA` (RFC 6402, section 2.10): the extended key usage of a registration authority.
pub const CMC_REGISTRATION_AUTHORITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.28");

/// Whether a certificate has the extended key usage `id-kp-cmcRA`. `anyExtendedKeyUsage` does not count: it says that
/// the key may be used for anything, not that its holder is a registration authority.
pub(super) fn is_registrar(certificate: &Certificate) -> bool {
    let Some(value) = extension(certificate.der(), &EXTENDED_KEY_USAGE) else {
        return false;
    };
    let Ok(usages) = Reader::new(&value, Rules::Der).sequence("extKeyUsage") else {
        return false;
    };
    let mut usages = usages.reader(Rules::Der);
    while let Ok(usage) = usages.expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "extKeyUsage") {
        if usage.content == CMC_REGISTRATION_AUTHORITY.as_bytes() {
            return true;
        }
    }
    false
}
