//! The hook, which takes real time, under a clock that only the test moves.

use std::sync::Arc;
use std::time::Duration;

use est::renewal::daemon::{DaemonSettings, EventKind, Hook, ManagedIdentity};
use est::renewal::folder::IdentityFolder;
use rustls_pki_types::UnixTime;

use super::clock::HandClock;
use super::lab::{ByName, Lab, Reply, Running, START, Scripted, settings};
use crate::support::PATIENCE;

fn with_hook(command: &str) -> DaemonSettings {
    DaemonSettings {
        hook: Some(Hook {
            command: command.to_owned(),
            time_limit: PATIENCE,
        }),
        ..DaemonSettings::default()
    }
}

fn start(lab: &Lab, clock: &Arc<HandClock>, settings_of: DaemonSettings) -> Running {
    let server = Scripted::new(clock, |_| Reply::Issue { days: 30 });
    let mut identities = ByName::default();
    let managed = ManagedIdentity::new(settings(), server);
    identities.0.insert("a".to_owned(), managed);
    let daemon = lab.daemon_of(settings_of, identities);
    Running::start(daemon.with_clock(Arc::<HandClock>::clone(clock)))
}

fn clock() -> Arc<HandClock> {
    HandClock::new(UnixTime::since_unix_epoch(Duration::from_secs(START)))
}

fn hook_failed(kind: &EventKind) -> bool {
    matches!(kind, EventKind::HookFailed(_))
}

fn hook_succeeded(kind: &EventKind) -> bool {
    matches!(kind, EventKind::HookSucceeded)
}

async fn metric_is(running: &Running, name: &str, value: u64) {
    let reached = async {
        while running.metric(name, "a") != Some(value) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, reached).await;
    assert!(waited.is_ok(), "{}", running.metrics());
}

#[tokio::test]
async fn a_hook_is_run_for_each_certificate_and_again_until_it_succeeds() {
    let (lab, clock) = (Lab::new(), clock());
    let hook = "cd \"$EST_FOLDER\"; echo \"$EST_IDENTITY $EST_NOT_AFTER\" >> runs; cmp -s \"$EST_KEY\" current/key.pem && test -e good";
    let running = start(&lab, &clock, with_hook(hook));
    lab.until("a", 1, hook_failed).await;
    metric_is(&running, "hook_failures_total", 1).await;
    assert!(IdentityFolder::new(lab.path("a")).hook_is_due());
    // After a minute, then after two.
    clock.advance(61);
    lab.until("a", 2, hook_failed).await;
    metric_is(&running, "consecutive_hook_failures", 2).await;
    std::fs::write(lab.path("a").join("good"), "").unwrap();
    clock.advance(121);
    lab.until("a", 1, hook_succeeded).await;
    metric_is(&running, "consecutive_hook_failures", 0).await;
    metric_is(&running, "hook_failures_total", 2).await;
    assert!(!IdentityFolder::new(lab.path("a")).hook_is_due());
    // The next certificate.
    clock.advance(21 * super::lab::DAY);
    lab.until("a", 2, hook_succeeded).await;
    let runs = std::fs::read_to_string(lab.path("a").join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 4, "{runs}");
    assert!(runs.lines().all(|line| line.starts_with("a 20")), "{runs}");
    running.stop().await;
}

#[tokio::test]
async fn a_hook_is_ended_with_what_it_started_when_the_daemon_stops_and_run_again_later() {
    let (lab, clock) = (Lab::new(), clock());
    let hook = "cd \"$EST_FOLDER\"; sleep 1000 & echo $! > started.new; mv started.new started; wait";
    let running = start(&lab, &clock, with_hook(hook));
    let started = lab.path("a").join("started");
    let wait = async {
        while !started.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    running.stop().await;
    let id = std::fs::read_to_string(&started).unwrap();
    let ended = async {
        // A process that was killed and that nobody has waited for yet is a zombie.
        let state = |id: &str| std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
        while state(&id).is_ok_and(|state| !state.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if std::path::Path::new("/proc/self/stat").exists() {
        tokio::time::timeout(PATIENCE, ended).await.expect("it is killed");
    }
    assert!(IdentityFolder::new(lab.path("a")).hook_is_due());
    let running = start(&lab, &clock, with_hook("true"));
    lab.until("a", 1, hook_succeeded).await;
    running.stop().await;
}
