//! `est ca init`, `import-certificate`, `renew` and `show`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pki_common::Certificate;
use rustls::time_provider::DefaultTimeProvider;
use serde_json::json;

use super::arguments::{Common, ImportArguments, InitArguments, RenewArguments};
use super::shown::moment;
use super::{open_log, passphrase};
use crate::ca::database::{CertificateLog as _, QueueState};
use crate::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, KeyChange, NewAuthority, Renewed};
use crate::ca::policy::IssuancePolicy;
use crate::cli::CliError;
use crate::cli::files::pem;
use crate::cli::report::Output;

pub(super) fn init(arguments: &InitArguments, output: Output) -> Result<(), CliError> {
    let dir = &arguments.dir;
    std::fs::create_dir_all(dir).map_err(|error| {
        CliError::local(
            format!("{} cannot be made: {error}", dir.display()),
            "Check the path.",
        )
    })?;
    let files = AuthorityFiles::in_folder(dir);
    let subject = &arguments.subject;
    let passphrase = passphrase::for_a_new_key(&arguments.passphrase, arguments.encrypt)?;
    if arguments.intermediate {
        EmbeddedCertificateAuthority::request_intermediate(
            &files,
            &subject.to_der(),
            arguments.key.into(),
            passphrase.as_ref(),
        )?;
        let request = files.request.display().to_string();
        let text = format!(
            "made {request} with the subject {subject}; have it signed and give the result to `est ca import-certificate`"
        );
        return output.print(
            &text,
            &json!({ "request": request, "subject": subject.to_string() }),
        );
    }
    let new = NewAuthority {
        subject: subject.to_rfc4514(),
        key: arguments.key.into(),
        validity: days(arguments.days),
    };
    EmbeddedCertificateAuthority::create_with(
        &files,
        &new,
        passphrase.as_ref(),
        IssuancePolicy::default(),
        Arc::new(DefaultTimeProvider),
    )?;
    let certificate = files.certificate.display().to_string();
    let text = format!("made {certificate} with the subject {subject}");
    output.print(
        &text,
        &json!({ "certificate": certificate, "subject": subject.to_string() }),
    )
}

pub(super) fn import(arguments: &ImportArguments, output: Output) -> Result<(), CliError> {
    let files = AuthorityFiles::in_folder(&arguments.common.dir);
    let path = &arguments.certificate;
    let given = std::fs::read(path).map_err(|error| {
        CliError::local(
            format!("{} cannot be read: {error}", path.display()),
            "Check the path.",
        )
    })?;
    let passphrase = passphrase::for_opening(&files, arguments.passphrase.passphrase_file.as_deref())?;
    let issuer = EmbeddedCertificateAuthority::import_certificate(&files, &given, passphrase.as_ref())?;
    let text = format!(
        "{} is ready, with {} certificates above it",
        issuer.subject_text(),
        issuer.chain().len()
    );
    let value = json!({ "subject": issuer.subject_text(), "chain": issuer.chain().len() });
    output.print(&text, &value)
}

pub(super) fn renew(arguments: &RenewArguments, output: Output) -> Result<(), CliError> {
    let files = AuthorityFiles::in_folder(&arguments.common.dir);
    let passphrase = passphrase::for_opening(&files, arguments.passphrase.passphrase_file.as_deref())?;
    let change = if arguments.same_key {
        KeyChange::Keep
    } else {
        KeyChange::New(arguments.key.into())
    };
    let renewed = EmbeddedCertificateAuthority::renew(
        &files,
        passphrase.as_ref(),
        change,
        days(arguments.days),
        &DefaultTimeProvider,
    )?;
    let (text, value) = match renewed {
        Renewed::Root { kept_as } => {
            let (new, old) = (files.certificate.display(), kept_as.display());
            (
                format!(
                    "made {new}; the old certificate and key are kept as {old}.pem and {old}.key.pem. Restart the server, or have it read its files again."
                ),
                json!({ "certificate": new.to_string(), "kept_as": old.to_string() }),
            )
        }
        Renewed::Requested { request } => {
            let request = request.display().to_string();
            (
                format!("made {request}; have it signed and give the result to `est ca import-certificate`"),
                json!({ "request": request }),
            )
        }
    };
    output.print(&text, &value)
}

pub(super) fn show(common: &Common, output: Output) -> Result<(), CliError> {
    let certificate = certificate(&AuthorityFiles::in_folder(&common.dir).certificate)?;
    let log = open_log(&common.dir)?;
    let count = log.count()?;
    let mut waiting = 0;
    super::each(
        &log,
        |log, after, limit| log.queue(Some(QueueState::Waiting), after, limit),
        |entry| entry.id,
        |_| {
            waiting += 1;
            Ok(())
        },
    )?;
    let (not_before, not_after) = (
        moment(certificate.not_before().as_secs()),
        moment(certificate.not_after().as_secs()),
    );
    let (subject, key) = (certificate.subject(), certificate.key_type());
    let armoured = pem("CERTIFICATE", certificate.der())?;
    let text = format!(
        "subject:    {subject}\nissuer:     {}\nkey:        {key}\nnot before: {not_before}\nnot after:  {not_after}\nissued:     {count}\n\
         pending:    {waiting}\n{armoured}",
        certificate.issuer(),
    );
    let value = json!({
        "subject": subject,
        "issuer": certificate.issuer(),
        "key": key.to_string(),
        "not_before": not_before,
        "not_after": not_after,
        "issued": count,
        "pending": waiting,
        "certificate": armoured,
    });
    output.print(&text, &value)
}

/// The first certificate of a file.
fn certificate(path: &Path) -> Result<Certificate, CliError> {
    let given = std::fs::read(path).map_err(|error| {
        CliError::local(
            format!("{} cannot be read: {error}", path.display()),
            "Check the folder; `est ca init` makes an authority.",
        )
    })?;
    let remedy = "Restore the CA certificate from a backup.";
    Certificate::all_from_pem(&given)
        .map_err(|error| CliError::local(format!("{}: {error}", path.display()), remedy))?
        .into_iter()
        .next()
        .ok_or_else(|| CliError::local(format!("{} holds no certificate", path.display()), remedy))
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 86_400)
}
