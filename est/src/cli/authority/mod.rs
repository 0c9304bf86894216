//! `est ca`

mod arguments;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pki_common::Certificate;
use pki_common::identity::write_private;
use rustls::time_provider::DefaultTimeProvider;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) use arguments::CaCommand;
use arguments::Output;

use super::CliError;
use super::files::{must_not_exist, print, write_public};
use crate::ca::database::CertificateRecord;
use crate::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use crate::ca::policy::IssuancePolicy;
use crate::server::own_identity;

/// How many rows of the log are read at a time.
const PAGE: u32 = 500;

pub(crate) fn run(command: CaCommand) -> Result<ExitCode, CliError> {
    match command {
        CaCommand::Init {
            dir,
            subject,
            key,
            days,
        } => {
            std::fs::create_dir_all(&dir).map_err(|error| {
                CliError::local(
                    format!("{} cannot be made: {error}", dir.display()),
                    "Check the path.",
                )
            })?;
            let validity = Duration::from_secs(u64::from(days) * 86_400);
            let new = NewAuthority {
                subject: subject.to_rfc4514(),
                key: key.into(),
                validity,
            };
            let files = AuthorityFiles::in_folder(&dir);
            let clock = Arc::new(DefaultTimeProvider);
            EmbeddedCertificateAuthority::create(&files, &new, IssuancePolicy::default(), clock)?;
            print(&format!(
                "made {} with the subject {subject}",
                files.certificate.display()
            ))?;
        }
        CaCommand::Show { dir } => show(&open(&dir, IssuancePolicy::default())?)?,
        CaCommand::List { dir } => list(&open(&dir, IssuancePolicy::default())?)?,
        CaCommand::ServerCertificate {
            dir,
            subject,
            names,
            key,
            output,
        } => {
            let Output {
                out_certificate,
                out_key,
            } = output;
            must_not_exist(&out_certificate)?;
            must_not_exist(&out_key)?;
            let authority = open(&dir, IssuancePolicy::default())?;
            let issued = own_identity(&authority, subject, names, key.into());
            let identity = super::runtime()?.block_on(issued)?;
            write_private(&out_key, identity.private_key_pem().as_bytes())?;
            write_public(&out_certificate, &identity.certificate_chain_pem())?;
            let names = identity
                .certificate()
                .subject_alternative_names()
                .iter()
                .map(ToString::to_string);
            print(&format!(
                "issued {} for {}",
                out_certificate.display(),
                names.collect::<Vec<_>>().join(", ")
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the authority of a folder.
pub(crate) fn open(dir: &Path, policy: IssuancePolicy) -> Result<EmbeddedCertificateAuthority, CliError> {
    let clock = Arc::new(DefaultTimeProvider);
    Ok(EmbeddedCertificateAuthority::open(
        &AuthorityFiles::in_folder(dir),
        policy,
        clock,
    )?)
}

fn show(authority: &EmbeddedCertificateAuthority) -> Result<(), CliError> {
    let certificate = Certificate::from_der(authority.ca_certificate())
        .map_err(|error| CliError::local(error.to_string(), "Restore the CA certificate from a backup."))?;
    let count = authority.log().count().map_err(|error| {
        CliError::local(
            error.to_string(),
            "Check the database file, its folder and the disk.",
        )
    })?;
    print(&format!(
        "subject:    {}\nkey:        {}\nnot before: {}\nnot after:  {}\nissued:     {count}\n{}",
        certificate.subject(),
        certificate.key_type(),
        moment(certificate.not_before().as_secs()),
        moment(certificate.not_after().as_secs()),
        super::enroll::pem("CERTIFICATE", certificate.der())?,
    ))
}

fn list(authority: &EmbeddedCertificateAuthority) -> Result<(), CliError> {
    let mut skip = 0;
    loop {
        let page = authority.log().certificates(skip, PAGE).map_err(|error| {
            CliError::local(
                error.to_string(),
                "Check the database file, its folder and the disk.",
            )
        })?;
        for record in &page {
            print(&row(record))?;
        }
        let read = u32::try_from(page.len()).unwrap_or(PAGE);
        if read < PAGE {
            return Ok(());
        }
        skip += read;
    }
}

fn row(record: &CertificateRecord) -> String {
    let CertificateRecord {
        serial,
        issued_at,
        origin,
        subject,
        ..
    } = record;
    // A requester chose these; a terminal must not obey them.
    let shown = |text: &str| text.replace(char::is_control, "?");
    format!(
        "{serial}\t{}\t{}\t{}\t{}\t{}",
        moment(*issued_at),
        shown(&origin.requester),
        origin.authentication,
        origin.address.as_deref().unwrap_or("-"),
        shown(subject),
    )
}

fn moment(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}
