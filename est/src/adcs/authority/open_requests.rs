//! Which requests are on the CA under which number, kept in a file.
//!
//! The file has a line for each change, and the last line of a request counts:
//! `<SHA-256 of the request> <sending|open|issued|gone> <number> <seconds since 1970>`. It is written anew when most of its
//! lines no longer count. A line that was cut off by a loss of power is the last one, and is left out.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pki_common::identity::write_private;

use super::AuthoritySettings;
use crate::adcs::CertsrvError;
use crate::adcs::form::RequestId;

/// The SHA-256 of a certification request in DER.
pub(super) type Key = [u8; 32];

/// The file is written anew when it has this many lines more than twice the requests.
const SPARE_LINES: usize = 1000;

/// The longest file that is read, in bytes: ten thousand requests with all their changes have about 4 MB.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is being submitted, or its answer was lost. The number is the newest one known before.
    Sending,
    /// The CA has it.
    Open,
    /// There is a certificate.
    Issued,
}

/// A request on the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) state: State,
    pub(super) request: RequestId,
    /// Since when, in seconds since 1970.
    pub(super) since: u64,
}

/// All of them. Methods that write block on the disk.
#[derive(Debug)]
pub(super) struct OpenRequests {
    settings: AuthoritySettings,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    entries: HashMap<Key, Entry>,
    newest: RequestId,
    journal: Option<Journal>,
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl OpenRequests {
    /// Those of the file of the settings, or none.
    pub(super) fn load(settings: &AuthoritySettings, now: u64) -> Result<Self, CertsrvError> {
        let mut entries = HashMap::new();
        let mut newest = RequestId(0);
        if let Some(path) = &settings.open_requests {
            read(path, &mut entries, &mut newest)?;
        }
        entries.retain(|_, entry| is_current(settings, entry, now));
        let journal = match &settings.open_requests {
            Some(path) => Some(Journal::anew(path, &entries, newest)?),
            None => None,
        };
        Ok(Self {
            settings: settings.clone(),
            inner: Mutex::new(Inner {
                entries,
                newest,
                journal,
            }),
        })
    }

    pub(super) fn entry(&self, key: &Key, now: u64) -> Option<Entry> {
        let entry = self.inner().entries.get(key).copied()?;
        is_current(&self.settings, &entry, now).then_some(entry)
    }

    /// The newest number that this authority has seen; 0 when none.
    pub(super) fn newest(&self) -> RequestId {
        self.inner().newest
    }

    /// Keeps the state of a request. When the file cannot be written, it is kept in memory all the same.
    pub(super) fn put(&self, key: Key, entry: Entry) -> Result<(), CertsrvError> {
        let mut inner = self.inner();
        inner.newest = inner.newest.max(entry.request);
        inner.entries.insert(key, entry);
        let mut changes = line(&key, Some(entry));
        if inner.entries.len() > self.settings.max_open.max(1) {
            let oldest = inner
                .entries
                .iter()
                .filter(|(other, _)| **other != key)
                .min_by_key(|(_, entry)| entry.since)
                .map(|(oldest, _)| *oldest);
            if let Some(oldest) = oldest {
                inner.entries.remove(&oldest);
                changes.push_str(&line(&oldest, None));
                tracing::warn!(
                    limit = self.settings.max_open,
                    "the oldest open request makes room for a new one"
                );
            }
        }
        inner.write(&changes, &self.settings, entry.since)
    }

    /// Forgets a request.
    pub(super) fn remove(&self, key: &Key, now: u64) -> Result<(), CertsrvError> {
        let mut inner = self.inner();
        if inner.entries.remove(key).is_none() {
            return Ok(());
        }
        inner.write(&line(key, None), &self.settings, now)
    }

    /// A panic in between leaves at worst a change that is in memory and not in the file.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, changes: &str, settings: &AuthoritySettings, now: u64) -> Result<(), CertsrvError> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        if journal.lines > self.entries.len() * 2 + SPARE_LINES {
            self.entries.retain(|_, entry| is_current(settings, entry, now));
            *journal = Journal::anew(&journal.path, &self.entries, self.newest)?;
            return Ok(());
        }
        journal.lines += changes.lines().count();
        let written = journal.file.write_all(changes.as_bytes());
        written
            .and_then(|()| journal.file.sync_data())
            .map_err(|error| problem(&journal.path, &error))
    }
}

impl Journal {
    /// The file with a line for each request, and open for more.
    fn anew(path: &Path, entries: &HashMap<Key, Entry>, newest: RequestId) -> Result<Self, CertsrvError> {
        // The newest number survives the request that had it.
        let mut text = format!("newest {newest}\n");
        for (key, entry) in entries {
            text.push_str(&line(key, Some(*entry)));
        }
        write_private(path, text.as_bytes()).map_err(|error| problem(path, &error))?;
        let file = OpenOptions::new()
            .append(true)
            .open(path)
            .map_err(|error| problem(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            lines: entries.len() + 1,
        })
    }
}

fn is_current(settings: &AuthoritySettings, entry: &Entry, now: u64) -> bool {
    let keep = match entry.state {
        State::Sending | State::Open => settings.keep_open,
        State::Issued => settings.keep_issued,
    };
    now < entry.since.saturating_add(keep.as_secs())
}

fn line(key: &Key, entry: Option<Entry>) -> String {
    let mut line = String::with_capacity(96);
    for octet in key {
        // Writing to a String cannot fail.
        let _written = write!(line, "{octet:02x}");
    }
    let (word, request, since) = match entry {
        None => ("gone", RequestId(0), 0),
        Some(entry) => {
            let word = match entry.state {
                State::Sending => "sending",
                State::Open => "open",
                State::Issued => "issued",
            };
            (word, entry.request, entry.since)
        }
    };
    let _written = writeln!(line, " {word} {request} {since}");
    line
}

fn read(path: &Path, entries: &mut HashMap<Key, Entry>, newest: &mut RequestId) -> Result<(), CertsrvError> {
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(problem(path, &error)),
    };
    if length > MAX_FILE {
        return Err(problem(path, &format!("it is longer than {MAX_FILE} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| problem(path, &error))?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    for (index, text) in text.get(..whole).unwrap_or_default().lines().enumerate() {
        let wrong = || problem(path, &format!("line {} is not one of this file", index + 1));
        if let Some(number) = text.strip_prefix("newest ") {
            *newest = RequestId(number.parse().map_err(|_| wrong())?).max(*newest);
            continue;
        }
        let (key, entry) = parse(text).ok_or_else(wrong)?;
        match entry {
            Some(entry) => {
                *newest = entry.request.max(*newest);
                entries.insert(key, entry);
            }
            None => {
                entries.remove(&key);
            }
        }
    }
    Ok(())
}

fn parse(line: &str) -> Option<(Key, Option<Entry>)> {
    let mut words = line.split(' ');
    let key = parse_key(words.next()?)?;
    let state = match words.next()? {
        "sending" => Some(State::Sending),
        "open" => Some(State::Open),
        "issued" => Some(State::Issued),
        "gone" => None,
        _ => return None,
    };
    let request = RequestId(u32::from_str(words.next()?).ok()?);
    let since = u64::from_str(words.next()?).ok()?;
    if words.next().is_some() {
        return None;
    }
    let entry = state.map(|state| Entry {
        state,
        request,
        since,
    });
    Some((key, entry))
}

fn parse_key(text: &str) -> Option<Key> {
    let mut key = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (octet, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = core::str::from_utf8(digits).ok()?;
        *octet = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(key)
}

fn problem(path: &Path, problem: &dyn fmt::Display) -> CertsrvError {
    CertsrvError::OpenRequests {
        path: path.display().to_string(),
        problem: problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(path: Option<PathBuf>) -> AuthoritySettings {
        AuthoritySettings {
            open_requests: path,
            max_open: 3,
            ..AuthoritySettings::default()
        }
    }

    const fn entry(state: State, request: u32, since: u64) -> Entry {
        Entry {
            state,
            request: RequestId(request),
            since,
        }
    }

    #[test]
    fn survives_a_restart_and_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(Some(folder.path().join("open")));
        let open = OpenRequests::load(&settings, 100).unwrap();
        open.put([1; 32], entry(State::Sending, 0, 100)).unwrap();
        open.put([1; 32], entry(State::Open, 7, 101)).unwrap();
        open.put([2; 32], entry(State::Open, 8, 102)).unwrap();
        open.remove(&[2; 32], 103).unwrap();
        drop(open);
        let path = settings.open_requests.clone().unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("0303");
        fs::write(&path, text).unwrap();
        let open = OpenRequests::load(&settings, 104).unwrap();
        assert_eq!(open.entry(&[1; 32], 104), Some(entry(State::Open, 7, 101)));
        assert_eq!(open.entry(&[2; 32], 104), None);
        assert_eq!(
            open.newest(),
            RequestId(8),
            "the number of a request that is gone"
        );
        drop(open);
        assert_eq!(OpenRequests::load(&settings, 104).unwrap().newest(), RequestId(8));
    }

    #[test]
    fn says_which_line_of_the_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open");
        fs::write(&path, "newest 4\nsomething else\n").unwrap();
        let error = OpenRequests::load(&settings(Some(path.clone())), 0).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            "newest 4\nsomething else\n",
            "it is left as it was"
        );
    }

    #[test]
    fn the_oldest_makes_room_and_what_is_over_is_forgotten() {
        let open = OpenRequests::load(&settings(None), 0).unwrap();
        for number in 1..=4 {
            open.put([number; 32], entry(State::Open, number.into(), number.into()))
                .unwrap();
        }
        assert_eq!(open.entry(&[1; 32], 5), None);
        assert!(open.entry(&[4; 32], 5).is_some());
        open.put([4; 32], entry(State::Issued, 4, 5)).unwrap();
        assert!(open.entry(&[4; 32], 604).is_some());
        assert_eq!(open.entry(&[4; 32], 605), None);
        let month = 30 * 24 * 3600;
        assert!(open.entry(&[3; 32], 2 + month).is_some());
        assert_eq!(open.entry(&[3; 32], 3 + month), None);
    }

    #[test]
    fn the_file_does_not_grow_with_the_requests_that_are_over() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(Some(folder.path().join("open")));
        let open = OpenRequests::load(&settings, 1).unwrap();
        for number in 0..1500_u32 {
            open.put([9; 32], entry(State::Open, number, 1)).unwrap();
        }
        let text = fs::read_to_string(settings.open_requests.unwrap()).unwrap();
        assert!(text.lines().count() < 1010, "{}", text.lines().count());
        assert_eq!(open.newest(), RequestId(1499));
    }
}
