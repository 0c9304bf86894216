//! Access logs: the common format, libest's and this project's, which adds how the client was known and why it failed.

use pki_common::KnownCause;

use super::{Line, Says, Source, kept, leading_number, own_line};
use crate::explain::time::{Stamp, Zone};

/// A request and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessRow {
    pub(crate) client: String,
    pub(crate) user: Option<String>,
    /// Method, target and version.
    pub(crate) request: String,
    pub(crate) status: u16,
    /// libest's number, which this project's log adds.
    pub(crate) est_error: Option<u32>,
    /// The stable name of the cause, which this project's log adds.
    pub(crate) known_cause: Option<KnownCause>,
    /// The cause in words, which this project's log adds.
    pub(crate) cause: Option<String>,
    pub(crate) wall: i64,
    pub(crate) zone: Zone,
}

impl AccessRow {
    /// The operation of EST, the last part of a path below `/.well-known/est`.
    pub(crate) fn operation(&self) -> Option<&str> {
        let target = self.request.split(' ').nth(1)?;
        let (_, path) = target.split_once("/.well-known/est/")?;
        path.split('?').next()?.rsplit('/').next()
    }
}

/// A line in the log of this project.
pub(super) fn read_own(line: &str) -> Option<Line> {
    let own = own_line(line)?;
    let (_, text) = own.rest.split_once("est::access: ")?;
    let says = row(text).map_or(Says::Unknown, |(row, _)| Says::Access(row));
    Some(Line::new(Source::Access, Some(own.stamp), says))
}

pub(super) fn read(line: &str) -> Option<Line> {
    let (row, stamp) = row(line)?;
    Some(Line::new(Source::Access, Some(stamp), Says::Access(row)))
}

/// `address - user [27/Feb/2019:16:53:28 -0500] "request" status bytes …`; libest leaves `- user` out.
pub(super) fn row(text: &str) -> Option<(AccessRow, Stamp)> {
    let (who, rest) = text.split_once(" [")?;
    let mut who = who.split_ascii_whitespace();
    let client = who.next()?;
    client.contains(['.', ':']).then_some(())?;
    let user = who.nth(1).filter(|user| *user != "-");
    let (when, rest) = rest.split_once("] \"")?;
    let (date_time, zone) = when.split_once(' ')?;
    let (date, time) = date_time.split_once(':')?;
    let wall = Stamp::access_date(date)? + Stamp::time(time)?;
    let zone: Zone = zone.parse().ok()?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut words = rest.split_ascii_whitespace();
    let status = words.next().filter(|status| status.len() == 3)?.parse().ok()?;
    words.next()?;
    // `22 (EST_ERR_AUTH_FAIL) credentials-refused: wrong password`, name and words where there are any.
    let error = rest.split_once(" EST error ").map(|(_, error)| error);
    let (number, cause) = match error.map(|error| error.split_once(": ").ok_or(error)) {
        Some(Ok((number, cause))) => (Some(number), Some(cause)),
        Some(Err(number)) => (Some(number), None),
        None => (None, None),
    };
    let row = AccessRow {
        client: kept(client),
        user: user.map(kept),
        request: kept(request),
        status,
        est_error: number.and_then(leading_number),
        known_cause: number
            .and_then(|number| number.rsplit_once(") "))
            .and_then(|(_, name)| name.trim_end().parse().ok()),
        cause: cause.map(kept),
        wall,
        zone,
    };
    let stamp = Stamp {
        wall,
        zone: Some(zone),
        dated: true,
    };
    Some((row, stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_libest_nginx_and_this_project_write() {
        let request =
            "[27/Feb/2019:16:53:28 -0500] \"POST /.well-known/est/lab/simpleenroll HTTP/1.1\" 401 0";
        let ours = format!(
            "14.48.31.128 - phone {request} auth basic EST error 22 (EST_ERR_AUTH_FAIL): wrong password"
        );
        for text in [
            format!("14.48.31.128 {request}"),
            format!("14.48.31.128 - - {request} \"-\" \"Cisco EST client 1.0\""),
            ours.clone(),
        ] {
            let (row, stamp) = row(&text).unwrap();
            assert_eq!((row.status, row.operation()), (401, Some("simpleenroll")));
            assert_eq!(stamp.zone, Some("-0500".parse().unwrap()));
        }
        let (row, _) = row(&ours).unwrap();
        assert_eq!((row.user.as_deref(), row.est_error), (Some("phone"), Some(22)));
        assert_eq!(row.cause.as_deref(), Some("wrong password"));
        assert_eq!(row.known_cause, None);
    }

    #[test]
    fn reads_the_name_of_the_cause_with_and_without_words() {
        let before = "192.0.2.1 - - [27/Feb/2019:21:53:28 +0000] \"POST /.well-known/est/simpleenroll HTTP/1.1\" 503 90 \
                      EST error 25 (EST_ERR_CA_ENROLL_FAIL)";
        for (behind, cause) in [
            (
                " answer-timed-out: AD CS (certfnsh.asp) did not answer: 9 s",
                true,
            ),
            (" answer-timed-out", false),
        ] {
            let (row, _) = row(&format!("{before}{behind}")).unwrap();
            assert_eq!(row.est_error, Some(25));
            assert_eq!(row.known_cause, Some(KnownCause::AnswerTimedOut));
            assert_eq!(row.cause.is_some(), cause);
        }
        let (row, _) = row(before).unwrap();
        assert_eq!(
            (row.est_error, row.known_cause, row.cause),
            (Some(25), None, None)
        );
    }

    #[test]
    fn reads_the_log_of_this_project_with_its_prefix() {
        let text = "2019-02-27T21:53:28.000001Z  INFO est::access: 192.0.2.1 - - [27/Feb/2019:21:53:28 +0000] \"GET /.well-known/est/cacerts HTTP/1.1\" 200 1000";
        assert!(matches!(read_own(text).unwrap().says, Says::Access(_)));
    }

    #[test]
    fn a_line_that_is_cut_off_is_not_taken() {
        let text = "192.0.2.1 - - [27/Feb/2019:21:53:28 +0000] \"GET / HTTP/1.1\" 200 10";
        assert!(row(text).is_some());
        for end in 0..text.len() - 2 {
            assert!(row(&text[..end]).is_none(), "{}", &text[..end]);
        }
    }
}
