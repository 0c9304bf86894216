//! First contact: the server's CA certificates, believed because of a fingerprint (RFC 7030, section 4.1.1).

use std::sync::Arc;

use pki_common::tls::{ClientTls, PeerVerifier, PresentedChain, TlsVersions};
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, Fingerprint};

use super::connection::Idle;
use super::run::{AskFingerprint, Line};
use super::{Client, ClientConfig, unexpected};
use crate::exchange::{ClientError, Exchange, FingerprintCheck, Outcome, Rollover, TrustSource};

/// How the first contact is decided.
pub enum FirstContact {
    /// A CA certificate of the server must have this SHA-256 fingerprint.
    Expect(Fingerprint),
    /// A person is asked. The function is called where it may block.
    Ask(AskFingerprint),
}

impl core::fmt::Debug for FirstContact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Expect(fingerprint) => f.debug_tuple("Expect").field(fingerprint).finish(),
            Self::Ask(_) => f.write_str("Ask"),
        }
    }
}

/// What a first contact leads to.
#[derive(Debug, Clone)]
pub struct Bootstrapped {
    /// A client that trusts the new anchors, and those that were configured before.
    pub client: Client,
    /// The certificate with the fingerprint.
    pub confirmed: Certificate,
    /// What became of the server's other certificates: those that the confirmed one vouches for are trusted, the
    /// other roots are not.
    pub rollover: Rollover,
}

impl Bootstrapped {
    /// The explicit anchors from now on. Keep them: a first contact is made once.
    #[must_use]
    pub fn anchors(&self) -> &Arc<TrustStore> {
        &self.client.config.anchors
    }
}

/// Lets every server in, and shows it nothing: no certificate of our own, no resumption.
fn provisional(versions: TlsVersions) -> ClientTls {
    let anybody =
        PeerVerifier::dangerous_accept_any_server_for_bootstrap(Arc::new(PresentedChain::default()));
    let mut tls = ClientTls::new(anybody);
    tls.versions = versions;
    tls.alpn = vec![b"http/1.1".to_vec()];
    tls
}

impl Client {
    /// Asks a server for its CA certificates before it can be authenticated, and believes the one whose fingerprint
    /// fits. On that connection nothing secret is sent: no password, no token, no certificate, and no other operation.
    /// The client that comes back uses new connections, authenticated by the new anchors.
    ///
    /// # Errors
    /// [`ClientError::WeakFingerprint`], [`ClientError::FingerprintDiffers`], [`ClientError::FingerprintRejected`], or what kept the exchange from
    /// happening.
    pub async fn bootstrap(config: ClientConfig, first: FirstContact) -> Result<Bootstrapped, ClientError> {
        let tls = provisional(config.versions);
        let (check, ask) = match first {
            FirstContact::Expect(fingerprint) => (FingerprintCheck::Expect(fingerprint), None),
            FirstContact::Ask(ask) => (FingerprintCheck::Ask, Some(ask)),
        };
        let exchange = Exchange::first_contact(
            config.url.clone(),
            config.label.clone(),
            check,
            config.max_redirects,
        );
        // The connections of a first contact never serve anything else.
        let idle = Idle::new(0);
        let line = Line {
            config: &config,
            tls: &tls,
            idle: &idle,
        };
        let outcome = line.run(exchange, ask).await?;
        let Outcome::Trusted { anchor, certificates } = outcome else {
            return Err(unexpected(&outcome));
        };
        let wrong = |error: pki_common::trust_store::TrustStoreError| ClientError::Anchors {
            cause: error.to_string(),
        };
        let mut known = (*config.anchors).clone();
        known.add(&anchor).map_err(wrong)?;
        let rollover = Rollover::compare(&known, &certificates, TrustSource::Fingerprint, config.now());
        let anchors = rollover.anchors(&known).map_err(wrong)?;
        let client = Self::new(ClientConfig {
            anchors: Arc::new(anchors),
            ..config
        })?;
        Ok(Bootstrapped {
            client,
            confirmed: anchor,
            rollover,
        })
    }
}
