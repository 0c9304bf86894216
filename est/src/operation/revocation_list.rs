//! Serves the certificate revocation list of an authority under the path of its distribution point (RFC 5280,
//! section 4.2.1.13): a plain GET of DER, without authentication, because a relying party has none.

use core::time::Duration;

use bytes::Bytes;
use der::Decode as _;
use http::header::{CACHE_CONTROL, EXPIRES, LAST_MODIFIED};
use http::{HeaderValue, StatusCode};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use x509_cert::time::Time;

use super::enrollment::refusal_of;
use super::{OperationResponse, Refusal};
use crate::ca::CertificateAuthority;
use crate::error::WireError;
use crate::wire::asn1::{Reader, Rules, tag};

/// RFC 5280, section 4.2.1.13, and RFC 2585, section 4.2.
const PKIX_CRL: &str = "application/pkix-crl";

/// How long a list may be kept by a cache: after a revocation, this long an old one may still be seen.
const MAX_AGE: HeaderValue = HeaderValue::from_static("max-age=300");

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7)
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

pub(super) async fn answer(authority: &dyn CertificateAuthority) -> Result<OperationResponse, Refusal> {
    let list = authority.revocation_list().await.map_err(refusal_of)?;
    let list = list.ok_or(Refusal::NotFound)?;
    let times = times(&list).unwrap_or_default();
    let mut response = OperationResponse::new(StatusCode::OK, HeaderValue::from_static(PKIX_CRL), list);
    for (name, time) in [(LAST_MODIFIED, times.0), (EXPIRES, times.1)] {
        if let Some(date) = time.and_then(http_date) {
            response.headers.insert(name, date);
        }
    }
    response.headers.insert(CACHE_CONTROL, MAX_AGE);
    Ok(response)
}

/// thisUpdate and nextUpdate of a CertificateList (RFC 5280, section 5.1).
fn times(list: &Bytes) -> Result<(Option<Duration>, Option<Duration>), WireError> {
    let mut reader = Reader::new(list, Rules::Der)
        .sequence("CertificateList")?
        .reader(Rules::Der);
    let mut fields = reader.sequence("tbsCertList")?.reader(Rules::Der);
    fields.optional(tag::INTEGER, "version")?;
    fields.sequence("signature")?;
    fields.sequence("issuer")?;
    let mut time = || {
        let element = fields.any("time").ok()?;
        Time::from_der(element.raw).ok().map(Time::to_unix_duration)
    };
    let this = time();
    Ok((this, time()))
}

fn http_date(time: Duration) -> Option<HeaderValue> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    HeaderValue::try_from(time.format(HTTP_DATE).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates_as_http_has_them() {
        let date = http_date(Duration::from_secs(784_111_777)).unwrap();
        assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
