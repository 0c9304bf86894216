//! Each scenario of the documents by its own trace.

use interop::explain::{Outcome, Report, Session, SessionKind};
use pki_common::{Alert, KnownCause, Rung, Side, TlsFault};

use super::{all_traces, endings, explain, trace};

#[test]
fn the_refusal_of_the_authlist_is_named_and_not_the_certificate() {
    let report = explain(&trace("nmsp-authlist-refused.log"));
    assert_eq!((report.succeeded, report.failed, report.unfinished), (0, 1, 0));
    let session = &report.sessions[0];
    assert_eq!(
        session.headline(),
        "authlist refused the peer (key hash or MAC), alert 46 sent by the controller"
    );
    let verdict = session.verdict().unwrap();
    assert_eq!(verdict.failure.rung, Rung::Tls(TlsFault::AuthList));
    assert_eq!(verdict.failure.alert, Some(Alert::CERTIFICATE_UNKNOWN));
    assert_eq!(verdict.failure.refused_by, Some(Side::Local));
    assert_eq!(verdict.failure.known_cause, Some(KnownCause::AuthlistRefused));
    assert_eq!(verdict.refused_by, Some("the controller"));
    assert_eq!(session.corrections[0].words, "no certificate returned");
    assert!(session.corrections[0].meaning.contains("the authlist refused it"));
    let decoded = "140890B2 = library 20 (SSL), function 137 (ssl3_get_client_certificate), reason 178 (no certificate returned)";
    assert!(session.events.iter().any(|event| event.text.contains(decoded)));
}

#[test]
fn the_tunnel_that_comes_up_says_where_its_time_went() {
    let report = explain(&trace("nmsp-tunnel-up.log"));
    assert_eq!(
        report.sessions[0].headline(),
        "tunnel up after 1.332 s, of which 1.000 s waiting for the authlist verdict"
    );
    assert_eq!((report.succeeded, report.failed, report.unfinished), (1, 0, 0));
}

#[test]
fn every_line_of_the_documents_is_understood() {
    for (name, text) in all_traces() {
        let report = explain(&text);
        assert_eq!(
            report.files[0].not_understood(),
            0,
            "{name}: {:?}",
            report.files[0].first_unknown
        );
        assert_eq!(report.files[0].gaps.gaps, 0, "{name}");
    }
}

/// The cause by its stable name, the rung on which the registration authority sees it, and whether somebody refused.
#[test]
fn each_failure_of_the_registration_authority_has_its_cause() {
    let cases = [
        (
            "ces-issuer-not-trusted.log",
            KnownCause::IssuerNotTrusted,
            Some("the registration authority"),
        ),
        (
            "ces-name-mismatch.log",
            KnownCause::NameMismatch,
            Some("the registration authority"),
        ),
        ("ces-name-not-resolved.log", KnownCause::NameNotResolved, None),
        (
            "ces-not-yet-valid.log",
            KnownCause::NotYetValid,
            Some("the registration authority"),
        ),
        ("ces-login-timed-out.log", KnownCause::AnswerTimedOut, None),
        ("ces-chain-timed-out.log", KnownCause::AnswerTimedOut, None),
        (
            "ces-template-not-offered.log",
            KnownCause::TemplateNotOffered,
            Some("the registration authority"),
        ),
    ];
    for (name, cause, refused_by) in cases {
        let report = explain(&trace(name));
        assert_eq!(report.failed, 1, "{name}: {report}");
        let verdict = report.sessions[0].verdict().unwrap();
        assert_eq!(verdict.failure.known_cause, Some(cause), "{name}");
        assert_eq!(verdict.failure.rung, cause.rung(), "{name}");
        assert_eq!(verdict.refused_by, refused_by, "{name}");
    }
}

#[test]
fn the_two_time_outs_of_the_registration_authority_are_told_apart() {
    let login = endings(&explain(&trace("ces-login-timed-out.log")));
    let chain = endings(&explain(&trace("ces-chain-timed-out.log")));
    assert!(login[0].0.starts_with("the login to AD CS failed"), "{login:?}");
    assert!(
        chain[0]
            .0
            .starts_with("fetching the certificate chain from AD CS failed"),
        "{chain:?}"
    );
}

#[test]
fn a_self_signed_certificate_may_hide_behind_a_missing_issuer() {
    let report = explain(&trace("ces-issuer-not-trusted.log"));
    assert!(
        report.sessions[0]
            .notes
            .iter()
            .any(|note| note.contains("self-signed"))
    );
    let by_text = trace("ces-issuer-not-trusted.log").replace(
        "unable to get local issuer certificate",
        "self signed certificate",
    );
    assert_eq!(endings(&explain(&by_text))[0].1, Some("self-signed"));
}

#[test]
fn the_text_of_libcurl_decides_and_not_its_number() {
    // What libcurl 7.88 writes for a wrong name.
    let newer = trace("ces-name-mismatch.log")
        .replace("return code 51", "return code 60")
        .replace(
            "certificate subject name 'lab-dc' does not match target host name",
            "no alternative certificate subject name matches target host name",
        );
    assert_eq!(endings(&explain(&newer))[0].1, Some("name-mismatch"));
}

#[test]
fn a_wrong_template_is_told_apart_from_a_wrong_password() {
    let template = trace("ces-template-not-offered.log");
    let report = explain(&template);
    let session = &report.sessions[0];
    assert_eq!(session.kind, SessionKind::EstExchange);
    assert_eq!(session.name, "EST client 14.48.31.128");
    assert!(session.corrections[0].words.contains("401"));
    assert!(session.corrections[0].meaning.contains("the template is wrong"));

    // Without the login that succeeds, it is the password.
    let password: String = template
        .lines()
        .filter(|line| !line.contains("certsrv"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(endings(&explain(&password))[0].1, Some("credentials-refused"));
}

#[test]
fn the_read_error_of_a_phone_is_a_time_out() {
    let report = explain(&trace("capf-timed-out.log"));
    let session = &report.sessions[0];
    assert_eq!(session.name, "SEP74A02FC0A675");
    assert_eq!(
        session.headline(),
        "no answer from the registration authority within 10.037 s"
    );
    assert_eq!(
        session.verdict().unwrap().failure.known_cause,
        Some(KnownCause::AnswerTimedOut)
    );
    assert_eq!(session.corrections[0].words, "EST_ERR_SSL_READ");

    // The same number after two seconds is a connection that broke.
    let broken = trace("capf-timed-out.log").replace("12:38:04.779", "12:37:56.779");
    assert_eq!(endings(&explain(&broken))[0].1, Some("connection-lost"));
}

#[test]
fn what_works_is_no_failure() {
    let cases = [
        (
            "ces-start.log",
            vec!["logged in to AD CS, certificate chain fetched"],
        ),
        (
            "capf-issued.log",
            vec!["certificate issued after 0.608 s and sent to the phone"],
        ),
        ("capf-start.log", vec![]),
        ("iis-start.log", vec!["logged in, certificate chain fetched"]),
        (
            "iis-phone.log",
            vec![
                "logged in, request page read",
                "logged in, request submitted, certificate fetched",
            ],
        ),
    ];
    for (name, expected) in cases {
        let report = explain(&trace(name));
        let headlines: Vec<_> = report.sessions.iter().map(Session::headline).collect();
        assert_eq!(headlines, expected, "{name}");
        assert_eq!(report.failed + report.unfinished, 0, "{name}");
    }
}

#[test]
fn a_fixed_renewal_gets_a_note() {
    let report = explain(&trace("ces-start.log"));
    assert!(
        report.sessions[0]
            .notes
            .iter()
            .any(|note| note.contains("Renewal=0"))
    );
}

#[test]
fn the_first_leg_of_a_login_is_no_failure_and_a_wrong_password_is() {
    let report = explain(&trace("iis-wrong-password.log"));
    assert_eq!(endings(&report)[0].1, Some("credentials-refused"));
    let texts: Vec<_> = report.sessions[0]
        .events
        .iter()
        .map(|event| event.text.as_str())
        .collect();
    assert!(
        texts[1].contains("2148074254 = 0x8009030E (SEC_E_NO_CREDENTIALS): first leg of NTLM"),
        "{texts:?}"
    );
    assert!(
        texts[2].contains("2148074252 = 0x8009030C (SEC_E_LOGON_DENIED)"),
        "{texts:?}"
    );
}

#[test]
fn a_late_answer_of_iis_is_a_time_out() {
    let report = explain(&trace("iis-slow.log"));
    assert_eq!(
        endings(&report),
        [(
            "POST /certsrv/certfnsh.asp was answered too late after 14.904 s".to_owned(),
            Some("answer-timed-out")
        )]
    );
}

#[test]
fn a_challenge_that_is_answered_is_no_refusal() {
    let report = explain(&trace("access.log"));
    let failed: Vec<_> = report
        .sessions
        .iter()
        .filter(|session| session.verdict().is_some())
        .collect();
    assert_eq!(
        (report.succeeded, report.failed, failed.len()),
        (1, 1, 1),
        "{report}"
    );
    assert_eq!(failed[0].name, "client 192.0.2.8, user other");
}

fn alert_report(place: &str, ret: &str) -> Report {
    let text = trace("nmsp-authlist-refused.log")
        .lines()
        .filter(|line| !line.contains("uthlist") && !line.contains("AuthList"))
        .map(|line| {
            line.replace("0x4008", place)
                .replace("0x22e", ret)
                .replace("0x2182", "0x2180")
                + "\n"
        })
        .collect::<String>();
    explain(&text)
}

#[test]
fn who_sent_an_alert_decides() {
    let sent = alert_report("0x4008", "0x230");
    let received = alert_report("0x4004", "0x230");
    for (report, by, side) in [
        (sent, "the controller", Side::Local),
        (received, "the location server", Side::Peer),
    ] {
        let verdict = report.sessions[0].verdict().unwrap();
        assert_eq!(verdict.failure.known_cause, Some(KnownCause::IssuerNotTrusted));
        assert_eq!(
            (verdict.refused_by, verdict.failure.refused_by),
            (Some(by), Some(side))
        );
        assert_eq!(verdict.failure.alert, Some(Alert::UNKNOWN_CA));
    }
}

#[test]
fn a_peer_without_a_certificate_is_not_blamed_on_the_authlist() {
    let report = alert_report("0x4008", "0x229");
    assert_eq!(endings(&report)[0].1, Some("certificate-required"));
}

#[test]
fn the_line_of_the_failure_alone_is_said_to_be_ambiguous() {
    let line = "[06/03/15 20:32:12.070 UTC a60 10241] handshake failed for conn ssl b3f8a8d0, ssl_err 1 error = \
                error:140890B2:SSL routines:SSL3_GET_CLIENT_CERTIFICATE:no certificate returned\n";
    let report = explain(line);
    let Outcome::Failed(verdict) = &report.sessions[0].outcome else {
        panic!()
    };
    assert_eq!(
        verdict.headline,
        "handshake failed: authlist refusal or no certificate"
    );
    assert_eq!(verdict.failure.known_cause, None);
}

#[test]
fn the_trace_of_this_project_is_read_as_the_vendors() {
    let prefix = "2026-01-02T03:04:05.000001Z  INFO nmsp::server::trace: ";
    let own: String = [
        "Allocated new NMSP connection 0",
        "sslConnectionInit: SSL_new() conn ssl f8775375",
        "Peer certificate Validation Done for conn ssl f8775375, calling authlist..",
        "Authlist authentication failed for conn ssl f8775375",
        "Peer is not validated against the AuthList",
        "SSL state = 0x2182; where = 0x4008; ret = 0x22e",
        "meaning of conn ssl f8775375: rung: TLS (authlist); cause: the entry pins another key",
        "Freeing Nmsp conn ssl f8775375, conn id 0",
    ]
    .iter()
    .map(|line| format!("{prefix}{line}\n"))
    .collect();
    for text in [own.clone(), own.replace(prefix, "    ")] {
        let report = explain(&text);
        assert_eq!(endings(&report)[0].1, Some("authlist-refused"), "{report}");
        assert!(report.sessions[0].notes[0].contains("the entry pins another key"));
        assert_eq!(report.files[0].not_understood(), 0);
    }
}
