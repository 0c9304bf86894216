//! `fullcmc` with messages that `openssl cms` signs, and answers that it verifies.

use std::sync::Arc;

use est::ca::policy::IssuancePolicy;
use est::operation::{FullCmcSettings, LabelSettings, Operation};
use est::request::cmc::CmcRequestBuilder;
use est::server::own_identity;
use est::wire::cms::signed_data::Signer;
use pki_common::Certificate;
use pki_common::identity::{Identity, NewKey};
use pki_common::trust_store::TrustStore;

use super::exchange::{CMC, PKCS10, post, tlv};
use super::{openssl, verify_request};
use crate::case::Case;
use crate::support::est::{Setup, embedded_authority};
use crate::support::folder::Folder;
use crate::support::lab::Lab;

/// id-cct-PKIData (RFC 5272 section 3.2).
const PKI_DATA: &str = "1.3.6.1.5.5.7.12.2";

/// id-cmc-statusInfoV2 (RFC 5272 section 6.1.1).
const STATUS_INFO_V2: &str = "1.3.6.1.5.5.7.7.25";

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout new.key";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "cms signs a full CMC request that our server grants, and verifies the answer",
            is_granted,
        ),
        Case::new(
            "cms verifies our server's refusal of a full CMC request from a stranger",
            is_refused,
        ),
        Case::new(
            "cms verifies the full CMC request of our client, and req the request in it",
            verifies_our_request,
        ),
        Case::new(
            "pkcs7 reads what simpleenroll and fullcmc answer to a request of req",
            reads_certs_only,
        ),
    ]
}

/// A server that answers CMC with a certificate of its authority, and trusts that authority's certificates.
async fn open() -> Lab {
    let embedded = embedded_authority(IssuancePolicy::default());
    let root = Certificate::from_der(embedded.ca_certificate()).unwrap();
    let mut anchors = TrustStore::empty("CMC anchors");
    anchors.add(&root).unwrap();
    let subject = "CN=CMC responder".parse().unwrap();
    let responder = own_identity(&*embedded, subject, Vec::new(), NewKey::EcP256)
        .await
        .unwrap();
    let setup = Setup {
        settings: LabelSettings {
            full_cmc: Some(FullCmcSettings::new(Arc::new(responder), Arc::new(anchors))),
            ..LabelSettings::default()
        },
        embedded: Some(embedded),
        ..Setup::default()
    };
    Lab::with(setup, |authority| authority).await
}

/// Has `openssl req` make `new.key` and the request `new.csr` for this common name.
async fn request(folder: &Folder, name: &str) {
    let make = format!("req -new {NEW_KEY} -subj /CN={name} -outform DER -out new.csr");
    openssl(folder, &make).await;
}

/// Has `openssl cms` sign `message.p7`: PKIData of no controls and the request `new.csr`.
async fn sign(folder: &Folder, certificate: &str, key: &str) {
    let csr = std::fs::read(folder.file("new.csr")).unwrap();
    let none = tlv(0x30, &[]);
    // TaggedRequest ::= tcr [0] { bodyPartID 1, the request }
    let requests = tlv(0x30, &[&tlv(0xa0, &[&[2, 1, 1], &csr])]);
    folder.write("data", tlv(0x30, &[&none, &requests, &none, &none]));
    let sign = format!(
        "cms -sign -binary -nodetach -nosmimecap -md sha256 -econtent_type {PKI_DATA} -signer {certificate} \
         -inkey {key} -in data -outform DER -out message.p7"
    );
    openssl(folder, &sign).await;
}

/// Has `openssl cms` verify `answer.p7` up to the anchor. Returns what it prints about the content, which must be a
/// PKIResponse with a status. Its certificates are `certificates.pem` then.
async fn verify_answer(folder: &Folder) -> String {
    let verify = "cms -verify -binary -inform DER -in answer.p7 -CAfile anchor.pem -purpose any -out content \
                  -signer signer.pem -certsout certificates.pem";
    openssl(folder, verify).await;
    let signer = openssl(folder, "x509 -in signer.pem -noout -subject").await;
    assert!(signer.contains("CN = CMC responder"), "{signer}");
    let structure = openssl(folder, "cms -cmsout -print -inform DER -in answer.p7").await;
    assert!(structure.contains("id-cct-PKIResponse"), "{structure}");
    let content = openssl(folder, "asn1parse -inform DER -in content").await;
    assert!(content.contains(STATUS_INFO_V2), "{content}");
    content
}

/// How many of the certificates in this file are for the new key; the last is `issued.pem` then.
async fn for_the_new_key(folder: &Folder, file: &str) -> usize {
    const END: &str = "-----END CERTIFICATE-----\n";
    let wanted = openssl(folder, "pkey -in new.key -pubout").await;
    let mut found = 0;
    for certificate in folder.read(file).split_inclusive(END) {
        if !certificate.ends_with(END) {
            continue;
        }
        folder.write("one.pem", certificate);
        if openssl(folder, "x509 -in one.pem -noout -pubkey").await == wanted {
            found += 1;
            folder.write("issued.pem", certificate);
        }
    }
    found
}

async fn is_granted() {
    let lab = open().await;
    let folder = &lab.folder;
    lab.enrol_own("ap7").await;
    request(folder, "ap7").await;
    sign(folder, "own.pem", "own.key.pem").await;
    let answer = post(&lab, "fullcmc", CMC, "message.p7").await;
    assert_eq!(answer.status, 200, "{} {}", answer.head, answer.body);
    assert!(answer.head.contains("smime-type=CMC-response"), "{}", answer.head);
    answer.save(&lab, "answer.p7").await;
    verify_answer(folder).await;
    assert_eq!(for_the_new_key(folder, "certificates.pem").await, 1);
    let verified = openssl(folder, "verify -CAfile anchor.pem issued.pem").await;
    assert_eq!(verified.trim(), "issued.pem: OK");
    let subject = openssl(folder, "x509 -in issued.pem -noout -subject").await;
    assert_eq!(subject.trim(), "subject=CN = ap7");
}

/// By a certificate that nobody has issued.
async fn is_refused() {
    let lab = open().await;
    let folder = &lab.folder;
    let stranger = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ap7 -keyout own.key.pem \
                    -out own.pem";
    openssl(folder, stranger).await;
    request(folder, "ap7").await;
    sign(folder, "own.pem", "own.key.pem").await;
    let answer = post(&lab, "fullcmc", CMC, "message.p7").await;
    assert!((400..500).contains(&answer.status), "{}", answer.head);
    answer.save(&lab, "answer.p7").await;
    // RFC 7030 section 4.3.2: also an error is a PKIResponse.
    let content = verify_answer(folder).await;
    assert!(content.contains("UTF8STRING"), "no text says why: {content}");
    assert_eq!(for_the_new_key(folder, "certificates.pem").await, 0);
    assert_eq!(lab.answers(Operation::FullCmc, 200), 0);
}

async fn verifies_our_request() {
    let lab = open().await;
    let folder = &lab.folder;
    lab.enrol_own("ap7").await;
    request(folder, "ap7").await;
    let csr = std::fs::read(folder.file("new.csr")).unwrap();
    let (certificate, key) = (folder.read("own.pem"), folder.read("own.key.pem"));
    let identity = Identity::from_bytes(certificate.as_bytes(), key.as_bytes(), "own").unwrap();
    let message = CmcRequestBuilder::new([7; 32])
        .pkcs10(csr.clone())
        .sign(&Signer::with_identity(&identity), identity.chain())
        .unwrap();
    folder.write("message.p7", message.der());
    let verify = "cms -verify -binary -inform DER -in message.p7 -CAfile anchor.pem -purpose any -out content \
                  -signer signer.pem";
    openssl(folder, verify).await;
    let signer = openssl(folder, "x509 -in signer.pem -noout -subject").await;
    assert_eq!(signer.trim(), "subject=CN = ap7");
    let structure = openssl(folder, "cms -cmsout -print -inform DER -in message.p7").await;
    assert!(structure.contains("id-cct-PKIData"), "{structure}");
    let content = std::fs::read(folder.file("content")).unwrap();
    let place = content
        .windows(csr.len())
        .position(|window| window == csr)
        .unwrap();
    let length = csr.len();
    let take =
        format!("asn1parse -inform DER -in content -offset {place} -length {length} -noout -out inner.csr");
    openssl(folder, &take).await;
    verify_request(folder, "inner.csr").await;
}

async fn reads_certs_only() {
    let lab = open().await;
    let folder = &lab.folder;
    for (operation, media_type) in [("simpleenroll", PKCS10), ("fullcmc", CMC)] {
        request(folder, "ap7").await;
        let answer = post(&lab, operation, media_type, "new.csr").await;
        assert_eq!(answer.status, 200, "{operation}: {} {}", answer.head, answer.body);
        assert!(answer.head.contains("smime-type=certs-only"), "{}", answer.head);
        answer.save(&lab, "answer.p7").await;
        openssl(
            folder,
            "pkcs7 -inform DER -in answer.p7 -print_certs -out certificates.pem",
        )
        .await;
        assert_eq!(
            for_the_new_key(folder, "certificates.pem").await,
            1,
            "{operation}"
        );
        let verified = openssl(folder, "verify -CAfile anchor.pem issued.pem").await;
        assert_eq!(verified.trim(), "issued.pem: OK", "{operation}");
    }
}
