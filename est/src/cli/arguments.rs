//! The arguments of the `est` command.

use clap::{Parser, Subcommand, ValueEnum};
use pki_common::identity::NewKey;

use super::authority::CaCommand;
use super::cacerts::{CacertsArguments, CsrattrsArguments};
use super::cmc::CmcArguments;
use super::csr::CsrCommand;
use super::enroll::{EnrollArguments, ReenrollArguments};
use super::inspect::InspectArguments;
use super::renew::RenewArguments;
use super::serve::ServeArguments;
use super::server_key::ServerKeyArguments;
use super::user::UserCommand;

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
    /// Print JSON instead of lines for people; failures, too.
    #[arg(long, global = true)]
    pub(crate) json: bool,
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
    /// Make and run a certificate authority: its certificates, revocation, the requests that wait for approval.
    #[command(subcommand)]
    Ca(CaCommand),
    /// Manage the users of a server: passwords, Digest secrets and bearer tokens.
    #[command(subcommand)]
    User(UserCommand),
    /// Run an EST server until SIGTERM or SIGINT.
    Serve(ServeArguments),
    /// Fetch the certificates of the server's authority (cacerts) and print them in PEM.
    Cacerts(Box<CacertsArguments>),
    /// Ask what the server wants to see in a request (csrattrs), and explain it.
    Csrattrs(Box<CsrattrsArguments>),
    /// Make a key and a certification request, without a server.
    #[command(subcommand)]
    Csr(CsrCommand),
    /// Make a key, have a certificate issued for it, and check the certificate; or enrol a folder of requests.
    Enroll(Box<EnrollArguments>),
    /// Have a certificate renewed: the same subject and names, a new key or the same one.
    Reenroll(Box<ReenrollArguments>),
    /// Have the server make the key, too, and fetch it with its certificate.
    Serverkeygen(Box<ServerKeyArguments>),
    /// Enrol or revoke by a CMC message (RFC 5272), and say what became of each part of it.
    Cmc(Box<CmcArguments>),
    /// Renew the certificates of a folder of identities in time.
    Renew(Box<RenewArguments>),
    /// Explain a request, certificate, message, CRL, key or response, and what is wrong with it.
    Inspect(InspectArguments),
    /// Print the completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// The kind of a new key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// EC P-256.
    #[default]
    EcP256,
    /// EC P-384.
    EcP384,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    #[value(name = "rsa-2048")]
    Rsa2048,
    /// RSA with 3072 bits.
    #[value(name = "rsa-3072")]
    Rsa3072,
    /// RSA with 4096 bits.
    #[value(name = "rsa-4096")]
    Rsa4096,
}

impl From<KeyKind> for NewKey {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::EcP256 => Self::EcP256,
            KeyKind::EcP384 => Self::EcP384,
            KeyKind::Ed25519 => Self::Ed25519,
            KeyKind::Rsa2048 => Self::Rsa2048,
            KeyKind::Rsa3072 => Self::Rsa3072,
            KeyKind::Rsa4096 => Self::Rsa4096,
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
