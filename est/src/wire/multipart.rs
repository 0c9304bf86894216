//! `multipart/mixed` (RFC 2046 section 5.1), in which `serverkeygen` answers with a key and a certificate.

use crate::error::WireError;
use crate::wire::media_type::MediaType;

/// Most parts that are read. A `serverkeygen` answer has two.
pub const MAX_PARTS: usize = 8;

/// Longest header section of one part, in bytes. Two or three short fields are usual.
pub const MAX_PART_HEADERS: usize = 4096;

/// Longest boundary (RFC 2046 section 5.1.1), in characters.
pub const MAX_BOUNDARY: usize = 70;

/// What our boundary begins with.
const BOUNDARY: &str = "est-part-boundary";

/// A part to send.
#[derive(Clone, Copy)]
pub struct OutgoingPart<'a> {
    /// Its Content-Type.
    pub content_type: &'a str,
    /// Its Content-Transfer-Encoding, when it is to be told.
    pub transfer_encoding: Option<&'a str>,
    /// Its body as it goes out.
    pub body: &'a [u8],
}

/// Without the body, which may be a private key.
impl core::fmt::Debug for OutgoingPart<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("OutgoingPart")
            .field("content_type", &self.content_type)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A body with the boundary that separates its parts.
#[derive(Clone)]
pub struct EncodedMultipart {
    /// The value for the Content-Type field.
    pub content_type: String,
    /// The body; its length is the Content-Length.
    pub body: Vec<u8>,
}

/// Without the body, which may be a private key.
impl core::fmt::Debug for EncodedMultipart {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("EncodedMultipart")
            .field("content_type", &self.content_type)
            .field("length", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Joins parts to a body. The boundary is one that occurs in none of them.
#[must_use]
pub fn encode(parts: &[OutgoingPart<'_>]) -> EncodedMultipart {
    let occurs = |boundary: &str| {
        parts.iter().any(|part| {
            part.body
                .windows(boundary.len())
                .any(|window| window == boundary.as_bytes())
        })
    };
    let mut boundary = BOUNDARY.to_owned();
    let mut number = 0_u64;
    while occurs(&boundary) {
        number += 1;
        boundary = format!("{BOUNDARY}-{number}");
    }
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Type: {}\r\n", part.content_type).as_bytes());
        if let Some(encoding) = part.transfer_encoding {
            body.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n").as_bytes());
        }
        body.extend_from_slice(b"\r\n");
        body.extend_from_slice(part.body);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    EncodedMultipart {
        content_type: format!("multipart/mixed; boundary={boundary}"),
        body,
    }
}

/// A part that was received. `Debug` does not show the body, which may be a private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The Content-Type, when the part has one that can be read.
    pub content_type: Option<MediaType>,
    /// The body, without the line end before the boundary.
    pub body: &'a [u8],
    /// Offset of the body in the whole.
    pub position: usize,
    /// Whether a boundary line follows. Without one the part may be cut off: libest announces a Content-Length that is
    /// 246 bytes short.
    pub complete: bool,
}

impl core::fmt::Debug for Part<'_> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("Part")
            .field("content_type", &self.content_type)
            .field("length", &self.body.len())
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

/// Splits a body at the boundary that its Content-Type names.
///
/// Tolerated: text before the first and behind the last boundary, LF for CR LF, blanks behind a boundary, a part
/// without header fields, folded and unknown header fields, a missing closing boundary (see [`Part::complete`]).
///
/// # Errors
/// [`WireError::Multipart`] when the type is not multipart, the boundary is missing or does not occur, or a part has no
/// end of its header section within [`MAX_PART_HEADERS`]; [`WireError::TooMany`] above [`MAX_PARTS`].
pub fn decode<'a>(content_type: &MediaType, body: &'a [u8]) -> Result<Vec<Part<'a>>, WireError> {
    let problem = |problem: String| WireError::Multipart { position: 0, problem };
    if !content_type.essence().starts_with("multipart/") {
        return Err(problem(format!(
            "the Content-Type is {content_type}, not multipart/mixed"
        )));
    }
    let boundary = content_type
        .parameter("boundary")
        .filter(|boundary| (1..=MAX_BOUNDARY).contains(&boundary.len()))
        .ok_or_else(|| {
            problem(format!(
                "the Content-Type names no boundary of 1 to {MAX_BOUNDARY} characters"
            ))
        })?;
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    let mut closed = false;
    for (start, line) in lines(body) {
        let (is_boundary, is_last) = boundary_line(line, boundary);
        if !is_boundary {
            continue;
        }
        if let Some(begin) = open.take() {
            push(&mut parts, body, begin, start, true)?;
        }
        if is_last {
            closed = true;
            break;
        }
        open = Some(start + line.len());
    }
    match open {
        Some(begin) => push(&mut parts, body, begin, body.len(), false)?,
        None if !closed => {
            return Err(problem(format!(
                "the boundary {boundary:?} of the Content-Type does not occur"
            )));
        }
        None => {}
    }
    Ok(parts)
}

/// Every line with its offset and its line end.
fn lines(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut position = 0;
    body.split_inclusive(|byte| *byte == b'\n').map(move |line| {
        let start = position;
        position += line.len();
        (start, line)
    })
}

/// Whether the line is a boundary, and whether it is the closing one.
fn boundary_line(line: &[u8], boundary: &str) -> (bool, bool) {
    let Some(rest) = line
        .strip_prefix(b"--")
        .and_then(|rest| rest.strip_prefix(boundary.as_bytes()))
    else {
        return (false, false);
    };
    match rest.trim_ascii() {
        b"" => (true, false),
        b"--" => (true, true),
        _ => (false, false),
    }
}

fn push<'a>(
    parts: &mut Vec<Part<'a>>,
    whole: &'a [u8],
    begin: usize,
    end: usize,
    complete: bool,
) -> Result<(), WireError> {
    if parts.len() >= MAX_PARTS {
        return Err(WireError::TooMany {
            what: "parts of a multipart body",
            limit: MAX_PARTS,
        });
    }
    let part = whole.get(begin..end).unwrap_or_default();
    let mut fields: Vec<String> = Vec::new();
    let mut body_start = None;
    for (start, line) in lines(part) {
        if start + line.len() > MAX_PART_HEADERS {
            break;
        }
        let text = line.trim_ascii_end();
        if text.is_empty() {
            body_start = Some(start + line.len());
            break;
        }
        let text = String::from_utf8_lossy(text);
        match fields.last_mut() {
            // A folded field goes on in the next line.
            Some(field) if text.starts_with([' ', '\t']) => field.push_str(&text),
            _ => fields.push(text.into_owned()),
        }
    }
    let Some(body_start) = body_start else {
        let problem = if complete {
            format!("the header section of this part does not end within {MAX_PART_HEADERS} bytes")
        } else {
            "the body ends within the header section of a part; is it cut off?".to_owned()
        };
        return Err(WireError::Multipart {
            position: begin,
            problem,
        });
    };
    let mut body = part.get(body_start..).unwrap_or_default();
    if complete {
        // The line end before a boundary belongs to the boundary.
        body = body.strip_suffix(b"\n").unwrap_or(body);
        body = body.strip_suffix(b"\r").unwrap_or(body);
    }
    parts.push(Part {
        content_type: fields
            .iter()
            .filter_map(|field| field.split_once(':'))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("content-type"))
            .and_then(|(_, value)| MediaType::parse(value.trim()).ok()),
        body,
        position: begin + body_start,
        complete,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media_type(text: &str) -> MediaType {
        MediaType::parse(text).unwrap()
    }

    fn read<'a>(content_type: &str, body: &'a str) -> Result<Vec<Part<'a>>, WireError> {
        decode(&media_type(content_type), body.as_bytes())
    }

    fn essences(parts: &[Part<'_>]) -> Vec<Option<String>> {
        parts
            .iter()
            .map(|part| Some(part.content_type.as_ref()?.essence().to_owned()))
            .collect()
    }

    #[test]
    fn reads_back_what_it_writes_whatever_stands_in_the_parts() {
        let bodies: [&[u8]; 4] = [
            b"",
            b"AAAA\r\n",
            b"--est-part-boundary\r\n",
            b"est-part-boundary-1",
        ];
        let parts = bodies.map(|body| OutgoingPart {
            content_type: "application/pkcs8",
            transfer_encoding: Some("base64"),
            body,
        });
        let encoded = encode(&parts);
        let read = decode(&media_type(&encoded.content_type), &encoded.body).unwrap();
        let found: Vec<&[u8]> = read.iter().map(|part| part.body).collect();
        assert_eq!(found, bodies);
        assert!(read.iter().all(|part| part.complete));
    }

    #[test]
    fn writes_what_rfc_2046_shows() {
        let part = OutgoingPart {
            content_type: "text/plain",
            transfer_encoding: None,
            body: b"x",
        };
        assert_eq!(
            encode(&[part]).body,
            b"--est-part-boundary\r\nContent-Type: text/plain\r\n\r\nx\r\n--est-part-boundary--\r\n"
        );
    }

    #[test]
    fn lives_with_every_form_seen_in_the_field() {
        let table = [
            (
                "multipart/mixed; boundary=b",
                "--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b\r\nContent-Type: c/d\r\n\r\ny\r\n--b--\r\n",
            ),
            // Line feeds only, a preamble, no final line end.
            (
                "multipart/mixed; boundary=b",
                "a preamble\n--b\nContent-Type: a/b\n\nx\n--b\nContent-Type: c/d\n\ny\n--b--",
            ),
            // Quoted boundary, other case, unknown and folded fields, blanks behind the boundary, an epilogue.
            (
                "Multipart/Mixed ;Boundary=\"a b\"",
                "--a b \r\nX: y\r\nCONTENT-TYPE:\r\n a/b\r\n\r\nx\r\n--a b\r\ncontent-type: c/d\r\n\r\ny\r\n--a b--\r\nepilogue",
            ),
        ];
        for (content_type, body) in table {
            let parts = read(content_type, body).unwrap();
            assert_eq!(
                essences(&parts),
                [Some("a/b".to_owned()), Some("c/d".to_owned())],
                "{body:?}"
            );
            assert_eq!(parts[0].body, b"x");
            assert_eq!(parts[1].body, b"y");
            assert!(parts[1].complete);
            assert_eq!(&body[parts[1].position..=parts[1].position], "y");
        }
    }

    #[test]
    fn marks_a_part_whose_end_is_missing() {
        let parts = read("multipart/mixed; boundary=b", "--b\r\n\r\nx\r\n--b\r\n\r\nAAA").unwrap();
        assert_eq!((parts[0].complete, parts[1].complete), (true, false));
        assert_eq!(parts[1].body, b"AAA");
        let error = read("multipart/mixed; boundary=b", "--b\r\nContent-Ty").unwrap_err();
        assert!(error.to_string().contains("cut off"), "{error}");
    }

    #[test]
    fn refuses_what_is_not_multipart_or_out_of_proportion() {
        for (content_type, body, text) in [
            ("text/plain", "", "text/plain"),
            ("multipart/mixed", "", "names no boundary"),
            (
                "multipart/mixed; boundary=c",
                "--b\r\n\r\n--b--",
                "does not occur",
            ),
            (
                "multipart/mixed; boundary=b",
                "--bb\r\n\r\n--bb--",
                "does not occur",
            ),
        ] {
            let error = read(content_type, body).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
        let many = "--b\r\n\r\n\r\n".repeat(MAX_PARTS + 1);
        assert!(matches!(
            read("multipart/mixed; boundary=b", &many),
            Err(WireError::TooMany { .. })
        ));
        let long = format!("--b\r\n{}\r\n--b--", "X: y\r\n".repeat(MAX_PART_HEADERS));
        let error = read("multipart/mixed; boundary=b", &long).unwrap_err();
        assert!(error.to_string().contains("header section"), "{error}");
        let one_line = format!("--b\r\nX: {}\r\n\r\n--b--", "y".repeat(MAX_PART_HEADERS));
        let error = read("multipart/mixed; boundary=b", &one_line).unwrap_err();
        assert!(error.to_string().contains("header section"), "{error}");
    }
}
