//! What must hold for any PKIData or PKIResponse whatsoever; the fuzz target and the corpus test call it.

use super::{CertificateRequestMessage, CmcLimits, PkiData, PkiResponse, TaggedRequest};
use crate::error::WireError;
use crate::wire::asn1;
use crate::wire::csr::{CsrLimits, VerificationPolicy};

/// Feeds `data` to both decoders, and to that of a CRMF request.
///
/// # Panics
/// When a property is violated: a decoder panics, a second trip changes what was read, DER is not given back byte for
/// byte, a refusal points behind the input, or more body parts are accepted than the limit.
pub fn oracle(data: &[u8]) {
    let limits = CmcLimits::default();
    check_refusal(PkiData::from_der(data, &limits).err().as_ref(), data);
    check_refusal(PkiResponse::from_der(data, &limits).err().as_ref(), data);
    check_crmf(data);
    if let Ok(request) = PkiData::from_der(data, &limits) {
        let parts = request.controls().len()
            + request.requests().len()
            + request.messages().len()
            + request.others().len();
        assert!(parts <= limits.body_parts, "accepted too many body parts");
        let again = PkiData::from_der(&request.to_der(), &limits);
        assert_eq!(again.as_ref(), Ok(&request), "a second trip changed the request");
        check_encoding(&request.to_der(), data);
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
        check_encoding(&response.to_der(), data);
        response.controls.iter().for_each(check_control);
        // Must not panic, whatever they hold.
        drop(response.statuses());
    }
}

/// A CertReqMsg by itself: its request is read too, and signatures in it are verified.
fn check_crmf(data: &[u8]) {
    let Ok(message) = CertificateRequestMessage::from_der(data) else {
        return;
    };
    let again = CertificateRequestMessage::from_der(message.der());
    assert_eq!(again.as_ref(), Ok(&message), "a second trip changed the message");
    if let Ok(request) = message.to_request(&CsrLimits::default()) {
        // Must not panic, whatever was signed.
        drop(request.verify(&VerificationPolicy::default()));
    }
}

/// Definite lengths are shortest in DER, so what is as short is DER, and that is given back byte for byte.
fn check_encoding(encoded: &[u8], data: &[u8]) {
    if asn1::may_hold_indefinite_lengths(data) {
        return;
    }
    assert!(encoded.len() <= data.len(), "DER is longer than BER");
    assert!(
        encoded.len() < data.len() || encoded == data,
        "DER is not given back"
    );
}

fn check_refusal(error: Option<&WireError>, data: &[u8]) {
    if let Some(WireError::Der { position, .. }) = error {
        assert!(*position <= data.len(), "a refusal points nowhere");
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
