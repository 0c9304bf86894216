//! The order of requests, logins, what is tried again and what is not.

use std::sync::Arc;
use std::time::Duration;

use est::adcs::circuit_breaker::CircuitBreakerSettings;
use est::adcs::client::CertsrvClient;
use est::adcs::form::RequestId;
use est::adcs::page::{Retrieved, Verdict};
use est::adcs::{
    CertsrvAuthentication, CertsrvError, CertsrvSettings, CertsrvTimeouts, ChainRenewal, Page, Step,
    WindowsAccount,
};
use pki_common::trust_store::TrustStore;
use pki_common::{Diagnose as _, KnownCause};

use crate::site::{Behaviour, Site, csr};

fn client(settings: CertsrvSettings) -> CertsrvClient {
    CertsrvClient::new(settings).unwrap()
}

/// The lines of F002-29 in method, path, query, status, user and referer.
#[tokio::test]
async fn an_enrolment_makes_the_requests_of_the_vendors_registration_authority_in_its_order() {
    let site = Site::start().await;
    let mut settings = site.settings();
    settings.max_idle_connections = 0;
    let client = client(settings);
    let account = WindowsAccount::new("MICHAMEN\\ciscora", "Cisco123").unwrap();
    client.check_login(&account).await.unwrap();
    let csr = csr("SEP74A02FC0A675");
    let mut session = client.session().await.unwrap();
    let verdict = session.submit(csr.der()).await.unwrap();
    assert_eq!(
        verdict,
        Verdict::Issued {
            request: RequestId(10)
        }
    );
    let Retrieved::Certificates(found) = session.certificate(RequestId(10)).await.unwrap() else {
        panic!("no certificate");
    };
    session.finish().await;
    assert_eq!(found[0].spki_der(), csr.public_key().spki_der());
    assert_eq!(
        site.log(),
        [
            "GET /certsrv 401 -",
            "GET /certsrv 301 MICHAMEN\\ciscora",
            "GET /certsrv/certrqxt.asp 200 MICHAMEN\\ciscora",
            "GET /certsrv 401 -",
            "GET /certsrv 301 MICHAMEN\\ciscora",
            "POST /certsrv/certfnsh.asp 200 MICHAMEN\\ciscora referer",
            "GET /certsrv/certnew.cer?ReqID=10&ENC=b64 200 MICHAMEN\\ciscora",
        ]
    );
}

#[tokio::test]
async fn a_kept_connection_is_not_logged_in_again_until_the_server_forgets_it() {
    let site = Site::start().await;
    let client = site.client();
    client.templates().await.unwrap();
    site.log();
    client.templates().await.unwrap();
    assert_eq!(site.log(), ["GET /certsrv/certrqxt.asp 200 MICHAMEN\\ciscora"]);
    site.set("certfnsh.asp", Behaviour::Forget);
    client.submit(csr("a").der()).await.unwrap();
    assert_eq!(
        site.log(),
        [
            "POST /certsrv/certfnsh.asp 401 - referer",
            "GET /certsrv 401 -",
            "GET /certsrv 301 MICHAMEN\\ciscora",
            "POST /certsrv/certfnsh.asp 200 MICHAMEN\\ciscora referer",
        ],
        "401 says that nothing was submitted"
    );
    assert_eq!(site.submissions(), 1);
}

#[tokio::test]
async fn a_question_is_asked_again_on_a_new_connection_when_the_kept_one_ends() {
    let site = Site::start().await;
    let client = site.client();
    let mut session = client.session().await.unwrap();
    session.templates().await.unwrap();
    site.set("certcarc.asp", Behaviour::DropUnseen);
    let error = session.renewals().await.unwrap_err();
    assert_eq!(error.known_cause(), Some(KnownCause::ConnectionLost), "{error}");
    let logins = site
        .log()
        .iter()
        .filter(|line| line.starts_with("GET /certsrv 301"))
        .count();
    assert_eq!(logins, 2, "once more, and no more");
    site.set("certcarc.asp", Behaviour::Good);
    assert_eq!(session.renewals().await, Ok(0));
}

#[tokio::test]
async fn a_submission_whose_answer_is_lost_is_never_repeated() {
    for behaviour in [Behaviour::Drop, Behaviour::DropUnseen] {
        let site = Site::start().await;
        let client = site.client();
        let mut session = client.session().await.unwrap();
        session.templates().await.unwrap();
        site.set("certfnsh.asp", behaviour);
        let error = session.submit(csr("a").der()).await.unwrap_err();
        assert!(
            matches!(
                &error,
                CertsrvError::SubmissionUnanswered { timed_out: false, .. }
            ),
            "{error}"
        );
        assert_eq!(error.known_cause(), Some(KnownCause::ConnectionLost));
        assert_eq!(site.submissions(), usize::from(behaviour == Behaviour::Drop));
    }
}

#[tokio::test]
async fn time_outs_are_those_of_the_settings_and_name_the_page() {
    let site = Site::start().await;
    let mut settings = site.settings();
    let short = Duration::from_millis(300);
    settings.timeouts = CertsrvTimeouts {
        answer: short,
        submission: short,
        ..CertsrvTimeouts::default()
    };
    let client = client(settings);
    site.set("certrqxt.asp", Behaviour::Hang);
    assert_eq!(
        client.templates().await,
        Err(CertsrvError::TimedOut {
            step: Step::Answer(Page::RequestForm),
            time: short
        })
    );
    site.set("certfnsh.asp", Behaviour::Hang);
    let error = client.submit(csr("a").der()).await.unwrap_err();
    assert_eq!(error.known_cause(), Some(KnownCause::AnswerTimedOut), "{error}");
    site.set("certsrv", Behaviour::Hang);
    let error = client.log_in().await;
    assert_eq!(
        error.unwrap_err().diagnose().known_cause,
        Some(KnownCause::AnswerTimedOut)
    );
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone_and_then_tried_once() {
    let site = Site::start().await;
    let mut settings = site.settings();
    settings.circuit_breaker = CircuitBreakerSettings {
        failures: 2,
        rest: Duration::from_millis(400),
    };
    let client = client(settings);
    site.set("certrqxt.asp", Behaviour::Fail);
    for _ in 0..2 {
        let error = client.templates().await.unwrap_err();
        assert_eq!(error.known_cause(), Some(KnownCause::ServerFailed), "{error}");
    }
    site.log();
    let error = client.templates().await.unwrap_err();
    assert!(
        matches!(&error, CertsrvError::LeftAlone { failures: 2, .. }),
        "{error}"
    );
    assert_eq!(
        error.known_cause(),
        Some(KnownCause::ServerFailed),
        "the last failure shows through"
    );
    assert!(site.log().is_empty(), "nothing was sent");
    site.set("certrqxt.asp", Behaviour::Good);
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.templates().await.unwrap();
    client.templates().await.unwrap();
}

#[tokio::test]
async fn tells_wrong_passwords_from_ways_to_log_in_that_are_not_offered() {
    let site = Site::start().await;
    let mut settings = site.settings();
    let stranger = WindowsAccount::new("MICHAMEN\\stranger", "Cisco123").unwrap();
    settings.authentication = CertsrvAuthentication::Ntlm(stranger);
    let refused = client(settings);
    for _ in 0..3 {
        assert_eq!(
            refused.log_in().await,
            Err(CertsrvError::CredentialsRefused {
                account: "MICHAMEN\\stranger".to_owned(),
                status: 401
            })
        );
    }
    assert_eq!(site.log().len(), 2, "one login, lest the account be locked");
    let mut settings = site.settings();
    let account = WindowsAccount::new("MICHAMEN\\ciscora", "Cisco123").unwrap();
    settings.authentication = CertsrvAuthentication::Basic(account);
    let basic = client(settings);
    let error = basic.log_in().await.unwrap_err();
    assert_eq!(error.known_cause(), Some(KnownCause::LoginNotOffered), "{error}");
    assert!(error.to_string().contains("NTLM"), "{error}");
    {
        let mut script = site.script.lock().unwrap();
        (script.ntlm, script.basic) = (false, true);
    }
    basic.templates().await.unwrap();
    let error = site.client().log_in().await.unwrap_err();
    assert!(error.to_string().contains("offers Basic"), "{error}");
    for shown in [format!("{error:?}"), format!("{basic:?}")] {
        assert!(!shown.contains("Cisco123"), "{shown}");
    }
}

#[tokio::test]
async fn the_chain_is_that_of_the_newest_renewal_unless_one_is_fixed() {
    let site = Site::start().await;
    site.script.lock().unwrap().renewals = 2;
    let chain = site.client().chain().await.unwrap();
    assert_eq!((chain.renewal, chain.newest, chain.is_old()), (2, Some(2), false));
    assert_eq!(chain.certificates.len(), 1);
    assert_eq!(
        site.log().last().unwrap(),
        "GET /certsrv/certnew.p7b?ReqID=CACert&Renewal=2&Enc=bin 200 MICHAMEN\\ciscora"
    );
    let mut settings = site.settings();
    settings.renewal = ChainRenewal::Fixed(0);
    let chain = client(settings).chain().await.unwrap();
    assert_eq!((chain.renewal, chain.newest, chain.is_old()), (0, Some(2), true));
}

#[tokio::test]
async fn a_template_that_is_not_offered_is_named_with_those_that_are() {
    let site = Site::start().await;
    let mut settings = site.settings();
    settings.template = "CiscoRa-Phones".to_owned();
    let client = client(settings);
    let offered = client.templates().await.unwrap();
    let error = client.require_template(&offered).unwrap_err();
    assert_eq!(error.known_cause(), Some(KnownCause::TemplateNotOffered));
    let shown = error.to_string();
    assert!(
        shown.contains("\"CiscoRa-Phones\"") && shown.contains("CiscoRA, WebServer"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_trusted_not_there_or_not_named_has_its_cause() {
    let site = Site::start().await;
    let mut settings = site.settings();
    settings.anchors = Arc::new(TrustStore::empty("no anchors"));
    let error = client(settings).log_in().await.unwrap_err();
    assert!(matches!(error, CertsrvError::Tls(_)), "{error}");
    let mut settings = site.settings();
    settings.url = "https://lab-dcc.invalid".parse().unwrap();
    let error = client(settings).log_in().await.unwrap_err();
    assert_eq!(error.known_cause(), Some(KnownCause::NameNotResolved), "{error}");
    let mut settings = site.settings();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    settings.url = format!("https://{closed}").parse().unwrap();
    let error = client(settings).log_in().await.unwrap_err();
    assert_eq!(
        error.known_cause(),
        Some(KnownCause::ConnectionRefused),
        "{error}"
    );
}
