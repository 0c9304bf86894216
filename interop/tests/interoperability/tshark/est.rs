//! EST over TLS: HTTP as tshark reads it.

use est::auth::BasicCredentials;
use est::client::Client;
use est::operation::{LabelSettings, Operations};
use pki_common::tls::TlsVersions;

use super::{key_log, pcap, tshark};
use crate::case::Case;
use crate::support::est::{PASSWORD, USER};
use crate::support::lab::{Lab, enrol_with};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("sees an enrolment by our client over TLS 1.2", || {
            sees(TlsVersions::Tls12, PASSWORD)
        }),
        Case::new("sees an enrolment by our client over TLS 1.3", || {
            sees(TlsVersions::Tls13, PASSWORD)
        }),
        Case::new("sees a refusal by our server", || {
            sees(TlsVersions::Tls13, "wrong")
        }),
    ]
}

/// Our client asks for the CA certificates and enrols; tshark reads each request and its answer.
async fn sees(versions: TlsVersions, password: &'static str) {
    let lab = Lab::open(LabelSettings::default()).await;
    let operations = Operations::new(lab.server.authority.clone(), LabelSettings::default());
    let mut config = lab.server.config(operations);
    config.tls = config
        .tls
        .dangerous_key_log(key_log(&lab.folder.file("keys.txt")));
    lab.server.handle.reload(config).unwrap();
    let (address, log) = pcap::proxy(lab.server.address);

    let mut config = lab.server.client_config();
    config.url = format!("https://{address}").parse().unwrap();
    config.basic = Some(BasicCredentials::new(USER, password).unwrap());
    config.versions = versions;
    let client = Client::new(config).unwrap();
    client.cacerts().await.unwrap();
    let right = password == PASSWORD;
    if right {
        enrol_with(&client, &lab.folder, "ap7").await;
    } else {
        let options = est::client::EnrollOptions::new("CN=ap7".parse().unwrap());
        client.enroll(options).await.unwrap_err();
    }
    drop(client);
    assert_eq!(lab.server.handle.statistics().connections, 1);
    lab.folder
        .write("session.pcap", pcap::pcap(&log.lock().unwrap(), 1400, false));

    let fields = "-d tls.port==16113,http -Y http -T fields -E separator=; -e http.request.method -e http.request.uri \
                  -e http.response.code -e http.content_type";
    let shown = tshark(&lab.folder, &fields.split_whitespace().collect::<Vec<_>>()).await;
    let lines: Vec<_> = shown.lines().collect();
    let certs_only = ";;200;application/pkcs7-mime; smime-type=certs-only";
    let (enroll, answer) = if right {
        (
            "POST;/.well-known/est/simpleenroll;;application/pkcs10",
            certs_only,
        )
    } else {
        (
            "POST;/.well-known/est/simpleenroll;;application/pkcs10",
            ";;401;text/plain; charset=utf-8",
        )
    };
    // The client may ask for attributes before it makes a request.
    let without_attributes: Vec<_> = lines
        .iter()
        .filter(|line| !line.contains("csrattrs") && !line.starts_with(";;204"))
        .copied()
        .collect();
    let cacerts = "GET;/.well-known/est/cacerts;;";
    assert_eq!(
        without_attributes,
        [cacerts, certs_only, enroll, answer],
        "{shown}"
    );
}
