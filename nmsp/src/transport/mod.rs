//! What carries the messages, where it is not TLS 1.2 or 1.3 by rustls; and how a failed handshake is read whatever
//! made it.

mod link;
#[cfg(feature = "openssl")]
pub mod openssl;
mod refusals;
mod secure_stream;

use std::io;

use pki_common::tls::{HandshakeContext, RefusalRecorder, alert_sent_for};
use pki_common::{Alert, Failure};

pub(crate) use link::{ControllerStream, Link, SecureError};
pub(crate) use refusals::Refusals;
pub(crate) use secure_stream::SecureStream;

/// A fatal alert that ended a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FatalAlert {
    /// The peer sent it.
    Received(Alert),
    /// We sent it.
    Sent(Alert),
}

/// Rung, cause and remedy of a failed handshake.
pub(crate) fn diagnose(
    context: &HandshakeContext,
    error: &io::Error,
    recorder: Option<&RefusalRecorder>,
) -> Failure {
    #[cfg(feature = "openssl")]
    if let Some(error) = openssl::LegacyTlsError::in_io(error) {
        return error.diagnose(context, recorder);
    }
    context.diagnose_io(error, recorder)
}

/// The alert that ended the handshake, if there was one.
pub(crate) fn fatal_alert(error: &io::Error) -> Option<FatalAlert> {
    #[cfg(feature = "openssl")]
    if let Some(error) = openssl::LegacyTlsError::in_io(error) {
        return error.alert();
    }
    match rustls_error(error)? {
        rustls::Error::AlertReceived(description) => Some(FatalAlert::Received(Alert((*description).into()))),
        error => alert_sent_for(error).map(FatalAlert::Sent),
    }
}

/// Whether TLS itself failed and not the transport below it.
pub(crate) fn is_tls_error(error: &io::Error) -> bool {
    #[cfg(feature = "openssl")]
    if openssl::LegacyTlsError::in_io(error).is_some() {
        return true;
    }
    rustls_error(error).is_some()
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
