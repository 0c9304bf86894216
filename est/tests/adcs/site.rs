//! A scripted web enrolment: TLS, one line for each request in its log, and whatever a test wants to go wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use est::adcs::client::CertsrvClient;
use est::adcs::{CertsrvAuthentication, CertsrvSettings, WindowsAccount};
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::policy::IssuancePolicy;
use est::ca::{
    CertificateAuthority, ChannelBindingState, EnrollOperation, EnrollOutcome, EnrollRequest, Requester,
};
use est::request::KeyAndRequest;
use est::server::own_identity;
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};
use pki_common::Certificate;
use pki_common::identity::NewKey;
use pki_common::tls::ServerTls;
use pki_common::trust_store::TrustStore;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{embedded_authority, pem};

pub(crate) const ACCOUNT: &str = "MICHAMEN\\ciscora";

/// What the server does with one kind of request, until told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// What it should.
    Good,
    /// Does its work, and closes the connection instead of an answer.
    Drop,
    /// Does nothing and closes the connection.
    DropUnseen,
    /// Does its work, and answers when the test says so.
    Hang,
    /// 401 for one request, as if the login were forgotten.
    Forget,
    /// 500.
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Issue,
    Pending,
    GermanPending,
    Deny,
}

/// What a test may change while the server runs.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) behaviour: HashMap<&'static str, Behaviour>,
    pub(crate) verdict: Verdict,
    pub(crate) templates: Vec<&'static str>,
    pub(crate) renewals: u32,
    pub(crate) ntlm: bool,
    pub(crate) basic: bool,
    /// The requests by number: certificate, or disposition.
    pub(crate) requests: Vec<(u32, Result<Vec<u8>, u32>)>,
    pub(crate) log: Vec<String>,
}

pub(crate) struct Site {
    pub(crate) script: Arc<Mutex<Script>>,
    pub(crate) released: Arc<tokio::sync::Notify>,
    pub(crate) anchors: Arc<TrustStore>,
    authority: Arc<EmbeddedCertificateAuthority>,
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        let authority = embedded_authority(IssuancePolicy::default());
        let root = Certificate::from_der(authority.ca_certificate()).unwrap();
        let mut anchors = TrustStore::empty("test anchors");
        anchors.add(&root).unwrap();
        let names = vec!["DNS:localhost".parse().unwrap()];
        let identity = own_identity(
            &*authority,
            "CN=localhost".parse().unwrap(),
            names,
            NewKey::EcP256,
        )
        .await
        .unwrap();
        let tls = ServerTls::new(Arc::new(identity)).rustls_config().unwrap();
        let acceptor = TlsAcceptor::from(tls);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(Script {
            behaviour: HashMap::new(),
            verdict: Verdict::Issue,
            templates: vec!["CiscoRA", "WebServer"],
            renewals: 0,
            ntlm: true,
            basic: false,
            requests: Vec::new(),
            log: Vec::new(),
        }));
        let released = Arc::new(tokio::sync::Notify::new());
        let served = Served {
            script: Arc::clone(&script),
            released: Arc::clone(&released),
            authority: Arc::clone(&authority),
        };
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, served) = (acceptor.clone(), served.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        served.serve(stream).await;
                    }
                });
            }
        });
        Self {
            script,
            released,
            anchors: Arc::new(anchors),
            authority,
            port,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub(crate) fn settings(&self) -> CertsrvSettings {
        let account = WindowsAccount::new(ACCOUNT, "Cisco123").unwrap();
        let authentication = CertsrvAuthentication::Ntlm(account);
        let url = self.url().parse().unwrap();
        let mut settings = CertsrvSettings::new(url, Arc::clone(&self.anchors), authentication, "CiscoRA");
        settings.user_agent = "CiscoRA 1.0".to_owned();
        settings
    }

    pub(crate) fn client(&self) -> CertsrvClient {
        CertsrvClient::new(self.settings()).unwrap()
    }

    pub(crate) fn set(&self, page: &'static str, behaviour: Behaviour) {
        self.script.lock().unwrap().behaviour.insert(page, behaviour);
    }

    /// The log since the last look.
    pub(crate) fn log(&self) -> Vec<String> {
        core::mem::take(&mut self.script.lock().unwrap().log)
    }

    pub(crate) fn submissions(&self) -> usize {
        self.script.lock().unwrap().requests.len()
    }

    /// As an administrator does.
    pub(crate) async fn approve(&self, csr: &VerifiedCsr) {
        let certificate = issue(&self.authority, csr.clone()).await;
        self.script.lock().unwrap().requests.last_mut().unwrap().1 = Ok(certificate);
    }

    pub(crate) fn deny_last(&self) {
        self.script.lock().unwrap().requests.last_mut().unwrap().1 = Err(2);
    }
}

/// A request with a new key.
pub(crate) fn csr(common_name: &str) -> VerifiedCsr {
    let subject = format!("CN={common_name}").parse().unwrap();
    let request = KeyAndRequest::generate(subject, Vec::new(), NewKey::EcP256).unwrap();
    verified(request.csr_der())
}

fn verified(der: &[u8]) -> VerifiedCsr {
    let csr = UnverifiedCsr::from_der(der, &CsrLimits::default()).unwrap();
    csr.verify(&VerificationPolicy::default()).unwrap()
}

pub(crate) fn enroll_request(csr: &VerifiedCsr) -> EnrollRequest {
    EnrollRequest {
        csr: csr.clone(),
        requester: Requester::operator(),
        label: None,
        operation: EnrollOperation::SimpleEnroll,
        channel_binding: ChannelBindingState::Absent,
    }
}

async fn issue(authority: &EmbeddedCertificateAuthority, csr: VerifiedCsr) -> Vec<u8> {
    match authority.enroll(enroll_request(&csr)).await.unwrap() {
        EnrollOutcome::Issued(issued) => issued.certificate.to_vec(),
        other => panic!("{other:?}"),
    }
}

#[derive(Clone)]
struct Served {
    script: Arc<Mutex<Script>>,
    released: Arc<tokio::sync::Notify>,
    authority: Arc<EmbeddedCertificateAuthority>,
}

struct Asked {
    method: String,
    target: String,
    headers: HashMap<String, String>,
    body: String,
}

impl Served {
    async fn serve<S: AsyncRead + tokio::io::AsyncWrite + Unpin>(self, mut stream: S) {
        let mut user: Option<String> = None;
        while let Some(asked) = read(&mut stream).await {
            let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
            let page = path.rsplit('/').next().unwrap();
            let page = [
                "certrqxt.asp",
                "certfnsh.asp",
                "certnew.cer",
                "certnew.p7b",
                "certcarc.asp",
            ]
            .into_iter()
            .find(|known| *known == page)
            .unwrap_or("certsrv");
            let behaviour = self.script.lock().unwrap().behaviour.get(page).copied();
            let behaviour = behaviour.unwrap_or(Behaviour::Good);
            if behaviour == Behaviour::DropUnseen {
                return;
            }
            if behaviour == Behaviour::Forget {
                self.script.lock().unwrap().behaviour.remove(page);
                user = None;
            }
            let mut reply = match self.log_in(&asked, &mut user) {
                Some(challenge) => challenge,
                None if behaviour == Behaviour::Fail => plain(500, "Server Error", ""),
                None => self.answer(page, query, &asked).await,
            };
            let status = reply.split(' ').nth(1).unwrap().to_owned();
            let referer = asked.headers.get("referer").map_or("", |_| " referer");
            let line = format!(
                "{} {} {status} {}{referer}",
                asked.method,
                asked.target,
                user.as_deref().unwrap_or("-")
            );
            self.script.lock().unwrap().log.push(line);
            match behaviour {
                Behaviour::Drop => return,
                Behaviour::Hang => self.released.notified().await,
                _ => {}
            }
            if asked.method == "HEAD" {
                reply.clear();
            }
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
            stream.flush().await.unwrap();
        }
    }

    /// The refusal or the challenge, unless the connection is logged in.
    fn log_in(&self, asked: &Asked, user: &mut Option<String>) -> Option<String> {
        let script = self.script.lock().unwrap();
        let authorization = asked
            .headers
            .get("authorization")
            .map(String::as_str)
            .unwrap_or_default();
        let mut offered = Vec::new();
        if script.ntlm {
            offered.push("NTLM".to_owned());
        }
        if script.basic {
            offered.push("Basic realm=\"x\"".to_owned());
        }
        if let Some(message) = authorization.strip_prefix("NTLM ").filter(|_| script.ntlm) {
            let message = STANDARD.decode(message).unwrap();
            if message[8] == 1 {
                return Some(refused(&[format!("NTLM {}", STANDARD.encode(challenge()))]));
            }
            // Utf-16 of the name; the password is the business of the simulator.
            let text: String = message
                .iter()
                .filter(|byte| **byte != 0)
                .map(|byte| char::from(*byte))
                .collect();
            if !text.contains("MICHAMENciscora") {
                return Some(refused(&offered));
            }
            *user = Some("MICHAMEN\\ciscora".to_owned());
        }
        if let Some(basic) = authorization.strip_prefix("Basic ").filter(|_| script.basic) {
            let pair = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
            if pair != "MICHAMEN\\ciscora:Cisco123" {
                return Some(refused(&offered));
            }
            *user = Some("MICHAMEN\\ciscora".to_owned());
        }
        user.is_none().then(|| refused(&offered))
    }

    async fn answer(&self, page: &str, query: &str, asked: &Asked) -> String {
        match page {
            "certsrv" => "HTTP/1.1 301 Moved Permanently\r\nLocation: https://localhost/certsrv/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "certrqxt.asp" => {
                let mut list = "<select name=\"lbCertTemplate\" id=\"lbCertTemplateID\">".to_owned();
                for name in &self.script.lock().unwrap().templates {
                    list.push_str(&format!("<option value=\"O;{name};1;\">{name} as people see it"));
                }
                plain(200, "text/html", &format!("<html>{list}</select></html>"))
            }
            "certcarc.asp" => {
                let renewals = self.script.lock().unwrap().renewals;
                plain(200, "text/html", &format!("<script>var nRenewals={renewals};</script>"))
            }
            "certnew.p7b" => {
                let chain = est::wire::certs_only::encode(&[self.authority.ca_certificate().clone()]).unwrap();
                plain(200, "application/x-pkcs7-certificates", &pem("CERTIFICATE", &chain))
            }
            "certfnsh.asp" => self.submit(&asked.body).await,
            "certnew.cer" => self.certificate(query),
            other => panic!("{other}"),
        }
    }

    async fn submit(&self, body: &str) -> String {
        let (verdict, number) = {
            let script = self.script.lock().unwrap();
            (
                script.verdict,
                script.requests.last().map_or(10, |(number, _)| number + 1),
            )
        };
        let csr = verified(&request_in(body));
        let (kept, page) = match verdict {
            Verdict::Issue => (
                Ok(issue(&self.authority, csr).await),
                format!("<script>x=\"certnew.cer?ReqID={number}&\"+e();</script>"),
            ),
            Verdict::Pending => (
                Err(5),
                format!(
                    "<p>Certificate Pending<p>Your certificate request has been received.<p>Your Request Id is {number}."
                ),
            ),
            Verdict::GermanPending => (
                Err(5),
                format!(
                    "<p>Zertifikat ausstehend<p>Ihre Anforderungs-ID lautet {number}.<p>Binnen 10 Tagen abholen."
                ),
            ),
            Verdict::Deny => (
                Err(2),
                format!(
                    "<p>Certificate Request Denied<p>Your certificate request was denied.<p>Your Request Id is {number}. \
                     The disposition message is \"Denied by Policy Module  0x80094801, no template.\"."
                ),
            ),
        };
        self.script.lock().unwrap().requests.push((number, kept));
        plain(200, "text/html", &format!("<html>{page}</html>"))
    }

    fn certificate(&self, query: &str) -> String {
        let number = query.split(['=', '&']).nth(1).unwrap();
        let script = self.script.lock().unwrap();
        let found = script
            .requests
            .iter()
            .find(|(known, _)| known.to_string() == number);
        let (disposition, message, status) = match found {
            Some((_, Ok(certificate))) => {
                return plain(200, "application/pkix-cert", &pem("CERTIFICATE", certificate));
            }
            Some((_, Err(disposition))) => (*disposition, "Denied by me", "0x80094014"),
            None => (0, "(none)", "0x80094004"),
        };
        let page = format!(
            "<DL><DT>Disposition:<DD>\r\n\t\t{disposition}\r\n<DT>Disposition message:<DD>\r\n\t\t{message}\r\n\
             <DT>LastStatus:<DD>\r\n\t\tsome text {status}\r\n</DL>"
        );
        plain(200, "text/html", &page)
    }
}

fn plain(status: u16, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn refused(offered: &[String]) -> String {
    let mut head = "HTTP/1.1 401 Unauthorized\r\n".to_owned();
    for value in offered {
        head.push_str(&format!("WWW-Authenticate: {value}\r\n"));
    }
    head + "Content-Length: 0\r\n\r\n"
}

/// The challenge of MS-NLMP section 4.2.4.3.
fn challenge() -> Vec<u8> {
    crate::ntlm::challenge_of_the_specification()
}

/// The PKCS #10 in a form.
fn request_in(body: &str) -> Vec<u8> {
    let field = body
        .split('&')
        .find_map(|field| field.strip_prefix("CertRequest="))
        .unwrap();
    let mut text = Vec::new();
    let mut bytes = field.bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    let (_, der) = der::pem::decode_vec(&text).unwrap();
    der
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head + 4..head + 4 + length].to_vec()).unwrap();
    Some(Asked {
        method,
        target,
        headers,
        body,
    })
}

/// Waits until the server has seen this many submissions.
pub(crate) async fn until_submitted(site: &Site, submissions: usize) {
    for _ in 0..600 {
        if site.submissions() >= submissions {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} submissions after half a minute", site.submissions());
}
