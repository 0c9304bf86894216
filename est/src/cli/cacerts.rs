//! `est cacerts` and `est csrattrs`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use pki_common::Certificate;
use serde_json::json;

use super::CliError;
use super::connection::{CredentialArguments, ServerArguments};
use super::files::{pem, print_error, put};
use super::report::{self, Output};
use crate::client::Client;

#[derive(Debug, Args)]
pub(crate) struct CacertsArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Where to write the certificates, PEM; the standard output by default.
    #[arg(long, short = 'o', visible_alias = "output")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CsrattrsArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    credentials: CredentialArguments,
}

pub(crate) async fn cacerts(arguments: CacertsArguments, output: Output) -> Result<ExitCode, CliError> {
    let CacertsArguments { server, out } = arguments;
    let certificates = server.in_time(fetch(&server)).await?;
    let mut text = String::new();
    for certificate in &certificates {
        text.push_str(&pem("CERTIFICATE", certificate.der())?);
    }
    let shown: Vec<_> = certificates.iter().map(report::certificate).collect();
    if output.is_json() {
        let mut object = json!({ "certificates": shown, "file": out });
        match out {
            Some(_) => put(out, &text)?,
            None => object = report::with(object, "pem", text),
        }
        super::files::print(&object.to_string())?;
    } else {
        put(out, &text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// After a first contact only what is to be trusted from now on; else the answer as it is.
async fn fetch(server: &ServerArguments) -> Result<Vec<Certificate>, CliError> {
    let config = server.config()?;
    let Some(made) = server.bootstrap(config.clone()).await? else {
        return Ok(Client::new(config)?.cacerts().await?);
    };
    for refused in &made.rollover.refused {
        print_error(&format!(
            "not trusted, for nothing vouches for it: {}",
            pki_common::Escaped::new(refused.subject())
        ));
    }
    Ok(made.anchors().anchors().to_vec())
}

pub(crate) async fn csrattrs(arguments: CsrattrsArguments, output: Output) -> Result<ExitCode, CliError> {
    let CsrattrsArguments { server, credentials } = arguments;
    let mut config = server.config()?;
    credentials.apply(&mut config)?;
    let asked = server
        .in_time(async { Ok(server.client(config).await?.csrattrs().await?) })
        .await?;
    let (lines, object) = match asked {
        None => (
            vec!["the server asks for nothing".to_owned()],
            json!({ "attributes": null, "requirements": [] }),
        ),
        Some(attributes) => {
            let requirements = attributes.requirements().lines();
            let object = json!({ "attributes": attributes.describe(), "requirements": requirements });
            let mut lines = attributes.describe();
            lines.push("A request must have:".to_owned());
            lines.extend(requirements.into_iter().map(|line| format!("  {line}")));
            (lines, object)
        }
    };
    output.print(&lines.join("\n"), &object)?;
    Ok(ExitCode::SUCCESS)
}
