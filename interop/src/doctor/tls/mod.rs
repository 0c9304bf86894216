//! TLS, looked at from three sides.
//!
//! | module | what it does |
//! |---|---|
//! | `hello` | writes a ClientHello of any version and reads the first answer: no key is ever agreed |
//! | `versions` | which versions a server accepts and which suite it chooses for each, by such hellos |
//! | `certificate` | the chain as it is presented, looked at without being trusted |
//! | `handshake` | the handshake as our clients make it: what is asked of us, and who refuses whom |
//! | `client_certificate` | notices that, and when, a server asks for a certificate |

mod certificate;
mod client_certificate;
mod handshake;
mod hello;
mod versions;

pub(super) use certificate::{describe, look, note_validity};
pub(super) use handshake::{Handshake, Terms, shake};
pub(super) use versions::probe;
