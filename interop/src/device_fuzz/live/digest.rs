//! The answer to a Digest challenge that came on a connection.

use est::auth::digest::{DigestAnswer, DigestChallenge};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use super::Login;

/// The request with its `Authorization`; without it where no challenge came that can be answered.
pub(super) fn request(head: &[u8], body: &[u8], login: &Login, received: &[u8]) -> Vec<u8> {
    let field = authorization(login, received).map_or_else(Vec::new, |value| {
        [b"Authorization: ", value.as_slice(), b"\r\n"].concat()
    });
    [head, &field, b"\r\n", body].concat()
}

fn authorization(login: &Login, received: &[u8]) -> Option<Vec<u8>> {
    let mut challenge = DigestChallenge::strongest(&challenges(received)).ok().flatten()?;
    challenge.nonce.push_str(&login.nonce_suffix);
    let answer = DigestAnswer {
        method: &login.method,
        uri: &login.uri,
        user: &login.user,
        password: &login.password,
        cnonce: &login.cnonce,
        count: login.count,
    };
    let answer = challenge.answer(&answer).ok()?;
    let mut text = String::from_utf8(answer.as_bytes().to_vec()).ok()?;
    for change in &login.changes {
        if change.from.is_empty() {
            text.push_str(&change.to);
        } else {
            text = text.replace(&change.from, &change.to);
        }
    }
    Some(text.into_bytes())
}

/// The challenges of the last answer of a stream that is a 401.
fn challenges(received: &[u8]) -> HeaderMap {
    let mut found = HeaderMap::new();
    let Some(start) = memchr::memmem::rfind(received, b"HTTP/1.1 401") else {
        return found;
    };
    let head = String::from_utf8_lossy(received.get(start..).unwrap_or_default());
    for line in head.split("\r\n").take_while(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if let (true, Ok(value)) = (
            name.eq_ignore_ascii_case(WWW_AUTHENTICATE.as_str()),
            HeaderValue::from_str(value.trim()),
        ) {
            found.append(WWW_AUTHENTICATE, value);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::*;

    /// The second example of RFC 7616 section 3.9.1.
    fn login() -> Login {
        Login {
            challenged: None,
            user: "Mufasa".to_owned(),
            password: "Circle of Life".to_owned(),
            method: "GET".to_owned(),
            uri: "/dir/index.html".to_owned(),
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".to_owned(),
            count: 1,
            nonce_suffix: String::new(),
            changes: Vec::new(),
        }
    }

    const CHALLENGED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\
        WWW-Authenticate: Basic realm=\"x\"\r\nwww-authenticate: Digest realm=\"http-auth@example.org\", \
        qop=\"auth, auth-int\", algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"\r\n\r\nno";

    fn sent(login: &Login, received: &[u8]) -> String {
        String::from_utf8(request(
            b"GET /dir/index.html HTTP/1.1\r\n",
            b"body",
            login,
            received,
        ))
        .unwrap()
    }

    #[test]
    fn answers_the_challenge_of_rfc_7616() {
        let sent = sent(&login(), CHALLENGED);
        let response = "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";
        assert!(sent.contains(response), "{sent}");
        assert!(sent.starts_with("GET /dir/index.html HTTP/1.1\r\nAuthorization: Digest "));
        assert!(sent.ends_with("\r\n\r\nbody"));
    }

    #[test]
    fn the_password_is_not_shown_for_debugging() {
        let shown = format!("{:?}", login());
        assert!(shown.contains("Mufasa") && !shown.contains("Circle"), "{shown}");
    }

    #[test]
    fn changes_the_answer_as_the_case_says() {
        let change = |from: &str, to: &str| Change {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        let mut changed = login();
        changed.changes = vec![change("qop=auth", "qop=auth-int"), change("", ", x=\"")];
        let text = sent(&changed, CHALLENGED);
        assert!(text.contains("qop=auth-int, "), "{text}");
        assert!(text.contains(", x=\"\r\n\r\nbody"), "{text}");
        let mut other = login();
        other.nonce_suffix = "x".to_owned();
        let text = sent(&other, CHALLENGED);
        assert!(text.contains("GiTo0vx\"") && !text.contains("753927fa"), "{text}");
    }

    #[test]
    fn sends_no_credentials_where_there_is_no_challenge() {
        let plain = "GET /dir/index.html HTTP/1.1\r\n\r\nbody";
        assert_eq!(sent(&login(), b""), plain);
        let basic = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n";
        assert_eq!(sent(&login(), basic), plain);
        let answered = [CHALLENGED, b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"].concat();
        assert_eq!(sent(&login(), &answered), plain, "the last 401 counts");
    }
}
