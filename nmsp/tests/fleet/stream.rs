//! The one stream of many controllers.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use nmsp::client::fleet::{ControllerEvent, ControllerId};
use nmsp::proto::Event;
use nmsp::wire::OwnedMessage;
use nmsp::wire::StationClass;
use nmsp::wire::message::bodies::Measurements;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::scripted::ScriptedController;
use super::support::{Lab, measurement, until};
use super::{add, add_lab, fleet, health, is_alone, is_up, next, notified, subscribed};

fn heard(last: u8) -> OwnedMessage {
    OwnedMessage::MeasurementNotification(Measurements {
        stations: vec![measurement(last, StationClass::CLIENT)],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_controllers_come_up_and_are_heard_with_their_identity() {
    const CONTROLLERS: usize = 100;
    let mut fleet = fleet(|_| {});
    let mut labs = HashMap::new();
    for _ in 0..CONTROLLERS {
        let lab = Lab::start(|_| {}).await;
        labs.insert(add_lab(&fleet, &lab), lab);
    }
    let mut heard = BTreeSet::new();
    while heard.len() < CONTROLLERS {
        let happened = next(&mut fleet).await;
        let lab = &labs[&happened.id];
        match happened.event {
            ControllerEvent::Subscribed(_) => {
                lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
            }
            ControllerEvent::Connection(Event::Notification(frame)) => {
                assert_eq!(frame.sequence(), 1);
                assert_eq!(happened.controller.address, Some(lab.address));
                let certificate = happened.controller.certificate.as_ref().unwrap();
                let own = lab.controller.certificate();
                assert_eq!(certificate.mac, own.subject_mac());
                assert!(certificate.key_hash.matches_spki(own.spki_der()));
                heard.insert(happened.id);
            }
            _ => {}
        }
    }
    let health = fleet.health();
    assert_eq!(health.len(), CONTROLLERS);
    assert!(
        health
            .iter()
            .all(|controller| is_up(controller) && controller.totals.attempts == 1)
    );
    fleet.close().await;
    for lab in labs.values() {
        until("everybody has gone", || is_alone(lab)).await;
    }
}

#[tokio::test]
async fn a_busy_controller_is_slowed_down_and_a_quiet_one_is_heard_in_its_turn() {
    const FLOOD: u32 = 5_000;
    let (busy, quiet) = (
        ScriptedController::start().await,
        ScriptedController::start().await,
    );
    let mut fleet = fleet(|config| config.queue_length = 100);
    let busy_id = add(&fleet, busy.address, busy.client_config());
    let mut tunnel = busy.accept().await;
    tunnel.subscribed().await;
    subscribed(&mut fleet, busy_id).await;
    let flooding = tokio::spawn(async move {
        for sequence in 1..=FLOOD {
            tunnel.notify(sequence, &heard(1)).await;
        }
        tunnel
    });
    until("the queue is full", || {
        health(&fleet, busy_id).queued_events >= 100
    })
    .await;

    let quiet_id = add(&fleet, quiet.address, quiet.client_config());
    let mut quiet_tunnel = quiet.accept().await;
    quiet_tunnel.subscribed().await;
    quiet_tunnel.notify(1, &heard(2)).await;
    until("the quiet one was heard", || {
        health(&fleet, quiet_id).totals.notifications == 1
    })
    .await;
    assert!(
        health(&fleet, busy_id).queued_events <= 116,
        "the queue is bounded"
    );

    // Nothing has been taken since the flood began: the quiet one comes after one turn of the busy one.
    let mut before = 0;
    while next(&mut fleet).await.id != quiet_id {
        before += 1;
    }
    assert!(before <= 32, "{before} events of the busy one came first");

    let mut last = before;
    while last < FLOOD {
        last = notified(&mut fleet, busy_id).await;
    }
    let totals = health(&fleet, busy_id).totals;
    assert_eq!(
        (totals.notifications, totals.lost),
        (FLOOD.into(), 0),
        "slowed down, not cut"
    );
    flooding.await.unwrap();
    fleet.close().await;
}

#[tokio::test]
async fn gaps_in_the_sequence_are_counted_as_losses() {
    let controller = ScriptedController::start().await;
    let mut fleet = fleet(|_| {});
    let id = add(&fleet, controller.address, controller.client_config());
    let mut tunnel = controller.accept().await;
    tunnel.subscribed().await;
    for sequence in [3, 4, 4, 9] {
        tunnel.notify(sequence, &heard(1)).await;
    }
    while notified(&mut fleet, id).await != 9 {}
    let totals = health(&fleet, id).totals;
    assert_eq!(totals.notifications, 4);
    assert_eq!(
        totals.lost,
        2 + 4,
        "1 and 2, then 5 to 8; a number twice is no loss"
    );
    fleet.close().await;
}

/// Hands on what comes in pieces of a few bytes, in both directions.
async fn trickle(from: TcpStream, to: TcpStream) {
    async fn one_way(
        mut from: impl tokio::io::AsyncRead + Unpin,
        mut to: impl tokio::io::AsyncWrite + Unpin,
    ) {
        let mut piece = [0; 7];
        while let Ok(length @ 1..) = from.read(&mut piece).await {
            for byte in piece.get(..length).unwrap().chunks(3) {
                // The other end may have closed first.
                if to.write_all(byte).await.is_err() || to.flush().await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
        drop(to.shutdown().await);
    }
    let (from_read, from_write) = from.into_split();
    let (to_read, to_write) = to.into_split();
    tokio::join!(one_way(from_read, to_write), one_way(to_read, from_write));
}

#[tokio::test]
async fn a_controller_behind_a_line_that_dribbles_is_understood() {
    let lab = Lab::start(|_| {}).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, behind) = (listener.local_addr().unwrap(), lab.address);
    let line = tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        near.set_nodelay(true).unwrap();
        trickle(near, TcpStream::connect(behind).await.unwrap()).await;
    });
    let mut fleet = fleet(|_| {});
    let id = add(&fleet, address, lab.client_config());
    subscribed(&mut fleet, id).await;
    for last in 1..=20 {
        lab.handle
            .publish(&measurement(last, StationClass::CLIENT))
            .unwrap();
        assert_eq!(notified(&mut fleet, id).await, u32::from(last));
    }
    fleet.close().await;
    line.await.unwrap();
}

#[tokio::test]
async fn a_fleet_that_is_closed_elsewhere_ends_its_stream_after_what_was_received() {
    let lab = Lab::start(|_| {}).await;
    let mut fleet = fleet(|_| {});
    let id = add_lab(&fleet, &lab);
    subscribed(&mut fleet, id).await;
    lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
    until("it was heard", || health(&fleet, id).totals.notifications == 1).await;
    let handle = fleet.handle().clone();
    handle.close().await;
    let mut seen: Vec<ControllerId> = Vec::new();
    let mut removed = false;
    while let Some(event) = tokio::time::timeout(super::PATIENCE, fleet.next()).await.unwrap() {
        seen.push(event.id);
        removed = matches!(event.event, ControllerEvent::Removed);
    }
    assert!(seen.len() >= 2 && removed, "the notification, then the end");
    assert!(fleet.add("192.0.2.1").is_err(), "nobody is let in any more");
}

#[tokio::test]
async fn dropping_a_fleet_ends_its_connections() {
    let lab = Lab::start(|_| {}).await;
    let mut fleet = fleet(|_| {});
    let id = add_lab(&fleet, &lab);
    subscribed(&mut fleet, id).await;
    assert_eq!(lab.handle.status().len(), 1);
    drop(fleet);
    until("it has gone", || is_alone(&lab)).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    lab.stop().await;
}
