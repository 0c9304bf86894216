//! What must hold for any request body whatsoever; the fuzz target and the corpus test call it.

use super::{CsrLimits, UnverifiedCsr};

/// Feeds `body` to the decoder as the body of a `simpleenroll` request, and as DER.
///
/// # Panics
/// When a property is violated: a decoder panics, an accepted request does not consist of exactly the parts it was
/// taken apart into, or a request is no longer the same after a second trip through base64.
pub fn oracle(body: &[u8]) {
    let limits = CsrLimits::default();
    let accepted = [
        UnverifiedCsr::from_body(body, &limits),
        UnverifiedCsr::from_der(body, &limits),
    ];
    for csr in accepted.into_iter().flatten() {
        let request = csr.unverified_contents();
        assert!(
            request.der().len() <= limits.length,
            "accepted a request over the limit"
        );
        let reassembled = request.reassemble();
        if request.attributes().is_empty() {
            // Without attributes the empty set may have been left out.
            assert!(reassembled.len() - request.der().len() <= 6, "a part was lost");
        } else {
            assert_eq!(reassembled, request.der(), "the parts are not the whole");
        }
        assert!(
            request.requested_extensions().len() <= limits.extensions,
            "accepted too many extensions"
        );

        let text = crate::wire::base64::encode(request.der(), crate::wire::base64::Base64Layout::Columns64Lf);
        let again = UnverifiedCsr::from_body(text.as_bytes(), &limits);
        assert_eq!(
            again.as_ref(),
            Ok(&csr),
            "a second trip through base64 changed the request"
        );
    }
}
