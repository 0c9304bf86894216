//! Our clients before `openssl s_server`.

use std::process::Stdio;
use std::sync::Arc;

use est::client::{Client, ClientConfig};
use nmsp::client::{Client as LocationServer, ClientConfig as LocationServerConfig};
use pki_common::authlist::{AuthList, AuthListEntry, AuthListType, SharedAuthList};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use pki_common::trust_store::TrustStore;
use pki_common::{Alert, Certificate, Diagnose as _, HashAlgorithm, MacAddr};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin};

use super::PATIENCE;
use crate::case::Case;
use crate::support::folder::Folder;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "s_server serves the CA certificate to our EST client over TLS 1.2",
            || serves_ca_certificate("-tls1_2"),
        ),
        Case::new(
            "s_server serves the CA certificate to our EST client over TLS 1.3",
            || serves_ca_certificate("-tls1_3"),
        ),
        Case::new(
            "s_server of another authority is refused by our EST client",
            refused_by_est_client,
        ),
        Case::new(
            "s_server as a controller is let in by our location server over TLS 1.2",
            || is_let_in("-tls1_2"),
        ),
        Case::new(
            "s_server as a controller is let in by our location server over TLS 1.3",
            || is_let_in("-tls1_3"),
        ),
        Case::new(
            "s_server as a controller that the authlist does not name is refused with alert 46",
            refused_by_location_server,
        ),
    ]
}

/// A running `openssl s_server`.
struct Server {
    address: String,
    input: ChildStdin,
    _child: Child,
    output: tokio::task::JoinHandle<String>,
}

impl Server {
    async fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut command = folder.command("openssl");
        command
            .args(["s_server", "-accept", "127.0.0.1:0"])
            .args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut errors = child.stderr.take().unwrap();
        let (mut line, mut before) = (String::new(), String::new());
        let address = loop {
            line.clear();
            let read = tokio::time::timeout(PATIENCE, stdout.read_line(&mut line)).await;
            assert!(read.unwrap().unwrap() > 0, "openssl s_server ends: {before}");
            before.push_str(&line);
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.trim().to_owned();
            }
        };
        let output = tokio::spawn(async move {
            let (mut text, mut more) = (Vec::new(), Vec::new());
            let both = tokio::join!(stdout.read_to_end(&mut text), errors.read_to_end(&mut more));
            both.0.and(both.1).unwrap();
            String::from_utf8_lossy(&[text, more].concat()).into_owned()
        });
        Self {
            address,
            input: child.stdin.take().unwrap(),
            _child: child,
            output,
        }
    }

    /// Everything that it printed, after it has ended.
    async fn ended(self) -> String {
        let ended = tokio::time::timeout(PATIENCE, self.output).await;
        ended.expect("one connection ends it").unwrap()
    }
}

/// An authority of openssl with a certificate for 127.0.0.1: `root.pem`, `server.pem`, `server.key.pem`.
pub(super) async fn authority(folder: &Folder) {
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let root = [
        "-subj",
        "/CN=Root of openssl",
        "-keyout",
        "root.key.pem",
        "-out",
        "root.pem",
    ];
    folder
        .openssl(&[&["req", "-x509", "-days", "30"], &curve[..], &root].concat())
        .await;
    let names = ["-addext", "subjectAltName=IP:127.0.0.1"];
    let leaf = [
        "-subj",
        "/CN=server",
        "-keyout",
        "server.key.pem",
        "-out",
        "server.csr",
    ];
    folder
        .openssl(&[&["req", "-new"], &curve[..], &names, &leaf].concat())
        .await;
    let sign = "x509 -req -days 30 -copy_extensions copy -in server.csr -CA root.pem -CAkey root.key.pem \
                -out server.pem";
    folder.openssl(&sign.split_whitespace().collect::<Vec<_>>()).await;
}

/// Serves the files of the folder as whole HTTP answers, and there is one for cacerts.
async fn est_server(folder: &Folder, version: &str) -> Server {
    authority(folder).await;
    for command in [
        "crl2pkcs7 -nocrl -certfile root.pem -outform DER -out root.p7",
        "base64 -in root.p7 -out root.b64",
    ] {
        folder.openssl(&command.split(' ').collect::<Vec<_>>()).await;
    }
    let body = folder.read("root.b64");
    let head = "HTTP/1.0 200 OK\r\nContent-Type: application/pkcs7-mime; smime-type=certs-only\r\n";
    std::fs::create_dir_all(folder.file(".well-known/est")).unwrap();
    folder.write(
        ".well-known/est/cacerts",
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()),
    );
    let files = ["-cert", "server.pem", "-key", "server.key.pem", "-HTTP", version];
    Server::start(folder, &files).await
}

fn est_client(server: &Server, anchor: &str) -> Client {
    let mut anchors = TrustStore::empty("anchors");
    anchors
        .add(&Certificate::from_pem(anchor.as_bytes()).unwrap())
        .unwrap();
    let url = format!("https://{}", server.address).parse().unwrap();
    let mut config = ClientConfig::new(url, Arc::new(anchors));
    config.versions = TlsVersions::Tls12And13;
    Client::new(config).unwrap()
}

async fn serves_ca_certificate(version: &str) {
    let folder = Folder::new();
    let server = est_server(&folder, version).await;
    let client = est_client(&server, &folder.read("root.pem"));
    let found = client.cacerts().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].subject(), "/CN=Root of openssl");
}

async fn refused_by_est_client() {
    let folder = Folder::new();
    let server = est_server(&folder, "-tls1_3").await;
    let other = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
    let client = est_client(&server, &other.cert.pem());
    let failure = client.cacerts().await.unwrap_err().diagnose();
    assert_eq!(failure.alert, Some(Alert::UNKNOWN_CA), "{failure}");
}

const CONTROLLER: &str = "00:11:22:33:44:01";
const LOCATION_SERVER: &str = "00:11:22:33:44:02";

fn identity(mac: &str) -> Arc<Identity> {
    let mac: MacAddr = mac.parse().unwrap();
    Arc::new(Identity::self_signed(SelfSigned::new(mac)).unwrap())
}

/// `openssl s_server` with the identity of a controller, and what a location server needs that knows `known`.
async fn controller(
    folder: &Folder,
    version: &str,
    controller: &Identity,
    known: &Identity,
) -> (Server, LocationServerConfig) {
    controller
        .save(folder.file("controller.pem"), folder.file("controller.key.pem"))
        .unwrap();
    let files = ["-cert", "controller.pem", "-key", "controller.key.pem"];
    let once = ["-Verify", "1", "-naccept", "1", version];
    let server = Server::start(folder, &[&files[..], &once].concat()).await;
    let mut list = AuthList::new();
    list.insert(AuthListEntry {
        mac: CONTROLLER.parse().unwrap(),
        list_type: AuthListType::Sha256LbsSsc,
        key_hash: Some(known.certificate().key_hash(HashAlgorithm::Sha256)),
    })
    .unwrap();
    let own = identity(LOCATION_SERVER);
    let tls = ClientTls::new(PeerVerifier::authlist(SharedAuthList::new(list))).with_identity(own);
    (server, LocationServerConfig::new(tls))
}

/// A Capability Notification of the built-in profile: version 1, RSSI of mobile stations.
fn capability() -> Vec<u8> {
    let version = [0, 1, 0, 2, 0, 1];
    let services = [0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    // Version 1, message 7, 30 bytes, transaction 9.
    let header = [1, 0, 0, 7, 0, 0, 0, 30, 0, 0, 0, 9];
    [&header[..], &version, &services].concat()
}

async fn is_let_in(version: &str) {
    let folder = Folder::new();
    let own = identity(CONTROLLER);
    let (mut server, config) = controller(&folder, version, &own, &own).await;
    let address = server.address.clone();
    let connecting = LocationServer::connect(&address, config);
    let capability = capability();
    let speaking = server.input.write_all(&capability);
    let (client, wrote) = tokio::join!(connecting, speaking);
    wrote.unwrap();
    client.unwrap().close().await.unwrap();
}

async fn refused_by_location_server() {
    let folder = Folder::new();
    let (own, other) = (identity(CONTROLLER), identity(CONTROLLER));
    let (server, config) = controller(&folder, "-tls1_3", &own, &other).await;
    let error = LocationServer::connect(&server.address, config)
        .await
        .unwrap_err();
    let failure = error.diagnose();
    assert_eq!(failure.alert, Some(Alert::CERTIFICATE_UNKNOWN), "{failure}");
    let said = server.ended().await;
    assert!(said.contains("alert number 46"), "{said}");
}
