//! Logins with the credentials of others.

use std::time::Duration;

use est::adcs::login::{CertsrvLogin, LoginSettings, LoginVerdict};
use est::auth::BasicCredentials;
use pki_common::KnownCause;

use crate::site::{ACCOUNT, Behaviour, Site};

fn settings() -> LoginSettings {
    LoginSettings {
        answer_time: Duration::from_secs(60),
        ..LoginSettings::default()
    }
}

fn credentials(user: &str) -> BasicCredentials {
    BasicCredentials::new(user, "Cisco123").unwrap()
}

#[tokio::test]
async fn asks_once_for_good_and_for_wrong_credentials_within_their_time() {
    let site = Site::start().await;
    let login = CertsrvLogin::new(site.client(), settings());
    for (user, verdict, lines) in [
        (ACCOUNT, LoginVerdict::Accepted, 3),
        ("MICHAMEN\\stranger", LoginVerdict::Refused, 2),
    ] {
        assert_eq!(login.check(&credentials(user)).await, Ok(verdict));
        assert_eq!(site.log().len(), lines, "{user}");
        assert_eq!(login.check(&credentials(user)).await, Ok(verdict));
        assert!(site.log().is_empty(), "{user}");
    }
    assert!(!format!("{login:?}").contains("Cisco123"));
}

#[tokio::test]
async fn many_devices_with_one_account_log_in_once() {
    let site = Site::start().await;
    let login = CertsrvLogin::new(
        site.client(),
        LoginSettings {
            concurrent: 1,
            ..settings()
        },
    );
    let checks = (0..20).map(|_| {
        let login = login.clone();
        tokio::spawn(async move { login.check(&credentials(ACCOUNT)).await })
    });
    for check in checks.collect::<Vec<_>>() {
        assert_eq!(check.await.unwrap(), Ok(LoginVerdict::Accepted));
    }
    assert_eq!(site.log().len(), 3);
}

#[tokio::test]
async fn a_login_that_hangs_is_answered_in_time_and_counts_when_it_ends() {
    let site = Site::start().await;
    site.set("certrqxt.asp", Behaviour::Hang);
    let login = CertsrvLogin::new(
        site.client(),
        LoginSettings {
            answer_time: Duration::from_millis(500),
            ..settings()
        },
    );
    let error = login.check(&credentials(ACCOUNT)).await.unwrap_err();
    assert_eq!(error.known_cause(), Some(KnownCause::AnswerTimedOut), "{error}");
    site.set("certrqxt.asp", Behaviour::Good);
    site.released.notify_one();
    for _ in 0..100 {
        if login.check(&credentials(ACCOUNT)).await == Ok(LoginVerdict::Accepted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the login never came to an end");
}

#[tokio::test]
async fn an_account_without_the_template_is_told_apart_from_a_wrong_password() {
    let site = Site::start().await;
    site.script.lock().unwrap().templates = vec!["WebServer"];
    let login = CertsrvLogin::new(site.client(), settings());
    let error = login.check(&credentials(ACCOUNT)).await.unwrap_err();
    assert_eq!(
        error.known_cause(),
        Some(KnownCause::TemplateNotOffered),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_refuses_nobody() {
    let site = Site::start().await;
    site.set("certsrv", Behaviour::DropUnseen);
    let login = CertsrvLogin::new(site.client(), settings());
    let error = login.check(&credentials(ACCOUNT)).await.unwrap_err();
    assert_eq!(error.known_cause(), Some(KnownCause::ConnectionLost), "{error}");
    site.set("certsrv", Behaviour::Good);
    assert_eq!(
        login.check(&credentials(ACCOUNT)).await,
        Ok(LoginVerdict::Accepted)
    );
}
