//! The URL of web enrolment.

use core::fmt;
use core::str::FromStr;

use http::Uri;
use http::uri::Scheme;
use rustls_pki_types::ServerName;

use super::error::CertsrvError;
use crate::exchange::{HostAndPort, refuse_user, without_user};

/// The folder of web enrolment on a server that was set up by its own wizard.
const CERTSRV: &str = "/certsrv";

/// Where web enrolment is: `https://host[:port][/certsrv]`.
///
/// `Display` always shows the port, as the vendor's logs do: `https://lab-dc.example.com:443/certsrv` (F002-16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertsrvUrl {
    place: HostAndPort,
    path: String,
    server_name: ServerName<'static>,
}

impl CertsrvUrl {
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

    /// The path of web enrolment without a slash at its end: `/certsrv`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name that the server's certificate must have. It must be the one that stands there: `lab-dc` is not
    /// `lab-dc.example.com` (F002-36).
    #[must_use]
    pub const fn server_name(&self) -> &ServerName<'static> {
        &self.server_name
    }

    /// The value of the `Host` header: the port only where it is not 443.
    #[must_use]
    pub fn host_header(&self) -> String {
        self.place.without_default_port(443)
    }

    /// The URL of a page in the folder: `https://host:443/certsrv/certrqxt.asp`.
    #[must_use]
    pub fn page(&self, name: &str) -> String {
        format!("{self}/{name}")
    }
}

impl fmt::Display for CertsrvUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.place, self.path)
    }
}

impl FromStr for CertsrvUrl {
    type Err = CertsrvError;

    fn from_str(text: &str) -> Result<Self, CertsrvError> {
        let wrong = |problem: &str| CertsrvError::Settings {
            problem: format!(
                "{:?} is not the URL of web enrolment: {problem}",
                without_user(text)
            ),
        };
        let uri: Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(wrong("it needs https://, because credentials go there"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("the host is missing"))?;
        refuse_user(authority).map_err(wrong)?;
        if uri.query().is_some() {
            return Err(wrong("it ends with the folder; leave the query out"));
        }
        let path = uri.path().trim_end_matches('/');
        if path.contains('.') || path.contains('%') {
            return Err(wrong(
                "it ends with the folder, for example /certsrv, and names no page",
            ));
        }
        let place = HostAndPort::of(authority, 443).map_err(wrong)?;
        let server_name = ServerName::try_from(place.host().to_owned())
            .map_err(|_| wrong("the host is neither a name nor an address"))?;
        Ok(Self {
            place,
            path: if path.is_empty() { CERTSRV } else { path }.to_owned(),
            server_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_may_be_left_out_and_the_port_is_always_shown() {
        for text in [
            "https://lab-dc.example.com",
            "https://lab-dc.example.com/",
            "https://lab-dc.example.com:443/certsrv",
            "https://lab-dc.example.com/certsrv/",
        ] {
            let url: CertsrvUrl = text.parse().unwrap();
            assert_eq!(
                url.to_string(),
                "https://lab-dc.example.com:443/certsrv",
                "{text}"
            );
            assert_eq!(url.host_header(), "lab-dc.example.com");
        }
        let url: CertsrvUrl = "https://[::1]:8443/ca2".parse().unwrap();
        assert_eq!(url.page("certrqxt.asp"), "https://[::1]:8443/ca2/certrqxt.asp");
        assert_eq!((url.host(), url.host_header().as_str()), ("::1", "[::1]:8443"));
    }

    #[test]
    fn says_what_is_wrong_with_a_url_and_never_repeats_a_password() {
        for text in [
            "",
            "lab-dc",
            "http://lab-dc/certsrv",
            "https://user:secret@lab-dc/certsrv",
            "https://lab-dc/certsrv/certfnsh.asp",
            "https://lab-dc/certsrv?x",
            "https://lab-dc:99999/certsrv",
        ] {
            let error = text.parse::<CertsrvUrl>().unwrap_err();
            assert!(matches!(&error, CertsrvError::Settings { .. }), "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
