//! Results against what the cases expect and what the exceptions allow.

use std::collections::HashMap;
use std::fmt;

use super::{ActualResult, Exceptions, ExpectedResult, ResultFile, Suite};

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Number of cases whose verdict is the expected one.
    pub met: usize,
    /// Number of cases whose verdict differs as the exceptions say.
    pub excepted: usize,
    /// Everything else, in the order of the cases.
    pub surprises: Vec<Surprise>,
    /// Exceptions for cases that the suite does not have, by name.
    pub unused: Vec<String>,
}

/// A verdict that nobody expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surprise {
    /// The case.
    pub id: String,
    /// What the case expects.
    pub expected: ExpectedResult,
    /// What the exceptions say instead.
    pub excepted: Option<ActualResult>,
    /// What we said.
    pub actual: ActualResult,
    /// Why.
    pub context: Option<String>,
}

impl Comparison {
    /// Compares. A case that is excepted and met all the same is a surprise too: then the exception is out of date.
    #[must_use]
    pub fn new(suite: &Suite, results: &ResultFile, exceptions: &Exceptions) -> Self {
        let actual: HashMap<&str, _> = results
            .results
            .iter()
            .map(|result| (result.id.as_str(), result))
            .collect();
        let mut comparison = Self::default();
        for case in &suite.testcases {
            let exception = exceptions.of(&case.id);
            let result = actual.get(case.id.as_str());
            // A harness that leaves a case away has not shown anything.
            let verdict = result.map_or(ActualResult::Skipped, |result| result.actual_result);
            match exception {
                None if verdict.meets(case.expected_result) => comparison.met += 1,
                Some(exception) if exception.result == verdict => comparison.excepted += 1,
                _ => comparison.surprises.push(Surprise {
                    id: case.id.clone(),
                    expected: case.expected_result,
                    excepted: exception.map(|exception| exception.result),
                    actual: verdict,
                    context: result.and_then(|result| result.context.clone()),
                }),
            }
        }
        let known = |id: &str| suite.testcases.iter().any(|case| case.id == id);
        comparison.unused = exceptions
            .ids()
            .filter(|id| !known(id))
            .map(str::to_owned)
            .collect();
        comparison.unused.sort();
        comparison
    }
}

impl fmt::Display for Surprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.expected {
            ExpectedResult::Success => ActualResult::Success,
            ExpectedResult::Failure => ActualResult::Failure,
        };
        write!(
            f,
            "{}: {}, expected {}",
            self.id,
            self.actual.name(),
            expected.name()
        )?;
        if let Some(excepted) = self.excepted {
            write!(f, " (the exceptions say {})", excepted.name())?;
        }
        self.context
            .as_ref()
            .map_or(Ok(()), |context| write!(f, ": {context}"))
    }
}
