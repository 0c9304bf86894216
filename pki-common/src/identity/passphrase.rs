//! What an encrypted private key is opened by.

use core::fmt;

use zeroize::Zeroizing;

/// A passphrase. `Debug` does not show it, and it is wiped when dropped.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase; `None` for an empty one, which protects nothing.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = Zeroizing::new(text.into());
        (!text.is_empty()).then_some(Self(text))
    }

    /// The passphrase in UTF-8, for the functions that encrypt and decrypt.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_not_shown_and_not_empty() {
        let passphrase = Passphrase::new("correct horse").unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
        assert_eq!(passphrase.as_bytes(), b"correct horse");
        assert!(Passphrase::new("").is_none());
    }
}
