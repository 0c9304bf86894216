//! Path validation against the test cases of x509-limbo, a public collection of certificate chains.
//!
//! [`Suite`] is its file, [`evaluate()`] asks our trust store about one case, [`ResultFile`] is the format in which that
//! project compares implementations, and [`Exceptions`] lists where we differ from a case, each with its reason.
//!
//! ```
//! use interop::limbo::{Comparison, Exceptions, ResultFile, Suite};
//!
//! let suite: Suite = Suite::from_json(br#"{"version": 1, "testcases": []}"#)?;
//! let results = ResultFile::of(&suite);
//! let comparison = Comparison::new(&suite, &results, &Exceptions::ours());
//! assert!(comparison.surprises.is_empty());
//! # Ok::<(), interop::limbo::LimboError>(())
//! ```

mod compare;
mod error;
mod evaluate;
mod exceptions;
mod result;
mod suite;

pub use compare::{Comparison, Surprise};
pub use error::LimboError;
pub use evaluate::{HANG_AFTER, evaluate};
pub use exceptions::{Exception, Exceptions};
pub use result::{ActualResult, CaseResult, HARNESS, ResultFile};
pub use suite::{Case, ExpectedResult, MAX_SUITE_BYTES, PeerName, Suite};
