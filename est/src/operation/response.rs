//! The answer to an EST request, before any I/O.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use pki_common::KnownCause;

use super::number::EstErrorNumber;
use crate::ca::ChannelBindingState;

/// A complete answer.
#[derive(Debug, Clone)]
pub struct OperationResponse {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers, Content-Type and Content-Length included.
    pub headers: HeaderMap,
    /// The body as it goes out, base64 already applied.
    pub body: Bytes,
    /// The libest error number for the log.
    pub est_error: EstErrorNumber,
    /// The cause by its stable name, for the log; `None` on success, and for what has none.
    pub known_cause: Option<KnownCause>,
    /// Why, for the log; `None` on success.
    pub log_cause: Option<String>,
    /// What the request was tied to, for the log; `None` where nobody looked.
    pub channel_binding: Option<ChannelBindingState>,
}

impl OperationResponse {
    /// An answer with this body.
    #[must_use]
    pub fn new(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Self {
            status,
            headers,
            body,
            est_error: EstErrorNumber::NONE,
            known_cause: None,
            log_cause: None,
            channel_binding: None,
        }
    }

    /// 204: nothing to say, and nothing said (RFC 9110, section 15.3.5).
    #[must_use]
    pub fn no_content() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            est_error: EstErrorNumber::NONE,
            known_cause: None,
            log_cause: None,
            channel_binding: None,
        }
    }
}

impl From<OperationResponse> for http::Response<Bytes> {
    fn from(response: OperationResponse) -> Self {
        let mut converted = Self::new(response.body);
        *converted.status_mut() = response.status;
        *converted.headers_mut() = response.headers;
        converted
    }
}

/// The Content-Type of refusals.
pub(crate) const fn text_plain() -> HeaderValue {
    HeaderValue::from_static("text/plain; charset=utf-8")
}
