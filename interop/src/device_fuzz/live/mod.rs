//! What can be written only while a case is played: a request that is linked to its connection (RFC 7030 section 3.5), and
//! the answer to a Digest challenge (RFC 7616).
//!
//! A case says what is done to the right thing; the right thing is made when the connection is there. Everything else in
//! it is bytes, so the same case on a connection with the same binding or challenge sends the same bytes.

mod digest;
mod linked;

use core::fmt;

use serde::{Deserialize, Serialize};

use super::case::{Hex, Step};
use super::link::Link;
use super::play::End;

/// Bytes of which some are known only when they are sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Part {
    /// These.
    Bytes(Hex),
    /// The channel binding of a connection; nothing if it has none.
    Binding {
        /// Which one, the first is 0; without it that of the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connection: Option<usize>,
        /// How it is written.
        form: BindingForm,
        /// So many bytes at its beginning are left out.
        #[serde(default)]
        skip: usize,
        /// And no more than so many are taken.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        take: Option<usize>,
    },
    /// An element of DER: its tag, its length, and these parts.
    Element {
        /// One octet.
        tag: u8,
        /// The content.
        parts: Vec<Self>,
    },
}

/// How a channel binding is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BindingForm {
    /// As RFC 7030 section 3.5 has it.
    Base64,
    /// In the alphabet of URLs (RFC 4648 section 5).
    Base64Url,
    /// In hexadecimal digits.
    Hexadecimal,
    /// As it is.
    Octets,
}

/// How a Digest challenge is answered.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The connection that has the challenge, the first is 0; without it that of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenged: Option<usize>,
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
    /// The method that the response is for.
    pub method: String,
    /// The target that the response is for.
    pub uri: String,
    /// The nonce of the client.
    pub cnonce: String,
    /// How often the nonce has been used.
    pub count: u32,
    /// Is put behind the server's nonce before the response is computed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nonce_suffix: String,
    /// What is replaced in the finished header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// Without the password.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("challenged", &self.challenged)
            .field("user", &self.user)
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("count", &self.count)
            .field("nonce_suffix", &self.nonce_suffix)
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// A replacement in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What is replaced; nothing stands for the end.
    pub from: String,
    /// By what.
    pub to: String,
}

impl Part {
    /// An element of DER.
    #[must_use]
    pub fn element(tag: u8, parts: Vec<Self>) -> Self {
        Self::Element { tag, parts }
    }

    /// Bytes that are known.
    #[must_use]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Hex(bytes.into()))
    }

    /// Gives connections other numbers; `None` when one that it needs has none any more.
    pub(super) fn renumber(&mut self, new: &impl Fn(usize) -> Option<usize>) -> Option<()> {
        match self {
            Self::Bytes(_) => {}
            Self::Binding { connection, .. } => {
                if let Some(connection) = connection {
                    *connection = new(*connection)?;
                }
            }
            Self::Element { parts, .. } => {
                for part in parts {
                    part.renumber(new)?;
                }
            }
        }
        Some(())
    }

    /// How many of its bytes are known.
    #[must_use]
    pub fn known(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.0.len()).unwrap_or(u64::MAX),
            Self::Binding { .. } => 0,
            Self::Element { parts, .. } => parts.iter().map(Self::known).sum(),
        }
    }
}

/// What a step sends on a connection, where that depends on the connections.
pub(super) fn bytes(step: &Step, current: usize, links: &[Result<Link, End>]) -> Option<Vec<u8>> {
    let link = |number: Option<usize>| links.get(number.unwrap_or(current))?.as_ref().ok();
    match step {
        Step::SendLinked { head, info, key } => {
            let binding = |number| link(number).and_then(Link::binding);
            Some(linked::request(&head.0, info, &key.0, &binding))
        }
        Step::SendDigest { head, body, login } => {
            let received = link(login.challenged).map(Link::received).unwrap_or_default();
            Some(digest::request(&head.0, &body.0, login, received))
        }
        _ => None,
    }
}
