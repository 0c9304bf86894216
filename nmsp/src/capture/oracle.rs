//! What must hold for any bytes whatever. Fuzz targets and tests call this; a violation panics.

use super::{Capture, Item, KeyLog, Options};
use crate::wire::{Frame, oracle};

/// Between capture and key log in the input of the fuzz target.
const SEPARATOR: &[u8] = b"\nKEYS\n";

/// Takes the bytes as a capture, with a key log behind it if there is the separator. No bytes panic; every message is one
/// that the profile cuts, keeps the promises of decoding, and follows the one before it in its direction.
///
/// # Panics
/// If one of these promises is broken.
pub fn capture(bytes: &[u8]) {
    let at = bytes
        .windows(SEPARATOR.len())
        .rposition(|window| window == SEPARATOR);
    let (file, keys) = match at {
        Some(at) => (
            bytes.get(..at).unwrap_or_default(),
            bytes.get(at + SEPARATOR.len()..).unwrap_or_default(),
        ),
        None => (bytes, &[][..]),
    };
    let (key_log, _) = KeyLog::parse(&String::from_utf8_lossy(keys));
    let options = Options {
        key_log,
        // Small, so that the limits are reached.
        max_connections: 4,
        max_held_bytes: 4096,
        ..Options::default()
    };
    let profile = std::sync::Arc::clone(&options.profile);
    let Ok(mut capture) = Capture::new(file, options) else {
        return;
    };
    let mut positions = std::collections::HashMap::new();
    let mut known = 0;
    while let Some(item) = capture.next_item() {
        match item {
            Item::Connection { connection, .. } => {
                assert_eq!(connection, known + 1, "connections are numbered in their order");
                known = connection;
            }
            Item::Message(message) => {
                assert!(message.connection <= known, "a message belongs to a connection");
                let end = positions
                    .entry((message.connection, message.direction))
                    .or_insert(0_u64);
                assert!(message.offset >= *end, "messages do not overlap");
                *end = message.offset + u64::try_from(message.bytes.len()).expect("a length");
                let (frame, length) = Frame::cut(&profile, usize::MAX, &message.bytes)
                    .expect("a message that was cut")
                    .expect("a whole message");
                assert_eq!(length, message.bytes.len());
                oracle::message(&profile, &frame, &message.bytes);
            }
            Item::Problem(finding) => assert!(!finding.to_string().is_empty()),
            Item::Tls { .. } | Item::Alert { .. } => {}
        }
    }
}
