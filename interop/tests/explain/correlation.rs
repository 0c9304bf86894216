//! Several logs of one event.

use interop::explain::{Origin, Report, Settings, Source};

use super::{explain_with, trace};

fn together(names: &[&str], settings: Settings) -> Report {
    let texts: Vec<_> = names.iter().map(|name| trace(name)).collect();
    let files: Vec<_> = names
        .iter()
        .zip(&texts)
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    explain_with(settings, &files)
}

#[test]
fn zone_and_skew_come_from_events_that_both_logs_have() {
    let report = together(&["ces-start.log", "iis-start.log"], Settings::default());
    let nginx = report
        .clocks
        .iter()
        .find(|clock| clock.source == Source::RegistrationAuthority)
        .unwrap();
    let iis = report
        .clocks
        .iter()
        .find(|clock| clock.source == Source::Iis)
        .unwrap();
    assert_eq!(
        (nginx.zone.unwrap().to_string().as_str(), nginx.zone_from),
        ("-0500", Origin::Estimated)
    );
    assert_eq!(
        (iis.skew, iis.skew_from, iis.matches),
        (-6000, Origin::Estimated, 2)
    );
    let links: Vec<_> = report.sessions[0]
        .links
        .iter()
        .map(|link| (link.line, link.text.as_str()))
        .collect();
    assert_eq!(
        links,
        [
            (
                6,
                "IIS: GET /certsrv answered 301, the redirect for the missing slash: logged in"
            ),
            (
                7,
                "IIS: GET /certsrv/certnew.p7b?ReqID=CACert&Renewal=0&Enc=bin answered 200"
            ),
        ]
    );
}

#[test]
fn what_the_caller_says_of_a_clock_holds() {
    let settings = Settings {
        zones: [("ces-start.log".to_owned(), "-0500".parse().unwrap())].into(),
        skews: [("iis-start.log".to_owned(), -6000)].into(),
    };
    let report = together(&["ces-start.log", "iis-start.log"], settings);
    assert!(report.clocks.iter().any(|clock| clock.zone_from == Origin::Given));
    assert!(
        report
            .clocks
            .iter()
            .any(|clock| clock.skew_from == Origin::Given && clock.skew == -6000)
    );
    assert_eq!(report.sessions[0].links.len(), 2);

    // A zone that is wrong: no event fits.
    let settings = Settings {
        zones: [("ces-start.log".to_owned(), "+0900".parse().unwrap())].into(),
        ..Settings::default()
    };
    let report = together(&["ces-start.log", "iis-start.log"], settings);
    assert!(report.sessions[0].links.is_empty());
}

#[test]
fn the_access_line_says_the_zone_of_the_log_it_is_in() {
    let report = together(&["ces-template-not-offered.log"], Settings::default());
    assert_eq!(report.clocks[0].zone.unwrap().to_string(), "-0500");
    assert_eq!(report.clocks[0].zone_from, Origin::Printed);
}

#[test]
fn a_phone_that_gave_up_is_explained_by_the_slow_authority() {
    let report = together(&["capf-timed-out.log", "iis-slow.log"], Settings::default());
    let phone = &report.sessions[0];
    let failure = &phone.verdict().unwrap().failure;
    assert!(
        failure
            .cause
            .contains("AD CS was slow at that time: POST /certsrv/certfnsh.asp answered 200"),
        "{report}"
    );
    assert!(
        phone.links.iter().any(|link| link.text.contains("14.904 s")),
        "{report}"
    );
    let capf = report
        .clocks
        .iter()
        .find(|clock| clock.source == Source::Capf)
        .unwrap();
    assert_eq!(
        (capf.zone.unwrap().to_string().as_str(), capf.zone_from),
        ("-0500", Origin::Estimated)
    );
}

#[test]
fn a_phone_learns_the_reason_from_the_log_of_the_registration_authority() {
    let capf = trace("capf-timed-out.log")
        .replace("12:37:54", "16:53:28")
        .replace("12:38:04", "16:53:28")
        .replace("35 (EST_ERR_SSL_READ)", "22 (EST_ERR_AUTH_FAIL)")
        .replace("() : 35", "() : 22");
    let ces = trace("ces-template-not-offered.log");
    let settings = Settings {
        zones: [("capf".to_owned(), "-0500".parse().unwrap())].into(),
        ..Settings::default()
    };
    let alone = explain_with(Settings::default(), &[("capf", capf.as_bytes())]);
    assert_eq!(super::endings(&alone)[0].1, Some("credentials-refused"));
    let report = explain_with(settings, &[("capf", capf.as_bytes()), ("ces", ces.as_bytes())]);
    assert_eq!(
        super::endings(&report)[0].1,
        Some("template-not-offered"),
        "{report}"
    );
    let verdict = report.sessions[0].verdict().unwrap();
    assert_eq!(verdict.failure.rung, pki_common::Rung::Upstream);
    assert!(verdict.failure.remedy.contains("template"));
}

#[test]
fn other_days_and_other_events_are_not_taken_for_the_same() {
    let iis = trace("iis-start.log").replace("2019-03-05", "2019-03-09");
    let ces = trace("ces-start.log");
    let report = explain_with(
        Settings::default(),
        &[("ces", ces.as_bytes()), ("iis", iis.as_bytes())],
    );
    assert!(report.sessions.iter().all(|session| session.links.is_empty()));
    assert!(report.clocks.iter().all(|clock| clock.matches == 0));
    assert!(report.to_string().contains("zone not known"));
}
