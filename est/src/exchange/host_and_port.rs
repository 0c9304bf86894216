//! Host and port: what the URLs of an EST server, a proxy and web enrolment have in common.

use core::fmt;

use http::uri::Authority;

/// The host of a URL, without the brackets of an IPv6 address, and its port. `Display` writes both, the brackets included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostAndPort {
    host: String,
    port: u16,
}

impl HostAndPort {
    /// # Errors
    /// What is wrong with the port.
    pub(crate) fn of(authority: &Authority, default_port: u16) -> Result<Self, &'static str> {
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            None if authority.as_str() == authority.host() => default_port,
            None => return Err("the port is missing or no number up to 65535"),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// As in a Host header: the port only where it is not the scheme's.
    pub(crate) fn without_default_port(&self, default_port: u16) -> String {
        if self.port != default_port {
            self.to_string()
        } else if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

impl fmt::Display for HostAndPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// # Errors
/// A sentence, when the authority has a user name or a password.
pub(crate) fn refuse_user(authority: &Authority) -> Result<(), &'static str> {
    if authority.as_str().contains('@') {
        return Err("user name and password do not belong into a URL, where logs would show them");
    }
    Ok(())
}
