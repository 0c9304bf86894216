//! The controller's side before `openssl s_client`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nmsp::server::Transport;
use nmsp::transport::openssl::LegacyTransport;
use pki_common::MacAddr;
use pki_common::identity::{Identity, SelfSigned};
use pki_common::revocation::{RevocationCheck, RevocationLists};
use pki_common::tls::{ClientAuthentication, PeerVerifier};
use pki_common::trust_store::TrustStore;
use rustls::pki_types::UnixTime;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::lab::{LegacyLab, rsa_identity};
use crate::peers::find_or_skip;
use crate::program::{Files, Program, run};
use crate::support::{LOCATION_SERVER, PATIENCE, authlist_with_wrong_hash, until};

/// Key exchange with static RSA, as F001-17 concludes for the vendor's devices.
const STATIC_RSA: &str = "AES128-SHA:@SECLEVEL=0";

const VERSIONS: [(&str, &str); 3] = [("-tls1", "TLSv1"), ("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2")];

async fn lab() -> LegacyLab {
    LegacyLab::start(LegacyTransport::dangerous_tls(), |config| {
        config.limits.handshake_timeout = Duration::from_millis(1500);
    })
    .await
}

fn s_client(openssl: &Path, lab: &LegacyLab, version: &str, files: Option<&Files>) -> Program {
    let address = lab.legacy.to_string();
    let mut arguments = vec!["s_client", "-connect", &address, version, "-cipher", STATIC_RSA];
    if let Some(files) = files {
        arguments.extend(files.arguments());
    }
    Program::start(openssl, &arguments)
}

#[tokio::test]
async fn s_client_with_static_rsa_is_admitted_in_every_version() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (lab, folder) = (lab().await, tempfile::tempdir().unwrap());
    let files = Files::of(&lab.location_server, folder.path(), "location-server");
    for (version, name) in VERSIONS {
        let client = s_client(&openssl, &lab, version, Some(&files));
        client.says("Extended master secret: yes\n---\n").await;
        let text = client.text();
        assert!(text.contains("Cipher is AES128-SHA\n"), "{version}: {text}");
        assert!(
            text.contains(&format!("Protocol  : {name}\n")),
            "{version}: {text}"
        );
        let status = lab.handle.status();
        let live = status.iter().find(|status| status.active).unwrap();
        assert_eq!(live.transport, Transport::LegacyTls);
        assert_eq!(live.mac, Some(MacAddr::from(LOCATION_SERVER)));
        drop(client);
        until("the controller has noticed", || {
            lab.handle.status().iter().all(|status| !status.active)
        })
        .await;
    }
    let counters = lab.handle.counters();
    assert_eq!(
        (
            counters.ssl_stats.verify_success,
            counters.ssl_stats.accept_success
        ),
        (3, 3)
    );
    assert_eq!(counters.aaa_stats.aaa_validation_success, 3);
    lab.stop().await;
}

/// A certificate of an authority that nobody trusts.
async fn of_an_unknown_authority(openssl: &Path, folder: &Path) -> Files {
    run(
        openssl,
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=CA",
    )
    .await;
    run(openssl, folder, "req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=Device-020a0a0a0a0a -addext basicConstraints=CA:FALSE").await;
    run(openssl, folder, "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -copy_extensions copyall -out leaf.pem").await;
    Files {
        certificate: folder.join("leaf.pem"),
        key: folder.join("leaf.key"),
    }
}

/// Certificates that are not valid, or that no authlist here has, and the alert for each.
pub(crate) async fn refused(openssl: &Path, folder: &Path) -> Vec<(&'static str, Files, u8)> {
    let files = |identity: &Identity, name| Files::of(identity, folder, name);
    vec![
        (
            "the right MAC address with another key",
            files(&rsa_identity(LOCATION_SERVER), "hash"),
            46,
        ),
        (
            "a MAC address without an entry",
            files(&rsa_identity([2, 9, 9, 9, 9, 9]), "mac"),
            46,
        ),
        ("a certificate that has expired", files(&expired(), "expired"), 45),
        (
            "an unknown authority",
            of_an_unknown_authority(openssl, folder).await,
            48,
        ),
    ]
}

fn expired() -> Identity {
    Identity::self_signed(SelfSigned {
        backdate: Duration::from_secs(7200),
        validity: Duration::ZERO,
        now: UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs() - 3600)),
        ..SelfSigned::new(MacAddr::from([2, 8, 8, 8, 8, 8]))
    })
    .unwrap()
}

/// Certificates checked and found invalid; location servers that the authlist refused.
fn refusals(lab: &LegacyLab) -> (u64, u64) {
    let counters = lab.handle.counters();
    (
        counters.ssl_stats.verify_fail,
        counters.aaa_stats.aaa_validation_fail,
    )
}

#[tokio::test]
async fn every_refusal_reaches_s_client_as_its_alert_and_harms_nobody_else() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (lab, folder) = (lab().await, tempfile::tempdir().unwrap());
    let mut table: Vec<_> = refused(&openssl, folder.path())
        .await
        .into_iter()
        .map(|(what, files, alert)| (what, Some(files), alert))
        .collect();
    table.push(("no certificate", None, 40));
    let mut failed = 0;
    for (what, files, alert) in &table {
        // The authlist is asked about valid certificates only.
        let (invalid, not_admitted) = match alert {
            45 | 48 => (1, 0),
            46 => (0, 1),
            _ => (0, 0),
        };
        for (version, _) in VERSIONS {
            let before = refusals(&lab);
            let client = s_client(&openssl, &lab, version, files.as_ref());
            let (content, text) = client.ended().await;
            assert!(!content, "{what}, {version}: {text}");
            assert!(
                text.contains(&format!("SSL alert number {alert}\n")),
                "{what}, {version}: {text}"
            );
            failed += 1;
            until("the failure is counted", || {
                lab.handle.counters().ssl_stats.accept_fail == failed
            })
            .await;
            assert_eq!(
                refusals(&lab),
                (before.0 + invalid, before.1 + not_admitted),
                "{what}, {version}"
            );
            lab.the_next_one_is_unharmed(LegacyTransport::dangerous_tls())
                .await;
        }
    }
    lab.stop().await;
}

/// An authority with a certificate for a location server and a list that revokes it.
async fn revoking_authority(openssl: &Path, folder: &Path) -> Files {
    std::fs::write(
        folder.join("ca.cnf"),
        "[ca]\ndefault_ca=own\n[own]\ndir=.\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
         default_days=30\ndefault_crl_days=30\npolicy=any\nx509_extensions=leaf\n\
         [any]\ncommonName=supplied\n[leaf]\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    std::fs::write(folder.join("index.txt"), "").unwrap();
    std::fs::write(folder.join("serial"), "0a\n").unwrap();
    let name = "Device-0050569c3489";
    for arguments in [
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=CA",
        &format!("req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN={name}"),
        "ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in leaf.csr -out leaf.pem",
        "ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -revoke leaf.pem",
        "ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out ca.crl",
    ] {
        run(openssl, folder, arguments).await;
    }
    Files {
        certificate: folder.join("leaf.pem"),
        key: folder.join("leaf.key"),
    }
}

/// As over rustls but for the alert: OpenSSL's safe interface cannot say 44.
#[tokio::test]
async fn a_revoked_certificate_is_refused_over_tls_and_dtls() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let files = revoking_authority(&openssl, folder.path()).await;
    let anchors = || Arc::new(TrustStore::from_paths("test", [folder.path().join("ca.pem")]).unwrap());
    let lists = || RevocationLists::from_paths("test", [folder.path().join("ca.crl")]).unwrap();
    for (revocation, version) in [
        (false, "-tls1_2"),
        (true, "-tls1"),
        (true, "-tls1_2"),
        (true, "-dtls1_2"),
    ] {
        let transport = if version == "-dtls1_2" {
            LegacyTransport::dangerous_dtls()
        } else {
            LegacyTransport::dangerous_tls()
        };
        let lab = LegacyLab::start(transport, |config| {
            let mut verifier = PeerVerifier::trust_store(anchors());
            if revocation {
                verifier = verifier.with_revocation(RevocationCheck::by(lists()));
            }
            config.tls.client_authentication = ClientAuthentication::Required(verifier);
        })
        .await;
        let client = s_client(&openssl, &lab, version, Some(&files));
        if revocation {
            let (content, text) = client.ended().await;
            assert!(
                !content && text.contains("SSL alert number 42\n"),
                "{version}: {text}"
            );
            assert_eq!(refusals(&lab), (1, 0), "{version}");
        } else {
            until("it is admitted as long as nobody asks for the list", || {
                lab.handle.status().iter().any(|status| status.active)
            })
            .await;
        }
        lab.stop().await;
    }
}

#[tokio::test]
async fn an_authlist_that_changes_is_asked_anew_on_the_next_connection() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (lab, folder) = (lab().await, tempfile::tempdir().unwrap());
    let files = Files::of(&lab.location_server, folder.path(), "location-server");
    let session: PathBuf = folder.path().join("session.pem");
    let address = lab.legacy.to_string();
    let connect = |option: &'static str| {
        let mut arguments = vec!["s_client", "-connect", &address, "-tls1_2", "-cipher", STATIC_RSA];
        arguments.extend(files.arguments());
        arguments.extend([option, session.to_str().unwrap()]);
        Program::start(&openssl, &arguments)
    };
    let first = connect("-sess_out");
    first.says("Extended master secret: yes\n---\n").await;
    drop(first);
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    // A client that has kept its session, if it got one, and asks to resume it.
    let option = if session.is_file() {
        "-sess_in"
    } else {
        "-sess_out"
    };
    let (content, text) = connect(option).ended().await;
    assert!(!content && text.contains("SSL alert number 46\n"), "{text}");
    lab.stop().await;
}

#[tokio::test]
async fn a_peer_that_stalls_in_the_handshake_is_dropped_and_counted() {
    let lab = lab().await;
    let mut stream = TcpStream::connect(lab.legacy).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(answer, b"");
    until("the time-out is counted", || {
        lab.handle.counters().handshake_timeouts == 1
    })
    .await;
    lab.the_next_one_is_unharmed(LegacyTransport::dangerous_tls())
        .await;
    lab.stop().await;
}
