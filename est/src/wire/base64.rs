//! The base64 bodies of EST (RFC 8951 section 3, RFC 4648 section 4).

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};

use crate::error::{Base64Problem, WireError};

/// How the base64 of a response body is broken into lines.
///
/// RFC 8951 leaves the layout to the sender, and clients differ. Measured against real ones:
///
/// | layout | libest 3.2 | Go | strongSwan 5.9.8 | BouncyCastle 1.72 |
/// |---|---|---|---|---|
/// | one line, final newline, up to about 4 kB | yes | yes | yes | yes |
/// | one line, final newline, four certificates | no | yes | yes | yes |
/// | 64 columns, LF | yes | yes | no | yes |
/// | 76 columns, CRLF | yes | yes | no | yes |
///
/// One line with a final newline is therefore the default: it is the only layout that every client reads as long
/// as the body is small, and an enrolment answer holds one certificate. Choose a column layout for a libest client
/// when the `cacerts` answer holds a long chain (libest announces itself in its `User-Agent`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Base64Layout {
    /// Everything on one line, with a final LF.
    #[default]
    SingleLine,
    /// Lines of 64 characters, each ended by LF (the layout of PEM).
    Columns64Lf,
    /// Lines of 76 characters, each ended by CR LF (the layout of MIME).
    Columns76CrLf,
}

impl Base64Layout {
    /// Every layout.
    pub const ALL: [Self; 3] = [Self::SingleLine, Self::Columns64Lf, Self::Columns76CrLf];

    fn columns(self) -> usize {
        match self {
            Self::SingleLine => usize::MAX,
            Self::Columns64Lf => 64,
            Self::Columns76CrLf => 76,
        }
    }

    fn line_end(self) -> &'static str {
        match self {
            Self::SingleLine | Self::Columns64Lf => "\n",
            Self::Columns76CrLf => "\r\n",
        }
    }
}

/// Encodes `data` in the given layout. The result ends with a line end unless `data` is empty.
pub fn encode(data: &[u8], layout: Base64Layout) -> String {
    let mut text = STANDARD.encode(data);
    let columns = layout.columns();
    if text.len() <= columns {
        if !text.is_empty() {
            text.push_str(layout.line_end());
        }
        return text;
    }
    let line_end = layout.line_end();
    let mut lines = String::with_capacity(text.len() + (text.len() / columns + 1) * line_end.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(columns.min(rest.len()));
        lines.push_str(line);
        lines.push_str(line_end);
        rest = tail;
    }
    lines
}

/// Decodes a body.
///
/// White space (blank, tab, CR, LF, form feed, vertical tab) may stand anywhere and lines may have any length, with
/// or without a final newline, as RFC 8951 asks of a receiver. Padding is demanded and nothing may follow it.
///
/// # Errors
/// [`WireError::TooLong`] when the data would be longer than `limit` bytes, [`WireError::Empty`],
/// [`WireError::Base64`] with the offset in `body`.
pub fn decode(body: &[u8], limit: usize) -> Result<Vec<u8>, WireError> {
    // Nearly every body is one line: no second copy for those.
    let line = body.trim_ascii();
    if line.len() / 4 * 3 <= limit
        && let Ok(data) = STANDARD.decode(line)
        && !data.is_empty()
    {
        return Ok(data);
    }
    let symbols: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !is_white_space(*byte))
        .collect();
    if symbols.is_empty() {
        return Err(WireError::Empty { what: "base64 body" });
    }
    // Three bytes for four symbols; the padding is at most two of them.
    if symbols.len() / 4 * 3 > limit.saturating_add(2) {
        return Err(WireError::TooLong { what: "body", limit });
    }
    let data = STANDARD
        .decode(&symbols)
        .map_err(|error| problem_of(&error, body, &symbols))?;
    if data.len() > limit {
        return Err(WireError::TooLong { what: "body", limit });
    }
    Ok(data)
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

fn problem_of(error: &DecodeError, body: &[u8], symbols: &[u8]) -> WireError {
    let (index, problem) = match *error {
        // The engine reports data behind the padding as an unexpected padding character.
        DecodeError::InvalidByte(index, b'=') => {
            match symbols.iter().skip(index).position(|byte| *byte != b'=') {
                Some(padding) => (index.saturating_add(padding), Base64Problem::BehindPadding),
                None => (index, Base64Problem::Truncated),
            }
        }
        DecodeError::InvalidByte(index, byte) => (index, Base64Problem::NotInAlphabet(byte)),
        DecodeError::InvalidLastSymbol { offset: index, .. } => (index, Base64Problem::UnusedBits),
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            (symbols.len(), Base64Problem::Truncated)
        }
    };
    // Offset of the symbol in the body, white space counted again.
    let position = body
        .iter()
        .enumerate()
        .filter(|(_, byte)| !is_white_space(**byte))
        .nth(index)
        .map_or(body.len(), |(position, _)| position);
    WireError::Base64 { position, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1024;

    #[test]
    fn decodes_every_layout_it_encodes() {
        for length in [0, 1, 2, 3, 47, 48, 49, 57, 58, 500] {
            let data: Vec<u8> = (0..length).map(|n: u16| n.to_le_bytes()[0]).collect();
            for layout in [
                Base64Layout::SingleLine,
                Base64Layout::Columns64Lf,
                Base64Layout::Columns76CrLf,
            ] {
                let text = encode(&data, layout);
                if data.is_empty() {
                    assert_eq!(text, "");
                } else {
                    assert!(text.ends_with(layout.line_end()));
                    assert!(
                        text.split(layout.line_end())
                            .all(|line| line.len() <= layout.columns())
                    );
                    assert_eq!(decode(text.as_bytes(), LIMIT).as_ref(), Ok(&data));
                }
            }
        }
    }

    #[test]
    fn tolerates_white_space_anywhere() {
        assert_eq!(
            decode(b" aG\r\nVs\tb\n\n\x0cG8 = \r\n", LIMIT),
            Ok(b"hello".to_vec())
        );
        assert_eq!(decode(b"aGVsbG8=", LIMIT), Ok(b"hello".to_vec()));
    }

    #[test]
    fn names_the_byte_that_is_wrong() {
        let table: [(&[u8], usize, Base64Problem); 8] = [
            (b"aGV\ns*G8=", 5, Base64Problem::NotInAlphabet(b'*')),
            (b"aGVs\0bG8=", 4, Base64Problem::NotInAlphabet(0)),
            (b"aGVsbG8=\naGVs", 9, Base64Problem::BehindPadding),
            (b"aGVsbG8=x", 8, Base64Problem::BehindPadding),
            (b"aGVsbG8=\n!", 9, Base64Problem::NotInAlphabet(b'!')),
            (b"aGVsb\nG8", 8, Base64Problem::Truncated),
            (b"aGVsb", 5, Base64Problem::Truncated),
            (b"aGVsbG9=", 6, Base64Problem::UnusedBits),
        ];
        for (body, position, problem) in table {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(
                decode(body, LIMIT),
                Err(WireError::Base64 { position, problem }),
                "{shown:?}"
            );
        }
    }

    #[test]
    fn refuses_a_body_over_the_limit() {
        assert_eq!(decode(b"aGVsbG8=", 5), Ok(b"hello".to_vec()));
        assert_eq!(
            decode(b"aGVsbG8=", 4),
            Err(WireError::TooLong {
                what: "body",
                limit: 4
            })
        );
        assert_eq!(
            decode(&[b'A'; 4000], 5),
            Err(WireError::TooLong {
                what: "body",
                limit: 5
            })
        );
    }

    #[test]
    fn refuses_an_empty_body() {
        assert_eq!(
            decode(b" \r\n", LIMIT),
            Err(WireError::Empty { what: "base64 body" })
        );
    }
}
