//! What the server presents in the TLS handshake, as the faults want it.

use std::sync::Arc;

use pki_common::Certificate;
use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use time::{Duration, OffsetDateTime};

use super::authority::{self, Authority, Wanted};
use super::error::SimulatorError;
use super::fault::{Fault, Faults};

/// How long before now the certificate begins: clocks differ.
const BACKDATE: Duration = Duration::hours(1);
/// How long it is valid.
const VALIDITY: Duration = Duration::days(365);

/// The TLS configuration under these faults.
pub(super) fn server_config(
    authority: &Authority,
    host_names: &[String],
    faults: &Faults,
    client_certificates: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, SimulatorError> {
    let identity = identity(authority, host_names, faults, provider)?;
    let mut tls = ServerTls::new(Arc::new(identity));
    if client_certificates {
        let mut anchors = TrustStore::empty("client certificates");
        let root = Certificate::from_der(authority.root()).map_err(failed)?;
        anchors.add(&root).map_err(failed)?;
        tls.client_authentication = ClientAuthentication::Optional(PeerVerifier::trust_store(anchors));
    }
    tls.rustls_config().map_err(failed)
}

fn identity(
    authority: &Authority,
    host_names: &[String],
    faults: &Faults,
    provider: &Arc<CryptoProvider>,
) -> Result<Identity, SimulatorError> {
    let now = OffsetDateTime::now_utc();
    let wrong_name = faults.0.iter().find_map(|fault| match fault {
        Fault::WrongName(name) => Some(std::slice::from_ref(name)),
        _ => None,
    });
    let names = wrong_name.unwrap_or(host_names);
    let (not_before, not_after) = if faults.has(&Fault::NotYetValid) {
        (now + Duration::days(1), now + VALIDITY)
    } else if faults.has(&Fault::Expired) {
        (now - VALIDITY, now - Duration::days(1))
    } else {
        (now - BACKDATE, now + VALIDITY)
    };
    let wanted = Wanted {
        names,
        common_name: names.first().map_or("", String::as_str),
        not_before,
        not_after,
    };
    if faults.has(&Fault::SelfSigned) {
        return authority::self_signed(&wanted);
    }
    let with_chain = !faults.has(&Fault::MissingIntermediate);
    if faults.has(&Fault::UnknownAuthority) {
        return Authority::new("Unknown", Arc::clone(provider))?.identity(&wanted, with_chain);
    }
    authority.identity(&wanted, with_chain)
}

/// A certificate for a user, to log in with.
pub(super) fn client_identity(authority: &Authority, user: &str) -> Result<Identity, SimulatorError> {
    let now = OffsetDateTime::now_utc();
    let wanted = Wanted {
        names: &[],
        common_name: user,
        not_before: now - BACKDATE,
        not_after: now + VALIDITY,
    };
    authority.identity(&wanted, true)
}

fn failed(error: impl std::fmt::Display) -> SimulatorError {
    SimulatorError::Authority(error.to_string())
}
