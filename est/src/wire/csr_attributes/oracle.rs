//! What must hold for any CSR attributes whatsoever; the fuzz target and the corpus test call it.

use super::{CsrAttributes, CsrAttributesLimits};
use crate::error::WireError;
use crate::wire::asn1;

/// Feeds `body` to the decoder as the body of a `csrattrs` response, and as DER.
///
/// # Panics
/// When a property is violated: a decoder panics, the attributes are no longer the same after a second trip, DER is
/// not given back byte for byte, a refusal points behind the input, or there are more entries than the limit.
pub fn oracle(body: &[u8]) {
    let limits = CsrAttributesLimits::default();
    let from_der = CsrAttributes::from_der(body, &limits);
    match &from_der {
        // Definite lengths are shortest in DER, so what is as short is DER.
        Ok(attributes) if !asn1::may_hold_indefinite_lengths(body) => {
            let der = attributes.to_der();
            assert!(der.len() <= body.len(), "DER is longer than BER");
            assert!(der.len() < body.len() || der == body, "DER is not given back");
        }
        Err(WireError::Der { position, .. }) => assert!(*position <= body.len(), "a refusal points nowhere"),
        _ => {}
    }
    let accepted = [CsrAttributes::from_body(body, &limits), from_der];
    for attributes in accepted.into_iter().flatten() {
        assert!(
            attributes.entries().len() <= limits.entries,
            "accepted too many entries"
        );
        let der = attributes.to_der();
        let again = CsrAttributes::from_der(&der, &limits);
        assert_eq!(
            again.as_ref(),
            Ok(&attributes),
            "a second trip changed the attributes"
        );
        assert_eq!(attributes.is_empty(), attributes.describe().is_empty());
        // Must not panic, whatever it is made of.
        drop(attributes.requirements().lines());
        if let Some(template) = attributes.template() {
            let again = super::CertificationRequestInfoTemplate::parse_der(&template.to_der(), &limits);
            assert_eq!(again.as_ref(), Ok(template), "a second trip changed the template");
        }
    }
}
