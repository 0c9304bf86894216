//! Who refused whom, for as long as a connection lives.

use std::io;
use std::sync::Arc;

use pki_common::Failure;
use pki_common::tls::{HandshakeContext, RefusalRecorder};

/// Explains the errors of one stream. In TLS 1.3 a refusal of our certificate arrives after the handshake.
#[derive(Debug)]
pub(crate) struct Refusals {
    context: HandshakeContext,
    recorder: Arc<RefusalRecorder>,
}

impl Refusals {
    /// `peer` is what the peer is called, with its article.
    pub(crate) fn of(peer: &'static str) -> Self {
        Self {
            context: HandshakeContext::with_authlist(peer),
            recorder: Arc::new(RefusalRecorder::default()),
        }
    }

    /// What is to watch the verification.
    pub(crate) const fn recorder(&self) -> &Arc<RefusalRecorder> {
        &self.recorder
    }

    /// Rung, cause and remedy of an error of the stream.
    pub(crate) fn explain(&self, error: &io::Error) -> Failure {
        super::diagnose(&self.context, error, Some(&self.recorder))
    }

    /// The same for an error that is not of the stream.
    pub(crate) fn explain_tls(&self, error: &rustls::Error) -> Failure {
        self.context.diagnose_tls(error, Some(&self.recorder))
    }
}
