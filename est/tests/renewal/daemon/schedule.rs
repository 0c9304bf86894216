//! When the daemon asks, under the paused clock of the runtime.

use std::collections::BTreeSet;

use super::clock::RuntimeWall;
use super::lab::{Ask, DAY, HOUR, Lab, Reply, Running, START, Scripted, days};

const MONTH: Reply = Reply::Issue { days: 30 };
const MINUTE: u64 = 60;

#[tokio::test(start_paused = true)]
async fn renews_in_the_window_and_each_identity_at_its_own_moment() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let names = ["a", "b", "c", "d"];
    let servers = names.map(|_| Scripted::new(&wall, |_| MONTH));
    let pairs: Vec<_> = names.into_iter().zip(&servers).collect();
    let running = Running::start(lab.daemon(&wall, &pairs));
    days(100).await;
    let mut moments = BTreeSet::new();
    for (name, server) in &pairs {
        let asks = server.asks();
        assert!((5..=6).contains(&asks.len()), "{name}: {}", asks.len());
        assert!(!asks[0].renews && asks[1..].iter().all(|ask| ask.renews));
        for pair in asks.windows(2) {
            let part = pair[1].at - pair[0].at;
            // From two thirds less a twentieth to two thirds, and the hour between two looks.
            assert!((37 * DAY / 2..=20 * DAY + HOUR).contains(&part), "{name}: {part}");
            assert_ne!(pair[0].csr, pair[1].csr, "a key of its own");
        }
        moments.insert(asks[1].at - asks[0].at);
        assert_eq!(
            running.metric("attempts_total", name),
            Some(asks.len().try_into().unwrap())
        );
        assert_eq!(
            running.metric("certificate_not_after_timestamp_seconds", name),
            Some(lab.end(name))
        );
        assert_eq!(running.phase(name).as_deref(), Some("valid"));
    }
    assert_eq!(moments.len(), names.len(), "spread: {moments:?}");

    // A restart does not draw the moment anew.
    let planned = names.map(|name| running.metric("renew_timestamp_seconds", name).unwrap());
    running.stop().await;
    let running = Running::start(lab.daemon(&wall, &pairs));
    tokio::time::sleep(std::time::Duration::from_secs(HOUR)).await;
    let again = names.map(|name| running.metric("renew_timestamp_seconds", name).unwrap());
    assert_eq!(planned, again);
    running.stop().await;
}

fn gaps(asks: &[Ask]) -> Vec<u64> {
    asks.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

#[tokio::test(start_paused = true)]
async fn survives_a_dead_server_until_the_last_day() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let last_day = START + 29 * DAY;
    let server = Scripted::new(&wall, move |ask| {
        let up = !ask.renews || ask.at >= last_day;
        if up { MONTH } else { Reply::Fail { discard: false } }
    });
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    days(28).await;
    assert_eq!(lab.end("a"), START + 30 * DAY, "the old one is in use");
    assert_eq!(running.phase("a").as_deref(), Some("retrying"));
    let failures = running.metric("consecutive_failures", "a").unwrap();
    assert_eq!(running.metric("failures_total", "a"), Some(failures));
    assert!(failures > 10, "{failures}");

    days(3).await;
    let asks = server.asks();
    let renewed = asks.iter().find(|ask| ask.renews && ask.at >= last_day).unwrap();
    assert!(renewed.at < START + 30 * DAY, "in time");
    assert_eq!(lab.end("a"), renewed.at + 30 * DAY);
    assert_eq!(running.metric("consecutive_failures", "a"), Some(0));
    assert!(running.metric("failures_total", "a").unwrap() >= failures);
    assert_eq!(
        running.metric("last_success_timestamp_seconds", "a"),
        Some(renewed.at)
    );
    // One request, with one key, until it is answered.
    let before: Vec<_> = asks
        .iter()
        .filter(|ask| ask.renews && ask.at <= renewed.at)
        .collect();
    assert!(before.iter().all(|ask| ask.csr == renewed.csr));

    let gaps = gaps(&asks[1..]);
    assert!((MINUTE..=2 * MINUTE).contains(&gaps[0]), "{gaps:?}");
    let grows = |pair: &[u64]| pair[1] * 10 > pair[0] * 12 && pair[1] < pair[0] * 4;
    assert!(gaps[..6].windows(2).all(grows), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 6 * HOUR + 1), "{gaps:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_is_a_minute_before_the_end() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let end = START + 30 * DAY;
    let server = Scripted::new(&wall, move |ask| {
        let up = !ask.renews || ask.at + 65 >= end;
        if up { MONTH } else { Reply::Fail { discard: false } }
    });
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    days(31).await;
    let asks = server.asks();
    let renewed = asks.iter().find(|ask| ask.renews && ask.at + 65 >= end).unwrap();
    assert!(renewed.at < end, "{} s after the end", renewed.at - end);
    assert_eq!(lab.end("a"), renewed.at + 30 * DAY);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_forward_is_noticed() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let server = Scripted::new(&wall, |_| MONTH);
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    days(1).await;
    assert_eq!(server.asks().len(), 1);
    for (number, step) in [(2, 25 * DAY), (3, 400 * DAY)] {
        wall.step(i64::try_from(step).unwrap());
        tokio::time::sleep(std::time::Duration::from_secs(2 * HOUR)).await;
        assert_eq!(server.asks().len(), number, "within the time between two looks");
        assert!(lab.end("a") > wall.now());
        days(1).await;
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_backward_stops_nothing_and_asks_no_faster() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let years = i64::try_from(3650 * DAY).unwrap();
    let server = Scripted::new(&wall, |_| MONTH);
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    days(1).await;
    // The certificate is in the future now: nothing to do, and nothing is asked for.
    wall.step(-years);
    days(40).await;
    assert_eq!(server.asks().len(), 1);
    // The clock is set right: the certificate has ended meanwhile.
    wall.step(years);
    tokio::time::sleep(std::time::Duration::from_secs(2 * HOUR)).await;
    assert_eq!(server.asks().len(), 2);
    assert!(lab.end("a") > wall.now());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_back_off_goes_by_the_clock_that_does_not_step() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let truth = tokio::time::Instant::now();
    let moments = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&moments);
    let server = Scripted::new(&wall, move |_| {
        seen.lock().unwrap().push(truth.elapsed().as_secs());
        Reply::Fail { discard: false }
    });
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    for step in [DAY, 100 * DAY, 3 * DAY].map(|step| i64::try_from(step).unwrap()) {
        for step in [step, -step, -step, step] {
            tokio::time::sleep(std::time::Duration::from_secs(600)).await;
            wall.step(step);
        }
    }
    let moments = moments.lock().unwrap().clone();
    // Two hours of doubled waits are seven attempts, whatever the wall clock does.
    assert!((5..=9).contains(&moments.len()), "{moments:?}");
    assert!(
        moments.windows(2).all(|pair| pair[1] - pair[0] >= MINUTE),
        "{moments:?}"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_for_approval_stays_the_same_and_one_that_is_refused_is_made_anew() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let mut number = 0;
    let server = Scripted::new(&wall, move |_| {
        number += 1;
        match number {
            1 | 2 | 4 => Reply::Pending {
                retry_after: 4 * HOUR,
            },
            3 => Reply::Fail { discard: true },
            _ => MONTH,
        }
    });
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    tokio::time::sleep(std::time::Duration::from_secs(2 * HOUR)).await;
    assert_eq!(running.phase("a").as_deref(), Some("pending"));
    assert_eq!(running.metric("failures_total", "a"), Some(0));
    days(2).await;
    let asks = server.asks();
    assert_eq!(asks.len(), 5);
    assert!(asks[0].csr == asks[1].csr && asks[1].csr == asks[2].csr);
    assert!(asks[2].csr != asks[3].csr && asks[3].csr == asks[4].csr);
    let gaps = gaps(&asks);
    assert!(gaps[0] >= 4 * HOUR && gaps[3] >= 4 * HOUR, "{gaps:?}");
    assert!(gaps[2] <= 2 * MINUTE, "{gaps:?}");
    assert!(lab.current("a").is_some());
    running.stop().await;
}
