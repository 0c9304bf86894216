//! A server, its authority, a network and the clocks of both sides.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as RealTime};

use est::auth::{Authenticator, AuthenticatorUnavailable, BasicCredentials};
use est::ca::database::{
    CertificateLog as _, CertificateRecord, Decision, QueueEntry, QueueState, SqliteSettings,
};
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::issuer::Issuer;
use est::ca::policy::{Approval, ApprovalSettings, IssuancePolicy};
use est::client::{
    Client, ClientConfig, ClientError, CmcOutcome, CsrOutcome, EnrollOutcome, RetryPolicy, ServerKeyOutcome,
};
use est::operation::{
    DirectKeyGenerator, FullCmcSettings, KeyPackageSigner, LabelService, LabelSettings, Operations,
    ServerKeyGenerationSettings,
};
use est::request::cmc::CmcRequestBuilder;
use est::request::{KeyAndRequest, RequestKey};
use est::server::{Server, ServerConfig, ServerHandle, ServerLimits, own_identity};
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};
use pki_common::identity::{Identity, NewKey, generate_key};
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls, crypto_provider};
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, Diagnose as _, Failure};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use tempfile::TempDir;
use tokio::time::Instant;

use super::authority::ScriptedAuthority;
use super::clock::{START, Wall, YEAR};
use super::log::{ScriptedLog, settings};
use super::network::Network;

const USER: &str = "phone";
const PASSWORD: &str = "correct horse";

/// The label whose requests wait for the operator.
pub(crate) const APPROVED: &str = "approved";

/// Runs a simulation: one thread, and time that passes when everybody waits.
pub(crate) fn simulate<T>(simulation: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(simulation)
}

/// Knows the one user without work: hashing passwords is no part of this.
#[derive(Debug)]
struct OneUser;

impl Authenticator for OneUser {
    fn recall(&self, credentials: &BasicCredentials, _now: RealTime) -> Option<bool> {
        Some(credentials.user() == USER && credentials.password() == PASSWORD)
    }

    fn check(&self, credentials: &BasicCredentials, now: RealTime) -> Result<bool, AuthenticatorUnavailable> {
        Ok(self.recall(credentials, now) == Some(true))
    }
}

pub(crate) struct World {
    /// The clock of server and authority.
    pub(crate) wall: Arc<Wall>,
    /// The clock of the clients.
    pub(crate) client_wall: Arc<Wall>,
    pub(crate) log: Arc<ScriptedLog>,
    /// Issues at once.
    pub(crate) authority: Arc<ScriptedAuthority>,
    /// Waits for the operator.
    pub(crate) approved: Arc<ScriptedAuthority>,
    pub(crate) network: Arc<Network>,
    pub(crate) anchors: Arc<TrustStore>,
    identity: Arc<Identity>,
    devices: Mutex<u64>,
    _folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(settings(), ApprovalSettings::default()).await
    }

    pub(crate) async fn with(log: SqliteSettings, approval: ApprovalSettings) -> Self {
        let folder = fast_folder();
        let log = ScriptedLog::open(&folder.path().join("ca.sqlite"), log);
        Self::over(folder, log, approval).await
    }

    pub(crate) async fn over(folder: TempDir, log: Arc<ScriptedLog>, approval: ApprovalSettings) -> Self {
        let (wall, client_wall) = (Wall::new(), Wall::new());
        let (shared_log, clock) = (Arc::<ScriptedLog>::clone(&log), Arc::<Wall>::clone(&wall));
        let embedded =
            EmbeddedCertificateAuthority::new(root(), IssuancePolicy::default(), shared_log, clock);
        let root = Certificate::from_der(embedded.ca_certificate()).unwrap();
        let mut anchors = TrustStore::empty("simulated anchors");
        anchors.add(&root).unwrap();
        let names = vec!["DNS:est.example".parse().unwrap()];
        let subject = "CN=EST server".parse().unwrap();
        let identity = own_identity(&embedded, subject, names, NewKey::Ed25519)
            .await
            .unwrap();
        let operator = IssuancePolicy {
            approval: Approval::Operator(approval),
            ..IssuancePolicy::default()
        };
        let approved = ScriptedAuthority::over(embedded.with_policy(operator));
        let authority = ScriptedAuthority::over(embedded);
        let (identity, anchors) = (Arc::new(identity), Arc::new(anchors));
        let server = serve(&authority, &approved, &identity, &anchors, &wall);
        Self {
            network: Network::to(server),
            wall,
            client_wall,
            log,
            authority,
            approved,
            anchors,
            identity,
            devices: Mutex::default(),
            _folder: folder,
        }
    }

    /// The process of the server dies and starts again, as soon as nobody holds the lock of the database.
    pub(crate) async fn restart(&self) {
        self.network.kill();
        self.log.unlocked().await;
        self.log.restart();
        let Self {
            authority,
            approved,
            identity,
            anchors,
            wall,
            ..
        } = self;
        self.network
            .start(serve(authority, approved, identity, anchors, wall));
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        let url = "https://est.example".parse().unwrap();
        let mut config = ClientConfig::new(url, Arc::clone(&self.anchors));
        config.clock = Arc::<Wall>::clone(&self.client_wall);
        config.connector = Some(Arc::<Network>::clone(&self.network));
        config
    }

    fn client(&self, device: &Device) -> Client {
        let mut config = self.client_config();
        match &device.kind {
            Kind::Renewal(identity) => config.identity = Some(Arc::clone(identity)),
            Kind::Issued | Kind::Approved | Kind::ServerKey | Kind::FullCmc => {
                config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
            }
        }
        if matches!(device.kind, Kind::Approved) {
            config.label = Some(APPROVED.parse().unwrap());
        }
        Client::new(config).unwrap()
    }

    /// A device with a key and a request of its own. The names have one length, so that messages do.
    pub(crate) fn device(&self, kind: Kind) -> Device {
        let mut devices = self.devices.lock().unwrap();
        *devices += 1;
        let made = match &kind {
            Kind::Renewal(identity) => {
                let key = RequestKey::generate(NewKey::Ed25519).unwrap();
                KeyAndRequest::renewing(identity.certificate(), key)
            }
            Kind::Issued | Kind::Approved | Kind::ServerKey | Kind::FullCmc => {
                let subject = format!("CN=AP-{:012}", *devices).parse().unwrap();
                KeyAndRequest::generate(subject, Vec::new(), NewKey::Ed25519)
            }
        };
        let made = made.unwrap();
        Device {
            key: made.private_key().clone_key(),
            csr: made.csr_der().to_vec(),
            kind,
        }
    }

    /// One attempt, with a client of its own, as a device makes it: what the server wants to see, then the request.
    pub(crate) async fn ask(&self, device: &Device) -> Result<Got, ClientError> {
        let client = self.client(device);
        client.csrattrs().await?;
        Ok(match &device.kind {
            Kind::Renewal(_) => match client.reenroll_with(device.request()).await? {
                EnrollOutcome::Enrolled(enrolled) => Got::certificate(&enrolled.certificate),
                EnrollOutcome::Pending { .. } => Got::Pending,
            },
            Kind::Issued | Kind::Approved => match client.enroll_csr(&device.csr).await? {
                CsrOutcome::Issued(issued) => Got::certificate(&issued.certificate),
                CsrOutcome::Pending { .. } => Got::Pending,
            },
            Kind::ServerKey => match client.serverkeygen_with(device.request(), &[]).await? {
                ServerKeyOutcome::Made(made) => {
                    assert!(made.identity().is_ok(), "the key belongs to the certificate");
                    Got::certificate(&made.issued.certificate)
                }
                ServerKeyOutcome::Pending { .. } => Got::Pending,
            },
            Kind::FullCmc => {
                let request = CmcRequestBuilder::new([7; 32]).pkcs10(device.csr.clone());
                match client.fullcmc(&request.unsigned().unwrap()).await? {
                    CmcOutcome::Answer(answer) => {
                        let issued = client.issued_by_cmc(&answer, &device.request()).await?;
                        Got::certificate(&issued.certificate)
                    }
                    CmcOutcome::Pending { .. } => Got::Pending,
                }
            }
        })
    }

    /// As many attempts as the client's own policy makes, the failures of those that failed, and the time it took.
    pub(crate) async fn ask_with_retries(&self, device: &Device) -> Attempts {
        let (start, failures) = (Instant::now(), Mutex::new(Vec::new()));
        let got = RetryPolicy::default()
            .run(|| async {
                let asked = self.ask(device).await;
                if let Err(error) = &asked {
                    failures.lock().unwrap().push(error.diagnose());
                }
                asked
            })
            .await;
        Attempts {
            got,
            failures: failures.into_inner().unwrap(),
            took: start.elapsed(),
        }
    }

    /// The rows of a device among those that came after so many others.
    pub(crate) fn rows_of(&self, device: &Device, after: usize) -> Vec<CertificateRecord> {
        let rows = self.log.rows_after(after).into_iter();
        let name = device.name();
        rows.filter(|row| match device.kind {
            // The server has made another request, with its own key.
            Kind::ServerKey => row.subject == name,
            _ => row.csr == device.csr,
        })
        .collect()
    }

    /// How many rows there are, after a look at all of them: no serial number is there twice.
    pub(crate) fn audit(&self) -> usize {
        let rows = self.log.rows();
        let serials: HashSet<_> = rows.iter().map(|row| row.serial).collect();
        assert_eq!(serials.len(), rows.len(), "a serial number is on record twice");
        for row in &rows {
            let certificate = Certificate::from_der(&row.certificate).unwrap();
            assert_eq!(
                certificate.serial_number(),
                row.serial.as_bytes(),
                "row and certificate differ"
            );
        }
        rows.len()
    }

    /// An identity that can be renewed.
    pub(crate) async fn identity_of_device(&self) -> Arc<Identity> {
        let device = self.device(Kind::Issued);
        let got = self.ask(&device).await.unwrap();
        let Got::Certificate(der) = got else {
            panic!("{got:?}")
        };
        Arc::new(device.identity(der))
    }

    /// No more faults, and the clocks are right.
    pub(crate) fn calm(&self) {
        self.network.mend();
        self.log.mend();
        self.authority.mend();
        self.approved.mend();
        self.wall.set_step(0);
        self.client_wall.set_step(0);
    }

    /// The operator approves what waits of this device.
    pub(crate) async fn approve(&self, device: &Device) {
        assert!(self.try_to_approve(device).await, "the log takes the decision");
    }

    /// The same on a disk that may be full; whether it is on record.
    pub(crate) async fn try_to_approve(&self, device: &Device) -> bool {
        let entries = self.log.entries();
        let mut own = entries.iter().filter(|entry| entry.csr == device.csr);
        let entry = own
            .find(|entry| entry.state == QueueState::Waiting)
            .expect("it waits");
        self.try_to_approve_entry(entry).await
    }

    pub(crate) async fn try_to_approve_entry(&self, entry: &QueueEntry) -> bool {
        let decision = Decision {
            id: entry.id,
            approved: true,
            by: "operator".to_owned(),
            reason: None,
            now: self.wall.now(),
        };
        self.log.decide(decision).await.is_ok()
    }
}

/// What a device asks for, and how it shows who it is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// `simpleenroll` with name and password; issued at once.
    Issued,
    /// The same where the operator has to approve.
    Approved,
    /// `simplereenroll` with this certificate.
    Renewal(Arc<Identity>),
    /// `serverkeygen` with name and password; the key comes in the clear.
    ServerKey,
    /// `fullcmc` with name and password, and a request without a signature.
    FullCmc,
}

#[derive(Debug)]
pub(crate) struct Device {
    key: PrivatePkcs8KeyDer<'static>,
    pub(crate) csr: Vec<u8>,
    kind: Kind,
}

impl Device {
    /// The certificate that came with the key.
    pub(crate) fn identity(&self, certificate: Vec<u8>) -> Identity {
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        Identity::from_parts(vec![certificate.into()], key).unwrap()
    }

    fn verified_csr(&self) -> VerifiedCsr {
        let csr = UnverifiedCsr::from_der(&self.csr, &CsrLimits::default()).unwrap();
        csr.verify(&VerificationPolicy::default()).unwrap()
    }

    /// The subject that it asks for.
    fn name(&self) -> String {
        self.verified_csr().subject_text().to_owned()
    }

    fn request(&self) -> KeyAndRequest {
        KeyAndRequest::from_csr(
            &self.verified_csr(),
            RequestKey::from_pkcs8(self.key.clone_key()).unwrap(),
        )
        .unwrap()
    }
}

/// What a client got that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Certificate(Vec<u8>),
    Pending,
}

impl Got {
    fn certificate(certificate: &Certificate) -> Self {
        Self::Certificate(certificate.der().to_vec())
    }
}

#[derive(Debug)]
pub(crate) struct Attempts {
    pub(crate) got: Result<Got, ClientError>,
    /// Why those before it failed, in order.
    pub(crate) failures: Vec<Failure>,
    pub(crate) took: Duration,
}

/// Made before the simulation, and for long: no clock here reaches the end of it.
fn root() -> Issuer {
    let key = PrivateKeyDer::Pkcs8(generate_key(NewKey::Ed25519).unwrap());
    let before = UnixTime::since_unix_epoch(Duration::from_secs(START - 10 * YEAR));
    let validity = Duration::from_secs(60 * YEAR);
    Issuer::self_signed(
        "CN=Simulated Root",
        key,
        validity,
        before,
        crypto_provider().unwrap(),
    )
    .unwrap()
}

fn serve(
    authority: &Arc<ScriptedAuthority>,
    approved: &Arc<ScriptedAuthority>,
    identity: &Arc<Identity>,
    anchors: &Arc<TrustStore>,
    wall: &Arc<Wall>,
) -> ServerHandle {
    let mut tls = ServerTls::new(Arc::clone(identity));
    let clients = PeerVerifier::trust_store(Arc::clone(anchors)).with_clock(Arc::<Wall>::clone(wall));
    tls.client_authentication = ClientAuthentication::Optional(clients);
    let label = LabelService::new(
        Arc::<ScriptedAuthority>::clone(approved),
        LabelSettings::default(),
    );
    let mut cmc = FullCmcSettings::new(Arc::clone(identity), Arc::clone(anchors));
    cmc.identity_proof_required = false;
    cmc.clock = Arc::<Wall>::clone(wall);
    let settings = LabelSettings {
        server_key_generation: Some(ServerKeyGenerationSettings::new(
            Arc::new(DirectKeyGenerator),
            KeyPackageSigner::with_identity(identity),
        )),
        full_cmc: Some(cmc),
        ..LabelSettings::default()
    };
    let operations = Operations::new(Arc::<ScriptedAuthority>::clone(authority), settings)
        .with_label(APPROVED.parse().unwrap(), label);
    let config = ServerConfig {
        tls,
        operations,
        authenticator: Arc::new(OneUser),
        limits: ServerLimits::default(),
    };
    Server::without_listener(config).unwrap()
}

/// In memory where the system has such a file system: thousands of commits wait for the disk each.
pub(crate) fn fast_folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = tempfile::tempdir_in(memory);
    made.unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
