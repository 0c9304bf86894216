//! The folder of a run: the state that it is continued from, and one file for each finding.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use pki_common::{Diagnose, Failure, Rung};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::case::{Case, Layer};
use super::grammar::{CaseBudget, Grammar};
use super::verdict::{Harm, Verdict};

/// The file with the state of a run.
pub const STATE_FILE: &str = "state.json";

/// The form of the files. A file of another form is refused.
const FORMAT: u32 = 1;

/// The longest file that is read, in bytes: a state with the default number of findings, each with megabytes of case.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// How many cases tell a run from another one with the same seed.
const FIRST_CASES: u64 = 24;

/// What a run is: the same values make the same cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The grammar.
    pub grammar: String,
    /// The device, as the command line named it.
    pub target: String,
    /// The seed.
    pub seed: u64,
    /// What one case may use up.
    pub case_budget: CaseBudget,
    /// SHA-256 of the first cases: whatever shapes them, such as a profile, operations or an account, is in it.
    pub first_cases: String,
}

impl Identity {
    /// Of a run of this grammar.
    #[must_use]
    pub fn of(grammar: &impl Grammar, target: String, seed: u64, case_budget: CaseBudget) -> Self {
        let mut hash = Sha256::new();
        for index in 0..FIRST_CASES {
            hash.update(to_json(&grammar.case(seed, index)));
        }
        Self {
            grammar: grammar.name().to_owned(),
            target,
            seed,
            case_budget,
            first_cases: hex::encode(hash.finalize()),
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its number, from 1 on.
    pub number: u32,
    /// What happened.
    pub harm: Harm,
    /// The case that it happened after.
    pub case: Case,
    /// The smallest case that does the same, where one was found.
    pub minimal: Option<Case>,
    /// How the minimisation went, in one sentence.
    pub minimisation: String,
    /// What was seen of the connections of the case.
    pub seen: Vec<String>,
    /// How many further cases of the same kind did the same.
    pub repeated: u64,
}

impl Finding {
    /// The case to repeat: the minimal one, else the one it was found by.
    #[must_use]
    pub fn shortest(&self) -> &Case {
        self.minimal.as_ref().unwrap_or(&self.case)
    }

    /// The file that it is repeated from.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("finding-{:04}.json", self.number)
    }
}

/// Verdicts, counted.
pub type Verdicts = BTreeMap<Verdict, u64>;

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    /// The version of this program. Another version may make other cases of the same seed.
    pub version: String,
    /// Which run it is.
    pub identity: Identity,
    /// The command line without the program, for the replay commands.
    pub arguments: Vec<String>,
    /// What is asked after each case.
    pub question: String,
    /// The case that comes next.
    pub next: u64,
    /// Bytes sent, before encryption.
    pub bytes: u64,
    /// Connections opened, those of looks for life included.
    pub connections: u64,
    /// Time spent.
    pub elapsed_milliseconds: u64,
    /// Verdicts of each mutation of each layer.
    pub mutations: BTreeMap<Layer, BTreeMap<String, Verdicts>>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Why the run is not going on.
    pub ended: Option<String>,
}

/// Why the files of a run cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// Reading or writing failed.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is no file of ours.
    #[error("{path} is no file of a run: {problem}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is a run in the folder, and it was not to be continued.
    #[error("{path} has a run already", path = .path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is another run in the folder.
    #[error("the run in {path} has another {what}: {there} there, {here} here", path = .path.display())]
    Another {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// There.
        there: String,
        /// Here.
        here: String,
    },
}

impl Diagnose for ResumeError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Io { .. } => "Check the path and its permissions.",
            Self::Malformed { .. } => "Give a file that `interop fuzz` has written.",
            Self::Exists { .. } => "Continue it by --resume, or give another --output.",
            Self::Another { .. } => "Give the values of that run, or another --output.",
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

impl State {
    /// A run at its beginning.
    #[must_use]
    pub fn new(identity: Identity, arguments: Vec<String>) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity,
            arguments,
            question: String::new(),
            next: 0,
            bytes: 0,
            connections: 0,
            elapsed_milliseconds: 0,
            mutations: BTreeMap::new(),
            findings: Vec::new(),
            ended: None,
        }
    }

    /// The state in a folder; a new one if the folder has none.
    ///
    /// # Errors
    /// There is a run and `resume` was not said, or it is another run than this one.
    pub fn open(
        folder: &Path,
        identity: Identity,
        arguments: Vec<String>,
        resume: bool,
    ) -> Result<Self, ResumeError> {
        let path = folder.join(STATE_FILE);
        if !path.exists() {
            return Ok(Self::new(identity, arguments));
        }
        if !resume {
            return Err(ResumeError::Exists {
                path: folder.to_owned(),
            });
        }
        let mut state = Self::load(folder)?;
        let own = Self::new(identity, arguments);
        let differs = |what, there: String, here: String| {
            (there != here).then(|| ResumeError::Another {
                path: folder.to_owned(),
                what,
                there,
                here,
            })
        };
        let (there, here) = (&state.identity, &own.identity);
        let problems = [
            differs("form", state.format.to_string(), own.format.to_string()),
            differs("version", state.version.clone(), own.version.clone()),
            differs("grammar", there.grammar.clone(), here.grammar.clone()),
            differs("target", there.target.clone(), here.target.clone()),
            differs("seed", there.seed.to_string(), here.seed.to_string()),
            differs(
                "budget of a case",
                format!("{:?}", there.case_budget),
                format!("{:?}", here.case_budget),
            ),
            differs(
                "SHA-256 of its first cases (profile, operations, label, account and certificate shape them)",
                there.first_cases.clone(),
                here.first_cases.clone(),
            ),
        ];
        if let Some(problem) = problems.into_iter().flatten().next() {
            return Err(problem);
        }
        state.arguments = own.arguments;
        state.ended = None;
        Ok(state)
    }

    /// The state in a folder.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn load(folder: &Path) -> Result<Self, ResumeError> {
        read(&folder.join(STATE_FILE))
    }

    /// Writes the state, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ResumeError> {
        write(&folder.join(STATE_FILE), &to_json(self))
    }

    /// How often each verdict was given.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        let mut sum = Verdicts::new();
        for (verdict, count) in self.mutations.values().flat_map(BTreeMap::values).flatten() {
            *sum.entry(*verdict).or_default() += count;
        }
        sum
    }

    /// Notes the verdict of a case.
    pub fn count(&mut self, case: &Case, verdict: Verdict) {
        let mutations = self.mutations.entry(case.layer).or_default();
        let verdicts = mutations.entry(case.mutation().to_owned()).or_default();
        *verdicts.entry(verdict).or_default() += 1;
    }
}

/// A case to be repeated: what a finding's file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    format: u32,
    /// The version of the program that wrote it.
    pub version: String,
    /// The grammar, which judges the answer.
    pub grammar: String,
    /// What happened then.
    pub harm: Harm,
    /// The command line of the run without the program.
    pub arguments: Vec<String>,
    /// The case.
    pub case: Case,
}

impl Replay {
    /// Of a finding.
    #[must_use]
    pub fn of(finding: &Finding, state: &State) -> Self {
        Self {
            format: FORMAT,
            version: state.version.clone(),
            grammar: state.identity.grammar.clone(),
            harm: finding.harm.clone(),
            arguments: state.arguments.clone(),
            case: finding.shortest().clone(),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ResumeError> {
        write(path, &to_json(self))
    }

    /// Reads it.
    ///
    /// # Errors
    /// If it cannot be read, or is something else.
    pub fn load(path: &Path) -> Result<Self, ResumeError> {
        let replay: Self = read(path)?;
        if replay.format == FORMAT {
            return Ok(replay);
        }
        Err(ResumeError::Malformed {
            path: path.to_owned(),
            problem: format!("its form is {}, this program reads {FORMAT}", replay.format),
        })
    }
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("maps have texts as keys, and nothing else can fail")
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, ResumeError> {
    use io::Read as _;

    let io = |source| ResumeError::Io {
        path: path.to_owned(),
        source,
    };
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(MAX_FILE).read_to_end(&mut text).map_err(io)?;
    serde_json::from_slice(&text).map_err(|error| ResumeError::Malformed {
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

/// Writes beside the file and renames, so that a run that is killed leaves the old one or the new one.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), ResumeError> {
    let io = |source| ResumeError::Io {
        path: path.to_owned(),
        source,
    };
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes).map_err(io)?;
    std::fs::rename(&beside, path).map_err(io)
}
