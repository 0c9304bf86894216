//! Each switch, as `curl` sees it: its exit status and text are what the vendor's log shows (F002-34 to F002-43).

use std::time::{Duration, Instant};

use crate::lab::{Lab, columns, issued_id};

/// Exit statuses of curl.
mod exit {
    pub(crate) const PARTIAL: i32 = 18;
    pub(crate) const TIMED_OUT: i32 = 28;
    pub(crate) const TLS: i32 = 35;
    pub(crate) const NOTHING: i32 = 52;
    pub(crate) const UNTRUSTED: i32 = 60;
}

/// Far more than anything here needs; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "it did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// In the words of OpenSSL 3; libcurl of today has one number for what were two (F002-37).
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_server_certificate_is_refused_for_its_own_reason() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let cases: [(&str, &[&str]); 6] = [
        (
            "unknown-ca",
            &[
                "self-signed certificate in certificate chain",
                "unable to get local issuer certificate",
            ],
        ),
        (
            "missing-intermediate",
            &["unable to get local issuer certificate"],
        ),
        (
            "self-signed",
            &["self-signed certificate", "self signed certificate"],
        ),
        ("not-yet-valid", &["certificate is not yet valid"]),
        ("expired", &["certificate has expired"]),
        (
            "wrong-name=lab-dc",
            &[
                "no alternative certificate subject name matches",
                "does not match",
            ],
        ),
    ];
    for (fault, texts) in cases {
        lab.set_faults(&[fault]);
        let answer = lab.ask(&[], "/certsrv/");
        assert_eq!(answer.code, exit::UNTRUSTED, "{fault}: {}", answer.errors);
        assert!(
            texts.iter().any(|text| answer.errors.contains(text)),
            "{fault}: {}",
            answer.errors
        );
    }
    lab.set_faults(&[]);
    assert_eq!(lab.ask(&["--fail"], "/certsrv/").code, 0);
}

/// With the intermediate among the anchors, the missing one does no harm: this is the remedy of F002-34.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_the_intermediate_does_not_miss_it() {
    let Some(lab) = Lab::with_faults(&["missing-intermediate"]).await else {
        return;
    };
    let both = lab.simulator.authority_pem() + &lab.simulator.issuing_authority_pem(0).unwrap();
    lab.write("ca.pem", both);
    assert_eq!(lab.ask(&["--fail"], "/certsrv/").code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_hangs_is_a_time_out_and_the_others_answer() {
    let Some(lab) = Lab::with_faults(&["hang=certsrv"]).await else {
        return;
    };
    let answer = lab.ask(&["--max-time", "1"], "/certsrv");
    assert_eq!(answer.code, exit::TIMED_OUT);
    assert!(
        answer.errors.contains("with 0 bytes received"),
        "{}",
        answer.errors
    );
    assert_eq!(lab.ask(&["--fail"], "/certsrv/certrqxt.asp").code, 0);
    // The log tells that the client went away.
    until(|| lab.simulator.log().len() == 2).await;
    let log = columns(&lab.simulator.log());
    assert!(
        log.contains(&"GET /certsrv - ciscora 301 0 64".to_owned()),
        "{log:?}"
    );
    lab.set_faults(&["hang=tls"]);
    assert_eq!(lab.ask(&["--max-time", "1"], "/certsrv").code, exit::TIMED_OUT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hangs_goes_on_when_the_fault_is_gone() {
    let Some(lab) = Lab::with_faults(&["hang=certfnsh"]).await else {
        return;
    };
    let form = lab.submission("CiscoRA", "phone");
    let waiting = lab.begin(&form, "/certsrv/certfnsh.asp");
    until(|| !lab.simulator.requests().is_empty()).await;
    lab.set_faults(&[]);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(issued_id(&String::from_utf8_lossy(&output.stdout)), Some(1));
}

/// What the client gave up waiting for is issued all the same, and there to be fetched.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_whose_answer_was_late_can_be_fetched() {
    let Some(lab) = Lab::with_faults(&["hang=certfnsh"]).await else {
        return;
    };
    let form = lab.submission("CiscoRA", "phone");
    let form: Vec<&str> = form
        .iter()
        .map(String::as_str)
        .chain(["--max-time", "1"])
        .collect();
    assert_eq!(lab.ask(&form, "/certsrv/certfnsh.asp").code, exit::TIMED_OUT);
    let id = lab.simulator.requests()[0].id;
    let answer = lab
        .ask(&[], &format!("/certsrv/certnew.cer?ReqID={id}&Enc=b64"))
        .text();
    assert!(answer.starts_with("-----BEGIN CERTIFICATE-----"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delayed_answer_comes_after_its_delay() {
    let Some(lab) = Lab::with_faults(&["delay=certrqxt:0.3"]).await else {
        return;
    };
    assert_eq!(lab.ask(&["--fail"], "/certsrv/certrqxt.asp").code, 0);
    assert!(lab.simulator.log()[0].time_taken >= 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_seen_where_it_is_dropped() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    for (fault, code) in [
        ("drop=certrqxt", exit::NOTHING),
        ("drop-in-answer=certrqxt", exit::PARTIAL),
        ("drop=tls", exit::TLS),
    ] {
        lab.set_faults(&[fault]);
        let answer = lab.ask(&[], "/certsrv/certrqxt.asp");
        // Without close_notify OpenSSL 3 calls an end inside an answer an error of its own (56).
        let unclean = code == exit::PARTIAL && answer.code == 56;
        let unclean = unclean || (code == exit::NOTHING && answer.code == 56);
        assert!(
            answer.code == code || unclean,
            "{fault}: {} {}",
            answer.code,
            answer.errors
        );
        assert!(!answer.text().contains("</HTML>"), "{fault}");
    }
    lab.set_faults(&["drop=certsrv"]);
    assert_eq!(lab.ask(&["--fail"], "/certsrv/certrqxt.asp").code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_does_nothing_else() {
    let Some(lab) = Lab::with_faults(&["server-error=certfnsh"]).await else {
        return;
    };
    lab.submit("CiscoRA", "phone");
    assert!(lab.simulator.requests().is_empty());
    assert_eq!(
        columns(&lab.simulator.log()),
        ["POST /certsrv/certfnsh.asp - ciscora 500 0 0"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_can_be_had_for_every_request() {
    let Some(lab) = Lab::with_faults(&["denied=0x80094012"]).await else {
        return;
    };
    assert!(
        lab.submit("CiscoRA", "phone")
            .contains("Denied by Policy Module  0x80094012, ")
    );
    lab.set_faults(&["error"]);
    assert!(lab.submit("CiscoRA", "phone").contains("Your request failed."));
    lab.set_faults(&["pending"]);
    assert!(lab.submit("CiscoRA", "phone").contains("Certificate Pending"));
    assert!(lab.simulator.approve(3).is_ok());
}

/// The link with the number is the one sign that survives (B-05).
#[tokio::test(flavor = "multi_thread")]
async fn in_another_language_only_the_link_tells_that_a_certificate_is_issued() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    for (id, language) in [(1, "language=de"), (3, "language=fr")] {
        lab.set_faults(&[language]);
        let issued = lab.submit("CiscoRA", "phone");
        assert_eq!(issued_id(&issued), Some(id));
        let denied = lab.submit("NoSuchTemplate", "phone");
        assert_eq!(issued_id(&denied), None);
        assert!(
            denied.contains("0x80094800") && denied.contains(&(id + 1).to_string()),
            "{denied}"
        );
        for english in ["issued", "denied", "Your", "disposition message"] {
            assert!(
                !issued.contains(english) && !denied.contains(english),
                "{english}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_shows_in_the_date_and_in_the_log() {
    let Some(lab) = Lab::with_faults(&["clock=-86400"]).await else {
        return;
    };
    let head = lab.ask(&["--head"], "/certsrv/").text();
    let date = head.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
    let logged = lab.simulator.log()[0].time;
    assert!(
        date.contains(&format!(", {:02} ", logged.day())),
        "{date} and {logged}"
    );
    let late = time::OffsetDateTime::now_utc() - logged;
    assert!(
        late > time::Duration::hours(23) && late < time::Duration::hours(25),
        "{late}"
    );
}
