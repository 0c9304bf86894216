//! The daemon itself: files on a real disk, everything else by the test.

mod approval;
mod clock;
mod disk;
mod hook;
mod identities;
mod lab;
mod live;
mod schedule;
mod stopping;
