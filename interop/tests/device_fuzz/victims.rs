//! Small devices with one defect each, in this process, without TLS: what the engine makes of a device that dies, that
//! stalls, that leaks, that answers what it should not.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use interop::device_fuzz::case::{Case, Layer, Step, Transport};
use interop::device_fuzz::examine::Examiner;
use interop::device_fuzz::grammar::Grammar;
use interop::device_fuzz::link::Link;
use interop::device_fuzz::liveness::Liveness;
use interop::device_fuzz::play::{End, Observation};
use interop::device_fuzz::resume::{Replay, State};
use interop::device_fuzz::run::Settings;
use interop::device_fuzz::target::Target;
use interop::device_fuzz::verdict::{Harm, Judgement, Verdict};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::support::{run_to_end, settings, state};

/// What a victim does when it reads the byte 0xff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    /// It never answers again.
    Dies,
    /// It answers nobody for a while.
    Stalls(Duration),
    /// It answers what it was not asked.
    Babbles,
    /// It never closes the connection.
    Leaks,
    /// It answers nobody until this connection is closed.
    Waits,
    /// It dies at the second such byte, on whichever connection.
    DiesAtSecond,
    /// It breaks this connection off by RST.
    Resets,
    /// It keeps so many bytes more each time.
    Hoards(usize),
}

/// An echo server.
struct Victim {
    address: SocketAddr,
    dead: Arc<AtomicBool>,
}

/// What all its connections share.
struct Shared {
    defect: Defect,
    dead: Arc<AtomicBool>,
    hits: AtomicU32,
    /// Who holds it keeps the others from being answered.
    busy: Mutex<()>,
}

impl Victim {
    async fn start(defect: Defect) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let dead = Arc::new(AtomicBool::new(false));
        let victim = Self {
            address: listener.local_addr().unwrap(),
            dead: Arc::clone(&dead),
        };
        let shared = Arc::new(Shared {
            defect,
            dead,
            hits: AtomicU32::new(0),
            busy: Mutex::new(()),
        });
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(connection, Arc::clone(&shared)));
            }
        });
        victim
    }

    fn examiner(&self) -> Examiner<Noise, Plain, Pong> {
        let mut examiner = Examiner::new(Noise, Plain(self.address), Pong);
        examiner.patience.answer = Duration::from_millis(50);
        // A victim that dies closes at once; nothing waits for this where nothing is wrong.
        examiner.look.bound = Duration::from_secs(20);
        examiner.look.tries = 1;
        examiner.look.recovery = Duration::from_secs(20);
        examiner
    }
}

async fn serve(mut connection: TcpStream, shared: Arc<Shared>) {
    let mut buffer = [0; 512];
    while let Ok(read) = connection.read(&mut buffer).await {
        let busy = shared.busy.lock().await;
        let hit = buffer[..read].contains(&0xff);
        match shared.defect {
            Defect::Dies if hit => shared.dead.store(true, Ordering::Relaxed),
            Defect::DiesAtSecond if hit && shared.hits.fetch_add(1, Ordering::Relaxed) > 0 => {
                shared.dead.store(true, Ordering::Relaxed);
            }
            Defect::Stalls(time) if hit => sleep(time).await,
            Defect::Babbles if hit => drop(connection.write_all(b"secret").await),
            Defect::Leaks if hit => return std::mem::forget(connection),
            Defect::Resets if hit => {
                return socket2::SockRef::from(&connection)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
            // Written to, so that it takes memory and not only addresses.
            Defect::Hoards(length) if hit => std::mem::forget(vec![1_u8; length]),
            Defect::Waits if hit => while connection.read(&mut buffer).await.unwrap_or(0) > 0 {},
            _ if read == 0 || shared.dead.load(Ordering::Relaxed) => return,
            _ => drop(connection.write_all(&buffer[..read]).await),
        }
        drop(busy);
    }
}

struct Plain(SocketAddr);

impl Target for Plain {
    const BESIDE: bool = true;

    async fn open(&mut self, _: Transport) -> Result<Link, End> {
        let connected = TcpStream::connect(self.0).await;
        connected
            .map(Link::plain)
            .map_err(|error| End::NotOpened(error.to_string()))
    }
}

struct Pong;

impl Liveness<Plain> for Pong {
    fn question(&self) -> &'static str {
        "a byte comes back"
    }

    async fn check(&mut self, target: &mut Plain) -> Result<(), String> {
        let mut link = target.open(Transport::Tcp).await.map_err(|end| end.to_string())?;
        link.send(&[b"."], &[], Duration::ZERO).await;
        let soon = Instant::now() + Duration::from_secs(60);
        let answered = link.read_until(soon, |received| received == b".").await;
        link.close().await;
        if answered {
            Ok(())
        } else {
            Err("no byte came back".to_owned())
        }
    }
}

/// Every fifth case has the byte that hurts somewhere among others.
struct Noise;

impl Grammar for Noise {
    fn name(&self) -> &'static str {
        "noise"
    }

    fn case(&self, seed: u64, index: u64) -> Case {
        let mut bytes: Vec<u8> = (1..100).collect();
        if index % 5 == 4 {
            bytes.insert(37, 0xff);
        }
        Case {
            index,
            seed,
            layer: Layer::Value,
            name: format!("noise: case {index}"),
            script: vec![
                Step::Open {
                    transport: Transport::Tcp,
                },
                Step::send(b"hello".as_slice()),
                Step::Read {
                    within_milliseconds: 20,
                },
                Step::send(bytes),
            ],
        }
    }

    fn judge(&self, _: &Case, observation: &Observation) -> Judgement {
        let secret = observation
            .connections
            .iter()
            .any(|seen| seen.received.windows(6).any(|six| six == b"secret"));
        Judgement {
            verdict: Verdict::of(observation),
            wrong_answer: secret.then(|| "it told a secret".to_owned()),
        }
    }
}

fn bytes_of(case: &Case) -> Vec<u8> {
    case.sent().concat()
}

async fn found(examiner: &mut Examiner<Noise, Plain, Pong>, cases: u64) -> State {
    let first = state(1, &examiner.grammar);
    run_to_end(examiner, &settings(cases, None), first).await
}

/// Without making the case smaller, for defects that take their time.
async fn found_as_it_is(examiner: &mut Examiner<Noise, Plain, Pong>, cases: u64) -> State {
    let first = state(1, &examiner.grammar);
    let mut settings = settings(cases, None);
    settings.minimise = None;
    run_to_end(examiner, &settings, first).await
}

#[tokio::test]
async fn a_device_that_dies_is_dead_and_the_run_ends() {
    let victim = Victim::start(Defect::Dies).await;
    let mut examiner = victim.examiner();
    examiner.look.recovery = Duration::from_millis(300);
    let state = found(&mut examiner, 20).await;
    assert_eq!(state.ended.as_deref(), Some("the device did not come back"));
    assert_eq!((state.next, state.findings.len()), (5, 1));
    let finding = &state.findings[0];
    assert!(matches!(finding.harm, Harm::Dead { .. }), "{finding:?}");
    assert_eq!((finding.case.index, finding.minimal.as_ref()), (4, None));
    assert_eq!(state.verdicts()[&Verdict::Dead], 1);
}

#[tokio::test]
async fn a_dead_device_that_can_be_started_again_is_tested_on_and_its_case_made_smaller() {
    let victim = Victim::start(Defect::Dies).await;
    let mut examiner = victim.examiner();
    examiner.look.recovery = Duration::from_millis(300);
    let dead = Arc::clone(&victim.dead);
    examiner.restart = Some(Box::new(move || {
        dead.store(false, Ordering::Relaxed);
        Ok(())
    }));
    let state = found(&mut examiner, 10).await;
    assert_eq!((state.next, state.findings.len()), (10, 1));
    let finding = &state.findings[0];
    assert_eq!(bytes_of(finding.minimal.as_ref().unwrap()), [0xff], "{finding:?}");
    assert_eq!(finding.repeated, 1, "case 9 did the same");
}

#[tokio::test]
async fn a_device_that_comes_back_has_recovered_and_is_tested_on() {
    let victim = Victim::start(Defect::Stalls(Duration::from_secs(6))).await;
    let mut examiner = victim.examiner();
    examiner.look.bound = Duration::from_secs(2);
    let state = found_as_it_is(&mut examiner, 6).await;
    let finding = &state.findings[0];
    assert!(matches!(finding.harm, Harm::Recovered { .. }), "{finding:?}");
    assert_eq!(finding.case.index, 4);
    assert_eq!(state.ended.as_deref(), Some("the budget of cases is used up"));
}

#[tokio::test]
async fn a_device_that_serves_nobody_else_meanwhile_is_noticed_while_the_connection_is_open() {
    let victim = Victim::start(Defect::Waits).await;
    let mut examiner = victim.examiner();
    examiner.look.bound = Duration::from_secs(2);
    let state = found_as_it_is(&mut examiner, 5).await;
    let finding = &state.findings[0];
    assert!(finding.harm.to_string().contains("still open"), "{finding:?}");
}

#[tokio::test]
async fn an_answer_that_no_device_may_give_is_a_finding_although_it_lives() {
    let victim = Victim::start(Defect::Babbles).await;
    let state = found(&mut victim.examiner(), 5).await;
    let finding = &state.findings[0];
    assert!(matches!(finding.harm, Harm::WrongAnswer { .. }), "{finding:?}");
    assert_eq!(bytes_of(finding.minimal.as_ref().unwrap()), [0xff]);
    assert_eq!(state.verdicts().get(&Verdict::Dead), None);
}

/// A reset is what the device did, and no harm by itself.
#[tokio::test]
async fn a_connection_that_the_device_resets_is_a_verdict_and_no_finding() {
    let victim = Victim::start(Defect::Resets).await;
    let mut examiner = victim.examiner();
    // It answers or resets at once; nothing waits for this where nothing is wrong.
    examiner.patience.answer = Duration::from_secs(20);
    let state = found(&mut examiner, 10).await;
    assert!(state.findings.is_empty(), "{:#?}", state.findings);
    assert_eq!(state.verdicts()[&Verdict::Reset], 2, "{:?}", state.verdicts());
    assert_eq!(state.verdicts()[&Verdict::Accepted], 8);
}

/// Each of them ends a run that has other bounds far away.
#[tokio::test]
async fn a_run_ends_with_whatever_bound_of_its_budget_comes_first() {
    type Bound = fn(&mut Settings);
    let budgets: [(Bound, &str); 4] = [
        (
            |all| all.budget.bytes = Some(105),
            "the budget of bytes is used up",
        ),
        (
            |all| all.budget.connections = Some(4),
            "the budget of connections is used up",
        ),
        (
            |all| all.budget.time = Some(Duration::from_millis(1)),
            "the budget of time is used up",
        ),
        (|all| all.max_findings = 1, "enough was found"),
    ];
    for (bound, reason) in budgets {
        let victim = Victim::start(Defect::Babbles).await;
        let mut examiner = victim.examiner();
        let first = state(1, &examiner.grammar);
        let mut all = settings(50, None);
        all.minimise = None;
        bound(&mut all);
        let state = run_to_end(&mut examiner, &all, first).await;
        assert_eq!(state.ended.as_deref(), Some(reason));
        // A case has 104 bytes and three connections: its own, and one for each of two looks for life.
        let cases = match reason {
            "the budget of bytes is used up" | "the budget of connections is used up" => 2,
            "enough was found" => 5,
            _ => state.next,
        };
        assert!(
            state.next == cases && state.next < 50,
            "{reason}: {} cases",
            state.next
        );
    }
}

#[tokio::test]
async fn cases_begin_no_sooner_than_the_rate_allows() {
    let victim = Victim::start(Defect::Babbles).await;
    let mut examiner = victim.examiner();
    let first = state(1, &examiner.grammar);
    let mut all = settings(4, None);
    all.pace = Duration::from_millis(400);
    let began = Instant::now();
    run_to_end(&mut examiner, &all, first).await;
    // Of the fourth, three pauses after the first.
    assert!(began.elapsed() >= 3 * all.pace, "{:?}", began.elapsed());
}

#[tokio::test]
async fn what_an_earlier_case_has_prepared_is_found() {
    let victim = Victim::start(Defect::DiesAtSecond).await;
    let mut examiner = victim.examiner();
    examiner.look.recovery = Duration::from_millis(300);
    let dead = Arc::clone(&victim.dead);
    examiner.restart = Some(Box::new(move || {
        dead.store(false, Ordering::Relaxed);
        Ok(())
    }));
    let state = found(&mut examiner, 10).await;
    // The first of them, case 4, was harmless. From the second on each of them kills it.
    assert_eq!(state.findings[0].case.index, 9);
    assert_eq!(bytes_of(state.findings[0].minimal.as_ref().unwrap()), [0xff]);
}

#[tokio::test]
async fn a_finding_is_repeated_from_its_file() {
    let victim = Victim::start(Defect::Babbles).await;
    let folder = tempfile::tempdir().unwrap();
    let mut examiner = victim.examiner();
    let first = state(1, &examiner.grammar);
    let state = run_to_end(&mut examiner, &settings(5, Some(folder.path())), first).await;
    let replay = Replay::load(&folder.path().join(state.findings[0].file_name())).unwrap();
    assert_eq!(&replay.case, state.findings[0].shortest());
    let examined = examiner.examine(&replay.case).await;
    assert!(
        matches!(examined.harm, Some(Harm::WrongAnswer { .. })),
        "{examined:?}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_keeps_connections_is_a_finding_with_the_case_that_does_it() {
    let victim = Victim::start(Defect::Leaks).await;
    let mut examiner = victim.examiner();
    examiner.pid = Some(std::process::id());
    // Other tests of this process have a few descriptors, too, and one of them takes all memory that it gets.
    examiner.growth.descriptors = 100;
    examiner.growth.resident_kib = 4 * 1024 * 1024;
    examiner.growth.address_space_kib = 64 * 1024 * 1024;
    examiner.look.settle = Duration::from_millis(300);
    let mut all = settings(800, None);
    all.pace = Duration::ZERO;
    all.max_findings = 1;
    let first = state(1, &examiner.grammar);
    let state = run_to_end(&mut examiner, &all, first).await;
    let finding = &state.findings[0];
    assert!(matches!(finding.harm, Harm::Descriptors { .. }), "{finding:?}");
    assert!(finding.case.index % 5 == 4, "{finding:?}");
    assert_eq!(bytes_of(finding.minimal.as_ref().unwrap()), [0xff]);
}

/// Each case takes less than one case may, and all together more than the run may.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_that_grows_from_case_to_case_is_a_finding_of_the_run() {
    const MIB: usize = 1024 * 1024;
    let victim = Victim::start(Defect::Hoards(96 * MIB)).await;
    let mut examiner = victim.examiner();
    examiner.pid = Some(std::process::id());
    // Other tests of this process take some, too; less than is between the two in one case.
    examiner.growth.resident_kib = 256 * 1024;
    examiner.growth.descriptors = 10_000;
    let mut all = settings(40, None);
    all.max_findings = 1;
    let first = state(1, &examiner.grammar);
    let state = run_to_end(&mut examiner, &all, first).await;
    let finding = &state.findings[0];
    assert!(matches!(finding.harm, Harm::Memory { .. }), "{finding:?}");
    assert_eq!(finding.minimal, None, "{finding:?}");
    assert!(finding.minimisation.contains("over many cases"), "{finding:?}");
}
