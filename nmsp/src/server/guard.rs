//! Looks after the authlist: who was admitted and would not be any more has to go.

use core::time::Duration;
use std::sync::Arc;

use pki_common::authlist::{AuthList, AuthListRefusal, SharedAuthList};
use pki_common::certificate::{Certificate, CertificateType};
use pki_common::tls::{ClientAuthentication, ServerTls};

use super::Shared;
use super::ending::Order;
use crate::wire::numbers::DisconnectReason;

/// How often the authlist is looked at. Unless it was replaced, that is comparing two pointers.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Remembers the authlist that live connections were last checked against.
#[derive(Debug, Default)]
pub(super) struct Guard {
    checked: Option<Arc<AuthList>>,
}

impl Guard {
    /// Checks every connection again if the authlist was replaced since the last look.
    pub(super) fn look(&mut self, shared: &Shared) {
        let present = authlist(&shared.tls.load()).map(SharedAuthList::load);
        let replaced = match (&self.checked, &present) {
            (Some(checked), Some(present)) => !Arc::ptr_eq(checked, present),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if let Some(list) = present.as_ref().filter(|_| replaced) {
            for admitted in shared.registry.admitted() {
                if let Err(refusal) = still_admits(list, &admitted.certificate)
                    && admitted.ending.order(withdrawn(&refusal))
                {
                    shared.counters.authorization_withdrawn();
                    tracing::warn!(connection = admitted.id, %refusal, "the authlist no longer admits the peer");
                }
            }
        }
        self.checked = present;
    }
}

/// The authlist that location servers are checked against, if there is one.
pub(super) fn authlist(tls: &ServerTls) -> Option<&SharedAuthList> {
    match &tls.client_authentication {
        ClientAuthentication::Required(peer) | ClientAuthentication::Optional(peer) => peer.shared_authlist(),
        ClientAuthentication::None => None,
    }
}

/// Asks the list about a certificate that was valid when it connected.
pub(super) fn still_admits(list: &AuthList, certificate: &Certificate) -> Result<(), AuthListRefusal> {
    let validated_as = if certificate.is_self_issued() {
        CertificateType::Ssc
    } else {
        certificate.certificate_type()
    };
    list.check(certificate, validated_as).map(drop)
}

pub(super) fn withdrawn(refusal: &AuthListRefusal) -> Order {
    Order {
        reason: DisconnectReason::NOT_AUTHORIZED,
        explanation: format!("the controller's authlist no longer admits this location server: {refusal}"),
    }
}
