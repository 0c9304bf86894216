//! `est ca`

mod arguments;
mod certificates;
mod export;
mod passphrase;
mod queue;
mod set_up;
mod shown;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use pki_common::identity::write_private;
use pki_common::tls::crypto_provider;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider as _};

pub(crate) use arguments::CaCommand;
use arguments::{OutputFiles, PassphraseArguments};
pub(crate) use passphrase::for_opening as passphrase_for;

use super::CliError;
use super::files::{must_not_exist, write_public};
use super::report::Output;
use crate::ca::database::{CertificateLog, SqliteLog, SqliteSettings};
use crate::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, Passphrase};
use crate::ca::issuer::{CrlSettings, IssuerError};
use crate::ca::policy::IssuancePolicy;
use crate::server::own_identity;

/// How many rows of the log are read at a time.
const PAGE: u32 = 500;

pub(crate) fn run(command: CaCommand, output: Output) -> Result<ExitCode, CliError> {
    match command {
        CaCommand::Init(arguments) => set_up::init(&arguments, output)?,
        CaCommand::ImportCertificate(arguments) => set_up::import(&arguments, output)?,
        CaCommand::Renew(arguments) => set_up::renew(&arguments, output)?,
        CaCommand::Show(arguments) => set_up::show(&arguments, output)?,
        CaCommand::List(arguments) => certificates::list(&arguments, output)?,
        CaCommand::Revoke(arguments) => certificates::revoke(&arguments, output)?,
        CaCommand::Export(arguments) => export::run(&arguments, output)?,
        CaCommand::Pending(arguments) => queue::pending(&arguments, output)?,
        CaCommand::Approve(arguments) => queue::approve(arguments, output)?,
        CaCommand::Reject(arguments) => queue::reject(arguments, output)?,
        CaCommand::ServerCertificate {
            common,
            passphrase,
            subject,
            names,
            key,
            output: files,
        } => {
            let OutputFiles {
                out_certificate,
                out_key,
            } = files;
            must_not_exist(&out_certificate)?;
            must_not_exist(&out_key)?;
            let authority = open_with(&common.dir, &passphrase)?;
            let issued = own_identity(&authority, subject, names, key.into());
            let identity = super::runtime()?.block_on(issued)?;
            write_private(&out_key, identity.private_key_pem().as_bytes())?;
            write_public(&out_certificate, &identity.certificate_chain_pem())?;
            let names: Vec<String> = identity
                .certificate()
                .subject_alternative_names()
                .iter()
                .map(ToString::to_string)
                .collect();
            let path = out_certificate.display().to_string();
            output.print(
                &format!("issued {path} for {}", names.join(", ")),
                &serde_json::json!({ "certificate": path, "names": names }),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens an authority for a server, with a revocation list kept current. One whose certificate does not allow it
/// publishes no list.
pub(crate) fn open_to_serve(
    files: &AuthorityFiles,
    passphrase: Option<&Passphrase>,
    crl: CrlSettings,
) -> Result<EmbeddedCertificateAuthority, CliError> {
    let clock = Arc::new(DefaultTimeProvider);
    let authority =
        EmbeddedCertificateAuthority::open_with(files, passphrase, IssuancePolicy::default(), clock)?;
    match authority.clone().with_revocation_list(crl) {
        Ok(authority) => Ok(authority),
        Err(error @ IssuerError::NotACa { .. }) => {
            tracing::warn!(%error, "no revocation list is published");
            Ok(authority)
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens the authority of a folder.
fn open_with(dir: &Path, passphrase: &PassphraseArguments) -> Result<EmbeddedCertificateAuthority, CliError> {
    let files = AuthorityFiles::in_folder(dir);
    let passphrase = passphrase_for(&files, passphrase.passphrase_file.as_deref())?;
    let clock = Arc::new(DefaultTimeProvider);
    Ok(EmbeddedCertificateAuthority::open_with(
        &files,
        passphrase.as_ref(),
        IssuancePolicy::default(),
        clock,
    )?)
}

/// Opens the log alone, for which no key and no passphrase is needed.
fn open_log(dir: &Path) -> Result<SqliteLog, CliError> {
    let provider = crypto_provider().map_err(|error| {
        CliError::local(
            error.to_string(),
            "Build the program with the feature aws-lc-rs or ring.",
        )
    })?;
    // A command that issues nothing needs no reserve of serial numbers.
    let settings = SqliteSettings {
        reserved_serials: 1,
        ..SqliteSettings::default()
    };
    let path = AuthorityFiles::in_folder(dir).database;
    Ok(SqliteLog::open_with(path, provider, settings)?)
}

fn now() -> Result<u64, CliError> {
    DefaultTimeProvider
        .current_time()
        .map(|now| now.as_secs())
        .ok_or_else(|| CliError::local("this machine does not tell the time", "Set its clock."))
}

/// Goes through all rows of a kind, a page at a time. `read` gets the number of the last row it gave.
fn each<T>(
    log: &dyn CertificateLog,
    read: impl Fn(&dyn CertificateLog, i64, u32) -> Result<Vec<T>, crate::ca::database::LogError>,
    number: impl Fn(&T) -> i64,
    mut with: impl FnMut(T) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut after = 0;
    loop {
        let page = read(log, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = number(last);
        for row in page {
            with(row)?;
        }
    }
}
