//! The server's clock against ours, by the `Date` header.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::DATE;
use pki_common::clock::human_duration;
use pki_common::{Failure, KnownCause};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::http::Answer;
use super::walk::Findings;

/// How far the clocks may be apart before it is a warning. A certificate that is made now is valid now on both sides only
/// if the verifier's clock is not behind.
const TOLERATED: Duration = Duration::from_secs(30);

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7)
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Compares the clocks.
///
/// # Errors
/// None: a difference is a warning, because certificates have their own times and their own verdict.
pub(super) fn compare(answer: &Answer, findings: &mut Findings) -> Result<(), Failure> {
    let date = answer.headers.get(DATE).and_then(|date| date.to_str().ok());
    let Some(theirs) = date.and_then(parse) else {
        findings.note("the server sends no Date, or one that cannot be read");
        return Ok(());
    };
    let (sent, received) = answer.between;
    let difference = difference(theirs, seconds(sent), seconds(received));
    findings.note(format!("Date: {}", date.unwrap_or_default()));
    findings.fact("seconds-ahead", difference);
    let distance = Duration::from_secs(difference.unsigned_abs());
    let direction = if difference > 0 { "ahead of" } else { "behind" };
    if difference == 0 {
        findings.note("the clocks agree, to the second");
    } else {
        findings.note(format!(
            "the server's clock is {} {direction} ours",
            human_duration(distance)
        ));
    }
    if distance > TOLERATED {
        findings.warn(KnownCause::ClockSkew.failure(format!(
            "The server's clock is {} {direction} ours.",
            human_duration(distance)
        )));
    }
    Ok(())
}

fn parse(date: &str) -> Option<i64> {
    let date = PrimitiveDateTime::parse(date, HTTP_DATE).ok()?;
    Some(date.assume_utc().unix_timestamp())
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |time| {
        OffsetDateTime::UNIX_EPOCH
            .unix_timestamp()
            .saturating_add_unsigned(time.as_secs())
    })
}

/// Seconds by which the server is ahead; 0 when its time lies between the request and the answer, give or take the second
/// that the header is cut to.
const fn difference(theirs: i64, sent: i64, received: i64) -> i64 {
    if theirs > received {
        theirs - received
    } else if theirs + 1 < sent {
        theirs - sent
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_right_if_it_lies_within_the_exchange() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(difference(1_000, 1_000, 1_002), 0);
        assert_eq!(difference(999, 1_000, 1_002), 0);
        assert_eq!(difference(1_062, 1_000, 1_002), 60);
        assert_eq!(difference(940, 1_000, 1_002), -60);
    }
}
