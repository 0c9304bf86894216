//! The URL of an EST server.

use core::fmt;
use core::str::FromStr;

use http::Uri;
use http::uri::Scheme;
use rustls_pki_types::ServerName;

use super::error::ClientError;
use super::host_and_port::{HostAndPort, refuse_user};
use crate::operation::WELL_KNOWN_EST;

/// Where an EST server is: `https://host[:port]`. The path of EST is fixed and may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    place: HostAndPort,
    server_name: ServerName<'static>,
}

impl ServerUrl {
    /// Host name or address, without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.place.host()
    }

    /// TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.place.port()
    }

    /// As `host:port`, the port always written out.
    #[cfg(feature = "tokio")]
    pub(crate) fn host_and_port(&self) -> String {
        self.place.to_string()
    }

    /// The name that the server's certificate must have.
    #[must_use]
    pub const fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }

    /// Whether both are the same server: scheme, host and port (RFC 6454). Names differ in case only for the eye.
    #[must_use]
    pub fn same_origin(&self, other: &Self) -> bool {
        self.port() == other.port() && self.host().eq_ignore_ascii_case(other.host())
    }

    /// Host and port as they stand in a URL and in the Host header.
    #[must_use]
    pub fn authority(&self) -> String {
        self.place.without_default_port(443)
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl FromStr for ServerUrl {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let wrong = |problem| ClientError::Url {
            url: without_user(text),
            problem,
        };
        let uri: Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(wrong("EST needs https://"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("the host is missing"))?;
        refuse_user(authority).map_err(wrong)?;
        let path = uri.path().trim_end_matches('/');
        if !(path.is_empty() || path == WELL_KNOWN_EST) || uri.query().is_some() {
            return Err(wrong(
                "the path of EST is fixed; give https://host:port, and a label by its own option",
            ));
        }
        let place = HostAndPort::of(authority, 443).map_err(wrong)?;
        let server_name = ServerName::try_from(place.host().to_owned())
            .map_err(|_| wrong("the host is neither a name nor an address"))?;
        Ok(Self { place, server_name })
    }
}

/// The URL as an error may show it: what may be a password is left out.
pub(crate) fn without_user(url: &str) -> String {
    let Some((user, rest)) = url.rsplit_once('@') else {
        return url.to_owned();
    };
    // What stands before "://" is a part of the password, too, when the colon of the scheme was forgotten.
    let scheme = user
        .split_once("://")
        .map(|(scheme, _)| scheme)
        .filter(|scheme| {
            ["http", "https"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known))
        })
        .unwrap_or_default();
    format!("{scheme}://...@{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_and_port() {
        for (text, host, port, shown) in [
            ("https://est.example", "est.example", 443, "https://est.example"),
            (
                "https://127.0.0.1:8085/",
                "127.0.0.1",
                8085,
                "https://127.0.0.1:8085",
            ),
            (
                "https://[::1]:8085/.well-known/est",
                "::1",
                8085,
                "https://[::1]:8085",
            ),
            (
                "HTTPS://est.example:443/.well-known/est/",
                "est.example",
                443,
                "https://est.example",
            ),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(
                (url.host(), url.port(), url.to_string().as_str()),
                (host, port, shown),
                "{text}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_url() {
        for text in [
            "",
            "est.example",
            "http://est.example",
            "https://user:secret@est.example",
            "https://est.example/est",
            "https://est.example/?x",
            "https://exa mple",
            "https://est.example:",
            "https://est.example:99999",
        ] {
            assert!(
                matches!(text.parse::<ServerUrl>(), Err(ClientError::Url { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn repeats_no_password_of_a_url_whose_scheme_is_none() {
        for text in [
            "https://user:secret@est.example",
            "http://user:secret@est.example",
            "https://user:sec ret@est.example",
            "https://user:secret/@est.example",
            "user:secret@est.example",
            "http//user:secret@a://user:secret@est.example",
            "user:secret://user:x@est.example",
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err();
            for shown in [error.to_string(), format!("{error:?}")] {
                assert!(
                    !shown.contains("sec") && shown.contains("@est.example"),
                    "{shown}"
                );
            }
        }
    }
}
