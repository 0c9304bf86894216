//! The simulated web enrolment of AD CS, by the way that its users know: `curl --ntlm`.

use est::wire::certs_only::{self, CertsOnlyLimits};
use pki_common::Certificate;

use super::{Answer, curl, request};
use crate::case::Case;
use crate::support::adcs::Adcs;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("logs in to AD CS by NTLM and obtains a certificate", || {
            obtains("--ntlm")
        }),
        Case::new("logs in to AD CS by Basic and obtains a certificate", || {
            obtains("--basic")
        }),
        Case::new("reads the chain of AD CS by NTLM", reads_the_chain),
        Case::new("is refused by AD CS with a wrong password by NTLM", is_refused),
    ]
}

async fn ask(adcs: &Adcs, login: &str, password: &str, arguments: &[&str], page: &str) -> Answer {
    let user = format!("MICHAMEN\\ciscora:{password}");
    let url = adcs.url(page);
    let arguments = [&[login, "--user", &user], arguments, &[&url]].concat();
    curl(&adcs.folder, &arguments).await
}

async fn obtains(login: &'static str) {
    let adcs = Adcs::start().await;
    request(&adcs.folder).await;
    let form = [
        "--data-urlencode",
        "Mode=newreq",
        "--data-urlencode",
        "CertRequest@csr",
        "--data-urlencode",
        "CertAttrib=CertificateTemplate:CiscoRA\r\n",
        "--data-urlencode",
        "TargetStoreFlags=0",
        "--data-urlencode",
        "SaveCert=yes",
    ];
    let answer = ask(&adcs, login, "cisco", &form, "/certsrv/certfnsh.asp").await;
    let page = answer.is(200).text();
    let id = page
        .split_once("certnew.cer?ReqID=")
        .and_then(|(_, rest)| rest.split_once('&'));
    let (id, _) = id.unwrap_or_else(|| panic!("{page}"));
    let page = format!("/certsrv/certnew.cer?ReqID={id}&Enc=b64");
    let answer = ask(&adcs, login, "cisco", &[], &page).await.is(200);
    let certificate = Certificate::from_pem(&answer.body).unwrap();
    assert_eq!(certificate.subject(), "/CN=ap7");
    adcs.folder.write("issued.pem", &answer.body);
    let certified = adcs
        .folder
        .openssl(&["x509", "-in", "issued.pem", "-noout", "-pubkey"])
        .await;
    let own = adcs.folder.openssl(&["pkey", "-in", "key.pem", "-pubout"]).await;
    assert_eq!(certified, own);
}

async fn reads_the_chain() {
    let adcs = Adcs::start().await;
    let page = "/certsrv/certnew.p7b?ReqID=CACert&Renewal=0&Enc=bin";
    let answer = ask(&adcs, "--ntlm", "cisco", &[], page).await.is(200);
    let chain = certs_only::decode(&answer.body, &CertsOnlyLimits::default()).unwrap();
    assert!(chain.contains(&adcs.simulator.root_certificate()));
}

async fn is_refused() {
    let adcs = Adcs::start().await;
    ask(&adcs, "--ntlm", "wrong", &[], "/certsrv/").await.is(401);
    let statuses: Vec<_> = adcs
        .simulator
        .log()
        .iter()
        .map(|line| (line.status, line.substatus, line.win32))
        .collect();
    // What IIS writes for SEC_E_LOGON_DENIED.
    assert_eq!(statuses.last(), Some(&(401, 1, 2_148_074_252)));
}
