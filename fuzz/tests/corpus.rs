//! Replays the committed corpora through the oracles that the fuzz targets run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_corpus_file_passes_its_oracle() {
    for (target, oracle) in fuzz::TARGETS {
        let files = files_in(&root().join("corpus").join(target));
        assert!(!files.is_empty(), "the corpus of {target} is empty");
        for file in files {
            let data = fs::read(&file).unwrap();
            // The name goes first, so that a panic below is preceded by the file that caused it.
            println!("{target}: {}", file.file_name().unwrap().display());
            oracle(&data);
        }
    }
}

#[test]
fn every_target_has_a_source_file_and_a_corpus_and_nothing_else_has() {
    let listed: BTreeSet<String> = fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        fs::read_dir(root().join(folder))
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(stems("fuzz_targets"), listed);
    assert_eq!(stems("corpus"), listed);
}

/// The page is written by night; a target that came since, or fell below, must not be missed until somebody reads it.
#[test]
fn the_page_of_coverage_has_every_target_and_none_below_ninety_percent() {
    let page = fs::read_to_string(root().join("../docs/fuzz-coverage.md")).unwrap();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for (target, _) in fuzz::TARGETS {
        let row = rows
            .iter()
            .find(|row| row.starts_with(&format!("| `{target}` |")));
        let row = row.unwrap_or_else(|| panic!("{target} has no row: .ci/fuzz-coverage writes it"));
        let share = row.trim_end_matches(" % |").rsplit(' ').next().unwrap();
        assert!(share.parse::<f64>().unwrap() >= 90.0, "{row}");
    }
    assert_eq!(rows.len(), fuzz::TARGETS.len());
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    files
}
