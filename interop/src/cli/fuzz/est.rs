//! `interop fuzz est`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use est::auth::BasicCredentials;
use est::client::ServerUrl;
use est::operation::Operation;
use est::wire::label::PathLabel;
use interop::device_fuzz::address_guard;
use interop::device_fuzz::examine::Examiner;
use interop::device_fuzz::grammar::est::{Est, Settings};
use interop::device_fuzz::liveness::est::{CaCerts, demands_password};
use interop::device_fuzz::target::Server;
use pki_common::tls::{ClientTls, PeerVerifier, PresentedChain};
use pki_common::{Diagnose as _, Failure};
use rustls_pki_types::ServerName;
use tokio::time::timeout;

use super::local;
use super::options::Options;
use super::task::{Subject, Task};
use crate::cli::doctor::first_line;

/// The environment variable that may have the password, as for `est`.
const PASSWORD_VARIABLE: &str = "EST_PASSWORD";

/// How long a server may take for cacerts, in seconds.
const ALIVE_WITHIN: u64 = 5;

#[derive(Debug, clap::Args)]
pub(super) struct ServerArguments {
    /// The server, like https://est.example:8085.
    url: ServerUrl,
    /// The label, where the server has several.
    #[arg(long)]
    label: Option<PathLabel>,
    /// An operation to ask for; may be repeated. All six if not given: requests that a server grants are certificates that
    /// it issues.
    #[arg(long, value_name = "OPERATION", value_parser = operation)]
    operation: Vec<Operation>,
    /// The server looks whether a request is linked to its connection, where it says so (RFC 7030 section 3.5): requests
    /// are linked rightly and wrongly. TLS 1.2 then needs the extended master secret (RFC 7627).
    #[arg(long)]
    pop: bool,
    /// As --pop, and the server must refuse requests that are not linked.
    #[arg(long)]
    pop_required: bool,
    /// User name of an account made for the test: its name and password stand in the files of the run. The password comes
    /// from --password-file or EST_PASSWORD, never from the arguments.
    #[arg(long, short = 'u', help_heading = "Credentials")]
    user: Option<String>,
    /// The account may log in by Digest (RFC 7616): challenges are answered rightly and wrongly.
    #[arg(long, requires = "user", help_heading = "Credentials")]
    digest: bool,
    /// A file whose first line is the password.
    #[arg(long, value_name = "FILE", requires = "user", help_heading = "Credentials")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) options: Options,
}

fn operation(text: &str) -> Result<Operation, String> {
    Operation::from_segment(text).ok_or_else(|| {
        let all = Operation::ALL.map(Operation::segment).join(", ");
        format!("there are these operations: {all}")
    })
}

impl ServerArguments {
    pub(super) async fn run(self, task: Task) -> Result<bool, Failure> {
        let options = &self.options;
        let (host, port) = (self.url.host(), self.url.port());
        let address = address_guard::resolve(host, port, options.i_own_this).await?;
        let identity = options.identity()?;
        let mut tls = ClientTls::new(self.verifier()?);
        tls.identity.clone_from(&identity);
        tls.channel_binding = self.pop || self.pop_required;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            local(
                &format!("{host:?} is neither a name nor an address"),
                "Correct the URL.",
            )
        })?;
        let mut target = Server {
            address,
            tls: tls.rustls_config().map_err(|error| error.diagnose())?,
            name,
        };
        let mut settings = Settings::new(authority(host, port));
        settings.label.clone_from(&self.label);
        if !self.operation.is_empty() {
            settings.operations.clone_from(&self.operation);
        }
        settings.credentials = self.credentials()?;
        settings.demands_proof_of_possession = self.pop_required;
        settings.verifies_proof_of_possession = self.pop || self.pop_required;
        settings.digest = self.digest;
        settings.certificate = identity.map(|identity| identity.certificate().der().to_vec().into());
        settings.budget = options.case_budget();
        settings.demands_password = self.asks_password(&mut target, &settings).await?;
        let liveness = CaCerts::new(&settings);
        let mut examiner = Examiner::new(Est::new(settings), target, liveness);
        options.equip(&mut examiner, ALIVE_WITHIN);
        let subject = Subject {
            name: format!("{} ({address})", self.url),
            options,
        };
        task.perform(examiner, subject).await
    }

    fn verifier(&self) -> Result<PeerVerifier, Failure> {
        match self.options.anchors("EST trust anchors")? {
            Some(anchors) => Ok(PeerVerifier::trust_store(Arc::new(anchors))),
            None if self.options.dangerous_accept_any_certificate => Ok(
                PeerVerifier::dangerous_accept_any_server_for_bootstrap(Arc::new(PresentedChain::default())),
            ),
            None => Err(local(
                "nothing says whom the server's certificate may come from",
                "Give --trust-anchors or --dangerous-accept-any-certificate.",
            )),
        }
    }

    fn credentials(&self) -> Result<Option<BasicCredentials>, Failure> {
        let Some(user) = &self.user else { return Ok(None) };
        let password = match &self.password_file {
            Some(path) => first_line(path)?,
            None => std::env::var(PASSWORD_VARIABLE).map(Into::into).map_err(|_| {
                local(
                    &format!("there is no password for {user}"),
                    &format!("Give --password-file, or the password in {PASSWORD_VARIABLE}."),
                )
            })?,
        };
        let credentials = BasicCredentials::new(user, password.as_str());
        credentials.map(Some).map_err(|error| error.diagnose())
    }

    /// Whether the server asks for a password where one may be asked for.
    async fn asks_password(&self, target: &mut Server, settings: &Settings) -> Result<bool, Failure> {
        if settings.certificate.is_some() || !settings.operations.contains(&Operation::SimpleEnroll) {
            return Ok(false);
        }
        let request = Est::new(settings.clone()).anonymous_enrolment();
        let bound = Duration::from_secs(self.options.alive_within.unwrap_or(ALIVE_WITHIN));
        let asked = timeout(bound, demands_password(target, &request)).await;
        let asked = asked.unwrap_or_else(|_| Err("it does not answer simpleenroll".to_owned()));
        asked.map_err(|problem| {
            local(
                &format!("before the first case, the server does not work: {problem}"),
                "Make `est enroll` work first; `interop doctor est` says what is missing.",
            )
        })
    }
}

/// Host and port as in a Host header.
fn authority(host: &str, port: u16) -> String {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    if port == 443 {
        host
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_header_has_brackets_and_no_default_port() {
        assert_eq!(authority("est.example", 443), "est.example");
        assert_eq!(authority("est.example", 8085), "est.example:8085");
        assert_eq!(authority("::1", 8085), "[::1]:8085");
    }

    #[test]
    fn operations_are_called_as_in_paths() {
        assert_eq!(operation("cacerts"), Ok(Operation::CaCerts));
        assert!(operation("CACERTS").unwrap_err().contains("simplereenroll"));
    }
}
