//! Passwords of EST clients are checked by logging in to AD CS with them.

use est::client::CsrOutcome;
use interop::adcs_sim::{Settings as SimulatorSettings, Simulator, User};
use interop::registration_authority::{ACCOUNT, PASSWORD, RegistrationAuthority, Settings};
use pki_common::{Diagnose as _, KnownCause};

use super::{log, request_of};

async fn lab(label: &str) -> (Simulator, RegistrationAuthority, tempfile::TempDir) {
    log::keep();
    let settings = SimulatorSettings {
        users: vec![User::new("ciscora", PASSWORD), User::new("phones", "another")],
        ..SimulatorSettings::default()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::in_front_of(&simulator, label).unwrap();
    let authority = RegistrationAuthority::start(folder.path(), settings)
        .await
        .unwrap();
    (simulator, authority, folder)
}

/// How many logins with a wrong password the web server has seen.
fn refused(simulator: &Simulator) -> usize {
    let log = simulator.log();
    let refused = log.iter().filter(|line| line.win32 == 2_148_074_252);
    refused.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_domain_enrols_and_the_registration_authority_submits() {
    let (simulator, authority, _folder) = lab("domain-account").await;
    let client = authority.client("MICHAMEN\\phones", "another").unwrap();
    let outcome = client.enroll_csr(&request_of("SEP000000000001")).await.unwrap();
    assert!(matches!(outcome, CsrOutcome::Issued(_)), "{outcome:?}");
    assert_eq!(simulator.requests()[0].requester, ACCOUNT);
    let lines = log::lines_of("domain-account/simpleenroll");
    let last = lines.last().unwrap();
    assert!(
        last.contains("MICHAMEN\\phones") && last.contains(" 200 "),
        "{last}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_passed_on_three_times_and_the_right_one_of_before_still_enrols() {
    let (simulator, authority, _folder) = lab("lock-out").await;
    let right = authority.client(ACCOUNT, PASSWORD).unwrap();
    right.enroll_csr(&request_of("SEP000000000002")).await.unwrap();
    // In the forms that a name of the domain has, each another password: nothing is remembered of them.
    for (number, name) in ["MICHAMEN\\ciscora", "ciscora", "CISCORA", "ciscora@michamen.com"]
        .into_iter()
        .enumerate()
    {
        let wrong = authority.client(name, &format!("guess {number}")).unwrap();
        let error = wrong
            .enroll_csr(&request_of("SEP000000000003"))
            .await
            .unwrap_err();
        let expected = if number < 3 { "401" } else { "429" };
        assert!(error.to_string().contains(expected), "{number}: {error}");
        assert_eq!(error.est_error().0, 22, "EST_ERR_AUTH_FAIL");
        assert_eq!(error.diagnose().known_cause, Some(KnownCause::CredentialsRefused));
    }
    assert_eq!(refused(&simulator), 3, "what could lock the account");
    let outcome = right.enroll_csr(&request_of("SEP000000000004")).await.unwrap();
    assert!(matches!(outcome, CsrOutcome::Issued(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_wrong_password_again_does_not_reach_ad_cs() {
    let (simulator, authority, _folder) = lab("same-again").await;
    let wrong = authority.client(ACCOUNT, "mistyped").unwrap();
    for _ in 0..4 {
        let error = wrong
            .enroll_csr(&request_of("SEP000000000005"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("401"), "{error}");
    }
    assert_eq!(refused(&simulator), 1);
    let right = authority.client(ACCOUNT, PASSWORD).unwrap();
    let outcome = right.enroll_csr(&request_of("SEP000000000005")).await.unwrap();
    assert!(matches!(outcome, CsrOutcome::Issued(_)), "{outcome:?}");
}
