//! Configurations that are replaced while a server runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

use super::{ServerTls, TlsConfigError};

/// A server's TLS that can be replaced without dropping a connection.
///
/// Take [`config`](Self::config) for each connection that is accepted. A replacement is a whole new rustls
/// configuration with a session memory of its own. So nothing that the old one let in, or lets in while it is being
/// replaced, is resumed under the new one: the client presents its certificate again, and the new trust store,
/// revocation lists and authlist are asked. Connections that are established stay as they are.
///
/// ```
/// # use std::sync::Arc;
/// # use pki_common::identity::{Identity, SelfSigned};
/// # use pki_common::tls::{ReloadableServerTls, ServerTls};
/// # if pki_common::tls::crypto_provider().is_err() { return Ok(()); } // a build without a provider
/// # let load = || Identity::self_signed(SelfSigned::new("00:50:56:9c:34:89".parse().unwrap()));
/// let reloadable = ReloadableServerTls::new(&ServerTls::new(Arc::new(load()?)))?;
/// let config = reloadable.config(); // for one connection
/// // On SIGHUP: read the files anew; when that fails, the old configuration stays.
/// reloadable.replace(&ServerTls::new(Arc::new(load()?)))?;
/// assert!(!Arc::ptr_eq(&config, &reloadable.config()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ReloadableServerTls {
    current: ArcSwap<Current>,
}

#[derive(Debug)]
struct Current {
    tls: Arc<ServerTls>,
    config: Arc<ServerConfig>,
}

impl Current {
    fn of(tls: &ServerTls) -> Result<Self, TlsConfigError> {
        // A clone remembers no session of the original.
        let tls = tls.clone();
        let config = tls.rustls_config()?;
        Ok(Self {
            tls: Arc::new(tls),
            config,
        })
    }
}

impl ReloadableServerTls {
    /// Begins with a copy of `tls`.
    ///
    /// # Errors
    /// As [`ServerTls::rustls_config`].
    pub fn new(tls: &ServerTls) -> Result<Self, TlsConfigError> {
        Ok(Self {
            current: ArcSwap::from_pointee(Current::of(tls)?),
        })
    }

    /// The configuration for the next connection. Takes no lock.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// What [`config`](Self::config) was made of, for [`ServerTls::rustls_config_observed`].
    #[must_use]
    pub fn tls(&self) -> Arc<ServerTls> {
        Arc::clone(&self.current.load().tls)
    }

    /// Puts a copy of `tls` in the place of the present one, for all connections accepted from now on.
    ///
    /// # Errors
    /// As [`ServerTls::rustls_config`]; then the present one stays.
    pub fn replace(&self, tls: &ServerTls) -> Result<(), TlsConfigError> {
        self.current.store(Arc::new(Current::of(tls)?));
        Ok(())
    }
}
