//! What old devices speak and rustls does not: TLS 1.0 and 1.1, key exchange with static RSA (F001-17), and DTLS 1.2 for
//! the connectionless form. OpenSSL does it; everything around it is the same as with rustls: the certificate is judged
//! first and then the authlist, on every connection and with no session resumption, by the same code; counters, log and
//! the ladder of failures are the same.
//!
//! DTLS carries one message in one record and one datagram. A message that is longer than a record (16,384 bytes) is
//! refused before it is sent, with an error that says so; a record that is not whole messages is dropped; lost messages stay lost. A peer is remembered
//! only after it has returned a cookie, and bounded from then on by the limits of the other transports.
//!
//! It is off unless somebody asks for it, and says so in the log, because it is weak:
//!
//! - Static RSA has no forward secrecy: who records the traffic and gets the controller's key later reads all of it.
//! - TLS 1.0 and 1.1 sign their handshakes with MD5 and SHA-1 and are withdrawn (RFC 8996).
//! - OpenSSL's security level is 0 here, and only here.
//!
//! Where OpenSSL's alerts differ from those of rustls, on the same fault of the peer:
//!
//! | fault | rustls | here |
//! |---|---|---|
//! | no certificate | 116 `certificate_required` | 40 `handshake_failure`, as TLS before 1.3 has no other |
//! | revoked certificate | 44 `certificate_revoked` | 42 `bad_certificate`: OpenSSL's safe interface cannot say 44 |
//! | no TLS at all | 50 `decode_error` | none, or 70 `protocol_version` |

mod codes;
mod config;
mod dtls;
mod failure;
mod judge;
mod session;
mod stream;

pub use config::{Carrier, DEFAULT_CIPHERS, LegacyTransport, LegacyVersion};
pub(crate) use dtls::{DatagramSocket, DtlsIncoming, DtlsListener, DtlsStream, LONGEST_DTLS_MESSAGE};
pub(crate) use failure::LegacyTlsError;
pub(crate) use session::Session;
pub(crate) use stream::{LegacyStream, accept_dtls, handshake};
