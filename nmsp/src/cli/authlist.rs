//! `nmsp authlist`.

use std::path::{Path, PathBuf};

use pki_common::authlist::{AuthList, AuthListEntry, AuthListFormat, AuthListType};
use pki_common::identity::write_public;
use pki_common::{CertificateType, HashAlgorithm, KeyHash, MacAddr};

use super::failure::CliError;
use super::{identity, print, read_text};

/// What becomes of the file.
const REWRITTEN: &str = "The file is replaced at once by a whole new one in its format. What the format does not carry, such as \
                         comments, is not kept. `nmsp serve` notices.";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Adds entries to a list: of a certificate, of another list, or as given. The file is made if it is not there.
    #[command(after_help = REWRITTEN, group = clap::ArgGroup::new("what").required(true).args(["certificate", "list", "mac"]))]
    Add {
        /// The list.
        file: PathBuf,
        /// The format of a new list; toml if not given. A list that is there keeps its own.
        #[arg(long, value_name = "FORMAT")]
        format: Option<AuthListFormat>,
        /// The holder of this certificate, PEM or DER, by its MAC address and the SHA-256 hash of its key.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
        /// Every entry of this list, any format; for instance what `nmsp auth-info` printed.
        #[arg(long, value_name = "FILE")]
        list: Option<PathBuf>,
        /// The device with this MAC address.
        #[arg(long, value_name = "MAC", requires = "list_type")]
        mac: Option<MacAddr>,
        /// With --mac: mic, ssc, lsc, lbs-ssc or sha256-lbs-ssc.
        #[arg(long = "type", value_name = "TYPE", requires = "mac")]
        list_type: Option<AuthListType>,
        /// With --mac: the hash of its public key, SHA-1 or SHA-256.
        #[arg(long, value_name = "HASH", requires = "mac")]
        key_hash: Option<KeyHash>,
    },
    /// Removes every entry of these MAC addresses from a list.
    #[command(after_help = REWRITTEN)]
    Remove {
        /// The list.
        file: PathBuf,
        /// The MAC addresses.
        #[arg(value_name = "MAC", required = true)]
        macs: Vec<MacAddr>,
    },
    /// Reads a list in any format and prints it as TOML.
    Import {
        /// aireos, iosxe, server-auth-info, csv or toml; recognised by its text if not given.
        #[arg(long, value_name = "FORMAT")]
        from: Option<AuthListFormat>,
        /// The list.
        file: PathBuf,
    },
    /// Reads a list in any format and prints it in another.
    Export {
        /// aireos, iosxe, server-auth-info, csv or toml; recognised by its text if not given.
        #[arg(long, value_name = "FORMAT")]
        from: Option<AuthListFormat>,
        /// aireos, iosxe, server-auth-info, csv or toml.
        #[arg(long, value_name = "FORMAT")]
        to: AuthListFormat,
        /// The list.
        file: PathBuf,
    },
    /// Reads a list and names every bad line.
    Check {
        /// aireos, iosxe, server-auth-info, csv or toml; recognised by its text if not given.
        #[arg(long, value_name = "FORMAT")]
        from: Option<AuthListFormat>,
        /// The list.
        file: PathBuf,
    },
}

pub(super) fn run(command: Command) -> Result<(), CliError> {
    match command {
        Command::Add {
            file,
            format,
            certificate,
            list,
            mac,
            list_type,
            key_hash,
        } => {
            let entries = match (certificate, list, mac.zip(list_type)) {
                (Some(certificate), ..) => vec![of_certificate(&certificate)?],
                (_, Some(list), _) => load(&list, None)?.sorted().into_iter().copied().collect(),
                (.., Some((mac, list_type))) => vec![AuthListEntry {
                    mac,
                    list_type,
                    key_hash,
                }],
                // The command line parser does not let this pass.
                (None, None, None) => Vec::new(),
            };
            add(&file, format, &entries)
        }
        Command::Remove { file, macs } => remove(&file, &macs),
        Command::Import { from, file } => print(&export(&load(&file, from)?, AuthListFormat::Toml)?),
        Command::Export { from, to, file } => print(&export(&load(&file, from)?, to)?),
        Command::Check { from, file } => print(&format!(
            "{}: {} entries\n",
            file.display(),
            load(&file, from)?.len()
        )),
    }
}

/// The entry that admits the holder of a certificate.
fn of_certificate(path: &Path) -> Result<AuthListEntry, CliError> {
    let (certificate, mac) = identity::certificate(path)?;
    let list_type = match certificate.certificate_type() {
        CertificateType::Ssc => AuthListType::location_server(HashAlgorithm::Sha256),
        CertificateType::Lsc => AuthListType::Lsc,
        CertificateType::Mic => AuthListType::Mic,
    };
    Ok(AuthListEntry {
        mac,
        list_type,
        key_hash: Some(certificate.key_hash(HashAlgorithm::Sha256)),
    })
}

fn add(path: &Path, format: Option<AuthListFormat>, entries: &[AuthListEntry]) -> Result<(), CliError> {
    let (mut list, format) = if path.exists() {
        let (list, own) = load_with_format(path, None)?;
        if let Some(other) = format.filter(|format| *format != own) {
            let cause = format!("{} is a list of the format {own}, not {other}", path.display());
            return Err(CliError::usage(
                cause,
                "leave --format out, or convert the list by `export`",
            ));
        }
        (list, own)
    } else {
        (AuthList::new(), format.unwrap_or(AuthListFormat::Toml))
    };
    let mut added = 0_u32;
    for entry in entries {
        added += u32::from(list.insert(*entry).map_err(|error| CliError::of(&error))?);
    }
    replace(path, &list, format)?;
    let there = u32::try_from(entries.len())
        .unwrap_or(u32::MAX)
        .saturating_sub(added);
    print(&format!(
        "{}: {added} added, {there} there already, {} entries\n",
        path.display(),
        list.len()
    ))
}

fn remove(path: &Path, macs: &[MacAddr]) -> Result<(), CliError> {
    let (mut list, format) = load_with_format(path, None)?;
    let mut removed = 0;
    for mac in macs {
        let entries = list.remove(*mac);
        if entries == 0 {
            let cause = format!("{}: no entry for {mac}; nothing was removed", path.display());
            return Err(CliError::usage(
                cause,
                "see `nmsp authlist import FILE` for what is in it",
            ));
        }
        removed += entries;
    }
    replace(path, &list, format)?;
    print(&format!(
        "{}: {removed} removed, {} entries\n",
        path.display(),
        list.len()
    ))
}

/// All or nothing, whoever reads it meanwhile. A list without entries becomes TOML, which can say so: an empty file could
/// as well be one that got lost, and a controller keeps the list that it had.
fn replace(path: &Path, list: &AuthList, format: AuthListFormat) -> Result<(), CliError> {
    let format = if list.is_empty() {
        AuthListFormat::Toml
    } else {
        format
    };
    let text = export(list, format)?;
    write_public(path, text.as_bytes()).map_err(|error| CliError::of(&error))
}

fn export(list: &AuthList, format: AuthListFormat) -> Result<String, CliError> {
    list.export(format).map_err(|error| CliError::of(&error))
}

/// Reads an authlist; an unnamed format is recognised by the text.
pub(super) fn load(path: &Path, format: Option<AuthListFormat>) -> Result<AuthList, CliError> {
    load_with_format(path, format).map(|(list, _)| list)
}

fn load_with_format(
    path: &Path,
    format: Option<AuthListFormat>,
) -> Result<(AuthList, AuthListFormat), CliError> {
    let text = read_text(path)?;
    let Some(format) = format.or_else(|| AuthListFormat::detect(&text)) else {
        let cause = format!("{}: no line of a known authlist format", path.display());
        return Err(CliError::usage(
            cause,
            "name the format: aireos, iosxe, server-auth-info, csv or toml",
        ));
    };
    let list = AuthList::import(format, &text).map_err(|error| CliError::AuthList {
        path: path.to_owned(),
        error,
    })?;
    Ok((list, format))
}
