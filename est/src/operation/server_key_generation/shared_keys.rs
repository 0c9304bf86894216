//! The file of shared keys: one `identifier:key` a line.

use pki_common::{Diagnose, Failure, Rung};
use zeroize::Zeroizing;

use crate::wire::cms::enveloped_data::KeyEncryptionKey;
use crate::wire::hexadecimal;

/// A line of a shared-keys file that cannot be read. No message holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}, line {line}: {problem}")]
pub struct SharedKeysError {
    /// The file.
    pub origin: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

impl Diagnose for SharedKeysError {
    fn diagnose(&self) -> Failure {
        Failure::new(
            Rung::Local,
            self.to_string(),
            "Write each line as IDENTIFIER:KEY, the key as 32, 48 or 64 hexadecimal digits.",
        )
    }
}

/// Reads shared keys: lines of `identifier:key`, the key in hexadecimal, the identifier as text, or in hexadecimal after
/// `0x`. Empty lines and lines that begin with `#` are skipped. `origin` names the file in errors.
///
/// # Errors
/// [`SharedKeysError`] with the line, also for an identifier that occurs twice.
pub fn parse_shared_keys(text: &str, origin: &str) -> Result<Vec<KeyEncryptionKey>, SharedKeysError> {
    let mut keys: Vec<KeyEncryptionKey> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |problem: String| SharedKeysError {
            origin: origin.to_owned(),
            line: index + 1,
            problem,
        };
        let (identifier, key) = line
            .rsplit_once(':')
            .ok_or_else(|| wrong("there is no \":\" between identifier and key".to_owned()))?;
        let identifier = match identifier.trim().strip_prefix("0x") {
            Some(digits) => hexadecimal::decode(digits)
                .ok_or_else(|| wrong("the identifier after 0x is not hexadecimal".to_owned()))?,
            None => identifier.trim().as_bytes().to_vec(),
        };
        if identifier.is_empty() {
            return Err(wrong("the identifier is empty".to_owned()));
        }
        if keys.iter().any(|known| known.identifier() == identifier) {
            return Err(wrong("the identifier occurs twice".to_owned()));
        }
        let key =
            hexadecimal::decode(key.trim()).ok_or_else(|| wrong("the key is not hexadecimal".to_owned()))?;
        let key = Zeroizing::new(key);
        keys.push(KeyEncryptionKey::new(identifier, key).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_identifiers_as_text_and_as_numbers() {
        let text = "# keys\n\ndevice:7:000102030405060708090a0b0c0d0e0f\n0x0102 : 000102030405060708090A0B0C0D0E0F\n";
        let keys = parse_shared_keys(text, "keys").unwrap();
        let identifiers: Vec<&[u8]> = keys.iter().map(KeyEncryptionKey::identifier).collect();
        assert_eq!(identifiers, [&b"device:7"[..], &[1, 2]]);
    }

    #[test]
    fn names_file_and_line_and_never_the_key() {
        for (line, problem) in [
            ("device", "no \":\""),
            (":00", "empty"),
            ("a:zz", "not hexadecimal"),
            ("a:+1", "not hexadecimal"),
            ("a:abcdef", "3 bytes"),
            ("0xz:00", "after 0x"),
        ] {
            let error = parse_shared_keys(&format!("\n{line}"), "keys")
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("keys, line 2: ") && error.contains(problem),
                "{error}"
            );
            assert!(!error.contains("abcdef"));
        }
        let line = "a:000102030405060708090a0b0c0d0e0f\n";
        let error = parse_shared_keys(&line.repeat(2), "keys").unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }
}
