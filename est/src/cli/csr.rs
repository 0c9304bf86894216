//! `est csr`, and the options that say what to ask for

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use pki_common::MacAddr;
use serde_json::json;

use super::CliError;
use super::arguments::KeyKind;
use super::files::{pem, put, write_new_key};
use super::report::{self, Output};
use crate::client::EnrollOptions;
use crate::request::{KeyAndRequest, RequestedName, Subject};

#[derive(Debug, Subcommand)]
pub(crate) enum CsrCommand {
    /// Make a key and a PKCS #10 request for it.
    New {
        #[command(flatten)]
        subject: SubjectArguments,
        /// Where to write the request, PEM; the standard output by default.
        #[arg(long)]
        out_csr: Option<PathBuf>,
        /// Where to write the private key, PEM, readable by the owner only.
        #[arg(long)]
        out_key: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SubjectArguments {
    /// The subject, most general name first: DC=com,DC=example,OU=lab,CN=name.
    #[arg(long, conflicts_with = "mac")]
    pub(crate) subject: Option<Subject>,
    /// The MAC address of a device; the subject becomes CN=<prefix>-<12 hexadecimal digits>.
    #[arg(long)]
    pub(crate) mac: Option<MacAddr>,
    /// What stands before the MAC address.
    #[arg(long, default_value = "Device")]
    pub(crate) mac_prefix: String,
    /// A subject alternative name, like DNS:name, IP:address, email:address or URI:uri; may be repeated.
    #[arg(long = "name", visible_alias = "san")]
    pub(crate) names: Vec<RequestedName>,
    /// The kind of the new key.
    #[arg(long = "key-type", value_enum, default_value_t)]
    pub(crate) key_type: KeyKind,
}

impl SubjectArguments {
    /// The subject asked for, one way or the other.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match (&self.subject, self.mac) {
            (Some(subject), _) => Some(subject.clone()),
            (None, Some(mac)) => Some(Subject::for_mac(&self.mac_prefix, mac)),
            (None, None) => None,
        }
    }

    /// Subject, names and key in one.
    pub(crate) fn options(self) -> Result<EnrollOptions, CliError> {
        let subject = self
            .subject()
            .ok_or_else(|| CliError::local("neither --subject nor --mac is given", "Give one of them."))?;
        let mut options = EnrollOptions::new(subject);
        options.names = self.names;
        options.key = self.key_type.into();
        Ok(options)
    }
}

pub(crate) fn run(command: CsrCommand, output: Output) -> Result<ExitCode, CliError> {
    let CsrCommand::New {
        subject: wanted,
        out_csr,
        out_key,
    } = command;
    let EnrollOptions {
        subject, names, key, ..
    } = wanted.options()?;
    let made = KeyAndRequest::generate(subject, names, key)?;
    write_new_key(&out_key, made.private_key())?;
    let text = pem("CERTIFICATE REQUEST", made.csr_der())?;
    if output.is_json() {
        let mut object = json!({ "key": out_key, "csr": out_csr });
        match out_csr {
            Some(_) => put(out_csr, &text)?,
            None => object = report::with(object, "pem", text),
        }
        super::files::print(&object.to_string())?;
    } else {
        put(out_csr, &text)?;
    }
    Ok(ExitCode::SUCCESS)
}
