//! Requests and what becomes of them.

use interop::adcs_sim::{Disposition, Hresult, Rule, Settings, Verdict};

use crate::lab::{CISCO_RA, Lab, columns, form, issued_id, request};

/// What the vendor's registration authority does for one phone, by two processes of `curl`, each with one connection:
/// the first logs in to check the password it was given, the second enrols.
fn enrol_a_phone(lab: &Lab) {
    let file = lab.write("request.pem", request("SEP74A02FC0A675"));
    let page = |page: &str| {
        let authority = lab.file("ca.pem").display().to_string();
        let login = ["--silent", "--ntlm", "--user", "MICHAMEN\\ciscora:cisco"];
        let mut options: Vec<String> = login.map(str::to_owned).to_vec();
        options.extend(["--user-agent", CISCO_RA, "--cacert"].map(str::to_owned));
        options.extend([authority, lab.url(page)]);
        options
    };
    let next = || vec!["--next".to_owned()];
    let referer = vec!["--referer".to_owned(), lab.url("/certsrv/certrqxt.asp")];
    let check = [page("/certsrv"), next(), page("/certsrv/certrqxt.asp")].concat();
    assert!(lab.curl().args(check).output().unwrap().status.success());
    let enrol = [
        page("/certsrv"),
        next(),
        page("/certsrv/certfnsh.asp"),
        referer,
        form(&file, "CiscoRA"),
        next(),
        page("/certsrv/certnew.cer?ReqID=10&ENC=b64"),
    ]
    .concat();
    let enrolled = lab.curl().args(enrol).output().unwrap();
    assert!(enrolled.status.success());
    assert!(String::from_utf8_lossy(&enrolled.stdout).contains("-----BEGIN CERTIFICATE-----"));
}

/// Cisco document 214396 (F002-29): one phone, two logins on two connections, in all columns but addresses and times.
#[tokio::test(flavor = "multi_thread")]
async fn the_enrolment_of_a_phone_is_logged_as_the_vendors() {
    let settings = Settings {
        first_request_id: 10,
        ..Settings::default()
    };
    let Some(lab) = Lab::start(settings).await else {
        return;
    };
    enrol_a_phone(&lab);
    let log = lab.simulator.log();
    assert_eq!(
        columns(&log),
        [
            "GET /certsrv - - 401 1 2148074254",
            "GET /certsrv - MICHAMEN\\ciscora 301 0 0",
            "GET /certsrv/certrqxt.asp - MICHAMEN\\ciscora 200 0 0",
            "GET /certsrv - - 401 1 2148074254",
            "GET /certsrv - MICHAMEN\\ciscora 301 0 0",
            "POST /certsrv/certfnsh.asp - MICHAMEN\\ciscora 200 0 0",
            "GET /certsrv/certnew.cer ReqID=10&ENC=b64 MICHAMEN\\ciscora 200 0 0",
        ]
    );
    assert_eq!(log[5].referer, Some(lab.url("/certsrv/certrqxt.asp")));
    assert!(
        log.iter()
            .all(|line| line.user_agent.as_deref() == Some(CISCO_RA))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_lists_the_templates() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let page = lab.ask(&[], "/certsrv/certrqxt.asp").text();
    assert!(
        page.contains("<select name=\"lbCertTemplate\" id=\"lbCertTemplateID\">"),
        "{page}"
    );
    assert!(
        page.contains("<option value=\"O;CiscoRA;") && page.contains("\">Web Server</option>"),
        "{page}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_not_offered_is_denied_with_its_code() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let page = lab.submit("CiscoRa1", "phone");
    assert!(page.contains("Your certificate request was denied."), "{page}");
    assert!(
        page.contains("The disposition message is \"Denied by Policy Module  0x80094800, "),
        "{page}"
    );
    assert_eq!(issued_id(&page), None);
    // In another case it is the same template.
    assert_eq!(issued_id(&lab.submit("ciscora", "phone")), Some(2));
    // None at all has a code of its own.
    assert!(lab.submit("", "phone").contains("0x80094801"));
}

fn rule(subject: &str, verdict: Verdict) -> Rule {
    Rule {
        subject: subject.to_owned(),
        verdict,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_fits_the_subject_decides() {
    let settings = Settings {
        rules: vec![
            rule("*CN=bad*", Verdict::Deny(Hresult::TEMPLATE_PERMISSIONS)),
            rule("*CN=broken*", Verdict::Fail(Hresult::BAD_REQUEST)),
            rule("*CN=b*", Verdict::Pending),
        ],
        ..Settings::default()
    };
    let Some(lab) = Lab::start(settings).await else {
        return;
    };
    assert_eq!(issued_id(&lab.submit("CiscoRA", "good")), Some(1));
    assert!(lab.submit("CiscoRA", "bad").contains("0x80094012"));
    let broken = lab.submit("CiscoRA", "broken");
    assert!(broken.contains("Disposition:\n<DD>\r\n\t\t1\r\n"), "{broken}");
    assert!(lab.submit("CiscoRA", "but").contains("Certificate Pending"));
    let found: Vec<Disposition> = lab
        .simulator
        .requests()
        .iter()
        .map(|record| record.disposition)
        .collect();
    assert_eq!(
        found,
        [
            Disposition::Issued,
            Disposition::DeniedByPolicy(Hresult::TEMPLATE_PERMISSIONS),
            Disposition::Failed(Hresult::BAD_REQUEST),
            Disposition::UnderSubmission,
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_decides_what_is_pending_once() {
    let Some(lab) = Lab::with_faults(&["pending"]).await else {
        return;
    };
    for id in [1, 2] {
        let page = lab.submit("CiscoRA", &format!("slow {id}"));
        assert!(page.contains("Certificate Pending"), "{page}");
        assert!(page.contains(&format!("Your Request Id is {id}.")), "{page}");
        let page = lab.ask(&[], &format!("/certsrv/certnew.cer?ReqID={id}&Enc=b64"));
        assert!(page.text().contains("Taken Under Submission"));
    }
    // The user is the same by whatever name.
    let login = ["--ntlm", "--user", "michamen\\Ciscora:cisco"];
    let list = lab.anonymous(&login, "/certsrv/certckpn.asp").text();
    assert!(
        list.contains("Value=\"1\"") && list.contains("Value=\"2\""),
        "{list}"
    );

    lab.simulator.approve(1).unwrap();
    lab.simulator.deny(2).unwrap();
    let check = |id: &str| {
        let form = ["--data", "Mode=chkpnd", "--data", &format!("ReqID={id}")];
        lab.ask(&form, "/certsrv/certfnsh.asp").text()
    };
    assert_eq!(issued_id(&check("1")), Some(1));
    assert!(check("2").contains("0x80094014"));
    let answer = lab.ask(&[], "/certsrv/certnew.cer?ReqID=1&Enc=b64").text();
    assert!(answer.starts_with("-----BEGIN CERTIFICATE-----\r\n"), "{answer}");
    let answer = lab.ask(&[], "/certsrv/certnew.cer?ReqID=2").text();
    assert!(answer.contains("Denied by Administrator"), "{answer}");
    for id in [1, 2, 99] {
        assert!(
            lab.simulator.approve(id).is_err() && lab.simulator.deny(id).is_err(),
            "{id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_fails_with_a_code_and_harms_nothing() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let changed = {
        // The last octets are the signature.
        let whole = request("phone");
        let at = whole.find("-----END").unwrap() - 6;
        let other = if &whole[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &whole[..at], &whole[at + 1..])
    };
    for (content, code) in [
        ("", "0x8009310b"),
        ("no request", "0x8009310b"),
        (&changed, "0x8009"),
    ] {
        let form = form(&lab.write("bad.pem", content), "CiscoRA");
        let form: Vec<&str> = form.iter().map(String::as_str).collect();
        let page = lab.ask(&form, "/certsrv/certfnsh.asp").text();
        assert!(
            page.contains("Your request failed.") && page.contains(code),
            "{page}"
        );
    }
    for (arguments, page) in [
        (&["--data", "Mode=unknown"][..], "/certsrv/certfnsh.asp"),
        (&["--data", "Mode=chkpnd&ReqID=x"], "/certsrv/certfnsh.asp"),
        (&[], "/certsrv/certnew.cer?ReqID=CACert&Renewal=1"),
        (&[], "/certsrv/certnew.p7b?ReqID=CACert&Renewal=-2"),
        (&[], "/certsrv/certnew.cer?ReqID=99999999999"),
        (&[], "/certsrv/certnew.cer"),
    ] {
        let answer = lab.ask(arguments, page).text();
        assert!(answer.contains("LastStatus:"), "{page}: {answer}");
    }
    assert_eq!(issued_id(&lab.submit("CiscoRA", "phone")), Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_pages_and_bodies_without_end_are_refused() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    lab.ask(&[], "/certsrv/certrqma.asp");
    let long = lab.write("long", vec![b'x'; interop::adcs_sim::MAX_BODY + 1]);
    lab.ask(
        &["--data-binary", &format!("@{}", long.display())],
        "/certsrv/certfnsh.asp",
    );
    assert_eq!(
        columns(&lab.simulator.log()),
        [
            "GET /certsrv/certrqma.asp - - 404 0 2",
            "POST /certsrv/certfnsh.asp - ciscora 413 0 0",
        ]
    );
}
