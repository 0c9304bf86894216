//! A controller and a location server of ours, and what the tester needs to reach them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use interop::device_fuzz::examine::Examiner;
use interop::device_fuzz::grammar::nmsp::NmspGrammar;
use interop::device_fuzz::grammar::{CaseBudget, Grammar};
use interop::device_fuzz::liveness::Liveness;
use interop::device_fuzz::liveness::nmsp::EchoIsAnswered;
use interop::device_fuzz::resume::{Identity as RunIdentity, State};
use interop::device_fuzz::run::{Budget, Settings, run};
use interop::device_fuzz::target::{Server as ServerTarget, Target};
use nmsp::server::{Server, ServerConfig, ServerHandle};
use nmsp::wire::WireProfile;
use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier};
use tokio::task::JoinHandle;

/// Two identities that admit each other.
pub(crate) struct Pair {
    pub(crate) controller: Arc<Identity>,
    pub(crate) location_server: Arc<Identity>,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let identity =
            |mac: &str| Arc::new(Identity::self_signed(SelfSigned::new(mac.parse().unwrap())).unwrap());
        Self {
            controller: identity("003a.7d00.0001"),
            location_server: identity("0050.569c.3489"),
        }
    }
}

pub(crate) fn admit(peer: &Identity) -> PeerVerifier {
    let list = AuthList::import(AuthListFormat::ServerAuthInfo, &peer.server_auth_info()).unwrap();
    PeerVerifier::authlist(SharedAuthList::new(list))
}

/// A controller of ours.
pub(crate) struct Controller {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    running: JoinHandle<()>,
    pair: Pair,
}

impl Controller {
    pub(crate) async fn start() -> Self {
        let pair = Pair::new();
        let config = ServerConfig::new(Arc::clone(&pair.controller), admit(&pair.location_server));
        let server = Server::bind("127.0.0.1:0", config).await.unwrap();
        let (address, handle) = (server.local_addr().unwrap(), server.handle());
        Self {
            address,
            handle,
            running: tokio::spawn(server.run()),
            pair,
        }
    }

    pub(crate) fn target(&self) -> ServerTarget {
        let tls = ClientTls::new(admit(&self.pair.controller))
            .with_identity(Arc::clone(&self.pair.location_server));
        target(self.address, &tls)
    }

    pub(crate) fn examiner(&self, budget: CaseBudget) -> Examiner<NmspGrammar, ServerTarget, EchoIsAnswered> {
        let profile = Arc::clone(WireProfile::built_in());
        let grammar = NmspGrammar::location_server(Arc::clone(&profile), budget);
        let mut examiner = Examiner::new(grammar, self.target(), EchoIsAnswered::new(profile));
        examiner.look.bound = Duration::from_secs(20);
        examiner.patience.answer = Duration::from_millis(60);
        examiner
    }

    /// Ends it; a panic in it fails the test.
    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        self.running.await.unwrap();
    }
}

pub(crate) fn target(address: SocketAddr, tls: &ClientTls) -> ServerTarget {
    ServerTarget {
        address,
        tls: tls.rustls_config().unwrap(),
        name: address.ip().into(),
    }
}

/// Stalls that a test has time for.
pub(crate) fn small_budget() -> CaseBudget {
    CaseBudget {
        stall_milliseconds: 60,
        ..CaseBudget::default()
    }
}

pub(crate) fn state(seed: u64, grammar: &impl Grammar) -> State {
    let identity = RunIdentity::of(grammar, "the device".to_owned(), seed, small_budget());
    State::new(identity, vec![grammar.name().to_owned(), "the device".to_owned()])
}

pub(crate) fn settings(cases: u64, folder: Option<&Path>) -> Settings {
    Settings {
        budget: Budget {
            cases: Some(cases),
            time: None,
            bytes: None,
            connections: None,
        },
        // Fewer than a controller takes from one address in a second.
        pace: Duration::from_millis(5),
        folder: folder.map(Path::to_owned),
        ..Settings::default()
    }
}

/// Runs to the end.
pub(crate) async fn run_to_end<G: Grammar, T: Target, L: Liveness<T>>(
    examiner: &mut Examiner<G, T, L>,
    settings: &Settings,
    state: State,
) -> State {
    run(examiner, settings, state, &mut (), &AtomicBool::new(false))
        .await
        .unwrap()
}
