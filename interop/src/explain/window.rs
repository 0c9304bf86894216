//! Puts lines in the order in which they were written, as far as memory allows.
//!
//! Traces are printed newest first by some devices, and files of several processes are put together in any order. A window
//! of the latest lines is held back and let out oldest first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::line::Says;
use super::time::{DAY, Stamp};

/// The lines of one source that are held back. A shorter log is sorted whole; the memory is about 10 MB.
const CAPACITY: usize = 16 * 1024;

/// A line with its place.
#[derive(Debug)]
pub(super) struct Placed {
    /// The number of the line in its file, from 1.
    pub(super) number: u64,
    /// When it was written; of a line without a time, when the one before it was.
    pub(super) wall: Option<i64>,
    /// The number that the source gave it.
    pub(super) sequence: Option<u64>,
    pub(super) says: Says,
}

impl Placed {
    fn key(&self) -> (Option<i64>, Option<u64>, u64) {
        (self.wall, self.sequence, self.number)
    }
}

impl PartialEq for Placed {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Placed {}

impl PartialOrd for Placed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Placed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// The window of one source in one file.
#[derive(Debug, Default)]
pub(super) struct Window {
    held: BinaryHeap<Reverse<Placed>>,
    last: Option<i64>,
    last_sequence: Option<u64>,
    /// Whole days that have passed in a log without dates.
    days: i64,
}

impl Window {
    /// Takes a line in, and lets out the oldest one when there are too many.
    pub(super) fn push(
        &mut self,
        number: u64,
        stamp: Option<Stamp>,
        sequence: Option<u64>,
        says: Says,
    ) -> Option<Placed> {
        if let Some(stamp) = stamp {
            self.last = Some(self.continued(stamp));
            self.last_sequence = sequence;
        }
        self.held.push(Reverse(Placed {
            number,
            wall: self.last,
            sequence: self.last_sequence,
            says,
        }));
        (self.held.len() > CAPACITY).then(|| self.pop()).flatten()
    }

    /// The oldest line.
    pub(super) fn pop(&mut self) -> Option<Placed> {
        self.held.pop().map(|Reverse(placed)| placed)
    }

    /// Times without a date begin anew at midnight: a jump of more than half a day is one.
    fn continued(&mut self, stamp: Stamp) -> i64 {
        if stamp.dated {
            return stamp.wall;
        }
        let wall = stamp.wall + self.days * DAY;
        let Some(last) = self.last else { return wall };
        let step = if last - wall > DAY / 2 {
            1
        } else if wall - last > DAY / 2 && self.days > 0 {
            -1
        } else {
            0
        };
        self.days += step;
        wall + step * DAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(wall: i64, dated: bool) -> Option<Stamp> {
        Some(Stamp {
            wall,
            zone: None,
            dated,
        })
    }

    fn order(window: &mut Window) -> Vec<u64> {
        std::iter::from_fn(|| window.pop())
            .map(|placed| placed.number)
            .collect()
    }

    #[test]
    fn lets_lines_out_in_the_order_of_time_sequence_and_place() {
        let mut window = Window::default();
        window.push(1, stamp(2, true), Some(5), Says::Unknown);
        window.push(2, stamp(2, true), Some(4), Says::Unknown);
        window.push(3, stamp(1, true), None, Says::Unknown);
        window.push(4, None, None, Says::Unknown);
        assert_eq!(order(&mut window), [3, 4, 2, 1]);
    }

    #[test]
    fn a_day_begins_after_midnight() {
        let mut window = Window::default();
        window.push(1, stamp(DAY - 1, false), None, Says::Unknown);
        window.push(2, stamp(1, false), None, Says::Unknown);
        window.push(3, stamp(DAY - 1, false), None, Says::Unknown);
        assert_eq!(order(&mut window), [1, 3, 2]);
    }

    #[test]
    fn holds_no_more_than_it_says() {
        let mut window = Window::default();
        let let_out = (0..CAPACITY + 3)
            .filter_map(|line| window.push(line.try_into().unwrap(), None, None, Says::Unknown))
            .count();
        assert_eq!(let_out, 3);
    }
}
