//! The EST client: `cacerts`, `simpleenroll`, and an enrolment in one call.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | the operations |
//! | `enroll.rs` | key, request, exchange and the checks on what comes back, in one call |
//! | `url.rs`, `transport.rs` | where the server is, and one exchange with it |
//! | `error.rs` | every failure with rung, cause and remedy |
//!
//! Redirects are reported, not followed. Nothing is taken from the environment, and there are no trust anchors but
//! those given.

mod enroll;
mod error;
mod transport;
mod url;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, LOCATION, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use pki_common::Certificate;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use pki_common::trust_store::TrustStore;
use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

pub use enroll::{EnrollOptions, EnrollOutcome, Enrolled};
pub use error::{ClientError, Step};
pub use url::ServerUrl;

use crate::auth::BasicCredentials;
use crate::operation::{EstPath, Operation};
use crate::wire::base64::{self, Base64Layout};
use crate::wire::certs_only::{self, CertsOnlyLimits};
use crate::wire::label::PathLabel;
use crate::wire::media_type::MediaType;

/// How long each step of an exchange may take.
///
/// # Defaults
/// Ten seconds per step, as libest waits (`EST_SSL_READ_TIMEOUT_DEF`, fact F002-33).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// Name resolution and TCP connection.
    pub connect: Duration,
    /// TLS handshake.
    pub handshake: Duration,
    /// From the request to the end of the response.
    pub response: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        let step = Duration::from_secs(10);
        Self {
            connect: step,
            handshake: step,
            response: step,
        }
    }
}

/// The largest response body accepted, in bytes: base64 of a `cacerts` chain is under 100 KiB, and the decoder's own
/// bound ([`DEFAULT_MAX_LENGTH`](crate::wire::certs_only::DEFAULT_MAX_LENGTH)) fits in with its line ends.
pub const DEFAULT_MAX_RESPONSE: usize = 1024 * 1024;

/// How long to wait after a 202 that does not say it (RFC 7030, section 4.2.3 demands that it does).
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The longest wait a server can ask for: a year. More is a mistake, and adding it to a point in time may overflow.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(366 * 86_400);

/// The most characters of a refusal's text that are kept.
const MAX_REFUSAL_TEXT: usize = 500;

/// How to reach an EST server and what to show it.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where the server is.
    pub url: ServerUrl,
    /// The label of one of several authorities of the server, if one is wanted.
    pub label: Option<PathLabel>,
    /// What the server's and the issued certificates must lead to.
    pub anchors: Arc<TrustStore>,
    /// Our own certificate and key, to authenticate by.
    pub identity: Option<Arc<Identity>>,
    /// Name and password, to authenticate by. Sent with enrolments only, not with `cacerts`.
    pub basic: Option<BasicCredentials>,
    /// TLS versions.
    pub versions: TlsVersions,
    /// Time per step.
    pub timeouts: ClientTimeouts,
    /// The largest response body accepted, in bytes.
    pub max_response: usize,
}

impl ClientConfig {
    /// A client that trusts these anchors and shows nothing of itself.
    #[must_use]
    pub fn new(url: ServerUrl, anchors: Arc<TrustStore>) -> Self {
        Self {
            url,
            label: None,
            anchors,
            identity: None,
            basic: None,
            versions: TlsVersions::Tls12And13,
            timeouts: ClientTimeouts::default(),
            max_response: DEFAULT_MAX_RESPONSE,
        }
    }
}

/// An EST client. Each request has a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    config: ClientConfig,
    tls: Arc<rustls::ClientConfig>,
}

/// The answer to a `simpleenroll` request.
#[derive(Debug, Clone)]
pub enum SimpleEnrollResponse {
    /// The certificates of the answer, in no particular order. None of them is verified yet.
    Certificates(Vec<Certificate>),
    /// The request waits for approval; send the same request again after this time.
    Pending {
        /// The time to wait.
        retry_after: Duration,
    },
}

impl Client {
    /// A client with this configuration. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::TlsConfig`] when the configuration cannot work.
    pub fn new(config: ClientConfig) -> Result<Self, ClientError> {
        let mut tls = ClientTls::new(PeerVerifier::trust_store(Arc::clone(&config.anchors)));
        tls.identity.clone_from(&config.identity);
        tls.versions = config.versions;
        tls.alpn = vec![b"http/1.1".to_vec()];
        let tls = tls
            .rustls_config()
            .map_err(|error| ClientError::tls_config(&error))?;
        Ok(Self { config, tls })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Asks for the certificates of the certificate authority (RFC 7030, section 4.1). They are as trustworthy as the
    /// TLS connection: its server certificate leads to the configured anchors.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn cacerts(&self) -> Result<Vec<Certificate>, ClientError> {
        let response = self.exchange(Operation::CaCerts, Bytes::new()).await?;
        match response.status() {
            StatusCode::OK => self.certificates(&response),
            _ => Err(refused(&response)),
        }
    }

    /// Sends a PKCS #10 request in DER (RFC 7030, section 4.2.1). [`Client::enroll`] also checks what comes back.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn simpleenroll(&self, csr_der: &[u8]) -> Result<SimpleEnrollResponse, ClientError> {
        let body = Bytes::from(base64::encode(csr_der, Base64Layout::SingleLine));
        let response = self.exchange(Operation::SimpleEnroll, body).await?;
        match response.status() {
            StatusCode::OK => self
                .certificates(&response)
                .map(SimpleEnrollResponse::Certificates),
            StatusCode::ACCEPTED => {
                let retry_after = retry_after(response.headers()).unwrap_or(DEFAULT_RETRY_AFTER);
                Ok(SimpleEnrollResponse::Pending { retry_after })
            }
            _ => Err(refused(&response)),
        }
    }

    async fn exchange(&self, operation: Operation, body: Bytes) -> Result<Response<Bytes>, ClientError> {
        let ClientConfig {
            url,
            label,
            basic,
            timeouts,
            max_response,
            ..
        } = &self.config;
        let path = EstPath {
            label: label.clone(),
            operation,
        }
        .to_string();
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = operation.method();
        let unusable = |_| ClientError::Url {
            url: url.to_string(),
            problem: "it makes no valid HTTP request",
        };
        *request.uri_mut() = path.parse().map_err(unusable)?;
        let host = HeaderValue::try_from(url.authority()).map_err(|_| ClientError::Url {
            url: url.to_string(),
            problem: "the host makes no valid header",
        })?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("est/", env!("CARGO_PKG_VERSION"))),
        );
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/pkcs7-mime, text/plain;q=0.5"),
        );
        if operation.method() == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/pkcs10"));
            // RFC 8951 has servers ignore it; servers of RFC 7030's time look for it.
            let name = HeaderName::from_static("content-transfer-encoding");
            headers.insert(name, HeaderValue::from_static("base64"));
            if let Some(basic) = basic {
                headers.insert(AUTHORIZATION, authorization(basic)?);
            }
        }
        transport::exchange(url, &self.tls, timeouts, *max_response, request).await
    }

    fn certificates(&self, response: &Response<Bytes>) -> Result<Vec<Certificate>, ClientError> {
        // A missing Content-Type is borne: the body tells soon enough what it is.
        if let Some(found) = response.headers().get(CONTENT_TYPE) {
            let text = String::from_utf8_lossy(found.as_bytes());
            let fits = MediaType::parse(&text).is_ok_and(|media_type| media_type.is_certs_only());
            if !fits {
                return Err(ClientError::MediaType {
                    found: printable(&text),
                });
            }
        }
        let limits = CertsOnlyLimits::default();
        let message = base64::decode(response.body(), limits.length)?;
        certs_only::decode(&message, &limits)?
            .iter()
            .map(|certificate| {
                Certificate::from_der(certificate).map_err(|error| ClientError::Certificate {
                    cause: error.to_string(),
                })
            })
            .collect()
    }
}

fn authorization(basic: &BasicCredentials) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::try_from(basic.to_header().as_str()).map_err(|_| ClientError::Http {
        cause: "the credentials make no valid header".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn refused(response: &Response<Bytes>) -> ClientError {
    let status = response.status();
    if status.is_redirection() {
        let location = response
            .headers()
            .get(LOCATION)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        return ClientError::Redirect {
            status,
            location: printable(&String::from_utf8_lossy(location)),
        };
    }
    ClientError::Status {
        status,
        text: printable(&String::from_utf8_lossy(response.body())),
        retry_after: retry_after(response.headers()),
    }
}

/// What a server says, fit for a terminal and a log: one line, bounded, no control characters.
fn printable(text: &str) -> String {
    text.trim()
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .take(MAX_REFUSAL_TEXT)
        .collect()
}

/// `Retry-After` as seconds or as a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    const IMF_FIXDATE: &[BorrowedFormatItem<'_>] = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let date = PrimitiveDateTime::parse(value, IMF_FIXDATE).ok()?.assume_utc();
    let wait = date - OffsetDateTime::from(SystemTime::now());
    let wait: Duration = wait.try_into().unwrap_or(Duration::ZERO);
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_retry_after() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("120"));
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(120)));
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
        );
        assert_eq!(retry_after(&headers), Some(Duration::ZERO));
        for absurd in ["18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(absurd));
            assert_eq!(retry_after(&headers), Some(MAX_RETRY_AFTER), "{absurd}");
        }
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&headers), None);
    }

    #[test]
    fn what_a_server_says_cannot_drive_a_terminal() {
        assert_eq!(printable(" a\x1b[2Jb\r\nc \u{9b}"), "a [2Jb  c  ");
        assert_eq!(printable(&"x".repeat(10_000)).len(), MAX_REFUSAL_TEXT);
    }
}
