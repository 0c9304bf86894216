//! Step 2: the controller learns the location server's MAC address and key hash, from the text a person would paste.

use std::io::Write;

use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::{Failure, HashAlgorithm};

use super::enrolment::Devices;
use super::failure::diagnosed;
use super::folder::LabFolder;
use super::{quote, say};

/// Imports the location server's `show server-auth-info` text into the controller's authlist.
///
/// # Errors
/// The text does not import, or a file cannot be written.
pub fn run(folder: &LabFolder, devices: &Devices, out: &mut dyn Write) -> Result<SharedAuthList, Failure> {
    let text = devices.location_server.server_auth_info();
    folder
        .write("location-server/server-auth-info.txt", &text)
        .map_err(diagnosed)?;
    let authlist = AuthList::import(AuthListFormat::ServerAuthInfo, &text).map_err(diagnosed)?;
    say(out, "the text above, imported into the controller's authlist:");
    for entry in authlist.sorted() {
        let hash = entry
            .key_hash
            .map_or_else(|| "-".to_owned(), |hash| hash.to_string());
        say(out, format!("    {}  {:<16}  {hash}", entry.mac, entry.list_type));
    }
    say(
        out,
        "the same for an IOS-XE controller, which takes the SHA-256 hash:",
    );
    let mut sha256_only = authlist.clone();
    sha256_only.retain(|entry| {
        entry
            .key_hash
            .is_some_and(|hash| hash.algorithm() == HashAlgorithm::Sha256)
    });
    quote(
        out,
        &sha256_only.export(AuthListFormat::IosXe).map_err(diagnosed)?,
    );
    let toml = authlist.export(AuthListFormat::Toml).map_err(diagnosed)?;
    folder
        .write("controller/authlist.toml", &toml)
        .map_err(diagnosed)?;
    Ok(SharedAuthList::new(authlist))
}
