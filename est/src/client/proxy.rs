//! An HTTP proxy in front of the server: `CONNECT host:port` (RFC 9110, section 9.3.6).

use core::fmt;
use core::str::FromStr;

use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::connector::ByteStream;
use crate::auth::BasicCredentials;
use crate::exchange::{ClientError, HostAndPort, ServerUrl, refuse_user, without_user};

/// The largest head of a proxy's answer, in bytes: as much as servers allow for theirs.
const MAX_HEAD: usize = 8 * 1024;

/// Where the proxy is, and what to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    place: HostAndPort,
    /// Name and password for the proxy. They travel to it in the clear.
    pub credentials: Option<BasicCredentials>,
}

impl Proxy {
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
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.place)
    }
}

impl FromStr for Proxy {
    type Err = ClientError;

    /// `http://host:port`. The port may be left out; it is 80 then. Credentials are given apart, because URLs end up
    /// in logs and process lists.
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let wrong = |problem| ClientError::Url {
            url: without_user(text),
            problem,
        };
        let uri: Uri = text
            .parse()
            .map_err(|_| wrong("the proxy's URL cannot be read"))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("a proxy's URL begins with http://"));
        }
        let authority = uri
            .authority()
            .ok_or_else(|| wrong("the proxy's host is missing"))?;
        refuse_user(authority).map_err(wrong)?;
        if uri.path() != "/" && !uri.path().is_empty() || uri.query().is_some() {
            return Err(wrong("a proxy's URL has no path"));
        }
        let place = HostAndPort::of(authority, 80).map_err(wrong)?;
        if place.host().is_empty() {
            return Err(wrong("the proxy's host is missing"));
        }
        Ok(Self {
            place,
            credentials: None,
        })
    }
}

/// Asks the proxy at the other end of `stream` for a connection to the server.
pub(super) async fn connect_through(
    proxy: &Proxy,
    server: &ServerUrl,
    stream: &mut Box<dyn ByteStream>,
) -> Result<(), ClientError> {
    let failed = |cause: String| ClientError::Proxy {
        proxy: proxy.to_string(),
        cause,
        status: None,
    };
    // The port is always written out: RFC 9112, section 3.2.3.
    let authority = server.host_and_port();
    let mut request = Zeroizing::new(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: est/{}\r\n",
        env!("CARGO_PKG_VERSION")
    ));
    if let Some(credentials) = &proxy.credentials {
        request.push_str("Proxy-Authorization: ");
        request.push_str(&credentials.to_header());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let broke = |error: std::io::Error| failed(error.to_string());
    stream.write_all(request.as_bytes()).await.map_err(broke)?;
    let head = read_head(stream).await.map_err(failed)?;
    let line = head.lines().next().unwrap_or_default();
    match status(line) {
        Some(200..=299) => Ok(()),
        Some(status) => Err(ClientError::Proxy {
            proxy: proxy.to_string(),
            cause: format!("it answers {:?}", crate::exchange::printable(line)),
            status: Some(status),
        }),
        None => Err(failed("what it answers is not HTTP".to_owned())),
    }
}

fn status(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// Byte by byte, because what comes behind the head belongs to TLS. A head has some dozens of bytes, and the server
/// says nothing before the client does.
async fn read_head(stream: &mut Box<dyn ByteStream>) -> Result<String, String> {
    let mut head = Vec::new();
    while !(head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n")) {
        if head.len() >= MAX_HEAD {
            return Err(format!("its answer has a head of more than {MAX_HEAD} bytes"));
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err("it closes the connection without an answer".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_proxy_url() {
        for (text, host, port, shown) in [
            (
                "http://proxy.example:3128",
                "proxy.example",
                3128,
                "http://proxy.example:3128",
            ),
            (
                "http://proxy.example/",
                "proxy.example",
                80,
                "http://proxy.example:80",
            ),
            ("http://[::1]:8080", "::1", 8080, "http://[::1]:8080"),
        ] {
            let proxy: Proxy = text.parse().unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port));
            assert_eq!(proxy.to_string(), shown);
        }
        for text in [
            "proxy.example:3128",
            "https://proxy.example",
            "http://a/b",
            "http://a:x",
            "",
        ] {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
        for text in [
            "http://user:secret@proxy.example",
            "https://user:secret@proxy.example",
            "http://user:secret@proxy.example/path",
            "user:secret@proxy.example:80",
        ] {
            let error = text.parse::<Proxy>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }
}
