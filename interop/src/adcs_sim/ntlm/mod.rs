//! NTLM as a server speaks it inside HTTP (MS-NLMP, MS-NTHT): the challenge, and the check of the answer.
//!
//! Only NTLMv2 is accepted, as domain controllers are told to since long; a client's NTLMv1 answer counts as a wrong
//! password. Nothing here is written for the client of this project, which is checked against it.
//!
//! | module | what it holds |
//! |---|---|
//! | `message` | the three messages, bytes <-> types |
//! | `keys` | the hashes and session keys of NTLMv2 |
//! | `acceptor` | one handshake |

mod acceptor;
mod keys;
mod message;

pub(super) use acceptor::{Handshake, NtlmRefusal, ServerNames};
pub(super) use message::{MessageType, message_type};
