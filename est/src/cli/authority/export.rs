//! `est ca export`

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::arguments::{ExportArguments, Exported, Format};
use super::shown::{certificate_json, csv, merge, moment, origin_json, queue_json};
use super::{each, now, open_log, open_with};
use crate::ca::CertificateAuthority as _;
use crate::ca::database::{CertificateFilter, CertificateLog, LogError};
use crate::ca::issuer::CrlSettings;
use crate::cli::CliError;
use crate::cli::files::pem;
use crate::cli::report::Output;

pub(super) fn run(arguments: &ExportArguments, output: Output) -> Result<(), CliError> {
    match arguments.what {
        Exported::Certificate | Exported::Chain | Exported::Cacerts | Exported::Crl => {
            let der = matches!(arguments.format, Some(Format::Der));
            if matches!(arguments.format, Some(Format::Csv | Format::Json)) {
                return Err(wrong_format("certificates and lists are written as pem or der"));
            }
            let (label, documents) = documents(arguments)?;
            if der && documents.len() > 1 {
                return Err(wrong_format("several certificates are written as pem"));
            }
            let mut bytes = Vec::new();
            for document in documents {
                if der {
                    bytes.extend(document);
                } else {
                    bytes.extend(pem(label, &document)?.into_bytes());
                }
            }
            write(arguments.out.as_deref(), &bytes)
        }
        Exported::Certificates | Exported::Refused | Exported::Queue | Exported::Policies => {
            let as_json = match arguments.format {
                Some(Format::Json) => true,
                Some(Format::Csv) => false,
                None => output.is_json(),
                Some(Format::Pem | Format::Der) => {
                    return Err(wrong_format("rows are written as csv or json"));
                }
            };
            let mut text = String::new();
            rows(arguments, &mut |row| {
                if as_json {
                    text.push_str(&row.to_string());
                } else {
                    let (heading, line) = csv(&row);
                    if text.is_empty() {
                        text.push_str(&heading);
                        text.push_str("\r\n");
                    }
                    text.push_str(&line);
                    text.push('\r');
                }
                text.push('\n');
                Ok(())
            })?;
            write(arguments.out.as_deref(), text.as_bytes())
        }
    }
}

/// What is signed, in DER, with its label in PEM.
fn documents(arguments: &ExportArguments) -> Result<(&'static str, Vec<Vec<u8>>), CliError> {
    let authority = open_with(&arguments.common.dir, &arguments.passphrase)?;
    let certificates: Vec<Vec<u8>> = match arguments.what {
        Exported::Crl => {
            let authority = authority.with_revocation_list(CrlSettings::default())?;
            let list = crate::cli::runtime()?.block_on(authority.revocation_list())?;
            return Ok(("X509 CRL", list.into_iter().map(|list| list.to_vec()).collect()));
        }
        Exported::Cacerts => {
            let all = crate::cli::runtime()?.block_on(authority.ca_certificates())?;
            all.iter().map(|certificate| certificate.to_vec()).collect()
        }
        Exported::Chain => std::iter::once(authority.issuer().certificate())
            .chain(authority.issuer().chain())
            .map(|certificate| certificate.to_vec())
            .collect(),
        _ => vec![authority.ca_certificate().to_vec()],
    };
    Ok(("CERTIFICATE", certificates))
}

fn rows(
    arguments: &ExportArguments,
    with: &mut dyn FnMut(Value) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let log = open_log(&arguments.common.dir)?;
    let now = now()?;
    match arguments.what {
        Exported::Queue => each(
            &log,
            |log, after, limit| log.queue(None, after, limit),
            |entry| entry.id,
            |entry| {
                let mut row = queue_json(&entry);
                merge(&mut row, json!({ "csr": STANDARD.encode(&entry.csr) }));
                with(row)
            },
        ),
        Exported::Refused => log.refused(u32::MAX)?.into_iter().rev().try_for_each(|refused| {
            let mut row = origin_json(&refused.origin);
            let own = json!({
                "refused_at": moment(refused.refused_at),
                "rule": refused.rule,
                "reason": refused.reason,
                "csr": STANDARD.encode(&refused.csr),
            });
            merge(&mut row, own);
            with(row)
        }),
        Exported::Policies => log.policies()?.into_iter().try_for_each(|policy| {
            with(json!({
                "version": policy.version,
                "first_used": moment(policy.first_used),
                "description": policy.description,
            }))
        }),
        _ => each(
            &log,
            |log: &dyn CertificateLog, after, limit| -> Result<_, LogError> {
                log.search(&CertificateFilter::default(), after, limit)
            },
            |entry| entry.sequence,
            |entry| {
                let mut row = certificate_json(&entry, now);
                let own = json!({
                    "certificate": STANDARD.encode(&entry.record.certificate),
                    "csr": STANDARD.encode(&entry.record.csr),
                });
                merge(&mut row, own);
                with(row)
            },
        ),
    }
}

fn write(path: Option<&Path>, bytes: &[u8]) -> Result<(), CliError> {
    let (written, place) = match path {
        Some(path) => (
            pki_common::identity::write_public(path, bytes).map_err(|error| error.to_string()),
            path.display().to_string(),
        ),
        None => {
            let mut out = std::io::stdout().lock();
            let written = out.write_all(bytes).and_then(|()| out.flush());
            (
                written.map_err(|error| error.to_string()),
                "the standard output".to_owned(),
            )
        }
    };
    written.map_err(|error| {
        CliError::local(
            format!("{place} cannot be written: {error}"),
            "Check that it exists and can be written.",
        )
    })
}

fn wrong_format(text: &str) -> CliError {
    CliError::local(text, "Choose another --format.")
}
