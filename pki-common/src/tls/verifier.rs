//! What a peer's certificate must satisfy: first validity, then the authlist.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::bootstrap::{Bootstrap, PinRule, PresentedChain};
use super::handshake_signature::HandshakeSignatures;
use super::{TlsConfigError, VerificationObserver, crypto_provider};
use crate::authlist::SharedAuthList;
use crate::certificate::Certificate;
use crate::fingerprint::Fingerprint;
use crate::pinning::PinStore;
use crate::revocation::RevocationCheck;
use crate::signature::SignaturePolicy;
use crate::trust_store::{
    ExpectedName, MIN_LEGACY_RSA_BITS, SharedTrustStore, Strength, TrustError, TrustStore, Usage,
    check_extensions_known, check_strength, check_window,
};
use crate::{CertificateType, HashAlgorithm};

/// Role of the empty store behind an authlist without trust store, for messages.
const NO_TRUST_STORE: &str = "none configured";

/// What a peer's certificate must satisfy.
///
/// With a trust store ([`trust_store`](Self::trust_store)) the certificate must lead to an anchor.
///
/// With an authlist ([`authlist`](Self::authlist)) it must first be valid (a self-signed certificate: its own
/// signature and its time; another: the path to an anchor of
/// [`with_trust_store`](Self::with_trust_store)), and then be in the list. A refusal by the list leaves as
/// alert 46 `certificate_unknown`, as the vendor's devices send it (F001-27).
///
/// Names: a client that trusts by a trust store alone checks the server name it connects to. With an authlist,
/// and for client certificates, a name is checked only when [`expecting_name`](Self::expecting_name) gives one.
#[derive(Debug, Clone)]
pub struct PeerVerifier {
    trust_store: SharedTrustStore,
    authlist: Option<SharedAuthList>,
    revocation: Option<RevocationCheck>,
    bootstrap: Option<Bootstrap>,
    name: NameCheck,
    clock: Option<Arc<dyn TimeProvider>>,
    observer: Option<Arc<dyn VerificationObserver>>,
    strength: Strength,
    /// Differs for every verifier with other rules; clones keep it.
    rules: u64,
}

fn new_rules() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[derive(Debug, Clone)]
enum NameCheck {
    /// A server's name when there is no authlist, nothing otherwise.
    AsUsual,
    Expected(ExpectedName),
    Nothing,
}

impl PeerVerifier {
    /// The peer's certificate must lead to an anchor of `store`, which can be replaced while connections run when it
    /// is a [`SharedTrustStore`].
    #[must_use]
    pub fn trust_store(store: impl Into<SharedTrustStore>) -> Self {
        Self {
            trust_store: store.into(),
            authlist: None,
            revocation: None,
            bootstrap: None,
            name: NameCheck::AsUsual,
            clock: None,
            observer: None,
            strength: Strength::Current,
            rules: new_rules(),
        }
    }

    /// The peer's certificate must be the one with this SHA-256 fingerprint, and valid now. No trust store is asked
    /// and no name is checked: the certificate itself is what is trusted.
    ///
    /// # Errors
    /// The fingerprint is of SHA-1, which does not hold one certificate only.
    pub fn pinned(fingerprint: Fingerprint) -> Result<Self, TlsConfigError> {
        if fingerprint.algorithm() != HashAlgorithm::Sha256 {
            return Err(TlsConfigError::WeakFingerprint);
        }
        Ok(Self {
            bootstrap: Some(Bootstrap::Pinned(fingerprint)),
            ..Self::trust_store(TrustStore::empty(NO_TRUST_STORE))
        })
    }

    /// Accepts any server, whoever it is, and keeps the chain it presents in `presented`.
    ///
    /// For one thing only: to fetch certificates of an authority whose fingerprint a person then compares (RFC 7030
    /// section 4.1.1). Send no secret over such a connection, and trust nothing that came over it before the comparison.
    #[must_use]
    pub fn dangerous_accept_any_server_for_bootstrap(presented: Arc<PresentedChain>) -> Self {
        tracing::warn!("any server is accepted: compare the fingerprint before trusting what it sends");
        Self {
            bootstrap: Some(Bootstrap::AnyServer(presented)),
            ..Self::trust_store(TrustStore::empty(NO_TRUST_STORE))
        }
    }

    /// The server's certificate must be the one that `store` has for `name`, and valid now. No trust store is asked and
    /// no other name is checked.
    #[must_use]
    pub fn pinned_in(store: Arc<PinStore>, name: &str) -> Self {
        Self::by_pins(store, name, false)
    }

    /// As [`pinned_in`](Self::pinned_in); but a server that `store` has nothing for is accepted, and its certificate is
    /// pinned when it has proven to hold the key. The log then shows the fingerprint.
    ///
    /// Who is between the two at this first contact is trusted from then on. Compare the fingerprint with the one that the
    /// server's own console shows.
    #[must_use]
    pub fn dangerous_pin_on_first_use(store: Arc<PinStore>, name: &str) -> Self {
        tracing::warn!(
            peer = name,
            file = %store.path().display(),
            "a certificate that is not pinned yet is accepted and pinned on first use"
        );
        Self::by_pins(store, name, true)
    }

    fn by_pins(store: Arc<PinStore>, name: &str, first_use: bool) -> Self {
        Self {
            bootstrap: Some(Bootstrap::Store(PinRule {
                store,
                name: name.into(),
                first_use,
            })),
            ..Self::trust_store(TrustStore::empty(NO_TRUST_STORE))
        }
    }

    /// The same rules for another server: the name that a file of pins is asked for. Verifiers without such a file stay as
    /// they are.
    #[must_use]
    pub fn for_peer(mut self, name: &str) -> Self {
        if let Some(Bootstrap::Store(rule)) = &mut self.bootstrap {
            rule.name = name.into();
        }
        self
    }

    /// The peer's certificate must be valid and in `list`. The list can be replaced while connections run.
    #[must_use]
    pub fn authlist(list: SharedAuthList) -> Self {
        Self {
            authlist: Some(list),
            ..Self::trust_store(TrustStore::empty(NO_TRUST_STORE))
        }
    }

    /// Whether an authlist is asked.
    #[must_use]
    pub const fn has_authlist(&self) -> bool {
        self.authlist.is_some()
    }

    /// The authlist that is asked.
    #[must_use]
    pub const fn shared_authlist(&self) -> Option<&SharedAuthList> {
        self.authlist.as_ref()
    }

    /// Beside an authlist: certificates that are not self-signed must lead to an anchor of `store`.
    #[must_use]
    pub fn with_trust_store(mut self, store: impl Into<SharedTrustStore>) -> Self {
        self.trust_store = store.into();
        self.changed()
    }

    /// Certificates that lead to an anchor must not be revoked. The lists can be replaced while connections run.
    #[must_use]
    pub fn with_revocation(mut self, check: RevocationCheck) -> Self {
        self.revocation = Some(check);
        self.changed()
    }

    /// What is done about revocation, if anything.
    #[must_use]
    pub const fn revocation(&self) -> Option<&RevocationCheck> {
        self.revocation.as_ref()
    }

    fn changed(mut self) -> Self {
        self.rules = new_rules();
        self
    }

    /// Everything whose change may refuse a peer that was let in before.
    pub(super) fn generations(&self) -> [u64; 4] {
        [
            self.rules,
            self.trust_store.generation(),
            self.authlist.as_ref().map_or(0, SharedAuthList::generation),
            self.revocation.as_ref().map_or(0, RevocationCheck::generation),
        ]
    }

    /// The certificate must be for `name`, whatever name the connection was made to.
    #[must_use]
    pub fn expecting_name(mut self, name: ExpectedName) -> Self {
        self.name = NameCheck::Expected(name);
        self.changed()
    }

    /// Accepts a server's certificate for any name: every peer that any anchor vouches for can pose as any
    /// other. For anchors that issue to one peer only.
    #[must_use]
    pub fn dangerous_accept_any_name(mut self) -> Self {
        tracing::warn!(
            role = self.trust_store.load().role(),
            "the names in peers' certificates are not checked"
        );
        self.name = NameCheck::Nothing;
        self.changed()
    }

    /// Takes the time from `clock` instead of the system's clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn TimeProvider>) -> Self {
        self.clock = Some(clock);
        self.changed()
    }

    /// Tells `observer` each step of the verification. There is one observer: the last one given.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn VerificationObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Accepts certificates that are no longer safe, as old devices have them: X.509 version 1, signed with
    /// SHA-1, RSA keys from 1024 bits. Somebody with means can forge such certificates.
    #[must_use]
    pub fn dangerous_accept_legacy_certificates(mut self) -> Self {
        tracing::warn!(
            "old certificates are accepted: X.509 version 1, SHA-1 signatures, RSA from 1024 bits"
        );
        let policy = SignaturePolicy::strict()
            .dangerous_accept_sha1()
            .dangerous_min_rsa_bits(MIN_LEGACY_RSA_BITS);
        self.strength = Strength::Legacy(policy);
        self.changed()
    }

    /// For a rustls server that requires a client certificate.
    ///
    /// # Errors
    /// There is no crypto provider.
    pub fn into_client_verifier(self) -> Result<Arc<dyn ClientCertVerifier>, TlsConfigError> {
        Ok(self.client_verifier(&*crypto_provider()?, true))
    }

    /// For a rustls client.
    ///
    /// # Errors
    /// There is no crypto provider.
    pub fn into_server_verifier(self) -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
        Ok(self.server_verifier(&*crypto_provider()?))
    }

    /// Judges the certificate of a client as inside a handshake of rustls: validity first, then the authlist; the
    /// observer is told each step. For a TLS implementation that is not rustls, which must itself check that the peer
    /// holds the private key. Nothing is remembered: ask for every connection, and resume none.
    ///
    /// # Errors
    /// Why the client is refused. An authlist refusal is [`CertificateError::Other`] and belongs to alert 46
    /// `certificate_unknown`; `AlertDescription::from` tells the alert of the others.
    pub fn check_client(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        self.verify(end_entity, intermediates, Usage::Client, None, now)
    }

    /// As [`check_client`](Self::check_client), for the certificate of the server that was connected to as `name`.
    ///
    /// # Errors
    /// Why the server is refused, as [`check_client`](Self::check_client).
    pub fn check_server(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        self.verify(end_entity, intermediates, Usage::Server, Some(name), now)
    }

    pub(super) fn client_verifier(
        &self,
        provider: &CryptoProvider,
        mandatory: bool,
    ) -> Arc<dyn ClientCertVerifier> {
        // With an authlist no hints: a client whose certificate is self-signed would find its issuer missing
        // among them and send no certificate at all.
        let hints = if self.authlist.is_some() {
            Arc::default()
        } else {
            self.trust_store.load().hints()
        };
        Arc::new(ClientVerifier {
            hints,
            mandatory,
            rules: self.rules(provider),
        })
    }

    pub(super) fn server_verifier(&self, provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
        Arc::new(self.rules(provider))
    }

    fn rules(&self, provider: &CryptoProvider) -> Rules {
        let legacy = match self.strength {
            Strength::Current => None,
            Strength::Legacy(policy) => Some(policy),
        };
        let signatures = HandshakeSignatures {
            supported: provider.signature_verification_algorithms,
            legacy,
        };
        Rules {
            verifier: self.clone(),
            signatures,
        }
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        connected_to: Option<&ServerName<'_>>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let certificate = Certificate::from_der(end_entity).map_err(|error| {
            self.refuse(TrustError::Malformed {
                detail: error.to_string(),
            })
        })?;
        let now = match &self.clock {
            None => now,
            Some(clock) => clock.current_time().ok_or_else(|| {
                self.refuse(TrustError::CannotVerify {
                    detail: "the given clock has no time".to_owned(),
                })
            })?,
        };
        if let Some(bootstrap) = &self.bootstrap {
            return self.verify_bootstrap(bootstrap, &certificate, intermediates, usage, now);
        }
        let validated_as = match &self.authlist {
            Some(_) if certificate.is_self_issued() => self.validate_self_signed(&certificate, now)?,
            _ => {
                self.validate_by_store(&certificate, intermediates, usage, now)
                    .map_err(|error| self.refuse(error))?;
                certificate.certificate_type()
            }
        };
        self.check_name(&certificate, usage, connected_to)
            .map_err(|error| self.refuse(error))?;
        if let Some(observer) = &self.observer {
            observer.certificate_validated(&certificate);
        }
        self.ask_authlist(&certificate, validated_as)
    }

    fn validate_by_store(
        &self,
        certificate: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
    ) -> Result<(), TrustError> {
        self.trust_store.load().validate_with(
            certificate,
            intermediates,
            usage,
            now,
            self.strength,
            self.revocation.as_ref(),
        )
    }

    fn verify_bootstrap(
        &self,
        bootstrap: &Bootstrap,
        certificate: &Certificate,
        intermediates: &[CertificateDer<'_>],
        usage: Usage,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        bootstrap
            .check(certificate, intermediates, usage)
            .and_then(|()| match bootstrap {
                // Of a server that nobody vouches for, not even the time is sure.
                Bootstrap::AnyServer(_) => Ok(()),
                Bootstrap::Pinned(_) | Bootstrap::Store(_) => check_window(certificate, now),
            })
            .map_err(|error| self.refuse(error))?;
        if let Some(observer) = &self.observer {
            observer.certificate_validated(certificate);
        }
        Ok(())
    }

    /// To be called when a server has proven to hold the key of its certificate: what was only seen may now be pinned.
    /// Handshakes of rustls call it by themselves; calling it again does no harm.
    ///
    /// # Errors
    /// The pin cannot be written, or another certificate was pinned meanwhile.
    pub fn key_proven(&self, end_entity: &CertificateDer<'_>) -> Result<(), CertificateError> {
        match &self.bootstrap {
            Some(bootstrap) => bootstrap
                .key_proven(end_entity)
                .map_err(|error| self.refuse(error)),
            None => Ok(()),
        }
    }

    /// A self-signed certificate before an authlist: its strength, its time, its extensions and its own signature.
    fn validate_self_signed(
        &self,
        certificate: &Certificate,
        now: UnixTime,
    ) -> Result<CertificateType, CertificateError> {
        check_strength(certificate, self.strength)
            .and_then(|()| check_window(certificate, now))
            .and_then(|()| check_extensions_known(certificate))
            .map_err(|error| self.refuse(error))?;
        if certificate.is_self_signed() {
            return Ok(CertificateType::Ssc);
        }
        let error = TrustError::BadSignature {
            subject: certificate.subject().to_owned(),
            detail: "the certificate names itself as issuer, but its own key did not sign it".to_owned(),
        };
        let refused = self.refuse(error);
        // The list knows this class too ("SSC could not be verified") and whether it has an entry at all.
        // Asked for its words only: the certificate is refused whatever it says.
        self.ask_authlist(certificate, CertificateType::Ssc)?;
        Err(refused)
    }

    fn check_name(
        &self,
        certificate: &Certificate,
        usage: Usage,
        connected_to: Option<&ServerName<'_>>,
    ) -> Result<(), TrustError> {
        match (&self.name, connected_to) {
            (NameCheck::Expected(name), _) => name.check(certificate),
            (NameCheck::AsUsual, Some(name)) if usage == Usage::Server && self.authlist.is_none() => {
                ExpectedName::from(name.to_owned()).check(certificate)
            }
            _ => Ok(()),
        }
    }

    fn ask_authlist(
        &self,
        certificate: &Certificate,
        validated_as: CertificateType,
    ) -> Result<(), CertificateError> {
        let Some(list) = &self.authlist else {
            return Ok(());
        };
        let verdict = list.load().check(certificate, validated_as).map(drop);
        if let Some(observer) = &self.observer {
            observer.authlist_verdict(verdict.as_ref().copied());
        }
        verdict.map_err(|refusal| CertificateError::Other(OtherError(Arc::new(refusal))))
    }

    #[expect(clippy::needless_pass_by_value, reason = "the signature map_err wants")]
    fn refuse(&self, error: TrustError) -> CertificateError {
        if let Some(observer) = &self.observer {
            observer.certificate_refused(&error);
        }
        error.to_certificate_error()
    }
}

/// The rules bound to a crypto provider: what rustls calls.
#[derive(Debug)]
struct Rules {
    verifier: PeerVerifier,
    signatures: HandshakeSignatures,
}

impl ServerCertVerifier for Rules {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier
            .check_server(end_entity, intermediates, server_name, now)
            .map(|()| ServerCertVerified::assertion())
            .map_err(Error::InvalidCertificate)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.signatures.verify_tls12(message, certificate, signed)?;
        self.verifier
            .key_proven(certificate)
            .map_err(Error::InvalidCertificate)?;
        Ok(verified)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = self.signatures.verify_tls13(message, certificate, signed)?;
        self.verifier
            .key_proven(certificate)
            .map_err(Error::InvalidCertificate)?;
        Ok(verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.supported.supported_schemes()
    }
}

/// The rules for client certificates, and whether a client may come without one.
#[derive(Debug)]
struct ClientVerifier {
    rules: Rules,
    hints: Arc<[DistinguishedName]>,
    mandatory: bool,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.rules
            .verifier
            .check_client(end_entity, intermediates, now)
            .map(|()| ClientCertVerified::assertion())
            .map_err(Error::InvalidCertificate)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.signatures.verify_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.signatures.verify_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rules.signatures.supported.supported_schemes()
    }
}
