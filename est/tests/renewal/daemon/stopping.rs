//! A daemon that is told to stop in the middle of something.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use est::renewal::folder::IdentityFolder;

use super::clock::RuntimeWall;
use super::lab::{Lab, Reply, Running, START, Scripted, renewed};
use crate::stepwise::{Disk, Stepwise};
use crate::support::PATIENCE;

#[tokio::test]
async fn a_stop_during_an_exchange_is_at_once_and_the_request_goes_out_again_after_it() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let server = Scripted::new(&wall, |_| Reply::Hang);
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    let asked = async {
        while server.asks().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    assert_eq!(running.phase("a").as_deref(), Some("in-flight"));
    running.stop().await;
    let kept = IdentityFolder::new(lab.path("a")).pending().unwrap().unwrap();
    assert_eq!(kept.csr_der, server.asks()[0].csr);

    let server = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
    let running = Running::start(lab.daemon(&wall, &[("a", &server)]));
    lab.until("a", 1, renewed).await;
    assert_eq!(server.asks()[0].csr, kept.csr_der);
    running.stop().await;
}

/// A disk that stands still before the link is made: in the middle of a switch.
#[derive(Debug)]
struct Standing {
    reached: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl Disk for Standing {
    fn step(&self, name: &str, whole: &dyn Fn() -> io::Result<()>, _: &dyn Fn()) -> io::Result<()> {
        if name == "link" {
            self.reached.lock().unwrap().send(()).unwrap();
            self.go_on.lock().unwrap().recv().unwrap();
        }
        whole()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_files_are_written_waits_for_their_end() {
    let (lab, wall) = (Lab::new(), RuntimeWall::new(START));
    let server = Scripted::new(&wall, |_| Reply::Issue { days: 30 });
    let ((reached, is_reached), (go_on, gone_on)) = (channel(), channel());
    let disk = Stepwise(Standing {
        reached: Mutex::new(reached),
        go_on: Mutex::new(gone_on),
    });
    let daemon = lab.daemon(&wall, &[("a", &server)]);
    let running = Running::start(daemon.with_files(Arc::new(disk)));
    tokio::task::spawn_blocking(move || is_reached.recv_timeout(PATIENCE))
        .await
        .unwrap()
        .unwrap();
    running.cancel();
    // However long the disk takes: the daemon is still there.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!running.has_ended());
    assert!(lab.current("a").is_none());
    go_on.send(()).unwrap();
    running.stop().await;
    assert!(lab.current("a").is_some());
    assert_eq!(lab.count("a", renewed), 1, "and it is told");
    assert!(IdentityFolder::new(lab.path("a")).pending().unwrap().is_none());
}
