//! From a request of a user who is logged in to the page.

use std::collections::HashMap;

use est::CsrError;
use est::wire::certs_only;
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};
use rustls_pki_types::CertificateDer;

use super::answer::{Answer, armour};
use super::authority::Authority;
use super::disposition::{Disposition, Hresult};
use super::fault::{Fault, Faults, Place};
use super::page;
use super::requests::{NewRequest, RequestRecord, Requests};
use super::settings::{Settings, Verdict};

/// A request as the pages see it.
#[derive(Debug)]
pub(super) struct PageRequest<'a> {
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
    pub(super) host: &'a str,
    pub(super) user_agent: &'a str,
    pub(super) user: &'a str,
}

/// The place of a path; upper and lower case do not differ.
pub(super) fn place_of(path: &str) -> Option<Place> {
    let place = match path.to_ascii_lowercase().as_str() {
        "/certsrv" | "/certsrv/" | "/certsrv/default.asp" => Place::Login,
        "/certsrv/certrqxt.asp" => Place::RequestForm,
        "/certsrv/certfnsh.asp" => Place::Submit,
        "/certsrv/certnew.cer" => Place::Certificate,
        "/certsrv/certnew.p7b" => Place::Chain,
        "/certsrv/certcarc.asp" => Place::CaCertificates,
        "/certsrv/certckpn.asp" => Place::PendingRequests,
        "/certsrv/certcrl.crl" => Place::RevocationList,
        _ => return None,
    };
    Some(place)
}

/// The pages and what is behind them.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) settings: &'a Settings,
    pub(super) authority: &'a Authority,
    pub(super) requests: &'a Requests,
    pub(super) faults: &'a Faults,
}

impl Site<'_> {
    /// The answer of the page at `place`.
    pub(super) fn answer(&self, place: Place, request: &PageRequest<'_>) -> Answer {
        let language = self.faults.language();
        let query = fields(request.query.as_bytes());
        match place {
            Place::Login if !request.path.ends_with('/') && !request.path.contains('.') => {
                Answer::moved(format!("https://{}/certsrv/", without_usual_port(request.host)))
            }
            Place::RequestForm => Answer::page(page::request_form(language, &self.settings.templates)),
            Place::Submit => self.submit(request),
            Place::Certificate => self.certificate(&query, request.user_agent),
            Place::Chain => self.chain(&query, request.user_agent),
            Place::CaCertificates => Answer::page(page::ca_certificates(language, self.authority.renewals())),
            Place::PendingRequests => {
                let mut own = self.requests.all();
                let account = self.account(request.user);
                own.retain(|record| {
                    record.requester == account && record.disposition == Disposition::UnderSubmission
                });
                Answer::page(page::pending_requests(language, &own))
            }
            Place::RevocationList => self.revocation_list(&query),
            _ => Answer::page(page::home(language)),
        }
    }

    /// A new request, or the question after an earlier one.
    fn submit(&self, request: &PageRequest<'_>) -> Answer {
        let language = self.faults.language();
        let form = fields(request.body);
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let record = match field("mode").to_ascii_lowercase().as_str() {
            "newreq" => {
                // The form of this page in a browser sends the choice itself: O;NAME;…
                let chosen = field("lbcerttemplate").split(';').nth(1);
                let template = template_of(field("certattrib")).or(chosen);
                Some(self.new_request(field("certrequest"), template, request.user))
            }
            "chkpnd" => field("reqid").parse().ok().and_then(|id| self.requests.find(id)),
            _ => None,
        };
        Answer::page(match record {
            Some(record) => page::verdict(language, &record),
            None => page::bad_argument(language),
        })
    }

    fn new_request(&self, csr: &str, template: Option<&str>, user: &str) -> RequestRecord {
        let (csr, verdict) = match read(csr) {
            Ok(csr) => {
                let verdict = self.verdict(&csr, template);
                (Some(csr), verdict)
            }
            Err(CsrError::Wire(_)) => (None, Verdict::Fail(Hresult::BAD_REQUEST)),
            Err(_) => (None, Verdict::Fail(Hresult::BAD_SIGNATURE)),
        };
        let request = NewRequest {
            requester: self.account(user),
            template: template.unwrap_or_default().to_owned(),
            csr,
        };
        self.requests.add(request, verdict, self.authority)
    }

    /// The account behind a name as it was given: `MICHAMEN\ciscora` for `ciscora` and `ciscora@michamen.com` as well.
    fn account(&self, given: &str) -> String {
        let (_, name) = given.split_once('\\').unwrap_or(("", given));
        let (name, _) = name.split_once('@').unwrap_or((name, ""));
        format!("{}\\{}", self.settings.domain, name.to_lowercase())
    }

    /// Faults first, then the template, then the rules.
    fn verdict(&self, csr: &VerifiedCsr, template: Option<&str>) -> Verdict {
        for fault in &self.faults.0 {
            match fault {
                Fault::Denied(code) => return Verdict::Deny(*code),
                Fault::Error(code) => return Verdict::Fail(*code),
                Fault::Pending => return Verdict::Pending,
                _ => {}
            }
        }
        let Some(name) = template else {
            return Verdict::Deny(Hresult::NO_TEMPLATE);
        };
        let mut templates = self.settings.templates.iter();
        if !templates.any(|known| known.name.eq_ignore_ascii_case(name)) {
            return Verdict::Deny(Hresult::UNSUPPORTED_TEMPLATE);
        }
        let mut rules = self.settings.rules.iter();
        let rule = rules.find(|rule| rule.fits(csr.subject_text()));
        rule.map_or(Verdict::Issue, |rule| rule.verdict)
    }

    /// `certnew.cer`: a certificate of the authority or an issued one.
    fn certificate(&self, query: &HashMap<String, String>, user_agent: &str) -> Answer {
        let language = self.faults.language();
        let id = query.get("reqid").map(String::as_str).unwrap_or_default();
        let certificate = if id.eq_ignore_ascii_case("CACert") {
            match self.renewal(query) {
                Some(generation) => generation.certificate().clone(),
                None => return Answer::page(page::bad_argument(language)),
            }
        } else {
            let record = id.parse().ok().and_then(|id| self.requests.find(id));
            match record {
                Some(RequestRecord {
                    certificate: Some(certificate),
                    ..
                }) => certificate,
                other => return Answer::page(page::no_certificate(language, other.as_ref())),
            }
        };
        self.download(
            &certificate,
            "application/pkix-cert",
            "certnew.cer",
            query,
            user_agent,
        )
    }

    /// `certnew.p7b`: the same with the chain, as a certs-only message.
    fn chain(&self, query: &HashMap<String, String>, user_agent: &str) -> Answer {
        let language = self.faults.language();
        let id = query.get("reqid").map(String::as_str).unwrap_or_default();
        let mut chain: Vec<CertificateDer<'static>> = Vec::new();
        if !id.eq_ignore_ascii_case("CACert") {
            let record = id.parse().ok().and_then(|id| self.requests.find(id));
            match record.as_ref().and_then(|record| record.certificate.clone()) {
                Some(certificate) => chain.push(certificate),
                None => return Answer::page(page::no_certificate(language, record.as_ref())),
            }
        }
        let Some(generation) = self.renewal(query) else {
            return Answer::page(page::bad_argument(language));
        };
        chain.extend(generation.chain());
        match certs_only::encode(&chain) {
            Ok(message) => self.download(
                &message,
                "application/x-pkcs7-certificates",
                "certnew.p7b",
                query,
                user_agent,
            ),
            Err(error) => {
                tracing::warn!(%error, "the simulator cannot encode a chain");
                Answer::status(500, 0, 0, "Server Error")
            }
        }
    }

    fn revocation_list(&self, query: &HashMap<String, String>) -> Answer {
        let list = self.renewal(query).map(|generation| generation.revocation_list());
        match list {
            Some(Ok(list)) => {
                let mut answer = if is_base64(query) {
                    Answer::ok("application/pkix-crl", armour("X509 CRL", &list.der))
                } else {
                    Answer::ok("application/pkix-crl", list.der)
                };
                answer
                    .headers
                    .push(("content-disposition", "filename=\"certcrl.crl\"".to_owned()));
                answer
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the simulator cannot sign a revocation list");
                Answer::status(500, 0, 0, "Server Error")
            }
            None => Answer::page(page::bad_argument(self.faults.language())),
        }
    }

    /// The issuing authority that `Renewal` names; the newest for -1 or none.
    fn renewal(
        &self,
        query: &HashMap<String, String>,
    ) -> Option<std::sync::Arc<super::authority::Generation>> {
        match query.get("renewal").map(String::as_str) {
            None | Some("-1") => Some(self.authority.newest()),
            Some(number) => self.authority.generation(number.parse().ok()?),
        }
    }

    /// Only what calls itself Mozilla gets the right type (B-07). The armour says CERTIFICATE for chains as well; OpenSSL
    /// knows that of AD CS.
    fn download(
        &self,
        der: &[u8],
        content_type: &'static str,
        file: &str,
        query: &HashMap<String, String>,
        user_agent: &str,
    ) -> Answer {
        let is_browser = user_agent.starts_with("Mozilla/");
        let content_type = if is_browser && !self.faults.has(&Fault::HtmlCertificate) {
            content_type
        } else {
            "text/html"
        };
        let body = if is_base64(query) {
            armour("CERTIFICATE", der)
        } else {
            der.to_vec()
        };
        let mut answer = Answer::ok(content_type, body);
        answer
            .headers
            .push(("content-disposition", format!("filename=\"{file}\"")));
        answer
    }
}

/// Names and values of a form or a query. Upper and lower case of names do not differ; of a name that occurs twice the
/// first counts.
fn fields(encoded: &[u8]) -> HashMap<String, String> {
    let mut fields = HashMap::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        fields
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| value.into_owned());
    }
    fields
}

fn is_base64(query: &HashMap<String, String>) -> bool {
    query
        .get("enc")
        .is_none_or(|encoding| !encoding.eq_ignore_ascii_case("bin"))
}

/// The template that the attributes name: one `name:value` a line.
fn template_of(attributes: &str) -> Option<&str> {
    let mut lines = attributes.lines().filter_map(|line| line.split_once(':'));
    let named = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case("CertificateTemplate"));
    named
        .map(|(_, value)| value.trim())
        .filter(|name| !name.is_empty())
}

fn read(request: &str) -> Result<VerifiedCsr, CsrError> {
    let request = UnverifiedCsr::from_body(request.as_bytes(), &CsrLimits::default())?;
    request.verify(&VerificationPolicy::default())
}

/// The port of HTTPS is not repeated in a link (F002-19); another one must be, or the link leads elsewhere.
fn without_usual_port(host: &str) -> &str {
    host.strip_suffix(":443").unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_template_among_other_attributes() {
        assert_eq!(template_of("CertificateTemplate:CiscoRA\r\n"), Some("CiscoRA"));
        assert_eq!(
            template_of("san:dns=a\r\ncertificatetemplate: CiscoRA \r\nx:y"),
            Some("CiscoRA")
        );
        assert_eq!(template_of("CertificateTemplate:\r\n"), None);
        assert_eq!(template_of(""), None);
    }

    #[test]
    fn names_of_queries_are_read_in_any_case() {
        for query in ["ReqID=10&ENC=b64", "reqid=10&Enc=b64", "REQID=10"] {
            let fields = fields(query.as_bytes());
            assert_eq!(fields["reqid"], "10");
            assert!(is_base64(&fields));
        }
        assert!(!is_base64(&fields(b"Enc=BIN")));
    }

    #[test]
    fn the_usual_port_is_left_out_of_links() {
        assert_eq!(
            without_usual_port("lab-dc.michamen.com:443"),
            "lab-dc.michamen.com"
        );
        assert_eq!(without_usual_port("localhost:8443"), "localhost:8443");
    }
}
