//! A lab for both sides: identities, authlists and configuration, made on the spot.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pki_common::MacAddr;
use pki_common::identity::{Identity, SelfSigned};

use crate::cli::failure::CliError;

/// Addresses of the lab: locally administered, they belong to nobody's device.
const CONTROLLER: MacAddr = MacAddr::new([0x02, 0x00, 0x00, 0x00, 0x00, 0x01]);
const LOCATION_SERVER: MacAddr = MacAddr::new([0x02, 0x00, 0x00, 0x00, 0x00, 0x02]);

const SIMULATE: &str = "# The simulated controller. Paths are relative to this file.\n\
    listen = \"127.0.0.1:16113\"\n\
    certificate = \"controller/certificate.pem\"\n\
    key = \"controller/key.pem\"\n\n\
    [authlist]\n\
    file = \"location-servers.txt\"\n\n\
    # RESTCONF, metrics and `nmsp show`:\n\
    # [admin]\n\
    # listen = \"127.0.0.1:16180\"\n";

/// Makes what is not there yet, and returns the controller's configuration file.
pub(super) fn prepare(folder: &Path) -> Result<PathBuf, CliError> {
    let config = folder.join("simulate.toml");
    if config.exists() {
        return Ok(config);
    }
    identity(
        &folder.join("controller"),
        CONTROLLER,
        &folder.join("controllers.txt"),
    )?;
    identity(
        &folder.join("location-server"),
        LOCATION_SERVER,
        &folder.join("location-servers.txt"),
    )?;
    // Last: who finds it finds everything.
    write(&config, SIMULATE)?;
    Ok(config)
}

fn identity(folder: &Path, mac: MacAddr, authlist: &Path) -> Result<(), CliError> {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    if let Some(existing) = [&certificate, &key].into_iter().find(|path| path.exists()) {
        return Err(CliError::usage(
            format!("{} exists, but the lab is not complete", existing.display()),
            "choose another folder, or remove what is left of the lab",
        ));
    }
    std::fs::create_dir_all(folder).map_err(|source| CliError::File {
        path: folder.to_owned(),
        source,
    })?;
    let identity = Identity::self_signed(SelfSigned::new(mac)).map_err(|error| CliError::of(&error))?;
    identity
        .save(&certificate, &key)
        .map_err(|error| CliError::of(&error))?;
    write(authlist, &identity.server_auth_info())
}

/// Writes the configuration of the other side and says how to start it.
pub(super) fn introduce(folder: &Path, address: SocketAddr) -> Result<String, CliError> {
    let connect = folder.join("connect.toml");
    let text = format!(
        "# A location server for the simulated controller. Paths are relative to this file.\n\
         controller = [\"{address}\"]\n\
         certificate = \"location-server/certificate.pem\"\n\
         key = \"location-server/key.pem\"\n\
         controller-authlist = \"controllers.txt\"\n"
    );
    write(&connect, &text)?;
    Ok(format!(
        "the other side: nmsp connect --config {}\n",
        connect.display()
    ))
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    })
}
