//! The data of the YANG model `Cisco-IOS-XE-wireless-nmsp-oper`, revision 2018-09-19, as JSON (RFC 7951).

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::show::{ConStats, MessageCounter, PeerState, State};
use crate::wire::Services;

/// The YANG model.
pub const MODULE: &str = "Cisco-IOS-XE-wireless-nmsp-oper";

/// The number of the only "NMSP client", as the model calls the applications of the controller that provide services.
const CLIENT_ID: u32 = 0;

/// The container `nmsp-oper-data` with everything in it. A `uint64` is a string, an empty leaf is `[null]` (RFC 7951,
/// sections 6.1 and 6.9).
///
/// - `client-registration` has one entry, the controller itself; `mask` and leaves are the services that it offers. Bit n
///   of the mask is the n-th sub-service of the model. The model does not say so; a mask in a public repository agrees.
/// - `cmx-connection` has one entry for each address, as its key demands; the counters are over all connections from it.
/// - `cmx-cloud-info` is that of a controller without a cloud: down, nothing sent, nothing received. `ip-address` and
///   `last-request-status` are left out, because no address was looked up and no request was made.
/// - `transport` has the enumeration's names, which say nothing; `default-class-type2` is the one described as "TLS
///   transport protocol". A transport that the model does not know leaves it out.
#[must_use]
pub fn restconf_data(state: &State) -> Value {
    let peers: Vec<Value> = state.peers.iter().map(connection).collect();
    json!({
        "client-registration": [{"client-id": CLIENT_ID, "services": services(state.capability)}],
        "cmx-connection": peers,
        "cmx-cloud-info": {
            "cloud-status": {
                "connectivity": "nmsp-connectivity-down",
                "service-up": false,
                "heartbeat-status-ok": false,
            },
            // Of type uint32 in the model, so plain numbers.
            "cloud-stats": {
                "tx-dataframes": 0,
                "rx-dataframes": 0,
                "tx-heartbeat-req": 0,
                "heartbeat-timeout": 0,
                "rx-subscriber-req": 0,
                "tx-databytes": 0,
                "rx-databytes": 0,
                "tx-heartbeat-fail": 0,
                "rx-data-fail": 0,
                "tx-data-fail": 0,
            },
        },
        "statistics": {
            "ssl-stats": counters(&state.statistics.ssl_stats),
            "aaa-stats": counters(&state.statistics.aaa_stats),
            "srv-stats": counters(&state.srv_stats),
        },
    })
}

fn count(number: u64) -> Value {
    Value::String(number.to_string())
}

/// A group of counters whose names are those of the model.
fn counters(group: &impl Serialize) -> Value {
    let mut group = serde_json::to_value(group).unwrap_or_default();
    for value in group.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(number) = value.as_u64() {
            *value = count(number);
        }
    }
    group
}

fn services(services: Services) -> Value {
    let leaves = services
        .iter()
        .map(|service| (service.name().to_owned(), json!([null])));
    let mask = ("mask".to_owned(), count(services.0));
    Value::Object(leaves.chain([mask]).collect())
}

fn connection(peer: &PeerState) -> Value {
    let mut entry = json!({
        "peer-ip": peer.peer_ip,
        "connection-id": count(peer.connection_id.into()),
        "active": peer.active,
        "con-stats": con_stats(&peer.con_stats),
        "subscriptions": services(peer.subscriptions),
    });
    // TLS, whichever library speaks it; DTLS is something else.
    if let (Some(entry), true) = (entry.as_object_mut(), peer.transport.starts_with("TLS")) {
        entry.insert("transport".to_owned(), json!("default-class-type2"));
    }
    entry
}

fn con_stats(stats: &ConStats) -> Value {
    let messages = |counters: &[MessageCounter]| -> Vec<Value> {
        let entry = |one: &MessageCounter| json!({"counter": count(one.counter), "msg-id": one.msg_id});
        counters.iter().map(entry).collect()
    };
    json!({
        "tx-msg-counter": messages(&stats.tx_msg_counter),
        "rx-msg-counter": messages(&stats.rx_msg_counter),
        "unsupported-msg-count": count(stats.unsupported_msg_count),
        "tx-data-frames": count(stats.tx_data_frames),
        "rx-data-frames": count(stats.rx_data_frames),
        "connections": count(stats.connections),
        "disconnections": count(stats.disconnections),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    #[test]
    fn the_document_of_a_known_state_is_the_one_written_by_hand() {
        let expected: Value =
            serde_json::from_str(include_str!("../../../testdata/restconf/nmsp-oper-data.json")).unwrap();
        let data = json!({ format!("{MODULE}:nmsp-oper-data"): restconf_data(&sample::state()) });
        assert_eq!(data, expected, "{data:#}");
    }

    /// A mask in a test of the public repository umatare5/cisco-ios-xe-wireless-go, "based on live WNC data"; the leaves are
    /// those that the same repository marks as seen on IOS-XE 17.12.5, in another file. That they belong together is
    /// inferred.
    #[test]
    fn a_published_mask_names_the_leaves_that_were_seen_on_a_controller() {
        let document = services(Services(6_876_135));
        let leaves: Vec<&String> = document.as_object().unwrap().keys().collect();
        let expected = [
            "ap-info",
            "ap-monitor",
            "info-ms",
            "info-rogue",
            "mask",
            "on-demand",
            "rssi-ms",
            "rssi-ms-associated-only",
            "rssi-rfid",
            "rssi-rogue",
            "spectrum-aggregate-interferer",
            "spectrum-air-quality",
            "spectrum-interferer",
            "stats-ms",
            "stats-rfid",
            "stats-rogue",
        ];
        assert_eq!(leaves, expected);
        assert_eq!(document["mask"], "6876135");
    }

    #[test]
    fn a_transport_that_the_model_does_not_know_is_left_out() {
        let mut state = sample::state();
        state.peers[0].transport = "DTLS".to_owned();
        let data = restconf_data(&state);
        assert_eq!(data["cmx-connection"][0].get("transport"), None);
        assert_eq!(data["cmx-connection"][1]["transport"], "default-class-type2");
    }
}
