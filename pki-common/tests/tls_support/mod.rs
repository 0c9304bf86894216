//! Certificates and handshakes for the tests, all in memory.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where something is wrong and says what it skips"
)]

/// The rule for peers that are not installed; one file for all crates.
#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
pub(crate) mod peers;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use pki_common::MacAddr;
use pki_common::authlist::{AuthList, AuthListEntry, AuthListType, SharedAuthList};
use pki_common::certificate::Certificate;
use pki_common::identity::{Identity, NewKey, SelfSigned, generate_key};
use pki_common::ladder::Alert;
use pki_common::revocation::RevocationLists;
use pki_common::trust_store::TrustStore;
use pki_common::{HashAlgorithm, KeyHash};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlIssuingDistributionPoint,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, RevocationReason, RevokedCertParams,
    SerialNumber,
};
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use rustls_pki_types::{PrivateKeyDer, ServerName, UnixTime};
use time::OffsetDateTime;

/// The MAC address of Cisco document 200206.
pub(crate) const MAC: [u8; 6] = [0x00, 0x50, 0x56, 0x9c, 0x34, 0x89];

pub(crate) const DAY: u64 = 86_400;

pub(crate) fn mac() -> MacAddr {
    MacAddr::from(MAC)
}

pub(crate) fn now() -> UnixTime {
    UnixTime::now()
}

pub(crate) fn days_from(time: UnixTime, days: i64) -> UnixTime {
    let shift = Duration::from_secs(days.unsigned_abs() * DAY);
    let today = Duration::from_secs(time.as_secs());
    UnixTime::since_unix_epoch(if days < 0 { today - shift } else { today + shift })
}

/// A self-signed identity with [`MAC`], valid now.
pub(crate) fn self_signed() -> Identity {
    self_signed_at(now(), NewKey::EcP256)
}

/// Valid from a day before `time` for ten days.
pub(crate) fn self_signed_at(time: UnixTime, key: NewKey) -> Identity {
    Identity::self_signed(SelfSigned {
        now: time,
        key,
        validity: Duration::from_secs(10 * DAY),
        ..SelfSigned::new(mac())
    })
    .unwrap()
}

/// A certificate authority for tests.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    parameters: CertificateParams,
    key_pem: String,
}

/// What a revocation list shall say beside who is revoked: by default made yesterday, the next one in a week.
pub(crate) struct RevocationListOptions {
    pub(crate) this_update: UnixTime,
    pub(crate) next_update: UnixTime,
    pub(crate) distribution_point: Option<CrlIssuingDistributionPoint>,
}

impl Default for RevocationListOptions {
    fn default() -> Self {
        Self {
            this_update: days_from(now(), -1),
            next_update: days_from(now(), 7),
            distribution_point: None,
        }
    }
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    /// A root with changes by `adjust`.
    pub(crate) fn root_with(name: &str, adjust: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = authority_parameters(name);
        adjust(&mut parameters);
        let certificate = Certificate::from_der(parameters.self_signed(&key).unwrap().der()).unwrap();
        Self {
            certificate,
            parameters: parameters.clone(),
            key_pem: key.serialize_pem(),
            issuer: Issuer::new(parameters, key),
        }
    }

    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let parameters = authority_parameters(name);
        let issued = parameters.signed_by(&key, &self.issuer).unwrap();
        Self {
            certificate: Certificate::from_der(issued.der()).unwrap(),
            parameters: parameters.clone(),
            key_pem: key.serialize_pem(),
            issuer: Issuer::new(parameters, key),
        }
    }

    /// Issues to a common name, with changes by `adjust`; `chain` is sent after the certificate.
    pub(crate) fn issue(
        &self,
        common_name: &str,
        chain: &[&Certificate],
        adjust: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = generate_key(NewKey::EcP256).unwrap();
        let key_pair = KeyPair::try_from(&key).unwrap();
        let mut parameters = CertificateParams::default();
        parameters
            .distinguished_name
            .push(DnType::CommonName, common_name);
        adjust(&mut parameters);
        let issued = parameters.signed_by(&key_pair, &self.issuer).unwrap();
        let mut certificates = vec![issued.der().clone()];
        certificates.extend(chain.iter().map(|certificate| certificate.der().clone()));
        Identity::from_parts(certificates, PrivateKeyDer::from(key)).unwrap()
    }

    /// A current revocation list with these certificates, in DER.
    pub(crate) fn revocation_list(&self, revoked: &[&Certificate]) -> Vec<u8> {
        self.revocation_list_with(revoked, &RevocationListOptions::default())
    }

    pub(crate) fn revocation_list_with(
        &self,
        revoked: &[&Certificate],
        options: &RevocationListOptions,
    ) -> Vec<u8> {
        let time =
            |time: UnixTime| OffsetDateTime::from_unix_timestamp(time.as_secs().try_into().unwrap()).unwrap();
        let parameters = CertificateRevocationListParams {
            this_update: time(options.this_update),
            next_update: time(options.next_update),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: options.distribution_point.clone(),
            revoked_certs: revoked
                .iter()
                .map(|certificate| RevokedCertParams {
                    serial_number: SerialNumber::from_slice(certificate.serial_number()),
                    revocation_time: time(options.this_update),
                    reason_code: Some(RevocationReason::KeyCompromise),
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        // rcgen makes no list for an issuer that may not sign lists; the certificate still says so.
        let mut signer = authority_parameters("unused");
        signer.distinguished_name = self.parameters.distinguished_name.clone();
        let key = KeyPair::from_pem(&self.key_pem).unwrap();
        parameters
            .signed_by(&Issuer::new(signer, key))
            .unwrap()
            .der()
            .to_vec()
    }

    /// A store of one current list.
    pub(crate) fn revocation_lists(&self, revoked: &[&Certificate]) -> RevocationLists {
        let mut lists = RevocationLists::empty("clients");
        lists.add_der(&self.revocation_list(revoked)).unwrap();
        lists
    }

    pub(crate) fn store(&self, role: &str) -> Arc<TrustStore> {
        let mut store = TrustStore::empty(role);
        store.add(&self.certificate).unwrap();
        Arc::new(store)
    }
}

fn authority_parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

pub(crate) fn only_server_auth(parameters: &mut CertificateParams) {
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
}

pub(crate) fn localhost(parameters: &mut CertificateParams) {
    parameters.subject_alt_names = vec![rcgen::SanType::DnsName("localhost".try_into().unwrap())];
}

/// A list with one entry for [`MAC`].
pub(crate) fn authlist(list_type: AuthListType, key_hash: Option<KeyHash>) -> SharedAuthList {
    let mut list = AuthList::new();
    list.insert(AuthListEntry {
        mac: mac(),
        list_type,
        key_hash,
    })
    .unwrap();
    SharedAuthList::new(list)
}

/// A list that admits `certificate` by its SHA-256 key hash.
pub(crate) fn admitting(certificate: &Certificate) -> SharedAuthList {
    authlist(
        AuthListType::Sha256LbsSsc,
        Some(certificate.key_hash(HashAlgorithm::Sha256)),
    )
}

/// How a handshake ended on each side; `None` is a success.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) client: Option<rustls::Error>,
    pub(crate) server: Option<rustls::Error>,
}

impl Outcome {
    pub(crate) fn succeeded(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }

    /// The alert that one side received from the other.
    pub(crate) fn received(error: Option<&rustls::Error>) -> Option<Alert> {
        match error {
            Some(rustls::Error::AlertReceived(alert)) => Some(Alert(u8::from(*alert))),
            _ => None,
        }
    }
}

pub(crate) fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Outcome {
    handshake_to("localhost", client, server)
}

/// Runs a whole handshake, alerts included, between two connections without a network.
pub(crate) fn handshake_to(name: &str, client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Outcome {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = Connection::from(ClientConnection::new(Arc::clone(client), name).unwrap());
    let mut server = Connection::from(ServerConnection::new(Arc::clone(server)).unwrap());
    let mut outcome = Outcome {
        client: None,
        server: None,
    };
    // Six flights are enough for every handshake; a loop without end would hang the test.
    for _ in 0..6 {
        carry(&mut client, &mut server, &mut outcome.server);
        carry(&mut server, &mut client, &mut outcome.client);
    }
    if outcome.succeeded() {
        assert!(
            !client.is_handshaking() && !server.is_handshaking(),
            "the handshake did not end"
        );
    }
    outcome
}

fn carry(from: &mut Connection, to: &mut Connection, error: &mut Option<rustls::Error>) {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() && error.is_none() {
        to.read_tls(&mut rest).unwrap();
        *error = to.process_new_packets().err();
    }
}

/// Runs openssl in `folder`; `None`, with a word about it, when it is not installed.
pub(crate) fn openssl(folder: &Path, arguments: &[&str]) -> Option<String> {
    let openssl = peers::find_or_skip("openssl")?;
    let output = Command::new(openssl)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl can be started");
    let error_text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {error_text}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}
