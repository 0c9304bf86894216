//! `unchecked-signature`: a certificate for a key that the sender need not have.
//!
//! The signature of a certificate request proves that its sender holds the private key (RFC 2986). The device reads it, and
//! does not check it: whoever changes a request gets a certificate for what it says then.

use std::net::TcpListener;

use est::wire::csr::{CertificationRequest, UnverifiedCsr};

use super::{Own, serve as serve_with};
use crate::lab::{Failed, Lab};

struct UncheckedSignature;

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    serve_with(listener, lab, UncheckedSignature)
}

impl Own for UncheckedSignature {
    fn check(&self, request: UnverifiedCsr) -> Result<CertificationRequest, String> {
        // The planted defect: this is what the request says, whoever wrote it.
        Ok(request.unverified_contents().clone())
    }
}
