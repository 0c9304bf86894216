//! The pages. They are this project's own: they carry the marks by which clients read the verdict (B-02 to B-09) and
//! nothing else of the original.

mod text;

use std::fmt::Write as _;

pub use text::Language;
use text::Texts;

use super::disposition::{Disposition, Hresult};
use super::requests::RequestRecord;
use super::settings::Template;

/// The first page.
pub(super) fn home(language: Language) -> String {
    let text = language.texts();
    let links = format!(
        "<UL>\n<LI><A Href=\"certrqxt.asp\">{}</A>\n<LI><A Href=\"certckpn.asp\">{}</A>\n\
         <LI><A Href=\"certcarc.asp\">{}</A>\n</UL>\n",
        text.request_title, text.check_title, text.ca_title
    );
    page(text.home_title, &links)
}

/// The form for a request, with the list of templates.
pub(super) fn request_form(language: Language, templates: &[Template]) -> String {
    let text = language.texts();
    let mut form = String::from(
        "<Form Name=SubmittedData Action=\"certfnsh.asp\" Method=Post>\n\
         <Input Type=Hidden Name=Mode Value=\"newreq\">\n\
         <TextArea ID=locTaRequest Name=CertRequest Rows=10 Cols=64></TextArea>\n\
         <select name=\"lbCertTemplate\" id=\"lbCertTemplateID\">\n",
    );
    for template in templates {
        let (name, shown) = (escape(&template.name), escape(&template.display_name));
        // O: the subject is the request's.
        let _ = writeln!(form, "<option value=\"O;{name};1;\">{shown}</option>");
    }
    form.push_str("</select>\n<Input Type=Submit ID=btnSubmit>\n</Form>\n");
    page(text.request_title, &form)
}

/// What a request has led to.
pub(super) fn verdict(language: Language, record: &RequestRecord) -> String {
    match record.disposition {
        Disposition::Issued => issued(language, record.id),
        Disposition::UnderSubmission => pending(language, record.id),
        Disposition::DeniedByPolicy(_) | Disposition::DeniedByAdministrator(_) => denied(language, record),
        Disposition::Failed(_) => failed(language, Some(record.id), record.disposition),
    }
}

fn issued(language: Language, id: u32) -> String {
    let text = language.texts();
    let body = format!(
        "<P>{}\n<Script Language=\"JavaScript\">\n\
         var sLinkCer=\"certnew.cer?ReqID={id}&\"+getEncoding();\n\
         var sLinkChain=\"certnew.p7b?ReqID={id}&\"+getEncoding();\n\
         function getEncoding() {{ return \"Enc=b64\"; }}\n</Script>\n\
         <P><A Href=\"certnew.cer?ReqID={id}&amp;Enc=b64\">{}</A>\n\
         <P><A Href=\"certnew.p7b?ReqID={id}&amp;Enc=b64\">{}</A>\n",
        text.issued, text.download, text.download_chain
    );
    page(text.issued_title, &body)
}

fn pending(language: Language, id: u32) -> String {
    let text = language.texts();
    let body = format!("<P>{}\n<P>{}\n", text.pending, text.request_id(id));
    page(text.pending_title, &body)
}

fn denied(language: Language, record: &RequestRecord) -> String {
    let text = language.texts();
    let message = escape(&message(text, record.disposition));
    let body = format!(
        "<P>{}\n<P>{} {} \"{message}\".\n",
        text.denied,
        text.request_id(record.id),
        text.message_is,
    );
    page(text.denied_title, &body)
}

/// The page of a request that the server could not work on.
fn failed(language: Language, id: Option<u32>, disposition: Disposition) -> String {
    let text = language.texts();
    let number = id.map_or_else(String::new, |id| text.request_id(id));
    let body = format!(
        "<P>{} {number}\n{}",
        text.failed,
        details(
            text,
            disposition.number(),
            &message(text, disposition),
            disposition.last_status()
        )
    );
    page(text.failed_title, &body)
}

/// What `certnew.cer` says instead of a certificate.
pub(super) fn no_certificate(language: Language, record: Option<&RequestRecord>) -> String {
    let text = language.texts();
    let details = match record.map(|record| record.disposition) {
        Some(disposition) => details(
            text,
            disposition.number(),
            &message(text, disposition),
            disposition.last_status(),
        ),
        // 0: incomplete; nothing is known of such a request.
        None => details(text, 0, text.none, Hresult::NO_SUCH_REQUEST),
    };
    page(text.failed_title, &details)
}

/// The page for a form or a query that makes no sense.
pub(super) fn bad_argument(language: Language) -> String {
    failed(language, None, Disposition::Failed(Hresult::INVALID_ARGUMENT))
}

fn details(text: &Texts, disposition: u8, message: &str, status: Hresult) -> String {
    format!(
        "<DL>\n<DT>{}\n<DD>\r\n\t\t{disposition}\r\n<DT>{}\n<DD>\r\n\t\t{}\r\n<DT>{}\n<DD>\r\n\t\t{} {status}\r\n</DL>\n",
        text.disposition,
        text.disposition_message,
        escape(message),
        text.last_status,
        text.meaning(status),
    )
}

/// The disposition message.
fn message(text: &Texts, disposition: Disposition) -> String {
    match disposition {
        Disposition::Issued => text.disposition_issued.to_owned(),
        Disposition::UnderSubmission => text.under_submission.to_owned(),
        Disposition::DeniedByPolicy(code) => {
            format!("{}  {code}, {}", text.denied_by_policy, text.meaning(code))
        }
        Disposition::DeniedByAdministrator(code) => {
            format!("{}  {code}, {}", text.denied_by_administrator, text.meaning(code))
        }
        Disposition::Failed(code) => format!("{}  {} {code}", text.error_parsing, text.meaning(code)),
    }
}

/// The page of the CA certificates, which tells the number of renewals.
pub(super) fn ca_certificates(language: Language, renewals: usize) -> String {
    let text = language.texts();
    let mut body = format!("<Script Language=\"JavaScript\">\nvar nRenewals={renewals};\n</Script>\n<UL>\n");
    for renewal in (0..=renewals).rev() {
        let _ = writeln!(
            body,
            "<LI><A Href=\"certnew.cer?ReqID=CACert&amp;Renewal={renewal}&amp;Enc=b64\">{} {renewal}</A>",
            text.ca_certificate
        );
    }
    body.push_str("</UL>\n");
    page(text.ca_title, &body)
}

/// The page of the requests that wait.
pub(super) fn pending_requests(language: Language, requests: &[RequestRecord]) -> String {
    let text = language.texts();
    let mut body = String::new();
    for request in requests {
        let _ = write!(
            body,
            "<Form Action=\"certfnsh.asp\" Method=Post>\n<Input Type=Hidden Name=Mode Value=\"chkpnd\">\n\
             <Input Type=Hidden Name=ReqID Value=\"{}\">\n<Input Type=Submit Value=\"{} {}\">\n</Form>\n",
            request.id,
            request.id,
            escape(&request.subject)
        );
    }
    if requests.is_empty() {
        let _ = writeln!(body, "<P>{}", text.no_pending);
    }
    page(text.check_title, &body)
}

/// The body of the redirect from `/certsrv` to `/certsrv/`: 163 bytes with the host name of Cisco document 214396
/// (F002-19). It is the one of HTTP.SYS and not of the pages; its length is what clients log.
pub(super) fn moved(location: &str) -> String {
    format!(
        "<head><title>Document Moved</title></head>\n<body><h1>Object Moved</h1>This document may be found <a \
         HREF=\"{}\">here</a></body>",
        escape(location)
    )
}

/// The body of an answer that is no page of AD CS.
pub(super) fn status(title: &str) -> String {
    format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n")
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<HTML>\n<Head>\n<Title>{title}</Title>\n</Head>\n<Body>\n<P ID=locPageTitle><B>{title}</B>\n\
         {body}</Body>\n</HTML>\n"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(disposition: Disposition) -> RequestRecord {
        RequestRecord {
            id: 17,
            requester: "MICHAMEN\\ciscora".to_owned(),
            template: "CiscoRA".to_owned(),
            subject: "CN=SEP74A02FC0A675".to_owned(),
            disposition,
            certificate: None,
        }
    }

    #[test]
    fn the_redirect_has_the_length_that_the_vendors_log_shows() {
        assert_eq!(moved("https://lab-dc-iis.michamen.com/certsrv/").len(), 163);
    }

    #[test]
    fn an_issued_request_is_known_by_its_links_in_every_language() {
        for language in Language::ALL {
            let page = verdict(language, &record(Disposition::Issued));
            assert!(page.contains("certnew.cer?ReqID=17&\""), "{page}");
            assert!(page.contains("certnew.cer?ReqID=17&amp;Enc=b64"), "{page}");
        }
    }

    #[test]
    fn only_an_issued_request_has_a_link_to_a_certificate() {
        for disposition in [
            Disposition::UnderSubmission,
            Disposition::DeniedByPolicy(Hresult::UNSUPPORTED_TEMPLATE),
            Disposition::DeniedByAdministrator(Hresult::DENIED_BY_ADMINISTRATOR),
            Disposition::Failed(Hresult::BAD_REQUEST),
        ] {
            for language in Language::ALL {
                let page = verdict(language, &record(disposition));
                assert!(!page.contains("certnew.cer"), "{page}");
                assert!(page.contains("17"), "{page}");
            }
        }
    }

    #[test]
    fn the_english_pages_have_the_texts_that_clients_look_for() {
        let page = verdict(Language::English, &record(Disposition::UnderSubmission));
        assert!(page.contains("Certificate Pending") && page.contains("Your Request Id is 17."));
        assert!(page.contains("Your certificate request has been received."));
        let page = verdict(
            Language::English,
            &record(Disposition::DeniedByPolicy(Hresult::UNSUPPORTED_TEMPLATE)),
        );
        assert!(page.contains("Certificate Request Denied"), "{page}");
        assert!(page.contains("Your certificate request was denied."), "{page}");
        assert!(page.contains("The disposition message is \"Denied by Policy Module  0x80094800, "));
        let page = no_certificate(Language::English, Some(&record(Disposition::UnderSubmission)));
        assert!(page.contains("Disposition:\n<DD>\r\n\t\t5\r\n"), "{page}");
        assert!(
            page.contains("Disposition message:\n<DD>\r\n\t\tTaken Under Submission\r\n"),
            "{page}"
        );
        assert!(ca_certificates(Language::English, 3).contains("var nRenewals=3;"));
    }

    #[test]
    fn a_localized_page_has_none_of_the_english_texts() {
        for language in [Language::German, Language::French] {
            for disposition in [
                Disposition::UnderSubmission,
                Disposition::DeniedByPolicy(Hresult::UNSUPPORTED_TEMPLATE),
                Disposition::DeniedByAdministrator(Hresult::DENIED_BY_ADMINISTRATOR),
            ] {
                let record = record(disposition);
                for page in [
                    verdict(language, &record),
                    no_certificate(language, Some(&record)),
                ] {
                    for english in ["Your", "Denied", "Pending", "Request", "Taken", "message", "The "] {
                        assert!(!page.contains(english), "{english} in {page}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_list_of_templates_has_name_and_display_name() {
        let templates = [Template::new("WebServer", "Web & Server")];
        let page = request_form(Language::English, &templates);
        assert!(
            page.contains("<select name=\"lbCertTemplate\" id=\"lbCertTemplateID\">"),
            "{page}"
        );
        assert!(
            page.contains("<option value=\"O;WebServer;1;\">Web &amp; Server"),
            "{page}"
        );
    }
}
