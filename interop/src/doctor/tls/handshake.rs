//! The handshake as our clients make it.

use std::sync::Arc;
use std::time::Instant;

use pki_common::identity::Identity;
use pki_common::tls::{HandshakeContext, PeerVerifier, RefusalRecorder, crypto_provider};
use pki_common::trust_store::TrustStore;
use pki_common::{Alert, Diagnose as _, Failure, KnownCause, Side};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client_certificate::{Asked, Resolver};
use super::versions::{suite_name, version_name};
use crate::doctor::road::Road;
use crate::doctor::walk::Findings;

/// What our side brings to the handshake.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Terms {
    /// The name of the server, for SNI and for its certificate.
    pub(in crate::doctor) name: ServerName<'static>,
    /// What its certificate must satisfy.
    pub(in crate::doctor) verifier: PeerVerifier,
    /// Our own certificate.
    pub(in crate::doctor) identity: Option<Arc<Identity>>,
    pub(in crate::doctor) alpn: Vec<Vec<u8>>,
    /// What the server is called, and whether it has an authlist.
    pub(in crate::doctor) context: HandshakeContext,
}

/// A handshake that succeeded on our side. With TLS 1.3 the server's verdict on our certificate is still to come.
#[derive(Debug)]
pub(in crate::doctor) struct Handshake {
    pub(in crate::doctor) stream: TlsStream<TcpStream>,
    /// What the server asked of us, if it did.
    pub(in crate::doctor) asked: Option<Asked>,
    /// When it was over.
    pub(in crate::doctor) finished: Instant,
}

/// Connects and shakes hands, and tells what was agreed.
pub(in crate::doctor) async fn shake(
    road: &Road,
    terms: &Terms,
    findings: &mut Findings,
) -> Result<Handshake, Failure> {
    let recorder = Arc::new(RefusalRecorder::default());
    let resolver = Resolver::new(terms.identity.as_ref());
    let config = config(terms, &recorder, &resolver)?;
    let stream = road.open().await?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(terms.name.clone(), stream);
    let outcome = timeout(road.limit, handshake).await;
    let finished = Instant::now();
    let asked = resolver.asked();
    note_asked(asked.as_ref(), terms, findings);
    let stream = match outcome {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let failure = terms.context.diagnose_io(&error, Some(&recorder));
            return Err(terms.explain(failure, asked.as_ref()));
        }
        Err(_) => {
            let cause = format!(
                "The handshake with {} was not finished after {} s.",
                terms.context.peer,
                road.limit.as_secs_f32()
            );
            let mut failure = KnownCause::AnswerTimedOut.failure(cause);
            failure.rung = KnownCause::NotTls.rung();
            return Err(failure);
        }
    };
    note_agreed(&stream, findings);
    Ok(Handshake {
        stream,
        asked,
        finished,
    })
}

fn config(
    terms: &Terms,
    recorder: &Arc<RefusalRecorder>,
    resolver: &Arc<Resolver>,
) -> Result<ClientConfig, Failure> {
    let verifier = terms
        .verifier
        .clone()
        .observed_by(Arc::<RefusalRecorder>::clone(recorder))
        .into_server_verifier()
        .map_err(|error| error.diagnose())?;
    let provider = crypto_provider().map_err(|error| error.diagnose())?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| terms.context.diagnose_tls(&error, None))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(Arc::<Resolver>::clone(resolver));
    config.alpn_protocols.clone_from(&terms.alpn);
    // A resumed session would present no certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

impl Terms {
    /// For HTTP/1.1 to a server whose certificate must lead to these anchors.
    pub(in crate::doctor) fn http(
        name: &ServerName<'static>,
        anchors: &Arc<TrustStore>,
        identity: Option<&Arc<Identity>>,
        peer: &str,
    ) -> Self {
        Self {
            name: name.clone(),
            verifier: PeerVerifier::trust_store(Arc::clone(anchors)),
            identity: identity.cloned(),
            alpn: vec![b"http/1.1".to_vec()],
            context: HandshakeContext {
                peer: peer.to_owned(),
                peer_has_authlist: false,
            },
        }
    }

    /// A refusal by the server in the light of what it had asked for: the alert for a missing certificate differs
    /// between versions and makes, and says little by itself.
    pub(in crate::doctor) fn explain(&self, failure: Failure, asked: Option<&Asked>) -> Failure {
        let may_mean_missing = [
            Alert::HANDSHAKE_FAILURE,
            Alert::BAD_CERTIFICATE,
            Alert::CERTIFICATE_REQUIRED,
            Alert::CERTIFICATE_UNKNOWN,
        ];
        let (Some(Side::Peer), Some(alert)) = (failure.refused_by, failure.alert) else {
            return failure;
        };
        if asked.is_none() || self.identity.is_some() || !may_mean_missing.contains(&alert) {
            return failure;
        }
        let mut explained = KnownCause::CertificateRequired
            .failure(format!(
                "{} asks for a client certificate, got none, and refused.",
                sentence_start(&self.context.peer)
            ))
            .refused_by(Side::Peer)
            .with_alert(alert);
        explained.remedy =
            "Give a certificate and its key that the server accepts (--certificate, --key).".to_owned();
        explained
    }
}

fn sentence_start(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn note_agreed(stream: &TlsStream<TcpStream>, findings: &mut Findings) {
    let connection = stream.get_ref().1;
    let version = connection.protocol_version().map(version_name);
    let suite = connection
        .negotiated_cipher_suite()
        .map(|suite| suite_name(suite.suite()));
    let group = connection.negotiated_key_exchange_group();
    let group = group.map(|group| format!("{:?}", group.name()));
    let alpn = connection
        .alpn_protocol()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let agreed: Vec<&str> = [&version, &suite, &group]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    findings.note(agreed.join(", "));
    if let Some(alpn) = &alpn {
        findings.note(format!("ALPN {alpn}"));
    }
    findings.fact("version", version);
    findings.fact("suite", suite);
    findings.fact("group", group);
    findings.fact("alpn", alpn);
}

fn note_asked(asked: Option<&Asked>, terms: &Terms, findings: &mut Findings) {
    let Some(asked) = asked else {
        findings.note("no client certificate is asked for");
        findings.fact("client-certificate-asked", false);
        return;
    };
    let ours = match &terms.identity {
        Some(identity) => format!("ours is {}", identity.certificate().subject()),
        None => "none was given".to_owned(),
    };
    findings.note(format!("a client certificate is asked for, {ours}"));
    for authority in &asked.authorities {
        findings.note(format!("   of {authority}"));
    }
    findings.fact("client-certificate-asked", true);
    findings.fact("client-certificate-authorities", asked.authorities.clone());
}
