//! Which roots of a `cacerts` answer are trusted.

use std::time::Duration;

use est::exchange::{Grounds, Rollover, TrustSource};
use pki_common::Certificate;
use pki_common::trust_store::TrustStore;
use rustls_pki_types::UnixTime;

use crate::authority::Authority;

fn known(anchors: &[&Certificate]) -> TrustStore {
    let mut store = TrustStore::empty("test");
    for anchor in anchors {
        store.add(anchor).unwrap();
    }
    store
}

fn compare(anchors: &[&Certificate], answer: &[&Certificate], source: TrustSource) -> Rollover {
    let answer: Vec<Certificate> = answer.iter().map(|certificate| (*certificate).clone()).collect();
    Rollover::compare(&known(anchors), &answer, source, UnixTime::now())
}

fn added(rollover: &Rollover) -> Vec<(&str, Grounds)> {
    rollover
        .added
        .iter()
        .map(|new| (new.certificate.subject(), new.grounds))
        .collect()
}

#[test]
fn a_new_root_is_trusted_when_the_old_key_vouches_for_it() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    let (new_with_old, old_with_new) = (old.cross(&new), new.cross(&old));
    let answer = [&old.certificate, &old_with_new, &new_with_old, &new.certificate];
    for source in [
        TrustSource::Fingerprint,
        TrustSource::Implicit,
        TrustSource::Explicit,
    ] {
        let rollover = compare(&[&old.certificate], &answer, source);
        assert_eq!(added(&rollover), [("/CN=new", Grounds::Chained)], "{source:?}");
        assert_eq!(rollover.kept, std::slice::from_ref(&old.certificate));
        assert_eq!(rollover.others.len(), 2);
        assert!(rollover.refused.is_empty() && rollover.missing.is_empty());
        let anchors = rollover.anchors(&known(&[&old.certificate])).unwrap();
        assert_eq!(anchors.len(), 2);
    }
}

#[test]
fn the_old_root_vouches_over_two_changes() {
    let (first, second, third) = (Authority::root("a"), Authority::root("b"), Authority::root("c"));
    let links = [first.cross(&second), second.cross(&third)];
    let answer = [&links[1], &third.certificate, &links[0], &second.certificate];
    let rollover = compare(&[&first.certificate], &answer, TrustSource::Fingerprint);
    assert_eq!(
        added(&rollover),
        [("/CN=b", Grounds::Chained), ("/CN=c", Grounds::Chained)]
    );
    assert_eq!(rollover.missing, [first.certificate]);
}

#[test]
fn a_root_that_nobody_vouches_for_needs_an_authenticated_server() {
    let (old, stranger) = (Authority::root("old"), Authority::root("stranger"));
    let answer = [&old.certificate, &stranger.certificate];
    for source in [TrustSource::Fingerprint, TrustSource::Implicit] {
        let rollover = compare(&[&old.certificate], &answer, source);
        assert!(added(&rollover).is_empty(), "{source:?}");
        assert_eq!(rollover.refused, std::slice::from_ref(&stranger.certificate));
        assert!(rollover.is_unchanged());
    }
    let rollover = compare(&[&old.certificate], &answer, TrustSource::Explicit);
    assert_eq!(added(&rollover), [("/CN=stranger", Grounds::ExplicitConnection)]);
    let rollover = compare(&[], &answer, TrustSource::Implicit);
    assert_eq!(rollover.added.len(), 2);
    assert!(
        rollover
            .added
            .iter()
            .all(|new| new.grounds == Grounds::ImplicitConnection)
    );
}

#[test]
fn a_leaf_and_a_namesake_vouch_for_nothing() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    // Signed by the old root, with the new root's name, but for another key.
    let namesake = old.intermediate("new");
    // Signed by another root with the old one's name.
    let impostor = Authority::root("old");
    let forged = impostor.cross(&new);
    let leaf = old.leaf("new");
    let answer = [
        &namesake.certificate,
        &forged,
        &leaf.certificate,
        &new.certificate,
    ];
    let rollover = compare(&[&old.certificate], &answer, TrustSource::Fingerprint);
    assert!(added(&rollover).is_empty());
    assert_eq!(rollover.refused, [new.certificate]);
}

#[test]
fn a_root_that_is_not_valid_now_is_not_taken() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    let answer = [old.cross(&new), new.certificate.clone()];
    // rcgen's default validity ends in the year 4096.
    let later = UnixTime::since_unix_epoch(Duration::from_secs(70_000_000_000));
    let rollover = Rollover::compare(&known(&[&old.certificate]), &answer, TrustSource::Explicit, later);
    assert!(added(&rollover).is_empty());
    assert_eq!(rollover.refused, [new.certificate]);
}
