//! The AD CS client of the `est` crate against the simulator: the same verdicts in every language, by every login.

use std::sync::Arc;

use est::adcs::client::CertsrvClient;
use est::adcs::form::RequestId;
use est::adcs::page::{Retrieved, Verdict};
use est::adcs::{CertsrvAuthentication, CertsrvSettings, WindowsAccount};
use interop::adcs_sim::{Fault, Hresult, Language, Rule, Settings, Simulator, Verdict as Wanted};
use pki_common::trust_store::TrustStore;
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject as _;

use crate::lab::columns;

fn request(common_name: &str) -> Vec<u8> {
    let pem = crate::lab::request(common_name);
    CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
        .unwrap()
        .to_vec()
}

async fn simulator() -> Simulator {
    let rule = |subject: &str, verdict| Rule {
        subject: subject.to_owned(),
        verdict,
    };
    let mut settings = Settings {
        rules: vec![
            rule("CN=slow", Wanted::Pending),
            rule("CN=bad", Wanted::Deny(Hresult::TEMPLATE_PERMISSIONS)),
        ],
        ..Settings::default()
    };
    settings.logins.client_certificate = true;
    Simulator::start(settings).await.unwrap()
}

fn client(simulator: &Simulator, authentication: CertsrvAuthentication) -> CertsrvClient {
    let anchors = TrustStore::from_pem("AD CS", simulator.authority_pem().as_bytes()).unwrap();
    let url = format!("{}/certsrv", simulator.url()).parse().unwrap();
    let settings = CertsrvSettings::new(url, Arc::new(anchors), authentication, "CiscoRA");
    CertsrvClient::new(settings).unwrap()
}

fn logins(simulator: &Simulator) -> [CertsrvAuthentication; 3] {
    let account = WindowsAccount::new("MICHAMEN\\ciscora", "cisco").unwrap();
    let identity = simulator.client_identity("ciscora").unwrap();
    [
        CertsrvAuthentication::Ntlm(account.clone()),
        CertsrvAuthentication::Basic(account),
        CertsrvAuthentication::Certificate(Arc::new(identity)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_login_finds_the_templates_and_the_newest_chain() {
    let simulator = simulator().await;
    simulator.set_faults([Fault::Renewed(1)]).unwrap();
    for login in logins(&simulator) {
        let client = client(&simulator, login);
        let templates = client.templates().await.unwrap();
        client.require_template(&templates).unwrap();
        let chain = client.chain().await.unwrap();
        assert_eq!(chain.certificates.len(), 2);
    }
    let log = columns(&simulator.log());
    assert!(
        log.contains(&"GET /certsrv - - 401 1 2148074254".to_owned()),
        "{log:#?}"
    );
    assert!(log.iter().any(|line| line.contains("Renewal=1")), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_understood_in_every_language() {
    let simulator = simulator().await;
    for language in Language::ALL {
        simulator.set_faults([Fault::Localized(language)]).unwrap();
        let [ntlm, ..] = logins(&simulator);
        let client = client(&simulator, ntlm);
        let verdict = client.submit(&request("good")).await.unwrap();
        let Verdict::Issued { request: id } = verdict else {
            panic!("{language}: {verdict:?}");
        };
        let Retrieved::Certificates(found) = client.certificate(id).await.unwrap() else {
            panic!("{language}: no certificate");
        };
        assert_eq!(found[0].subject(), "/CN=good");
        for (name, number) in [("slow", 5), ("bad", 2)] {
            let verdict = client.submit(&request(name)).await.unwrap();
            assert!(
                !matches!(verdict, Verdict::Issued { .. }),
                "{language}: {verdict:?}"
            );
            let id = simulator.requests().last().unwrap().id;
            let Retrieved::NotIssued(page) = client.certificate(RequestId(id)).await.unwrap() else {
                panic!("{language}: a certificate for {name}");
            };
            assert_eq!(page.disposition.0, number, "{language}: {page:?}");
        }
    }
}
