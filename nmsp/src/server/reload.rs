//! Identity, authlist and trust store are read again while the server runs.

use pki_common::tls::ClientAuthentication;

use super::ServerHandle;
use crate::credentials::{CredentialError, CredentialFiles};

impl ServerHandle {
    /// Counts a reload that failed before it came to the files.
    #[cfg(feature = "cli")]
    pub(crate) fn note_failed_reload(&self) {
        self.shared.counters.reloaded(false);
    }

    /// Reads the files anew and uses them, all or none: for handshakes from now on, and to ask the authlist again about
    /// live tunnels; those that it no longer admits are closed within a second, the others stay. Everything else of the TLS
    /// configuration stays. The files are small and read on the calling thread.
    ///
    /// # Errors
    /// If a file cannot be used; then what was in force stays, and [`failed_reloads`](super::ServerCounters::failed_reloads)
    /// goes up.
    pub fn reload(&self, files: &CredentialFiles) -> Result<(), CredentialError> {
        let outcome = files.load().and_then(|(identity, location_servers)| {
            let mut tls = (*self.shared.tls.load_full()).clone();
            tls.identity = identity;
            tls.client_authentication = ClientAuthentication::Required(location_servers);
            Ok(self.replace_tls(tls)?)
        });
        self.shared.counters.reloaded(outcome.is_ok());
        outcome
    }
}
