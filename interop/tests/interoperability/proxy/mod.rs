//! tinyproxy between our EST server and its clients: curl, and our own.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use est::auth::BasicCredentials;
use est::client::{Client, ClientConfig, Proxy};
use est::operation::LabelSettings;
use tokio::process::Child;

use crate::case::{Case, Missing, Peer};
use crate::curl::{self, credentials, curl};
use crate::support::est::{PASSWORD, USER};
use crate::support::folder::{Folder, said};
use crate::support::lab::{Lab, enrol_with};

pub(crate) fn peer() -> Peer {
    Peer {
        name: "proxy",
        about: "HTTP proxy in C (tinyproxy), by CONNECT",
        find: version,
        cases: vec![
            Case::new("carries an enrolment of curl", carries_curl),
            Case::new("carries an enrolment of our client", carries_our_client),
            Case::new("lets our client in by its password", lets_our_client_in),
            Case::new(
                "refuses our client with a wrong password, and the client says so",
                refuses_a_wrong_password,
            ),
            Case::new(
                "refuses a port that it does not allow, and our client says so",
                refuses_a_port,
            ),
            Case::new(
                "cannot reach the server, and our client says so",
                cannot_reach_the_server,
            ),
        ],
    }
}

/// `tinyproxy 1.11.1`
fn version() -> Result<String, Missing> {
    Missing::programs("proxy")?;
    curl::version()?;
    let output = std::process::Command::new("tinyproxy").arg("-v").output();
    let said = output.map(|output| said(&output)).unwrap_or_default();
    let version = said
        .split_once("tinyproxy ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| Missing(format!("a tinyproxy that says its version; it says {said}")))
}

/// A running proxy; killed when dropped.
struct Running {
    url: String,
    folder: Folder,
    _child: Child,
}

impl Running {
    /// With these lines in its configuration.
    async fn start(more: &str) -> Self {
        for _ in 0..20 {
            let folder = Folder::new();
            // It cannot say which port it got, so one that was free a moment ago.
            let address = std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap();
            let log = folder.file("log");
            let config = format!(
                "Port {}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogFile \"{}\"\nLogLevel Connect\n{more}\n",
                address.port(),
                log.display()
            );
            folder.write("tinyproxy.conf", config);
            let mut command = folder.command("tinyproxy");
            command.args(["-d", "-c", "tinyproxy.conf"]);
            let mut child = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if listens(address, &mut child).await {
                let url = format!("http://{address}");
                return Self {
                    url,
                    folder,
                    _child: child,
                };
            }
        }
        panic!("tinyproxy does not start");
    }

    fn log(&self) -> String {
        self.folder.read("log")
    }

    fn proxy(&self, password: Option<&str>) -> Proxy {
        let mut proxy: Proxy = self.url.parse().unwrap();
        proxy.credentials = password.map(|password| BasicCredentials::new("robot", password).unwrap());
        proxy
    }
}

/// Whether it takes connections before it ends.
async fn listens(address: SocketAddr, child: &mut Child) -> bool {
    for _ in 0..600 {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// What it logs for a tunnel.
fn tunnel(lab: &Lab) -> String {
    format!("CONNECT 127.0.0.1:{} HTTP/1.", lab.port())
}

fn client_through(lab: &Lab, proxy: Proxy) -> Client {
    let mut config: ClientConfig = lab.server.client_config();
    config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
    config.proxy = Some(proxy);
    Client::new(config).unwrap()
}

async fn carries_curl() {
    let lab = Lab::open(LabelSettings::default()).await;
    let proxy = Running::start("").await;
    let user = credentials();
    let answer = curl::enrol(&lab, &["--proxy", &proxy.url, "--user", &user]).await;
    answer.is(200);
    curl::issued(&lab.folder).await;
    let answer = curl(&lab.folder, &["--proxy", &proxy.url, &lab.url("cacerts")]).await;
    answer.is(200);
    assert_eq!(proxy.log().matches(&tunnel(&lab)).count(), 2, "{}", proxy.log());
}

async fn carries_our_client() {
    let lab = Lab::open(LabelSettings::default()).await;
    let proxy = Running::start("").await;
    enrol_with(&client_through(&lab, proxy.proxy(None)), &lab.folder, "ap7").await;
    lab.folder
        .openssl(&["verify", "-CAfile", "anchor.pem", "own.pem"])
        .await;
    assert!(proxy.log().contains(&tunnel(&lab)), "{}", proxy.log());
}

const WITH_PASSWORD: &str = "BasicAuth robot secret";

async fn lets_our_client_in() {
    let lab = Lab::open(LabelSettings::default()).await;
    let proxy = Running::start(WITH_PASSWORD).await;
    let client = client_through(&lab, proxy.proxy(Some("secret")));
    enrol_with(&client, &lab.folder, "ap7").await;
    assert!(proxy.log().contains(&tunnel(&lab)), "{}", proxy.log());
}

/// What our client says when it asks for cacerts through this proxy.
async fn error(lab: &Lab, proxy: Proxy) -> String {
    let error = client_through(lab, proxy).cacerts().await.unwrap_err();
    let failure = pki_common::Diagnose::diagnose(&error);
    format!("{}: {error}: {}", failure.rung, failure.cause)
}

async fn refuses_a_wrong_password() {
    let lab = Lab::open(LabelSettings::default()).await;
    let proxy = Running::start(WITH_PASSWORD).await;
    // It answers a wrong password as an origin server would.
    for (password, status) in [(None, "407"), (Some("wrong"), "401")] {
        let said = error(&lab, proxy.proxy(password)).await;
        assert!(said.starts_with("proxy") && said.contains(status), "{said}");
    }
}

async fn refuses_a_port() {
    let lab = Lab::open(LabelSettings::default()).await;
    let proxy = Running::start("ConnectPort 443").await;
    let said = error(&lab, proxy.proxy(None)).await;
    assert!(said.starts_with("proxy") && said.contains("403"), "{said}");
}

async fn cannot_reach_the_server() {
    let lab = Lab::open(LabelSettings::default()).await;
    let proxy = Running::start("").await;
    let mut config = lab.server.client_config();
    config.proxy = Some(proxy.proxy(None));
    // Nothing listens on port 1.
    config.url = "https://127.0.0.1:1".parse().unwrap();
    let error = Client::new(config).unwrap().cacerts().await.unwrap_err();
    let failure = pki_common::Diagnose::diagnose(&error);
    let said = format!("{}: {error}", failure.rung);
    assert!(said.starts_with("proxy") && said.contains("50"), "{said}");
}
