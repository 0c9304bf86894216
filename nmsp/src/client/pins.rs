//! Controllers whose certificates are pinned.

use std::path::Path;
use std::sync::Arc;

use pki_common::Diagnose as _;
use pki_common::pinning::{PinStore, PinStoreError};
use pki_common::tls::PeerVerifier;

use super::host::pin_name;
use crate::error::Error;

/// Controllers must present the certificate that `file` has for them; each connection asks for the name that it is made
/// to ([`pin_name`]).
///
/// # Errors
/// The file cannot be read, or a line of it is damaged.
pub fn pinned_controllers(file: impl AsRef<Path>) -> Result<PeerVerifier, Error> {
    open(file.as_ref()).map(|store| PeerVerifier::pinned_in(store, ""))
}

/// As [`pinned_controllers`]; but a controller that `file` has nothing for is accepted at its first connection, and its
/// certificate is pinned then. The log shows its fingerprint, to be compared with the one on the controller itself: who was
/// between the two at that moment is trusted from then on.
///
/// # Errors
/// As [`pinned_controllers`].
pub fn dangerous_pin_controllers_on_first_use(file: impl AsRef<Path>) -> Result<PeerVerifier, Error> {
    open(file.as_ref()).map(|store| PeerVerifier::dangerous_pin_on_first_use(store, "any controller"))
}

fn open(file: &Path) -> Result<Arc<PinStore>, Error> {
    PinStore::open(file).map(Arc::new).map_err(unusable)
}

#[expect(clippy::needless_pass_by_value, reason = "the signature map_err wants")]
fn unusable(error: PinStoreError) -> Error {
    let failure = error.diagnose();
    Error::Configuration {
        cause: failure.cause,
        remedy: failure.remedy,
    }
}

/// The same rules for the controller of this connection.
pub(super) fn for_controller(peer: PeerVerifier, controller: &str) -> PeerVerifier {
    peer.for_peer(&pin_name(controller))
}
