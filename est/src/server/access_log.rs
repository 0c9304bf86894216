//! One line per request in the common log format.

use std::net::IpAddr;

use http::{Method, StatusCode, Version};
use pki_common::{Escaped, KnownCause};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::auth::AuthenticationMethods;
use crate::ca::ChannelBindingState;
use crate::operation::EstErrorNumber;

/// The longest request target repeated in the log, in characters; EST paths are under 100.
const MAX_LOGGED_TARGET: usize = 256;

/// `27/Feb/2019:16:53:28 +0000`
const TIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
);

/// One line of the access log.
#[derive(Debug)]
pub(crate) struct AccessLine<'a> {
    pub(crate) address: IpAddr,
    pub(crate) user: &'a str,
    pub(crate) authentication: AuthenticationMethods,
    pub(crate) channel_binding: Option<ChannelBindingState>,
    pub(crate) time: OffsetDateTime,
    pub(crate) method: &'a Method,
    pub(crate) target: &'a str,
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    pub(crate) body_length: usize,
    pub(crate) est_error: EstErrorNumber,
    pub(crate) known_cause: Option<KnownCause>,
    pub(crate) cause: Option<&'a str>,
}

impl AccessLine<'_> {
    /// `address - user [time] "request" status bytes`, then how the client was authenticated, whether its request was
    /// tied to the connection, and the libest error number, the stable name of the cause and the cause when it failed. The label is in the request.
    pub(crate) fn text(&self) -> String {
        let time = self.time.format(TIME).unwrap_or_default();
        let target = Escaped::new(self.target).at_most(MAX_LOGGED_TARGET);
        let mut line = format!(
            "{} - {} [{time}] \"{} {} {:?}\" {} {}",
            self.address,
            user(self.user),
            self.method,
            target,
            self.version,
            self.status.as_u16(),
            self.body_length,
        );
        if !self.authentication.is_empty() {
            line.push_str(&format!(" auth {}", self.authentication));
        }
        if let Some(binding) = self.channel_binding {
            line.push_str(&format!(" pop {binding}"));
        }
        if self.est_error != EstErrorNumber::NONE {
            line.push_str(&format!(" EST error {}", self.est_error));
        }
        if let Some(known) = self.known_cause {
            line.push_str(&format!(" {known}"));
        }
        if let Some(cause) = self.cause {
            line.push_str(&format!(": {}", Escaped::new(cause)));
        }
        line
    }

    /// Whether anybody reads the log.
    pub(crate) fn is_wanted() -> bool {
        tracing::enabled!(target: "est::access", tracing::Level::INFO)
    }

    /// Writes the line to the log, target `est::access`.
    pub(crate) fn log(&self) {
        tracing::info!(target: "est::access", "{}", self.text());
    }
}

/// A name with blanks would shift the columns, and one with line ends forge a line.
fn user(name: &str) -> Escaped<'_> {
    Escaped::new(if name.is_empty() { "-" } else { name }).without_blanks()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AuthenticationMethod;
    use crate::ca::ChannelBindingType;
    use time::macros::datetime;

    #[test]
    fn has_the_shape_of_the_line_in_the_source_document() {
        let line = AccessLine {
            address: "14.48.31.128".parse().unwrap(),
            user: "-",
            authentication: AuthenticationMethods::NONE,
            channel_binding: None,
            time: datetime!(2019-02-27 16:53:28 -5),
            method: &Method::POST,
            target: "/.well-known/est/simpleenroll",
            version: Version::HTTP_11,
            status: StatusCode::UNAUTHORIZED,
            body_length: 0,
            est_error: EstErrorNumber::AUTH_FAIL,
            known_cause: Some(KnownCause::CredentialsRefused),
            cause: Some("two\nlines"),
        };
        assert_eq!(
            line.text(),
            "14.48.31.128 - - [27/Feb/2019:16:53:28 -0500] \"POST /.well-known/est/simpleenroll HTTP/1.1\" 401 0 \
             EST error 22 (EST_ERR_AUTH_FAIL) credentials-refused: two\\u{a}lines"
        );
    }

    #[test]
    fn says_how_the_client_was_known_and_what_its_request_was_tied_to() {
        let line = AccessLine {
            address: "192.0.2.1".parse().unwrap(),
            user: "phone",
            authentication: [AuthenticationMethod::Certificate, AuthenticationMethod::Basic]
                .into_iter()
                .collect(),
            channel_binding: Some(ChannelBindingState::Verified(ChannelBindingType::TlsExporter)),
            time: datetime!(2019-02-27 16:53:28 UTC),
            method: &Method::POST,
            target: "/.well-known/est/lab/simpleenroll",
            version: Version::HTTP_11,
            status: StatusCode::OK,
            body_length: 700,
            est_error: EstErrorNumber::NONE,
            known_cause: None,
            cause: None,
        };
        let text = line.text();
        let expected = format!(" 200 700 auth {} pop tls-exporter", line.authentication);
        assert!(text.ends_with(&expected), "{text}");
        assert!(line.authentication.to_string().contains("basic"), "{text}");
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        assert_eq!(user("a b\r\n1.2.3.4").to_string(), r"a\u{20}b\u{d}\u{a}1.2.3.4");
        assert_eq!(user("").to_string(), "-");
    }
}
