//! `interop/expected.toml`: the cases that do not pass, how they end instead, and why.

use std::collections::HashSet;

use serde::Deserialize;
use toml::Spanned;

use super::{Outcome, Verdict};

/// A case that is expected not to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    pub(crate) peer: String,
    pub(crate) case: String,
    /// [`Verdict::Refused`] or [`Verdict::Failed`].
    pub(crate) result: Verdict,
    /// What the outcome's text must contain: a case that fails for another reason has not been expected to.
    pub(crate) says: String,
    /// Why, for the reader of the page.
    pub(crate) reason: String,
    /// File and line.
    pub(crate) place: String,
}

impl Divergence {
    /// The outcome that it expects.
    pub(crate) fn outcome(&self) -> Outcome {
        let says = self.says.clone();
        match self.result {
            Verdict::Refused => Outcome::Refused(says),
            Verdict::Passed | Verdict::Failed | Verdict::Skipped => Outcome::Failed(says),
        }
    }
}

/// All of them, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected(Vec<Divergence>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    divergence: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    peer: Spanned<String>,
    case: Spanned<String>,
    result: Spanned<String>,
    says: Spanned<String>,
    reason: Spanned<String>,
}

impl Expected {
    /// Reads the file's text; `name` is for the messages.
    ///
    /// # Errors
    /// File, line, and what is wrong there.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let at = |offset: usize| format!("{name}:{}", line(text, offset));
        let file: File = toml::from_str(text).map_err(|error| {
            let place = error
                .span()
                .map_or_else(|| name.to_owned(), |span| at(span.start));
            format!("{place}: {}", error.message())
        })?;
        let mut divergences = Vec::with_capacity(file.divergence.len());
        let mut seen = HashSet::new();
        for entry in file.divergence {
            let place = at(entry.span().start);
            let divergence = entry.into_inner().read(&at, place)?;
            if !seen.insert((divergence.peer.clone(), divergence.case.clone())) {
                let Divergence {
                    place, peer, case, ..
                } = divergence;
                return Err(format!("{place}: a second entry for {peer:?}, {case:?}"));
            }
            divergences.push(divergence);
        }
        Ok(Self(divergences))
    }

    pub(crate) fn find(&self, peer: &str, case: &str) -> Option<&Divergence> {
        self.0
            .iter()
            .find(|known| known.peer == peer && known.case == case)
    }

    /// Entries whose case does not exist (any more).
    ///
    /// # Errors
    /// A line for each of them.
    pub(crate) fn check_cases(&self, exists: impl Fn(&str, &str) -> bool) -> Result<(), String> {
        let gone = self.0.iter().filter(|known| !exists(&known.peer, &known.case));
        let lines: Vec<_> = gone
            .map(
                |Divergence {
                     place, peer, case, ..
                 }| {
                    format!("{place}: there is no case {case:?} of the peer {peer:?}: take the entry out")
                },
            )
            .collect();
        if lines.is_empty() {
            Ok(())
        } else {
            Err(lines.join("\n"))
        }
    }
}

impl Entry {
    fn read(self, at: &impl Fn(usize) -> String, place: String) -> Result<Divergence, String> {
        let result = match self.result.get_ref().as_str() {
            "refused" => Verdict::Refused,
            "failed" => Verdict::Failed,
            other => {
                let place = at(self.result.span().start);
                return Err(format!(
                    "{place}: result is {other:?}: write \"refused\" or \"failed\""
                ));
            }
        };
        let fields = [
            ("peer", &self.peer),
            ("case", &self.case),
            ("says", &self.says),
            ("reason", &self.reason),
        ];
        for (key, value) in fields {
            if value.get_ref().trim().is_empty() {
                return Err(format!("{}: {key} is empty", at(value.span().start)));
            }
        }
        Ok(Divergence {
            peer: self.peer.into_inner(),
            case: self.case.into_inner(),
            result,
            says: self.says.into_inner(),
            reason: self.reason.into_inner(),
            place,
        })
    }
}

/// The number of the line, from one, that holds this offset.
fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
