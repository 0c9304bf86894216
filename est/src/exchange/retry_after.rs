//! `Retry-After` (RFC 9110, section 10.2.3).

use core::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;
use rustls_pki_types::UnixTime;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// How long to wait after a 202 that does not say it (RFC 7030, section 4.2.3 demands that it does).
pub const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The longest wait a server can ask for: a year. More is a mistake, and adding it to a point in time may overflow.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(366 * 86_400);

/// The time a server asks to wait, given in seconds or as a date, which is measured from `now`.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: UnixTime) -> Option<Duration> {
    const IMF_FIXDATE: &[BorrowedFormatItem<'_>] = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let date = PrimitiveDateTime::parse(value, IMF_FIXDATE).ok()?.assume_utc();
    let date = u64::try_from(date.unix_timestamp()).unwrap_or(0);
    let wait = Duration::from_secs(date.saturating_sub(now.as_secs()));
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn reads_both_forms() {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(784_111_700));
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers, now), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("120"));
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(120)));
        // 784111777 s after 1970, the date of RFC 9110's example.
        let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
        headers.insert(RETRY_AFTER, date);
        assert_eq!(retry_after(&headers, now), Some(Duration::from_secs(77)));
        let later = UnixTime::since_unix_epoch(Duration::from_secs(1_784_111_700));
        assert_eq!(retry_after(&headers, later), Some(Duration::ZERO));
        for absurd in ["18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(absurd));
            assert_eq!(retry_after(&headers, now), Some(MAX_RETRY_AFTER), "{absurd}");
        }
        headers.insert(RETRY_AFTER, HeaderValue::from_static("soon"));
        assert_eq!(retry_after(&headers, now), None);
    }
}
