//! The authority behind the pages: a root, and below it the issuing authority with its renewals.
//!
//! Certificates of requests come from the `est` crate, which copies subjects byte for byte. `rcgen` makes only the
//! authorities and what the server itself presents.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use est::ca::database::{CrlContents, SignedCrl};
use est::ca::issuer::{CrlSettings, Issuer};
use est::ca::policy::{IssuancePolicy, UnlistedExtensions};
use est::ca::{EnrollError, issue};
use est::wire::csr::VerifiedCsr;
use pki_common::identity::{Identity, NewKey, generate_key};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use time::{Duration, OffsetDateTime};

use super::error::SimulatorError;

/// How far the authorities reach back, so that an expired certificate can have been valid.
const PAST: Duration = Duration::days(2 * 365);
/// How long they are valid.
const FUTURE: Duration = Duration::days(10 * 365);

/// The root, and all generations of the issuing authority.
pub(super) struct Authority {
    root: Signer,
    generations: RwLock<Vec<Arc<Generation>>>,
    policy: IssuancePolicy,
    name: String,
    provider: Arc<CryptoProvider>,
}

/// The issuing authority from one renewal to the next; each has a key of its own.
pub(super) struct Generation {
    issuer: Issuer,
    signer: Signer,
}

/// A CA certificate that signs what `rcgen` makes.
struct Signer {
    issuer: rcgen::Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate that the server or a client is to present.
pub(super) struct Wanted<'a> {
    /// Host names and IP addresses; none for a client.
    pub(super) names: &'a [String],
    pub(super) common_name: &'a str,
    pub(super) not_before: OffsetDateTime,
    pub(super) not_after: OffsetDateTime,
}

impl Authority {
    /// Makes a root and an issuing authority below it, whose names begin with `name`.
    pub(super) fn new(name: &str, provider: Arc<CryptoProvider>) -> Result<Self, SimulatorError> {
        let (key, pair) = new_key()?;
        drop(key);
        let parameters = authority_parameters(&format!("{name} Root CA"));
        let certificate = parameters.self_signed(&pair).map_err(failed)?.der().clone();
        let root = Signer {
            issuer: rcgen::Issuer::new(parameters, pair),
            certificate,
        };
        let mut policy = IssuancePolicy::default();
        // AD CS leaves out what its template does not have.
        policy.extensions.unlisted = UnlistedExtensions::Drop;
        policy.key.ec_p521 = true;
        let authority = Self {
            root,
            generations: RwLock::default(),
            policy,
            name: name.to_owned(),
            provider,
        };
        authority.renew()?;
        Ok(authority)
    }

    /// Gives the issuing authority a new key and certificate under the same name.
    pub(super) fn renew(&self) -> Result<(), SimulatorError> {
        let (key, pair) = new_key()?;
        let parameters = authority_parameters(&format!("{} Issuing CA", self.name));
        let certificate = parameters.signed_by(&pair, &self.root.issuer).map_err(failed)?;
        let certificate = certificate.der().clone();
        let issuer = Issuer::new(certificate.clone(), key, Arc::clone(&self.provider)).map_err(failed)?;
        let issuer = issuer
            .with_chain(vec![self.root.certificate.clone()])
            .map_err(failed)?;
        let generation = Generation {
            issuer,
            signer: Signer {
                issuer: rcgen::Issuer::new(parameters, pair),
                certificate,
            },
        };
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        generations.push(Arc::new(generation));
        Ok(())
    }

    /// Renews until it has happened so many times.
    pub(super) fn renew_up_to(&self, renewals: u32) -> Result<(), SimulatorError> {
        for _ in self.renewals()..usize::try_from(renewals).unwrap_or(0) {
            self.renew()?;
        }
        Ok(())
    }

    /// How often the issuing authority was renewed.
    pub(super) fn renewals(&self) -> usize {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        generations.len().saturating_sub(1)
    }

    /// The issuing authority after so many renewals.
    pub(super) fn generation(&self, renewal: usize) -> Option<Arc<Generation>> {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        generations.get(renewal).cloned()
    }

    pub(super) fn newest(&self) -> Arc<Generation> {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(generations.last().expect("the constructor makes the first"))
    }

    pub(super) fn root(&self) -> &CertificateDer<'static> {
        &self.root.certificate
    }

    /// A certificate for a request, by the newest key.
    pub(super) fn issue(&self, request: &VerifiedCsr) -> Result<CertificateDer<'static>, EnrollError> {
        let generation = self.newest();
        let issuer = &generation.issuer;
        let serial = issuer.random_serial().map_err(|error| EnrollError::Internal {
            reason: error.to_string(),
        })?;
        let issued = issue::issue(issuer, request, &self.policy, serial, UnixTime::now())?;
        Ok(issued.certificate)
    }

    /// A certificate with its key, and the chain to present with it.
    pub(super) fn identity(&self, wanted: &Wanted<'_>, with_chain: bool) -> Result<Identity, SimulatorError> {
        let generation = self.newest();
        let (key, pair) = new_key()?;
        let parameters = wanted.parameters()?;
        let certificate = parameters
            .signed_by(&pair, &generation.signer.issuer)
            .map_err(failed)?;
        let mut chain = vec![certificate.der().clone()];
        if with_chain {
            chain.push(generation.signer.certificate.clone());
        }
        Identity::from_parts(chain, key).map_err(failed)
    }
}

/// A certificate with its key that nobody else has signed.
pub(super) fn self_signed(wanted: &Wanted<'_>) -> Result<Identity, SimulatorError> {
    let (key, pair) = new_key()?;
    let certificate = wanted.parameters()?.self_signed(&pair).map_err(failed)?;
    Identity::from_parts(vec![certificate.der().clone()], key).map_err(failed)
}

impl Generation {
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.signer.certificate
    }

    /// Its certificate and those above.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        let own = std::iter::once(self.certificate());
        own.chain(self.issuer.chain()).cloned().collect()
    }

    /// A revocation list without entries: nothing here is ever revoked.
    pub(super) fn revocation_list(&self) -> Result<SignedCrl, SimulatorError> {
        let contents = CrlContents {
            number: 1,
            revoked: Vec::new(),
        };
        let list = self
            .issuer
            .sign_crl(&contents, &CrlSettings::default(), UnixTime::now());
        list.map_err(failed)
    }
}

impl Wanted<'_> {
    fn parameters(&self) -> Result<CertificateParams, SimulatorError> {
        let mut parameters = CertificateParams::new(self.names.to_vec()).map_err(failed)?;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(DnType::CommonName, self.common_name);
        parameters.not_before = self.not_before;
        parameters.not_after = self.not_after;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![if self.names.is_empty() {
            rcgen::ExtendedKeyUsagePurpose::ClientAuth
        } else {
            rcgen::ExtendedKeyUsagePurpose::ServerAuth
        }];
        parameters.use_authority_key_identifier_extension = true;
        Ok(parameters)
    }
}

fn authority_parameters(name: &str) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = now - PAST;
    parameters.not_after = now + FUTURE;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

/// A key for `est` and the same for `rcgen`.
fn new_key() -> Result<(PrivateKeyDer<'static>, KeyPair), SimulatorError> {
    let key = generate_key(NewKey::EcP256).map_err(failed)?;
    let pair = KeyPair::try_from(&key).map_err(failed)?;
    Ok((PrivateKeyDer::from(key), pair))
}

fn failed(error: impl fmt::Display) -> SimulatorError {
    SimulatorError::Authority(error.to_string())
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("name", &self.name)
            .field("renewals", &self.renewals())
            .finish_non_exhaustive()
    }
}
