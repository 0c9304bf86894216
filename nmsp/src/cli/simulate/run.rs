//! The floor lives in a thread of its own: computing what is heard must not hold up the connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use super::families::Families;
use crate::cli::failure::CliError;
use crate::server::ServerHandle;
use crate::simulation::{ReportSchedule, Simulation, SwitchStack};
use crate::wire::message::Timestamp;

/// How often the floor moves on: often enough that reports flow evenly, seldom enough that waking up costs nothing.
const TICK: Duration = Duration::from_millis(50);

/// What went out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Published {
    /// Reports of stations that the simulation made.
    pub(super) reports: u64,
    /// Other records.
    pub(super) records: u64,
    /// The processor time of the floor, as wall time spent in it.
    pub(super) busy: Duration,
}

/// The running floor.
pub(super) struct World {
    stop: Arc<AtomicBool>,
    over: Arc<Notify>,
    thread: JoinHandle<Result<Published, crate::Error>>,
}

impl World {
    pub(super) fn start(
        (simulation, stack): (Simulation, SwitchStack),
        handle: ServerHandle,
        per_second: f64,
        by_policy: bool,
    ) -> Self {
        let (stop, over) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let (stopping, ending) = (Arc::clone(&stop), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let families = Families::new(&simulation, stack);
            let outcome = Floor::new(simulation, families, handle, per_second, by_policy).live(&stopping);
            ending.notify_one();
            outcome
        });
        Self { stop, over, thread }
    }

    /// Waits until the floor cannot go on.
    pub(super) async fn failed(&self) {
        self.over.notified().await;
    }

    /// Ends the floor and says what went out.
    pub(super) fn stop(self) -> Result<Published, CliError> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.join() {
            Ok(outcome) => outcome.map_err(CliError::from),
            // The panic has been printed.
            Err(_) => Err(CliError::usage(
                "the simulation ended abnormally".to_owned(),
                "report what was printed above",
            )),
        }
    }
}

struct Floor {
    simulation: Simulation,
    handle: ServerHandle,
    schedule: ReportSchedule,
    families: Families,
    by_policy: bool,
    published: Published,
}

impl Floor {
    fn new(
        simulation: Simulation,
        families: Families,
        handle: ServerHandle,
        per_second: f64,
        by_policy: bool,
    ) -> Self {
        Self {
            schedule: ReportSchedule::new(simulation.devices().len(), per_second),
            families,
            simulation,
            handle,
            by_policy,
            published: Published::default(),
        }
    }

    fn live(mut self, stop: &AtomicBool) -> Result<Published, crate::Error> {
        // Everybody is heard once before anything else is said about them.
        let everybody = 0..self.simulation.devices().len();
        self.simulation.report(everybody, now());
        self.families
            .introduce(&mut self.simulation, &self.handle, now())?;
        let mut last = Instant::now();
        let mut next = last + TICK;
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let begun = Instant::now();
            next = (next + TICK).max(begun);
            self.tick(begun.saturating_duration_since(last))?;
            last = begun;
            self.published.busy += begun.elapsed();
        }
        self.published.records = self.families.records();
        Ok(self.published)
    }

    fn tick(&mut self, passed: Duration) -> Result<(), crate::Error> {
        for range in self.schedule.due(passed.as_secs_f64()) {
            let measurements = self.simulation.report(range, now());
            self.published.reports += u64::try_from(measurements.len()).unwrap_or(u64::MAX);
            if self.by_policy {
                self.handle.store().observe(measurements)?;
            } else {
                self.handle.publisher().publish(measurements)?;
            }
            self.families.changes(&self.simulation, &self.handle, now())?;
        }
        self.families.tick(&mut self.simulation, &self.handle, now())
    }
}

/// The time of the wire.
pub(super) fn now() -> Timestamp {
    SystemTime::now().into()
}
