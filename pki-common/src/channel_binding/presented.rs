//! What a client presents as channel binding, compared with the connection it came on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use super::{ChannelBindingType, ChannelBindings, TLS_EXPORTER_BYTES, TLS_UNIQUE_BYTES};
use crate::ladder::{Diagnose, Failure, Rung, Side};

/// Longest challengePassword that is looked at, in characters. RFC 2985 section 5.4.1 allows 255; the base64 of
/// the longest binding has 44.
pub const MAX_PRESENTED_CHARACTERS: usize = 255;

/// Why a presented channel binding is not one of the connection. The client is at fault, or a proxy between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelBindingMismatch {
    /// Nothing to compare with.
    #[error("this connection has no channel binding, so the presented one cannot be checked")]
    ConnectionHasNone,
    /// The text is longer than any binding.
    #[error(
        "the presented channel binding has {characters} characters; at most {MAX_PRESENTED_CHARACTERS} are read"
    )]
    TooLong {
        /// Its length in characters.
        characters: usize,
    },
    /// The text is not base64.
    #[error("the presented channel binding is not base64: the character at position {position} is wrong")]
    NotBase64 {
        /// Position in the text without white space, from 0.
        position: usize,
    },
    /// The text is base64 of something that is no binding of this connection's types.
    #[error(
        "the presented channel binding has {bytes} bytes; a tls-unique has {TLS_UNIQUE_BYTES} and a \
         tls-exporter {TLS_EXPORTER_BYTES}"
    )]
    WrongLength {
        /// Bytes after decoding.
        bytes: usize,
    },
    /// It is the binding of another connection.
    #[error(
        "the presented channel binding belongs to another TLS connection than the one the request came on"
    )]
    OtherConnection,
}

impl Diagnose for ChannelBindingMismatch {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::ConnectionHasNone => {
                "Use TLS 1.2 with the extended master secret or TLS 1.3, and switch channel binding on for the server."
            }
            Self::TooLong { .. } | Self::NotBase64 { .. } | Self::WrongLength { .. } => {
                "Put the base64 of the connection's tls-unique or tls-exporter into the challengePassword, and nothing else."
            }
            Self::OtherConnection => {
                "Make the request anew on each connection; a proxy that ends TLS between client and server breaks the binding."
            }
        };
        Failure::new(Rung::Body, format!("{self}."), remedy).refused_by(Side::Local)
    }
}

impl ChannelBindings {
    /// Compares the text of a challengePassword with this connection and says which binding it is.
    ///
    /// White space in the text is skipped, wherever it is: clients break base64 into lines or end it with one (the
    /// client of libest did), and no white space can change which bytes are meant. Padding may be missing; anything
    /// else that is not base64 is refused. The comparison with the connection takes the same time whatever differs.
    ///
    /// ```
    /// use pki_common::channel_binding::{ChannelBindingMismatch, ChannelBindingType, ChannelBindings};
    ///
    /// let bindings = ChannelBindings::new(Some([0; 12]), None);
    /// assert_eq!(bindings.check("AAAAAAAAAAAAAAAA\n"), Ok(ChannelBindingType::TlsUnique));
    /// assert_eq!(bindings.check("AAAAAAAAAAAAAAAB"), Err(ChannelBindingMismatch::OtherConnection));
    /// ```
    ///
    /// # Errors
    /// [`ChannelBindingMismatch`]; the request must then be refused.
    pub fn check(&self, presented: &str) -> Result<ChannelBindingType, ChannelBindingMismatch> {
        if self.is_empty() {
            return Err(ChannelBindingMismatch::ConnectionHasNone);
        }
        let value = decode(presented)?;
        let equal = self
            .available()
            // Not `find`: each is compared, so that the time does not tell which one nearly matched.
            .map(|(binding, own)| (binding, bool::from(own.ct_eq(&value))))
            .fold(
                None,
                |found, (binding, equal)| if equal { Some(binding) } else { found },
            );
        match equal {
            Some(binding) => Ok(binding),
            None if value.len() != TLS_UNIQUE_BYTES && value.len() != TLS_EXPORTER_BYTES => {
                Err(ChannelBindingMismatch::WrongLength { bytes: value.len() })
            }
            None => Err(ChannelBindingMismatch::OtherConnection),
        }
    }
}

fn decode(presented: &str) -> Result<Vec<u8>, ChannelBindingMismatch> {
    if presented.len() > MAX_PRESENTED_CHARACTERS {
        return Err(ChannelBindingMismatch::TooLong {
            characters: presented.chars().count(),
        });
    }
    let text: String = presented
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .collect();
    let unpadded = text.trim_end_matches('=');
    let padding = text.len() - unpadded.len();
    // With padding the text must be whole; without, the standard's missing "=" are added.
    let padded = match (padding, unpadded.len() % 4) {
        (0, 2) => format!("{text}=="),
        (0, 3) => format!("{text}="),
        _ => text,
    };
    STANDARD
        .decode(&padded)
        .map_err(|error| ChannelBindingMismatch::NotBase64 {
            position: position_of(&error, padded.len()),
        })
}

fn position_of(error: &base64::DecodeError, length: usize) -> usize {
    match error {
        base64::DecodeError::InvalidByte(position, _)
        | base64::DecodeError::InvalidLastSymbol { offset: position, .. } => *position,
        _ => length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIQUE: [u8; TLS_UNIQUE_BYTES] = *b"verify_data!";
    const EXPORTER: [u8; TLS_EXPORTER_BYTES] = [0xfb; TLS_EXPORTER_BYTES];

    fn bindings() -> ChannelBindings {
        ChannelBindings::new(Some(UNIQUE), Some(EXPORTER))
    }

    #[test]
    fn says_which_binding_was_presented() {
        for binding in [ChannelBindingType::TlsUnique, ChannelBindingType::TlsExporter] {
            let presented = bindings().to_base64(binding).unwrap();
            assert_eq!(bindings().check(&presented), Ok(binding));
        }
    }

    #[test]
    fn accepts_white_space_anywhere_and_missing_padding() {
        let exporter = STANDARD.encode(EXPORTER);
        for presented in [
            "dmVyaWZ5X2RhdGEh\n".to_owned(),
            "\r\n dmVyaWZ5\tX2RhdGEh".to_owned(),
            exporter.trim_end_matches('=').to_owned(),
            format!("{}\n{}\n", &exporter[..20], &exporter[20..]),
        ] {
            assert!(bindings().check(&presented).is_ok(), "{presented:?}");
        }
    }

    #[test]
    fn refuses_the_binding_of_another_connection_however_near() {
        for bit in 0..TLS_UNIQUE_BYTES * 8 {
            let mut other = UNIQUE;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                bindings().check(&STANDARD.encode(other)),
                Err(ChannelBindingMismatch::OtherConnection),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_binding_and_says_what_it_is() {
        for (presented, mismatch) in [
            ("", ChannelBindingMismatch::WrongLength { bytes: 0 }),
            ("AAAA", ChannelBindingMismatch::WrongLength { bytes: 3 }),
            (
                "dmVyaWZ5X2RhdGE*",
                ChannelBindingMismatch::NotBase64 { position: 15 },
            ),
            (
                "dmVyaWZ5\u{a0}X2RhdGEh",
                ChannelBindingMismatch::NotBase64 { position: 8 },
            ),
            // URL-safe letters are another alphabet.
            (
                "-_-_-_-_-_-_-_-_",
                ChannelBindingMismatch::NotBase64 { position: 0 },
            ),
            (
                "dmVyaWZ5X2RhdGEh=",
                ChannelBindingMismatch::NotBase64 { position: 16 },
            ),
        ] {
            assert_eq!(bindings().check(presented), Err(mismatch), "{presented:?}");
        }
        let long = "A".repeat(MAX_PRESENTED_CHARACTERS + 1);
        assert_eq!(
            bindings().check(&long),
            Err(ChannelBindingMismatch::TooLong { characters: 256 })
        );
    }

    #[test]
    fn accepts_nothing_on_a_connection_without_binding() {
        for presented in ["", "AAAAAAAAAAAAAAAA"] {
            assert_eq!(
                ChannelBindings::default().check(presented),
                Err(ChannelBindingMismatch::ConnectionHasNone)
            );
        }
    }
}
