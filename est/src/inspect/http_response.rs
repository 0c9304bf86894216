//! A response as `curl -i` prints it: status line, headers, body.

use rustls_pki_types::UnixTime;

use super::{Report, find, find_from, inspect_at};
use crate::wire::media_type::MediaType;

/// The most parts of a multipart that are looked into; serverkeygen has two.
const MAX_PARTS: usize = 16;

struct Head<'a> {
    status_line: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Head<'a> {
    fn parse(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, body) = split_head(text)?;
        let head = core::str::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let status_line = lines.next()?;
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim(), value.trim()))
            .collect();
        Some((Self { status_line, fields }, body))
    }

    fn field(&self, name: &str) -> Option<&'a str> {
        self.fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    fn status(&self) -> Option<u16> {
        self.status_line.split_whitespace().nth(1)?.parse().ok()
    }
}

fn split_head(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (crlf, lf) = (find(text, b"\r\n\r\n"), find(text, b"\n\n"));
    let (end, length) = match (crlf, lf) {
        (Some(crlf), Some(lf)) if lf < crlf => (lf, 2),
        (Some(crlf), _) => (crlf, 4),
        (None, Some(lf)) => (lf, 2),
        (None, None) => return None,
    };
    Some((text.get(..end)?, text.get(end + length..)?))
}

pub(super) fn inspect(text: &[u8], now: UnixTime, depth: u8) -> Report {
    let report = Report::new("EST response", "HTTP");
    let Some((head, body)) = Head::parse(text) else {
        return report.with_problem("its headers do not end with an empty line, or are not text");
    };
    // curl prints a 100, a proxy's answer and a challenge before the answer itself.
    if body.starts_with(b"HTTP/") {
        let mut next = inspect_at(body, now, depth + 1);
        next.facts
            .insert(0, super::Fact::one("before it", head.status_line));
        return next;
    }
    let mut report = report.with("status", head.status_line).with_list(
        "headers",
        head.fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect(),
    );
    report.problems = problems(&head, body);
    if body.trim_ascii().is_empty() {
        return report.with("body", "empty");
    }
    let media_type = head
        .field("content-type")
        .and_then(|value| MediaType::parse(value).ok());
    let essence = media_type.as_ref().map_or("", MediaType::essence);
    if essence == "multipart/mixed" {
        let boundary = media_type
            .as_ref()
            .and_then(|media_type| media_type.parameter("boundary"));
        return multipart(report, body, boundary, now, depth);
    }
    if essence.starts_with("text/") || essence == "application/json" {
        return report.with("body", String::from_utf8_lossy(body).trim().to_owned());
    }
    let part = inspect_at(body, now, depth + 1);
    if let Some(problem) = media_type.and_then(|media_type| mislabelled(&media_type, part.kind)) {
        report.problems.push(problem);
    }
    report.parts.push(part);
    report
}

fn problems(head: &Head<'_>, body: &[u8]) -> Vec<String> {
    let mut problems = Vec::new();
    let status = head.status();
    match status {
        None => problems.push(format!("{:?} has no status number", head.status_line)),
        Some(202) if head.field("retry-after").is_none() => {
            problems.push("a 202 must have Retry-After (RFC 7030 section 4.2.3)".to_owned());
        }
        Some(401) if head.field("www-authenticate").is_none() => {
            problems.push("a 401 must have WWW-Authenticate (RFC 9110 section 15.5.2)".to_owned());
        }
        Some(405) if head.field("allow").is_none() => {
            problems.push("a 405 must have Allow (RFC 9110 section 15.5.6)".to_owned());
        }
        Some(_) => {}
    }
    let length = head.field("content-length").map(str::parse::<usize>);
    match length {
        Some(Err(_)) => problems.push("its Content-Length is no number".to_owned()),
        Some(Ok(length)) if length != body.len() => problems.push(format!(
            "its Content-Length is {length}, but the body has {} bytes",
            body.len()
        )),
        _ => {}
    }
    if status == Some(200) && head.field("content-type").is_none() {
        problems.push("it has no Content-Type".to_owned());
    }
    problems
}

fn mislabelled(media_type: &MediaType, kind: &str) -> Option<String> {
    let essence = media_type.essence();
    let right = match essence {
        "application/pkcs7-mime" => kind.ends_with("message"),
        "application/csrattrs" => kind == "CSR attributes",
        "application/pkcs8" => kind.ends_with("private key"),
        "application/pkix-crl" => kind == "certificate revocation list",
        "application/pkcs10" => kind == "certification request",
        _ => return Some(format!("{essence} is no media type of EST")),
    };
    (!right).then(|| format!("it is labelled {essence}, but holds: {kind}"))
}

fn multipart(mut report: Report, body: &[u8], boundary: Option<&str>, now: UnixTime, depth: u8) -> Report {
    let Some(boundary) = boundary else {
        return report.with_problem("the multipart names no boundary");
    };
    let delimiter = format!("--{boundary}");
    let mut offset = find(body, delimiter.as_bytes());
    let mut closed = false;
    while let Some(start) = offset {
        let start = start + delimiter.len();
        if body.get(start..).is_some_and(|rest| rest.starts_with(b"--")) {
            closed = true;
            break;
        }
        if report.parts.len() >= MAX_PARTS {
            return report.with_problem(format!("it has more than {MAX_PARTS} parts"));
        }
        let end = find_from(body, delimiter.as_bytes(), start);
        let part = body.get(start..end.unwrap_or(body.len())).unwrap_or_default();
        report.parts.push(body_part(part, now, depth));
        offset = end;
    }
    report = with_pair(report);
    if !closed {
        report = report.with_problem(format!(
            "the last boundary, --{boundary}--, is missing: it is cut off"
        ));
    }
    report
}

/// In an answer of `serverkeygen` with a key in the clear: whether the certificate is for it.
fn with_pair(report: Report) -> Report {
    let hash = |part: &Report| part.fact("key hash SHA-256").map(str::to_owned);
    let key = report
        .parts
        .iter()
        .find(|part| part.kind == "private key")
        .and_then(hash);
    let certificates: Vec<String> = report
        .parts
        .iter()
        .flat_map(|part| &part.parts)
        .filter_map(hash)
        .collect();
    match key {
        Some(key) if certificates.contains(&key) => {
            report.with("key and certificate", "the certificate is for the key")
        }
        Some(_) if !certificates.is_empty() => report.with_problem("none of the certificates is for the key"),
        _ => report,
    }
}

fn body_part(part: &[u8], now: UnixTime, depth: u8) -> Report {
    // The line end of the boundary makes an empty header block possible.
    let part = part.strip_prefix(b"\r").unwrap_or(part);
    let part = part.strip_prefix(b"\n").unwrap_or(part);
    let Some((head, body)) = split_head(part) else {
        return Report::new("body part", "MIME").with_problem("its headers do not end with an empty line");
    };
    let head = String::from_utf8_lossy(head);
    let fields: Vec<_> = head.lines().map(|line| line.trim().to_owned()).collect();
    let media_type = fields.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-type")
            .then(|| MediaType::parse(value.trim()).ok())?
    });
    let mut inner = inspect_at(body, now, depth + 1);
    let problem = media_type.and_then(|media_type| mislabelled(&media_type, inner.kind));
    inner.problems.extend(problem);
    inner.facts.insert(0, super::Fact::many("headers", fields));
    inner
}
