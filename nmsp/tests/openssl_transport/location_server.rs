//! The location server's side before `openssl s_server`.

use std::path::Path;
use std::sync::Arc;

use nmsp::transport::openssl::{LegacyTransport, LegacyVersion};
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::{Alert, Diagnose as _, Rung, Side, TlsFault};

use crate::lab::{connect, rsa_identity};
use crate::peers::find_or_skip;
use crate::program::{Files, Program};
use crate::support::{CONTROLLER, LOCATION_SERVER, authlist_of, authlist_with_wrong_hash, message};

use nmsp::client::ClientConfig;
use pki_common::authlist::SharedAuthList;

/// A Capability Notification of the built-in profile: version 1, RSSI of mobile stations.
fn capability() -> Vec<u8> {
    let version = [0, 1, 0, 2, 0, 1];
    let services = [0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    message(7, 30, &[&version[..], &services].concat())
}

/// A server of this version that knows static RSA only and wants a certificate; and its address.
async fn s_server(openssl: &Path, folder: &Path, identity: &Identity, options: &[&str]) -> (Program, String) {
    let files = Files::of(identity, folder, "controller");
    let mut arguments = vec![
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cipher",
        "AES128-SHA:@SECLEVEL=0",
    ];
    arguments.extend(files.arguments());
    arguments.extend(options);
    let server = Program::start(openssl, &arguments);
    server.says("ACCEPT 127.0.0.1:").await;
    let text = server.text();
    let (_, address) = text.split_once("ACCEPT ").unwrap();
    let address = address.lines().next().unwrap().to_owned();
    (server, address)
}

fn config(controllers: SharedAuthList, transport: LegacyTransport) -> (Arc<Identity>, ClientConfig) {
    let own = rsa_identity(LOCATION_SERVER);
    let tls = ClientTls::new(PeerVerifier::authlist(controllers)).with_identity(Arc::clone(&own));
    let mut config = ClientConfig::new(tls);
    config.dangerous_legacy = Some(transport);
    (own, config)
}

#[tokio::test]
async fn connects_to_s_server_with_static_rsa_in_every_version() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    for option in ["-tls1", "-tls1_1", "-tls1_2"] {
        let folder = tempfile::tempdir().unwrap();
        let controller = rsa_identity(CONTROLLER);
        let (mut server, address) =
            s_server(&openssl, folder.path(), &controller, &[option, "-Verify", "1"]).await;
        let (own, config) = config(authlist_of(&controller), LegacyTransport::dangerous_tls());
        let connecting = connect(address.parse().unwrap(), config);
        let speaking = async {
            server.says("CIPHER is AES128-SHA\n").await;
            server.write(&capability()).await;
        };
        let (client, ()) = tokio::join!(connecting, speaking);
        let text = server.text();
        // The server prints our certificate.
        let pem = own.certificate_chain_pem();
        let line = pem.lines().nth(1).unwrap();
        assert!(text.contains(line), "{text}");
        client.unwrap().close().await.unwrap();
    }
}

#[tokio::test]
async fn refuses_a_controller_that_its_authlist_does_not_admit_with_alert_46() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let controller = rsa_identity(CONTROLLER);
    let (server, address) = s_server(&openssl, folder.path(), &controller, &["-tls1", "-Verify", "1"]).await;
    let wrong = SharedAuthList::new(authlist_with_wrong_hash(CONTROLLER));
    let (_, config) = config(wrong, LegacyTransport::dangerous_tls());
    let failure = connect(address.parse().unwrap(), config)
        .await
        .unwrap_err()
        .diagnose();
    assert_eq!(
        (failure.rung, failure.refused_by, failure.alert),
        (
            Rung::Tls(TlsFault::AuthList),
            Some(Side::Local),
            Some(Alert::CERTIFICATE_UNKNOWN)
        ),
        "{failure}"
    );
    server.says("SSL alert number 46").await;
}

#[tokio::test]
async fn explains_the_alert_of_a_controller_that_refuses_us() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let controller = rsa_identity(CONTROLLER);
    let options = [
        "-tls1_1",
        "-Verify",
        "1",
        "-verify_return_error",
        "-no-CApath",
        "-no-CAfile",
        "-no-CAstore",
    ];
    let (_server, address) = s_server(&openssl, folder.path(), &controller, &options).await;
    let (_, config) = config(authlist_of(&controller), LegacyTransport::dangerous_tls());
    let failure = connect(address.parse().unwrap(), config)
        .await
        .unwrap_err()
        .diagnose();
    assert_eq!(
        (failure.rung, failure.refused_by, failure.alert),
        (
            Rung::Tls(TlsFault::Chain),
            Some(Side::Peer),
            Some(Alert::UNKNOWN_CA)
        ),
        "{failure}"
    );
}

#[tokio::test]
async fn says_which_setting_to_change_when_versions_or_suites_do_not_meet() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let controller = rsa_identity(CONTROLLER);
    let (_server, address) = s_server(&openssl, folder.path(), &controller, &["-tls1"]).await;
    let newer = LegacyTransport::dangerous_tls_versions(LegacyVersion::Tls11, LegacyVersion::Tls12);
    let mut other_suites = LegacyTransport::dangerous_tls();
    other_suites.ciphers = "AES256-SHA".to_owned();
    for (transport, alert, side, remedy) in [
        (
            newer,
            Alert::PROTOCOL_VERSION,
            Side::Local,
            "versions of the legacy transport",
        ),
        (
            other_suites,
            Alert::HANDSHAKE_FAILURE,
            Side::Peer,
            "`ciphers` of the legacy transport",
        ),
    ] {
        let (_, config) = config(authlist_of(&controller), transport);
        let failure = connect(address.parse().unwrap(), config)
            .await
            .unwrap_err()
            .diagnose();
        assert_eq!(
            (failure.rung, failure.refused_by, failure.alert),
            (Rung::Tls(TlsFault::Protocol), Some(side), Some(alert)),
            "{failure}"
        );
        assert!(failure.remedy.contains(remedy), "{failure}");
    }
}
