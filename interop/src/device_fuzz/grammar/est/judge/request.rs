//! Reads what was sent as RFC 9112 has it.
//!
//! Where a receiver may choose how to read, reading ends and nothing more is claimed about what comes after.

use est::operation::{EstPath, Operation};

use super::super::Settings;

/// A request that was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) is_http_11: bool,
    /// Names in lower case, values without white space around them.
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body, decoded, as far as it was sent.
    pub(super) body: Vec<u8>,
    /// Why the whole request must be refused.
    pub(super) must_refuse: Option<&'static str>,
    /// Why the body may not be taken for one.
    pub(super) no_body: Option<&'static str>,
    /// Whether where the body ends may be read in several ways.
    pub(super) is_unclear: bool,
}

/// The most answers that may grant something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MostAnswers {
    pub(super) number: usize,
    pub(super) reason: &'static str,
}

/// What was sent on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    pub(super) all: Vec<Request>,
    /// `None` when the rest may be read in several ways.
    pub(super) most_answers: Option<MostAnswers>,
}

/// How a request ends.
enum Ending {
    /// Here, and another may follow.
    Next(usize),
    /// No other may follow.
    Last(&'static str),
    /// Not within what was sent.
    Unfinished,
    /// It may be read in several ways.
    Unclear,
}

const BODY_LENGTH: &str = "RFC 9112 section 6.3";

impl Request {
    /// Values of a field.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(found, _)| found == name.as_bytes())
            .map(|(_, value)| value.as_slice())
    }

    /// The words of a field that is a list, without white space around them.
    fn list(&self, name: &str) -> Vec<Vec<u8>> {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .map(|word| word.trim_ascii().to_ascii_lowercase())
            .collect()
    }

    /// The path of the target: without query, and without scheme and authority.
    pub(super) fn path(&self) -> &[u8] {
        let end = self.target.iter().position(|byte| matches!(byte, b'?' | b'#'));
        let end = end.unwrap_or(self.target.len());
        let path = self.target.get(..end).unwrap_or_default();
        let Some(start) = memchr::memmem::find(path, b"://") else {
            return path;
        };
        let behind = path.get(start + 3..).unwrap_or_default();
        let slash = memchr::memchr(b'/', behind).unwrap_or(behind.len());
        behind.get(slash..).unwrap_or_default()
    }

    /// The operation of the path under the label of the settings, if it is exactly that of one.
    pub(super) fn operation(&self, settings: &Settings) -> Option<Operation> {
        let path = core::str::from_utf8(self.path()).ok()?;
        let found = EstPath::parse(path)?;
        (found.label == settings.label).then_some(found.operation)
    }

    /// The request line, as far as it fits.
    pub(super) fn line(&self) -> String {
        let text = |bytes: &[u8]| {
            let shown: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
            shown.escape_debug().to_string()
        };
        format!("{} {}", text(&self.method), text(&self.target))
    }

    /// Whether the connection ends with the answer.
    fn ends_connection(&self) -> bool {
        let options = self.list("connection");
        if self.is_http_11 {
            options.iter().any(|option| option == b"close")
        } else {
            !options.iter().any(|option| option == b"keep-alive")
        }
    }
}

impl Requests {
    pub(super) fn read(stream: &[u8]) -> Self {
        let mut found = Self::default();
        let mut rest = stream;
        let reason = loop {
            let Some((mut request, behind)) = head(rest) else {
                if may_be_a_request(rest) {
                    return found;
                }
                break BODY_LENGTH;
            };
            let ending = body(&mut request, behind);
            request.is_unclear = matches!(ending, Ending::Unclear);
            let wants_end = request.ends_connection();
            found.all.push(request);
            match ending {
                Ending::Next(length) if !wants_end => rest = behind.get(length..).unwrap_or_default(),
                Ending::Next(_) => break "RFC 9112 section 9.6",
                Ending::Last(reason) => break reason,
                Ending::Unfinished => break BODY_LENGTH,
                Ending::Unclear => return found,
            }
        };
        found.most_answers = Some(MostAnswers {
            number: found.all.len(),
            reason,
        });
        found
    }
}

/// Whether somebody may read a request in it, however leniently.
fn may_be_a_request(rest: &[u8]) -> bool {
    rest.split(|byte| matches!(byte, b'\n' | b'\r' | 0))
        .any(|line| line.iter().any(u8::is_ascii_whitespace) && line.contains(&b'/'))
}

/// The first request's head, if it is well-formed but for what must be refused, and what stands behind it.
fn head(stream: &[u8]) -> Option<(Request, &[u8])> {
    let end = memchr::memmem::find(stream, b"\r\n\r\n")?;
    let (head, behind) = stream.split_at_checked(end + 4)?;
    let mut lines = lines(head.get(..end)?)?.into_iter();
    let mut request = request_line(lines.next()?)?;
    for line in lines {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at_checked(colon)?;
        let value = value.get(1..)?.trim_ascii();
        let name = match name {
            // Folded, or white space before the first field: a receiver may choose.
            [b' ' | b'\t', ..] | [] => return None,
            [.., b' ' | b'\t'] => {
                request.must_refuse = Some("white space before a colon, RFC 9112 section 5.1");
                name.trim_ascii_end()
            }
            token => token,
        };
        let odd_value = value.iter().any(|byte| *byte < b' ' && *byte != b'\t');
        if !name.iter().copied().all(is_token) || odd_value {
            return None;
        }
        request.fields.push((name.to_ascii_lowercase(), value.to_vec()));
    }
    Some((request, behind))
}

/// Lines that end in CR LF alone; `None` when there is a CR, LF or NUL elsewhere, with which a receiver may deal as it
/// likes.
fn lines(head: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut rest = head;
    loop {
        let (line, behind) = match memchr::memmem::find(rest, b"\r\n") {
            Some(end) => (rest.get(..end)?, rest.get(end + 2..)),
            None => (rest, None),
        };
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return None;
        }
        found.push(line);
        match behind {
            Some(behind) => rest = behind,
            None => return Some(found),
        }
    }
}

fn request_line(line: &[u8]) -> Option<Request> {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_http_11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return None,
    };
    let good = !method.is_empty() && method.iter().copied().all(is_token) && !target.is_empty();
    (good && words.next().is_none()).then(|| Request {
        method: method.to_vec(),
        target: target.to_vec(),
        is_http_11,
        ..Request::default()
    })
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Where the body ends (RFC 9112 section 6.3).
fn body(request: &mut Request, behind: &[u8]) -> Ending {
    // Upgrades and tunnels change what follows.
    if request.method == b"CONNECT" || request.values("upgrade").next().is_some() {
        return Ending::Unclear;
    }
    if request.values("transfer-encoding").next().is_none() {
        return by_length(request, behind);
    }
    if !request.is_http_11 {
        return Ending::Last("Transfer-Encoding in HTTP/1.0, RFC 9112 section 6.1");
    }
    let codings = request.list("transfer-encoding");
    let both = request.values("content-length").next().is_some();
    let last = codings.iter().rev().find(|coding| !coding.is_empty());
    let repeated = codings.iter().filter(|coding| *coding == b"chunked").count() > 1;
    let ending = match last.map(Vec::as_slice) {
        Some(b"chunked") if !repeated => by_chunks(request, behind),
        // `chunked` has no parameters, so what this is may be said in two ways.
        Some(coding) if coding.starts_with(b"chunked") => Ending::Unclear,
        _ => {
            request.must_refuse = Some("chunked is not the last coding, RFC 9112 section 6.3");
            Ending::Last(BODY_LENGTH)
        }
    };
    match ending {
        Ending::Next(_) if both => Ending::Last("both framings, RFC 9112 section 6.1"),
        ending => ending,
    }
}

fn by_length(request: &mut Request, behind: &[u8]) -> Ending {
    let values = request.list("content-length");
    let first = values.iter().find(|value| !value.is_empty());
    let agree = |first: &Vec<u8>| {
        first.iter().all(u8::is_ascii_digit) && values.iter().all(|value| value.is_empty() || value == first)
    };
    let length = match first {
        None if values.is_empty() => return Ending::Next(0),
        Some(first) if agree(first) => first,
        _ => {
            request.must_refuse = Some("Content-Length, RFC 9112 section 6.3");
            return Ending::Last(BODY_LENGTH);
        }
    };
    let length = core::str::from_utf8(length)
        .ok()
        .and_then(|digits| digits.parse::<usize>().ok())
        .filter(|length| *length <= behind.len());
    let Some(length) = length else {
        request.body = behind.to_vec();
        request.no_body = Some("the message is incomplete, RFC 9112 section 6.3");
        return Ending::Unfinished;
    };
    request.body = behind.get(..length).unwrap_or_default().to_vec();
    Ending::Next(length)
}

/// RFC 9112 section 7.1. Sizes that are not hexadecimal digits alone may be read in several ways, but not as a smaller
/// number than the one they write.
fn by_chunks(request: &mut Request, behind: &[u8]) -> Ending {
    let mut rest = behind;
    loop {
        let Some(end) = memchr::memmem::find(rest, b"\r\n") else {
            return unfinished(request);
        };
        let line = rest.get(..end).unwrap_or_default();
        let after = rest.get(end + 2..).unwrap_or_default();
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let text = core::str::from_utf8(digits).unwrap_or_default();
        let clear = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !clear || line.iter().any(|byte| *byte < b' ') {
            return Ending::Unclear;
        }
        let significant = text.trim_start_matches('0');
        if significant.is_empty() {
            return trailer(behind, after);
        }
        let size = usize::from_str_radix(significant, 16).ok();
        let Some(size) = size.filter(|size| *size < after.len()) else {
            request.body.extend_from_slice(after);
            return unfinished(request);
        };
        let (data, after) = after.split_at_checked(size).unwrap_or_default();
        request.body.extend_from_slice(data);
        match after.strip_prefix(b"\r\n") {
            Some(next) => rest = next,
            None => return Ending::Unclear,
        }
    }
}

fn unfinished(request: &mut Request) -> Ending {
    request.no_body = Some("the last chunk has not come, RFC 9112 sections 7.1 and 8");
    Ending::Unfinished
}

fn trailer(behind: &[u8], mut rest: &[u8]) -> Ending {
    loop {
        if let Some(after) = rest.strip_prefix(b"\r\n") {
            return Ending::Next(behind.len() - after.len());
        }
        let Some(end) = memchr::memmem::find(rest, b"\r\n") else {
            // All of the content is there.
            return Ending::Unfinished;
        };
        let line = rest.get(..end).unwrap_or_default();
        if line.iter().any(|byte| *byte < b' ' && *byte != b'\t') || !line.contains(&b':') {
            return Ending::Unclear;
        }
        rest = rest.get(end + 2..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(stream: &str) -> Option<usize> {
        Requests::read(stream.as_bytes())
            .most_answers
            .map(|most| most.number)
    }

    #[test]
    fn counts_the_requests_that_were_sent() {
        let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
        let close = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        let old = "GET /a HTTP/1.0\r\n\r\n";
        let post =
            |fields: &str, body: &str| format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n{body}{get}");
        let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
        for (stream, expected) in [
            (String::new(), Some(0)),
            (get.repeat(3), Some(3)),
            (format!("{close}{get}"), Some(1)),
            (format!("{old}{get}"), Some(1)),
            (post("Content-Length: 2\r\n", "xy"), Some(2)),
            (post("Content-Length: 2\r\nContent-Length: 3\r\n", "xy"), Some(1)),
            (post("Content-Length: 2, 2\r\n", "xy"), Some(2)),
            (post("Content-Length: 9000\r\n", "xy"), Some(1)),
            (post("Content-Length: -2\r\n", "xy"), Some(1)),
            (chunked("2\r\nxy\r\n0\r\n\r\n"), Some(2)),
            (chunked("2;a=b\r\nxy\r\n00\r\nA: b\r\n\r\n"), Some(2)),
            (
                post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                Some(1),
            ),
            (post("Transfer-Encoding: identity\r\n", "xy"), Some(1)),
            (chunked("10000000000000002\r\nxy\r\n0\r\n\r\n"), Some(1)),
            // Receivers may choose.
            (chunked("0x2\r\nxy\r\n0\r\n\r\n"), None),
            (
                post("Transfer-Encoding: chunked, chunked\r\n", "2\r\nxy\r\n0\r\n\r\n"),
                None,
            ),
            (get.replace("\r\n", "\n"), None),
            (format!("\r\n{get}"), None),
            (get.replace(" /a", "  /a"), None),
            (get.replace("Host: h", "Host: h\r\n x: y"), None),
            ("nonsense\r\n\r\n".to_owned(), Some(0)),
        ] {
            assert_eq!(most(&stream), expected, "{stream:?}");
        }
    }

    #[test]
    fn knows_what_must_be_refused() {
        for (fields, refused) in [
            ("", false),
            ("X : y\r\n", true),
            ("Content-Length: +1\r\n", true),
            ("Content-Length: 1\r\nContent-Length: 2\r\n", true),
            ("Content-Length: 1, 1\r\n", false),
            ("Content-Length:\r\n", true),
            ("Transfer-Encoding: gzip\r\n", true),
            ("Transfer-Encoding: chunked\r\n", false),
        ] {
            let stream = format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            let found = Requests::read(stream.as_bytes());
            assert_eq!(found.all[0].must_refuse.is_some(), refused, "{fields:?}");
        }
    }

    #[test]
    fn finds_the_path_in_each_form_of_a_target() {
        for (target, path) in [
            ("/a?b", "/a"),
            ("https://h:1/a/b?c", "/a/b"),
            ("https://h", ""),
            ("*", "*"),
            ("/a%00", "/a%00"),
        ] {
            let request = Request {
                target: target.into(),
                ..Request::default()
            };
            assert_eq!(request.path(), path.as_bytes(), "{target}");
        }
    }
}
