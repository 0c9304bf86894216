//! Channel bindings of a TLS connection: what proves that a request was made for this very connection.
//!
//! EST links a certificate request to its TLS session: the client puts the base64 of a channel binding into the
//! request's challengePassword, and the server compares it with its own view of the connection (RFC 7030
//! section 3.5). A request that was copied from another connection does not match.
//!
//! | type | value | for |
//! |---|---|---|
//! | [`TlsUnique`](ChannelBindingType::TlsUnique) | the first Finished message, 12 bytes (RFC 5929 section 3) | TLS 1.2 |
//! | [`TlsExporter`](ChannelBindingType::TlsExporter) | 32 exported bytes (RFC 9266) | TLS 1.3, and 1.2 with extended master secret |
//!
//! rustls has no tls-unique. A configuration whose `channel_binding` is on
//! ([`ServerTls`](crate::tls::ServerTls), [`ClientTls`](crate::tls::ClientTls)) uses cipher suites whose
//! pseudo-random function notes the first Finished message while the handshake runs inside a
//! [`FinishedRecorder`]. TLS 1.2 then demands the extended master secret (RFC 7627), because without it two
//! connections can be made to share a tls-unique.
//!
//! # With tokio-rustls
//!
//! ```no_run
//! use pki_common::channel_binding::{ChannelBindings, record_handshake};
//!
//! # async fn f<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
//! #     acceptor: tokio_rustls::TlsAcceptor, connector: tokio_rustls::TlsConnector,
//! #     name: rustls_pki_types::ServerName<'static>, tcp: S, other_tcp: S) -> std::io::Result<()> {
//! // A server; `acceptor` is made of a `ServerTls` whose `channel_binding` is true.
//! let (accepted, finished) = record_handshake(acceptor.accept(tcp)).await;
//! let stream = accepted?;
//! let bindings = ChannelBindings::of_server(stream.get_ref().1, &finished);
//! // ... for every request of this connection: bindings.check(challenge_password)?
//!
//! // A client.
//! let (connected, finished) = record_handshake(connector.connect(name, other_tcp)).await;
//! let stream = connected?;
//! let bindings = ChannelBindings::of_client(stream.get_ref().1, &finished);
//! let challenge_password = bindings.preferred().map(|(_type, base64)| base64);
//! # Ok(()) }
//! ```
//!
//! A time-out goes around the whole: `timeout(limit, record_handshake(...))`. Without a runtime, drive the
//! connection inside [`FinishedRecorder::scope`].

mod presented;
mod provider;
mod recorder;

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ClientConnection, ProtocolVersion, ServerConnection};

pub use presented::{ChannelBindingMismatch, MAX_PRESENTED_CHARACTERS};
pub(crate) use provider::recording_provider;
pub use recorder::{FinishedRecorder, RecordHandshake, record_handshake};

/// Bytes of a tls-unique: the verify_data of every TLS 1.2 cipher suite here (RFC 5246 section 7.4.9).
pub const TLS_UNIQUE_BYTES: usize = 12;

/// Bytes of a tls-exporter (RFC 9266 section 2).
pub const TLS_EXPORTER_BYTES: usize = 32;

/// The label of RFC 9266 section 2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// A type of channel binding, in the IANA registry's sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelBindingType {
    /// `tls-unique`, RFC 5929.
    TlsUnique,
    /// `tls-exporter`, RFC 9266.
    TlsExporter,
}

impl ChannelBindingType {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsUnique => "tls-unique",
            Self::TlsExporter => "tls-exporter",
        }
    }
}

impl fmt::Display for ChannelBindingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The channel bindings of one finished connection. The default has none, as a connection without TLS.
///
/// `Debug` says which are there and hides their values: who knows them can present a request as made for this
/// connection.
#[derive(Clone, Default)]
pub struct ChannelBindings {
    tls_unique: Option<[u8; TLS_UNIQUE_BYTES]>,
    tls_exporter: Option<[u8; TLS_EXPORTER_BYTES]>,
}

impl ChannelBindings {
    /// Bindings that were obtained elsewhere, for example from a proxy that ends TLS, or in a test.
    #[must_use]
    pub const fn new(
        tls_unique: Option<[u8; TLS_UNIQUE_BYTES]>,
        tls_exporter: Option<[u8; TLS_EXPORTER_BYTES]>,
    ) -> Self {
        Self {
            tls_unique,
            tls_exporter,
        }
    }

    /// The bindings of a server's connection whose handshake ran inside `finished`.
    ///
    /// Before the end of the handshake there are none. tls-unique is missing with TLS 1.3, when the configuration
    /// does not record (`ServerTls::channel_binding`), and when `finished` saw more than one handshake.
    /// tls-exporter is missing on TLS 1.2 when no extended master secret was seen, which a resumed session does
    /// not show (RFC 9266 section 4.2 forbids it then).
    #[must_use]
    pub fn of_server(connection: &ServerConnection, finished: &FinishedRecorder) -> Self {
        let export = |output| {
            connection
                .export_keying_material(output, EXPORTER_LABEL, Some(b""))
                .ok()
        };
        Self::of_finished(
            connection.protocol_version(),
            connection.is_handshaking(),
            finished,
            export,
        )
    }

    /// The bindings of a client's connection whose handshake ran inside `finished`; the rules are those of
    /// [`of_server`](Self::of_server).
    #[must_use]
    pub fn of_client(connection: &ClientConnection, finished: &FinishedRecorder) -> Self {
        let export = |output| {
            connection
                .export_keying_material(output, EXPORTER_LABEL, Some(b""))
                .ok()
        };
        Self::of_finished(
            connection.protocol_version(),
            connection.is_handshaking(),
            finished,
            export,
        )
    }

    fn of_finished(
        version: Option<ProtocolVersion>,
        handshaking: bool,
        finished: &FinishedRecorder,
        export: impl FnOnce([u8; TLS_EXPORTER_BYTES]) -> Option<[u8; TLS_EXPORTER_BYTES]>,
    ) -> Self {
        // Some(b""): with TLS 1.2 an empty context differs from none (RFC 5705 section 4), and RFC 9266 says empty.
        let output = [0; TLS_EXPORTER_BYTES];
        match version {
            _ if handshaking => Self::default(),
            Some(ProtocolVersion::TLSv1_3) => Self::new(None, export(output)),
            Some(ProtocolVersion::TLSv1_2) => Self::new(
                finished.tls_unique(),
                finished
                    .saw_extended_master_secret()
                    .then(|| export(output))
                    .flatten(),
            ),
            _ => Self::default(),
        }
    }

    /// The tls-unique, raw.
    #[must_use]
    pub const fn tls_unique(&self) -> Option<&[u8; TLS_UNIQUE_BYTES]> {
        self.tls_unique.as_ref()
    }

    /// The tls-exporter, raw.
    #[must_use]
    pub const fn tls_exporter(&self) -> Option<&[u8; TLS_EXPORTER_BYTES]> {
        self.tls_exporter.as_ref()
    }

    /// Whether the connection has no binding: proof of possession cannot be checked on it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tls_unique.is_none() && self.tls_exporter.is_none()
    }

    /// The base64 of one binding, without line ends, as it goes into a challengePassword.
    #[must_use]
    pub fn to_base64(&self, binding: ChannelBindingType) -> Option<String> {
        self.value(binding).map(|value| STANDARD.encode(value))
    }

    /// What a client presents: tls-unique where there is one, as RFC 7030 has it, else tls-exporter.
    #[must_use]
    pub fn preferred(&self) -> Option<(ChannelBindingType, String)> {
        self.available()
            .next()
            .map(|(binding, value)| (binding, STANDARD.encode(value)))
    }

    fn value(&self, binding: ChannelBindingType) -> Option<&[u8]> {
        self.available()
            .find(|(available, _)| *available == binding)
            .map(|(_, value)| value)
    }

    fn available(&self) -> impl Iterator<Item = (ChannelBindingType, &[u8])> {
        let unique = self
            .tls_unique
            .as_ref()
            .map(|value| (ChannelBindingType::TlsUnique, value.as_slice()));
        let exporter = self
            .tls_exporter
            .as_ref()
            .map(|value| (ChannelBindingType::TlsExporter, value.as_slice()));
        unique.into_iter().chain(exporter)
    }
}

impl fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = |is: bool| if is { "present" } else { "absent" };
        f.debug_struct("ChannelBindings")
            .field(
                "tls_unique",
                &format_args!("{}", present(self.tls_unique.is_some())),
            )
            .field(
                "tls_exporter",
                &format_args!("{}", present(self.tls_exporter.is_some())),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_values() {
        let bindings = ChannelBindings::new(Some([7; TLS_UNIQUE_BYTES]), None);
        assert_eq!(
            format!("{bindings:?}"),
            "ChannelBindings { tls_unique: present, tls_exporter: absent }"
        );
    }

    #[test]
    fn a_client_presents_tls_unique_where_there_is_one() {
        let unique = Some([0; TLS_UNIQUE_BYTES]);
        let exporter = Some([0xff; TLS_EXPORTER_BYTES]);
        let presented = |unique, exporter| ChannelBindings::new(unique, exporter).preferred();
        assert_eq!(
            presented(unique, exporter),
            Some((ChannelBindingType::TlsUnique, "AAAAAAAAAAAAAAAA".to_owned()))
        );
        assert_eq!(
            presented(None, exporter),
            Some((
                ChannelBindingType::TlsExporter,
                "//////////////////////////////////////////8=".to_owned()
            ))
        );
        assert_eq!(presented(None, None), None);
        assert!(ChannelBindings::default().is_empty());
        let unique_only = ChannelBindings::new(unique, None);
        assert_eq!(unique_only.to_base64(ChannelBindingType::TlsExporter), None);
    }
}
