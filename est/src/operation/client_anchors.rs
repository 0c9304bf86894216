//! Whose certificates count under a label.
//!
//! A TLS handshake knows nothing of labels, so it lets in the clients of all of them. What a certificate is worth under
//! one label is decided here, for each request.

use std::sync::Arc;

use pki_common::trust_store::Usage;
use rustls_pki_types::UnixTime;

use super::{ConnectionFacts, Operations, Route};

impl Operations {
    /// The connection as the label of this request sees it: without the certificate of the client when it leads to none
    /// of [`LabelSettings::client_anchors`](super::LabelSettings::client_anchors), or no longer does.
    ///
    /// Costs the verification of the chain, but only under a label that has anchors of its own, and for an operation
    /// that demands a client.
    #[must_use]
    pub fn connection_for(
        &self,
        route: &Route,
        connection: &Arc<ConnectionFacts>,
        now: UnixTime,
    ) -> Arc<ConnectionFacts> {
        let anchors = self
            .service(route.label.as_ref())
            .and_then(|service| service.settings.client_anchors.as_ref());
        let (Some(anchors), Some(certificate)) = (anchors, &connection.certificate) else {
            return Arc::clone(connection);
        };
        if self.authentication(route).is_none() {
            return Arc::clone(connection);
        }
        match anchors.validate(certificate, &connection.intermediates, Usage::Client, now) {
            Ok(()) => Arc::clone(connection),
            Err(error) => {
                let label = route.label.as_ref().map(ToString::to_string).unwrap_or_default();
                tracing::info!(label, cause = %error, "the client certificate counts for nothing under this label");
                let mut without = ConnectionFacts::clone(connection);
                without.certificate = None;
                without.intermediates.clear();
                Arc::new(without)
            }
        }
    }
}
