//! The robustness tester behind `interop fuzz`: it sends malformed and ill-timed input to a device that the user owns, and
//! looks after each case whether the device still works.
//!
//! | module | what it does |
//! |---|---|
//! | [`case`] | one case: the steps of one conversation, as bytes, so that it can be repeated exactly |
//! | [`grammar`] | makes cases: valid conversations of NMSP and EST, and what is done to them |
//! | [`live`] | what can be written only while a case is played: linked requests, answers to Digest challenges |
//! | [`link`] | one TCP connection, with TLS or without, driven step by step |
//! | [`target`] | how a connection to the device under test comes about |
//! | [`play`] | plays the steps of a case, and notes what came back |
//! | [`examine`] | one case, played and judged, and the device looked at afterwards |
//! | [`liveness`] | the question that is asked after each case: do you still work? |
//! | [`verdict`] | what a device did with a case, and what counts as a finding |
//! | [`resources`] | memory and file descriptors of a device that is a process of this machine |
//! | [`run`] | case after case, within a budget |
//! | [`minimise`] | makes a case that hurts as small as it can |
//! | [`resume`] | the file that a run is continued from, and that of each finding |
//! | [`report`] | what was found, as HTML and as JUnit XML |
//! | [`address_guard`] | refuses addresses that are public |

pub mod address_guard;
pub mod case;
pub mod examine;
pub mod grammar;
pub mod link;
pub mod live;
pub mod liveness;
pub mod minimise;
pub mod play;
pub mod report;
pub mod resources;
pub mod resume;
pub mod run;
pub mod target;
pub mod verdict;
