//! AD CS that does not answer.

use std::time::Duration;

use est::client::CsrOutcome;
use interop::adcs_sim::{Fault, Place, Settings as SimulatorSettings, Simulator};
use interop::registration_authority::{ACCOUNT, PASSWORD, RegistrationAuthority, Settings};
use tokio::time::timeout;

use super::{log, request_of};

/// libest gives up reading after ten seconds (F002-33); the client of the lab too, by its own time-out, so this is what
/// the test waits for at most.
const LIBEST_WAITS: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_answered_others_are_served_and_the_late_certificate_is_picked_up() {
    log::keep();
    let simulator = Simulator::start(SimulatorSettings::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::in_front_of(&simulator, "hang").unwrap();
    settings.authority.late_retry = Duration::from_secs(2);
    let authority = RegistrationAuthority::start(folder.path(), settings)
        .await
        .unwrap();
    let client = authority.client(ACCOUNT, PASSWORD).unwrap();
    // The login and the chain are known.
    client.enroll_csr(&request_of("SEP000000000010")).await.unwrap();
    client.cacerts().await.unwrap();

    simulator.set_faults([Fault::Hang(Place::Submit)]).unwrap();
    let late = request_of("SEP000000000011");
    let asked = timeout(LIBEST_WAITS, client.enroll_csr(&late));
    // Others meanwhile: cacerts, and a stranger who is refused.
    let others = async {
        let other = authority.client(ACCOUNT, PASSWORD).unwrap();
        for _ in 0..20 {
            other.cacerts().await.unwrap();
        }
        let stranger = authority.client("nobody", "guess").unwrap();
        stranger.enroll_csr(&late).await.unwrap_err()
    };
    let (asked, refused) = tokio::join!(asked, others);
    let outcome = asked.expect("an answer before libest gives up").unwrap();
    let CsrOutcome::Pending { retry_after } = outcome else {
        panic!("the certificate is on its way: {outcome:?}")
    };
    assert_eq!(retry_after, Duration::from_secs(2));
    assert!(refused.to_string().contains("401"), "{refused}");

    // Still hanging: asked again, the same answer, and nothing is submitted again.
    let again = timeout(LIBEST_WAITS, client.enroll_csr(&late))
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(again, CsrOutcome::Pending { .. }), "{again:?}");

    simulator.set_faults([]).unwrap();
    let mut issued = None;
    for _ in 0..20 {
        match client.enroll_csr(&late).await.unwrap() {
            CsrOutcome::Issued(found) => {
                issued = Some(found);
                break;
            }
            CsrOutcome::Pending { .. } => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    let issued = issued.expect("the late certificate is picked up");
    assert_eq!(issued.certificate.subject(), "/O=Cisco/CN=SEP000000000011");
    let submitted = simulator.requests();
    let of_this = submitted
        .iter()
        .filter(|request| request.subject.contains("SEP000000000011"));
    assert_eq!(of_this.count(), 1, "submitted once only");
    assert_eq!(submitted.len(), 2);
}
