//! Lines out of a stream: of any length, with the debris that terminals, pagers and editors leave in copied logs.

use std::borrow::Cow;
use std::io::{self, BufRead};

/// The longest line that is looked at, in bytes. Log lines have a few hundred; a file without line ends must not fill the
/// memory.
pub const MAX_LINE: usize = 64 * 1024;

/// What the pager of a terminal leaves behind.
const PAGER: &str = "--More--";

/// Reads one line into `line`, without its end. Beyond [`MAX_LINE`] bytes the line is read and left away.
///
/// Returns `None` at the end of the input, else whether the line was cut.
pub(super) fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let mut cut = false;
    let mut something = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            return Ok(something.then_some(cut));
        }
        something = true;
        let end = memchr::memchr(b'\n', available);
        let part = available
            .get(..end.unwrap_or(available.len()))
            .unwrap_or(available);
        let room = MAX_LINE.saturating_sub(line.len());
        line.extend(part.iter().take(room));
        cut |= part.len() > room;
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(cut));
        }
    }
}

/// The text of a line: without carriage returns, byte order marks, the zero bytes of a file in UTF-16, escape sequences of
/// terminals, and what a pager left (F001-11).
pub(super) fn clean(line: &[u8]) -> Cow<'_, str> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t') || *byte >= 0x80;
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let line = line.strip_prefix(b"\xff\xfe").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = match str::from_utf8(line) {
        Ok(text) if line.iter().all(plain) => Cow::Borrowed(text),
        _ => Cow::Owned(without_controls(&String::from_utf8_lossy(line))),
    };
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(without_pager(text)),
        Cow::Owned(text) => Cow::Owned(without_pager(&text).to_owned()),
    }
}

/// Drops control characters and the escape sequences of terminals.
fn without_controls(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
            // Parameters, then one final character.
            for end in characters.by_ref() {
                if ('@'..='~').contains(&end) {
                    break;
                }
            }
        } else if character == '\t' || !character.is_control() {
            kept.push(character);
        }
    }
    kept
}

/// Drops `--More--` and what stands before it, and the runs of `?` and blanks before a bracket that backspaces become.
fn without_pager(text: &str) -> &str {
    let debris = |character: char| matches!(character, '?' | ' ' | '\u{fffd}');
    if let Some((_, rest)) = text.rsplit_once(PAGER) {
        return rest.trim_start_matches(debris).trim_end();
    }
    let text = text.trim_end();
    let rest = text.trim_start_matches(debris);
    if rest.starts_with('[') || rest.is_empty() {
        rest
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<(String, bool)> {
        let mut input = io::BufReader::with_capacity(7, input);
        let mut line = Vec::new();
        let mut all = Vec::new();
        while let Some(cut) = next_line(&mut input, &mut line).unwrap() {
            all.push((clean(&line).into_owned(), cut));
        }
        all
    }

    #[test]
    fn reads_lines_with_either_end_and_a_last_one_without() {
        let read = lines(b"first line\r\n\nsecond\nlast");
        let texts: Vec<_> = read.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["first line", "", "second", "last"]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_one_is_whole() {
        let mut input = vec![b'x'; MAX_LINE + 1];
        input.extend_from_slice(b"\nnext\n");
        let read = lines(&input);
        assert_eq!((read[0].0.len(), read[0].1), (MAX_LINE, true));
        assert_eq!(read[1], ("next".to_owned(), false));
    }

    #[test]
    fn drops_what_a_pager_left() {
        for debris in [
            " --More-- ????????[a] b",
            "--More--\x08\x08\x08 \x08\x08[a] b",
            "\x08\x08\x08??? [a] b",
            "\x1b[2K\x1b[1;32m[a] b\x1b[0m",
        ] {
            assert_eq!(clean(debris.as_bytes()), "[a] b", "{debris:?}");
        }
        assert_eq!(clean(b" --More-- "), "");
        assert_eq!(clean(b"what? [a]"), "what? [a]");
    }

    #[test]
    fn reads_utf_16_as_windows_writes_it_and_bytes_that_are_no_text() {
        assert_eq!(clean(b"\xff\xfea\0b\0"), "ab");
        assert_eq!(clean(b"\xef\xbb\xbf#Fields: date"), "#Fields: date");
        assert_eq!(clean(b"a\xffb"), "a\u{fffd}b");
    }
}
