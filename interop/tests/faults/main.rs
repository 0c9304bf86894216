//! Faults done to our own servers, in the short form; `interop faults` does all of each.
#![allow(clippy::unwrap_used, reason = "helpers of a test: a panic is its verdict")]

use std::io::Write as _;
use std::path::Path;

use interop::faults::{ALL, Binaries, Fault, Options, Scale};
use interop::peers::REQUIRE;
use tokio::sync::Semaphore;

/// Labs at a time: each has two servers and many clients.
static PLACES: Semaphore = Semaphore::const_new(2);

/// The commands that `cargo test --workspace` builds beside this one.
fn binaries() -> Option<Binaries> {
    let folder = Path::new(env!("CARGO_BIN_EXE_interop")).parent().unwrap();
    let found = Binaries::within(folder);
    if found.is_none() {
        assert!(
            std::env::var_os(REQUIRE).is_none(),
            "est and nmsp must be built where peers are required"
        );
        say("skipped: not built: est and nmsp (cargo test --workspace builds them)");
    }
    found
}

/// Past the test harness, which keeps what a passing test prints to itself.
fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

async fn is_borne(name: &str) {
    let Some(binaries) = binaries() else { return };
    let _place = PLACES.acquire().await.unwrap();
    let options = Options {
        binaries,
        scale: Scale::Short,
    };
    let outcome = Fault::named(name).unwrap().run(&options).await.unwrap();
    for note in &outcome.notes {
        say(&format!("{name}: {note}"));
    }
    if let Some(reason) = &outcome.skipped {
        return say(&format!("skipped: {reason}"));
    }
    assert!(
        outcome.certificates > 0 && outcome.tunnels > 0,
        "nobody was served: {outcome:#?}"
    );
    assert!(outcome.holds(), "{outcome:#?}");
}

macro_rules! tests {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                is_borne($name).await;
            }
        )+

        #[test]
        fn every_fault_has_its_test() {
            let tested = [$($name),+];
            let all: Vec<&str> = ALL.iter().map(|fault| fault.name).collect();
            assert_eq!(all, tested);
        }
    };
}

tests![
    handshakes_a_byte_at_a_time_are_cut_and_keep_nobody_out: "slow-tls-handshake",
    headers_a_byte_at_a_time_are_cut_and_keep_nobody_out: "slow-http-header",
    bodies_a_byte_at_a_time_are_cut_and_keep_nobody_out: "slow-http-body",
    frames_a_byte_at_a_time_are_cut_and_keep_nobody_out: "slow-nmsp-frame",
    clients_are_served_among_idle_and_half_open_connections: "idle-connections",
    a_flood_of_one_address_is_turned_away_and_others_are_served: "connection-flood",
    garbage_to_every_port_is_refused: "garbage",
    what_is_too_long_or_endless_is_refused_and_not_kept: "oversized-bodies",
    renegotiation_is_refused: "renegotiation",
    early_data_is_refused: "early-data",
    clients_that_never_read_are_cut_and_keep_nobody_out: "silent-reader",
    servers_without_a_descriptor_left_recover_and_lose_nothing: "descriptors-exhausted",
    terminated_servers_finish_their_answers_and_lose_nothing: "terminated",
    killed_servers_lose_no_certificate_that_a_client_received: "killed",
    a_full_disk_refuses_requests_and_loses_nothing: "disk-full",
    certificates_and_lists_are_replaced_under_load_and_no_session_fails: "credentials-swapped",
];

#[test]
fn the_table_of_the_documentation_has_every_fault() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md");
    let page = std::fs::read_to_string(page).unwrap();
    for fault in ALL {
        let row = format!("| {}: {} |", fault.name, fault.what);
        assert!(
            page.contains(&row),
            "docs/faults.md has no row {row:?}: run interop faults --write docs/faults.md"
        );
    }
}
