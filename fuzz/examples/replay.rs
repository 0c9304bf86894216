//! `replay TARGET [FILE...]`: runs the oracle of a target over files, or over its whole corpus, without libFuzzer.
//!
//! For looking at a finding, and for `.ci/fuzz-coverage`, which builds it with instrumentation.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let target = arguments.next().unwrap_or_default();
    let Some((name, oracle)) = fuzz::TARGETS.iter().find(|(name, _)| target == *name) else {
        eprintln!("usage: replay TARGET [FILE...]; the targets are in fuzz/README.md");
        return ExitCode::from(2);
    };
    let mut files: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    if files.is_empty() {
        match corpus(name) {
            Ok(found) => files = found,
            Err(error) => {
                eprintln!("the corpus of {name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    for file in files {
        match fs::read(&file) {
            Ok(data) => {
                // Before the call, so that a panic is preceded by the file that caused it.
                eprintln!("{name}: {}", file.display());
                oracle(&data);
            }
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn corpus(target: &str) -> io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    files.sort();
    if files.is_empty() {
        return Err(io::Error::other("no file"));
    }
    Ok(files)
}
