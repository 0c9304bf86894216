//! What can be wrong with the bytes a peer sent.

use pki_common::{Diagnose, Failure, Rung};

/// A body that cannot be decoded. Always the sender's fault.
///
/// Positions are byte offsets, counted from 0, into the bytes that the failing decoder was given: the body for
/// base64 and PEM, the DER for everything behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The input is longer than the limit.
    #[error("the {what} is longer than the limit of {limit} bytes")]
    TooLong {
        /// What is too long, for example "certification request".
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// There are more elements than the limit allows.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// What there are too many of, in the plural.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The body is empty, or only white space.
    #[error("the {what} is empty")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// Not base64 as RFC 8951 and RFC 4648 section 4 define it.
    #[error("base64, byte {position}: {problem}")]
    Base64 {
        /// Offset of the offending byte in the body, white space counted.
        position: usize,
        /// What is wrong there.
        problem: Base64Problem,
    },
    /// PEM armour that is not closed, not opened or of another kind.
    #[error("PEM armour, byte {position}: {problem}")]
    Pem {
        /// Offset in the body.
        position: usize,
        /// What is wrong there.
        problem: String,
    },
    /// Not the ASN.1 structure that belongs here.
    #[error("{field}, byte {position}: {problem}")]
    Der {
        /// Offset of the offending element in the decoded bytes.
        position: usize,
        /// The ASN.1 field that was being read.
        field: &'static str,
        /// What is wrong there.
        problem: DerProblem,
    },
    /// A multipart body that does not follow RFC 2046 section 5.1.
    #[error("multipart body, byte {position}: {problem}")]
    Multipart {
        /// Offset in the body.
        position: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A media type that does not follow RFC 9110 section 8.3.1.
    #[error("media type, byte {position}: {problem}")]
    MediaType {
        /// Offset in the header's value.
        position: usize,
        /// What is wrong there.
        problem: &'static str,
    },
}

/// What is wrong with a base64 body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Base64Problem {
    /// A byte outside the alphabet.
    #[error("0x{0:02x} is not a base64 character")]
    NotInAlphabet(u8),
    /// Something other than white space follows the padding.
    #[error("there is data behind the final padding")]
    BehindPadding,
    /// The number of characters is not a multiple of four, or the padding is missing.
    #[error("the body ends within a group of four characters; is it cut off?")]
    Truncated,
    /// The last character carries bits that do not belong to the data.
    #[error("the last character carries unused bits; is the body damaged?")]
    UnusedBits,
}

/// What is wrong with an ASN.1 element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DerProblem {
    /// Another tag stands here.
    #[error("expected {expected}, found tag 0x{found:02x}")]
    WrongTag {
        /// What belongs here.
        expected: &'static str,
        /// The tag octet found.
        found: u8,
    },
    /// The input ends before the element does.
    #[error("the element needs {needed} more bytes than there are")]
    Truncated {
        /// Bytes missing (at least).
        needed: usize,
    },
    /// Bytes follow where the structure ends.
    #[error("{0} bytes follow where the structure ends")]
    TrailingBytes(usize),
    /// A length that is not in its shortest definite form.
    #[error("the length is not in the form that DER demands")]
    Length,
    /// A tag number above 30, which none of the structures read here has.
    #[error("multi-byte tags do not occur in this structure")]
    MultiByteTag,
    /// Elements are nested too deeply.
    #[error("elements are nested more than {0} deep")]
    TooDeep(usize),
    /// The value does not have the form its type demands.
    #[error("{0}")]
    Value(String),
    /// An element that may occur once occurs again.
    #[error("{0} occurs twice")]
    Duplicate(String),
}

/// A certification request that is not acceptable as such, before any issuance policy is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrError {
    /// The bytes are not a certification request.
    #[error("not a certification request: {0}")]
    Wire(#[from] WireError),
    /// The request's own signature does not fit its public key (RFC 2986 section 4.2).
    #[error(
        "the signature of the certification request is wrong: it was not made by the key in the request over these bytes"
    )]
    BadSignature,
    /// The public key or the signature algorithm is malformed.
    #[error("the certification request cannot be checked: {0}")]
    BadKey(String),
    /// The request is signed in a way that this build cannot check.
    #[error("the certification request is signed with an unsupported algorithm: {0}")]
    UnsupportedAlgorithm(String),
    /// The request's key or signature algorithm is too weak, or the key is out of all proportion.
    #[error("the certification request is not acceptable: {0}")]
    TooWeak(String),
}

impl Diagnose for WireError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::TooLong { .. } | Self::TooMany { .. } => {
                "Send a smaller message, or raise the limit in the receiver's configuration."
            }
            Self::Empty { .. } => "Send the message in the body of the request.",
            Self::Base64 { .. } => {
                "Encode the DER in base64 (RFC 8951 section 3), for instance with `openssl base64`."
            }
            Self::Pem { .. } => "Send the file as `openssl req` writes it, or base64 without armour.",
            Self::Der { .. } => {
                "Look at the bytes with `openssl asn1parse -inform DER -i` and make the message anew."
            }
            Self::Multipart { .. } => {
                "Send a multipart body with the boundary of its Content-Type and the whole length in Content-Length."
            }
            Self::MediaType { .. } => "Send a Content-Type of the form type/subtype (RFC 9110 section 8.3).",
        };
        Failure::new(Rung::Body, self.to_string(), remedy)
    }
}

impl Diagnose for CsrError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Wire(error) => {
                return Failure {
                    cause: self.to_string(),
                    ..error.diagnose()
                };
            }
            Self::BadSignature => {
                "Make the request anew with the private key it is for, and send it without changing a byte."
            }
            Self::BadKey(_) => "Make the request anew, for instance with `openssl req -new`.",
            Self::UnsupportedAlgorithm(_) => {
                "Sign with ECDSA on P-256 or P-384, RSA from 2048 bits, or Ed25519."
            }
            Self::TooWeak(_) => {
                "Make a new key (P-256, or RSA with 2048 bits or more) and sign the request with SHA-256."
            }
        };
        Failure::new(Rung::Body, self.to_string(), remedy)
    }
}
