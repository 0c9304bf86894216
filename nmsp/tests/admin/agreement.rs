//! RESTCONF, metrics, `/state` and the texts show the same numbers.

use nmsp::admin::AdminConfig;
use nmsp::proto::Event;
use nmsp::proto::policy::{NotificationClass, NotificationPolicy};
use nmsp::show::{self, State};
use nmsp::wire::elements::ServiceParameters;
use nmsp::wire::message::ServiceSubscribeRequest;
use nmsp::wire::{MessageType, Services, StationClass};
use pki_common::MacAddr;
use serde_json::{Value, json};

use crate::exposition::Exposition;
use crate::peer::Peer;
use crate::support::{Lab, PATIENCE, measurement, until};
use crate::{Admin, ROOT, http};

const PUBLISHED: u8 = 40;

/// One connection that subscribes, gets all measurements, and leaves. How many notifications brought them.
async fn session(lab: &Lab) -> u64 {
    let mut client = lab.connect().await;
    client
        .subscribe(Services::RSSI_MS | Services::RSSI_RFID)
        .await
        .unwrap();
    for last in 1..=PUBLISHED {
        lab.handle
            .publish(&measurement(last, StationClass::CLIENT))
            .unwrap();
    }
    let (mut stations, mut notifications) = (0, 0);
    let reading = async {
        while stations < usize::from(PUBLISHED) {
            if let Some(Event::Notification(frame)) = client.next().await.unwrap() {
                stations += frame.measurement().unwrap().stations().count();
                notifications += 1;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    client.close().await.unwrap();
    until("the connection is gone", || {
        lab.handle.status().iter().all(|status| !status.active)
    })
    .await;
    notifications
}

#[tokio::test]
async fn all_views_agree_with_each_other_after_two_sessions() {
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let sent = session(&lab).await + session(&lab).await;
    // Nothing is connected now, so no counter moves between the requests.
    let restconf = admin.get(ROOT).await.json();
    let data = &restconf["Cisco-IOS-XE-wireless-nmsp-oper:nmsp-oper-data"];
    let state: State = serde_json::from_value(admin.get("/state").await.json()).unwrap();
    let metrics = Exposition::parse(admin.get("/metrics").await.text());

    let peer = &data["cmx-connection"][0];
    assert_eq!(data["cmx-connection"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&peer["peer-ip"], &peer["active"]),
        (&json!("127.0.0.1"), &json!(false))
    );
    let stats = &peer["con-stats"];
    assert_eq!(
        (&stats["connections"], &stats["disconnections"]),
        (&json!("2"), &json!("2"))
    );
    let measurements = counter(&stats["tx-msg-counter"], MessageType::MeasurementNotification);
    assert_eq!(measurements, sent, "over both connections");
    assert_eq!(
        counter(&stats["rx-msg-counter"], MessageType::ServiceSubscribeRequest),
        2
    );

    every_counter_of_a_peer_agrees(stats, &state, &metrics);
    every_counter_of_the_server_agrees(&data["statistics"], &state, &metrics);

    let text = show::statistics_connection(&state);
    let row = format!("  {:<5}{:<40}{sent}", 15, "Measurement Notification");
    assert!(text.lines().any(|line| line == row), "{text}");
    let table = show::status(&state);
    let frames: u64 = stats["tx-data-frames"].as_str().unwrap().parse().unwrap();
    let row: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row[..2], ["127.0.0.1", "Inactive"]);
    let echoes: u64 = row[2].parse().unwrap();
    assert_eq!(row[4].parse::<u64>().unwrap(), frames - echoes);
    lab.stop().await;
    admin.task.await.unwrap().unwrap();
}

fn counter(list: &Value, message: MessageType) -> u64 {
    let entry = list
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["msg-id"] == message.built_in_number());
    entry.map_or(0, |entry| number(&entry["counter"]))
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

fn every_counter_of_a_peer_agrees(stats: &Value, state: &State, metrics: &Exposition) {
    let own = serde_json::to_value(&state.peers[0].con_stats).unwrap();
    for (name, value) in stats.as_object().unwrap() {
        let metric = format!("nmsp_con_stats_{}_total", name.replace('-', "_"));
        if let Some(entries) = value.as_array() {
            assert!(!entries.is_empty(), "{name}");
            for (entry, counter) in entries.iter().zip(own[name].as_array().unwrap()) {
                let id = entry["msg-id"].to_string();
                assert_eq!(entry["msg-id"], counter["msg-id"]);
                assert_eq!(number(&entry["counter"]), counter["counter"]);
                let labels = [("peer_ip", "127.0.0.1"), ("msg_id", id.as_str())];
                assert_eq!(
                    metrics.value(&metric, &labels),
                    number(&entry["counter"]),
                    "{metric} {id}"
                );
            }
        } else {
            assert_eq!(number(value), own[name], "{name}");
            assert_eq!(
                metrics.value(&metric, &[("peer_ip", "127.0.0.1")]),
                number(value),
                "{metric}"
            );
        }
    }
}

fn every_counter_of_the_server_agrees(statistics: &Value, state: &State, metrics: &Exposition) {
    let own = serde_json::to_value(state.statistics).unwrap();
    let summary = show::statistics_summary(state);
    for group in ["ssl-stats", "aaa-stats"] {
        for (name, value) in statistics[group].as_object().unwrap() {
            assert_eq!(number(value), own[group][name], "{group} {name}");
            let metric = format!("nmsp_{group}_{name}").replace('-', "_");
            let metric = format!("{}_total", metric.strip_suffix("_total").unwrap_or(&metric));
            assert_eq!(metrics.value(&metric, &[]), number(value), "{metric}");
        }
    }
    assert_eq!(statistics["ssl-stats"]["accept-success"], "2");
    assert_eq!(statistics["aaa-stats"]["aaa-validation-success"], "2");
    let row = format!("{:<38}: 2", "Amount of successful accepts");
    assert!(summary.lines().any(|line| line == row), "{summary}");
}

#[tokio::test]
async fn a_subscription_is_a_mask_with_one_empty_leaf_for_each_service() {
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let client = lab.connect().await;
    client
        .subscribe(Services::RSSI_MS | Services::RSSI_RFID)
        .await
        .unwrap();
    let path = format!("{ROOT}/cmx-connection=127.0.0.1/subscriptions");
    let answer = admin.get(&path).await;
    assert_eq!(answer.header("content-type"), "application/yang-data+json");
    assert_eq!(
        answer.json(),
        json!({"Cisco-IOS-XE-wireless-nmsp-oper:subscriptions": {"mask": "3", "rssi-ms": [null], "rssi-rfid": [null]}})
    );
    let metrics = Exposition::parse(admin.get("/metrics").await.text());
    let labels = [("peer_ip", "127.0.0.1"), ("service", "rssi-rfid")];
    assert_eq!(metrics.value("nmsp_cmx_connection_subscription", &labels), 1);
    assert_eq!(metrics.value("nmsp_cmx_connection_active", &labels[..1]), 1);
    client.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn the_state_has_the_authlist_unless_told_otherwise() {
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let whole = admin.get("/state").await.json();
    assert_eq!(whole["auth-list"]["length"], 1);
    assert_eq!(whole["auth-list"]["entries"][0]["mac"], "00:50:56:9c:34:89");
    assert_eq!(whole["auth-list"]["entries"][0]["cert-type"], "sha256-lbs-ssc");
    let without = admin.get("/state?without=auth-list").await.json();
    assert_eq!(without["auth-list"], json!({"length": 1, "entries": null}));
    let refused = admin.get("/state?with=everything").await;
    assert_eq!(refused.status, 400);
    lab.stop().await;
}

#[tokio::test]
async fn media_types_are_negotiated() {
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let scrape = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (path, accept, status, content_type) in [
        (
            ROOT,
            "application/yang-data+json",
            200,
            "application/yang-data+json",
        ),
        (ROOT, "application/*", 200, "application/yang-data+json"),
        (
            ROOT,
            "application/yang-data+xml",
            406,
            "application/yang-data+json",
        ),
        ("/metrics", "*/*", 200, "text/plain; version=0.0.4; charset=utf-8"),
        (
            "/metrics",
            "text/plain",
            200,
            "text/plain; version=0.0.4; charset=utf-8",
        ),
        (
            "/metrics",
            scrape,
            200,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        ("/metrics", "text/html", 406, "text/plain; charset=utf-8"),
    ] {
        let answer = http::get(admin.address, path, &[("Accept", accept)]).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, content_type),
            "{path} {accept}"
        );
    }
    let refused = http::get(admin.address, ROOT, &[("Accept", "text/html")]).await;
    let errors: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(
        errors["ietf-restconf:errors"]["error"][0]["error-tag"],
        "invalid-value"
    );
    lab.stop().await;
}

#[tokio::test]
async fn groups_rules_store_and_policy_of_the_server_are_shown() {
    let lab = Lab::start(|config| config.connection.services = Services::RSSI_MS | Services::AP_INFO).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let mut policy = NotificationPolicy::default();
    policy.set_interval(NotificationClass::Client, 7).unwrap();
    policy.set_threshold(NotificationClass::Client, 3).unwrap();
    lab.handle.set_notification_policy(policy);
    let store = lab.handle.store();
    for last in [9, 1] {
        store.set_access_point_group(MacAddr::from([0, 0x3a, 0x7d, 0, 0, last]), Some(&"north".into()));
    }
    store.observe(&[measurement(1, StationClass::CLIENT)]).unwrap();
    let mut peer = Peer::connect(&lab).await;
    let rule = ServiceParameters {
        services: Services::RSSI_MS,
        interval_seconds: 5,
        rssi_threshold_db: 6,
    };
    peer.subscribe(&ServiceSubscribeRequest {
        services: Services::RSSI_MS,
        access_point_groups: vec!["north".into()],
        parameters: vec![rule],
    })
    .await;
    let state: State = serde_json::from_value(admin.get("/state").await.json()).unwrap();
    assert_eq!(
        state,
        State {
            controller: state.controller.clone(),
            ..State::of(&lab.handle).with_auth_list(&lab.handle)
        }
    );
    let ip = "127.0.0.1".parse().unwrap();
    let detail = show::subscription_detail(&state, ip).unwrap();
    for line in [
        "  AP group             : north",
        "  Own rule             : rssi-ms: every 5 sec, from 6 dB",
    ] {
        assert!(detail.lines().any(|each| each == line), "{detail}");
    }
    let access_points = show::subscription_group_access_points(&state, "north", ip).unwrap();
    assert!(
        access_points.ends_with("\n  00:3a:7d:00:00:01  00:3a:7d:00:00:09\n"),
        "{access_points}"
    );
    let interval = show::notification_interval(&state);
    for line in [
        " Client                   : 7 sec",
        " Client                   : 3 dB",
        " RFID                     : 2 sec",
    ] {
        assert!(interval.lines().any(|each| each == line), "{interval}");
    }
    the_store_is_measured(&lab, &admin).await;
    lab.stop().await;
}

async fn the_store_is_measured(lab: &Lab, admin: &Admin) {
    let metrics = Exposition::parse(admin.get("/metrics").await.text());
    assert_eq!(
        metrics.value("nmsp_store_records", &[("kind", "client measurements")]),
        1
    );
    let bound = u64::try_from(lab.handle.limits().queue_length).unwrap();
    assert_eq!(
        metrics.value("nmsp_queue_bound", &[("peer_ip", "127.0.0.1")]),
        bound
    );
}
