//! Reads session files, one line at a time.

use core::time::Duration;
use std::io::{BufRead, Read as _};

use serde::Deserialize;

use super::error::SessionFileError;
use super::{Entry, FORMAT_VERSION, Head, MAX_LINE};
use crate::capture::Direction;

/// A message as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    us: u64,
    direction: String,
    #[serde(default, rename = "message")]
    _message: Option<String>,
    bytes: String,
}

/// Reads a session file.
///
/// ```
/// use nmsp::session_file::SessionReader;
///
/// let file = "{\"nmsp-session\":1,\"role\":\"observer\",\"started-us\":0}\n\
///             {\"us\":7,\"direction\":\"to-controller\",\"bytes\":\"01000001\"}\n\
///             {\"us\":9,\"direc";
/// let mut session = SessionReader::new(file.as_bytes())?;
/// let entry = session.next_entry().expect("one message")?;
/// assert_eq!(entry.bytes, [1, 0, 0, 1]);
/// assert!(session.next_entry().is_none() && session.is_cut());
/// # Ok::<(), nmsp::session_file::SessionFileError>(())
/// ```
#[derive(Debug)]
pub struct SessionReader<R> {
    input: R,
    head: Head,
    line: u64,
    cut: bool,
    ended: bool,
}

impl<R: BufRead> SessionReader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// If there is none, or of another version.
    pub fn new(mut input: R) -> Result<Self, SessionFileError> {
        let line = next_line(&mut input, 1)?.unwrap_or_default();
        let head: Head = serde_json::from_slice(&line).map_err(|error| SessionFileError::Head {
            cause: error.to_string(),
        })?;
        if head.version != FORMAT_VERSION {
            return Err(SessionFileError::Version {
                found: head.version,
                known: FORMAT_VERSION,
            });
        }
        Ok(Self {
            input,
            head,
            line: 1,
            cut: false,
            ended: false,
        })
    }

    /// The first line.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Whether the last line was incomplete, as it is when the writer was killed; to be asked at the end.
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The next message. After an error there is nothing more.
    pub fn next_entry(&mut self) -> Option<Result<Entry, SessionFileError>> {
        if self.ended {
            return None;
        }
        let outcome = self.read().transpose();
        self.ended = !matches!(outcome, Some(Ok(_)));
        outcome
    }

    fn read(&mut self) -> Result<Option<Entry>, SessionFileError> {
        loop {
            self.line += 1;
            let Some(line) = next_line(&mut self.input, self.line)? else {
                return Ok(None);
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            return match entry(line.trim_ascii_end()) {
                Ok(entry) => Ok(Some(entry)),
                Err(_) if !line.ends_with(b"\n") => {
                    self.cut = true;
                    Ok(None)
                }
                Err(cause) => Err(SessionFileError::Line {
                    line: self.line,
                    cause,
                }),
            };
        }
    }
}

/// A line with its end, if it has one.
fn next_line(input: &mut impl BufRead, number: u64) -> Result<Option<Vec<u8>>, SessionFileError> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    let read = input.take(limit).read_until(b'\n', &mut line);
    let length = read.map_err(|error| SessionFileError::Read {
        line: number,
        cause: error.to_string(),
    })?;
    if length == MAX_LINE && !line.ends_with(b"\n") {
        return Err(SessionFileError::LineTooLong {
            line: number,
            limit: MAX_LINE,
        });
    }
    Ok((length > 0).then_some(line))
}

fn entry(line: &[u8]) -> Result<Entry, String> {
    let line: Line =
        serde_json::from_slice(line).map_err(|error| format!("column {}: {error}", error.column()))?;
    let known = [Direction::ToController, Direction::ToLocationServer];
    let direction = known
        .into_iter()
        .find(|direction| direction.name() == line.direction);
    let direction = direction.ok_or("the direction is neither to-controller nor to-location-server")?;
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = line.bytes.as_bytes().chunks(2).map(pair).collect();
    Ok(Entry {
        time: Duration::from_micros(line.us),
        direction,
        bytes: bytes.ok_or("the bytes are no pairs of hexadecimal digits")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "{\"nmsp-session\":1,\"role\":\"observer\",\"started-us\":5}\n";
    const LINE: &str =
        "{\"us\":7,\"direction\":\"to-controller\",\"message\":\"Echo Request\",\"bytes\":\"01fF\"}\n";

    fn read(text: &str) -> Result<(Vec<Entry>, bool), SessionFileError> {
        let mut reader = SessionReader::new(text.as_bytes())?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry() {
            entries.push(entry?);
        }
        Ok((entries, reader.is_cut()))
    }

    #[test]
    fn the_last_line_may_be_cut_at_any_byte_and_no_other() {
        let entry = Entry {
            time: Duration::from_micros(7),
            direction: Direction::ToController,
            bytes: vec![1, 0xff],
        };
        for length in 0..LINE.len() {
            let text = format!("{HEAD}{LINE}{}", &LINE[..length]);
            let (entries, cut) = read(&text).unwrap();
            // A whole object without its end of line counts.
            let whole = length == LINE.len() - 1;
            assert_eq!(entries.len(), if whole { 2 } else { 1 }, "{length}");
            assert_eq!(entries[0], entry);
            assert_eq!(cut, length > 0 && !whole, "{length}");
        }
        let error = read(&format!("{HEAD}{}\n{LINE}", &LINE[..20])).unwrap_err();
        assert!(error.to_string().starts_with("line 2: column 20: "), "{error}");
    }

    #[test]
    fn names_what_is_wrong_and_where() {
        for (text, expected) in [
            (String::new(), "line 1: this is no session file: EOF"),
            (
                LINE.to_owned(),
                "line 1: this is no session file: unknown field `us`",
            ),
            (
                HEAD.replace(":1,", ":2,"),
                "line 1: version 2 of the format, this program reads version 1",
            ),
            (
                format!("{HEAD}{}", LINE.replace("fF", "f")),
                "line 2: the bytes are no pairs",
            ),
            (
                format!("{HEAD}\n{}", LINE.replace("to-c", "at-c")),
                "line 3: the direction is neither",
            ),
            (
                format!("{HEAD}{}", "a".repeat(MAX_LINE + 1)),
                "line 2 is longer than",
            ),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
