//! What must hold for any PKIData or PKIResponse whatsoever; the fuzz target and the corpus test call it.

use super::{CmcLimits, PkiData, PkiResponse, TaggedRequest};
use crate::wire::csr::CsrLimits;

/// Feeds `data` to both decoders.
///
/// # Panics
/// When a property is violated: a decoder panics, a second trip changes what was read, or more body parts are accepted
/// than the limit.
pub fn oracle(data: &[u8]) {
    let limits = CmcLimits::default();
    if let Ok(request) = PkiData::from_der(data, &limits) {
        let parts = request.controls().len()
            + request.requests().len()
            + request.messages().len()
            + request.others().len();
        assert!(parts <= limits.body_parts, "accepted too many body parts");
        let again = PkiData::from_der(&request.to_der(), &limits);
        assert_eq!(again.as_ref(), Ok(&request), "a second trip changed the request");
        for control in request.controls() {
            check_control(control);
        }
        for tagged in request.requests() {
            let again = TaggedRequest::from_der(&tagged.to_der());
            assert_eq!(again.as_ref(), Ok(tagged), "a second trip changed a request");
            if let TaggedRequest::Crmf(message) = tagged {
                // Must not panic, whatever it holds.
                drop(message.to_request(&CsrLimits::default()));
            }
        }
    }
    if let Ok(response) = PkiResponse::from_der(data, &limits) {
        let again = PkiResponse::from_der(&response.to_der(), &limits);
        assert_eq!(
            again.as_ref(),
            Ok(&response),
            "a second trip changed the response"
        );
        response.controls.iter().for_each(check_control);
    }
}

/// What is read out of a control makes the same control again.
fn check_control(control: &super::TaggedAttribute) {
    if let Ok(read) = control.control() {
        let written = super::TaggedAttribute::new(control.id, &read);
        assert_eq!(
            written.control().as_ref(),
            Ok(&read),
            "a second trip changed a control"
        );
    }
}
