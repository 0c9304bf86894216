//! What each fault did, as a page of the documentation.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::{clock_steps, cuts, full, locked, random, slow};

/// One fault and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    fault: &'static str,
    pub(crate) injected: u64,
    /// Certificates on record whose answer was lost: another one was issued for the same key.
    pub(crate) unclaimed: u64,
    lost: Vec<String>,
    wrong: Vec<String>,
    recovery: Duration,
}

impl Row {
    pub(crate) fn new(fault: &'static str) -> Self {
        Self {
            fault,
            injected: 0,
            unclaimed: 0,
            lost: Vec::new(),
            wrong: Vec::new(),
            recovery: Duration::ZERO,
        }
    }

    /// A certificate that a client holds and the log does not have, or one that never came.
    pub(crate) fn lost(&mut self, what: String) {
        self.lost.push(what);
    }

    /// An answer that does not fit the request, or a failure that names the wrong cause.
    pub(crate) fn wrong_answer(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// How long it took from the first attempt to the certificate; the longest time counts.
    pub(crate) fn recovered(&mut self, took: Duration) {
        self.recovery = self.recovery.max(took);
    }

    /// Both together, for two parts of one fault.
    pub(crate) fn with(&self, other: &Self) -> Self {
        Self {
            fault: self.fault,
            injected: self.injected + other.injected,
            unclaimed: self.unclaimed + other.unclaimed,
            lost: [&self.lost[..], &other.lost[..]].concat(),
            wrong: [&self.wrong[..], &other.wrong[..]].concat(),
            recovery: self.recovery.max(other.recovery),
        }
    }

    /// # Panics
    /// When a certificate was lost or an answer was wrong, or when there was no fault at all.
    pub(crate) fn is_harmless(&self) {
        println!("{}", self.line());
        assert!(self.injected > 0, "{}: nothing was injected", self.fault);
        let few = |all: &[String]| all.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
        assert!(
            self.lost.is_empty(),
            "{}: {} lost:\n{}",
            self.fault,
            self.lost.len(),
            few(&self.lost)
        );
        assert!(
            self.wrong.is_empty(),
            "{}: {} wrong:\n{}",
            self.fault,
            self.wrong.len(),
            few(&self.wrong)
        );
    }

    fn line(&self) -> String {
        let (lost, wrong) = (self.lost.len(), self.wrong.len());
        let recovery = pki_common::clock::human_duration(self.recovery);
        format!(
            "| {} | {} | {lost} | {wrong} | {} | {recovery} |",
            self.fault, self.injected, self.unclaimed
        )
    }
}

const HEAD: &str = "# Simulated faults

The EST server, its clients and its authority in one process, under a virtual clock. Client, TLS, HTTP, server, authority
and the SQLite file are the real ones; the network is in memory, and faults come where a script puts them. This page is
written by the tests of `est/tests/simulation`, and compared with what they find at every `cargo test`:

```console
$ EST_SIMULATION_WRITE=1 cargo test -p est --features cli --test simulation
```

- **times injected**: how often the fault met a connection or a write. The length of a handshake belongs to the TLS library;
  up to a tenth of difference is borne.
- **certificates lost**: a client holds one that is not on record, or a request that was taken never got its certificate.
- **wrong answers**: a certificate for somebody else or of the wrong time, a request that waits twice, a failure that names
  the wrong rung.
- **unclaimed**: certificates on record whose answer was lost on the way. The client asked again with the same key and has
  another one. A request that the operator has approved is issued once, and given again.
- **time to recover**: from the first attempt to the certificate, by the virtual clock, the longest of all.

A connection is lost in one of three manners, in turns from byte to byte: closed, reset, or silent. The client makes the
three attempts of its default policy, and gives up on a step after 10 s. Of the second to the fifth row, every third byte is
tried; `EST_SIMULATION_THOROUGH=1` tries each manner at every byte of all five. `EST_SIMULATION_ROUNDS` runs so many random
sequences, and `EST_SIMULATION_SEED` one of them again.

| fault | times injected | certificates lost | wrong answers | unclaimed | time to recover |
|---|---|---|---|---|---|
";

fn rows() -> Vec<Row> {
    let mut rows = cuts::rows();
    rows.extend([full::row(), full::file(), locked::row(), slow::row()]);
    rows.extend(clock_steps::rows());
    rows.push(random::row());
    rows
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for row in rows() {
        row.is_harmless();
        writeln!(page, "{}", row.line()).unwrap();
    }
    page
}

/// Rows of a page, each without its counts, and the counts.
fn columns(page: &str) -> Vec<(Vec<&str>, Vec<u64>)> {
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| fault"));
    let columns = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let parted = columns.map(|row| {
        let counts = [row[2], row[5]].map(|count| count.parse().unwrap());
        (vec![row[1], row[3], row[4], row[6]], counts.to_vec())
    });
    parted.collect()
}

#[test]
fn the_page_of_simulated_faults_is_what_the_simulation_finds() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/simulated-faults.md");
    let found = page();
    if std::env::var_os("EST_SIMULATION_WRITE").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    // Other numbers of cuts, or lengths of handshakes, by the wish of whoever runs it or of another TLS library.
    let is_usual = [
        "EST_SIMULATION_THOROUGH",
        "EST_SIMULATION_ROUNDS",
        "EST_SIMULATION_SEED",
    ]
    .iter()
    .all(|variable| std::env::var_os(variable).is_none());
    if !is_usual || !cfg!(feature = "aws-lc-rs") {
        return;
    }
    let written = std::fs::read_to_string(path).unwrap();
    let (known, now) = (columns(&written), columns(&found));
    let close = |(known, now): (&u64, &u64)| known.abs_diff(*now) * 10 <= (*known).max(*now);
    let same = known.len() == now.len()
        && known
            .iter()
            .zip(&now)
            .all(|((known, counts), (now, found))| known == now && counts.iter().zip(found).all(close));
    assert!(
        same && written.starts_with(HEAD),
        "docs/simulated-faults.md differs; EST_SIMULATION_WRITE=1 writes it anew:\n{found}"
    );
}
