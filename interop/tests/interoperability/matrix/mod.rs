//! What becomes of a case: its outcome, what was expected of it, and the page that shows both.

pub(crate) mod expected;
pub(crate) mod page;

use expected::Divergence;

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As the RFC says, and the foreign side was satisfied.
    Passed,
    /// One side refused cleanly what the case asks for; what it said.
    Refused(String),
    /// Anything else: no answer, a wrong one, a crash; what was seen.
    Failed(String),
    /// Not run; what is missing.
    Skipped(String),
}

/// The part of an outcome that a divergence names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Refused,
    Failed,
    Skipped,
}

impl Verdict {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Outcome {
    pub(crate) const fn verdict(&self) -> Verdict {
        match self {
            Self::Passed => Verdict::Passed,
            Self::Refused(_) => Verdict::Refused,
            Self::Failed(_) => Verdict::Failed,
            Self::Skipped(_) => Verdict::Skipped,
        }
    }

    /// What was said or seen; empty for what passed.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Refused(text) | Self::Failed(text) | Self::Skipped(text) => text,
        }
    }
}

/// Whether a case ended as expected: an unexpected pass is no better than an unexpected failure, for the file of expected
/// divergences must not claim what is no longer so.
///
/// # Errors
/// What differs, and what to do about it.
pub(crate) fn judge(outcome: &Outcome, expected: Option<&Divergence>) -> Result<(), String> {
    let (verdict, text) = (outcome.verdict().name(), outcome.text());
    let Some(expected) = expected else {
        return match outcome {
            Outcome::Passed | Outcome::Skipped(_) => Ok(()),
            Outcome::Refused(_) | Outcome::Failed(_) => Err(format!("{verdict}: {text}")),
        };
    };
    let (place, wanted) = (&expected.place, expected.result.name());
    match outcome {
        Outcome::Skipped(_) => Ok(()),
        Outcome::Passed => Err(format!(
            "passed, but {place} expects that it is {wanted}: take the entry out"
        )),
        _ if outcome.verdict() != expected.result => Err(format!(
            "{verdict}, but {place} expects that it is {wanted}: {text}"
        )),
        _ if !text.contains(&expected.says) => Err(format!(
            "{verdict} as {place} expects, but without {:?}, so for another reason: {text}",
            expected.says
        )),
        _ => Ok(()),
    }
}
