//! Text that somebody else chose, made harmless for a log, a terminal and a single line.

use core::fmt::{self, Write as _};

/// Text on one line: control characters and invisible formatting are written as escapes, such as `\u{a}`.
///
/// Letters and digits of every script, ASCII punctuation and the blank stay. What stays cannot end a line, drive a
/// terminal or turn the writing direction, so a peer's words can neither forge a log line nor hide one.
///
/// ```
/// use pki_common::Escaped;
///
/// assert_eq!(Escaped::new("no\r\nroot: \u{1b}[2J").to_string(), r"no\u{d}\u{a}root: \u{1b}[2J");
/// assert_eq!(Escaped::new("a b").without_blanks().to_string(), r"a\u{20}b");
/// assert_eq!(Escaped::new("very long").at_most(4).to_string(), "very...");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    text: &'a str,
    at_most: usize,
    blanks: bool,
}

impl<'a> Escaped<'a> {
    /// The whole text.
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            at_most: usize::MAX,
            blanks: true,
        }
    }

    /// Only the first `characters` characters of the text, then `...` when there were more.
    #[must_use]
    pub const fn at_most(mut self, characters: usize) -> Self {
        self.at_most = characters;
        self
    }

    /// Escapes blanks too, for a column of a line whose columns are separated by blanks.
    #[must_use]
    pub const fn without_blanks(mut self) -> Self {
        self.blanks = false;
        self
    }

    fn is_harmless(self, character: char) -> bool {
        character.is_ascii_graphic() || character.is_alphanumeric() || (self.blanks && character == ' ')
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.chars();
        for character in characters.by_ref().take(self.at_most) {
            if self.is_harmless(character) {
                f.write_char(character)?;
            } else {
                write!(f, "{}", character.escape_unicode())?;
            }
        }
        if characters.next().is_some() {
            f.write_str("...")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_left_can_end_a_line_drive_a_terminal_or_hide() {
        for hostile in [
            '\n',
            '\r',
            '\t',
            '\0',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{a0}',
            '\u{ad}',
            '\u{200b}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            let escaped = Escaped::new(hostile.encode_utf8(&mut [0; 4])).to_string();
            assert!(
                escaped.starts_with("\\u{") && escaped.is_ascii(),
                "{hostile:?}: {escaped}"
            );
        }
    }

    #[test]
    fn words_of_every_script_stay_readable() {
        for text in ["Zürich, 2. Stock", "東京", "Ελλάδα", "a~!@#$%^&*()_+{}|\"<>?"] {
            assert_eq!(Escaped::new(text).to_string(), text);
        }
    }

    #[test]
    fn a_text_of_just_the_limit_is_whole() {
        assert_eq!(Escaped::new("äöü").at_most(3).to_string(), "äöü");
        assert_eq!(Escaped::new("äöü\n").at_most(3).to_string(), "äöü...");
        assert_eq!(Escaped::new("").at_most(0).to_string(), "");
    }
}
