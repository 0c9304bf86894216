//! What happens while the server does not answer, or does not yet.

use est::renewal::{Phase, Reason};

use crate::simulation::{Answer, Attempt, DAY, HOUR, MINUTE, START, World, dead};

#[test]
fn survives_a_dead_server_until_the_last_day() {
    let mut world = World::with_certificate(90 * DAY, 1);
    // It comes back twenty hours before the end.
    let back = START + 90 * DAY - 20 * HOUR;
    world.run_until(START + 90 * DAY, |attempt: &Attempt| {
        if attempt.wall < back {
            Answer::Fail { retry_after: None }
        } else {
            Answer::Issue { lifetime: 90 * DAY }
        }
    });
    let renewed = world.attempts.last().unwrap();
    assert_eq!(renewed.reason, Reason::Due, "before the end, not after it");
    assert!(
        renewed.wall < back + 6 * HOUR,
        "noticed {} s after it came back",
        renewed.wall - back
    );
    assert_eq!(world.renewal.status(world.now()).consecutive_failures, 0);
}

#[test]
fn tries_more_often_as_the_end_comes_near_and_a_last_time_just_before_it() {
    for seed in 0..20 {
        let mut world = World::with_certificate(90 * DAY, seed);
        let end = world.not_after();
        world.run_until(end, dead);
        let times: Vec<_> = world.attempts.iter().map(|attempt| attempt.wall).collect();
        for pair in times.windows(2) {
            let (gap, left) = (pair[1] - pair[0], end - pair[0]);
            let last_moment = pair[1] == end - MINUTE;
            assert!(gap >= MINUTE || last_moment, "seed {seed}: {gap} s");
            assert!(gap <= 6 * HOUR, "seed {seed}: {gap} s");
            assert!(
                gap <= (left / 5).max(MINUTE) + 1,
                "seed {seed}: {gap} s of {left}"
            );
        }
        let last = end - times.last().unwrap();
        assert!(
            last <= MINUTE,
            "seed {seed}: the last attempt is {last} s before the end"
        );
        assert!(
            (100..1000).contains(&times.len()),
            "seed {seed}: {} attempts",
            times.len()
        );
    }
}

#[test]
fn waits_twice_as_long_each_time_up_to_the_cap() {
    let mut world = World::with_certificate(3650 * DAY, 1);
    world.run_until(START + 3000 * DAY, dead);
    let gaps: Vec<_> = world
        .attempts
        .windows(2)
        .map(|pair| pair[1].wall - pair[0].wall)
        .collect();
    for (index, gap) in gaps.iter().enumerate().take(30) {
        let nominal = (60_u64 << index.min(20)).min(6 * HOUR);
        let (least, most) = (nominal * 8 / 10, nominal * 12 / 10 + 1);
        assert!(
            (least.max(60)..=most.min(6 * HOUR + 1)).contains(gap),
            "wait {index}: {gap} s where {nominal} s is nominal"
        );
    }
    // Spread, too: not every wait is the same.
    assert!(gaps[20..40].windows(2).any(|pair| pair[0] != pair[1]));
}

#[test]
fn goes_on_after_the_end() {
    let mut world = World::with_certificate(90 * DAY, 1);
    let end = world.not_after();
    world.run_until(end + 30 * DAY, |attempt| {
        if attempt.wall < end + 10 * DAY {
            Answer::Fail { retry_after: None }
        } else {
            Answer::Issue { lifetime: 90 * DAY }
        }
    });
    let renewed = world.attempts.last().unwrap();
    assert_eq!(renewed.reason, Reason::Expired);
    assert!(renewed.wall - (end + 10 * DAY) <= 6 * HOUR);
}

#[test]
fn retry_after_is_respected_when_the_server_is_busy_or_wants_approval() {
    for answer in [
        Answer::Fail {
            retry_after: Some(5 * DAY),
        },
        Answer::Pending { retry_after: 5 * DAY },
    ] {
        let mut world = World::with_certificate(90 * DAY, 1);
        world.run_until(START + 90 * DAY, |_| answer);
        let end = world.not_after();
        for pair in world.attempts.windows(2) {
            let gap = pair[1].wall - pair[0].wall;
            let last_moment = end - MINUTE;
            assert!(
                gap >= 5 * DAY || pair[1].wall >= last_moment,
                "{answer:?}: asked again after {gap} s"
            );
        }
        // One attempt is made at the last moment even so.
        let last = world.attempts.last().unwrap();
        assert_eq!(end - last.wall, MINUTE, "{answer:?}");
    }
}

#[test]
fn a_wait_for_approval_is_no_failure() {
    let mut world = World::with_certificate(90 * DAY, 1);
    let mut asked = 0;
    world.run_until(START + 62 * DAY, |_| {
        asked += 1;
        if asked < 10 {
            Answer::Pending {
                retry_after: 2 * HOUR,
            }
        } else {
            Answer::Issue { lifetime: 90 * DAY }
        }
    });
    let status = world.renewal.status(world.now());
    assert_eq!((status.attempts, status.failures), (10, 0));
    assert_eq!(status.phase, Phase::Valid);
    for pair in world.attempts.windows(2) {
        assert_eq!(pair[1].wall - pair[0].wall, 2 * HOUR);
    }
}

#[test]
fn a_server_that_says_zero_is_not_asked_without_pause() {
    for answer in [
        Answer::Pending { retry_after: 0 },
        Answer::Fail { retry_after: Some(0) },
    ] {
        let mut world = World::with_certificate(90 * DAY, 1);
        world.run_until(START + 61 * DAY, |_| answer);
        for pair in world.attempts.windows(2) {
            assert!(pair[1].wall - pair[0].wall >= MINUTE, "{answer:?}");
        }
    }
}

#[test]
fn an_absurd_retry_after_overflows_nothing() {
    for answer in [
        Answer::Pending {
            retry_after: u64::MAX,
        },
        Answer::Fail {
            retry_after: Some(u64::MAX),
        },
    ] {
        let mut world = World::with_certificate(90 * DAY, 1);
        world.run_until(START + 91 * DAY, |_| answer);
        let end = world.not_after();
        assert_eq!(
            world.attempts[1].wall,
            end - MINUTE,
            "{answer:?}: the last moment"
        );
    }
}
