//! Step 1: the EST server with its embedded certificate authority; the controller and the location server each enrol.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use est::auth::{BasicCredentials, Users};
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::policy::IssuancePolicy;
use est::client::{Client, ClientConfig, EnrollOptions, EnrollOutcome, ServerUrl};
use est::operation::{LabelSettings, Operations};
use est::request::{RequestedName, Subject};
use est::server::{Server, ServerConfig, ServerLimits, own_identity};
use pki_common::identity::{Identity, NewKey, write_private};
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, Failure, MacAddr};

use super::failure::{diagnosed, unexpected};
use super::folder::LabFolder;
use super::{quote, say};

/// The controller's address: locally administered, nobody's device.
pub fn controller_mac() -> MacAddr {
    MacAddr::from([0x02, 0x00, 0x00, 0x00, 0x00, 0x01])
}

/// The location server's address.
pub fn location_server_mac() -> MacAddr {
    MacAddr::from([0x02, 0x00, 0x00, 0x00, 0x00, 0x02])
}

/// The user that both devices enrol as. The password is made anew in each run.
pub const USER: &str = "lab";

/// What enrolment gave the two devices, and what the later steps need of the EST server.
#[derive(Debug)]
pub struct Devices {
    /// The certificate of the certificate authority.
    pub anchors: Arc<TrustStore>,
    /// The controller's certificate and key.
    pub controller: Arc<Identity>,
    /// The location server's certificate and key.
    pub location_server: Arc<Identity>,
    /// Where the EST server listened.
    pub est_address: SocketAddr,
}

/// Runs the step.
///
/// # Errors
/// The first failure on the way, on its rung.
pub async fn run(folder: &LabFolder, out: &mut dyn Write) -> Result<Devices, Failure> {
    let authority = make_authority(folder)?;
    let ca = Certificate::from_der(authority.ca_certificate()).map_err(diagnosed)?;
    say(out, format!("certificate authority   {}", ca.subject()));
    let mut anchors = TrustStore::empty("lab");
    anchors.add(&ca).map_err(diagnosed)?;
    let anchors = Arc::new(anchors);

    let password = hex::encode(random_bytes()?);
    let server = make_server(folder, authority, &anchors, &password).await?;
    let est_address = server.local_addr();
    say(
        out,
        format!("EST server              https://{est_address}/.well-known/est"),
    );
    let handle = server.handle();
    let serving = tokio::spawn(server.run());

    let enroller = Enroller {
        folder,
        anchors: &anchors,
        est_address,
        password: &password,
    };
    let controller = enroller.enroll("controller", controller_mac(), out).await?;
    let location_server = enroller
        .enroll("location-server", location_server_mac(), out)
        .await?;

    handle.shutdown();
    serving
        .await
        .map_err(|error| unexpected(format!("The EST server ended abnormally: {error}.")))?;
    for (name, identity) in [("controller", &controller), ("location server", &location_server)] {
        say(out, format!("\nshow server-auth-info, {name}:"));
        quote(out, &identity.server_auth_info());
    }
    Ok(Devices {
        anchors,
        controller: Arc::new(controller),
        location_server: Arc::new(location_server),
        est_address,
    })
}

/// The server on a free port, with a certificate of its own authority, for one user or any certificate of the authority.
async fn make_server(
    folder: &LabFolder,
    authority: EmbeddedCertificateAuthority,
    anchors: &Arc<TrustStore>,
    password: &str,
) -> Result<Server, Failure> {
    let identity = issue_server_identity(&authority).await?;
    identity
        .save(
            folder.join("est-server/certificate.pem"),
            folder.join("est-server/key.pem"),
        )
        .map_err(diagnosed)?;
    let mut tls = ServerTls::new(Arc::new(identity));
    tls.client_authentication =
        ClientAuthentication::Optional(PeerVerifier::trust_store(Arc::clone(anchors)));
    let config = ServerConfig {
        tls,
        operations: Operations::new(Arc::new(authority), LabelSettings::default()),
        authenticator: Arc::new(make_users(folder, password)?),
        limits: ServerLimits::default(),
    };
    Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), config)
        .await
        .map_err(diagnosed)
}

fn make_authority(folder: &LabFolder) -> Result<EmbeddedCertificateAuthority, Failure> {
    let files = AuthorityFiles::in_folder(folder.join("ca"));
    let authority = NewAuthority {
        subject: "CN=Lab Root CA,OU=lab,DC=example,DC=com".to_owned(),
        key: NewKey::EcP256,
        validity: Duration::from_secs(3650 * 24 * 3600),
    };
    let clock = pki_common::clock::system_clock();
    EmbeddedCertificateAuthority::create(&files, &authority, IssuancePolicy::default(), clock)
        .map_err(diagnosed)
}

/// The EST server's own certificate: issued by the authority on the spot, as its operator would.
async fn issue_server_identity(authority: &EmbeddedCertificateAuthority) -> Result<Identity, Failure> {
    let subject: Subject = "DC=com,DC=example,OU=lab,CN=est.lab.example"
        .parse()
        .map_err(diagnosed)?;
    let names = vec![
        RequestedName::Dns("localhost".to_owned()),
        RequestedName::Dns("est.lab.example".to_owned()),
        RequestedName::Ip(Ipv4Addr::LOCALHOST.into()),
    ];
    own_identity(authority, subject, names, NewKey::EcP256)
        .await
        .map_err(diagnosed)
}

fn make_users(folder: &LabFolder, password: &str) -> Result<Users, Failure> {
    let mut users = Users::new();
    users
        .set_password(USER, password)
        .map_err(|error| unexpected(error.to_string()))?;
    write_private(folder.join("est-server/users"), users.to_text().as_bytes()).map_err(diagnosed)?;
    // The commands of the last step read it from here; it goes with the folder.
    write_private(folder.join("est-server/password"), password.as_bytes()).map_err(diagnosed)?;
    Ok(users)
}

struct Enroller<'a> {
    folder: &'a LabFolder,
    anchors: &'a Arc<TrustStore>,
    est_address: SocketAddr,
    password: &'a str,
}

impl Enroller<'_> {
    async fn enroll(&self, device: &str, mac: MacAddr, out: &mut dyn Write) -> Result<Identity, Failure> {
        let url: ServerUrl = format!("https://{}", self.est_address)
            .parse()
            .map_err(diagnosed)?;
        let mut config = ClientConfig::new(url, Arc::clone(self.anchors));
        config.basic =
            Some(BasicCredentials::new(USER, self.password).map_err(|error| unexpected(error.to_string()))?);
        let client = Client::new(config).map_err(diagnosed)?;
        let mut options = EnrollOptions::new(Subject::for_mac(device, mac));
        options.names = vec![
            RequestedName::Dns("localhost".to_owned()),
            RequestedName::Ip(Ipv4Addr::LOCALHOST.into()),
        ];
        let EnrollOutcome::Enrolled(enrolled) = client.enroll(options).await.map_err(diagnosed)? else {
            return Err(unexpected(
                "The EST server put the enrolment off instead of issuing at once.",
            ));
        };
        let identity = enrolled.identity().map_err(diagnosed)?;
        let file = |name: &str| self.folder.join(&format!("{device}/{name}"));
        identity
            .save(file("certificate.pem"), file("key.pem"))
            .map_err(diagnosed)?;
        say(
            out,
            format!("{device:<16} enrolled {}", identity.certificate().subject()),
        );
        Ok(identity)
    }
}

/// Sixteen bytes from the crypto provider.
fn random_bytes() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    let provider = pki_common::tls::crypto_provider().map_err(diagnosed)?;
    provider
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| unexpected("The crypto provider gave no random bytes."))?;
    Ok(bytes)
}
