//! `interop fuzz nmsp` and `interop fuzz nmsp-client`

use std::path::PathBuf;
use std::sync::Arc;

use interop::device_fuzz::address_guard;
use interop::device_fuzz::examine::Examiner;
use interop::device_fuzz::grammar::nmsp::NmspGrammar;
use interop::device_fuzz::liveness::nmsp::EchoIsAnswered;
use interop::device_fuzz::liveness::nmsp_client::ComesBack;
use interop::device_fuzz::target::{Client, Server};
use nmsp::client::with_default_port;
use nmsp::wire::WireProfile;
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, PresentedChain, ServerTls};
use pki_common::{Diagnose as _, Failure, KnownCause, Rung};
use rustls_pki_types::ServerName;
use tokio::net::TcpListener;

use super::local;
use super::options::Options;
use super::task::{Subject, Task};
use crate::cli::doctor::authlist;

/// How long a controller may take for an echo, in seconds.
const CONTROLLER_ALIVE_WITHIN: u64 = 5;

/// How long a location server may take to come back and to ask for an echo, in seconds: its echo interval is 15 s in this
/// project, and it waits between two attempts to connect.
const LOCATION_SERVER_ALIVE_WITHIN: u64 = 60;

#[derive(Debug, clap::Args)]
struct Nmsp {
    /// An authlist that the device must be in, any format.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "dangerous_accept_any_certificate"
    )]
    authlist: Option<PathBuf>,
    /// Layout and numbers that the device speaks, a TOML file; the built-in profile if not given.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ControllerArguments {
    /// HOST or HOST:PORT; the port is 16113 if not given.
    controller: String,
    #[command(flatten)]
    nmsp: Nmsp,
    #[command(flatten)]
    pub(super) options: Options,
}

#[derive(Debug, clap::Args)]
pub(super) struct LocationServerArguments {
    /// ADDRESS:PORT to listen on. Only connections from loopback, private, link-local and unique local addresses are
    /// tested, unless you say --i-own-this.
    listen: String,
    /// Each so-manieth look for life waits for an echo request as well; 0: none does.
    #[arg(long, default_value_t = 25, value_name = "COUNT")]
    echo_every: u32,
    #[command(flatten)]
    nmsp: Nmsp,
    #[command(flatten)]
    pub(super) options: Options,
}

impl Nmsp {
    fn profile(&self) -> Result<Arc<WireProfile>, Failure> {
        let Some(path) = &self.profile else {
            return Ok(Arc::clone(WireProfile::built_in()));
        };
        let text = std::fs::read_to_string(path).map_err(|error| {
            local(
                &format!("{} cannot be read: {error}", path.display()),
                "Check the path and its permissions.",
            )
        })?;
        WireProfile::from_toml(&text)
            .map(Arc::new)
            .map_err(|error| error.diagnose())
    }

    /// What the device's certificate must satisfy; `None` if any will do.
    fn verifier(&self, options: &Options) -> Result<Option<PeerVerifier>, Failure> {
        let anchors = options.anchors("NMSP devices")?;
        let list = self.authlist.as_deref().map(authlist).transpose()?;
        match (list, anchors) {
            (Some(list), Some(anchors)) => Ok(Some(
                PeerVerifier::authlist(list).with_trust_store(Arc::new(anchors)),
            )),
            (Some(list), None) => Ok(Some(PeerVerifier::authlist(list))),
            (None, Some(anchors)) => Ok(Some(PeerVerifier::trust_store(Arc::new(anchors)))),
            (None, None) if options.dangerous_accept_any_certificate => Ok(None),
            (None, None) => Err(local(
                "nothing says whom the device's certificate may come from",
                "Give --authlist, --trust-anchors or --dangerous-accept-any-certificate.",
            )),
        }
    }
}

impl ControllerArguments {
    pub(super) async fn run(self, task: Task) -> Result<bool, Failure> {
        let (nmsp, options) = (&self.nmsp, &self.options);
        let (name, host, port) = place(&self.controller)?;
        let address = address_guard::resolve(&host, port, options.i_own_this).await?;
        let verifier = nmsp.verifier(options)?.unwrap_or_else(|| {
            PeerVerifier::dangerous_accept_any_server_for_bootstrap(Arc::new(PresentedChain::default()))
        });
        let mut tls = ClientTls::new(verifier);
        tls.identity = options.identity()?;
        let target = Server {
            address,
            tls: tls.rustls_config().map_err(|error| error.diagnose())?,
            name,
        };
        let profile = nmsp.profile()?;
        let grammar = NmspGrammar::location_server(Arc::clone(&profile), options.case_budget());
        let mut examiner = Examiner::new(grammar, target, EchoIsAnswered::new(profile));
        options.equip(&mut examiner, CONTROLLER_ALIVE_WITHIN);
        let subject = Subject {
            name: format!("{} ({address})", self.controller),
            options,
        };
        task.perform(examiner, subject).await
    }
}

impl LocationServerArguments {
    pub(super) async fn run(self, task: Task) -> Result<bool, Failure> {
        let (nmsp, options) = (&self.nmsp, &self.options);
        let identity = options.identity()?.ok_or_else(|| {
            local(
                "a controller needs a certificate",
                "Give --identity, or --certificate and --key, of a controller that the location server admits.",
            )
        })?;
        let mut tls = ServerTls::new(identity);
        tls.client_authentication = match nmsp.verifier(options)? {
            Some(verifier) => ClientAuthentication::Required(verifier),
            None => {
                tracing::warn!("no certificate is asked of the device: whatever connects is tested");
                ClientAuthentication::None
            }
        };
        let tls = tls.rustls_config().map_err(|error| error.diagnose())?;
        let listener = TcpListener::bind(&self.listen).await.map_err(|error| {
            local(
                &format!("{} cannot be listened on: {error}", self.listen),
                "Give ADDRESS:PORT, an address of this machine and a port that is free.",
            )
        })?;
        let address = listener.local_addr();
        let address = address.map_or_else(|_| self.listen.clone(), |address| address.to_string());
        let profile = nmsp.profile()?;
        let grammar = NmspGrammar::controller(Arc::clone(&profile), options.case_budget());
        let target = Client::new(listener, tls, options.i_own_this);
        let mut examiner = Examiner::new(grammar, target, ComesBack::new(profile, self.echo_every));
        options.equip(&mut examiner, LOCATION_SERVER_ALIVE_WITHIN);
        crate::cli::report(&format_args!(
            "listening on {address}; let the location server connect"
        ));
        let subject = Subject {
            name: format!("location server at {}", self.listen),
            options,
        };
        task.perform(examiner, subject).await
    }
}

/// The name for TLS, host and port.
fn place(controller: &str) -> Result<(ServerName<'static>, String, u16), Failure> {
    let full = with_default_port(controller);
    let wrong = |problem: &str| {
        Failure::new(
            Rung::Local,
            format!("{controller:?} is no controller: {problem}."),
            "Give HOST or HOST:PORT, an IPv6 address in brackets.",
        )
    };
    let (host, port) = full
        .rsplit_once(':')
        .ok_or_else(|| wrong("the port is missing"))?;
    let port = port
        .parse()
        .map_err(|_| wrong("the port is no number up to 65535"))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|_| {
        KnownCause::NameNotResolved.failure(format!("{host:?} is neither a name nor an address."))
    })?;
    Ok((name, host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_a_host_and_a_port() {
        let table = [
            ("wlc.example", "wlc.example", 16_113),
            ("127.0.0.1:5", "127.0.0.1", 5),
            ("[::1]:5", "::1", 5),
            ("::1", "::1", 16_113),
        ];
        for (text, host, port) in table {
            let (_, found_host, found_port) = place(text).unwrap();
            assert_eq!((found_host.as_str(), found_port), (host, port), "{text}");
        }
        assert!(place("host:99999").is_err());
        assert!(place("a b").is_err());
    }
}
