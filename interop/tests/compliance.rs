//! `docs/compliance.md` and `docs/threat-model.md`: the tests that they name exist.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

use std::fs;
use std::path::Path;

/// A row's evidence: file and name of a test.
type Test = (String, String);

/// The last cell of each row below a heading `## RFC …`, and the tests that it names as `` `FILE` `NAME` ``.
fn rows(page: &str) -> Vec<(String, Vec<Test>)> {
    page.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| section "))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
            assert_eq!(cells.len(), 4, "a row has four cells: {line}");
            let cell = cells.last().unwrap().trim();
            (cell.to_owned(), tests(cell))
        })
        .collect()
}

fn tests(cell: &str) -> Vec<Test> {
    cell.split("<br>")
        .filter_map(|entry| {
            let mut quoted = entry.trim().strip_prefix('`')?.strip_suffix('`')?.split("` `");
            Some((quoted.next()?.to_owned(), quoted.next()?.to_owned()))
        })
        .collect()
}

/// Whether the file of the workspace has a function of that name behind a `#[test]` that is not left out of ordinary runs.
fn exists((file, name): &Test) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let Ok(source) = fs::read_to_string(root.join(file)) else {
        return false;
    };
    let Some(place) = source.find(&format!("fn {name}(")) else {
        return false;
    };
    let before = source.get(..place).unwrap();
    // Attributes stand directly above, with nothing that ends an item between.
    let attributes = before.rsplit("\n\n").next().unwrap();
    let is_test = attributes.contains("test]") || attributes.contains("::test(");
    is_test && !attributes.contains("#[ignore")
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)).unwrap()
}

#[test]
fn what_stops_a_threat_is_a_test_that_exists() {
    let page = page("threat-model.md");
    let words: Vec<&str> = page.split('`').collect();
    let named: Vec<Test> = words
        .windows(3)
        .filter(|words| words[0].ends_with(".rs") && words[1] == " ")
        .map(|words| (words[0].to_owned(), words[2].to_owned()))
        .collect();
    assert!(named.len() > 30, "only {} tests were found", named.len());
    for test in &named {
        assert!(exists(test), "{} has no test {}", test.0, test.1);
    }
}

#[test]
fn every_demand_has_a_test_that_exists_or_a_reason() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compliance.md")).unwrap();
    let rows = rows(&page);
    assert!(rows.len() > 60, "only {} rows were found", rows.len());
    for (cell, tests) in &rows {
        for test in tests {
            assert!(exists(test), "{} has no test {}", test.0, test.1);
        }
        let is_a_reason = !cell.contains('`') || cell.contains(' ') && cell.ends_with('.');
        assert!(
            !tests.is_empty() || is_a_reason,
            "neither test nor reason: {cell}"
        );
        let entries = cell.split("<br>").count();
        assert!(
            tests.is_empty() || tests.len() == entries,
            "a test is spelt wrongly: {cell}"
        );
    }
}

#[test]
fn a_test_that_is_gone_is_noticed() {
    let here = "interop/tests/compliance.rs".to_owned();
    assert!(exists(&(
        here.clone(),
        "a_test_that_is_gone_is_noticed".to_owned()
    )));
    assert!(!exists(&(here.clone(), "a_test_that_never_was".to_owned())));
    // A helper is no test.
    assert!(!exists(&(here, "rows".to_owned())));
    assert!(!exists(&("interop/tests/gone.rs".to_owned(), "rows".to_owned())));
}
