//! Old devices on the command line and in configuration files.

use std::net::SocketAddr;

use serde::Deserialize;

use super::failure::CliError;
use crate::client::ClientConfig;
use crate::server::Server;

/// A listener for old devices, `[[dangerous-legacy-transport]]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(
    not(feature = "openssl"),
    expect(dead_code, reason = "a build without OpenSSL reads it to refuse it")
)]
pub(super) struct LegacyTable {
    listen: SocketAddr,
    /// DTLS 1.2 over UDP instead of TLS over TCP.
    #[serde(default)]
    dtls: bool,
    /// "1.0", "1.1" or "1.2".
    oldest: Option<String>,
    newest: Option<String>,
    /// As `openssl ciphers` writes them.
    ciphers: Option<String>,
}

/// What `nmsp connect` speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct LegacyChoice<'a> {
    pub(super) tls: bool,
    pub(super) dtls: bool,
    pub(super) ciphers: Option<&'a str>,
}

#[cfg(feature = "openssl")]
mod with_openssl {
    use std::net::SocketAddr;

    use tokio::sync::mpsc;

    use super::{CliError, ClientConfig, LegacyChoice, LegacyTable, Server};
    use crate::server::{Incoming, LegacyListener};
    use crate::transport::openssl::{LegacyTransport, LegacyVersion};

    impl LegacyTable {
        /// Listens; what to say about it on standard output.
        pub(in crate::cli) async fn listen(&self, server: &mut Server) -> Result<String, CliError> {
            let transport = self.transport()?;
            let what = transport.to_string();
            let address = server.dangerous_listen_legacy(self.listen, transport).await?;
            Ok(format!("listening on {address} for old devices ({what})\n"))
        }

        /// Listens for a command that greets its peers itself: the task that accepts them, and what to say about it.
        pub(in crate::cli) async fn accept_into(
            &self,
            arrivals: mpsc::Sender<(Incoming, SocketAddr)>,
        ) -> Result<(impl Future<Output = ()> + Send + use<>, String), CliError> {
            let transport = self.transport()?;
            let what = transport.to_string();
            let (listener, address) = LegacyListener::bind(self.listen, transport).await?;
            let accepting = listener.serve(move |incoming, peer| {
                if let Err(error) = arrivals.try_send((incoming, peer)) {
                    tracing::warn!("an old device was turned away: {error}");
                }
            });
            Ok((
                accepting,
                format!("listening on {address} for old devices ({what})\n"),
            ))
        }

        fn transport(&self) -> Result<LegacyTransport, CliError> {
            let version = |text: &Option<String>, otherwise| match text {
                Some(text) => Ok::<_, CliError>(text.parse::<LegacyVersion>()?),
                None => Ok(otherwise),
            };
            let (oldest, newest) = (
                version(&self.oldest, LegacyVersion::Tls10)?,
                version(&self.newest, LegacyVersion::Tls12)?,
            );
            if oldest > newest {
                let cause =
                    format!("dangerous-legacy-transport: oldest {oldest} is newer than newest {newest}");
                return Err(CliError::usage(cause, "swap the two"));
            }
            if self.dtls && (self.oldest.is_some() || self.newest.is_some()) {
                return Err(CliError::usage(
                    "dangerous-legacy-transport: oldest and newest are versions of TLS, but dtls is on"
                        .to_owned(),
                    "leave them out: DTLS is version 1.2",
                ));
            }
            let mut transport = if self.dtls {
                LegacyTransport::dangerous_dtls()
            } else {
                LegacyTransport::dangerous_tls_versions(oldest, newest)
            };
            if let Some(ciphers) = &self.ciphers {
                transport.ciphers.clone_from(ciphers);
            }
            Ok(transport)
        }
    }

    impl LegacyChoice<'_> {
        pub(in crate::cli) fn apply(self, config: &mut ClientConfig) -> Result<(), CliError> {
            let mut transport = match (self.tls, self.dtls) {
                (false, false) => return Ok(()),
                (true, false) => LegacyTransport::dangerous_tls(),
                (false, true) => LegacyTransport::dangerous_dtls(),
                (true, true) => {
                    return Err(CliError::usage(
                        "both dangerous-legacy-tls and dangerous-dtls".to_owned(),
                        "give one of them",
                    ));
                }
            };
            if let Some(ciphers) = self.ciphers {
                ciphers.clone_into(&mut transport.ciphers);
            }
            config.dangerous_legacy = Some(transport);
            Ok(())
        }
    }
}

#[cfg(not(feature = "openssl"))]
mod without_openssl {
    use std::net::SocketAddr;

    use tokio::sync::mpsc;

    use super::{CliError, ClientConfig, LegacyChoice, LegacyTable, Server};
    use crate::server::Incoming;

    const REMEDY: &str =
        "install OpenSSL's headers (libssl-dev) and build with `cargo build -p nmsp --features cli,openssl`";

    fn not_built(what: &str) -> CliError {
        CliError::usage(format!("{what}: this nmsp was built without OpenSSL"), REMEDY)
    }

    impl LegacyTable {
        #[expect(clippy::unused_async, reason = "the other build awaits")]
        pub(in crate::cli) async fn listen(&self, _server: &mut Server) -> Result<String, CliError> {
            Err(not_built("dangerous-legacy-transport"))
        }

        #[expect(clippy::unused_async, reason = "the other build awaits")]
        pub(in crate::cli) async fn accept_into(
            &self,
            _arrivals: mpsc::Sender<(Incoming, SocketAddr)>,
        ) -> Result<(core::future::Ready<()>, String), CliError> {
            Err(not_built("dangerous-legacy-transport"))
        }
    }

    impl LegacyChoice<'_> {
        pub(in crate::cli) fn apply(self, _config: &mut ClientConfig) -> Result<(), CliError> {
            match self {
                Self { tls: true, .. } => Err(not_built("dangerous-legacy-tls")),
                Self { dtls: true, .. } => Err(not_built("dangerous-dtls")),
                Self { ciphers: Some(_), .. } => Err(not_built("dangerous-legacy-ciphers")),
                _ => Ok(()),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn says_how_to_build_it() {
            let error = not_built("dangerous-dtls");
            assert!(error.to_string().contains("built without OpenSSL"), "{error}");
            assert!(REMEDY.contains("--features cli,openssl"));
        }
    }
}
