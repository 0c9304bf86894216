//! The arguments of `est ca`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::arguments::KeyKind;
use crate::request::{RequestedName, Subject};

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

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Where to write the certificate and its chain, PEM.
    #[arg(long)]
    pub(crate) out_certificate: PathBuf,
    /// Where to write the private key, PEM, readable by the owner only.
    #[arg(long)]
    pub(crate) out_key: PathBuf,
}
