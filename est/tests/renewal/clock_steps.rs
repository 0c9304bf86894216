//! The wall clock steps, the certificate is from the future, or somebody replaces it.

use est::renewal::{Action, Held, Phase, Reason, RenewalSettings};

use crate::simulation::{Answer, DAY, HOUR, MINUTE, START, World, certificate, dead};

fn issue(_: &crate::simulation::Attempt) -> Answer {
    Answer::Issue { lifetime: 90 * DAY }
}

#[test]
fn a_step_forward_into_the_window_is_noticed_within_a_minute() {
    let mut world = World::with_settings(RenewalSettings::default(), 90 * DAY, 1);
    world.run_until(START + 10 * DAY, issue);
    assert!(world.attempts.is_empty());
    world.wall = START + 70 * DAY;
    let before = world.monotonic;
    world.run_until(world.wall + HOUR, issue);
    assert_eq!(world.attempts.len(), 1);
    assert!(world.attempts[0].monotonic - before <= MINUTE);
}

#[test]
fn a_step_forward_shortens_a_wait_that_has_begun() {
    let mut world = World::with_settings(RenewalSettings::default(), 90 * DAY, 1);
    // Long enough for waits of hours.
    world.run_until(START + 65 * DAY, dead);
    world.wall = START + 90 * DAY - 10 * MINUTE;
    let (attempts, end) = (world.attempts.len(), world.not_after());
    world.run_until(end, dead);
    let after = &world.attempts[attempts..];
    assert!(!after.is_empty(), "the wait of hours went on beyond the end");
    assert!(end - after.last().unwrap().wall <= MINUTE);
}

#[test]
fn a_step_backward_does_not_stop_the_attempts() {
    let mut world = World::with_certificate(90 * DAY, 1);
    world.run_until(START + 75 * DAY, dead);
    // Ten days back: still in the window.
    world.wall -= 10 * DAY;
    let (attempts, before) = (world.attempts.len(), world.monotonic);
    world.run_until(world.wall + DAY, dead);
    let next = world.attempts[attempts];
    assert!(
        next.monotonic - before <= 6 * HOUR,
        "{} s of silence",
        next.monotonic - before
    );
}

#[test]
fn a_step_backward_before_the_window_ends_the_attempts_until_it_comes_again() {
    let mut world = World::with_certificate(90 * DAY, 1);
    world.run_until(START + 75 * DAY, dead);
    world.wall = START + 20 * DAY;
    let attempts = world.attempts.len();
    world.run_until(START + 50 * DAY, dead);
    assert_eq!(world.attempts.len(), attempts);
    world.run_until(START + 61 * DAY, issue);
    assert_eq!(world.attempts.len(), attempts + 1);
}

#[test]
fn a_clock_that_was_years_ahead_for_a_moment_does_no_lasting_harm() {
    let mut world = World::with_certificate(90 * DAY, 1);
    world.run_until(START + 10 * DAY, issue);
    world.wall += 10 * 365 * DAY;
    world.run_until(world.wall + DAY, dead);
    assert!(
        world
            .attempts
            .iter()
            .all(|attempt| attempt.reason == Reason::Expired)
    );
    let attempts = world.attempts.len();
    world.wall = START + 11 * DAY;
    world.run_until(START + 50 * DAY, dead);
    assert_eq!(world.attempts.len(), attempts, "it is not due any more");
    world.run_until(START + 61 * DAY, issue);
    assert_eq!(world.attempts.last().unwrap().reason, Reason::Due);
}

#[test]
fn a_certificate_that_is_not_yet_valid_is_left_alone() {
    let mut world = World::with_certificate(90 * DAY, 1);
    world.certificate = Some(certificate(START + 5 * DAY, 90 * DAY, 2));
    world.run_until(START + 60 * DAY, issue);
    assert!(world.attempts.is_empty());
    world.run_until(START + 66 * DAY, issue);
    assert_eq!(world.attempts.len(), 1);
}

#[test]
fn a_certificate_replaced_by_hand_ends_the_waiting_and_the_asking() {
    let mut world = World::with_settings(RenewalSettings::default(), 90 * DAY, 1);
    world.run_until(START + 80 * DAY, dead);
    let attempts = world.attempts.len();
    assert!(world.renewal.status(world.now()).consecutive_failures > 0);
    world.certificate = Some(certificate(world.wall, 90 * DAY, 9));
    world.run_until(world.wall + 50 * DAY, dead);
    assert_eq!(world.attempts.len(), attempts);
    let status = world.renewal.status(world.now());
    assert_eq!((status.phase, status.consecutive_failures), (Phase::Valid, 0));
    // An old one put back, on the other hand, is renewed at once.
    world.certificate = Some(certificate(START, 90 * DAY, 1));
    world.run_until(world.wall + 2 * MINUTE, issue);
    assert_eq!(world.attempts.len(), attempts + 1);
}

#[test]
fn half_a_pair_is_left_alone_until_it_is_whole() {
    let mut world = World::with_certificate(90 * DAY, 1);
    world.wall = START + 70 * DAY;
    for _ in 0..1000 {
        world.renewal.observe(Held::Unusable);
        let action = world.renewal.poll(world.now());
        assert!(matches!(action, Action::Wait(_)), "{action:?}");
        world.pass(MINUTE);
    }
    assert_eq!(world.renewal.status(world.now()).phase, Phase::Unusable);
    world.run_until(world.wall + HOUR, issue);
    assert_eq!(world.attempts.len(), 1);
}

#[test]
fn a_certificate_with_its_end_before_its_start_is_expired_and_nothing_panics() {
    let mut world = World::with_certificate(90 * DAY, 1);
    let mut facts = certificate(START, 0, 3);
    std::mem::swap(&mut facts.not_before, &mut facts.not_after);
    facts.not_before = certificate(START, DAY, 3).not_after;
    world.certificate = Some(facts);
    world.run_until(START + 2 * DAY, dead);
    assert!(
        world
            .attempts
            .iter()
            .all(|attempt| attempt.reason == Reason::Expired)
    );
    assert!(!world.attempts.is_empty());
}
