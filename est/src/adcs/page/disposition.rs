//! Why `certnew.cer` has no certificate (B-06).

use core::fmt;

use super::html::{Html, shortened};
use super::verdict::HResult;

/// The state of a request on the CA (`CR_DISP_...`, MS-WCCE section 3.2.1.4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Disposition(pub u32);

impl Disposition {
    /// The request is not complete.
    pub const INCOMPLETE: Self = Self(0);
    /// The CA failed.
    pub const ERROR: Self = Self(1);
    /// The request was denied.
    pub const DENIED: Self = Self(2);
    /// There is a certificate.
    pub const ISSUED: Self = Self(3);
    /// There is a certificate, which was sent another way.
    pub const ISSUED_OUT_OF_BAND: Self = Self(4);
    /// A person has to look at it first.
    pub const UNDER_SUBMISSION: Self = Self(5);
    /// The certificate is revoked.
    pub const REVOKED: Self = Self(6);

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::INCOMPLETE => "incomplete",
            Self::ERROR => "error",
            Self::DENIED => "denied",
            Self::ISSUED => "issued",
            Self::ISSUED_OUT_OF_BAND => "issued out of band",
            Self::UNDER_SUBMISSION => "under submission",
            Self::REVOKED => "revoked",
            _ => return None,
        })
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => self.0.fmt(f),
        }
    }
}

/// What a page says of a request without a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispositionPage {
    /// The state of the request.
    pub disposition: Disposition,
    /// The disposition message, in the language of the server; empty when there is none.
    pub message: String,
    /// The last status.
    pub status: Option<HResult>,
}

/// Reads the page, `None` when it is another.
pub(super) fn disposition(html: &Html<'_>) -> Option<DispositionPage> {
    let values = values(html);
    // The first value is the disposition in every language, when it is a small number.
    let number = leading_number(values.first()?)?;
    let message = values.get(1).map(String::as_str).unwrap_or_default();
    Some(DispositionPage {
        disposition: Disposition(number),
        message: shortened(message),
        status: HResult::first_in(&html.visible()),
    })
}

/// The values of the definition list, from the one labelled as disposition on.
fn values(html: &Html<'_>) -> Vec<String> {
    /// The list has three; a page with a thousand is another one.
    const MOST: usize = 8;
    let lower = html.lower();
    let start = html
        .element("locdisplabel")
        .or_else(|| lower.find("disposition:"))
        .unwrap_or(0);
    let mut values = Vec::new();
    let mut from = start;
    while values.len() < MOST
        && let Some(found) = lower.get(from..).and_then(|rest| rest.find("<dd"))
    {
        let tag = from + found;
        let Some(close) = lower.get(tag..).and_then(|rest| rest.find('>')) else {
            break;
        };
        from = tag + close + 1;
        values.push(html.text_until(from, &["<dt", "<dd", "</dl", "</dd"]));
    }
    values
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let behind = text.get(digits..)?;
    let ends = behind.is_empty() || behind.starts_with([' ', '-', '(', ':']);
    // 0 to 6 are known; a page with a long number is about something else.
    (ends && digits <= 2).then(|| text.get(..digits)?.parse().ok())?
}
