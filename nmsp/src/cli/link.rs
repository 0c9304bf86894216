//! A connection to one peer whose messages the command handles itself: TCP, TLS, and whom to believe.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, KeyLogFile, RefusalRecorder, ServerTls};
use pki_common::{MacAddr, Rung, TlsFault};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::config::ServeConfig;
use super::controller_check::{by_list_or_anchors, expecting};
use super::failure::CliError;
use super::legacy::LegacyChoice;
use crate::client::{ClientConfig, DEFAULT_HANDSHAKE_TIMEOUT, dial};
use crate::server::Incoming;
#[cfg(feature = "openssl")]
use crate::transport::openssl;
use crate::transport::{Refusals, SecureStream};
use crate::wire::WireProfile;

/// How many old devices may wait to be greeted; more are turned away.
const WAITING_ARRIVALS: usize = 32;

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
    /// Speaks TLS 1.0 to 1.2 with static RSA, for old controllers; see docs/nmsp.md. Whoever records the traffic can read it
    /// when they get the controller's key. Needs a build with the feature openssl.
    #[arg(long, requires = "controller", conflicts_with = "dangerous_dtls")]
    dangerous_legacy_tls: bool,
    /// The same over DTLS 1.2 and UDP.
    #[arg(long, requires = "controller")]
    dangerous_dtls: bool,
    /// Cipher suites for --dangerous-legacy-tls or --dangerous-dtls, as `openssl ciphers` writes them.
    #[arg(long, value_name = "LIST", requires = "controller")]
    dangerous_legacy_ciphers: Option<String>,
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
        profile: &Arc<WireProfile>,
    ) -> Result<(Link<impl Stream + use<>>, String), CliError> {
        let Some(controller) = &self.controller else {
            return Err(CliError::usage("no controller".to_owned(), "give --controller"));
        };
        let mut config = ClientConfig::new(self.tls()?);
        if let Some(path) = secrets_to {
            config.tls = config.tls.dangerous_key_log(key_log(path)?);
        }
        config.connection.profile = Arc::clone(profile);
        let legacy = LegacyChoice {
            tls: self.dangerous_legacy_tls,
            dtls: self.dangerous_dtls,
            ciphers: self.dangerous_legacy_ciphers.as_deref(),
        };
        legacy.apply(&mut config)?;
        let (secured, address) = dial(controller, &config).await?;
        let link = Link {
            stream: secured.stream,
            refusals: secured.refusals,
        };
        Ok((link, address.to_string()))
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

impl<S> Link<S> {
    pub(super) fn explain(&self, error: &std::io::Error) -> CliError {
        CliError::failed(self.refusals.explain(error))
    }
}

/// Where location servers come in: the address of a configuration, and its listeners for old devices.
pub(super) struct Arrivals {
    listener: TcpListener,
    others: mpsc::Receiver<(Incoming, SocketAddr)>,
    /// They carry datagrams as well, so they last as long as this.
    _listeners: JoinSet<()>,
}

impl Arrivals {
    /// Listens; what to say about it on standard output.
    pub(super) async fn bind(config: &ServeConfig) -> Result<(Self, String), CliError> {
        let unbound = |source| crate::Error::Bind {
            address: config.listen.to_string(),
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(unbound)?;
        let address = listener.local_addr().map_err(crate::Error::Transport)?;
        let mut announcement = format!("listening on {address}\n");
        let (sender, others) = mpsc::channel(WAITING_ARRIVALS);
        let mut listeners = JoinSet::new();
        for table in &config.dangerous_legacy_transport {
            let (accepting, about) = table.accept_into(sender.clone()).await?;
            listeners.spawn(accepting);
            announcement.push_str(&about);
        }
        let arrivals = Self {
            listener,
            others,
            _listeners: listeners,
        };
        Ok((arrivals, announcement))
    }

    pub(super) async fn next(&mut self) -> std::io::Result<(Incoming, SocketAddr)> {
        tokio::select! {
            accepted = self.listener.accept() => {
                accepted.map(|(stream, peer)| (Incoming::Tls(stream), peer))
            }
            Some(arrived) = self.others.recv() => Ok(arrived),
        }
    }
}

/// Greets a location server.
pub(super) async fn accept(
    tls: &ServerTls,
    incoming: Incoming,
    profile: Arc<WireProfile>,
) -> Result<Link<impl Stream + use<>>, CliError> {
    let refusals = Refusals::of("the location server");
    let after = DEFAULT_HANDSHAKE_TIMEOUT;
    let stream = timeout(after, greet(tls, incoming, profile, &refusals))
        .await
        .map_err(|_| crate::Error::TimedOut {
            what: "the handshake with the location server",
            rung: Rung::Tls(TlsFault::Protocol),
            after,
        })??;
    Ok(Link { stream, refusals })
}

#[cfg_attr(
    not(feature = "openssl"),
    expect(unused_variables, reason = "only old devices need to know where messages end")
)]
async fn greet(
    tls: &ServerTls,
    incoming: Incoming,
    profile: Arc<WireProfile>,
    refusals: &Refusals,
) -> Result<SecureStream<TcpStream>, CliError> {
    let explained = |error: &std::io::Error| CliError::failed(refusals.explain(error));
    let observer = Arc::<RefusalRecorder>::clone(refusals.recorder());
    match incoming {
        Incoming::Tls(stream) => {
            let config = tls.rustls_config_observed(observer).map_err(crate::Error::from)?;
            let accepted = TlsAcceptor::from(config).accept(stream).await;
            accepted
                .map(|stream| SecureStream::Tls(stream.into()))
                .map_err(|error| explained(&error))
        }
        #[cfg(feature = "openssl")]
        Incoming::Legacy(stream, transport) => {
            let session = openssl::Session::server(&transport, tls, observer)?;
            let accepted = openssl::handshake(session, stream).await;
            accepted
                .map(SecureStream::Legacy)
                .map_err(|(error, _stream)| explained(&error))
        }
        #[cfg(feature = "openssl")]
        Incoming::Dtls(incoming, transport) => {
            let accepted = openssl::accept_dtls(&transport, tls, observer, incoming).await;
            accepted
                .map(|session| SecureStream::Dtls(Box::new(openssl::DtlsStream::new(session, profile))))
                .map_err(|error| explained(&error))
        }
    }
}

/// Opens the file of `--dangerous-key-log`.
pub(super) fn key_log(path: &std::path::Path) -> Result<Arc<KeyLogFile>, CliError> {
    let opened = KeyLogFile::append(path).map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    });
    opened.map(Arc::new)
}
