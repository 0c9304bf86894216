//! The arguments of the `est` command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pki_common::MacAddr;
use pki_common::identity::NewKey;

use crate::client::ServerUrl;
use crate::request::{RequestedName, Subject};
use crate::wire::label::PathLabel;

/// Enrollment over Secure Transport (RFC 7030): server, client and certificate authority.
#[derive(Debug, Parser)]
#[command(name = "est", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// What to log to standard error: a level, or directives such as "est::server=debug".
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        default_value = "warn,est=info",
        value_name = "FILTER",
        value_parser = log_filter
    )]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Checks the filter while the command line is read, so that a bad one is wrong usage.
fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "{error}; give a level such as info, or directives such as est::server=debug"
        )),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make and look into a certificate authority.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Manage the users of a server.
    #[command(subcommand)]
    User(UserCommand),
    /// Run an EST server until SIGTERM or SIGINT.
    Serve(ServeArguments),
    /// Fetch the certificates of a certificate authority and print them in PEM.
    Cacerts(CacertsArguments),
    /// Make certification requests.
    #[command(subcommand)]
    Csr(CsrCommand),
    /// Make a key, have a certificate issued for it, and check the certificate.
    Enroll(Box<EnrollArguments>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make a root authority: ca.pem, ca.key.pem and ca.sqlite in a folder.
    Init {
        /// The folder; it is made when it is missing. Nothing in it is overwritten.
        #[arg(long)]
        dir: PathBuf,
        /// The subject, most general name first: DC=com,DC=example,CN=Lab Root.
        #[arg(long)]
        subject: Subject,
        /// The kind of key.
        #[arg(long, value_enum, default_value_t)]
        key: KeyKind,
        /// Days of validity.
        #[arg(long, default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36500))]
        days: u32,
    },
    /// Print the authority's certificate in PEM and what it says.
    Show {
        /// The folder of the authority.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Print one line per issued certificate: serial number, time of issue, requester, how authenticated, subject.
    List {
        /// The folder of the authority.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Have a server certificate issued, for `est serve`.
    ServerCertificate {
        /// The folder of the authority.
        #[arg(long)]
        dir: PathBuf,
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
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or give an existing one a new password. The password is read from the standard input.
    Add {
        /// The user file; it is made when it is missing.
        #[arg(long)]
        users: PathBuf,
        /// Read the password from the first line of the standard input. There is no other way: arguments and
        /// environment can be read by others.
        #[arg(long, required = true)]
        password_stdin: bool,
        /// The user name.
        name: String,
    },
}

#[derive(Debug, Args)]
#[command(after_long_help = super::config::EXAMPLE)]
pub(crate) struct ServeArguments {
    /// The configuration file (TOML), shown below with its defaults.
    #[arg(long)]
    pub(crate) config: PathBuf,
}

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
pub(crate) struct ServerArguments {
    /// The server, like https://est.example:8085.
    #[arg(long)]
    pub(crate) url: ServerUrl,
    /// The label of one of several authorities of the server.
    #[arg(long)]
    pub(crate) label: Option<PathLabel>,
    /// A file or folder of trust anchors, PEM or DER; may be repeated. There are no others.
    #[arg(long = "trust-anchors", required = true)]
    pub(crate) trust_anchors: Vec<PathBuf>,
    /// Seconds allowed for each step: connection, TLS handshake, response.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CacertsArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// Where to write the certificates; the standard output by default.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollArguments {
    #[command(flatten)]
    pub(crate) server: ServerArguments,
    /// User name for HTTP Basic.
    #[arg(long, requires = "password_file")]
    pub(crate) user: Option<String>,
    /// A file whose first line is the password; `-` for the standard input.
    #[arg(long, requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// Our own certificate to authenticate by, PEM or DER.
    #[arg(long, requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The private key of that certificate.
    #[arg(long, requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// Ask for a certificate for this key (PEM, PKCS #8) instead of a new one, for instance the one that an earlier
    /// call left whose request waits for approval.
    #[arg(long)]
    pub(crate) existing_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,
    /// Where to write the certificate and its chain, PEM.
    #[arg(long)]
    pub(crate) out_certificate: PathBuf,
    /// Where to write the new private key, PEM, readable by the owner only.
    #[arg(
        long,
        required_unless_present = "existing_key",
        conflicts_with = "existing_key"
    )]
    pub(crate) out_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SubjectArguments {
    /// The subject, most general name first: DC=com,DC=example,OU=lab,CN=name.
    #[arg(long, required_unless_present = "mac", conflicts_with = "mac")]
    pub(crate) subject: Option<Subject>,
    /// The MAC address of a device; the subject becomes CN=<prefix>-<12 hexadecimal digits>.
    #[arg(long)]
    pub(crate) mac: Option<MacAddr>,
    /// What stands before the MAC address.
    #[arg(long, default_value = "Device")]
    pub(crate) mac_prefix: String,
    /// A subject alternative name, like DNS:name, IP:address, email:address or URI:uri; may be repeated.
    #[arg(long = "name")]
    pub(crate) names: Vec<RequestedName>,
    /// The kind of the new key.
    #[arg(long = "key-type", value_enum, default_value_t)]
    pub(crate) key_type: KeyKind,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Where to write the certificate and its chain, PEM.
    #[arg(long)]
    pub(crate) out_certificate: PathBuf,
    /// Where to write the private key, PEM, readable by the owner only.
    #[arg(long)]
    pub(crate) out_key: PathBuf,
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
}

/// The kind of a new key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// EC P-256.
    #[default]
    EcP256,
    /// EC P-384.
    EcP384,
    /// RSA with 2048 bits.
    #[value(name = "rsa-2048")]
    Rsa2048,
}

impl From<KeyKind> for NewKey {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::EcP256 => Self::EcP256,
            KeyKind::EcP384 => Self::EcP384,
            KeyKind::Rsa2048 => Self::Rsa2048,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn a_bad_log_filter_is_wrong_usage() {
        let parsed =
            |filter| Arguments::try_parse_from(["est", "--log", filter, "ca", "show", "--dir", "ca"]);
        assert!(parsed("est::server=debug").is_ok());
        assert_eq!(parsed("est=loud").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
