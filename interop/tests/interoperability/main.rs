//! Peers that we did not write: every case that is tried with them, compared with what is expected, and the page about it.
//!
//! A peer is a module that hands over a [`case::Peer`]: its name, how it is found, and its cases. A case that is expected
//! not to pass has an entry in `interop/expected.toml`. Filters, `--list` and threads are those of the standard harness:
//! `cargo test -p interop --test interoperability -- libest`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test: a panic is the verdict of a case, and a run prints"
)]

mod arguments;
mod bouncycastle;
mod case;
mod certsrv;
mod curl;
mod libest;
mod matrix;
mod openssl;
mod proxy;
mod python;
mod run;
mod strongswan;
mod support;
mod tshark;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use interop::peers::demanded;
use libtest_mimic::Arguments;

use case::Peer;
use matrix::expected::Expected;
use matrix::page;
use run::Report;

/// With this variable set, a whole run without a failure writes the page in the repository.
const WRITE: &str = "INTEROP_WRITE";

/// Every peer, in the order of the page.
fn peers() -> Vec<Peer> {
    vec![
        libest::peer(),
        strongswan::peer(),
        bouncycastle::peer(),
        openssl::peer(),
        curl::peer(),
        proxy::peer(),
        python::peer(),
        certsrv::peer(),
        tshark::peer(),
    ]
}

fn main() -> ExitCode {
    let (options, filters) = arguments::split(std::env::args());
    // The program's own name is no filter.
    let (program, filters) = filters.split_first().expect("a process has a name");
    let options = Arguments::parse_from([program].into_iter().chain(&options));
    match run_all(&options, filters) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run_all(options: &Arguments, filters: &[String]) -> Result<ExitCode, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("expected.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let expected = Arc::new(Expected::parse("interop/expected.toml", &text)?);
    let report = run::run(peers(), &expected, options, filters, &demanded())?;
    let code = report.conclusion.exit_code();
    if !options.list {
        let narrowed = !filters.is_empty() || !options.skip.is_empty() || options.ignored;
        conclude(report, narrowed)?;
    }
    Ok(code)
}

/// Writes the matrix of this run, and holds the page in the repository against it. Where peers are missing, their rows are
/// held against what is expected of their cases: a whole run shows nothing else. A run that was narrowed is not asked.
fn conclude(report: Report, narrowed: bool) -> Result<(), String> {
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    let failed = report.conclusion.has_failed();
    let (peers, rows) = (report.peers, report.rows);
    let run: Vec<_> = rows.iter().filter(|row| row.was_run).cloned().collect();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("a folder in target");
    write(&target.join("interop.md"), &page::render(&peers, &run))?;
    let committed = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/interop.md"));
    if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
        return match report.incomplete {
            Some(why) => Err(format!("{WRITE} needs every case of every peer: {why}")),
            None if failed => Err(format!("{WRITE} needs a run without a failure")),
            None => write(&committed, &page::render(&peers, &rows)),
        };
    }
    if narrowed {
        return Ok(());
    }
    let shown = std::fs::read_to_string(&committed)
        .map_err(|error| format!("docs/interop.md: {error}: write it with {WRITE}=1"))?;
    page::compare(&shown, &peers, &rows).map_err(|differences| {
        format!("docs/interop.md is not that of this run ({WRITE}=1 writes it):\n{differences}")
    })
}
