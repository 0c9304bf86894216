//! The arguments of `est ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::ca::RevocationReason;
use crate::cli::arguments::KeyKind;
use crate::request::{RequestedName, Subject};

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make a root authority: ca.pem, ca.key.pem and ca.sqlite in a folder; or begin an intermediate one.
    Init(InitArguments),
    /// Take the certificate of an intermediate authority, as the authority above returned it.
    ImportCertificate(ImportArguments),
    /// Print the authority's certificate in PEM and what it says.
    Show(Common),
    /// Print one line per issued certificate: serial number, time of issue, requester, how authenticated, address,
    /// subject, status.
    List(ListArguments),
    /// Revoke a certificate. A server that runs publishes it within a second.
    Revoke(RevokeArguments),
    /// Renew the certificate of the authority, with the same key or a new one.
    Renew(RenewArguments),
    /// Write certificate, chain, revocation list or rows of the log.
    Export(ExportArguments),
    /// Print the requests that wait for approval: number, time, requester, how authenticated, subject.
    Pending(PendingArguments),
    /// Approve requests; each is issued when its client asks again.
    Approve(DecideArguments),
    /// Reject requests; each client gets the reason when it asks again.
    Reject(RejectArguments),
    /// Have a server certificate issued, for `est serve`.
    ServerCertificate {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        passphrase: PassphraseArguments,
        /// The subject, most general name first.
        #[arg(long, default_value = "CN=EST server")]
        subject: Subject,
        /// A name clients reach the server by, like DNS:est.example or IP:127.0.0.1; may be repeated.
        #[arg(long = "name", required = true)]
        names: Vec<RequestedName>,
        /// The kind of key.
        #[arg(long, value_enum, default_value_t)]
        key: KeyKind,
        #[command(flatten)]
        output: OutputFiles,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The folder of the authority.
    #[arg(long)]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PassphraseArguments {
    /// A file whose first line is the passphrase of the authority's key; `-` for the standard input. Without it, the
    /// environment variable EST_CA_PASSPHRASE is used, and then a terminal is asked.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The folder; it is made when it is missing. Nothing in it is overwritten.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// The subject, most general name first: DC=com,DC=example,CN=Lab Root.
    #[arg(long)]
    pub(crate) subject: Subject,
    /// The kind of key.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) key: KeyKind,
    /// Days of validity.
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36500), conflicts_with = "intermediate")]
    pub(crate) days: u32,
    /// Begin an authority under another one: write the key and a request, ca.csr.pem, for `import-certificate`.
    #[arg(long)]
    pub(crate) intermediate: bool,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// Encrypt the key with a passphrase that is asked for on the terminal. With --passphrase-file or
    /// EST_CA_PASSPHRASE it is encrypted in any case.
    #[arg(long)]
    pub(crate) encrypt: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// A PEM file with the certificate, followed by those above it, the root last.
    #[arg(long)]
    pub(crate) certificate: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Only those whose serial number begins with these hexadecimal digits.
    #[arg(long, default_value = "")]
    pub(crate) serial: String,
    /// Only those of this path label.
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Only those of this requester.
    #[arg(long)]
    pub(crate) requester: Option<String>,
    /// Only those with this text in the subject, as it is printed.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Only those with this status.
    #[arg(long, value_enum)]
    pub(crate) status: Option<Status>,
    /// Only those issued at this time (2026-11-21T20:00:00Z) or later.
    #[arg(long, value_parser = super::shown::parse_time)]
    pub(crate) since: Option<u64>,
}

/// The status of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    /// Neither expired nor revoked.
    Valid,
    /// Its time is over.
    Expired,
    /// Revoked, expired or not.
    Revoked,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// The serial number, or as many of its first digits as it takes to tell it from others.
    pub(crate) serial: String,
    /// The reason: unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, cessationOfOperation,
    /// certificateHold, privilegeWithdrawn or aACompromise.
    #[arg(long, default_value = "unspecified")]
    pub(crate) reason: RevocationReason,
    /// Since when the key may be compromised, like 2026-11-21T20:00:00Z.
    #[arg(long, value_parser = super::shown::parse_time)]
    pub(crate) invalidity_date: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct RenewArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// Keep the key: the same authority, valid for longer. Without it, a new key and a rollover.
    #[arg(long, conflicts_with = "key")]
    pub(crate) same_key: bool,
    /// The kind of the new key.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) key: KeyKind,
    /// Days of validity of a root. For an intermediate authority the one above decides.
    #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub(crate) days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// What to write.
    #[arg(value_enum)]
    pub(crate) what: Exported,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// The form: pem or der, and for rows of the log csv or json. PEM and CSV when it is left out.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Where to write; the standard output by default.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

/// What `est ca export` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Exported {
    /// The certificate of the authority.
    Certificate,
    /// The certificate and those above it.
    Chain,
    /// What `cacerts` answers: the chain and the certificates of a rollover.
    Cacerts,
    /// The current revocation list, made anew when need be.
    Crl,
    /// Rows: issued certificates.
    Certificates,
    /// Rows: refused requests.
    Refused,
    /// Rows: the queue with everything that ever was in it.
    Queue,
    /// Rows: the policies that were in force.
    Policies,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Armoured.
    Pem,
    /// Binary.
    Der,
    /// Comma-separated values (RFC 4180) with a heading.
    Csv,
    /// One object to a line.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct PendingArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print those that were decided or have expired, too.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DecideArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The numbers that `est ca pending` prints.
    #[arg(required = true)]
    pub(crate) ids: Vec<i64>,
    /// A note for the record.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Who decides, for the record; the user who runs the command by default.
    #[arg(long)]
    pub(crate) by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RejectArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The numbers that `est ca pending` prints.
    #[arg(required = true)]
    pub(crate) ids: Vec<i64>,
    /// Why; the requester gets to read it.
    #[arg(long)]
    pub(crate) reason: String,
    /// Who decides, for the record; the user who runs the command by default.
    #[arg(long)]
    pub(crate) by: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OutputFiles {
    /// Where to write the certificate and its chain, PEM.
    #[arg(long)]
    pub(crate) out_certificate: PathBuf,
    /// Where to write the private key, PEM, readable by the owner only.
    #[arg(long)]
    pub(crate) out_key: PathBuf,
}
