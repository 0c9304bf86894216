//! Honest clients at work, all the time that a fault lasts.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pki_common::Failure;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::doors::HONEST;
use super::http::{Reply, get};
use super::{Doors, Lab, PATIENCE, Tally};

/// What a fault excuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faults) enum Manners {
    /// Nothing: every request is answered as if nothing were the matter.
    Served,
    /// Enrolments may be refused by a status of the server (500 to 599).
    Refused,
    /// Nobody may answer, and tunnels may break. What is answered is whole and right.
    Unanswered,
    /// Nobody may answer; but a tunnel that was up ends with a goodbye.
    Goodbye,
    /// Anything may break off, an answer in its midst, too. What does come is right.
    Killed,
}

/// What an honest client can meet with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mishap {
    /// A status, of an enrolment.
    Status(u16),
    /// A request without an answer, a tunnel that does not come up.
    NoAnswer,
    /// An answer that ends in its midst.
    CutOff,
    /// A tunnel that ends with a goodbye.
    Goodbye,
    /// A tunnel that ends without one.
    Broken,
}

impl Manners {
    const fn excuse(self, mishap: Mishap) -> bool {
        match (self, mishap) {
            (Self::Served, _) | (Self::Unanswered | Self::Goodbye | Self::Refused, Mishap::CutOff) => false,
            (Self::Refused, mishap) => matches!(mishap, Mishap::Status(500..=599)),
            (Self::Goodbye, Mishap::Broken) => false,
            (Self::Unanswered | Self::Goodbye | Self::Killed, _) => true,
        }
    }
}

/// How many clients of which kind, and how long each rests.
#[derive(Clone, Copy, Debug)]
pub(in crate::faults) struct Size {
    pub(in crate::faults) enrolling: usize,
    pub(in crate::faults) visiting: usize,
    pub(in crate::faults) lasting: usize,
    pub(in crate::faults) rest: Duration,
}

impl Size {
    /// A moderate load: it leaves a processor to whoever does the harm.
    pub(in crate::faults) const MODERATE: Self = Self {
        enrolling: 2,
        visiting: 1,
        lasting: 2,
        rest: Duration::from_millis(30),
    };

    /// As much as there is time for.
    pub(in crate::faults) const HEAVY: Self = Self {
        enrolling: 16,
        visiting: 2,
        lasting: 4,
        rest: Duration::ZERO,
    };
}

/// The clients; they go on until they are stopped.
#[derive(Debug)]
pub(in crate::faults) struct Load {
    worker: Worker,
    tasks: JoinSet<()>,
}

/// What every client has.
#[derive(Clone, Debug)]
struct Worker {
    doors: Doors,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
    manners: Manners,
    rest: Duration,
}

impl Load {
    pub(in crate::faults) fn start(lab: &Lab, manners: Manners, size: Size) -> Result<Self, Failure> {
        Self::with_tally(lab, manners, size, Arc::default())
    }

    /// One that counts on.
    pub(in crate::faults) fn with_tally(
        lab: &Lab,
        manners: Manners,
        size: Size,
        tally: Arc<Tally>,
    ) -> Result<Self, Failure> {
        let worker = Worker {
            doors: lab.doors()?,
            tally,
            stop: Arc::default(),
            manners,
            rest: size.rest,
        };
        let mut tasks = JoinSet::new();
        for _ in 0..size.enrolling {
            tasks.spawn(worker.clone().enroll());
        }
        for _ in 0..size.visiting {
            tasks.spawn(worker.clone().visit());
        }
        for _ in 0..size.lasting {
            tasks.spawn(worker.clone().last());
        }
        tasks.spawn(worker.clone().look_on());
        Ok(Self { worker, tasks })
    }

    pub(in crate::faults) const fn tally(&self) -> &Arc<Tally> {
        &self.worker.tally
    }

    pub(in crate::faults) const fn doors(&self) -> &Doors {
        &self.worker.doors
    }

    /// Waits until so many more certificates and tunnels have come, from now on; else that is a wrong answer.
    pub(in crate::faults) async fn served(&self, more: u64) {
        let tally = self.tally();
        let (certificates, tunnels) = tally.served();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let now = tally.served();
            if now.0 >= certificates + more && now.1 >= tunnels + more {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        let now = tally.served();
        tally.wrong(format!(
            "only {} certificates and {} tunnels within {PATIENCE:?}, and not {more} of each",
            now.0 - certificates,
            now.1 - tunnels
        ));
    }

    pub(in crate::faults) async fn stop(mut self) {
        self.worker.stop.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            if done.is_err() {
                self.worker.tally.wrong("an honest client of the lab panicked");
            }
        }
    }
}

impl Worker {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Counts what is not allowed to happen, or only now.
    fn note(&self, mishap: Mishap, problem: &str) {
        if self.manners.excuse(mishap) {
            self.tally.refused();
        } else {
            self.tally.wrong(problem);
        }
    }

    /// A reply to what is not a certificate of ours.
    fn note_reply<T>(&self, what: &str, reply: &Reply<T>) {
        match reply {
            Reply::Whole(_) => {}
            Reply::Wrong(problem) => self.tally.wrong(format!("{what}: {problem}")),
            Reply::Refused(status) => self.note(Mishap::Status(*status), &format!("{what}: status {status}")),
            Reply::None(problem) => self.note(Mishap::NoAnswer, &format!("{what}: {problem}")),
            Reply::CutOff(problem) => self.note(Mishap::CutOff, &format!("{what}: {problem}")),
        }
    }

    /// Not a busy loop when a server is gone.
    async fn pause(&self, failed: bool) {
        sleep(if failed {
            Duration::from_millis(20)
        } else {
            self.rest
        })
        .await;
    }

    async fn enroll(self) {
        while self.goes_on() {
            let reply = self.doors.est_client.enroll(&self.doors).await;
            let failed = !matches!(reply, Reply::Whole(_));
            self.note_reply("enrolment", &reply);
            if let Reply::Whole(certificate) = reply {
                self.tally.certificate(certificate);
            }
            self.pause(failed).await;
        }
    }

    async fn visit(self) {
        while self.goes_on() {
            let visited = self.doors.location_server.visit().await;
            match &visited {
                Ok(()) => self.tally.tunnel(),
                Err(problem) => self.note(Mishap::NoAnswer, &format!("tunnel: {problem}")),
            }
            self.pause(visited.is_err()).await;
        }
    }

    /// A tunnel that stays, through everything.
    async fn last(self) {
        while self.goes_on() {
            let outcome = self.stay().await;
            if self.goes_on()
                && let Err((mishap, problem)) = &outcome
            {
                self.note(*mishap, &format!("lasting tunnel: {problem}"));
            }
            self.pause(outcome.is_err()).await;
        }
    }

    async fn stay(&self) -> Result<(), (Mishap, String)> {
        let broken = |error: nmsp::Error| (Mishap::Broken, error.to_string());
        let subscribed = self.doors.location_server.subscribed().await;
        let mut client = subscribed.map_err(|error| (Mishap::NoAnswer, error.to_string()))?;
        while self.goes_on() {
            // Every 20 ms one is published.
            let begun = Instant::now();
            let next = timeout(PATIENCE, client.next()).await;
            self.tally.waited(begun.elapsed());
            match next {
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Err((Mishap::Goodbye, "the controller said goodbye".to_owned())),
                Ok(Err(error)) => return Err(broken(error)),
                Err(_) => return Err((Mishap::Broken, format!("no measurement for {PATIENCE:?}"))),
            }
        }
        client.close().await.map_err(broken)
    }

    async fn look_on(self) {
        while self.goes_on() {
            let seen = look_on(&self.doors).await;
            if let Err(reply) = &seen {
                self.note_reply("revocation list and admin listener", reply);
            }
            self.pause(seen.is_err()).await;
            sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Fetches the revocation list, which must be one, and asks the admin listener for its health.
pub(super) async fn look_on(doors: &Doors) -> Result<(), Reply<()>> {
    let list = whole(get(HONEST, doors.revocation_lists, "/crl/ca.crl").await)?;
    if x509_parser::parse_x509_crl(&list).is_err() {
        return Err(Reply::Wrong("a revocation list that is none".to_owned()));
    }
    whole(get(HONEST, doors.admin, "/healthz").await).map(drop)
}

fn whole(reply: Reply<Vec<u8>>) -> Result<Vec<u8>, Reply<()>> {
    match reply {
        Reply::Whole(body) => Ok(body),
        Reply::Refused(status) => Err(Reply::Refused(status)),
        Reply::None(why) => Err(Reply::None(why)),
        Reply::CutOff(why) => Err(Reply::CutOff(why)),
        Reply::Wrong(why) => Err(Reply::Wrong(why)),
    }
}
