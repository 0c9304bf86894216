//! Redirects: followed within the origin of the server, reported by name when they lead elsewhere (RFC 7030,
//! section 3.2.1).

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::answer::printable;
use super::{ClientError, ServerUrl};

/// The longest target of a request that is followed to, in bytes; servers bound the request line at 8 kB.
const MAX_TARGET: usize = 4 * 1024;

/// Whether this answer points elsewhere. 304 and 300 have other meanings.
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The target on the same server that the answer points to.
///
/// # Errors
/// [`ClientError::Redirect`] when it is no place at the same origin, or when following it would change the method: an
/// enrolment is not to become a GET (RFC 9110, section 15.4, lets 301, 302 and 303 do that).
pub(super) fn follow(
    server: &ServerUrl,
    current: &str,
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<String, ClientError> {
    let location = headers.get(LOCATION).map(http::HeaderValue::as_bytes);
    let location = location.map(String::from_utf8_lossy).unwrap_or_default();
    let refused = |problem| ClientError::Redirect {
        status,
        location: printable(&location),
        problem,
    };
    if *method != Method::GET && !matches!(status.as_u16(), 307 | 308) {
        return Err(refused("only 307 and 308 let the request be sent again"));
    }
    if location.is_empty() {
        return Err(refused("it names no place"));
    }
    let target = resolve(server, current, &location).map_err(refused)?;
    if target.len() > MAX_TARGET {
        return Err(refused("the place is longer than 4096 bytes"));
    }
    Ok(target)
}

fn resolve(server: &ServerUrl, current: &str, location: &str) -> Result<String, &'static str> {
    const ELSEWHERE: &str = "that is another origin, and requests are not sent there unasked";
    let text = location.split('#').next().unwrap_or_default();
    // A reference without scheme but with an authority keeps the scheme (RFC 3986, section 5.2.2).
    let absolute = text.strip_prefix("//").map(|rest| format!("https://{rest}"));
    let text = absolute.as_deref().unwrap_or(text);
    if text.starts_with('/') {
        return checked(text.to_owned());
    }
    if text.contains("://") {
        let there: Uri = text.parse().map_err(|_| "that is not a URL")?;
        let origin = format!(
            "{}://{}",
            there.scheme_str().unwrap_or_default(),
            there.authority().map_or("", http::uri::Authority::as_str)
        );
        let there_server: ServerUrl = origin.parse().map_err(|_| ELSEWHERE)?;
        if !server.same_origin(&there_server) {
            return Err(ELSEWHERE);
        }
        return checked(
            there
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        );
    }
    // Relative to the folder of the current target.
    let path = current.split('?').next().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    checked(format!("{folder}/{text}"))
}

fn checked(target: String) -> Result<String, &'static str> {
    let valid = target.bytes().all(|byte| byte.is_ascii_graphic()) && target.parse::<Uri>().is_ok();
    if valid {
        Ok(target)
    } else {
        Err("that is not a URL")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn to(status: u16, method: &Method, location: &str) -> Result<String, ClientError> {
        let server: ServerUrl = "https://est.example:8085".parse().unwrap();
        let mut headers = HeaderMap::new();
        if !location.is_empty() {
            headers.insert(LOCATION, HeaderValue::from_str(location).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        follow(&server, "/.well-known/est/cacerts", method, status, &headers)
    }

    #[test]
    fn follows_to_the_same_origin() {
        for (location, target) in [
            ("/other", "/other"),
            ("https://est.example:8085/a?b#c", "/a?b"),
            ("HTTPS://EST.EXAMPLE:8085", "/"),
            ("//est.example:8085/x", "/x"),
            ("phones/cacerts", "/.well-known/est/phones/cacerts"),
        ] {
            assert_eq!(to(302, &Method::GET, location).unwrap(), target, "{location}");
        }
    }

    #[test]
    fn names_the_place_it_does_not_follow_to() {
        for location in [
            "https://evil.example:8085/.well-known/est/cacerts",
            "https://est.example/x",
            "http://est.example:8085/x",
            "//evil.example/x",
            "https://est.example:8085@evil.example/x",
            "https://user@est.example:8085/x",
            "file:///etc/passwd",
        ] {
            let error = to(307, &Method::POST, location).unwrap_err();
            assert!(error.to_string().contains(location), "{error}");
        }
        assert!(to(307, &Method::POST, "").is_err());
    }

    #[test]
    fn an_enrolment_does_not_become_a_get() {
        for status in [301, 302, 303] {
            assert!(to(status, &Method::POST, "/other").is_err());
            assert!(to(status, &Method::GET, "/other").is_ok());
        }
        for status in [307, 308] {
            assert_eq!(to(status, &Method::POST, "/other").unwrap(), "/other");
        }
    }
}
