//! `nmsp identity` and `nmsp auth-info`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pki_common::certificate::Certificate;
use pki_common::identity::{Identity, NewKey, SelfSigned};
use pki_common::{HashAlgorithm, MacAddr};

use super::failure::CliError;
use super::{print, read};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes a self-signed identity with a MAC address in its common name: certificate.pem and key.pem.
    New {
        /// The MAC address that peers look up in their authlist.
        #[arg(long)]
        mac: MacAddr,
        /// A DNS name or IP address for the subject alternative names; may be given several times.
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// The folder to write to; it is created if it does not exist.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The kind of key.
        #[arg(long, value_enum, default_value_t = Key::EcP256)]
        key: Key,
        /// Overwrites files that exist.
        #[arg(long)]
        force: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Key {
    /// EC on P-256.
    #[value(name = "ec-p256")]
    EcP256,
    /// RSA with 2048 bits, for old peers.
    #[value(name = "rsa-2048")]
    Rsa2048,
}

pub(super) fn run(command: Command) -> Result<(), CliError> {
    let Command::New {
        mac,
        names,
        out,
        key,
        force,
    } = command;
    let key = match key {
        Key::EcP256 => NewKey::EcP256,
        Key::Rsa2048 => NewKey::Rsa2048,
    };
    let (certificate_path, key_path) = (out.join("certificate.pem"), out.join("key.pem"));
    if let (false, Some(existing)) = (
        force,
        [&certificate_path, &key_path]
            .into_iter()
            .find(|path| path.exists()),
    ) {
        let cause = format!("{} exists", existing.display());
        return Err(CliError::usage(
            cause,
            "choose another folder, or overwrite with --force",
        ));
    }
    std::fs::create_dir_all(&out).map_err(|source| CliError::File {
        path: out.clone(),
        source,
    })?;
    let identity = Identity::self_signed(SelfSigned {
        key,
        subject_alternative_names: names,
        ..SelfSigned::new(mac)
    })
    .map_err(|e| CliError::of(&e))?;
    identity
        .save(&certificate_path, &key_path)
        .map_err(|error| CliError::of(&error))?;
    print(&identity.server_auth_info())
}

/// Reads a certificate; with the MAC address that authlists find its holder by.
pub(super) fn certificate(path: &Path) -> Result<(Certificate, MacAddr), CliError> {
    let bytes = read(path)?;
    let parsed = if bytes.starts_with(&[0x30]) {
        Certificate::from_der(&bytes)
    } else {
        Certificate::from_pem(&bytes)
    };
    let certificate = parsed.map_err(|error| CliError::of(&error))?;
    let Some(mac) = certificate.subject_mac() else {
        let cause = format!(
            "{}: the subject {} has no MAC address at its end",
            path.display(),
            certificate.subject()
        );
        return Err(CliError::usage(
            cause,
            "use a certificate whose common name ends in a hyphen and a MAC address",
        ));
    };
    Ok((certificate, mac))
}

/// Prints in the shape of `show server-auth-info`, without the private key at hand.
pub(super) fn auth_info(path: &Path) -> Result<(), CliError> {
    let (certificate, mac) = certificate(path)?;
    print(&format!(
        "----------------\nServer Auth Info\n----------------\n\
         MAC Address: {mac}\nSHA1 Key Hash: {}\nSHA2 Key Hash: {}\nCertificate Type: {}\n",
        certificate.key_hash(HashAlgorithm::Sha1),
        certificate.key_hash(HashAlgorithm::Sha256),
        certificate.certificate_type(),
    ))
}
