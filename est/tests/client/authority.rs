//! Certificates of test authorities, by rcgen: independent of the code under test.

use est::wire::base64::{Base64Layout, encode};
use pki_common::Certificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    pub(crate) issuer: Issuer<'static, KeyPair>,
    parameters: CertificateParams,
}

pub(crate) struct Leaf {
    pub(crate) certificate: Certificate,
    pub(crate) key: PrivatePkcs8KeyDer<'static>,
}

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

fn read(made: &rcgen::Certificate) -> Certificate {
    Certificate::from_der(made.der()).unwrap()
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::with_key(name, KeyPair::generate().unwrap())
    }

    fn with_key(name: &str, key: KeyPair) -> Self {
        let mut parameters = parameters(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = read(&parameters.self_signed(&key).unwrap());
        Self {
            certificate,
            issuer: Issuer::new(parameters.clone(), key),
            parameters,
        }
    }

    /// An authority below this one.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = parameters(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = read(&parameters.signed_by(&key, &self.issuer).unwrap());
        Self {
            certificate,
            issuer: Issuer::new(parameters.clone(), key),
            parameters,
        }
    }

    /// A certificate for the name and the key of `other`, signed by this one: NewWithOld when this is the old root.
    pub(crate) fn cross(&self, other: &Self) -> Certificate {
        read(
            &other
                .parameters
                .signed_by(other.issuer.key(), &self.issuer)
                .unwrap(),
        )
    }

    /// A certificate for a server on loopback.
    pub(crate) fn leaf(&self, name: &str) -> Leaf {
        self.leaf_for(
            name,
            &["localhost".to_owned(), "127.0.0.1".to_owned()],
            &KeyPair::generate().unwrap(),
        )
    }

    pub(crate) fn leaf_for(&self, name: &str, names: &[String], key: &KeyPair) -> Leaf {
        let mut parameters = CertificateParams::new(names.to_vec()).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = read(&parameters.signed_by(key, &self.issuer).unwrap());
        Leaf {
            certificate,
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        }
    }
}

/// A certs-only message in DER.
pub(crate) fn certs_only_der(certificates: &[&Certificate]) -> Vec<u8> {
    let certificates: Vec<CertificateDer<'_>> = certificates
        .iter()
        .map(|certificate| certificate.der().clone())
        .collect();
    est::wire::certs_only::encode(&certificates).unwrap()
}

/// A certs-only message as a body.
pub(crate) fn certs_only(certificates: &[&Certificate]) -> Vec<u8> {
    encode(&certs_only_der(certificates), Base64Layout::SingleLine).into_bytes()
}
