//! The lines of a file of pins.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::SystemTime;

use super::{ByName, MAX_PEER_NAME_BYTES, MAX_PIN_FILE_BYTES, Pin, PinStoreError, PinnedAt};
use crate::fingerprint::Fingerprint;
use crate::{HashAlgorithm, KeyHash};

/// First lines of a new file.
const HEADER: &str = "# Certificates that are trusted because they were seen before. One line for each peer: name,\n\
                      # SHA-256 fingerprint of the certificate, SHA-256 of its public key. To let a peer have another\n\
                      # certificate, compare the new fingerprint on the peer itself and take its line out.\n";

/// A file and what it says.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pub(super) text: String,
    pub(super) by_name: ByName,
}

/// Differs when a file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    file: u64,
}

impl Stamp {
    /// `None` if there is no such file.
    pub(super) fn of(path: &Path) -> Result<Option<Self>, PinStoreError> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self {
                length: metadata.len(),
                modified: metadata.modified().ok(),
                file: file_number(&metadata),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(path, &error)),
        }
    }
}

/// Every write makes a new file, so that its number tells two writes within one tick of the clock apart.
#[cfg(unix)]
fn file_number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn file_number(_metadata: &fs::Metadata) -> u64 {
    0
}

fn unreadable(path: &Path, error: &io::Error) -> PinStoreError {
    PinStoreError::Read {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

pub(super) fn read(path: &Path) -> Result<Pins, PinStoreError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_PIN_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| unreadable(path, &error))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > MAX_PIN_FILE_BYTES) {
        return Err(PinStoreError::FileTooLarge {
            path: path.display().to_string(),
            limit: MAX_PIN_FILE_BYTES,
        });
    }
    let by_name = parse(&text).map_err(|(line, reason)| PinStoreError::Line {
        path: path.display().to_string(),
        line,
        reason,
    })?;
    Ok(Pins { text, by_name })
}

fn parse(text: &str) -> Result<ByName, (usize, String)> {
    let mut by_name = ByName::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let mut columns = line.split_whitespace();
        let Some(name) = columns.next().filter(|name| !name.starts_with('#')) else {
            continue;
        };
        let pin = pin_in(columns).map_err(|reason| (number, reason))?;
        let name = normalised(name).map_err(|error| (number, error.to_string()))?;
        let pinned = PinnedAt { pin, line: number };
        if let Some(earlier) = by_name.insert(name, pinned) {
            // Which of the two is right is for a person to say.
            return Err((number, format!("line {} pins the same peer", earlier.line)));
        }
    }
    Ok(by_name)
}

fn pin_in(mut columns: core::str::SplitWhitespace<'_>) -> Result<Pin, String> {
    let (certificate, key) = (columns.next(), columns.next());
    let (Some(certificate), Some(key), None) = (certificate, key, columns.next()) else {
        return Err("expected three columns: name, fingerprint of the certificate, key hash".to_owned());
    };
    let certificate: Fingerprint = certificate
        .parse()
        .map_err(|error: crate::FingerprintParseError| format!("fingerprint of the certificate: {error}"))?;
    let key: KeyHash = key
        .parse()
        .map_err(|error: crate::KeyHashParseError| format!("key hash: {error}"))?;
    if certificate.algorithm() != HashAlgorithm::Sha256 || key.algorithm() != HashAlgorithm::Sha256 {
        return Err("both hashes must be of SHA-256, 64 hexadecimal digits".to_owned());
    }
    Ok(Pin { certificate, key })
}

/// A name as it stands in the file: lower case, printable, in one piece.
pub(super) fn normalised(name: &str) -> Result<String, PinStoreError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_PEER_NAME_BYTES {
        "it is too long"
    } else if name.starts_with('#') {
        "it begins like a comment"
    } else if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        "it has characters other than ASCII letters, digits and punctuation"
    } else {
        return Ok(name.to_ascii_lowercase());
    };
    Err(PinStoreError::Name {
        name: name.to_owned(),
        reason,
    })
}

/// The text with one more line; what people wrote into it stays.
pub(super) fn with_line(text: &str, name: &str, pin: &Pin) -> String {
    let mut longer = if text.is_empty() {
        HEADER.to_owned()
    } else {
        text.to_owned()
    };
    if !longer.ends_with('\n') {
        longer.push('\n');
    }
    longer.push_str(&format!("{name} {} {}\n", pin.certificate, pin.key));
    longer
}

/// The text without the line of this number, counted from 1.
pub(super) fn without_line(text: &str, line: usize) -> String {
    text.split_inclusive('\n')
        .enumerate()
        .filter(|(index, _)| index + 1 != line)
        .map(|(_, content)| content)
        .collect()
}
