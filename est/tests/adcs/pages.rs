//! What is read from pages and files, in several languages and encodings.

use std::fs;
use std::path::Path;

use est::adcs::form::RequestId;
use est::adcs::page::{
    Disposition, HResult, MAX_PAGE, MAX_TEMPLATES, PageError, Retrieved, TemplateSubject, Verdict,
    certificates, oracle, renewals, retrieved, templates, verdict,
};

fn page(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/adcs");
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn an_issued_certificate_is_known_by_its_link_in_a_script_or_in_a_page_of_any_language() {
    for (name, number) in [
        ("issued.html", 10),
        ("issued-script-only.html", u32::MAX),
        ("issued-link-only-german.html", 77),
    ] {
        let request = RequestId(number);
        assert_eq!(verdict(&page(name)), Ok(Verdict::Issued { request }), "{name}");
    }
    let two = b"<a href='certnew.cer?ReqID=1&amp;Enc=b64'><a href='certnew.cer?ReqID=2&amp;Enc=b64'>";
    assert_eq!(
        verdict(two),
        Err(PageError::SeveralRequests { first: 1, second: 2 })
    );
}

#[test]
fn a_pending_request_has_its_number_and_not_the_days_until_it_must_be_fetched() {
    for (name, number) in [("pending.html", 11), ("pending-german.html", 25)] {
        let request = RequestId(number);
        assert_eq!(verdict(&page(name)), Ok(Verdict::Pending { request }), "{name}");
    }
    match verdict(&page("pending-german-without-marks.html")).unwrap() {
        Verdict::Unclear { request, message } => {
            assert_eq!(request, RequestId(25));
            assert!(message.contains("f\u{e4}llig"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_denied_request_has_its_message_and_code() {
    for (name, begins) in [
        ("denied.html", "Denied by Policy Module"),
        ("denied-german.html", "Verweigert vom Richtlinienmodul"),
        (
            "denied-german-without-marks.html",
            "Verweigert vom Richtlinienmodul",
        ),
    ] {
        match verdict(&page(name)).unwrap() {
            Verdict::Denied {
                request,
                message,
                code,
            } => {
                assert_eq!(request, Some(RequestId(12)), "{name}");
                assert!(message.starts_with(begins), "{name}: {message}");
                assert_eq!(code, Some(HResult::UNSUPPORTED_CERT_TYPE), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_request_that_the_authority_cannot_work_on_has_failed() {
    match verdict(&page("failed.html")).unwrap() {
        Verdict::Failed { message, code } => {
            assert!(message.contains("ASN1 bad tag value met"), "{message}");
            assert_eq!(code.unwrap().to_string(), "0x8009310b");
        }
        other => panic!("{other:?}"),
    }
    let error = verdict(b"<html>Welcome to our proxy</html>").unwrap_err();
    assert_eq!(
        error,
        PageError::NoVerdict {
            text: "Welcome to our proxy".to_owned()
        }
    );
}

#[test]
fn a_request_without_a_certificate_tells_its_state_by_number() {
    for (name, disposition, message, status) in [
        (
            "disposition-pending.html",
            Disposition::UNDER_SUBMISSION,
            "Taken Under Submission",
            None,
        ),
        (
            "disposition-denied.html",
            Disposition::DENIED,
            "Denied by MICHAMEN\\admin",
            Some(HResult::ADMIN_DENIED_REQUEST),
        ),
        (
            "disposition-pending-french.html",
            Disposition::UNDER_SUBMISSION,
            "Prise en compte",
            None,
        ),
    ] {
        match retrieved(&page(name)).unwrap() {
            Retrieved::NotIssued(found) => {
                assert_eq!(
                    (found.disposition, found.message.as_str(), found.status),
                    (disposition, message, status),
                    "{name}"
                );
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn a_certificate_is_read_in_every_form_that_servers_send() {
    let der = page("certnew.cer.der");
    for name in [
        "certnew.cer.der",
        "certnew.cer.pem",
        "certnew.cer.base64",
        "certnew.p7b.der",
        "certnew.p7b.pem",
        "certnew-in-a-page.html",
    ] {
        let found = certificates(&page(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].der().as_ref(), der, "{name}");
    }
    let mut damaged = der.clone();
    damaged.truncate(der.len() - 1);
    assert!(matches!(
        certificates(&damaged),
        Err(PageError::BadCertificate { .. })
    ));
    assert!(matches!(
        certificates(b"<html>nothing"),
        Err(PageError::NoCertificate { .. })
    ));
}

#[test]
fn templates_have_name_display_name_and_the_origin_of_the_subject() {
    let found = templates(&page("certrqxt.html")).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|found| (found.name.as_str(), found.display_name.as_str(), found.subject))
        .collect();
    assert_eq!(
        found,
        [
            ("User", "User", TemplateSubject::ActiveDirectory),
            ("WebServer", "Web Server", TemplateSubject::Request),
            ("CiscoRA", "Cisco RA & phones", TemplateSubject::Request),
        ]
    );
    assert!(matches!(
        templates(&page("pending.html")),
        Err(PageError::NoTemplateList { .. })
    ));
    let mut many = "<select name=lbCertTemplate>".to_owned();
    many.push_str(&"<option value=O;x;>".repeat(MAX_TEMPLATES + 1));
    assert_eq!(templates(many.as_bytes()), Err(PageError::TooManyTemplates));
}

#[test]
fn the_newest_renewal_is_read_from_the_script() {
    assert_eq!(renewals(&page("certcarc.html")), Ok(3));
    assert_eq!(renewals(b"var nRenewals = 0 ;"), Ok(0));
    assert_eq!(renewals(b"var nRenewals=many;"), Err(PageError::NoRenewals));
}

#[test]
fn every_page_holds_what_must_hold_for_any_bytes_wherever_it_is_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/adcs");
    let mut pages = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let page = fs::read(entry.unwrap().path()).unwrap();
        pages += 1;
        for length in 0..=page.len() {
            oracle::oracle(&page[..length]);
        }
    }
    assert!(pages > 15, "{pages}");
}

/// Some of these took hours in a first draft: what is looked for again and again must not be looked for to the end.
#[test]
fn pages_made_to_be_slow_are_read_in_time() {
    /// What grows with the square of the length would take minutes at this one already.
    const LENGTH: usize = MAX_PAGE / 4;
    for part in [
        "certnew.cer?",
        "certnew.cer?ReqID=",
        "<script",
        "<script>",
        "<!--",
        "<select ",
        "<select>",
        "<option",
        "<dd>",
        "<dd",
        "0x",
        "&#x",
        "nRenewals=",
        "id=locInfoReqID",
        "-----BEGIN ",
        "-----BEGIN X-----",
        "\" ",
        "a=\"",
        "</",
    ] {
        oracle::oracle(part.repeat(LENGTH / part.len()).as_bytes());
        let list = format!("<select name=lbCertTemplate>{}", part.repeat(LENGTH / part.len()));
        oracle::oracle(list.as_bytes());
    }
    assert_eq!(verdict(&vec![b'x'; MAX_PAGE + 1]), Err(PageError::TooLong));
}
