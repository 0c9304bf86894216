//! The report for CI: JUnit XML, a suite for each layer, a test case for each kind of mutation; one that something was
//! found by has failed.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::case::Layer;
use super::super::resume::{Finding, State};
use super::{escaped, replay_command, script};

/// Appends a line.
macro_rules! put {
    ($out:expr, $($argument:tt)*) => { $out.push_str(&format!($($argument)*)); $out.push('\n') };
}

/// The report of a run whose files are in `folder`.
#[must_use]
pub fn render(state: &State, folder: &Path) -> String {
    let tests: usize = state.mutations.values().map(BTreeMap::len).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let time = format!(
        "{}.{:03}",
        state.elapsed_milliseconds / 1000,
        state.elapsed_milliseconds % 1000
    );
    put!(
        out,
        "<testsuites name=\"interop fuzz {} {}\" tests=\"{tests}\" failures=\"{}\" errors=\"0\" time=\"{time}\">",
        escaped(&state.identity.grammar),
        escaped(&state.identity.target),
        failed(state, None)
    );
    for (layer, mutations) in &state.mutations {
        put!(
            out,
            "<testsuite name=\"{layer}\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
            mutations.len(),
            failed(state, Some(*layer))
        );
        put!(
            out,
            "<properties><property name=\"seed\" value=\"{}\"/></properties>",
            state.identity.seed
        );
        for (mutation, verdicts) in mutations {
            let cases: u64 = verdicts.values().sum();
            put!(
                out,
                "<testcase classname=\"{}.{layer}\" name=\"{}\" assertions=\"{cases}\">",
                escaped(&state.identity.grammar),
                escaped(mutation)
            );
            for finding in of(state, *layer, mutation) {
                failure(finding, folder, &mut out);
            }
            let counts: Vec<String> = verdicts
                .iter()
                .map(|(verdict, count)| format!("{verdict}: {count}"))
                .collect();
            put!(out, "<system-out>{}</system-out>", escaped(&counts.join(", ")));
            out.push_str("</testcase>\n");
        }
        out.push_str("</testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn of<'a>(state: &'a State, layer: Layer, mutation: &'a str) -> impl Iterator<Item = &'a Finding> {
    state
        .findings
        .iter()
        .filter(move |finding| finding.case.layer == layer && finding.case.mutation() == mutation)
}

/// How many test cases have failed.
fn failed(state: &State, only: Option<Layer>) -> usize {
    let layers = state
        .mutations
        .iter()
        .filter(|(layer, _)| only.is_none_or(|only| only == **layer));
    layers
        .flat_map(|(layer, mutations)| mutations.keys().map(move |mutation| (*layer, mutation)))
        .filter(|(layer, mutation)| of(state, *layer, mutation).next().is_some())
        .count()
}

fn failure(finding: &Finding, folder: &Path, out: &mut String) {
    let text = format!(
        "{}\n\nRepeat it: {}\n\n{}\n{}",
        finding.harm,
        replay_command(finding, folder),
        finding.minimisation,
        script(finding.shortest())
    );
    put!(
        out,
        "<failure type=\"{}\" message=\"{}\">{}</failure>",
        finding.harm.kind(),
        escaped(&finding.harm.to_string()),
        escaped(&text)
    );
}
