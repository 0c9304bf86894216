//! One direction of a TCP connection, put into order.

use std::collections::BTreeMap;

/// How many bytes of all connections together may wait for missing segments. Some of the greatest TCP windows in use fit.
pub const DEFAULT_MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// How many bytes of one direction may wait. A direction with a segment that was not captured would hold the rest of the
/// capture otherwise; segments that are merely out of order are fewer than a window apart, rarely above a megabyte.
pub(super) const MAX_HELD_PER_DIRECTION: usize = 4 * 1024 * 1024;

/// How many segments of one direction may wait, so that many tiny ones cannot cost more than their bytes.
const MAX_HELD_SEGMENTS: usize = 4096;

/// Puts segments into order, drops what came twice, and holds what came early. Of bytes that came twice the first count.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// The sequence number that is expected next, and how many bytes were delivered before it.
    next: Option<(u32, u64)>,
    /// Segments behind a gap, by the number of bytes before them.
    held: BTreeMap<u64, Vec<u8>>,
    held_bytes: usize,
}

/// Why nothing more of a direction can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) missing: u64,
    pub(super) held: usize,
}

impl Reassembly {
    /// Whether a segment was seen.
    pub(super) fn has_started(&self) -> bool {
        self.next.is_some()
    }

    /// The next byte has this number.
    pub(super) fn start(&mut self, sequence: u32) {
        self.next = Some((sequence, 0));
    }

    /// How many bytes wait.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// What is missing before the first segment that waits.
    pub(super) fn gap(&self) -> Option<Gap> {
        let (first, _) = self.held.first_key_value()?;
        let (_, delivered) = self.next?;
        Some(Gap {
            missing: first.saturating_sub(delivered),
            held: self.held_bytes,
        })
    }

    /// Takes a segment and hands over what is in order now. `allowed` is how many bytes may wait.
    ///
    /// # Errors
    /// If more would have to wait than may.
    pub(super) fn push(
        &mut self,
        sequence: u32,
        payload: &[u8],
        allowed: usize,
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<(), Gap> {
        let (next, delivered) = *self.next.get_or_insert((sequence, 0));
        // Sequence numbers wrap; a distance of less than half of them tells before from behind (RFC 9293 section 3.4).
        let ahead = sequence.wrapping_sub(next);
        if ahead > u32::MAX / 2 {
            let known = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            if let Some(new) = payload.get(known..) {
                self.advance(new, &mut deliver);
            }
        } else if ahead == 0 {
            self.advance(payload, &mut deliver);
        } else if !payload.is_empty() {
            self.hold(delivered + u64::from(ahead), payload, allowed)?;
        }
        self.release(&mut deliver);
        Ok(())
    }

    fn advance(&mut self, bytes: &[u8], deliver: &mut impl FnMut(&[u8])) {
        let Some((next, delivered)) = &mut self.next else {
            return;
        };
        if bytes.is_empty() {
            return;
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        *next = next.wrapping_add(length);
        *delivered += u64::from(length);
        deliver(bytes);
    }

    fn hold(&mut self, position: u64, payload: &[u8], allowed: usize) -> Result<(), Gap> {
        let longer = |held: &Vec<u8>| held.len() >= payload.len();
        if self.held.get(&position).is_some_and(longer) {
            return Ok(());
        }
        let limit = allowed.min(MAX_HELD_PER_DIRECTION);
        let full = self.held.len() >= MAX_HELD_SEGMENTS || self.held_bytes + payload.len() > limit;
        if let Some(before) = self.held.insert(position, payload.to_vec()) {
            self.held_bytes -= before.len();
        }
        self.held_bytes += payload.len();
        match self.gap() {
            Some(gap) if full => Err(gap),
            _ => Ok(()),
        }
    }

    fn release(&mut self, deliver: &mut impl FnMut(&[u8])) {
        while let Some((_, delivered)) = self.next
            && let Some(first) = self.held.first_entry()
            && *first.key() <= delivered
        {
            let known = usize::try_from(delivered - first.key()).unwrap_or(usize::MAX);
            let bytes = first.remove();
            self.held_bytes -= bytes.len();
            self.advance(bytes.get(known..).unwrap_or_default(), deliver);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds segments of a known stream, given as ranges, and returns what came out.
    fn order(start: u32, ranges: &[core::ops::Range<usize>]) -> (Vec<u8>, Option<Gap>) {
        let stream: Vec<u8> = (0..100).collect();
        let (mut reassembly, mut out) = (Reassembly::default(), Vec::new());
        reassembly.start(start);
        for range in ranges {
            let sequence = start.wrapping_add(u32::try_from(range.start).unwrap());
            reassembly
                .push(sequence, &stream[range.clone()], usize::MAX, |bytes| {
                    out.extend(bytes);
                })
                .unwrap();
        }
        assert_eq!(out, stream[..out.len()], "the stream must come out as it went in");
        (out, reassembly.gap())
    }

    #[test]
    fn delivers_segments_in_order_however_they_come() {
        // Across the wrap of sequence numbers, too.
        for start in [0, 1000, u32::MAX - 10, u32::MAX] {
            for ranges in [
                vec![0..40, 40..100],
                vec![40..100, 0..40],
                vec![0..10, 5..50, 0..10, 45..100, 99..100],
                vec![90..100, 20..90, 10..95, 0..11],
                vec![50..60, 50..100, 50..55, 0..50],
            ] {
                let (out, gap) = order(start, &ranges);
                assert_eq!((out.len(), gap), (100, None), "{start} {ranges:?}");
            }
        }
    }

    #[test]
    fn reports_what_is_missing() {
        let (out, gap) = order(7, &[0..10, 30..40, 50..60]);
        assert_eq!(out.len(), 10);
        assert_eq!(
            gap,
            Some(Gap {
                missing: 20,
                held: 20
            })
        );
    }

    #[test]
    fn a_keep_alive_delivers_nothing() {
        let mut reassembly = Reassembly::default();
        reassembly.start(100);
        let mut out = Vec::new();
        reassembly
            .push(100, b"abc", 10, |bytes| out.extend(bytes))
            .unwrap();
        reassembly.push(102, b"c", 10, |bytes| out.extend(bytes)).unwrap();
        assert_eq!((out, reassembly.held_bytes()), (b"abc".to_vec(), 0));
    }

    #[test]
    fn holds_no_more_than_it_may() {
        let mut reassembly = Reassembly::default();
        reassembly.start(0);
        reassembly
            .push(10, &[0; 50], 100, |_| panic!("nothing is in order"))
            .unwrap();
        // The same again needs no more room.
        reassembly
            .push(10, &[0; 50], 100, |_| panic!("nothing is in order"))
            .unwrap();
        let gap = reassembly.push(60, &[0; 51], 100, |_| panic!("nothing is in order"));
        assert_eq!(
            gap,
            Err(Gap {
                missing: 10,
                held: 101
            })
        );
        let mut reassembly = Reassembly::default();
        reassembly.start(0);
        let refused = (0..).find(|n| reassembly.push(2 + 2 * n, &[0], usize::MAX, |_| {}).is_err());
        assert_eq!(refused, Some(u32::try_from(MAX_HELD_SEGMENTS).unwrap()));
    }
}
