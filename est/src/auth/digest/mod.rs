//! HTTP Digest (RFC 7616, and RFC 2617 for old clients), both ends of it.
//!
//! | file | what it does |
//! |---|---|
//! | `algorithm.rs` | SHA-256 and MD5, the secrets `HA1`, the response |
//! | `credentials.rs` | reads an `Authorization: Digest` header |
//! | `challenge.rs` | the client: reads `WWW-Authenticate`, answers the strongest challenge |
//! | `nonce.rs` | nonces that several server processes recognise without talking to each other |
//! | `replay.rs` | which nonce counts were used |
//! | `verifier.rs` | the server: makes challenges and verifies answers |
//! | `secrets.rs` | the file of secrets, in the form of Apache's `htdigest` |
//!
//! Only `qop=auth` is offered. `auth-int` hashes the body as well, which the server would have to read before it knows
//! the client; within TLS it adds nothing. User names are not hashed (`userhash`) for the same reason.

mod algorithm;
mod challenge;
mod credentials;
mod nonce;
pub mod oracle;
mod replay;
mod secrets;
mod verifier;

pub use algorithm::{DigestAlgorithm, DigestSecret};
pub(super) use algorithm::{bytes_of, hexadecimal as text_of};
pub use challenge::{DigestAnswer, DigestChallenge, answer};
pub use credentials::{DigestCredentials, DigestError, MAX_DIGEST_HEADER};
pub use nonce::{NonceKey, NonceKeyError};
pub use secrets::{DigestSecrets, SecretFault, SecretFileError, SecretLineFault};
pub use verifier::{
    DEFAULT_NONCE_LIFETIME, DEFAULT_NONCES_REMEMBERED, DigestRequest, DigestSettings, DigestVerdict,
    DigestVerifier,
};
