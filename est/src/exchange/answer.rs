//! What an EST server answers, read leniently: what a body is counts, not what its label says.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response};
use pki_common::{Certificate, Escaped};
use rustls_pki_types::UnixTime;

use super::{ClientError, body, retry_after};
use crate::error::WireError;
use crate::wire::certs_only::CertsOnlyLimits;
use crate::wire::media_type::MediaType;

/// The most characters of a refusal's text that are kept.
const MAX_REFUSAL_TEXT: usize = 500;

/// The certificates of an answer, each once, in no particular order. Nothing of them is verified.
///
/// The media type may be missing or odd (libest and others send such): it is named only when the body turns out to be
/// no certificates.
///
/// # Errors
/// [`ClientError::MediaType`], [`ClientError::Body`], [`ClientError::Certificate`].
pub fn certificates(response: &Response<Bytes>) -> Result<Vec<Certificate>, ClientError> {
    let limits = CertsOnlyLimits::default();
    let found = body::certificates(response.body(), &limits);
    let found = found.map_err(|error| unreadable(response.headers(), error, MediaType::is_certs_only))?;
    found
        .iter()
        .map(|certificate| {
            Certificate::from_der(certificate).map_err(|error| ClientError::Certificate {
                cause: error.to_string(),
            })
        })
        .collect()
}

/// The binary of an answer whose body is base64, at most `limit` bytes of it. `None` when the body is empty.
///
/// # Errors
/// [`ClientError::MediaType`] when the label is none that `fits` and the body cannot be decoded, else
/// [`ClientError::Body`].
pub fn binary(
    response: &Response<Bytes>,
    limit: usize,
    fits: impl Fn(&MediaType) -> bool,
) -> Result<Option<Vec<u8>>, ClientError> {
    match body::binary(response.body(), limit) {
        Ok(binary) => Ok(Some(binary)),
        Err(WireError::Empty { .. }) => Ok(None),
        Err(error) => Err(unreadable(response.headers(), error, fits)),
    }
}

/// Blames the media type when it says something else, for instance `text/html` of a portal, and the body otherwise.
fn unreadable(headers: &HeaderMap, error: WireError, fits: impl Fn(&MediaType) -> bool) -> ClientError {
    if let Some(found) = headers.get(CONTENT_TYPE) {
        let text = String::from_utf8_lossy(found.as_bytes());
        if !MediaType::parse(&text).is_ok_and(|media_type| fits(&media_type)) {
            return ClientError::MediaType {
                found: printable(&text),
            };
        }
    }
    ClientError::Body(error)
}

/// Whether a multipart body lacks its closing delimiter (RFC 2046, section 5.1.1): libest announces a Content-Length
/// that is shorter than what it sends.
#[must_use]
pub fn is_cut_off(headers: &HeaderMap, body: &[u8]) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let Ok(media_type) = MediaType::parse(text) else {
        return false;
    };
    let Some(boundary) = media_type.parameter("boundary") else {
        return false;
    };
    let end = format!("--{boundary}--");
    media_type.essence().starts_with("multipart/")
        && !body
            .windows(end.len().max(1))
            .any(|window| window == end.as_bytes())
}

/// Whether the body is labelled as a CMS message.
pub(crate) fn is_pkcs7(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = text.and_then(|text| MediaType::parse(text).ok());
    media_type.is_some_and(|found| {
        ["application/pkcs7-mime", "application/x-pkcs7-mime"].contains(&found.essence())
    })
}

/// The error of an answer whose status means failure.
pub(super) fn refused(response: &Response<Bytes>, now: UnixTime) -> ClientError {
    ClientError::Status {
        status: response.status(),
        text: text_of(response),
        retry_after: retry_after(response.headers(), now),
    }
}

/// What the answer says to a person.
pub(super) fn text_of(response: &Response<Bytes>) -> String {
    let body = response.body();
    // Four bytes a character at most; the rest would be cut off anyway.
    let start = body.get(..MAX_REFUSAL_TEXT * 4).unwrap_or(body);
    printable(&String::from_utf8_lossy(start))
}

/// What a server says, fit for a terminal and a log: one line, bounded. White space of any kind is one blank, because
/// explanations have lines.
pub(crate) fn printable(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    Escaped::new(&words.join(" "))
        .at_most(MAX_REFUSAL_TEXT)
        .to_string()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn response(media_type: Option<&'static str>, body: &'static [u8]) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(body));
        if let Some(media_type) = media_type {
            let value = HeaderValue::from_static(media_type);
            response.headers_mut().insert(CONTENT_TYPE, value);
        }
        response
    }

    #[test]
    fn what_a_server_says_cannot_drive_a_terminal() {
        assert_eq!(printable(" a\x1b[2Jb\r\nc \u{202e}"), "a\\u{1b}[2Jb c \\u{202e}");
        assert_eq!(
            printable(&"x".repeat(10_000)),
            format!("{}...", "x".repeat(MAX_REFUSAL_TEXT))
        );
    }

    #[test]
    fn the_label_counts_only_when_the_body_is_no_certificates() {
        let message = include_bytes!("../../testdata/certs_only/three-certificates.der");
        for media_type in [
            None,
            Some("text/plain"),
            Some("APPLICATION/PKCS7-MIME"),
            Some("nonsense"),
        ] {
            assert_eq!(certificates(&response(media_type, message)).unwrap().len(), 3);
        }
        let page = b"<html>please log in</html>";
        let error = certificates(&response(Some("text/html"), page)).unwrap_err();
        assert_eq!(
            error,
            ClientError::MediaType {
                found: "text/html".to_owned()
            }
        );
        let error = certificates(&response(Some("application/pkcs7-mime"), page)).unwrap_err();
        assert!(matches!(error, ClientError::Body(_)), "{error}");
    }
}
