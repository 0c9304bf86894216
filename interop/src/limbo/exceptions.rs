//! Where our verdict is not the one of a case, with the reason.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::{ActualResult, LimboError};

/// The list of this project.
const OURS: &str = include_str!("exceptions.toml");

/// Cases on which we differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    by_id: HashMap<String, Arc<Exception>>,
}

/// Cases on which we differ for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The cases.
    pub ids: Vec<String>,
    /// What we say.
    pub result: ActualResult,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    exception: Vec<Exception>,
}

impl Exceptions {
    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of this project (`interop/src/limbo/exceptions.toml`).
    #[must_use]
    pub fn ours() -> Self {
        Self::from_toml(OURS).expect("a test reads the list that is compiled in")
    }

    /// Reads a list: `[[exception]]` with `ids`, `result` (`SUCCESS`, `FAILURE`, `SKIPPED` or `HANG`) and `reason`.
    ///
    /// # Errors
    /// It is not TOML of that form (with line and column), gives no reason, or names a case twice.
    pub fn from_toml(text: &str) -> Result<Self, LimboError> {
        let document: Document = toml::from_str(text).map_err(|error| LimboError::Exceptions {
            detail: error.to_string(),
        })?;
        let mut by_id = HashMap::new();
        for exception in document.exception.into_iter().map(Arc::new) {
            if exception.reason.trim().is_empty() {
                return Err(LimboError::Exceptions {
                    detail: format!("the one for {} has no reason", exception.ids.join(", ")),
                });
            }
            for id in &exception.ids {
                if by_id.insert(id.clone(), Arc::clone(&exception)).is_some() {
                    return Err(LimboError::Twice { id: id.clone() });
                }
            }
        }
        Ok(Self { by_id })
    }

    /// What is said of a case.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<&Exception> {
        self.by_id.get(id).map(AsRef::as_ref)
    }

    /// The cases, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_list_can_be_read() {
        assert!(Exceptions::from_toml(OURS).unwrap().ids().count() > 0);
    }

    #[test]
    fn an_exception_needs_a_reason_and_stands_once() {
        let one = "[[exception]]\nids = [\"a\"]\nresult = \"SKIPPED\"\nreason = \"no setting\"\n";
        assert_eq!(
            Exceptions::from_toml(&one.repeat(2)),
            Err(LimboError::Twice { id: "a".to_owned() })
        );
        let without = Exceptions::from_toml(&one.replace("no setting", " ")).unwrap_err();
        assert!(without.to_string().contains("for a has no reason"), "{without}");
        let misspelt = Exceptions::from_toml(&one.replace("SKIPPED", "skip")).unwrap_err();
        assert!(misspelt.to_string().contains("line 3"), "{misspelt}");
    }
}
