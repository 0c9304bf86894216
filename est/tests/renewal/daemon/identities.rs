//! Many identities at a time, and those that something is wrong with.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use est::renewal::daemon::ManagedIdentity;
use est::renewal::folder::IdentityFolder;

use super::clock::RuntimeWall;
use super::lab::{
    ByName, DAY, HOUR, Lab, Load, Reply, Running, START, Scripted, days, failed, hourly, settings,
};
use est::renewal::daemon::RuntimeClock;

#[tokio::test(start_paused = true)]
async fn many_identities_are_renewed_four_at_a_time() {
    let (lab, wall, load) = (Lab::new(), RuntimeWall::new(START), Arc::<Load>::default());
    let names: Vec<_> = (0..40).map(|number| format!("phone-{number}")).collect();
    let servers: Vec<_> = names
        .iter()
        .map(|_| {
            Scripted::slow(&wall, Duration::from_secs(3), &load, |_| Reply::Issue {
                days: 30,
            })
        })
        .collect();
    let pairs: Vec<_> = names.iter().map(String::as_str).zip(&servers).collect();
    let running = Running::start(lab.daemon(&wall, &pairs));
    days(45).await;
    for (name, server) in &pairs {
        assert_eq!(server.asks().len(), 3, "{name}");
        assert!(lab.end(name) > wall.now() + 5 * DAY, "{name}");
        assert_eq!(running.metric("attempts_total", name), Some(3), "{name}");
    }
    assert_eq!(load.most.load(Ordering::SeqCst), 4);
    assert!(running.metrics().contains("est_renewal_identities 40\n"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_one_identity_does_not_stop_the_others_and_is_in_the_metrics() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let good = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
    let hanging = Scripted::new(&wall, |_| Reply::Hang);
    let panics = Scripted::new(&wall, |ask| {
        if ask.at < START + DAY {
            Reply::Panic
        } else {
            Reply::Issue { days: 30 }
        }
    });
    let broken = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
    lab.add("misconfigured");
    lab.add("broken");
    std::fs::create_dir(lab.path("broken").join("current")).unwrap();
    std::fs::write(lab.path("broken").join("current/certificate.pem"), "half").unwrap();
    let pairs = [
        ("good", &good),
        ("hanging", &hanging),
        ("panics", &panics),
        ("broken", &broken),
    ];
    let running = Running::start(lab.daemon(&wall, &pairs));
    tokio::time::sleep(Duration::from_secs(HOUR)).await;
    assert_eq!(running.phase("hanging").as_deref(), Some("in-flight"));
    assert_eq!(running.phase("panics").as_deref(), Some("retrying"));
    assert_eq!(running.phase("broken").as_deref(), Some("unusable"));
    assert_eq!(running.phase("misconfigured"), None);
    assert_eq!(running.metric("configured", "misconfigured"), Some(0));
    assert_eq!(running.metric("configured", "good"), Some(1));
    assert!(running.metrics().contains("est_renewal_identities 5\n"));

    days(25).await;
    assert_eq!(good.asks().len(), 2);
    assert!(lab.end("panics") > wall.now());
    assert_eq!(hanging.asks().len(), 1);
    assert!(broken.asks().is_empty(), "a person has to look");
    // Told once each, not at every look.
    assert_eq!(lab.count("broken", failed), 1, "{:?}", lab.events("broken"));
    assert_eq!(lab.count("misconfigured", failed), 1);

    // A person has looked.
    std::fs::remove_dir_all(lab.path("broken").join("current")).unwrap();
    days(1).await;
    assert_eq!(broken.asks().len(), 1);
    assert!(lab.current("broken").is_some());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_the_configuration_names_is_read_again_when_it_has_changed() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let password = lab.path("password");
    std::fs::write(&password, "wrong").unwrap();
    let read = password.clone();
    let server = Scripted::new(&wall, move |_| {
        let right = std::fs::read_to_string(&read).unwrap() == "right";
        if right {
            Reply::Issue { days: 30 }
        } else {
            Reply::Fail { discard: false }
        }
    });
    let mut managed = ManagedIdentity::new(settings(), server.clone());
    managed.inputs = vec![password.clone()];
    let mut identities = ByName::default();
    identities.0.insert("a".to_owned(), managed);
    let daemon = lab.daemon_of(hourly(), identities);
    let clock = RuntimeClock::new(wall.clone());
    let running = Running::start(daemon.with_clock(Arc::new(clock)));
    days(2).await;
    assert_eq!(running.phase("a").as_deref(), Some("retrying"));
    let before = server.asks().len();
    std::fs::write(&password, "right").unwrap();
    // Not only when the wait of some hours is over: at the next look at the folder.
    tokio::time::sleep(Duration::from_secs(HOUR + 1)).await;
    assert_eq!(server.asks().len(), before + 1);
    assert!(lab.current("a").is_some());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_put_there_is_found_and_one_that_is_taken_away_is_left_alone() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let server = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    days(1).await;
    std::fs::rename(lab.path("a"), lab.path("moved")).unwrap();
    days(40).await;
    assert_eq!(server.asks().len(), 1);
    assert!(
        running
            .metrics()
            .contains("est_renewal_configured{identity=\"moved\"} 0\n")
    );
    std::fs::rename(lab.path("moved"), lab.path("a")).unwrap();
    days(1).await;
    assert_eq!(server.asks().len(), 2, "it has ended meanwhile");
    assert!(IdentityFolder::new(lab.path("a")).current().unwrap().is_some());
    running.stop().await;
}
