//! What a device did with a case, and what counts as a finding.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::play::{End, Observation};

/// What a device did with a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// It answered, and went on.
    Accepted,
    /// It said no (an error answer, a goodbye, an alert), or closed the connection in good order.
    RefusedCleanly,
    /// It neither answered nor closed in the time that is given to an answer.
    Silent,
    /// It broke the connection off by RST.
    Reset,
    /// After the case it did not work, and did not come back.
    Dead,
    /// After the case it did not work for a while, and came back.
    Recovered,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::RefusedCleanly,
        Self::Silent,
        Self::Reset,
        Self::Dead,
        Self::Recovered,
    ];

    /// In reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::RefusedCleanly => "refused cleanly",
            Self::Silent => "silent",
            Self::Reset => "reset",
            Self::Dead => "dead",
            Self::Recovered => "recovered",
        }
    }

    /// What the connections of a case say by themselves: how they ended, and whether anything came.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        let any = |end: fn(&End) -> bool| observation.connections.iter().any(|seen| end(&seen.end));
        if any(|end| matches!(end, End::Reset)) {
            return Self::Reset;
        }
        if any(|end| {
            matches!(
                end,
                End::Closed | End::Alert(_) | End::BrokenTls(_) | End::NotOpened(_)
            )
        }) {
            return Self::RefusedCleanly;
        }
        if observation
            .connections
            .iter()
            .any(|seen| seen.received_after_send)
        {
            return Self::Accepted;
        }
        Self::Silent
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a grammar makes of what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict; never [`Verdict::Dead`] or [`Verdict::Recovered`], which only a look afterwards can tell.
    pub verdict: Verdict,
    /// What no device may answer, whatever it was sent; a finding.
    pub wrong_answer: Option<String>,
}

/// Why a case is a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Harm {
    /// The device did not come back.
    Dead {
        /// What the look for life met.
        symptom: String,
    },
    /// The device was away, and came back.
    Recovered {
        /// What the look for life met.
        symptom: String,
        /// How long, measured from the end of the case.
        after_milliseconds: u64,
    },
    /// It answered what no device may answer.
    WrongAnswer {
        /// What that was.
        complaint: String,
    },
    /// The process uses more file descriptors than before, and does not give them back.
    Descriptors {
        /// Before.
        before: u64,
        /// Now.
        now: u64,
    },
    /// The process uses more memory than before, and does not give it back.
    Memory {
        /// Before, in KiB.
        before_kib: u64,
        /// Now, in KiB.
        now_kib: u64,
    },
}

impl Harm {
    /// The kind of harm, in a word or two. Two findings of one kind in one layer are likely to have one cause.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dead { .. } => "dead",
            Self::Recovered { .. } => "recovered",
            Self::WrongAnswer { .. } => "wrong answer",
            Self::Descriptors { .. } => "descriptors",
            Self::Memory { .. } => "memory",
        }
    }
}

impl Harm {
    /// What a wrong answer is about: what stands before the colon of its complaint.
    #[must_use]
    pub fn complaint(&self) -> Option<&str> {
        match self {
            Self::WrongAnswer { complaint } => complaint.split(": ").next(),
            _ => None,
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead { symptom } => write!(f, "the device did not come back: {symptom}"),
            Self::Recovered {
                symptom,
                after_milliseconds,
            } => write!(f, "the device was away for {after_milliseconds} ms: {symptom}"),
            Self::WrongAnswer { complaint } => write!(f, "wrong answer: {complaint}"),
            Self::Descriptors { before, now } => {
                write!(f, "the process holds {now} file descriptors, {before} before")
            }
            Self::Memory { before_kib, now_kib } => {
                write!(
                    f,
                    "the process holds {now_kib} KiB of memory, {before_kib} KiB before"
                )
            }
        }
    }
}
