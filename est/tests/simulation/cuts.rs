//! A connection is lost at every byte of a TLS handshake and of each message, in both directions.

use std::sync::{Arc, OnceLock};

use est::client::Connector as _;
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::{Failure, KnownCause, Rung};
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::network::Fault;
use super::table::Row;
use super::wire::{Cut, Direction, Manner};
use super::world::{Attempts, Device, Got, Kind, World, simulate};

const MANNERS: [Manner; 3] = [Manner::Closed, Manner::Reset, Manner::Silent];

/// The bytes at which connections are lost, and how.
#[derive(Clone, Copy)]
struct Sweep {
    direction: Direction,
    /// The distance between two bytes: 1 for every one of them.
    stride: usize,
}

impl Sweep {
    fn cuts(self, from: u64, to: u64) -> Vec<Cut> {
        let Self { direction, stride } = self;
        // Each manner at every byte, instead of one after the other.
        let thorough = std::env::var_os("EST_SIMULATION_THOROUGH").is_some();
        let bytes = (from..to).step_by(if thorough { 1 } else { stride });
        let cut = |(number, after): (usize, u64)| {
            let all = MANNERS.into_iter().enumerate();
            let chosen = all.filter(move |(index, _)| thorough || number % MANNERS.len() == *index);
            chosen.map(move |(_, manner)| Cut {
                direction,
                after,
                manner,
            })
        };
        bytes.enumerate().flat_map(cut).collect()
    }
}

/// How many bytes each way a handshake takes in which the client shows no certificate.
async fn handshake(world: &World) -> [u64; 2] {
    let verifier =
        PeerVerifier::trust_store(Arc::clone(&world.anchors)).with_clock(world.client_config().clock);
    let mut tls = ClientTls::new(verifier);
    tls.alpn = vec![b"http/1.1".to_vec()];
    tls.channel_binding = true;
    let connector = TlsConnector::from(tls.rustls_config().unwrap());
    world.network.take_wires();
    let stream = world.network.connect("est.example", 443).await.unwrap();
    let name = ServerName::try_from("est.example").unwrap();
    let connected = connector.connect(name, stream).await.unwrap();
    let wires = world.network.take_wires();
    drop(connected);
    world.network.drained().await;
    let lengths = Direction::BOTH.map(|direction| wires[0].passed(direction));
    assert!(lengths.iter().all(|length| *length > 200), "{lengths:?}");
    lengths
}

/// How many bytes go each way over the one connection of an attempt that meets no fault.
async fn lengths(world: &World, device: &Device) -> [u64; 2] {
    world.network.take_wires();
    world.ask(device).await.unwrap();
    let wires = world.network.take_wires();
    assert_eq!(wires.len(), 1, "one connection carries all of it");
    world.network.drained().await;
    Direction::BOTH.map(|direction| wires[0].passed(direction))
}

/// A connection that was lost: the failure says how far it came, and blames nobody for more than that.
fn names_the_rung(failure: &Failure) -> bool {
    match failure.known_cause {
        Some(KnownCause::ConnectionLost) => {
            matches!(failure.rung, Rung::Tcp | Rung::Tls(_) | Rung::Body) && failure.alert.is_none()
        }
        Some(KnownCause::AnswerTimedOut) => matches!(failure.rung, Rung::Tls(_) | Rung::Upstream),
        _ => false,
    }
}

/// One attempt whose connection is lost, and those that follow.
async fn lose(world: &World, device: &Device, cut: Cut, row: &mut Row) -> Attempts {
    world.network.take_wires();
    world.network.next(Some(Fault::Lost(cut)));
    let attempts = world.ask_with_retries(device).await;
    assert!(world.network.take_wires()[0].was_lost(), "{cut:?}");
    world.network.drained().await;
    row.injected += 1;
    for failure in attempts
        .failures
        .iter()
        .filter(|failure| !names_the_rung(failure))
    {
        row.wrong_answer(format!("{cut:?}: {failure}"));
    }
    if !attempts.failures.is_empty() {
        row.recovered(attempts.took);
    }
    attempts
}

/// The certificate that came in the end is on record, and no attempt has left more than one.
fn settle(world: &World, device: &Device, before: usize, attempts: &Attempts, row: &mut Row) {
    let rows = world.rows_of(device, before);
    match &attempts.got {
        Ok(Got::Certificate(der)) if rows.iter().any(|row| &*row.certificate == der.as_slice()) => {}
        Ok(Got::Certificate(_)) => row.lost("a certificate that is not on record".to_owned()),
        other => row.wrong_answer(format!("{other:?}")),
    }
    let most = attempts.failures.len() + 1;
    assert!(
        (1..=most).contains(&rows.len()),
        "{} rows of {most} attempts",
        rows.len()
    );
    row.unclaimed += u64::try_from(rows.len() - 1).unwrap();
}

/// Devices of this kind lose their connection at these bytes, one each.
async fn lose_each(world: &World, kind: &Kind, cuts: Vec<Cut>, row: &mut Row) {
    for cut in cuts {
        let (device, before) = (world.device(kind.clone()), world.log.number());
        let attempts = lose(world, &device, cut, row).await;
        settle(world, &device, before, &attempts, row);
    }
    world.audit();
}

/// `csrattrs` and `simpleenroll` over one connection, from the first byte of the handshake.
async fn enrolments(sweep: Sweep) -> Row {
    let world = World::new().await;
    let mut row = Row::new("connection lost: handshake, csrattrs, simpleenroll");
    let total = lengths(&world, &world.device(Kind::Issued)).await;
    let cuts = sweep.cuts(0, total[sweep.direction.index()]);
    lose_each(&world, &Kind::Issued, cuts, &mut row).await;
    row
}

/// The same with a certificate; from where the client may show it.
async fn renewals(sweep: Sweep) -> Row {
    let world = World::new().await;
    let mut row = Row::new("connection lost: handshake with a certificate, simplereenroll");
    let kind = Kind::Renewal(world.identity_of_device().await);
    let total = lengths(&world, &world.device(kind.clone())).await;
    let hello = handshake(&world).await[sweep.direction.index()] / 2;
    let cuts = sweep.cuts(hello, total[sweep.direction.index()]);
    lose_each(&world, &kind, cuts, &mut row).await;
    row
}

/// An operation of this kind after the handshake of the first row.
async fn after_the_handshake(fault: &'static str, kind: Kind, sweep: Sweep) -> Row {
    let world = World::new().await;
    let mut row = Row::new(fault);
    let total = lengths(&world, &world.device(kind.clone())).await;
    let begin = handshake(&world).await[sweep.direction.index()];
    let cuts = sweep.cuts(begin, total[sweep.direction.index()]);
    lose_each(&world, &kind, cuts, &mut row).await;
    row
}

async fn server_keys(sweep: Sweep) -> Row {
    after_the_handshake("connection lost: serverkeygen", Kind::ServerKey, sweep).await
}

async fn full_cmc(sweep: Sweep) -> Row {
    after_the_handshake("connection lost: fullcmc", Kind::FullCmc, sweep).await
}

/// `simpleenroll` where the operator approves: the connection is lost when the request is made, and at the same byte when
/// the certificate is fetched.
async fn approvals(sweep: Sweep) -> Row {
    let world = World::new().await;
    let mut row = Row::new("connection lost: simpleenroll that waits, and its certificate fetched");
    let first = world.device(Kind::Approved);
    let submitted = lengths(&world, &first).await[sweep.direction.index()];
    world.approve(&first).await;
    let fetched = lengths(&world, &first).await[sweep.direction.index()];
    let begin = handshake(&world).await[sweep.direction.index()];
    for cut in sweep.cuts(begin, submitted.max(fetched)) {
        let (device, before) = (world.device(Kind::Approved), world.log.number());
        if cut.after < submitted {
            let attempts = lose(&world, &device, cut, &mut row).await;
            if !matches!(attempts.got, Ok(Got::Pending)) {
                row.wrong_answer(format!("{cut:?}: {:?}", attempts.got));
            }
        } else {
            world.ask(&device).await.unwrap();
        }
        world.approve(&device).await;
        let attempts = lose(&world, &device, cut, &mut row).await;
        settle(&world, &device, before, &attempts, &mut row);
        assert_eq!(
            world.rows_of(&device, before).len(),
            1,
            "{cut:?}: approved once, issued once"
        );
    }
    let entries = world.log.entries();
    let requests: std::collections::HashSet<_> = entries.iter().map(|entry| &entry.csr).collect();
    assert_eq!(requests.len(), entries.len(), "a request is in the queue twice");
    world.audit();
    row
}

/// Both directions, each made once for all tests.
fn both<F: Future<Output = Row>>(
    rows: &'static [OnceLock<Row>; 2],
    stride: usize,
    run: fn(Sweep) -> F,
) -> Row {
    let of = |direction: Direction| one(rows, direction, stride, run);
    of(Direction::ToServer).with(of(Direction::ToClient))
}

fn one<F: Future<Output = Row>>(
    rows: &'static [OnceLock<Row>; 2],
    direction: Direction,
    stride: usize,
    run: fn(Sweep) -> F,
) -> &'static Row {
    rows[direction.index()].get_or_init(|| simulate(run(Sweep { direction, stride })))
}

static ENROLMENTS: [OnceLock<Row>; 2] = [const { OnceLock::new() }; 2];
static RENEWALS: [OnceLock<Row>; 2] = [const { OnceLock::new() }; 2];
static APPROVALS: [OnceLock<Row>; 2] = [const { OnceLock::new() }; 2];
static SERVER_KEYS: [OnceLock<Row>; 2] = [const { OnceLock::new() }; 2];
static FULL_CMC: [OnceLock<Row>; 2] = [const { OnceLock::new() }; 2];

/// In turns: the connection is closed, reset or silent. Of the kinds of exchange that differ little from the first, every
/// third byte.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        both(&ENROLMENTS, 1, enrolments),
        both(&RENEWALS, 3, renewals),
        both(&APPROVALS, 3, approvals),
        both(&SERVER_KEYS, 3, server_keys),
        both(&FULL_CMC, 3, full_cmc),
    ]
}

#[test]
fn an_enrolment_survives_a_connection_lost_at_any_byte_to_the_server() {
    let row = one(&ENROLMENTS, Direction::ToServer, 1, enrolments);
    row.is_harmless();
    assert_eq!(row.unclaimed, 0, "no request was whole");
}

#[test]
fn an_enrolment_survives_a_connection_lost_at_any_byte_to_the_client() {
    one(&ENROLMENTS, Direction::ToClient, 1, enrolments).is_harmless();
}

#[test]
fn a_renewal_survives_a_lost_connection() {
    both(&RENEWALS, 3, renewals).is_harmless();
}

#[test]
fn a_key_made_by_the_server_survives_a_lost_connection() {
    both(&SERVER_KEYS, 3, server_keys).is_harmless();
}

#[test]
fn a_full_cmc_request_survives_a_lost_connection() {
    both(&FULL_CMC, 3, full_cmc).is_harmless();
}

#[test]
fn a_request_that_waits_survives_a_lost_connection_and_is_issued_once() {
    let row = both(&APPROVALS, 3, approvals);
    row.is_harmless();
    assert_eq!(row.unclaimed, 0, "the answer that was lost is given again");
}
