//! The path label of RFC 7030 section 3.2.2: `/.well-known/est/LABEL/simpleenroll`.

use std::fmt;
use std::str::FromStr;

use pki_common::{Diagnose, Failure, Rung};

/// Longest label accepted. RFC 7030 gives no limit; a label names a certificate authority and is typed by people.
pub const MAX_LABEL_LENGTH: usize = 64;

/// The operation names, which RFC 7030 section 3.2.2 forbids as labels.
const OPERATIONS: [&str; 6] = [
    "cacerts",
    "simpleenroll",
    "simplereenroll",
    "fullcmc",
    "serverkeygen",
    "csrattrs",
];

/// The optional path segment that selects one of several certificate authorities of a server.
///
/// Consists of unreserved characters (RFC 3986 section 2.3: letters, digits, `-`, `.`, `_`, `~`), so that it needs
/// no percent encoding, and is not the name of an operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathLabel(String);

impl PathLabel {
    /// The label as it stands in the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathLabel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for PathLabel {
    type Err = PathLabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text == "." || text == ".." {
            return Err(PathLabelError::Empty);
        }
        if text.len() > MAX_LABEL_LENGTH {
            return Err(PathLabelError::TooLong);
        }
        if let Some((position, character)) = text.char_indices().find(|(_, found)| !is_unreserved(*found)) {
            return Err(PathLabelError::Character { position, character });
        }
        if OPERATIONS.contains(&text) {
            return Err(PathLabelError::Operation);
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_unreserved(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~')
}

/// Why a text is not a path label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathLabelError {
    /// Nothing, or a dot segment, which clients remove from paths.
    #[error("a path label must not be empty or a dot segment")]
    Empty,
    /// Longer than [`MAX_LABEL_LENGTH`].
    #[error("a path label has at most {MAX_LABEL_LENGTH} characters")]
    TooLong,
    /// A character that would need percent encoding.
    #[error("character {character:?} at byte {position} is not allowed in a path label")]
    Character {
        /// Byte offset in the text.
        position: usize,
        /// The character.
        character: char,
    },
    /// The name of an EST operation.
    #[error("the name of an operation cannot be a path label")]
    Operation,
}

impl Diagnose for PathLabelError {
    fn diagnose(&self) -> Failure {
        let remedy =
            "Use letters, digits, hyphens, dots, underscores or tildes, and no name of an operation.";
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_unreserved_characters_only() {
        assert_eq!(
            "arbitraryLabel-1.2_3~".parse::<PathLabel>().unwrap().as_str(),
            "arbitraryLabel-1.2_3~"
        );
        assert_eq!("".parse::<PathLabel>(), Err(PathLabelError::Empty));
        assert_eq!("..".parse::<PathLabel>(), Err(PathLabelError::Empty));
        assert_eq!("a".repeat(65).parse::<PathLabel>(), Err(PathLabelError::TooLong));
        assert_eq!(
            "a%00".parse::<PathLabel>(),
            Err(PathLabelError::Character {
                position: 1,
                character: '%'
            })
        );
    }

    #[test]
    fn refuses_the_name_of_an_operation() {
        for operation in OPERATIONS {
            assert_eq!(operation.parse::<PathLabel>(), Err(PathLabelError::Operation));
        }
    }
}
