//! The sources themselves are asked: an error that is added without a diagnosis fails here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Parts of other errors, which place them: who meets them has the whole.
const PARTS: [&str; 9] = [
    "Base64Problem",
    "DecodeErrorKind",
    "DerProblem",
    "LineProblem",
    "Missing",
    "ParameterError",
    "Problem",
    "SubjectProblem",
    "TlsProblem",
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The name behind `before` in a line, up to the first character that no name has.
fn name_after<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(before)?;
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    Some(&rest[..end])
}

/// Public types that derive or implement an error, and types that implement `Diagnose`.
fn errors_and_diagnoses(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut errors, mut diagnoses) = (BTreeSet::new(), BTreeSet::new());
    let mut derived = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            derived = line.contains("thiserror::Error") || line.contains(" Error") || line.contains("(Error");
        }
        for kind in ["pub enum ", "pub struct "] {
            if let Some(name) = line.strip_prefix(kind).and_then(|_| name_after(line, kind)) {
                if derived {
                    errors.insert(name.to_owned());
                }
                derived = false;
            }
        }
        if line.starts_with("impl ") {
            if let Some(name) = name_after(line, "Diagnose for ") {
                diagnoses.insert(name.to_owned());
            }
            if let Some(name) = name_after(line, "error::Error for ") {
                errors.insert(name.to_owned());
            }
        }
    }
    (errors, diagnoses)
}

#[test]
fn every_public_error_of_the_libraries_says_rung_cause_and_remedy() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut missing = Vec::new();
    let mut parts: BTreeSet<&str> = PARTS.into();
    let mut count = 0;
    for library in ["pki-common", "nmsp", "est", "interop"] {
        let mut files = Vec::new();
        rust_files(&workspace.join(library).join("src"), &mut files);
        let (mut errors, mut diagnoses) = (BTreeSet::new(), BTreeSet::new());
        for file in files {
            let (more_errors, more_diagnoses) = errors_and_diagnoses(&fs::read_to_string(file).unwrap());
            errors.extend(more_errors);
            diagnoses.extend(more_diagnoses);
        }
        count += errors.len();
        for error in errors.difference(&diagnoses) {
            if !parts.remove(error.as_str()) {
                missing.push(format!("{library}: {error}"));
            }
        }
    }
    assert!(count > 70, "only {count} errors were found: the search is wrong");
    assert_eq!(missing, [""; 0], "public errors without `impl Diagnose`");
    assert_eq!(
        parts,
        [].into(),
        "listed as parts, but gone or diagnosed themselves"
    );
}
