//! What our server and our client make, read by `openssl`; and what `openssl` makes, read by them.

use est::client::{Client, CsrOutcome};
use est::operation::{LabelSettings, ResponseLayout};
use est::request::KeyAndRequest;
use est::wire::base64::Base64Layout;
use est::wire::certs_only::{self, CertsOnlyLimits};
use pki_common::Certificate;
use pki_common::identity::NewKey;

use super::{openssl, s_client, verify_request};
use crate::case::Case;
use crate::support::folder::Folder;
use crate::support::lab::{Lab, Revoking};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("pkcs7 and cms read the answer to cacerts in each layout", || {
            reads_cacerts()
        }),
        Case::new("req reads and verifies the request of our client", reads_requests),
        Case::new("verify accepts an issued certificate strictly", verifies_strictly),
        Case::new(
            "crl and verify read our revocation list and what it revokes",
            reads_the_revocation_list,
        ),
        Case::new(
            "req makes requests that are certified, in each form",
            makes_requests,
        ),
        Case::new(
            "crl2pkcs7 makes certs-only messages that we read",
            makes_certs_only,
        ),
    ]
}

/// The body of the answer to a GET, as it came.
async fn get(lab: &Lab, path: &str) -> Vec<u8> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let output = s_client(&lab.folder, &lab.port(), &["-quiet"], &request).await;
    let answer = output.stdout;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&answer)));
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    answer[end + 4..].to_vec()
}

async fn reads_cacerts() {
    for (layout, options) in [
        (Base64Layout::SingleLine, "-A"),
        (Base64Layout::Columns64Lf, ""),
        (Base64Layout::Columns76CrLf, ""),
    ] {
        let settings = LabelSettings {
            layout: ResponseLayout {
                layout,
                ..ResponseLayout::default()
            },
            ..LabelSettings::default()
        };
        let lab = Lab::open(settings).await;
        let folder = &lab.folder;
        folder.write("body", get(&lab, "/.well-known/est/cacerts").await);
        openssl(folder, &format!("base64 -d {options} -in body -out body.p7")).await;
        let certificates = openssl(folder, "pkcs7 -inform DER -in body.p7 -print_certs").await;
        assert!(certificates.contains("CN = Test Root"), "{certificates}");
        let message = openssl(folder, "cms -cmsout -print -inform DER -in body.p7").await;
        for part in [
            "pkcs7-signedData",
            "eContent: <ABSENT>",
            "signerInfos:\n      <EMPTY>",
        ] {
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
    }
}

async fn reads_requests() {
    let folder = Folder::new();
    for kind in [NewKey::EcP256, NewKey::EcP384, NewKey::Rsa2048] {
        let subject = "DC=com,DC=example,CN=ap7".parse().unwrap();
        let names = vec![
            "DNS:ap7.example".parse().unwrap(),
            "IP:192.0.2.7".parse().unwrap(),
        ];
        let made = KeyAndRequest::generate(subject, names, kind).unwrap();
        folder.write("csr.der", made.csr_der());
        let shown = verify_request(&folder, "csr.der").await;
        for part in [
            "Subject: DC = com, DC = example, CN = ap7",
            "DNS:ap7.example, IP Address:192.0.2.7",
        ] {
            assert!(shown.contains(part), "{part:?} is not in {shown}");
        }
    }
}

async fn verifies_strictly() {
    let lab = Lab::open(LabelSettings::default()).await;
    lab.enrol_own("ap7").await;
    let verify = "verify -x509_strict -purpose sslclient -CAfile anchor.pem own.pem";
    let verified = openssl(&lab.folder, verify).await;
    assert_eq!(verified.trim(), "own.pem: OK");
}

async fn reads_the_revocation_list() {
    let mut revoking = Revoking::open().await;
    revoking.lab.enrol_own("ap7").await;
    let check = "verify -crl_check -CAfile anchor.pem -CRLfile list.pem own.pem";
    for revoked in [false, true] {
        let folder = &revoking.lab.folder;
        folder.write("list.crl", get(&revoking.lab, "/crl/ca.crl").await);
        openssl(folder, "crl -inform DER -in list.crl -out list.pem").await;
        let verify = [
            "crl",
            "-in",
            "list.pem",
            "-CAfile",
            "anchor.pem",
            "-noout",
            "-text",
        ];
        let output = folder.run("openssl", &verify).await;
        let shown = crate::support::folder::said(&output);
        assert!(shown.contains("verify OK"), "{shown}");
        assert_eq!(shown.contains("Key Compromise"), revoked, "{shown}");
        let arguments: Vec<_> = check.split(' ').collect();
        let output = folder.run("openssl", &arguments).await;
        let said = crate::support::folder::said(&output);
        assert_eq!(output.status.success(), !revoked, "{said}");
        assert_eq!(said.contains("certificate revoked"), revoked, "{said}");
        if !revoked {
            revoking.revoke("own.pem").await;
        }
    }
}

async fn makes_requests() {
    let lab = Lab::open(LabelSettings::default()).await;
    let folder = &lab.folder;
    let client: Client = lab.server.client();
    for new_key in [
        "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
        "-newkey ec -pkeyopt ec_paramgen_curve:P-384 -sha384",
        "-newkey ed25519",
        "-newkey rsa:2048",
        "-newkey rsa:2048 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1",
    ] {
        let files = "-nodes -keyout key.pem -outform DER -out csr.der";
        openssl(folder, &format!("req -new {new_key} {files} -subj /CN=ap7")).await;
        let csr = std::fs::read(folder.file("csr.der")).unwrap();
        let CsrOutcome::Issued(issued) = client.enroll_csr(&csr).await.unwrap() else {
            panic!("the request waits");
        };
        folder.write("issued.der", issued.certificate.der());
        let certified = openssl(folder, "x509 -inform DER -in issued.der -noout -pubkey").await;
        assert_eq!(
            certified,
            openssl(folder, "pkey -in key.pem -pubout").await,
            "{new_key}"
        );
    }
}

async fn makes_certs_only() {
    let lab = Lab::open(LabelSettings::default()).await;
    lab.enrol_own("ap7").await;
    let folder = &lab.folder;
    let own = Certificate::from_pem(folder.read("own.pem").as_bytes()).unwrap();
    let anchor = Certificate::from_pem(folder.read("anchor.pem").as_bytes()).unwrap();
    let make = "crl2pkcs7 -nocrl -certfile own.pem -certfile anchor.pem -outform DER -out made.p7";
    openssl(folder, make).await;
    let read = |name: &str| {
        let message = std::fs::read(folder.file(name)).unwrap();
        certs_only::decode(&message, &CertsOnlyLimits::default()).unwrap()
    };
    let found = read("made.p7");
    assert!(
        found.contains(own.der()) && found.contains(anchor.der()),
        "{found:?}"
    );
    assert_eq!(found.iter().filter(|found| *found == own.der()).count(), 1);
}
