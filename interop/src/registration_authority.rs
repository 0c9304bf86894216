//! A registration authority of this project in this process: an EST server whose certificates come from web enrolment of
//! AD CS. For the quickstart and for tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use est::adcs::authenticator::{CertsrvAuthenticator, WrongLoginLimits};
use est::adcs::authority::{AuthoritySettings, CertsrvCertificateAuthority};
use est::adcs::client::CertsrvClient;
use est::adcs::login::{CertsrvLogin, LoginSettings};
use est::adcs::{CertsrvAuthentication, CertsrvSettings, WindowsAccount};
use est::auth::{AuthenticationMethod, AuthenticationRequirement, Authenticator, BasicCredentials, Users};
use est::ca::CertificateAuthority;
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::policy::IssuancePolicy;
use est::client::{Client, ClientConfig, ServerUrl};
use est::operation::{LabelService, LabelSettings, Operations};
use est::request::{RequestedName, Subject};
use est::server::{Server, ServerConfig, ServerHandle, ServerLimits, own_identity};
use est::wire::base64::Base64Layout;
use est::wire::label::PathLabel;
use pki_common::identity::{Identity, NewKey};
use pki_common::tls::ServerTls;
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, Failure};
use tokio::task::JoinHandle;

use crate::adcs_sim::Simulator;
use crate::quickstart::failure::{diagnosed, unexpected};

/// The account of the registration authority on the simulator, as [`crate::adcs_sim::Settings`] has it by default.
pub const ACCOUNT: &str = "MICHAMEN\\ciscora";
/// Its password.
pub const PASSWORD: &str = "cisco";
/// The template.
pub const TEMPLATE: &str = "CiscoRA";
/// What the vendor's registration authority calls itself (F002-17).
pub const USER_AGENT: &str = "CiscoRA 1.0";

/// What the registration authority is like.
#[derive(Debug)]
pub struct Settings {
    /// The path label, by which its lines in a shared log can be told apart.
    pub label: String,
    /// How it speaks to AD CS.
    pub certsrv: CertsrvSettings,
    /// How long its clients wait, and what they are told.
    pub authority: AuthoritySettings,
    /// How passwords are checked by AD CS; `None`: they are those of `users`.
    pub logins: Option<LoginSettings>,
    /// Who may enrol when AD CS does not check passwords.
    pub users: Users,
}

impl Settings {
    /// In front of this simulator, as the vendor's registration authority does it: NTLM, a login for each enrolment,
    /// and Basic of EST clients checked by a login.
    ///
    /// # Errors
    /// The simulator has a name that is no name of a server.
    pub fn in_front_of(simulator: &Simulator, label: &str) -> Result<Self, Failure> {
        let url = format!("{}/certsrv", simulator.url());
        let root = Certificate::from_der(&simulator.root_certificate()).map_err(diagnosed)?;
        let mut anchors = TrustStore::empty("AD CS");
        anchors.add(&root).map_err(diagnosed)?;
        let account =
            WindowsAccount::new(ACCOUNT, PASSWORD).map_err(|error| unexpected(error.to_string()))?;
        let mut certsrv = CertsrvSettings::new(
            url.parse().map_err(diagnosed)?,
            Arc::new(anchors),
            CertsrvAuthentication::Ntlm(account),
            TEMPLATE,
        );
        certsrv.user_agent = USER_AGENT.to_owned();
        certsrv.max_idle_connections = 0;
        Ok(Self {
            label: label.to_owned(),
            certsrv,
            authority: AuthoritySettings::default(),
            logins: Some(LoginSettings::default()),
            users: Users::new(),
        })
    }
}

/// A running registration authority. It ends when it is dropped.
#[derive(Debug)]
pub struct RegistrationAuthority {
    label: String,
    address: SocketAddr,
    /// What its clients trust: whom its own certificate leads to, and the authority behind it.
    anchors: Arc<TrustStore>,
    identity: Arc<Identity>,
    authority: Arc<CertsrvCertificateAuthority>,
    handle: ServerHandle,
    serving: JoinHandle<()>,
}

impl RegistrationAuthority {
    /// Starts it on a free port of loopback; the authority of its own certificate is made in `folder`.
    ///
    /// # Errors
    /// The settings cannot work, or a file or the port cannot be had. AD CS is not asked for anything yet.
    pub async fn start(folder: &Path, settings: Settings) -> Result<Self, Failure> {
        let own = make_authority(folder)?;
        let identity = Arc::new(issue_server_identity(&own).await?);
        let mut anchors = TrustStore::empty("EST client");
        let root = Certificate::from_der(own.ca_certificate()).map_err(diagnosed)?;
        for anchor in std::iter::once(&root).chain(settings.certsrv.anchors.anchors()) {
            anchors.add(anchor).map_err(diagnosed)?;
        }
        let client = CertsrvClient::new(settings.certsrv).map_err(diagnosed)?;
        let authenticator: Arc<dyn Authenticator> = match settings.logins {
            Some(logins) => {
                let login = Arc::new(CertsrvLogin::new(client.clone(), logins));
                let limits = WrongLoginLimits::default();
                Arc::new(CertsrvAuthenticator::new(login, Arc::new(Users::new()), limits))
            }
            None => Arc::new(settings.users),
        };
        let authority = CertsrvCertificateAuthority::open(client, settings.authority).map_err(diagnosed)?;
        let authority = Arc::new(authority);
        let issuing: Arc<dyn CertificateAuthority> = Arc::<CertsrvCertificateAuthority>::clone(&authority);
        let label_settings = label_settings()?;
        let label = label_of(&settings.label)?;
        // libest's client asks without a label.
        let unnamed = LabelService::new(Arc::clone(&issuing), label_settings.clone());
        let service = LabelService::new(issuing, label_settings);
        let config = ServerConfig {
            tls: ServerTls::new(Arc::clone(&identity)),
            operations: Operations::none()
                .with_default(unnamed)
                .with_label(label, service),
            authenticator,
            limits: ServerLimits::default(),
        };
        let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config)
            .await
            .map_err(diagnosed)?;
        Ok(Self {
            label: settings.label,
            address: server.local_addr(),
            anchors: Arc::new(anchors),
            identity,
            authority,
            handle: server.handle(),
            serving: tokio::spawn(server.run()),
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its clients trust.
    #[must_use]
    pub const fn anchors(&self) -> &Arc<TrustStore> {
        &self.anchors
    }

    /// Its own certificate and key.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// AD CS as it sees it.
    #[must_use]
    pub fn authority(&self) -> &CertsrvCertificateAuthority {
        &self.authority
    }

    /// The base URL for EST clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}/.well-known/est/{}", self.address, self.label)
    }

    /// A client that logs in by Basic, and waits for an answer as long as libest does: ten seconds (F002-33).
    ///
    /// # Errors
    /// The URL or the credentials cannot be used.
    pub fn client(&self, user: &str, password: &str) -> Result<Client, Failure> {
        let url: ServerUrl = format!("https://{}", self.address).parse().map_err(diagnosed)?;
        let mut config = ClientConfig::new(url, Arc::clone(&self.anchors));
        config.label = Some(label_of(&self.label)?);
        config.timeouts.response = Duration::from_secs(10);
        let credentials = BasicCredentials::new(user, password);
        config.basic = Some(credentials.map_err(|error| unexpected(error.to_string()))?);
        Client::new(config).map_err(diagnosed)
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// The server panicked.
    pub async fn stop(mut self) -> Result<(), Failure> {
        self.handle.shutdown();
        (&mut self.serving)
            .await
            .map_err(|error| unexpected(format!("The EST server ended abnormally: {error}.")))
    }
}

impl Drop for RegistrationAuthority {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// By password, and in the layout that libest reads.
fn label_settings() -> Result<LabelSettings, Failure> {
    let authentication = AuthenticationRequirement::any_of([AuthenticationMethod::Basic])
        .map_err(|error| unexpected(error.to_string()))?;
    let mut settings = LabelSettings {
        authentication,
        ..LabelSettings::default()
    };
    settings.layout.layout = Base64Layout::Columns64Lf;
    Ok(settings)
}

fn label_of(text: &str) -> Result<PathLabel, Failure> {
    text.parse()
        .map_err(|error| unexpected(format!("{text:?} is no label: {error}.")))
}

/// The authority of the EST server's own certificate; it has nothing to do with what is enrolled.
fn make_authority(folder: &Path) -> Result<EmbeddedCertificateAuthority, Failure> {
    let authority = NewAuthority {
        subject: "CN=Lab Server CA,OU=lab,DC=example,DC=com".to_owned(),
        key: NewKey::EcP256,
        validity: Duration::from_secs(3650 * 24 * 3600),
    };
    let clock = pki_common::clock::system_clock();
    let files = AuthorityFiles::in_folder(folder);
    EmbeddedCertificateAuthority::create(&files, &authority, IssuancePolicy::default(), clock)
        .map_err(diagnosed)
}

async fn issue_server_identity(authority: &EmbeddedCertificateAuthority) -> Result<Identity, Failure> {
    let subject: Subject = "DC=com,DC=example,OU=lab,CN=ra.lab.example"
        .parse()
        .map_err(diagnosed)?;
    let names = vec![
        RequestedName::Dns("localhost".to_owned()),
        RequestedName::Ip(Ipv4Addr::LOCALHOST.into()),
    ];
    own_identity(authority, subject, names, NewKey::EcP256)
        .await
        .map_err(diagnosed)
}
