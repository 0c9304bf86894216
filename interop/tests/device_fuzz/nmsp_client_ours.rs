//! Our own location server, which connects to the tester.

use std::sync::Arc;
use std::time::Duration;

use interop::device_fuzz::examine::Examiner;
use interop::device_fuzz::grammar::nmsp::NmspGrammar;
use interop::device_fuzz::liveness::nmsp_client::ComesBack;
use interop::device_fuzz::target::Client as ClientTarget;
use interop::device_fuzz::verdict::Verdict;
use nmsp::client::ClientConfig;
use nmsp::client::fleet::{Fleet, FleetConfig, RetryPolicy};
use nmsp::wire::WireProfile;
use pki_common::tls::{ClientAuthentication, ClientTls, ServerTls};
use tokio::net::TcpListener;

use crate::support::{Pair, admit, run_to_end, settings, small_budget, state};

#[tokio::test(flavor = "multi_thread")]
async fn finds_nothing_in_our_location_server() {
    let pair = Pair::new();
    let mut tls = ServerTls::new(Arc::clone(&pair.controller));
    tls.client_authentication = ClientAuthentication::Required(admit(&pair.location_server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();

    let own = ClientTls::new(admit(&pair.controller)).with_identity(Arc::clone(&pair.location_server));
    let mut client = ClientConfig::new(own);
    client.connection.echo_interval = Duration::from_millis(100);
    let mut config = FleetConfig::new(client);
    let soon = Duration::from_millis(20);
    config.retry = RetryPolicy {
        first: soon,
        longest: soon,
        attention: soon,
        longest_asked: soon,
        ..RetryPolicy::default()
    };
    let mut fleet = Fleet::new(config);
    fleet.add(address.to_string()).unwrap();
    // Takes what comes, as an application does.
    let application = tokio::spawn(async move { while fleet.next().await.is_some() {} });

    let profile = Arc::clone(WireProfile::built_in());
    let grammar = NmspGrammar::controller(Arc::clone(&profile), small_budget());
    let target = ClientTarget::new(listener, tls.rustls_config().unwrap(), false);
    let mut examiner = Examiner::new(grammar, target, ComesBack::new(profile, 10));
    examiner.look.bound = Duration::from_secs(20);
    examiner.patience.answer = Duration::from_millis(40);
    let cases = u64::try_from(3 * NmspGrammar::mutations()).unwrap();
    let first = state(77, &examiner.grammar);
    let state = run_to_end(&mut examiner, &settings(cases, None), first).await;

    assert!(!application.is_finished(), "the application must still be served");
    application.abort();
    assert!(state.findings.is_empty(), "{:#?}", state.findings);
    assert_eq!(state.next, cases);
    let verdicts = state.verdicts();
    for verdict in [Verdict::Accepted, Verdict::RefusedCleanly, Verdict::Silent] {
        assert!(
            verdicts.contains_key(&verdict),
            "no case was {verdict}: {verdicts:?}"
        );
    }
}
