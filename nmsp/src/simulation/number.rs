//! From floats to the integers of the wire. Everything is clamped, nothing wraps; not-a-number becomes zero.

macro_rules! rounded {
    ($($name:ident -> $int:ty;)+) => {$(
        // A float has no TryFrom to an integer; `as` clamps to its range.
        pub(super) fn $name(value: f64) -> $int {
            value.round() as $int
        }
    )+};
}

rounded! {
    to_i8 -> i8;
    to_u8 -> u8;
    to_u16 -> u16;
    to_i32 -> i32;
    to_u32 -> u32;
    to_u64 -> u64;
    to_usize -> usize;
}

/// A count as a float. Counts here are far below 2^32.
pub(super) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Milliseconds as seconds; exact for 49 days.
pub(super) fn seconds(milliseconds: u64) -> f64 {
    f64::from(u32::try_from(milliseconds).unwrap_or(u32::MAX)) / 1000.0
}
