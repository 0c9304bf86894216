//! A subscriber that does not read: its memory is bounded, the others lose nothing, and it gets the newest values later.

use std::collections::HashMap;

use nmsp::wire::elements::IdsAlarm;
use nmsp::wire::message::bodies::IdsNotification;
use nmsp::wire::message::{Measurement, Timestamp};
use nmsp::wire::{OwnedMessage, Services, StationClass};

use crate::peer::Peer;
use crate::support::{Lab, measurement, until};

const STATIONS: u8 = 200;
const QUEUE: usize = 64;

fn round(number: u64) -> Vec<Measurement> {
    let station = |last| Measurement {
        timestamp: Timestamp(number),
        ..measurement(last, StationClass::CLIENT)
    };
    (0..STATIONS).map(station).collect()
}

#[tokio::test]
async fn a_subscriber_that_reads_nothing_costs_bounded_memory_and_gets_the_newest_values_later() {
    let lab = Lab::start(|config| config.limits.queue_length = QUEUE).await;
    let (mut slow, mut quick) = (Peer::connect(&lab).await, Peer::connect(&lab).await);
    slow.subscribe_services(Services::RSSI_MS).await;
    quick.subscribe_services(Services::RSSI_RFID).await;
    let publisher = lab.handle.publisher();
    let (mut rounds, mut queued, mut sequence) = (0, 0, 0);
    loop {
        rounds += 1;
        queued += publisher.publish(&round(rounds)).unwrap();
        let tag = measurement(u8::try_from(rounds % 100).unwrap(), StationClass::RFID_TAG);
        publisher.publish(core::slice::from_ref(&tag)).unwrap();
        sequence += 1;
        assert_eq!(
            quick.measurements().await,
            (sequence, vec![tag]),
            "nothing is lost"
        );
        let status = lab.handle.status();
        assert_eq!(status[0].queue_bound, QUEUE);
        assert!(status[0].queued_notifications <= QUEUE, "{status:?}");
        assert_eq!(
            (status[1].replaced_notifications, status[1].dropped_notifications),
            (0, 0)
        );
        // The buffers of both sockets are full, so whole rounds are lost.
        if status[0].replaced_notifications + status[0].dropped_notifications > 10 * u64::from(STATIONS)
            && status[0].queued_notifications == QUEUE
            && rounds > 100
        {
            break;
        }
    }

    let (mut received, mut last, mut newest) = (0, 0, HashMap::new());
    while newest.values().filter(|seen| **seen == rounds).count() < QUEUE {
        let (number, stations) = slow.measurements().await;
        received += usize::try_from(number - last - 1).unwrap() + stations.len();
        last = number;
        for station in stations {
            newest.insert(station.station, station.timestamp.0);
        }
    }
    // What came and what the gaps say is missing is all that was published.
    assert_eq!(received, queued);
    let status = lab.handle.status();
    let lost = status[0].replaced_notifications + status[0].dropped_notifications;
    let counters = lab.handle.counters();
    assert_eq!(
        counters.replaced_notifications + counters.dropped_notifications,
        lost
    );
    assert_eq!(status[0].losses.len(), 1, "{:?}", status[0].losses);
    assert_eq!(status[0].queued_notifications, 0);

    let next = round(rounds + 1)[..5].to_vec();
    publisher.publish(&next).unwrap();
    assert_eq!(slow.measurements().await, (last + 1, next), "the stream goes on");
    lab.stop().await;
}

fn alarms(count: usize) -> OwnedMessage {
    OwnedMessage::IdsNotification(IdsNotification {
        alarms: vec![IdsAlarm::default(); count],
    })
}

#[tokio::test]
async fn a_notification_longer_than_the_connection_carries_is_not_sent_and_leaves_a_gap() {
    let lab = Lab::start(|config| config.connection.max_sent_length = 1000).await;
    let mut subscriber = Peer::connect(&lab).await;
    subscriber.subscribe_services(Services::WIPS).await;
    lab.handle.notify(&alarms(200)).unwrap();
    lab.handle.notify(&alarms(1)).unwrap();
    assert_eq!(subscriber.notification().await, (2, alarms(1)));
    lab.stop().await;
}

#[tokio::test]
async fn messages_of_the_application_are_bounded_in_bytes() {
    const BOUND: usize = 100_000;
    let lab = Lab::start(|config| config.limits.queue_bytes = BOUND).await;
    let mut slow = Peer::connect(&lab).await;
    slow.subscribe_services(Services::WIPS).await;
    let message = alarms(200);
    let mut sent = 0_u64;
    while lab.handle.counters().dropped_notifications < 10 {
        assert_eq!(lab.handle.notify(&message).unwrap(), 1);
        sent += 1;
        assert!(lab.handle.status()[0].queued_notifications < BOUND / 5000);
        tokio::task::yield_now().await;
    }
    assert!(lab.handle.notify(&alarms(2000)).is_err(), "longer than a message");
    lab.handle.notify(&alarms(1)).unwrap();
    sent += 1;
    let (mut received, mut last) = (0, 0);
    while received < sent {
        let (number, notification) = slow.notification().await;
        received += u64::from(number - last);
        last = number;
        if received == sent {
            assert_eq!(notification, alarms(1));
        }
    }
    until("the queue is empty", || {
        lab.handle.status()[0].queued_notifications == 0
    })
    .await;
    lab.stop().await;
}
