//! `interop explain` on the traces of the source documents, and on what becomes of traces on their way to a reader.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

mod arbitrary;
mod command;
mod correlation;
mod scenarios;
mod variations;

use std::fs;
use std::path::PathBuf;

use interop::explain::{Explainer, Report, Settings};
use pki_common::KnownCause;

/// The folder of the traces.
fn traces() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/traces")
}

fn trace(name: &str) -> String {
    fs::read_to_string(traces().join(name)).unwrap()
}

/// Every trace, by its name.
fn all_traces() -> Vec<(String, String)> {
    let mut traces: Vec<_> = fs::read_dir(traces())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".log"))
        .map(|name| (name.clone(), trace(&name)))
        .collect();
    traces.sort();
    assert!(traces.len() > 10);
    traces
}

fn explain_with(settings: Settings, files: &[(&str, &[u8])]) -> Report {
    let mut explainer = Explainer::new(settings);
    for (name, bytes) in files {
        explainer.read(name, *bytes).unwrap();
    }
    explainer.finish()
}

fn explain(text: &str) -> Report {
    explain_with(Settings::default(), &[("log", text.as_bytes())])
}

/// How each session ended: the headline, and the stable name of the cause.
fn endings(report: &Report) -> Vec<(String, Option<&'static str>)> {
    let endings = report.sessions.iter().map(|session| {
        let cause = session.verdict().and_then(|verdict| verdict.failure.known_cause);
        (session.headline().to_owned(), cause.map(KnownCause::name))
    });
    endings.collect()
}
