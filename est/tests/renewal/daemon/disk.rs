//! The daemon on a disk that fails.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use est::renewal::folder::IdentityFolder;
use pki_common::identity::Identity;

use super::clock::RuntimeWall;
use super::lab::{DAY, Lab, Reply, Running, START, Scripted, certified, days, failed, request};
use crate::stepwise::{Disk, Stepwise};

/// A disk whose steps with these numbers fail: half of a file is written, other steps are not done. After each step,
/// what is in use must be a whole pair.
#[derive(Debug)]
struct Failing {
    steps: AtomicU64,
    failing: Range<u64>,
    identity: PathBuf,
    broken: AtomicU64,
}

impl Failing {
    fn new(failing: Range<u64>, identity: PathBuf) -> Arc<Stepwise<Self>> {
        Arc::new(Stepwise(Self {
            steps: AtomicU64::new(0),
            failing,
            identity,
            broken: AtomicU64::new(0),
        }))
    }
}

impl Disk for Failing {
    fn step(&self, _: &str, whole: &dyn Fn() -> io::Result<()>, half: &dyn Fn()) -> io::Result<()> {
        let number = self.steps.fetch_add(1, Ordering::SeqCst);
        let done = if self.failing.contains(&number) {
            half();
            Err(io::Error::other("the disk fails"))
        } else {
            whole()
        };
        let used = IdentityFolder::new(self.identity.clone()).current();
        if !matches!(used, Ok(Some(_))) {
            self.broken.fetch_add(1, Ordering::SeqCst);
        }
        done
    }
}

/// A certificate in use, issued at the start for 30 days.
fn installed(lab: &Lab) -> Identity {
    lab.add("a");
    let old = certified(request().key, START, 30 * DAY);
    let folder = IdentityFolder::new(lab.path("a"));
    folder.install(&old, None).unwrap();
    folder.hook_succeeded().unwrap();
    old
}

fn der(identity: &Identity) -> Vec<u8> {
    identity.certificate().der().to_vec()
}

/// The versions that are whole pairs.
fn whole_versions(lab: &Lab) -> Vec<Vec<u8>> {
    let versions = IdentityFolder::new(lab.path("a")).versions().unwrap();
    let load = |path: &PathBuf| Identity::load(path.join("certificate.pem"), path.join("key.pem"));
    versions.iter().map(|path| der(&load(path).unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_write_breaks_no_pair_and_delays_the_renewal_at_most() {
    for fault in 0.. {
        let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
        let old = installed(&lab);
        let server = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
        let disk = Failing::new(fault..fault + 1, lab.path("a"));
        let daemon = lab.daemon(&wall, &[("a", &server)]);
        let running = Running::start(daemon.with_files(Arc::<Stepwise<Failing>>::clone(&disk)));
        days(25).await;
        let after = format!("after a fault at step {fault}: {:?}", lab.events("a"));
        assert_eq!(disk.0.broken.load(Ordering::SeqCst), 0, "{after}");
        let new = lab.current("a").unwrap();
        assert_ne!(der(&new), der(&old), "{after}");
        let versions = whole_versions(&lab);
        assert!(
            versions.contains(&der(&old)) && versions.contains(&der(&new)),
            "{after}"
        );
        // The next renewal has a key of its own, and no request of the last one is left.
        assert!(!lab.path("a").join("pending").exists(), "{after}");
        days(20).await;
        let next = lab.current("a").unwrap();
        assert_ne!(
            next.certificate().spki_der(),
            new.certificate().spki_der(),
            "{after}"
        );
        running.stop().await;
        if disk.0.steps.load(Ordering::SeqCst) / 2 < fault {
            assert!(fault > 20, "the loop went through the steps of a renewal");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_power_failure_at_any_write_is_mended_by_the_next_start() {
    for fault in 0.. {
        let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
        let old = installed(&lab);
        let server = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
        let disk = Failing::new(fault..u64::MAX, lab.path("a"));
        let daemon = lab.daemon(&wall, &[("a", &server)]);
        let running = Running::start(daemon.with_files(Arc::<Stepwise<Failing>>::clone(&disk)));
        days(21).await;
        running.stop().await;
        assert_eq!(disk.0.broken.load(Ordering::SeqCst), 0, "step {fault}");
        assert!(whole_versions_of_use(&lab).contains(&der(&old)), "step {fault}");

        let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
        days(2).await;
        assert_ne!(der(&lab.current("a").unwrap()), der(&old), "step {fault}");
        assert!(!lab.path("a").join("pending").exists(), "step {fault}");
        assert_eq!(
            running.metric("consecutive_failures", "a"),
            Some(0),
            "step {fault}"
        );
        running.stop().await;
        if disk.0.steps.load(Ordering::SeqCst) <= fault {
            assert!(fault > 20, "the loop went through the steps of a renewal");
            break;
        }
    }
}

/// The pairs that can be read; what is unfinished does not count.
fn whole_versions_of_use(lab: &Lab) -> Vec<Vec<u8>> {
    let versions = IdentityFolder::new(lab.path("a")).versions().unwrap();
    let load = |path: &PathBuf| Identity::load(path.join("certificate.pem"), path.join("key.pem")).ok();
    versions
        .iter()
        .filter_map(load)
        .map(|identity| der(&identity))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_sends_no_request_whose_key_is_not_kept() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let old = installed(&lab);
    let server = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
    let disk = Failing::new(0..u64::MAX, lab.path("a"));
    let daemon = lab.daemon(&wall, &[("a", &server)]);
    let running = Running::start(daemon.with_files(disk));
    days(29).await;
    assert!(server.asks().is_empty());
    assert!(lab.count("a", failed) > 10);
    assert_eq!(running.phase("a").as_deref(), Some("retrying"));
    assert_eq!(der(&lab.current("a").unwrap()), der(&old));
    running.stop().await;
}
