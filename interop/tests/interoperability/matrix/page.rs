//! `docs/interop.md`: the matrix as people read it, and whether the one in the repository is that of this run.

use std::fmt::Write as _;

use super::{Outcome, Verdict};

/// A peer as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct PeerLine {
    pub(crate) name: String,
    pub(crate) version: String,
    /// What it is, and in which role it was tried.
    pub(crate) about: String,
}

/// A case as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) peer: String,
    pub(crate) version: String,
    pub(crate) case: String,
    /// What came of it in this run, or what is expected of it when it was not run.
    pub(crate) outcome: Outcome,
    pub(crate) was_run: bool,
    /// Of an expected divergence.
    pub(crate) reason: String,
}

const HEAD: &str = "\
# Interoperability

Every peer that the tests talk to, and how each case ended. `cargo test -p interop --test interoperability` runs the cases of the peers
that are installed and compares; with `INTEROP_WRITE=1` and every peer there it writes this page. Do not edit it.

- *passed*: as the RFC says, and the other side was satisfied.
- *refused*: one side cannot do or does not allow what the case asks for, and says so cleanly.
- *failed*: it ended in another way: without an answer, with a wrong one, or by a crash.

What did not pass is expected, for the reason beside it, which is in `interop/expected.toml`; a case that begins to pass fails the run
until its entry is taken out. Versions are those of the last run that wrote the page.

";

/// The whole page.
pub(crate) fn render(peers: &[PeerLine], rows: &[Row]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| peer | version | what it is | passed | refused | failed |\n|---|---|---|---|---|---|\n");
    for PeerLine { name, version, about } in peers {
        let count = |verdict: Verdict| {
            let of_peer = rows.iter().filter(|row| row.peer == *name);
            of_peer.filter(|row| row.outcome.verdict() == verdict).count()
        };
        let (passed, refused, failed) = (
            count(Verdict::Passed),
            count(Verdict::Refused),
            count(Verdict::Failed),
        );
        let cells = [cell(name), cell(version), cell(about)].join(" | ");
        line(
            &mut page,
            format_args!("| {cells} | {passed} | {refused} | {failed} |"),
        );
    }
    page.push_str("\n| peer | version | case | result | reason |\n|---|---|---|---|---|\n");
    for row in rows {
        let cells = [
            &cell(&row.peer),
            &cell(&row.version),
            &cell(&row.case),
            row.outcome.verdict().name(),
            &cell(&row.reason),
        ];
        line(&mut page, format_args!("| {} |", cells.join(" | ")));
    }
    page
}

/// Where the page in the repository says something else than the rows of this run. Versions may differ: a newer peer that
/// behaves the same is no change.
///
/// # Errors
/// A line for each difference.
pub(crate) fn compare(page: &str, peers: &[PeerLine], rows: &[Row]) -> Result<(), String> {
    let (shown, run) = (results(page), results(&render(peers, rows)));
    let mut lines = Vec::new();
    for [peer, case, result, reason] in &run {
        match shown.iter().find(|row| row[0] == *peer && row[1] == *case) {
            None => lines.push(format!("{peer}: {case}: not on the page")),
            Some(row) if row[2] != *result => {
                lines.push(format!("{peer}: {case}: {result}, but the page says {}", row[2]));
            }
            Some(row) if row[3] != *reason => {
                lines.push(format!("{peer}: {case}: the page has another reason"));
            }
            Some(_) => {}
        }
    }
    for [peer, case, ..] in &shown {
        if !run.iter().any(|row| row[0] == *peer && row[1] == *case) {
            lines.push(format!("{peer}: {case}: on the page, but there is no such case"));
        }
    }
    if lines.is_empty() && shown != run {
        lines.push("the order differs".to_owned());
    }
    if lines.is_empty() {
        Ok(())
    } else {
        Err(lines.join("\n"))
    }
}

/// Peer, case, result and reason of each row of the second table.
fn results(page: &str) -> Vec<[String; 4]> {
    page.lines()
        .filter_map(|line| {
            let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
            let cells: Vec<_> = cells.split(" | ").collect();
            let [peer, _version, case, result, reason] = cells[..] else {
                return None;
            };
            let row = [peer, case, result, reason].map(|cell| cell.trim().to_owned());
            (row[0] != "peer").then_some(row)
        })
        .collect()
}

/// Text inside a table.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn line(page: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(page, "{line}").expect("a string grows");
}
