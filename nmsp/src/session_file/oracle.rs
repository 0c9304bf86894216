//! What must hold for any bytes whatever. Fuzz targets and tests call this; a violation panics.

use std::sync::Arc;

use super::{Head, Next, Replay, SessionReader, SessionWriter};
use crate::capture::Direction;
use crate::wire::WireProfile;

/// How many answers of the live peer are made up.
const LIVE_REQUESTS: u32 = 3;

/// Takes the bytes as a session file. No bytes panic; what is read survives being written; either side can be played.
///
/// # Panics
/// If one of these promises is broken.
pub fn session_file(bytes: &[u8]) {
    let Ok(mut reader) = SessionReader::new(bytes) else {
        return;
    };
    let head: Head = reader.head().clone();
    let profile = head
        .wire_profile()
        .unwrap_or_else(|_| Arc::clone(WireProfile::built_in()));
    let mut entries = Vec::new();
    while let Some(Ok(entry)) = reader.next_entry() {
        entries.push(entry);
    }
    let mut written = Vec::new();
    let mut writer =
        SessionWriter::new(&mut written, &head, Arc::clone(&profile)).expect("memory takes every byte");
    for entry in &entries {
        writer.write(entry).expect("memory takes every byte");
    }
    let mut again = SessionReader::new(written.as_slice()).expect("what was written can be read");
    assert_eq!(*again.head(), head);
    for entry in &entries {
        let read = again.next_entry().expect("as many entries").expect("an entry");
        assert_eq!(read, *entry, "an entry survives");
    }
    assert!(again.next_entry().is_none() && !again.is_cut());
    for ours in [Direction::ToController, Direction::ToLocationServer] {
        play(Replay::new(Arc::clone(&profile), ours), &entries);
    }
}

/// The live peer sends what the recorded one sent, and each request a few times.
fn play(mut replay: Replay, entries: &[super::Entry]) {
    for entry in entries {
        replay.received(&entry.bytes);
        let mut next = replay.entry(entry.clone());
        for _ in 0..LIVE_REQUESTS {
            next = match next {
                Next::Entry => break,
                Next::Send { .. } | Next::Await(_) => replay.next_step(),
            };
        }
    }
    let (_, count, differences) = replay.finish();
    assert!(u64::try_from(differences.len()).is_ok_and(|length| length <= count));
}
