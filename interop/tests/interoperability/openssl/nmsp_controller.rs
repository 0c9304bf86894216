//! `openssl s_client` as a location server before our controller.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use interop::quickstart::enrolment::{self, Devices, location_server_mac};
use interop::quickstart::folder::LabFolder;
use interop::quickstart::introduction;
use interop::quickstart::tunnel::Lab;
use pki_common::identity::{Identity, SelfSigned};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::case::Case;

/// Far more than a handshake on loopback needs; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first four bytes of the controller's Capability Notification: version 1, reserved, message 7.
const CAPABILITY_NOTIFICATION: [u8; 4] = [1, 0, 0, 7];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("s_client is let in by our controller over TLS 1.2", || {
            is_let_in("-tls1_2")
        }),
        Case::new("s_client is let in by our controller over TLS 1.3", || {
            is_let_in("-tls1_3")
        }),
        Case::new(
            "s_client is refused by our controller with a key that is not in the authlist over TLS 1.2",
            || is_refused("-tls1_2"),
        ),
        Case::new(
            "s_client is refused by our controller with a key that is not in the authlist over TLS 1.3",
            || is_refused("-tls1_3"),
        ),
    ]
}

/// With the certificate that it has enrolled.
async fn is_let_in(version: &str) {
    let (folder, _devices, lab) = lab().await;
    let first_bytes = first_bytes(&folder, &lab, version).await;
    assert_eq!(first_bytes, CAPABILITY_NOTIFICATION);
    lab.stop().await;
}

async fn is_refused(version: &str) {
    let (folder, _devices, lab) = lab().await;
    let other_key = Identity::self_signed(SelfSigned::new(location_server_mac())).unwrap();
    other_key
        .save(folder.join("other.pem"), folder.join("other.key.pem"))
        .unwrap();
    make_with_openssl(&folder);

    let cases = [
        (
            "the right MAC address with another, self-signed key",
            "other.pem",
            "other.key.pem",
        ),
        (
            "a valid certificate of the same authority, not in the list",
            "controller/certificate.pem",
            "controller/key.pem",
        ),
        (
            "what `openssl req -x509` makes, without a MAC address",
            "stranger.pem",
            "stranger.key.pem",
        ),
    ];
    for (what, certificate, key) in cases {
        let errors = s_client_errors(&folder, &lab, version, (certificate, key)).await;
        assert!(errors.contains("alert number 46"), "{what}:\n{errors}");
    }

    // None of them did any harm to the one that is in the list.
    assert_eq!(first_bytes(&folder, &lab, version).await, CAPABILITY_NOTIFICATION);
    lab.stop().await;
}

async fn lab() -> (LabFolder, Devices, Lab) {
    let folder = LabFolder::open(None).unwrap();
    let mut narration = Vec::new();
    let devices = enrolment::run(&folder, &mut narration).await.unwrap();
    let authlist = introduction::run(&folder, &devices, &mut narration).unwrap();
    let lab = Lab::start(&devices, authlist).await.unwrap();
    (folder, devices, lab)
}

fn make_with_openssl(folder: &LabFolder) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=stranger",
        ])
        .arg("-keyout")
        .arg(folder.join("stranger.key.pem"))
        .arg("-out")
        .arg(folder.join("stranger.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn s_client(folder: &LabFolder, lab: &Lab, version: &str, files: (&str, &str)) -> Command {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-quiet", "-verify_return_error", version, "-connect"])
        .arg(lab.controller.to_string())
        .arg("-CAfile")
        .arg(folder.join("ca/ca.pem"))
        .arg("-cert")
        .arg(folder.join(files.0))
        .arg("-key")
        .arg(folder.join(files.1))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Connects with the enrolled certificate and returns what the controller says first.
async fn first_bytes(folder: &LabFolder, lab: &Lab, version: &str) -> [u8; 4] {
    let files = ("location-server/certificate.pem", "location-server/key.pem");
    let mut child = s_client(folder, lab, version, files).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let read = spawn_blocking(move || {
        let mut bytes = [0; 4];
        stdout.read_exact(&mut bytes).map(|()| bytes)
    });
    let bytes = timeout(PATIENCE, read)
        .await
        .expect("the controller speaks first")
        .unwrap();
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    bytes.unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Connects with these files and returns what `s_client` writes to its standard error before it gives up by itself.
async fn s_client_errors(folder: &LabFolder, lab: &Lab, version: &str, files: (&str, &str)) -> String {
    let child = s_client(folder, lab, version, files).spawn().unwrap();
    let output = timeout(PATIENCE, spawn_blocking(move || child.wait_with_output()))
        .await
        .unwrap_or_else(|_| panic!("openssl was not refused"))
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}
