//! NGINX's error.log of the vendor's registration authority and libest's lines in it (Cisco document 214396, F002-10 to
//! F002-16 and F002-34 to F002-43).

use pki_common::Escaped;

use super::access::{self, AccessRow};
use super::{Line, Says, Source, between, kept, leading_number};
use crate::explain::time::Stamp;

/// A line of the registration authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthorityLine {
    /// The client that the line is about; start-up and libest's own lines name none.
    pub(crate) client: Option<String>,
    pub(crate) step: Step,
}

/// A page of AD CS web enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Page {
    /// `/certsrv`, where the login is checked.
    Login,
    /// `certrqxt.asp`, with the list of templates.
    RequestForm,
    /// `certfnsh.asp`, which takes requests.
    Submit,
    /// `certnew.cer`
    Certificate,
    /// `certnew.p7b`
    Chain,
    /// `certcarc.asp`
    Renewals,
}

impl Page {
    /// The page at the end of a path or URL.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let path = path.split('?').next()?.trim_end_matches('/').to_ascii_lowercase();
        let (_, rest) = path.rsplit_once("/certsrv")?;
        Some(match rest {
            "" => Self::Login,
            "/certrqxt.asp" => Self::RequestForm,
            "/certfnsh.asp" => Self::Submit,
            "/certnew.cer" => Self::Certificate,
            "/certnew.p7b" => Self::Chain,
            "/certcarc.asp" => Self::Renewals,
            _ => return None,
        })
    }
}

/// What the line tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A page of AD CS was fetched.
    PageFetched {
        page: Option<Page>,
        url: String,
    },
    /// libcurl failed.
    TransferFailed {
        function: String,
        number: u32,
        text: String,
    },
    /// The URL of the transfer that failed.
    UrlUsed {
        url: String,
    },
    Received {
        length: u32,
    },
    LoginGivenUp,
    ChainMissing,
    ChainRetrieved,
    NoPeerCertificate,
    AuthenticationFailed {
        kind: u32,
    },
    EnrolmentFailed {
        number: u32,
    },
    HttpError {
        text: String,
    },
    /// A libest error number in the words of two functions.
    ErrorNumber {
        number: u32,
    },
    Access(AccessRow),
    /// Part of an exchange, and without a meaning of its own.
    Detail {
        text: &'static str,
    },
    /// Start-up, and harmless.
    StartUp,
}

pub(super) fn read(line: &str) -> Option<Line> {
    let (stamp, text) = match nginx_prefix(line) {
        Some((stamp, text)) => (stamp, text),
        // libest and scripts write into the same file without a time.
        None if is_untimed(line) => (None, line),
        None => return None,
    };
    let says = known(text);
    Some(Line::new(Source::RegistrationAuthority, stamp, says))
}

/// `2019/03/05 12:31:21 [info] 31067#0: *2 text` or `nginx: [warn] text`.
fn nginx_prefix(line: &str) -> Option<(Option<Stamp>, &str)> {
    if let Some(rest) = line.strip_prefix("nginx: [") {
        return rest.split_once("] ").map(|(_, text)| (None, text));
    }
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let stamp = Stamp {
        wall: Stamp::date(date, '/')? + Stamp::time(time)?,
        zone: None,
        dated: true,
    };
    let (_, rest) = rest.strip_prefix('[')?.split_once("] ")?;
    let (process, text) = rest.split_once(": ")?;
    process.contains('#').then_some(())?;
    let text = match text.strip_prefix('*').and_then(|rest| rest.split_once(' ')) {
        Some((connection, rest)) if connection.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => text,
    };
    Some((Some(stamp), text))
}

fn is_untimed(line: &str) -> bool {
    line.contains("***EST [")
        || (line.starts_with('[') && line.contains("]--> "))
        || START_UP.iter().any(|words| line.starts_with(words))
        || FUNCTIONS.iter().any(|name| line.starts_with(name))
}

/// Functions of the vendor's NGINX plug-in whose lines may stand without a prefix.
const FUNCTIONS: &[&str] = &[
    "login_to_certsrv_ca:",
    "navigate_to_certsrv_page:",
    "retrieve_cacerts:",
    "ra_certsrv_",
    "ossl_init_cert_store",
];

/// Lines of a start-up, all of them harmless (F002-11 to F002-15).
const START_UP: &[&str] = &[
    "CA Chain requested but this value has not yet been set",
    "CA Cert response requested but this value has not yet been set",
    "libest ",
    "Compiled against CiscoSSL",
    "Linking to CiscoSSL",
    "pop_enabled off in nginx.conf",
    "EnrollmentService.sh : nginx server PID value",
    "TLS SRP not enabled",
    "Using non-default ECDHE curve",
];

fn known(text: &str) -> Says {
    let (text, client) = without_context(text);
    let (function, text) = without_function(text);
    step(function, text).map_or(Says::Unknown, |step| {
        let client = client.map(kept);
        Says::Authority(AuthorityLine { client, step })
    })
}

/// The text without ` while SSL EST handshaking, client: …, server: …`, and the client.
fn without_context(text: &str) -> (&str, Option<&str>) {
    let Some((before, after)) = text.split_once(", client: ") else {
        return (text, None);
    };
    let client = after
        .split(',')
        .next()
        .map(str::trim)
        .filter(|client| !client.is_empty());
    let text = before.rsplit_once(" while ").map_or(before, |(text, _)| text);
    (text, client)
}

/// `***EST [LEVEL][function:line]--> text`, `[function:line]--> text` or `function: text`.
fn without_function(text: &str) -> (&str, &str) {
    if let Some((head, rest)) = text.split_once("]--> ") {
        let function = head.rsplit('[').next().and_then(|place| place.split(':').next());
        return (function.unwrap_or_default(), rest.trim());
    }
    match text.split_once(": ") {
        Some((function, rest)) if !function.contains(' ') => (function, rest.trim()),
        _ => ("", text.trim()),
    }
}

fn step(function: &str, text: &str) -> Option<Step> {
    upstream_step(function, text)
        .or_else(|| exchange_step(function, text))
        .or_else(|| {
            START_UP
                .iter()
                .any(|words| text.starts_with(words))
                .then_some(Step::StartUp)
        })
        .or_else(|| {
            text.starts_with("Adding cert to store (")
                .then_some(Step::StartUp)
        })
}

/// Lines about the way to AD CS.
fn upstream_step(function: &str, text: &str) -> Option<Step> {
    if text.starts_with("Secure connection") {
        let (_, url) = text.split_once("https://")?;
        let url = format!("https://{}", kept(url.split_ascii_whitespace().next()?));
        return Some(Step::PageFetched {
            page: Page::of(&url),
            url,
        });
    }
    if let Some((_, rest)) = text.split_once("failed with return code ") {
        let number = leading_number(rest)?;
        // A text may hold brackets itself; what is cut off has no last one.
        let text = rest.split_once('(').map_or("", |(_, text)| {
            text.rsplit_once(')').map_or(text, |(text, _)| text)
        });
        return Some(Step::TransferFailed {
            function: kept(function),
            number,
            text: kept(text),
        });
    }
    if let Some(url) = text.strip_prefix("URL used: ") {
        return Some(Step::UrlUsed {
            url: kept(url.trim()),
        });
    }
    if let Some(length) = text.strip_prefix("Rcvd data len: ") {
        return Some(Step::Received {
            length: leading_number(length)?,
        });
    }
    match text {
        _ if text.starts_with("Unable to execute login to certsrv") => Some(Step::LoginGivenUp),
        _ if text.starts_with("Unable to retrieve CA Cert chain") => Some(Step::ChainMissing),
        _ if text.starts_with("CA Cert chain retrieved from CA") => Some(Step::ChainRetrieved),
        _ => None,
    }
}

/// Lines about an exchange with an EST client.
fn exchange_step(function: &str, text: &str) -> Option<Step> {
    if function == "log_access" {
        return access::row(text).map(|(row, _)| Step::Access(row));
    }
    if function.starts_with("log_header") || text == "\"Cisco EST client 1.0\"" {
        return Some(Step::Detail {
            text: "a header of the request",
        });
    }
    if text == "TLS: no peer certificate" {
        return Some(Step::NoPeerCertificate);
    }
    if let Some(kind) = text.strip_prefix("HTTP authentication failed. Auth type=") {
        return Some(Step::AuthenticationFailed {
            kind: leading_number(kind)?,
        });
    }
    if let Some(rest) = text.strip_prefix("Enrollment failed with rc=") {
        return Some(Step::EnrolmentFailed {
            number: leading_number(rest)?,
        });
    }
    if let Some(error) = between(text, "[Error ", "]") {
        return Some(Step::HttpError {
            text: Escaped::new(error.trim()).at_most(200).to_string(),
        });
    }
    let number = text
        .strip_prefix("EST error response code: ")
        .or_else(|| text.strip_prefix("Incoming request failed rv="));
    if let Some(number) = number {
        return Some(Step::ErrorNumber {
            number: leading_number(number)?,
        });
    }
    (text == "SSL_shutdown failed").then_some(Step::Detail {
        text: "the connection ended without a closing alert",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> AuthorityLine {
        match read(text).unwrap().says {
            Says::Authority(line) => line,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reads_every_prefix() {
        let fetched = |page, url: &str| Step::PageFetched {
            page,
            url: url.to_owned(),
        };
        let url = "https://lab-dc.michamen.com:443/certsrv";
        let text = format!(
            "login_to_certsrv_ca: Secure connection to MS CertServ completed successfully using the following URL {url}"
        );
        for prefix in [
            "2019/03/05 12:31:21 [info] 31067#0: ",
            "2019/03/05 12:31:21 [info] 31067#0: *7 ",
            "nginx: [info] ",
            "",
        ] {
            let line = line(&format!("{prefix}{text}"));
            assert_eq!(
                line,
                AuthorityLine {
                    client: None,
                    step: fetched(Some(Page::Login), url)
                }
            );
        }
        let while_handshaking = format!(
            "2019/02/27 16:53:28 [info] 1#0: *1 {text} while SSL EST handshaking, client: 14.48.31.128, server: 0.0.0.0:8084"
        );
        assert_eq!(line(&while_handshaking).client.as_deref(), Some("14.48.31.128"));
        assert_eq!(
            line("***EST [WARNING][est_enroll_auth:394]--> HTTP authentication failed. Auth type=1").step,
            Step::AuthenticationFailed { kind: 1 }
        );
    }

    #[test]
    fn keeps_the_text_of_libcurl_whole() {
        let failed = line(
            "2019/03/05 12:31:21 [info] 1#0: login_to_certsrv_ca: Curl call for MS CA login failed with return code 6 (Could not resolve: lab-dcc.michamen.com (Domain name not found))",
        );
        let Step::TransferFailed {
            number,
            text,
            function,
        } = failed.step
        else {
            panic!()
        };
        assert_eq!((number, function.as_str()), (6, "login_to_certsrv_ca"));
        assert_eq!(
            text,
            "Could not resolve: lab-dcc.michamen.com (Domain name not found)"
        );
    }

    #[test]
    fn knows_pages_however_they_are_written() {
        for (path, page) in [
            ("/certsrv", Some(Page::Login)),
            ("/certsrv/", Some(Page::Login)),
            (
                "https://a:443/CertSrv/certnew.p7b?ReqID=CACert&Renewal=0&Enc=bin",
                Some(Page::Chain),
            ),
            ("/certsrv/certfnsh.asp", Some(Page::Submit)),
            ("/certsrvx", None),
            ("/other", None),
        ] {
            assert_eq!(Page::of(path), page, "{path}");
        }
    }

    #[test]
    fn a_text_that_is_not_known_is_kept_as_such() {
        let read = read("2019/03/05 12:31:21 [notice] 31067#0: signal process started").unwrap();
        assert_eq!(read.says, Says::Unknown);
        assert_eq!(super::read("2019/03/05 was a fine day"), None);
    }
}
