//! The files `certnew.cer` and `certnew.p7b`: DER, PEM, PKCS #7, or a page (B-06 to B-08).

use core::fmt;

use pki_common::Certificate;

use super::disposition::{DispositionPage, disposition};
use super::html::Html;
use super::{MAX_PAGE, PageError};
use crate::wire::base64;
use crate::wire::certs_only::{self, CertsOnlyLimits};

/// Most certificates of one file. A CA that was renewed ten times has about thirty with its cross certificates.
pub const MAX_CERTIFICATES: usize = 64;

/// What came for a request number.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Retrieved {
    /// Certificates; which is which says its key.
    Certificates(Vec<Certificate>),
    /// A page that says why there is none.
    NotIssued(DispositionPage),
}

/// Reads the answer of `certnew.cer?ReqID=<number>`, whatever type the server gives it.
///
/// # Errors
/// [`PageError`]
pub fn retrieved(body: &[u8]) -> Result<Retrieved, PageError> {
    match certificates(body) {
        Err(PageError::NoCertificate { text }) => match disposition(&Html::new(body)) {
            Some(page) => Ok(Retrieved::NotIssued(page)),
            None => Err(PageError::NoCertificate { text }),
        },
        other => other.map(Retrieved::Certificates),
    }
}

/// Reads the certificates of `certnew.cer` or `certnew.p7b`: DER, a certs-only message, either of them in PEM under any
/// label (the server labels a PKCS #7 chain `CERTIFICATE`), in bare base64, or in the middle of a page.
///
/// # Errors
/// [`PageError`]
pub fn certificates(body: &[u8]) -> Result<Vec<Certificate>, PageError> {
    if body.len() > MAX_PAGE {
        return Err(PageError::TooLong);
    }
    // A SEQUENCE with a length of two or three octets, or in BER without one; no certificate is shorter.
    if let [0x30, 0x80 | 0x82 | 0x83, ..] = body {
        return of_der(body);
    }
    let html = Html::new(body);
    let none = || PageError::NoCertificate {
        text: html.beginning(),
    };
    let text = html.original(0, html.lower().len());
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((inside, behind)) = armoured(rest) {
        let der = base64::decode(without_tags(inside).as_bytes(), MAX_PAGE).map_err(|error| bad(&error))?;
        found.extend(of_der(&der)?);
        if found.len() > MAX_CERTIFICATES {
            return Err(bad(&format!("there are more than {MAX_CERTIFICATES}")));
        }
        rest = behind;
    }
    if found.is_empty() {
        // Every certificate begins with these letters in base64.
        if !text.trim_start().starts_with("MII") {
            return Err(none());
        }
        let der = base64::decode(body, MAX_PAGE).map_err(|error| bad(&error))?;
        found = of_der(&der)?;
    }
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// The base64 between the next two lines of armour, and what follows.
fn armoured(text: &str) -> Option<(&str, &str)> {
    let (_, after) = text.split_once("-----BEGIN ")?;
    let (_, inside) = after.split_once("-----")?;
    let (inside, behind) = inside.split_once("-----END ")?;
    Some((inside, behind))
}

/// `<br>` and the like at the end of a line.
fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        rest = tag.split_once('>').map_or("", |(_, behind)| behind);
    }
    plain.push_str(rest);
    plain
}

fn of_der(der: &[u8]) -> Result<Vec<Certificate>, PageError> {
    let single = match Certificate::from_der(der) {
        Ok(certificate) => return Ok(vec![certificate]),
        Err(error) => error,
    };
    let limits = CertsOnlyLimits {
        certificates: MAX_CERTIFICATES,
        ..CertsOnlyLimits::default()
    };
    let Ok(members) = certs_only::decode(der, &limits) else {
        return Err(bad(&single));
    };
    members
        .iter()
        .map(|member| Certificate::from_der(member).map_err(|error| bad(&error)))
        .collect()
}

fn bad(problem: &dyn fmt::Display) -> PageError {
    PageError::BadCertificate {
        problem: problem.to_string(),
    }
}
