//! From the host name to a TLS connection, each step with its own time-out.

use std::io;
use std::sync::Arc;

use pki_common::channel_binding::ChannelBindings;
use pki_common::tls::{ClientTls, HandshakeContext, RefusalRecorder};
use pki_common::{Certificate, Diagnose as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::adcs::ntlm::ChannelBindingToken;
use crate::adcs::{CertsrvError, CertsrvSettings, Page, Step};
use crate::client::ByteStream;
use crate::client::connection::Connection;
use crate::client::reach::{Unreached, reach};

/// A connection on which nobody has logged in yet.
pub(super) struct Connected {
    pub(super) connection: Connection,
    pub(super) channel_binding: Option<ChannelBindingToken>,
}

pub(super) async fn connect(
    settings: &CertsrvSettings,
    tls: &ClientTls,
    id: u64,
) -> Result<Connected, CertsrvError> {
    let timeouts = &settings.timeouts;
    let url = &settings.url;
    let stream = timeout(timeouts.connect, reach(url.host(), url.port()))
        .await
        .map_err(|_| CertsrvError::TimedOut {
            step: Step::Connect,
            time: timeouts.connect,
        })?
        .map_err(|why| unreached(url.host(), url.port(), why))?;
    // What a refusal was for does not fit into every error of rustls: a self-signed certificate has an unknown issuer too.
    let refusal = Arc::new(RefusalRecorder::default());
    let observed = tls
        .rustls_config_observed(Arc::<RefusalRecorder>::clone(&refusal))
        .map_err(|error| CertsrvError::TlsConfig(Box::new(error.diagnose())))?;
    let connector = TlsConnector::from(observed);
    let stream: Box<dyn ByteStream> = Box::new(stream);
    let stream = timeout(
        timeouts.handshake,
        connector.connect(url.server_name().clone(), stream),
    )
    .await
    .map_err(|_| CertsrvError::TimedOut {
        step: Step::Handshake,
        time: timeouts.handshake,
    })?
    .map_err(|error| handshake_error(&error, &refusal))?;
    let channel_binding = channel_binding(&stream);
    let connection = Connection::new(id, stream, ChannelBindings::default())
        .await
        .map_err(|error| CertsrvError::ConnectionLost {
            page: Page::Login,
            cause: error.to_string(),
        })?;
    Ok(Connected {
        connection,
        channel_binding,
    })
}

fn unreached(host: &str, port: u16, why: Unreached) -> CertsrvError {
    let attempts = match why {
        Unreached::NotResolved(cause) => {
            let host = host.to_owned();
            return CertsrvError::NameResolution { host, cause };
        }
        Unreached::NotConnected(attempts) => attempts,
    };
    let refused = |(_, error): &(_, io::Error)| error.kind() == io::ErrorKind::ConnectionRefused;
    let is_refused = attempts.iter().any(refused);
    let (host, cause) = (format!("{host} port {port}"), Unreached::causes(&attempts));
    if is_refused {
        CertsrvError::ConnectionRefused { host, cause }
    } else {
        CertsrvError::Unreachable { host, cause }
    }
}

fn handshake_error(error: &io::Error, refusal: &RefusalRecorder) -> CertsrvError {
    let of_tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if of_tls.is_none() {
        return CertsrvError::ConnectionLost {
            page: Page::Login,
            cause: format!("in the TLS handshake: {error}"),
        };
    }
    let context = HandshakeContext {
        peer: "the AD CS server".to_owned(),
        peer_has_authlist: false,
    };
    CertsrvError::Tls(Box::new(context.diagnose_io(error, Some(refusal))))
}

fn channel_binding(stream: &TlsStream<Box<dyn ByteStream>>) -> Option<ChannelBindingToken> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(ChannelBindingToken::of_server(&certificate))
}
