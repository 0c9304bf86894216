//! Reads what a server answered, strictly: it may not say what is no HTTP (RFC 9112).

use est::wire::base64;
use est::wire::certs_only::{self, CertsOnlyLimits};

use super::request::Requests;

/// An answer that is not an interim one.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) fields: Vec<(String, String)>,
    /// The body, decoded.
    pub(super) body: Vec<u8>,
}

/// What came on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) all: Vec<Answer>,
    /// Why it is no HTTP.
    pub(super) malformed: Option<String>,
}

/// The longest CMS message that is looked into, in bytes.
const MAX_MESSAGE: usize = 1024 * 1024;

impl Answer {
    pub(super) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// How many certificates it holds, if its body is a CMS message as EST has it.
    pub(super) fn certificates(&self) -> usize {
        // libest ends some of its bodies with a NUL.
        let body = self.body.strip_suffix(b"\0").unwrap_or(&self.body);
        let limits = CertsOnlyLimits::default();
        base64::decode(body, MAX_MESSAGE)
            .ok()
            .and_then(|message| certs_only::decode(&message, &limits).ok())
            .map_or(0, |certificates| certificates.len())
    }
}

/// One answer, or why it is none.
enum Found<'a> {
    Answer(Answer, &'a [u8]),
    Interim(&'a [u8]),
    /// It is still coming.
    Incomplete,
    Malformed(String),
}

impl Answers {
    /// `ended` says that the server has closed the connection in good order.
    pub(super) fn read(received: &[u8], ended: bool, requests: &Requests) -> Self {
        let mut found = Self::default();
        let mut rest = received;
        while !rest.is_empty() {
            let request = requests.all.get(found.all.len());
            if request.is_none() && requests.most_answers.is_none() {
                // It is not known whether it was HEAD, or of HTTP/0.9.
                found.tolerantly(rest, ended);
                return found;
            }
            let is_head = request.is_some_and(|request| request.method == b"HEAD");
            match one(rest, ended, is_head) {
                Found::Answer(answer, behind) => {
                    let ends = answer
                        .values("connection")
                        .any(|value| value.eq_ignore_ascii_case("close"));
                    found.all.push(answer);
                    if ends && !behind.is_empty() {
                        let what = if is_head {
                            "content in answer to HEAD (RFC 9110 section 9.3.2)"
                        } else {
                            "bytes behind the last answer (RFC 9112 section 9.6)"
                        };
                        found.malformed = Some(format!("{what}: {}", shown(behind)));
                        return found;
                    }
                    rest = behind;
                }
                Found::Interim(behind) => rest = behind,
                Found::Incomplete => return found,
                Found::Malformed(why) => {
                    found.malformed = Some(why);
                    return found;
                }
            }
        }
        found
    }

    /// Takes what is well-formed, and says nothing about the rest.
    fn tolerantly(&mut self, mut rest: &[u8], ended: bool) {
        loop {
            match one(rest, ended, false) {
                Found::Answer(answer, behind) => {
                    self.all.push(answer);
                    rest = behind;
                }
                Found::Interim(behind) => rest = behind,
                Found::Incomplete | Found::Malformed(_) => return,
            }
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..60).unwrap_or(bytes);
    String::from_utf8_lossy(start).escape_debug().to_string()
}

fn one(received: &[u8], ended: bool, is_head: bool) -> Found<'_> {
    let not_http =
        |what: &str| Found::Malformed(format!("an answer that is no HTTP ({what}): {}", shown(received)));
    let start = received.get(..received.len().min(7)).unwrap_or_default();
    if !b"HTTP/1.".starts_with(start) && !start.starts_with(b"HTTP/1.") {
        return not_http("RFC 9112 section 4");
    }
    let Some(end) = memchr::memmem::find(received, b"\r\n\r\n") else {
        if ended {
            return not_http("its head does not end, RFC 9112 section 2.1");
        }
        return Found::Incomplete;
    };
    let (head, behind) = received.split_at_checked(end + 4).unwrap_or_default();
    let head = String::from_utf8_lossy(head.get(..end).unwrap_or_default());
    let mut lines = head.split("\r\n");
    let Some(status) = lines.next().and_then(status_of) else {
        return not_http("its status line, RFC 9112 section 4");
    };
    let mut answer = Answer {
        status,
        ..Answer::default()
    };
    for line in lines {
        let Some(field) = field_of(line) else {
            return not_http("a header line, RFC 9112 section 5");
        };
        answer.fields.push(field);
    }
    if (100..200).contains(&status) {
        return Found::Interim(behind);
    }
    match body(&answer, behind, ended, is_head) {
        Ok(Some((content, behind))) => {
            answer.body = content;
            Found::Answer(answer, behind)
        }
        Ok(None) => Found::Incomplete,
        Err(why) => not_http(why),
    }
}

fn status_of(line: &str) -> Option<u16> {
    let rest = line.strip_prefix("HTTP/1.")?;
    let (minor, rest) = rest.split_at_checked(1)?;
    let digits = rest.strip_prefix(' ')?.get(..3)?;
    let reason = rest.get(4..)?;
    let good = minor.bytes().all(|byte| byte.is_ascii_digit())
        && (reason.is_empty() || reason.starts_with(' '))
        && !line.contains(['\r', '\n', '\0']);
    if good { digits.parse().ok() } else { None }
}

fn field_of(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let good = !name.is_empty() && name.bytes().all(token) && !value.contains(['\r', '\n', '\0']);
    good.then(|| (name.to_ascii_lowercase(), value.trim().to_owned()))
}

/// A body and what stands behind it; nothing if it is still coming.
type Body<'a> = Result<Option<(Vec<u8>, &'a [u8])>, &'static str>;

fn body<'a>(answer: &Answer, behind: &'a [u8], ended: bool, is_head: bool) -> Body<'a> {
    let lengths: Vec<&str> = answer.values("content-length").collect();
    let codings: Vec<&str> = answer.values("transfer-encoding").collect();
    if !codings.is_empty() && !lengths.is_empty() {
        return Err("both framings, RFC 9112 section 6.2");
    }
    let length = match lengths.as_slice() {
        [] => None,
        [first, rest @ ..] => {
            let digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
            if !digits || rest.iter().any(|other| other != first) {
                return Err("Content-Length, RFC 9112 section 6.3");
            }
            Some(
                first
                    .parse::<usize>()
                    .map_err(|_| "Content-Length, RFC 9112 section 6.3")?,
            )
        }
    };
    if is_head || matches!(answer.status, 204 | 304) {
        return Ok(Some((Vec::new(), behind)));
    }
    if codings
        .last()
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        return chunks(behind, ended);
    }
    match length {
        Some(length) => match behind.split_at_checked(length) {
            Some((content, behind)) => Ok(Some((content.to_vec(), behind))),
            None if ended => Err("its body is shorter than its Content-Length, RFC 9112 section 8"),
            None => Ok(None),
        },
        None if ended => Ok(Some((behind.to_vec(), &[]))),
        None => Ok(None),
    }
}

fn chunks(mut rest: &[u8], ended: bool) -> Body<'_> {
    const WRONG: &str = "its chunks, RFC 9112 section 7.1";
    let missing = || if ended { Err(WRONG) } else { Ok(None) };
    let mut content = Vec::new();
    loop {
        let Some(end) = memchr::memmem::find(rest, b"\r\n") else {
            return missing();
        };
        let line = String::from_utf8_lossy(rest.get(..end).unwrap_or_default());
        let digits = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).map_err(|_| WRONG)?;
        let after = rest.get(end + 2..).unwrap_or_default();
        if size == 0 {
            let end = if after.starts_with(b"\r\n") {
                Some(2)
            } else {
                memchr::memmem::find(after, b"\r\n\r\n").map(|end| end + 4)
            };
            return match end.and_then(|end| after.get(end..)) {
                Some(behind) => Ok(Some((content, behind))),
                None => missing(),
            };
        }
        let Some((data, after)) = after.split_at_checked(size) else {
            return missing();
        };
        content.extend_from_slice(data);
        match after.strip_prefix(b"\r\n") {
            Some(next) => rest = next,
            None if after.len() < 2 => return missing(),
            None => return Err(WRONG),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sent: &str, received: &str, ended: bool) -> Answers {
        Answers::read(received.as_bytes(), ended, &Requests::read(sent.as_bytes()))
    }

    const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

    #[test]
    fn reads_answers_in_each_framing() {
        let received = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi\
            HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n\
            HTTP/1.0 400 Bad\r\nA: b\r\n\r\nto the end";
        let found = read(&GET.repeat(3), received, true);
        assert_eq!(found.malformed, None);
        let bodies: Vec<_> = found
            .all
            .iter()
            .map(|one| (one.status, one.body.as_slice()))
            .collect();
        assert_eq!(
            bodies,
            [(200, b"hi".as_slice()), (404, b"no"), (400, b"to the end")]
        );
    }

    #[test]
    fn says_why_something_is_no_http() {
        for (received, why) in [
            ("hello", "section 4"),
            ("HTTP/1.1 2000 OK\r\n\r\n", "section 4"),
            ("HTTP/1.1 200 OK\r\nA b\r\n\r\n", "section 5"),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "section 5"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "shorter"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
                "section 6.3",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi more",
                "9.6",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                "7.1",
            ),
            ("HTTP/1.1 200 OK\r\nA: b", "does not end"),
        ] {
            let found = read(GET, received, true).malformed;
            assert!(
                found.as_ref().is_some_and(|found| found.contains(why)),
                "{received:?}: {found:?}"
            );
        }
        assert_eq!(read(GET, "HTTP/1.1 200 OK\r\nA: b", false).malformed, None);
        assert_eq!(read("GET /a\r\n", "whatever", true).malformed, None);
    }
}
