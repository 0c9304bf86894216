//! Revoked certificates: the list that is served, and clients that hold one.

use std::path::Path;
use std::sync::Arc;

use est::auth::Users;
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::issuer::CrlSettings;
use est::ca::policy::IssuancePolicy;
use est::ca::serial::SerialNumber;
use est::ca::{CertificateAuthority, Requester, RevocationReason, RevokeRequest};
use est::operation::{LabelSettings, Operations};
use est::server::{RevocationFollower, Server, ServerConfig, ServerLimits, own_identity};
use pki_common::Certificate;
use pki_common::identity::{Identity, NewKey};
use pki_common::revocation::{RevocationCheck, RevocationLists};
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls};
use pki_common::trust_store::TrustStore;
use rustls::time_provider::DefaultTimeProvider;
use rustls_pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::curl::{
    certificate, configure, csr, curl, enroll, enroll_as, eventually, hang_up, installed, openssl, run,
};
use crate::process::{Serving, laboratory, succeeds};
use crate::support::raw::{base64, csr as new_csr, post, read_answer};

const BY_CERTIFICATE: [&str; 4] = ["--cert", "x.pem", "--key", "x.key"];

fn serial(folder: &Path, pem: &str) -> String {
    let printed = openssl(folder, &["x509", "-in", pem, "-noout", "-serial"]);
    printed
        .trim()
        .strip_prefix("serial=")
        .unwrap()
        .to_ascii_lowercase()
}

#[test]
fn a_certificate_that_est_ca_revoke_revokes_authenticates_no_more_without_a_restart() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    csr(folder, "x", "/CN=x");
    let (status, _, body) = enroll(folder, &server, "simpleenroll", "x");
    assert_eq!(status, 200, "{body}");
    certificate(folder, "x", &body);
    let renew = || enroll_as(folder, &server, "simplereenroll", "x", &BY_CERTIFICATE);
    assert_eq!(renew().0, 200);
    succeeds(
        folder,
        &["ca", "revoke", "--dir", "ca", &serial(folder, "x.pem")],
        "",
    );
    let (_, _, said) = eventually(renew, |(status, ..)| *status == 0);
    assert!(said.contains("certificate revoked"), "alert 44: {said}");
    assert_eq!(
        enroll(folder, &server, "simpleenroll", "x").0,
        200,
        "by password still"
    );
}

#[test]
fn lists_of_other_authorities_come_from_files_and_again_at_sighup() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    succeeds(
        folder,
        &["ca", "init", "--dir", "other", "--subject", "CN=Other"],
        "",
    );
    let names = ["--subject", "CN=x", "--name", "DNS:x.example"];
    let files = ["--out-certificate", "x.pem", "--out-key", "x.key"];
    let arguments = ["ca", "server-certificate", "--dir", "other"];
    succeeds(folder, &[&arguments[..], &names, &files].concat(), "");
    let export = || {
        let arguments = ["ca", "export", "crl", "--dir", "other", "--out", "other.crl"];
        drop(std::fs::remove_file(folder.join("other.crl")));
        succeeds(folder, &arguments, "");
    };
    export();
    let config = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    let config = config.replace(
        "client-trust-anchors = [\"ca/ca.pem\"]",
        "client-trust-anchors = [\"ca/ca.pem\", \"other/ca.pem\"]\nclient-revocation-lists = [\"other.crl\"]",
    );
    std::fs::write(folder.join("est.toml"), config).unwrap();
    let server = Serving::start(folder);
    csr(folder, "y", "/CN=y");
    let ask = || enroll_as(folder, &server, "simpleenroll", "y", &BY_CERTIFICATE);
    assert_eq!(ask().0, 200);
    succeeds(
        folder,
        &["ca", "revoke", "--dir", "other", &serial(folder, "x.pem")],
        "",
    );
    export();
    hang_up(&server);
    let (_, _, said) = eventually(ask, |(status, ..)| *status == 0);
    assert!(said.contains("certificate revoked"), "{said}");
}

/// The revocation list from the server at `base`, verified and explained by OpenSSL.
fn fetched(folder: &Path, base: &str) -> String {
    let url = format!("{base}/crl/ca.crl");
    let arguments = ["-sS", "--fail", "--cacert", "ca/ca.pem", "-o", "got.crl", &url];
    let output = run(folder, "curl", &arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let explain = "crl -inform DER -in got.crl -CAfile ca/ca.pem -noout -text";
    openssl(folder, &explain.split(' ').collect::<Vec<_>>())
}

#[test]
fn the_list_is_served_over_both_protocols_and_openssl_verifies_it() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let path = "crl-path = \"/crl/ca.crl\"\ncrl-listen = \"127.0.0.1:0\"\n";
    configure(folder, path);
    let mut server = Serving::start(folder);
    let line = server.next_line();
    let plain = line
        .trim()
        .strip_prefix("revocation lists at ")
        .unwrap()
        .to_owned();
    let fetched = |base: &str| fetched(folder, base);
    for base in [plain.as_str(), &server.url] {
        let text = fetched(base);
        assert!(
            text.contains("verify OK") && text.contains("No Revoked Certificates"),
            "{text}"
        );
        let (status, headers, _) = curl(folder, &["-I", &format!("{base}/crl/ca.crl")]);
        assert_eq!(status, 200);
        assert!(
            headers.contains("content-type: application/pkix-crl"),
            "{headers}"
        );
        assert!(
            headers.contains("last-modified: ") && headers.contains("expires: "),
            "{headers}"
        );
    }
    let of_server = serial(folder, "server.pem");
    let revoke = [
        "ca",
        "revoke",
        "--dir",
        "ca",
        "--reason",
        "superseded",
        &of_server,
    ];
    succeeds(folder, &revoke, "");
    let text = eventually(|| fetched(&plain), |text| text.contains("Superseded"));
    assert!(text.to_ascii_lowercase().contains(&of_server), "{text}");
    for (path, expected) in [
        ("/crl/ca.crl/", 404),
        ("/.well-known/est/cacerts", 404),
        ("/", 404),
    ] {
        assert_eq!(curl(folder, &[&format!("{plain}{path}")]).0, expected, "{path}");
    }
    let (status, ..) = curl(folder, &["-d", "x", &format!("{plain}/crl/ca.crl")]);
    assert_eq!(status, 404);
}

/// A server whose authority publishes, and the verifier's lists follow it.
async fn following(
    authority: &EmbeddedCertificateAuthority,
    anchors: &Arc<TrustStore>,
) -> (Server, RevocationFollower) {
    let names = vec!["IP:127.0.0.1".parse().unwrap()];
    let subject = "CN=EST server".parse().unwrap();
    let identity = own_identity(authority, subject, names, NewKey::EcP256)
        .await
        .unwrap();
    let shared: Arc<dyn CertificateAuthority> = Arc::new(authority.clone());
    let mut follower = RevocationFollower::new(RevocationLists::empty("clients"), vec![Arc::clone(&shared)]);
    follower.refresh().await.unwrap();
    let mut tls = ServerTls::new(Arc::new(identity));
    tls.client_authentication = ClientAuthentication::Optional(
        PeerVerifier::trust_store(Arc::clone(anchors)).with_revocation(RevocationCheck::by(follower.lists())),
    );
    let config = ServerConfig {
        tls,
        operations: Operations::new(shared, LabelSettings::default()),
        authenticator: Arc::new(Users::new()),
        limits: ServerLimits::default(),
    };
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), config)
        .await
        .unwrap();
    (server, follower)
}

async fn revoke(authority: &EmbeddedCertificateAuthority, identity: &Identity) {
    let serial = SerialNumber::from_unsigned(identity.certificate().serial_number()).unwrap();
    let request = RevokeRequest {
        serial,
        reason: RevocationReason::KEY_COMPROMISE,
        invalidity_date: None,
        requester: Requester::operator(),
        label: None,
    };
    authority.revoke(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_outlives_its_certificate_is_refused_with_403() {
    let folder = tempfile::tempdir().unwrap();
    let new = NewAuthority {
        subject: "CN=Root".to_owned(),
        key: NewKey::EcP256,
        validity: std::time::Duration::from_secs(86_400 * 365),
    };
    let files = AuthorityFiles::in_folder(folder.path());
    let clock = Arc::new(DefaultTimeProvider);
    let authority = EmbeddedCertificateAuthority::create(&files, &new, IssuancePolicy::default(), clock)
        .unwrap()
        .with_revocation_list(CrlSettings::default())
        .unwrap();
    let mut anchors = TrustStore::empty("anchors");
    anchors
        .add(&Certificate::from_der(authority.ca_certificate()).unwrap())
        .unwrap();
    let anchors = Arc::new(anchors);
    let (server, mut follower) = following(&authority, &anchors).await;
    let (address, handle) = (server.local_addr(), server.handle());
    let running = tokio::spawn(server.run());

    let client = own_identity(&authority, "CN=x".parse().unwrap(), vec![], NewKey::EcP256)
        .await
        .unwrap();
    let client = Arc::new(client);
    let tls = ClientTls::new(PeerVerifier::trust_store(anchors)).with_identity(Arc::clone(&client));
    let connector = TlsConnector::from(tls.rustls_config().unwrap());
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = post("Content-Type: application/pkcs10\r\n", &base64(&new_csr()));
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    revoke(&authority, &client).await;
    follower.refresh().await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("keyCompromise"), "{answer}");
    handle.shutdown();
    running.await.unwrap();
}

/// A list as `openssl verify` reads it.
fn list_at(folder: &Path, server: &Serving, path: &str, name: &str) {
    let (der, url) = (format!("{name}.der"), format!("{}{path}", server.url));
    let fetched = run(
        folder,
        "curl",
        &["-sS", "--fail", "--cacert", "all.pem", "-o", &der, &url],
    );
    assert!(fetched.status.success(), "{url}");
    openssl(folder, &["crl", "-inform", "DER", "-in", &der, "-out", name]);
}

/// The path of the distribution point in a certificate.
fn distribution_point(folder: &Path, pem: &str) -> String {
    let shown = openssl(
        folder,
        &["x509", "-in", pem, "-noout", "-ext", "crlDistributionPoints"],
    );
    let uri = shown.split("URI:http://crl.example").nth(1).unwrap();
    uri.split_whitespace().next().unwrap().to_owned()
}

/// What `openssl verify` says of a certificate with this root alone and this list.
fn verified(folder: &Path, root: &str, list: &str, more: &[&str], pem: &str) -> String {
    let start = ["verify", "-crl_check", "-CAfile", root, "-CRLfile", list];
    let output = run(folder, "openssl", &[&start[..], more, &[pem]].concat());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Lists, and distribution points for them, for each key of the authority; its root kept as `old-root.pem`.
fn lists_by_key(folder: &Path) {
    std::fs::copy(folder.join("ca/ca.pem"), folder.join("old-root.pem")).unwrap();
    std::fs::copy(folder.join("ca/ca.pem"), folder.join("all.pem")).unwrap();
    let base = std::fs::read_to_string(folder.join("est.toml")).unwrap();
    let config = format!(
        "crl-path = \"/crl/{{key}}.crl\"\n{base}[policy]\n\
         crl-distribution-points = [\"http://crl.example/crl/{{key}}.crl\"]\n"
    );
    std::fs::write(folder.join("est.toml"), config).unwrap();
}

/// Enrols `NAME`, and returns the path of its distribution point.
fn issued(folder: &Path, server: &Serving, name: &str) -> String {
    csr(folder, name, &format!("/CN={name}"));
    let user = format!("{}:{}", crate::process::USER, crate::process::PASSWORD);
    let credentials = ["-u", &user, "--cacert", "all.pem"];
    let (status, _, body) = enroll_as(folder, server, "simpleenroll", name, &credentials);
    assert_eq!(status, 200, "{body}");
    certificate(folder, name, &body);
    distribution_point(folder, &format!("{name}.pem"))
}

/// Has the server issue with the renewed authority.
fn takes_over(folder: &Path, server: &Serving) {
    let old = std::fs::read_to_string(folder.join("old-root.pem")).unwrap();
    let new = std::fs::read_to_string(folder.join("ca/ca.pem")).unwrap();
    std::fs::write(folder.join("all.pem"), old + &new).unwrap();
    let url = format!("{}/.well-known/est/cacerts", server.url);
    let length = || curl(folder, &["--cacert", "all.pem", &url]).2.len();
    let before = length();
    hang_up(server);
    eventually(length, |length| *length > before);
}

#[test]
fn after_a_new_key_each_root_alone_checks_what_was_issued_under_it() {
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    lists_by_key(folder);
    let server = Serving::start(folder);
    let issue = |name| issued(folder, &server, name);
    let old_path = issue("old");
    assert_eq!(issue("old-revoked"), old_path);

    succeeds(folder, &["ca", "renew", "--dir", "ca"], "");
    takes_over(folder, &server);
    let new_path = issue("new");
    assert_ne!(issue("new-revoked"), old_path);
    assert_ne!(new_path, old_path);
    for name in ["old-revoked.pem", "new-revoked.pem"] {
        succeeds(
            folder,
            &["ca", "revoke", "--dir", "ca", &serial(folder, name)],
            "",
        );
    }

    let verify = |root, list, more: &[&str], pem| verified(folder, root, list, more, pem);
    // A list is made anew within a second of the revocation.
    for (path, list, root, revoked) in [
        (&old_path, "old.crl", "old-root.pem", "old-revoked.pem"),
        (&new_path, "new.crl", "ca/ca.pem", "new-revoked.pem"),
    ] {
        let said = || {
            list_at(folder, &server, path, list);
            verify(root, list, &[], revoked)
        };
        eventually(said, |said| said.contains("certificate revoked"));
    }
    for (root, list, pem) in [
        ("old-root.pem", "old.crl", "old.pem"),
        ("ca/ca.pem", "new.crl", "new.pem"),
    ] {
        let said = verify(root, list, &[], pem);
        assert!(said.contains(&format!("{pem}: OK")), "{said}");
    }
    // The new root checks old certificates by OldWithNew, and the old root new ones by NewWithOld.
    let rollover = std::fs::read_to_string(folder.join("ca/ca-rollover.pem")).unwrap();
    // The first is the old root itself, at which openssl would stop.
    let (_, links) = rollover.split_once("-----END CERTIFICATE-----\n").unwrap();
    std::fs::write(folder.join("links.pem"), links).unwrap();
    let links = ["-untrusted", "links.pem"];
    for (root, list, pem) in [
        ("ca/ca.pem", "old.crl", "old.pem"),
        ("old-root.pem", "new.crl", "new.pem"),
    ] {
        let said = verify(root, list, &links, pem);
        assert!(said.contains(&format!("{pem}: OK")), "{said}");
    }
    // Why it takes two: the list of the new key says nothing to the old root.
    let said = verify("old-root.pem", "new.crl", &[], "old.pem");
    assert!(!said.contains("old.pem: OK"), "{said}");
    // A restart finds the old key again.
    drop(server);
    let server = Serving::start(folder);
    list_at(folder, &server, &old_path, "again.crl");
    let said = verify("old-root.pem", "again.crl", &[], "old-revoked.pem");
    assert!(said.contains("certificate revoked"), "{said}");
}
