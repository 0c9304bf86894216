//! What `certfnsh.asp` says has become of a request (B-03 to B-05).

use core::fmt;

use super::disposition::{Disposition, disposition};
use super::html::{Html, shortened};
use super::{MAX_PAGE, PageError};
use crate::adcs::form::{RequestId, query_value};

/// A result code of Windows, a number of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HResult(pub u32);

impl HResult {
    /// `CERTSRV_E_UNSUPPORTED_CERT_TYPE`: the CA does not offer the template.
    pub const UNSUPPORTED_CERT_TYPE: Self = Self(0x8009_4800);
    /// `CERTSRV_E_ADMIN_DENIED_REQUEST`: a person has denied the request.
    pub const ADMIN_DENIED_REQUEST: Self = Self(0x8009_4014);
    /// `CERTSRV_E_TEMPLATE_DENIED`: the account may not enrol by this template.
    pub const TEMPLATE_DENIED: Self = Self(0x8009_4012);

    /// The first number of the form `0x8.......` in a text.
    #[must_use]
    pub fn first_in(text: &str) -> Option<Self> {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("0x") {
            let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
            if digits == 8
                && let Some(code) = after
                    .get(..8)
                    .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                && code >= 0x8000_0000
            {
                return Some(Self(code));
            }
            rest = after;
        }
        None
    }

    /// Whether it is one of the codes of the certificate service, which it gives for requests that it does not grant.
    const fn is_of_the_certificate_service(self) -> bool {
        self.0 & 0xffff_f000 == 0x8009_4000
    }
}

impl fmt::Display for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The certificate is there, under this number.
    Issued {
        /// The number.
        request: RequestId,
    },
    /// A person has to look at it first.
    Pending {
        /// The number to ask for later.
        request: RequestId,
    },
    /// The request was denied.
    Denied {
        /// The number, when the page tells it.
        request: Option<RequestId>,
        /// The disposition message, or what else the page says.
        message: String,
        /// The code in it.
        code: Option<HResult>,
    },
    /// The CA could not work on the request.
    Failed {
        /// What the page says.
        message: String,
        /// The code in it.
        code: Option<HResult>,
    },
    /// A page in a language that this client does not read, and without the marks it knows. It has a number that may be
    /// the request's; what `certnew.cer` says of that request decides.
    Unclear {
        /// The number.
        request: RequestId,
        /// How the page begins.
        message: String,
    },
}

/// Reads a `certfnsh.asp` page. The HTTP status is 200 whatever it says.
///
/// # Errors
/// [`PageError::NoVerdict`], [`PageError::SeveralRequests`], [`PageError::TooLong`].
pub fn verdict(page: &[u8]) -> Result<Verdict, PageError> {
    if page.len() > MAX_PAGE {
        return Err(PageError::TooLong);
    }
    let html = Html::new(page);
    if let Some(request) = linked_request(&html)? {
        return Ok(Verdict::Issued { request });
    }
    let text = html.visible();
    if let Some(request) = pending_request(&html, &text) {
        return Ok(Verdict::Pending { request });
    }
    if let Some(denied) = denied(&html, &text) {
        return Ok(denied);
    }
    if let Some(verdict) = by_disposition(&html, &text) {
        return Ok(verdict);
    }
    let code = HResult::first_in(&text);
    match (code, first_number(&text)) {
        (Some(of_service), request) if of_service.is_of_the_certificate_service() => Ok(Verdict::Denied {
            request,
            message: shortened(
                quoted_message(&text)
                    .filter(|message| HResult::first_in(message).is_some())
                    .unwrap_or(&text),
            ),
            code,
        }),
        (Some(_), _) => Ok(Verdict::Failed {
            message: shortened(&text),
            code,
        }),
        (None, Some(request)) => Ok(Verdict::Unclear {
            request,
            message: shortened(&text),
        }),
        (None, None) => Err(PageError::NoVerdict {
            text: html.beginning(),
        }),
    }
}

/// The number in `certnew.cer?ReqID=7&...`, in a script or in a link, there with `&amp;`.
fn linked_request(html: &Html<'_>) -> Result<Option<RequestId>, PageError> {
    const FILE: &str = "certnew.cer?";
    /// The query is about twenty characters long. The bound keeps a page of nothing but links linear.
    const LONGEST_QUERY: usize = 128;
    let mut request = None;
    let mut rest = html.lower();
    while let Some((_, after)) = rest.split_once(FILE) {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>');
        let length = after
            .bytes()
            .take(LONGEST_QUERY)
            .take_while(|byte| !ends(byte))
            .count();
        let query = after.get(..length).unwrap_or_default();
        let found = query_value(query, "reqid").and_then(|number| number.parse().ok().map(RequestId));
        match (request, found) {
            (None, found) => request = found,
            (Some(RequestId(first)), Some(RequestId(second))) if first != second => {
                return Err(PageError::SeveralRequests { first, second });
            }
            _ => {}
        }
        rest = after;
    }
    Ok(request)
}

fn pending_request(html: &Html<'_>, text: &str) -> Option<RequestId> {
    if let Some(start) = html.element("locinforeqid") {
        return first_number(&html.text_until(start, &["</p", "<p", "<hr"]));
    }
    if !text.contains("Certificate Pending") && !text.contains("Your certificate request has been received") {
        return None;
    }
    let (_, number) = text.split_once("Request Id is ")?;
    first_number(number)
}

fn denied(html: &Html<'_>, text: &str) -> Option<Verdict> {
    let element = html
        .element("locinforeqidandreason")
        .map(|start| html.text_until(start, &["</p", "<hr"]));
    let is_denied = element.is_some()
        || html.element("locdenied").is_some()
        || text.contains("Certificate Request Denied")
        || text.contains("Your certificate request was denied");
    if !is_denied {
        return None;
    }
    let said = element.as_deref().unwrap_or(text);
    let request = said
        .split_once("Request Id is ")
        .map_or(element.as_deref(), |(_, number)| Some(number))
        .and_then(first_number);
    let message = quoted_message(said).unwrap_or(said);
    Some(Verdict::Denied {
        request,
        message: shortened(message),
        code: HResult::first_in(text),
    })
}

/// A page that lists the state of the request, as it does when the CA could not work on it.
fn by_disposition(html: &Html<'_>, text: &str) -> Option<Verdict> {
    let page = disposition(html)?;
    Some(match page.disposition {
        Disposition::DENIED => Verdict::Denied {
            request: first_number(text),
            message: page.message,
            code: page.status,
        },
        _ => Verdict::Failed {
            message: page.message,
            code: page.status,
        },
    })
}

/// The text in quotation marks behind "The disposition message is", or in the only ones there are.
fn quoted_message(text: &str) -> Option<&str> {
    let from = text
        .split_once("disposition message is")
        .map_or(text, |(_, behind)| behind);
    let (_, from) = from.split_once('"')?;
    let (message, _) = from.rsplit_once('"')?;
    let message = message.trim().trim_end_matches('.');
    (!message.is_empty()).then_some(message)
}

/// The first number that stands alone: `7.` and `7`, not `0x80094800` and not `CA-01`.
fn first_number(text: &str) -> Option<RequestId> {
    text.split_whitespace()
        .map(|word| {
            word.trim_end_matches(['.', ',', ';', ':', ')', '"'])
                .trim_start_matches(['(', '"', '#'])
        })
        .filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
        .find_map(|word| word.parse().ok().map(RequestId))
}
