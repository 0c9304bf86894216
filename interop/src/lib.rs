//! Real peers and several parts together: the quickstart lab and what its tests need.
//!
//! - [`adcs_sim`]: a simulated Microsoft AD CS web enrolment.
//! - [`device_fuzz`]: the robustness tester for devices that its user owns.
//! - [`doctor`]: the live diagnosis of a controller, an EST server or AD CS.
//! - [`quickstart`]: the lab that a newcomer runs first.
//! - [`explain`]: reads logs, and says what happened, why, and what to do about it.
//! - [`registration_authority`]: an EST server in front of the simulated AD CS.
//! - [`limbo`]: path validation against the test cases of x509-limbo.
//! - [`faults`]: our own servers as processes, faults done to them, and the soak.
//! - [`floor`]: the floor of the lab and its picture.
//! - [`trace`]: the log of the running libraries, kept so that the lab can show it.
//! - [`peers`]: programs that we did not write and test against.

pub mod adcs_sim;
pub mod device_fuzz;
pub mod doctor;
pub mod explain;
pub mod faults;
pub mod floor;
pub mod limbo;
pub mod peers;
pub mod quickstart;
pub mod registration_authority;
pub mod trace;

/// The examples of the README, compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct ReadmeExamples;

/// The example of the simulator's guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/adcs-simulator.md")]
pub struct SimulatorGuideExamples;
