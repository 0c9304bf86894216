//! The text forms of an authlist.

use std::fmt;
use std::str::FromStr;

use crate::authlist::import::{strip_keywords, without_pager, without_prompt};
use crate::ladder::{Diagnose, Failure, Rung};

/// A list that says in so many words that it has no entry. A file without a line of any format may be one that is just
/// being written and is refused.
pub(super) const EMPTY_TOML: &str = "entry = []\n";

/// A text form of an authlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthListFormat {
    /// AireOS: `config auth-list add lbs-ssc 00:50:56:9c:34:89 e0af…` lines (F001-42).
    AireOs,
    /// IOS-XE: `username 0050569c3489 aaa attribute list NMSP` and its attribute list (F001-06).
    IosXe,
    /// What `show server-auth-info` of a location server prints (F001-04).
    ServerAuthInfo,
    /// Comma-separated values with the header `mac,type,key_hash`.
    Csv,
    /// TOML, one `[[entry]]` with `mac`, `type` and `key_hash` each.
    Toml,
}

impl AuthListFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::AireOs,
        Self::IosXe,
        Self::ServerAuthInfo,
        Self::Csv,
        Self::Toml,
    ];

    /// The word this format is chosen with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AireOs => "aireos",
            Self::IosXe => "iosxe",
            Self::ServerAuthInfo => "server-auth-info",
            Self::Csv => "csv",
            Self::Toml => "toml",
        }
    }

    /// The format of a text, by its first telling line. `None` when no line tells.
    ///
    /// This is a guess for convenience: [`AuthList::import`](crate::authlist::AuthList::import) then reads the
    /// whole text by the rules of that one format.
    pub fn detect(text: &str) -> Option<Self> {
        text.lines().find_map(Self::of_line)
    }

    fn of_line(line: &str) -> Option<Self> {
        let line = without_prompt(without_pager(line.trim_start_matches('\u{feff}')));
        let starts_with = |keywords: &[&str]| strip_keywords(line, keywords).is_some();
        if starts_with(&["config", "auth-list"]) {
            Some(Self::AireOs)
        } else if starts_with(&["username"]) || starts_with(&["aaa"]) || starts_with(&["attribute", "type"]) {
            Some(Self::IosXe)
        } else if line == "[[entry]]" || line == EMPTY_TOML.trim_end() {
            Some(Self::Toml)
        } else if super::csv_table::is_header(line) {
            Some(Self::Csv)
        } else if starts_with(&["Server", "Auth", "Info"])
            || starts_with(&["show", "server-auth-info"])
            || starts_with(&["invoke", "command:"])
            || starts_with(&["MAC", "Address:"])
        {
            Some(Self::ServerAuthInfo)
        } else {
            None
        }
    }
}

impl fmt::Display for AuthListFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AuthListFormat {
    type Err = UnknownAuthListFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or(UnknownAuthListFormat)
    }
}

/// A word that names no authlist format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown authlist format; expected aireos, iosxe, server-auth-info, csv or toml")]
pub struct UnknownAuthListFormat;

impl Diagnose for UnknownAuthListFormat {
    fn diagnose(&self) -> Failure {
        Failure::new(
            Rung::Local,
            format!("{self}."),
            "Name the format that the text was written in.",
        )
    }
}
