//! Random sequences of all faults at once, over hours, with several devices. The same seed makes the same run.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::authority::Takes;
use super::log::LogFault;
use super::network::Fault;
use super::table::Row;
use super::wire::{Cut, Direction, Manner};
use super::world::{Got, Kind, World, simulate};

/// The seeds that every run has.
const SEEDS: std::ops::Range<u64> = 0..8;

/// How many devices there are of each kind.
const DEVICES: u64 = 3;

/// For how long faults come.
const TROUBLE: Duration = Duration::from_secs(6 * 3600);

/// By when, after the last fault, everybody must have a certificate: they ask at least every half an hour.
const CALM: Duration = Duration::from_secs(2 * 3600);

/// What happened, by the virtual clock.
#[derive(Debug)]
struct Trace {
    start: Instant,
    lines: Mutex<String>,
}

impl Trace {
    fn note(&self, what: &str) {
        let mut lines = self.lines.lock().unwrap();
        writeln!(lines, "{:>10} ms {what}", self.start.elapsed().as_millis()).unwrap();
    }
}

/// One device: asks until it has a certificate, then renews it, again and again until the trouble is over, and once
/// after that.
async fn live(world: Arc<World>, trace: Arc<Trace>, mut rng: Rng, name: String, kind: Kind) -> u64 {
    let end = trace.start + TROUBLE;
    let mut device = world.device(kind);
    let (mut attempts, mut received) = (0, 0);
    loop {
        let last = Instant::now() > end;
        let asked = world.ask_with_retries(&device).await;
        attempts += u64::try_from(asked.failures.len()).unwrap() + u64::from(asked.got.is_ok());
        match asked.got {
            Ok(Got::Pending) => {
                trace.note(&format!("{name}: pending"));
                sleep(Duration::from_secs(300)).await;
            }
            Ok(Got::Certificate(der)) => {
                let row = world.log.rows().into_iter().find(|row| *row.certificate == der);
                let row = row.expect("what a client holds is on record");
                assert_eq!(
                    row.csr, device.csr,
                    "{name} has the certificate of another request"
                );
                received += 1;
                trace.note(&format!(
                    "{name}: certificate {received} after {attempts} attempts"
                ));
                if last {
                    return received;
                }
                let renewed = device.identity(der);
                device = world.device(Kind::Renewal(Arc::new(renewed)));
                attempts = 0;
                sleep(Duration::from_secs(rng.u64(60..1800))).await;
            }
            Err(error) => {
                trace.note(&format!("{name}: {error}"));
                sleep(Duration::from_secs(rng.u64(1..1800))).await;
            }
        }
    }
}

/// Looks at the queue every few minutes.
async fn operate(world: Arc<World>) {
    loop {
        sleep(Duration::from_secs(240)).await;
        for entry in world.log.entries() {
            if entry.state == est::ca::database::QueueState::Waiting {
                // A disk that is full: the next time.
                let _taken = world.try_to_approve_entry(&entry).await;
            }
        }
    }
}

fn fault_of_a_connection(rng: &mut Rng) -> Fault {
    let manner = match rng.u8(0..4) {
        0 => Manner::Closed,
        1 => Manner::Reset,
        2 => Manner::Silent,
        _ => Manner::Stalled(Duration::from_secs(rng.u64(1..120))),
    };
    match rng.u8(0..8) {
        0 => Fault::Refused,
        1 => Fault::Unreachable,
        _ => Fault::Lost(Cut {
            direction: Direction::BOTH[rng.usize(0..2)],
            after: rng.u64(0..1700),
            manner,
        }),
    }
}

/// One fault after the other; how many there were.
async fn trouble(world: &World, trace: &Trace, mut rng: Rng) -> u64 {
    let mut injected = 0;
    while trace.start.elapsed() < TROUBLE {
        sleep(Duration::from_secs(rng.u64(1..240))).await;
        let time = Duration::from_secs(rng.u64(1..900));
        injected += 1;
        let what = match rng.u8(0..10) {
            0..=3 => {
                let fault = fault_of_a_connection(&mut rng);
                world.network.next(Some(fault));
                format!("next connection: {fault:?}")
            }
            4 => {
                world.log.inject(rng.u64(0..3), LogFault::Full(time));
                format!("disk full for {time:?}")
            }
            5 => {
                world.log.inject(rng.u64(0..3), LogFault::Locked(time));
                format!("database locked for {time:?}")
            }
            6 => {
                let takes = Takes {
                    before: Duration::from_secs(rng.u64(0..20)),
                    after: Duration::from_secs(rng.u64(0..20)),
                };
                let slow = if rng.bool() {
                    &world.authority
                } else {
                    &world.approved
                };
                slow.next(takes);
                format!("slow authority: {takes:?}")
            }
            7 => {
                world.restart().await;
                "the server dies and starts again".to_owned()
            }
            _ => {
                // Less than the validity of certificates that are backdated and short: a clock that drifts is set.
                let step = rng.i64(-3600..3600);
                let wall = if rng.bool() {
                    &world.wall
                } else {
                    &world.client_wall
                };
                wall.set_step(step);
                format!("a clock is {step} s off")
            }
        };
        trace.note(&what);
    }
    injected
}

/// One run. The trace is for comparison with another run, and for whoever looks for a cause.
async fn run(seed: u64) -> (Row, String) {
    let world = Arc::new(World::new().await);
    let trace = Arc::new(Trace {
        start: Instant::now(),
        lines: Mutex::default(),
    });
    let mut rng = Rng::with_seed(seed);
    let mut devices = JoinSet::new();
    for number in 0..DEVICES {
        for kind in [Kind::Issued, Kind::Approved] {
            let name = format!(
                "{} {number}",
                if matches!(kind, Kind::Issued) {
                    "issued"
                } else {
                    "approved"
                }
            );
            let (world, trace) = (Arc::clone(&world), Arc::clone(&trace));
            devices.spawn(live(world, trace, rng.fork(), name, kind));
        }
    }
    let operator = tokio::spawn(operate(Arc::clone(&world)));
    let mut row = Row::new("random sequences of all of these, a server that is killed, and stalls");
    row.injected = trouble(&world, &trace, rng).await;
    world.calm();
    let calm = Instant::now();
    let mut received = 0;
    let everybody = async {
        while let Some(device) = devices.join_next().await {
            received += device.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
    };
    if timeout(CALM, everybody).await.is_err() {
        row.lost(format!(
            "seed {seed}: not everybody has a certificate {CALM:?} after the last fault"
        ));
    }
    row.recovered(calm.elapsed());
    operator.abort();
    world.network.drained().await;
    let certificates = u64::try_from(world.audit()).unwrap();
    // One of them is the server's.
    row.unclaimed = certificates - received - 1;
    let trace = trace.lines.lock().unwrap().clone();
    (row, trace)
}

/// Runs a seed, and says which one it was when it fails.
fn round(seed: u64) -> (Row, String) {
    let outcome = std::panic::catch_unwind(|| simulate(run(seed)));
    outcome.unwrap_or_else(|panic| {
        println!("this sequence again: EST_SIMULATION_SEED={seed} cargo test -p est --features cli --test simulation random");
        std::panic::resume_unwind(panic)
    })
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

fn seeds() -> Vec<u64> {
    match (number("EST_SIMULATION_SEED"), number("EST_SIMULATION_ROUNDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(rounds)) => (0..rounds).collect(),
        (None, None) => SEEDS.collect(),
    }
}

static ROW: OnceLock<Row> = OnceLock::new();

pub(crate) fn row() -> Row {
    let run = || {
        let seeds = seeds();
        println!(
            "random sequences with the seeds {} to {}",
            seeds[0],
            seeds[seeds.len() - 1]
        );
        let rows = seeds.into_iter().map(|seed| {
            let (row, trace) = round(seed);
            if number("EST_SIMULATION_SEED").is_some() {
                println!("{trace}");
            }
            row
        });
        rows.reduce(|all, row| all.with(&row)).unwrap()
    };
    ROW.get_or_init(run).clone()
}

#[test]
fn whatever_fails_in_whatever_order_everybody_has_a_certificate_in_the_end_and_none_is_lost() {
    row().is_harmless();
}

#[test]
fn the_same_seed_makes_the_same_run() {
    for seed in 1_000_003..1_000_007 {
        let [(_, first), (_, second)] = [round(seed), round(seed)];
        let differs = first
            .lines()
            .zip(second.lines())
            .find(|(first, second)| first != second);
        assert!(
            differs.is_none() && first.len() == second.len(),
            "seed {seed}: {differs:?}"
        );
        assert!(first.lines().count() > 50, "{first}");
    }
}
