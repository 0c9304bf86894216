//! A simulated floor: clients, tags, rogues and interferers that walk about between walls, access points that hear them, and
//! everything that a controller would report about it, as the wire has it.
//!
//! No clock and no chance of its own: time and seed are given, and the same seed with the same calls gives the same run.
//! [`Simulation::report`] moves a range of devices and says what was heard of them; steady reports allocate nothing.
//! [`Locator`] goes the other way, from readings to a place. [`SwitchStack`] is the wired side.
//!
//! ```
//! use nmsp::simulation::{FloorPlan, Locator, Population, Simulation};
//! use nmsp::wire::message::Timestamp;
//!
//! let population = Population { clients: 20, tags: 2, ..Population::default() };
//! let mut floor = Simulation::new(FloorPlan::office(4), &population, 7, Timestamp(0))?;
//! let everybody = 0..floor.devices().len();
//! for second in 1..=10 {
//!     floor.report(everybody.clone(), Timestamp(second * 1000));
//! }
//! let locator = Locator::new(floor.plan().clone());
//! let measurement = &floor.report(everybody, Timestamp(11_000))[0];
//! assert!(locator.locate(measurement.access_points.iter().copied()).is_some());
//! # Ok::<(), nmsp::simulation::SimulationError>(())
//! ```

mod device;
mod error;
mod facts;
mod geometry;
mod intrusion;
mod locate;
mod network;
mod number;
mod plan;
mod plan_file;
mod propagation;
mod schedule;
mod switch;
mod walk;
mod world;

pub use device::{Device, MAX_DEVICES, Population};
pub use error::SimulationError;
pub use geometry::{Position, Wall};
pub use locate::Locator;
pub use plan::{
    AccessPoint, ChokepointPlace, Corner, FloorPlan, MAX_ACCESS_POINTS, MAX_ANTENNAS, MAX_RADIOS,
    MAX_SIDE_METRES, MAX_WALLS, Radio,
};
pub use propagation::Propagation;
pub use schedule::ReportSchedule;
pub use switch::{MAX_WIRED, SwitchStack};
pub use world::{Change, Simulation};
