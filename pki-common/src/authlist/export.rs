//! Writing an authlist as text.

use crate::authlist::{AuthList, AuthListEntry, AuthListFormat};
use crate::ladder::{Diagnose, Failure, Rung};

impl AuthList {
    /// Writes the list as text, ordered by MAC address. What is written imports as the same list.
    ///
    /// # Errors
    /// [`ExportError`] names the first entry that the format cannot carry. AireOS, CSV and TOML carry all.
    pub fn export(&self, format: AuthListFormat) -> Result<String, ExportError> {
        let entries = self.sorted();
        match format {
            AuthListFormat::AireOs => Ok(super::aireos::write(&entries)),
            AuthListFormat::IosXe => super::ios_xe::write(&entries),
            AuthListFormat::ServerAuthInfo => super::server_auth_info::write(&entries),
            AuthListFormat::Csv => Ok(super::csv_table::write(&entries)),
            AuthListFormat::Toml => Ok(super::toml_table::write(&entries)),
        }
    }
}

/// An entry that a format cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {format} format cannot carry the authlist entry \"{entry}\": {reason}")]
#[non_exhaustive]
pub struct ExportError {
    /// The format.
    pub format: AuthListFormat,
    /// The entry.
    pub entry: AuthListEntry,
    /// Why not.
    pub reason: &'static str,
}

impl Diagnose for ExportError {
    fn diagnose(&self) -> Failure {
        Failure::new(
            Rung::Local,
            format!("{self}."),
            "Export to toml or csv, which carry every entry, or leave that entry out.",
        )
    }
}
