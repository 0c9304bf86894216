//! Bytes to types and back, without I/O.
//!
//! Decoders are bounded: every size that a peer controls has a limit, and every error names the byte it is about.

pub mod base64;
pub mod certs_only;
pub mod cmc;
pub mod cms;
pub mod csr;
pub mod csr_attributes;
pub mod label;
pub mod media_type;
pub mod multipart;
pub mod server_key;

pub(crate) mod asn1;
pub(crate) mod hexadecimal;
