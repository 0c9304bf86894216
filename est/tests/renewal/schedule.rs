//! When a certificate is renewed while all goes well.

use std::time::Duration;

use est::renewal::{Phase, Reason, RenewalSettings};

use crate::simulation::{Answer, DAY, HOUR, START, World};

fn issue(lifetime: u64) -> impl Fn(&crate::simulation::Attempt) -> Answer {
    move |_| Answer::Issue { lifetime }
}

#[test]
fn renews_in_the_window_and_not_before() {
    for seed in 0..50 {
        let mut world = World::with_certificate(90 * DAY, seed);
        world.run_until(START + 90 * DAY, issue(90 * DAY));
        assert_eq!(world.attempts.len(), 1, "seed {seed}");
        let at = world.attempts[0].wall - START;
        // Two thirds of 90 days, at most a twentieth of them earlier.
        assert!(
            (55 * DAY + DAY / 2..=60 * DAY).contains(&at),
            "seed {seed}: {at} s"
        );
        assert_eq!(world.attempts[0].reason, Reason::Due);
    }
}

#[test]
fn renews_again_and_again() {
    let mut world = World::with_certificate(90 * DAY, 7);
    world.run_until(START + 10 * 365 * DAY, issue(90 * DAY));
    // Every 55.5 to 60 days.
    assert!(
        (60..=66).contains(&world.attempts.len()),
        "{}",
        world.attempts.len()
    );
    let status = world.renewal.status(world.now());
    assert_eq!((status.phase, status.failures), (Phase::Valid, 0));
}

#[test]
fn a_fleet_set_up_on_one_day_does_not_come_back_at_one_time() {
    let due: Vec<_> = (0..1000)
        .map(|seed| {
            let settings = RenewalSettings {
                look_again: Duration::from_secs(100 * DAY),
                ..RenewalSettings::default()
            };
            let mut world = World::with_settings(settings, 90 * DAY, seed);
            world.run_until(START + 90 * DAY, issue(90 * DAY));
            world.attempts[0].wall - START
        })
        .collect();
    // The window of 4.5 days in nine parts: none is empty or has a third of the fleet.
    let start = 55 * DAY + DAY / 2;
    for part in 0..9 {
        let from = start + part * DAY / 2;
        let here = due
            .iter()
            .filter(|at| (from..from + DAY / 2).contains(at))
            .count();
        assert!((40..333).contains(&here), "half-day {part}: {here} of 1000");
    }
}

#[test]
fn the_moment_stays_the_same_over_a_restart() {
    let draw = |seed| {
        let mut world = World::with_certificate(90 * DAY, seed);
        world.run_until(START + 1, issue(90 * DAY));
        world.renewal.renew_at().unwrap()
    };
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
}

#[test]
fn asks_at_once_when_there_is_no_certificate() {
    let mut world = World::new(RenewalSettings::default(), 1);
    world.run_until(START + HOUR, issue(90 * DAY));
    assert_eq!(world.attempts.len(), 1);
    assert_eq!(
        (world.attempts[0].wall, world.attempts[0].reason),
        (START, Reason::First)
    );
}

#[test]
fn a_lifetime_of_minutes_works_as_well() {
    let mut world = World::with_certificate(15 * 60, 1);
    world.run_until(START + DAY, issue(15 * 60));
    for pair in world.attempts.windows(2) {
        let gap = pair[1].wall - pair[0].wall;
        assert!((550..=601).contains(&gap), "{gap} s");
    }
}

#[test]
fn certificates_that_are_due_when_issued_do_not_make_one_request_after_the_other() {
    // The server's certificates are all but over when they come.
    let mut world = World::with_certificate(90 * DAY, 1);
    world.wall = START + 80 * DAY;
    let mut number = 10;
    let end = world.wall + 10 * DAY;
    while world.wall < end {
        world.run_until(world.wall + 1, issue(90 * DAY));
        // Whatever was issued, it began long ago.
        if world.certificate.is_some_and(|facts| facts.fingerprint[0] > 100) {
            number += 1;
            let facts = crate::simulation::certificate(world.wall - 80 * DAY, 90 * DAY, number);
            world.certificate = Some(facts);
            world.renewal.attempt_succeeded(facts, world.now());
        }
    }
    assert!(world.attempts.len() <= 10 * 24 + 1, "{}", world.attempts.len());
}
