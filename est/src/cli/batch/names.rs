//! The list of names beside a folder of requests: which devices, in which order, and under which names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::CliError;
use super::super::files::read_limited;
use super::ENDINGS;

/// The longest list that is read, in bytes: some hundred thousand devices.
const MAX_LIST: u64 = 8 * 1024 * 1024;
/// The longest name, in bytes; with an ending it must still be a name of a file.
const MAX_NAME: usize = 200;

/// A device of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// What its files are called.
    pub(super) name: String,
    /// Its request.
    pub(super) request: PathBuf,
}

/// Reads the list. A line is `NAME`, whose request is `NAME.csr` (or `.p10`, `.req`) in the folder, or `NAME FILE`.
pub(super) fn read(list: &Path, folder: &Path) -> Result<Vec<Device>, CliError> {
    let bytes = read_limited(list, MAX_LIST)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        CliError::local(
            format!("{} is not UTF-8", list.display()),
            "Save it as plain text, one name a line.",
        )
    })?;
    let mut devices = Vec::new();
    let mut known = HashSet::new();
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |problem: String| {
            CliError::local(
                format!("{}:{number}: {problem}", list.display()),
                "Write one device a line: its name, and the file of its request when that is called otherwise.",
            )
        };
        let (name, file) = line
            .split_once(char::is_whitespace)
            .map_or((line, None), |(name, file)| (name, Some(file.trim_start())));
        check(name).map_err(|problem| wrong(format!("{name:?} {problem}")))?;
        if !known.insert(name.to_ascii_lowercase()) {
            return Err(wrong(format!("{name:?} stands twice")));
        }
        devices.push(Device {
            name: name.to_owned(),
            request: file.map_or_else(|| request_of(name, folder), |file| folder.join(file)),
        });
    }
    if devices.is_empty() {
        return Err(CliError::local(
            format!("{} names no device", list.display()),
            "Write one name a line, or leave the option out to enrol the whole folder.",
        ));
    }
    Ok(devices)
}

/// A name becomes the name of files.
fn check(name: &str) -> Result<(), &'static str> {
    if name.len() > MAX_NAME {
        return Err("is too long for the name of a file");
    }
    if name.starts_with('.') || name.contains(['/', '\\', ':']) || name.chars().any(char::is_control) {
        return Err("cannot be the name of a file");
    }
    Ok(())
}

/// The one that exists, else the one that is told to be missing.
fn request_of(name: &str, folder: &Path) -> PathBuf {
    let with = |ending: &str| folder.join(format!("{name}.{ending}"));
    ENDINGS
        .iter()
        .map(|ending| with(ending))
        .find(|path| path.exists())
        .unwrap_or_else(|| with("csr"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<Vec<Device>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names");
        std::fs::write(&path, text).unwrap();
        std::fs::write(folder.path().join("SEP0050569C3401.p10"), "").unwrap();
        let devices = read(&path, folder.path()).map_err(|error| error.failure().cause.clone())?;
        Ok(devices
            .into_iter()
            .map(|device| Device {
                request: device.request.strip_prefix(folder.path()).unwrap().to_owned(),
                ..device
            })
            .collect())
    }

    #[test]
    fn keeps_the_order_and_takes_names_that_differ_from_the_files() {
        let found =
            list("\u{feff}# lobby\r\nSEP0050569C3402\r\n\nSEP0050569C3401\nSEP0050569C3400 phone 7.req\n")
                .unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|device| (device.name.as_str(), device.request.to_str().unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                ("SEP0050569C3402", "SEP0050569C3402.csr"),
                ("SEP0050569C3401", "SEP0050569C3401.p10"),
                ("SEP0050569C3400", "phone 7.req"),
            ]
        );
    }

    #[test]
    fn tells_the_line_of_a_name_that_cannot_be_used() {
        for (text, expected) in [
            ("a\n../b\n", ":2: \"../b\" cannot be"),
            ("a\n\nA\n", ":3: \"A\" stands twice"),
            (".hidden\n", ":1: "),
            ("# nobody\n", "names no device"),
        ] {
            let error = list(text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
