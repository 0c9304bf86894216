//! The public key infrastructure below NMSP and EST: who a peer is, whether it is admitted, and why not.
//!
//! A wireless controller and a location server meet over mutual TLS. The controller first validates the peer's
//! certificate, then asks its authlist for the MAC address in the subject and the hash of the public key. This
//! crate holds those parts and knows neither protocol.
//!
//! # Modules
//!
//! | module | what it does |
//! |---|---|
//! | [`MacAddr`], [`KeyHash`] | the two facts an authlist entry pins, read as devices print them |
//! | [`certificate`] | a typed view of an X.509 certificate |
//! | [`signature`] | signature verification, weak algorithms by explicit policy |
//! | [`authlist`] | the authlist, its refusals, its import and export |
//! | [`Fingerprint`] | the digest of a whole certificate, as a person compares it |
//! | [`pinning`] | certificates that are trusted because they were seen before |
//! | [`revocation`] | revocation lists, and whether a certificate is on one |
//! | [`trust_store`] | anchors per role, path validation, expected names |
//! | [`identity`] | a certificate with its private key, made or loaded |
//! | [`tls`] | rustls configurations and the verifiers that ask trust store and authlist |
//! | [`channel_binding`] | what proves that a request was made for this very TLS connection |
//! | [`clock`] | the time that validity is measured by |
//! | [`Escaped`] | text that somebody else chose, harmless for logs and terminals |
//! | [`ladder`] | on which rung a connection failed, who refused, the cause and the remedy |
//!
//! # Example
//!
//! The configuration of Cisco document 200206 lacks three digits of the key hash. It is refused, and the
//! location server's own output tells why.
//!
//! ```
//! use pki_common::Diagnose as _;
//! use pki_common::authlist::{AuthList, AuthListFormat};
//!
//! let printed_by_the_server = "
//!     MAC Address: 00:50:56:9c:34:89
//!     SHA1 Key Hash: e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0
//!     SHA2 Key Hash: 6ab919e20afc103d025aaf210c2a9dda151af9403ef52e80a35ae1ecb6d3c177
//!     Certificate Type: SSC";
//! let configured = "
//! username 0050569c3489 aaa attribute list NMSP
//! aaa attribute list NMSP
//!  attribute type password 6ab919e20afc103d025aaf210c2a9dda151af9403ef52e35ae1ecb6d3c 177";
//!
//! let known = AuthList::import(AuthListFormat::ServerAuthInfo, printed_by_the_server)?;
//! let refused = AuthList::import_with_known(AuthListFormat::IosXe, configured, &known).unwrap_err();
//! assert!(refused.diagnose().cause.contains("46 leading and 15 trailing digits agree"));
//! # Ok::<(), pki_common::authlist::ImportError>(())
//! ```
//!
//! # Features
//!
//! `aws-lc-rs` (default) or `ring` choose the crypto provider. With neither, the process must install a rustls
//! provider before it uses [`tls`], and ECDSA signatures verify only then.
//!
//! Numbers such as F001-27 count the facts of the vendor documents that this project works from.

mod escaped;
mod fingerprint;
mod key_hash;
mod mac;
mod shared;

pub mod authlist;
pub mod certificate;
pub mod channel_binding;
pub mod clock;
pub mod identity;
pub mod ladder;
pub mod pinning;
pub mod revocation;
pub mod signature;
pub mod tls;
pub mod trust_store;

pub use certificate::{Certificate, CertificateType};
pub use escaped::Escaped;
pub use fingerprint::{Fingerprint, FingerprintParseError};
pub use key_hash::{HashAlgorithm, KeyHash, KeyHashParseError, NearMiss, NearMissKind};
pub use ladder::{Alert, Diagnose, Failure, KnownCause, Rung, Side, TlsFault};
pub use mac::{MacAddr, MacFormat, MacParseError};
