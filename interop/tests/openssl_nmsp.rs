//! OpenSSL as a location server: `openssl s_client` against our controller.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use interop::peers::find_or_skip;
use interop::quickstart::enrolment::{self, Devices, location_server_mac};
use interop::quickstart::folder::LabFolder;
use interop::quickstart::introduction;
use interop::quickstart::tunnel::Lab;
use pki_common::identity::{Identity, SelfSigned};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Far more than a handshake on loopback needs; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first four bytes of the controller's Capability Notification: version 1, reserved, message 7.
const CAPABILITY_NOTIFICATION: [u8; 4] = [1, 0, 0, 7];

#[tokio::test(flavor = "multi_thread")]
async fn the_enrolled_certificate_completes_the_handshake_on_tls_1_2_and_1_3() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (folder, _devices, lab) = lab().await;
    for version in ["-tls1_2", "-tls1_3"] {
        let first_bytes = first_bytes(&openssl, &folder, &lab, version).await;
        assert_eq!(first_bytes, CAPABILITY_NOTIFICATION, "{version}");
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_certificate_is_refused_with_alert_46() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (folder, _devices, lab) = lab().await;
    let other_key = Identity::self_signed(SelfSigned::new(location_server_mac())).unwrap();
    other_key
        .save(folder.join("other.pem"), folder.join("other.key.pem"))
        .unwrap();
    make_with_openssl(&openssl, &folder);

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
    for version in ["-tls1_2", "-tls1_3"] {
        for (what, certificate, key) in cases {
            let errors = s_client_errors(&openssl, &folder, &lab, version, (certificate, key)).await;
            assert!(errors.contains("alert number 46"), "{what}, {version}:\n{errors}");
        }
    }

    // None of them did any harm to the one that is in the list.
    assert_eq!(
        first_bytes(&openssl, &folder, &lab, "-tls1_3").await,
        CAPABILITY_NOTIFICATION
    );
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

fn make_with_openssl(openssl: &Path, folder: &LabFolder) {
    let made = Command::new(openssl)
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

fn s_client(openssl: &Path, folder: &LabFolder, lab: &Lab, version: &str, files: (&str, &str)) -> Command {
    let mut command = Command::new(openssl);
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
async fn first_bytes(openssl: &Path, folder: &LabFolder, lab: &Lab, version: &str) -> [u8; 4] {
    let files = ("location-server/certificate.pem", "location-server/key.pem");
    let mut child = s_client(openssl, folder, lab, version, files).spawn().unwrap();
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
async fn s_client_errors(
    openssl: &Path,
    folder: &LabFolder,
    lab: &Lab,
    version: &str,
    files: (&str, &str),
) -> String {
    let child = s_client(openssl, folder, lab, version, files).spawn().unwrap();
    let openssl: PathBuf = openssl.to_owned();
    let output = timeout(PATIENCE, spawn_blocking(move || child.wait_with_output()))
        .await
        .unwrap_or_else(|_| panic!("{} was not refused", openssl.display()))
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}
