//! What the modules of the peers share: our EST server, a folder to work in, and programs with bounded patience.

/// Our EST server on loopback with an authority, and one user; what the tests of `est` use.
#[path = "../../../../est/tests/support/mod.rs"]
#[allow(unreachable_pub, reason = "written for the tests of another crate")]
pub(crate) mod est;

pub(crate) mod adcs;
pub(crate) mod authority;
pub(crate) mod folder;
pub(crate) mod lab;
