//! Sessions in files: every message of both directions with its time, to look at, to keep and to play again.
//!
//! The format is JSON Lines. The first line is the head ([`Head`]), every other line one message ([`Entry`]):
//!
//! ```text
//! {"nmsp-session":1,"role":"location-server","started-us":1433612873000000,"peer":"192.0.2.9:16113"}
//! {"us":1520,"direction":"to-location-server","message":"Capability Notification","bytes":"01000007..."}
//! {"us":1901,"direction":"to-controller","message":"Service Subscribe Request","bytes":"0100001e..."}
//! ```
//!
//! `started-us` is microseconds since 1970-01-01T00:00:00Z, `us` microseconds since then. `bytes` is the whole message as it
//! was on the wire below TLS; `message` is for readers only. A profile that is not the built-in one stands in the head as the
//! text of its TOML file, so the file can be read without anything else. A line that was cut when its writer was killed is
//! the only one that may be incomplete, and is passed over.

mod error;
mod reader;
mod replay;
mod writer;

pub mod oracle;

use core::time::Duration;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use error::SessionFileError;
pub use reader::SessionReader;
pub use replay::{Difference, Next, Replay, Reply};
pub use writer::{Recorder, SessionWriter};

use crate::capture::Direction;
use crate::proto::Role;
use crate::wire::WireProfile;

/// What every session file starts with.
pub const MARK: &str = "{\"nmsp-session\":";

/// The version of the format.
pub const FORMAT_VERSION: u32 = 1;

/// The longest line: a message of 1 MiB, sixteen times what receivers take unless told otherwise, in digits.
pub const MAX_LINE: usize = 2 * 1024 * 1024 + 4096;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Head {
    /// [`FORMAT_VERSION`].
    #[serde(rename = "nmsp-session")]
    pub version: u32,
    /// Who recorded: "controller", "location-server", or "observer" for a recording made from a capture.
    pub role: String,
    /// When the recording began, in microseconds since 1970-01-01T00:00:00Z.
    pub started_us: u64,
    /// The address of the other side, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The text of the profile's TOML file; the built-in profile if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

impl Head {
    /// A head for a recording that begins at this time since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn new(role: &str, started: Duration, profile: &WireProfile) -> Self {
        let text = profile.to_toml();
        Self {
            version: FORMAT_VERSION,
            role: role.to_owned(),
            started_us: u64::try_from(started.as_micros()).unwrap_or(u64::MAX),
            peer: None,
            profile: (text != WireProfile::built_in().to_toml()).then_some(text),
        }
    }

    /// When the recording began, since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn started(&self) -> Duration {
        Duration::from_micros(self.started_us)
    }

    /// The profile that the messages are of.
    ///
    /// # Errors
    /// If the text in the head is no profile.
    pub fn wire_profile(&self) -> Result<Arc<WireProfile>, SessionFileError> {
        match &self.profile {
            None => Ok(Arc::clone(WireProfile::built_in())),
            Some(text) => {
                WireProfile::from_toml(text)
                    .map(Arc::new)
                    .map_err(|error| SessionFileError::Profile {
                        cause: error.to_string(),
                    })
            }
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, since the start of the recording. Kept in microseconds.
    pub time: Duration,
    /// Who sent it.
    pub direction: Direction,
    /// Header and body.
    pub bytes: Vec<u8>,
}

/// The direction of what this role sends.
#[must_use]
pub const fn sent_by(role: Role) -> Direction {
    match role {
        Role::Controller => Direction::ToLocationServer,
        Role::LocationServer => Direction::ToController,
    }
}
