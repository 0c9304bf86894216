//! The certificates of the lab: an authority, the device under test and the tester.
//!
//! ```text
//! ca.pem      ca.key.pem
//! device/     certificate.pem  key.pem
//! tester/     certificate.pem  key.pem
//! ```

use std::fs;
use std::path::Path;
use std::sync::Arc;

use pki_common::Certificate;
use pki_common::identity::{Identity, NewKey, generate_key, write_private, write_public};
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

/// Why a device cannot begin. Nobody acts on it but the person who reads it.
pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The common names: as vendors have it, the MAC address stands at the end.
const DEVICE: &str = "Broken-020000000010";
const TESTER: &str = "Tester-020000000020";

/// The certificates.
pub(crate) struct Lab {
    /// The authority.
    pub(crate) authority: CertificateDer<'static>,
    authority_key: PrivateKeyDer<'static>,
    device: Arc<Identity>,
    anchors: Arc<TrustStore>,
}

impl Lab {
    /// Reads the folder, and makes what is not there.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failed> {
        let certificate = folder.join("ca.pem");
        if !certificate.exists() {
            make(folder)?;
        }
        let authority = Certificate::from_pem(&fs::read(certificate)?)?;
        let key = PrivateKeyDer::from_pem_file(folder.join("ca.key.pem"))?;
        let mut anchors = TrustStore::empty("lab");
        anchors.add(&authority)?;
        let device = folder.join("device");
        let device = Identity::load(device.join("certificate.pem"), device.join("key.pem"))?;
        Ok(Self {
            authority: authority.der().clone(),
            authority_key: key,
            device: Arc::new(device),
            anchors: Arc::new(anchors),
        })
    }

    /// Its key.
    pub(crate) fn authority_key(&self) -> Result<KeyPair, Failed> {
        Ok(KeyPair::try_from(&self.authority_key)?)
    }

    /// A controller admits whoever the authority vouches for.
    pub(crate) fn controller_tls(&self) -> Result<Arc<ServerConfig>, Failed> {
        let mut tls = ServerTls::new(Arc::clone(&self.device));
        tls.client_authentication = ClientAuthentication::Required(self.peer());
        Ok(tls.rustls_config()?)
    }

    /// An EST server admits everybody, and looks at a certificate when there is one.
    pub(crate) fn est_tls(&self) -> Result<Arc<ServerConfig>, Failed> {
        let mut tls = ServerTls::new(Arc::clone(&self.device));
        tls.client_authentication = ClientAuthentication::Optional(self.peer());
        tls.alpn = vec![b"http/1.1".to_vec()];
        Ok(tls.rustls_config()?)
    }

    /// A location server connects to whoever the authority vouches for.
    pub(crate) fn location_server_tls(&self) -> Result<Arc<ClientConfig>, Failed> {
        let tls = ClientTls::new(self.peer()).with_identity(Arc::clone(&self.device));
        Ok(tls.rustls_config()?)
    }

    fn peer(&self) -> PeerVerifier {
        PeerVerifier::trust_store(Arc::clone(&self.anchors))
    }
}

fn make(folder: &Path) -> Result<(), Failed> {
    let (key, pair) = new_key()?;
    let mut parameters = parameters("Broken devices")?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    let certificate = parameters.self_signed(&pair)?;
    let issuer = rcgen::Issuer::new(parameters, pair);
    for (place, name) in [("device", DEVICE), ("tester", TESTER)] {
        let place = folder.join(place);
        fs::create_dir_all(&place)?;
        issue(&issuer, name)?.save(place.join("certificate.pem"), place.join("key.pem"))?;
    }
    let pem = pki_common::identity::private_key_pem(&key);
    write_private(folder.join("ca.key.pem"), pem.as_bytes())?;
    // Last: what is complete has it.
    write_public(folder.join("ca.pem"), certificate.pem().as_bytes())?;
    Ok(())
}

fn issue(issuer: &rcgen::Issuer<'_, KeyPair>, name: &str) -> Result<Identity, Failed> {
    let (key, pair) = new_key()?;
    let mut parameters = parameters(name)?;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    parameters.use_authority_key_identifier_extension = true;
    let certificate = parameters.signed_by(&pair, issuer)?;
    Ok(Identity::from_parts(vec![certificate.der().clone()], key)?)
}

/// Valid for a year, under the names of loopback.
fn parameters(name: &str) -> Result<CertificateParams, Failed> {
    let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned);
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - Duration::HOUR;
    parameters.not_after = now + Duration::days(365);
    Ok(parameters)
}

/// A key for `pki-common`, and the same for `rcgen`.
fn new_key() -> Result<(PrivateKeyDer<'static>, KeyPair), Failed> {
    let key = PrivateKeyDer::from(generate_key(NewKey::EcP256)?);
    let pair = KeyPair::try_from(&key)?;
    Ok((key, pair))
}
