//! A location server that the authlist no longer admits has to go, and both sides know why.

use std::sync::Arc;

use nmsp::proto::CloseReason;
use nmsp::server::ServerConfig;
use nmsp::wire::numbers::DisconnectReason;
use pki_common::authlist::AuthList;
use pki_common::tls::PeerVerifier;

use crate::peer::Peer;
use crate::support::{
    CONTROLLER, LOCATION_SERVER, Lab, authlist_of, authlist_with_wrong_hash, identity, until,
};

async fn is_closed_for(lab: &Lab, peer: &mut Peer, why: &str) {
    let CloseReason::Disconnected { reason, text, .. } = peer.end().await else {
        panic!("no reason was given");
    };
    assert_eq!(reason, DisconnectReason::NOT_AUTHORIZED);
    assert!(text.to_string().contains(why), "{text}");
    until("the controller has let go", || !lab.handle.status()[0].active).await;
    let status = lab.handle.status();
    let ended = status[0].ended.as_deref().unwrap();
    assert!(
        ended.contains("no longer authorized") && ended.contains(why),
        "{ended}"
    );
}

#[tokio::test]
async fn a_tunnel_whose_entry_goes_or_changes_is_closed_with_the_reason_on_both_sides() {
    let lab = Lab::start(|_| {}).await;
    let admitting = (*lab.authlist.load()).clone();
    let table = [
        (AuthList::new(), "no entry"),
        (authlist_with_wrong_hash(LOCATION_SERVER), "key hash"),
    ];
    for ((list, why), count) in table.into_iter().zip(1..) {
        let mut peer = Peer::connect(&lab).await;
        lab.authlist.replace(list);
        is_closed_for(&lab, &mut peer, why).await;
        assert_eq!(lab.handle.counters().authorization_withdrawn, count);
        lab.authlist.replace(admitting.clone());
    }
    let mut stays = Peer::connect(&lab).await;
    // An equal list is another list: everybody is asked about again and stays.
    lab.authlist.replace(admitting);
    stays.subscribe_services(nmsp::wire::Services::RSSI_MS).await;
    lab.stop().await;
}

#[tokio::test]
async fn replacing_the_whole_verifier_asks_about_live_tunnels_too() {
    let lab = Lab::start(|_| {}).await;
    let mut peer = Peer::connect(&lab).await;
    let stranger = authlist_of(&identity(CONTROLLER));
    let config = ServerConfig::new(Arc::clone(&lab.controller), PeerVerifier::authlist(stranger));
    lab.handle.replace_tls(config.tls).unwrap();
    is_closed_for(&lab, &mut peer, "no entry").await;
    assert_eq!(lab.handle.auth_list().unwrap().len(), 1);
    lab.stop().await;
}

#[tokio::test]
async fn an_operator_can_end_one_connection() {
    let lab = Lab::start(|_| {}).await;
    let (mut first, mut second) = (Peer::connect(&lab).await, Peer::connect(&lab).await);
    assert!(lab.handle.disconnect(0, "maintenance"));
    assert!(!lab.handle.disconnect(7, "nobody"));
    let end = first.end().await;
    assert_eq!(
        end,
        CloseReason::Disconnected {
            reason: DisconnectReason::ADMINISTRATIVE,
            text: "maintenance".into(),
            retry_after: None,
        }
    );
    second.subscribe_services(nmsp::wire::Services::RSSI_MS).await;
    lab.stop().await;
}
