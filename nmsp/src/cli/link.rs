//! A connection to one peer whose messages the command handles itself: TCP, TLS, and whom to believe.

use std::path::PathBuf;
use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, HandshakeContext, KeyLogFile, RefusalRecorder, ServerTls};
use pki_common::{MacAddr, Rung, TlsFault};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::controller_check::{by_list_or_anchors, expecting};
use super::failure::CliError;
use crate::client::{DEFAULT_CONNECT_TIMEOUT, DEFAULT_HANDSHAKE_TIMEOUT, with_default_port};

/// How to reach a controller, and how to know it.
#[derive(Debug, clap::Args)]
pub(super) struct ControllerAccess {
    /// The controller, HOST or HOST:PORT; the port is 16113 if not given.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(super) controller: Option<String>,
    /// Our certificate chain, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "controller")]
    certificate: Option<PathBuf>,
    /// Our private key, PEM or DER.
    #[arg(long, value_name = "FILE", requires = "controller")]
    key: Option<PathBuf>,
    /// Authorities that the controller's certificate must come from; files or folders. Unless there is an authlist too,
    /// the certificate must also be for the host of --controller, or for what --expect-name or --expect-mac says.
    #[arg(long, value_name = "PATH")]
    trust_anchors: Vec<PathBuf>,
    /// An authlist that the controller must be in, any format.
    #[arg(long, value_name = "FILE")]
    controller_authlist: Option<PathBuf>,
    /// The DNS name or IP address that the controller's certificate must carry.
    #[arg(long, value_name = "NAME", conflicts_with = "expect_mac")]
    expect_name: Option<String>,
    /// The MAC address that must stand at the end of the common name of the controller's certificate.
    #[arg(long, value_name = "MAC")]
    expect_mac: Option<MacAddr>,
}

impl ControllerAccess {
    fn tls(&self) -> Result<ClientTls, CliError> {
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            return Err(CliError::usage(
                "a location server needs a certificate".to_owned(),
                "give --certificate and --key",
            ));
        };
        let identity = Identity::load(certificate, key).map_err(|error| CliError::of(&error))?;
        let peer = by_list_or_anchors(self.controller_authlist.as_deref(), &self.trust_anchors)?;
        let peer = expecting(peer, self.expect_name.as_deref(), self.expect_mac)?;
        Ok(ClientTls::new(peer).with_identity(Arc::new(identity)))
    }

    /// Connects. The address is that of the controller.
    pub(super) async fn connect(
        &self,
        secrets_to: Option<&std::path::Path>,
    ) -> Result<(Link<impl Stream + use<>>, String), CliError> {
        let Some(controller) = &self.controller else {
            return Err(CliError::usage("no controller".to_owned(), "give --controller"));
        };
        let mut tls = self.tls()?;
        if let Some(path) = secrets_to {
            tls = tls.dangerous_key_log(key_log(path)?);
        }
        let address = with_default_port(controller);
        let unreachable = |source| crate::Error::Connect {
            address: address.clone(),
            source,
        };
        let late = |what, rung, after| crate::Error::TimedOut { what, rung, after };
        let stream = timeout(DEFAULT_CONNECT_TIMEOUT, TcpStream::connect(&address))
            .await
            .map_err(|_| {
                late(
                    "the TCP connection to the controller",
                    Rung::Tcp,
                    DEFAULT_CONNECT_TIMEOUT,
                )
            })?
            .map_err(unreachable)?;
        let peer = stream.peer_addr().map_err(crate::Error::Transport)?;
        let host = address
            .rsplit_once(':')
            .map_or(address.as_str(), |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .unwrap_or_else(|_| ServerName::from(peer.ip()));
        let refusals = Refusals::of("the controller");
        let observer = Arc::<RefusalRecorder>::clone(&refusals.recorder);
        let config = tls.rustls_config_observed(observer).map_err(crate::Error::from)?;
        let handshake = TlsConnector::from(config).connect(name, stream);
        let stream = timeout(DEFAULT_HANDSHAKE_TIMEOUT, handshake)
            .await
            .map_err(|_| {
                late(
                    "the handshake with the controller",
                    Rung::Tls(TlsFault::Protocol),
                    DEFAULT_HANDSHAKE_TIMEOUT,
                )
            })?
            .map_err(|error| refusals.explain(&error))?;
        Ok((Link { stream, refusals }, peer.to_string()))
    }
}

/// What a link runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// An authenticated stream, and who refused whom if it breaks.
pub(super) struct Link<S> {
    pub(super) stream: S,
    pub(super) refusals: Refusals,
}

/// Explains errors of a stream. In TLS 1.3 a refusal of our certificate arrives after the handshake.
pub(super) struct Refusals {
    context: HandshakeContext,
    recorder: Arc<RefusalRecorder>,
}

impl Refusals {
    fn of(peer: &'static str) -> Self {
        Self {
            context: HandshakeContext::with_authlist(peer),
            recorder: Arc::new(RefusalRecorder::default()),
        }
    }

    pub(super) fn explain(&self, error: &std::io::Error) -> CliError {
        CliError::failed(self.context.diagnose_io(error, Some(&self.recorder)))
    }
}

/// Greets a location server.
pub(super) async fn accept(
    tls: &ServerTls,
    stream: TcpStream,
) -> Result<Link<impl Stream + use<>>, CliError> {
    let refusals = Refusals::of("the location server");
    let observer = Arc::<RefusalRecorder>::clone(&refusals.recorder);
    let config = tls.rustls_config_observed(observer).map_err(crate::Error::from)?;
    let after = DEFAULT_HANDSHAKE_TIMEOUT;
    let stream = timeout(after, TlsAcceptor::from(config).accept(stream))
        .await
        .map_err(|_| crate::Error::TimedOut {
            what: "the handshake with the location server",
            rung: Rung::Tls(TlsFault::Protocol),
            after,
        })?
        .map_err(|error| refusals.explain(&error))?;
    Ok(Link { stream, refusals })
}

/// Opens the file of `--dangerous-key-log`.
pub(super) fn key_log(path: &std::path::Path) -> Result<Arc<KeyLogFile>, CliError> {
    let opened = KeyLogFile::append(path).map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    });
    opened.map(Arc::new)
}
