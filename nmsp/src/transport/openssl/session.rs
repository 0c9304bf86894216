//! One TLS session that has not begun.

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode, SslVerifyMode,
};
use openssl::x509::X509;
use rustls::KeyLog;
use rustls::pki_types::ServerName;

use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls, VerificationObserver};

use super::config::{Carrier, LegacyTransport};
use super::judge::{Judge, Peer};
use crate::error::Error;

/// `SSL_OP_LEGACY_SERVER_CONNECT` of `<openssl/ssl.h>`, for which the binding has no name: lets us connect to servers that
/// predate RFC 5746. What it protects against is renegotiation, and that is switched off.
const LEGACY_SERVER_CONNECT: SslOptions = SslOptions::from_bits_retain(4);

/// The longest datagram of a DTLS handshake: what every path of IPv6 carries (1280 bytes), less the headers.
const DTLS_MTU: u32 = 1232;

/// A session, and what judges the peer's certificate.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) ssl: Ssl,
    pub(super) judge: Arc<Judge>,
}

impl Session {
    /// The controller's side. `prepare` sees the context before it is used.
    pub(super) fn server_with(
        transport: &LegacyTransport,
        tls: &ServerTls,
        observer: Arc<dyn VerificationObserver>,
        prepare: impl FnOnce(&mut SslContextBuilder),
    ) -> Result<Self, Error> {
        let ClientAuthentication::Required(verifier) = &tls.client_authentication else {
            return Err(Error::Configuration {
                cause: "the controller must require a certificate of every location server".to_owned(),
                remedy: "set the client authentication to required".to_owned(),
            });
        };
        let verifier = verifier.clone().observed_by(observer);
        let identity = tls.current_identity();
        Self::new(transport, Some(&identity), verifier, Peer::Client, |context| {
            give_secrets(context, tls.key_log());
            prepare(context);
        })
    }

    /// The controller's side over TCP.
    pub(crate) fn server(
        transport: &LegacyTransport,
        tls: &ServerTls,
        observer: Arc<dyn VerificationObserver>,
    ) -> Result<Self, Error> {
        Self::server_with(transport, tls, observer, |_| {})
    }

    /// The controller's side for a peer that has returned `cookie`.
    pub(super) fn server_with_cookie(
        transport: &LegacyTransport,
        tls: &ServerTls,
        observer: Arc<dyn VerificationObserver>,
        cookie: Vec<u8>,
    ) -> Result<Self, Error> {
        let expected = cookie.clone();
        Self::server_with(transport, tls, observer, |context| {
            context.set_options(SslOptions::COOKIE_EXCHANGE);
            context.set_cookie_generate_cb(move |_, to| {
                // A cookie has at most 255 bytes, and OpenSSL has room for as many.
                let room = to.get_mut(..cookie.len()).ok_or_else(ErrorStack::get)?;
                room.copy_from_slice(&cookie);
                Ok(cookie.len())
            });
            context.set_cookie_verify_cb(move |_, presented| presented == expected);
        })
    }

    /// The location server's side.
    pub(crate) fn client(
        transport: &LegacyTransport,
        tls: &ClientTls,
        name: ServerName<'static>,
        observer: Arc<dyn VerificationObserver>,
    ) -> Result<Self, Error> {
        let verifier = tls.peer.clone().observed_by(observer);
        let identity = tls.current_identity();
        Self::new(
            transport,
            identity.as_deref(),
            verifier,
            Peer::Server(name),
            |context| give_secrets(context, tls.key_log()),
        )
    }

    fn new(
        transport: &LegacyTransport,
        identity: Option<&Identity>,
        verifier: PeerVerifier,
        peer: Peer,
        prepare: impl FnOnce(&mut SslContextBuilder),
    ) -> Result<Self, Error> {
        let mut context = context(transport)?;
        if let Some(identity) = identity {
            present(&mut context, identity).map_err(|error| unusable("certificate and key", &error))?;
        }
        prepare(&mut context);
        let datagrams = transport.carrier() == Carrier::Dtls;
        Self::in_context(&context.build(), datagrams, verifier, peer)
            .map_err(|error| unusable("session", &error))
    }

    fn in_context(
        context: &SslContext,
        datagrams: bool,
        verifier: PeerVerifier,
        peer: Peer,
    ) -> Result<Self, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        if datagrams {
            ssl.set_mtu(DTLS_MTU)?;
        }
        match &peer {
            Peer::Client => ssl.set_accept_state(),
            Peer::Server(name) => {
                if let ServerName::DnsName(name) = name {
                    ssl.set_hostname(name.as_ref())?;
                }
                ssl.set_connect_state();
            }
        }
        let judge = Arc::new(Judge::new(verifier, peer)?);
        let asked = Arc::clone(&judge);
        ssl.set_verify_callback(
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            move |_, context| asked.asked(context),
        );
        Ok(Self { ssl, judge })
    }
}

/// Gives the secrets of the session to a key log, if there is one.
fn give_secrets(context: &mut SslContextBuilder, key_log: Option<&Arc<dyn KeyLog>>) {
    let Some(key_log) = key_log.map(Arc::clone) else {
        return;
    };
    context.set_keylog_callback(move |_, line| {
        let mut words = line.split(' ');
        if let (Some(label), Some(Some(random)), Some(Some(secret))) = (
            words.next(),
            words.next().map(from_hex),
            words.next().map(from_hex),
        ) {
            key_log.log(label, &random, &secret);
        }
    });
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(digits).collect()
}

pub(super) fn context(transport: &LegacyTransport) -> Result<SslContextBuilder, Error> {
    let method = match transport.carrier() {
        Carrier::Tls { .. } => SslMethod::tls(),
        Carrier::Dtls => SslMethod::dtls(),
    };
    let mut context = SslContext::builder(method).map_err(|error| unusable("context", &error))?;
    // First of all, because the level judges everything that is set after it.
    context.set_security_level(0);
    configure(&mut context, transport).map_err(|error| unusable("versions", &error))?;
    context
        .set_cipher_list(&transport.cipher_list())
        .map_err(|_| Error::Configuration {
            cause: format!(
                "the installed OpenSSL has no cipher suite of \"{}\"",
                transport.ciphers
            ),
            remedy: "compare with `openssl ciphers -s -v 'ALL:@SECLEVEL=0'`".to_owned(),
        })?;
    Ok(context)
}

fn configure(context: &mut SslContextBuilder, transport: &LegacyTransport) -> Result<(), ErrorStack> {
    let (oldest, newest) = transport.versions();
    context.set_min_proto_version(Some(oldest))?;
    context.set_max_proto_version(Some(newest))?;
    context.set_options(
        SslOptions::NO_TICKET
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_COMPRESSION
            | SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_QUERY_MTU
            | LEGACY_SERVER_CONNECT,
    );
    // A resumed session would skip the authlist.
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context
        .set_mode(SslMode::AUTO_RETRY | SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    Ok(())
}

fn present(context: &mut SslContextBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    let mut chain = identity.chain().iter();
    if let Some(own) = chain.next() {
        context.set_certificate(&*X509::from_der(own)?)?;
    }
    for issuer in chain {
        context.add_extra_chain_cert(X509::from_der(issuer)?)?;
    }
    let key = PKey::private_key_from_der(identity.private_key().secret_der())?;
    context.set_private_key(&key)?;
    context.check_private_key()
}

fn unusable(what: &str, error: &ErrorStack) -> Error {
    Error::Configuration {
        cause: format!("OpenSSL refuses the {what}: {error}"),
        remedy: "use an RSA or EC key that old devices know; compare with `openssl s_server`".to_owned(),
    }
}
